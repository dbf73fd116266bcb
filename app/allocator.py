"""The C library's allocator in a process that serves for weeks: told to give memory back to the machine.

Each thread that works has an arena of its own in glibc, and what it frees stays there. A commit takes hundreds of
megabytes for a moment in whichever thread it runs; after some hundred commits every arena had grown to the largest of
them, which no other could use. With few arenas they share, and after a commit what is free goes back. Elsewhere than on
glibc nothing is done.

Sources: mallopt(3), malloc_trim(3); measured in docs/load.md.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""The parameter's number in glibc's malloc.h."""
_ARENAS = 2


def share_arenas() -> None:
    """From here on threads share two arenas. Call it before there are threads: an arena that is there stays."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Give pages that nobody uses back to the machine; takes milliseconds, in which others of our threads go on."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
