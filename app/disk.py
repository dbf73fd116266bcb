"""Tells a disk that is full, or cannot be written, from every other failure of writing. Writes nothing itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import StoreError, StoreFull, StoreReadOnly

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system says when a file may not grow."""
_NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What it says where nothing, or nothing of this user's, is written."""


@contextmanager
def needs_room() -> Iterator[None]:
    """Raise StoreFull or StoreReadOnly for what failed in this block because of the disk; other errors pass."""
    try:
        yield
    except OSError as error:
        refused = refusal(error)
        if refused is None:
            raise
        try:
            raise refused from error
        finally:
            del refused  # it would hold this frame, and with it what the block had open, until a collection


def refusal(error: OSError) -> StoreError | None:
    """What to tell of a failure of writing, where the disk is full or cannot be written; None for any other."""
    if _is_full(error):
        return StoreFull(error.strerror or str(error))
    if error.errno in _NO_WRITING:
        return StoreReadOnly(error.strerror or str(error))
    return None


def _is_full(error: OSError) -> bool:
    """By number, or by words where there is none: the engine passes only the words on."""
    return error.errno in _NO_ROOM or any(os.strerror(number) in str(error) for number in _NO_ROOM)
