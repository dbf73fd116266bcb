"""One SQLite file, such as that of the queue: opened when first needed, safe against crashes, its owner's only.

Write-ahead log with full synchronisation: what was acknowledged survives a loss of power. Knows nothing of its tables.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from app.disk import refusal
from app.errors import AppError, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly

_OWN = 0o600
_PATIENCE = 10.0
"""Seconds that one process waits for another to finish writing."""
_LITTLE = 1_000_000
_PROBE = 65_536
"""Bytes that must be free, and that are written to see whether they can be."""
_FULL = frozenset({"SQLITE_FULL"})
_READ_ONLY = frozenset({"SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"})
_BUSY = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


class Database:
    """A file of tables. One connection for each process, used by one thread at a time. `holds` says what is in it."""

    def __init__(self, path: Path, schema: str, version: int, *, holds: str) -> None:
        self.path = path
        self._holds = holds
        self._schema = schema
        self._version = version
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self._connection is not None or self.path.exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent look at the tables."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A change: written as a whole when the block ends, not at all when it raises. StoreFull, StoreBusy."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def compact(self) -> None:
        """Give room back to the disk, if most of the file is free; who is killed leaves the file as it was."""
        with self._lock:
            try:
                connection = self._opened()
                free, pages = (
                    connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count")
                )
                if free * 2 > pages:
                    connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise self._told(error) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._opened()
                connection.execute(begin)
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # the engine has rolled back what it could not write
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._told(error) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None or self._owner != os.getpid():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _OWN))
            except OSError as error:
                if error.errno == errno.EROFS and self.path.exists():
                    return self._only_to_read()
                raise refusal(error) or StoreError(f"{self.path} cannot be opened: {error.strerror}") from error
            connection = sqlite3.connect(
                self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._prepare(connection)
            self._connection, self._owner = connection, os.getpid()
        return self._connection

    def _only_to_read(self) -> sqlite3.Connection:
        """A connection for one look at a file on a disk that nobody can write, not kept: it may be mended meanwhile.

        What a process that was killed had left in the log of the file is not seen.
        """
        address = f"file:{quote(str(self.path.absolute()))}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file; StoreDamaged for a file of another version."""
        connection.execute("BEGIN IMMEDIATE")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            for statement in self._schema.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")
        if found not in {0, self._version}:
            connection.close()
            raise StoreDamaged(
                f"{self.path} was written by another version of slmkg",
                advice="Use that version, or move the file away.",
            )

    def _told(self, error: sqlite3.Error) -> AppError:
        name = getattr(error, "sqlite_errorname", "") or ""
        kind = "_".join(name.split("_")[:2])
        if kind in _FULL or (kind == "SQLITE_IOERR" and _no_room(self.path)):
            return StoreFull(str(error))
        if kind in _READ_ONLY:
            return StoreReadOnly(str(error))
        if kind in _BUSY:
            return StoreBusy(f"another process is writing {self._holds}", advice="Try again in a moment.")
        if kind in _DAMAGED:
            return StoreDamaged(f"{self.path} cannot be read: {error}", advice=f"Move it away; it held {self._holds}.")
        return StoreError(f"{self.path}: {error}")


def copy_database(path: Path, target: Path) -> None:
    """Copy a file of tables as it is at one moment, also while others write to it; StoreError."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=_PATIENCE)
        ) as source:
            os.close(os.open(target, os.O_RDWR | os.O_CREAT, _OWN))
            with closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be copied: {error}", advice="Run `slmkg doctor`.") from error


def is_whole(path: Path) -> bool:
    """Whether a file of tables that nobody writes to can be read and is undamaged."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?immutable=1", uri=True)) as file:
            (found,) = file.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error:
        return False
    return bool(found == "ok")


def _no_room(path: Path) -> bool:
    """Whether there is no room beside a file: a log that cannot grow is told as an error of reading and writing."""
    try:
        free = os.statvfs(path.parent)
        if free.f_bavail * free.f_frsize < _LITTLE:
            return True
        with tempfile.TemporaryFile(dir=path.parent) as probe:  # a quota shows only to who writes
            probe.write(bytes(_PROBE))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return isinstance(refusal(error), StoreFull)
    return False
