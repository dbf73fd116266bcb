"""The clocks of this machine, and what the machine is called."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from app.jobs.values import Machine, Moment

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def now() -> Moment:
    """Now, by this machine's clocks."""
    return Moment(datetime.now(UTC), time.monotonic(), boot())


@cache
def boot() -> str:
    """Name of the running kernel: another one after each start of the machine, the same in all its containers."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"{uuid.getnode():012x}"


def machine() -> Machine:
    """This process as a worker. A machine is a running kernel: containers on one share its processors."""
    identity = hashlib.sha256(boot().encode()).hexdigest()[:16]
    return Machine(identity, platform.node() or "unnamed", f"{os.getpid()}-{secrets.token_hex(4)}")
