"""The store on disk: one immutable Oxigraph folder per revision, made by copy on write.

    <folder>/FORMAT              version of this layout
    <folder>/LOCK                held (flock) by the process that writes
    <folder>/HEAD                number of the newest revision; replacing this file is the commit
    <folder>/revisions/000007/   the graph at revision 7, opened read-only and never written again
    <folder>/revisions/000007.json   who, when, why, how much
    <folder>/work-…/             a candidate; whatever is found here was not committed and is removed

A commit takes a hard-linked copy of the newest revision (milliseconds at any size), changes the copy, lets the caller
check it, renames it into place and then moves HEAD. A process killed at any point leaves HEAD on a complete revision.
Readers never see a store that somebody writes to, so any number of processes may read while one writes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pyoxigraph as ox

from app.errors import NotFound, StaleRevision, StoreBusy, StoreDamaged, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.store.engine import EngineSnapshot, as_stored
from app.store.port import Snapshot

FORMAT = "1"
_OPEN = 8
"""Revisions that are kept open; each costs file handles."""
_BULK = 5_000
"""From this many new quads on, Oxigraph's bulk loader beats one transaction."""


class EmbeddedStore:
    """A folder of revisions (see `port.GraphStore`). Opening it reads nothing but the head."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._revisions = folder / "revisions"
        self._open: dict[int, EngineSnapshot] = {}
        self._guard = threading.Lock()
        self._listeners: list[Callable[[ChangeSet, Revision], None]] = []
        self._check_format()

    def listen(self, listener: Callable[[ChangeSet, Revision], None]) -> None:
        """Call `listener` after each commit of this process, when the lock is free again. It must not raise."""
        self._listeners.append(listener)

    @property
    def revisions_folder(self) -> Path:
        """Where the revisions lie: one folder each, named by six digits."""
        return self._revisions

    def head(self) -> Revision:
        """The newest committed revision, also when another process made it."""
        number = self._head_number()
        if number == 0:
            raise StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
        return self._describe(number)

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, oldest first."""
        return tuple(self._describe(number) for number in range(1, self._head_number() + 1))

    def at(self, number: int | None = None) -> Snapshot:
        """The graph at a revision, kept open for a while."""
        newest = self.head().number
        wanted = newest if number is None else number
        if not 1 <= wanted <= newest:
            raise NotFound("revision", str(wanted), advice=f"The newest is {newest}.")
        with self._guard:
            found = self._open.pop(wanted, None) or EngineSnapshot(self._open_read_only(wanted))
            self._open[wanted] = found
            while len(self._open) > _OPEN:
                del self._open[next(iter(self._open))]
            return found

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision, or change nothing."""
        with self._write_lock():
            newest = self._head_number()
            if expect != newest:
                raise StaleRevision(expect, newest)
            self._clear_leftovers(newest)
            candidate = self._folder / f"work-{os.getpid()}"
            try:
                revision = self._build(candidate, newest, change, check)
            except BaseException:
                _remove(candidate)
                raise
            self._publish(candidate, revision)
        for listener in self._listeners:
            listener(change, revision)
        return revision

    def close(self) -> None:
        """Let go of the snapshots that are open."""
        with self._guard:
            self._open.clear()

    def _build(
        self, candidate: Path, newest: int, change: ChangeSet, check: Callable[[Snapshot], None] | None
    ) -> Revision:
        """Make the candidate's folder: copy, change, check, flush."""
        if newest:
            self._open_read_only(newest).backup(str(candidate))
        store = ox.Store(str(candidate))
        before = len(store)
        wanted = as_stored(change.add)
        removed = [quad for quad in as_stored(change.remove) - wanted if quad in store]
        added = [quad for quad in wanted if quad not in store]
        for quad in removed:
            store.remove(quad)
        if len(added) >= _BULK:
            store.bulk_extend(added)
            store.optimize()
        else:
            store.extend(added)
        if check is not None:
            check(EngineSnapshot(store))
        store.flush()
        return Revision(
            number=newest + 1,
            reason=change.reason,
            author=change.author,
            made_at=change.made_at,
            added=len(added),
            removed=len(removed),
            quads=before - len(removed) + len(added),
        )

    def _publish(self, candidate: Path, revision: Revision) -> None:
        """Put a finished candidate in its place. The last step, replacing HEAD, is the commit."""
        target = self._path(revision.number)
        candidate.rename(target)
        record = asdict(revision) | {"made_at": revision.made_at.isoformat()}
        _write_durably(target.with_suffix(".json"), json.dumps(record, indent=1))
        _sync(self._revisions)
        _write_durably(self._folder / "HEAD", f"{revision.number}\n")

    def _clear_leftovers(self, newest: int) -> None:
        """Remove what a killed writer left: candidates, and a revision that HEAD never reached."""
        for leftover in self._folder.glob("work-*"):
            shutil.rmtree(leftover)
        unreached = self._path(newest + 1)
        shutil.rmtree(unreached, ignore_errors=True)
        unreached.with_suffix(".json").unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._revisions / f"{number:06d}"

    def _open_read_only(self, number: int) -> ox.Store:
        try:
            return ox.Store.read_only(str(self._path(number)))
        except OSError as error:
            raise StoreDamaged(
                f"revision {number} in {self._folder} cannot be opened: {error}",
                advice="Restore the folder from a backup, or remove it and load again.",
            ) from error

    def _head_number(self) -> int:
        try:
            return int((self._folder / "HEAD").read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise StoreDamaged(
                f"{self._folder / 'HEAD'} does not hold a revision number",
                advice="Restore the folder from a backup, or remove it and load again.",
            ) from error

    def _describe(self, number: int) -> Revision:
        path = self._path(number).with_suffix(".json")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return Revision(**(record | {"made_at": datetime.fromisoformat(record["made_at"])}))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreDamaged(
                f"the record of revision {number} cannot be read: {error}",
                advice="Restore the folder from a backup, or remove it and load again.",
            ) from error

    def _check_format(self) -> None:
        """Refuse a folder that another version of this layout wrote."""
        marker = self._folder / "FORMAT"
        if marker.exists() and (found := marker.read_text(encoding="ascii").strip()) != FORMAT:
            raise StoreDamaged(
                f"{self._folder} has layout version {found}, this slmkg reads version {FORMAT}",
                advice="Use the slmkg version that wrote it, or load into another folder.",
            )

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Hold the folder's write lock; the operating system lets go of it when the process ends, however it ends."""
        self._revisions.mkdir(parents=True, exist_ok=True)
        with (self._folder / "LOCK").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreBusy(
                    f"another process is writing to {self._folder}", advice="Wait until it has finished."
                ) from error
            if not (self._folder / "FORMAT").exists():
                _write_durably(self._folder / "FORMAT", FORMAT + "\n")
            yield


def _remove(candidate: Path) -> None:
    """Remove a candidate that was given up. Its engine may still be writing; what resists, the next writer removes."""
    for _ in range(20):
        shutil.rmtree(candidate, ignore_errors=True)
        if not candidate.exists():
            return
        time.sleep(0.05)


def _write_durably(path: Path, content: str) -> None:
    """Replace a file so that after a crash either the old or the new content is there, never a part."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
