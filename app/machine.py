"""What `slmkg doctor` says of the machine rather than of the graph: versions and the clock. Changes nothing."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from app import __version__
from app.model.health import Sign, bad, good, note

NAME = "slmkg"
_OLDEST = (3, 11)
_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock that is right shows a time before this program."""
_ROOM = 100_000_000
_ALLOWED = timedelta(minutes=5)
_MENDING = "Set the clock, and have it kept right (NTP): revisions, keys and leases bear its times."
_NOT_KEPT = 5
"""What the kernel answers when nothing keeps its clock right (adjtimex(2), TIME_ERROR)."""
_TIMEX_BYTES = 256
"""More than the kernel's structure takes on any machine."""


def examine(newest: datetime | None, now: datetime) -> Iterator[Sign]:
    """Versions and clock. `newest` is when the newest revision was made, if there is one."""
    yield from versions()
    yield clock(newest, now, kept=_kept())


def versions() -> Iterator[Sign]:
    """What runs, and whether every package has a version that slmkg was written for."""
    says = f"slmkg {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info[:2] < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        yield bad("versions", f"{says}: too old", f"Use Python {wanted} or newer.")
        return
    wrong = [*_unmet()]
    if wrong:
        yield bad("versions", f"{says}; {', '.join(wrong)}", 'Install slmkg anew: pip install --upgrade "slmkg".')
    else:
        yield good("versions", f"{says}; every package fits")


def folder(path: Path) -> Iterator[Sign]:
    """Whether there is room in a folder, and this user may write there. For what lies beside an external engine."""
    if not path.exists():
        yield note("data folder", f"{path} is not there yet; keys, jobs and releases will lie in it")
        return
    free = shutil.disk_usage(path).free
    says = f"{free // 1_000_000} MB free"
    yield good("disk", says) if free >= _ROOM else bad("disk", says, "Make room, or add a disk.")
    if os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield good("rights", "this user may write to the data folder")
    else:
        yield bad("rights", f"this user may not write to {path}", "Run slmkg as its owner.")


def clock(newest: datetime | None, now: datetime, *, kept: bool | None) -> Sign:
    """Whether the clock can be right. `kept` says whether something keeps it so; None where that is not known."""
    shown = now.astimezone(UTC).isoformat(timespec="seconds")
    if now < _RELEASED:
        return bad("clock", f"it shows {shown}, which is before this program was made", _MENDING)
    if newest is not None and newest > now + _ALLOWED:
        made = newest.astimezone(UTC).isoformat(timespec="seconds")
        return bad("clock", f"it shows {shown}, and the newest revision was made at {made}", _MENDING)
    if kept is False:
        return note("clock", f"it shows {shown}; the system does not say that anything keeps it right", _MENDING)
    return good("clock", shown)


def _unmet() -> Iterator[str]:
    """Requirements of slmkg itself, without extras, that the installed packages do not meet."""
    try:
        wanted = requires(NAME) or []
    except PackageNotFoundError:  # run from a checkout that was not installed
        return
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} {found} does not meet {requirement.specifier}"


def _kept() -> bool | None:
    """Whether the kernel says that something keeps its clock right."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != _NOT_KEPT
