"""Tells a full disk from every other failure of writing. Writes nothing itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import StoreFull

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system says when a file may not grow."""


@contextmanager
def needs_room() -> Iterator[None]:
    """Raise StoreFull for what failed in this block because the disk is full; other errors pass."""
    try:
        yield
    except OSError as error:
        if not _is_full(error):
            raise
        raise StoreFull(error.strerror or str(error)) from error


def _is_full(error: OSError) -> bool:
    """By number, or by words where there is none: the engine passes only the words on."""
    return error.errno in _NO_ROOM or any(os.strerror(number) in str(error) for number in _NO_ROOM)
