"""Files that survive a crash, and locks that end with their process. Knows no layout of any folder."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_HERE = -100
_EXCHANGE = 2


def write_durably(path: Path, content: str | bytes, *, mode: int = 0o666) -> None:
    """Replace a file so that after a crash either the old or the new content is there, never a part.

    `mode` are the rights of the new file, less the umask: 0o600 for what its owner alone may read. Each process has a
    draft of its own, so that two that write at once never mix; the last one wins.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content.encode("utf-8") if isinstance(content, str) else content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's content, or the renames inside a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make everything below a folder durable, and the folder itself."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def exchange(one: Path, other: Path) -> None:
    """Swap two files or folders of one file system in one step; OSError where the system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, "this system cannot swap two folders in one step")
    if libc.renameat2(_AT_HERE, os.fsencode(one), _AT_HERE, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file, made when missing, without waiting; BlockingIOError while somebody else holds it.

    The operating system lets go of it when the process ends, however it ends. A file that was replaced or removed
    before it could be locked guards nothing: that is BlockingIOError, too.
    """
    with path.open("a") as handle:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if not _still_there(handle.fileno(), path):
            raise BlockingIOError(errno.EWOULDBLOCK, "another one holds it", str(path))
        yield


def _still_there(descriptor: int, path: Path) -> bool:
    """Whether a path still means the file that was opened under it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
