"""What the programs share that measure in a process of their own: private output, exit codes, an end with the parent.

Native code prints what it likes, so a program keeps a copy of standard output for its own lines, and what others print
goes to standard error. The kernel kills it when its parent dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

EXIT_OK = 0
EXIT_NOT_OK = 1
EXIT_UNREADABLE = 2
EXIT_ORPHAN = 3

Tell = Callable[[Mapping[str, Any]], None]
"""Gets each line, as JSON."""

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def private_lines() -> Tell:
    """Keep standard output for lines of JSON alone; from now on what is printed goes to standard error."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(line: Mapping[str, Any]) -> None:
        private.write(json.dumps(line, separators=(",", ":")) + "\n")
        private.flush()

    return tell


def dies_with_parent(parent: int | None = None) -> bool:
    """Ask the kernel to kill this process with its parent; False when the parent is gone already.

    `parent` is the process id that whoever started this program told; without it, the one that is there now.
    """
    before = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    return os.getppid() == (before if parent is None else parent)
