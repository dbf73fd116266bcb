"""Resident memory of this process, as the kernel counts it. Never memory of other processes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_FORGET_PEAK = "5"


def resident() -> int:
    """Bytes of this process in memory now; the peak where the kernel tells no more."""
    return _status("VmRSS") or _peak_of_usage()


def peak_resident() -> int:
    """The most bytes that were in memory since the start, or since `forget_peak`."""
    return _status("VmHWM") or _peak_of_usage()


def forget_peak() -> None:
    """Count the peak from now on, where the kernel can: otherwise it stays that of the whole process."""
    try:
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return


def _status(name: str) -> int | None:
    """Bytes of a member of /proc/self/status, which tells KiB."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None


def _peak_of_usage() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
