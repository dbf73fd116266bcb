"""The one measuring slot of this machine: a lock file that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


def usual() -> Path:
    """The lock that all services and workers of one user on a machine share."""
    return Path(tempfile.gettempdir()) / f"slmkg-measuring-{os.getuid()}.lock"


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a lock while the block runs, without waiting; False when somebody else holds it.

    Where no lock file can be made, nothing can be held, and everybody may go on: measuring matters more.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("there is no lock file %s (%s); others may measure at the same time", path, error.strerror)
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
