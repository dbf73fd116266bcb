"""The store on disk: one immutable Oxigraph folder per revision, made by copy on write.

    <folder>/FORMAT              version of this layout
    <folder>/LOCK                held (flock) by the process that writes
    <folder>/HEAD                number of the newest revision; replacing this file is the commit
    <folder>/revisions/000007/   the graph at revision 7, opened read-only and never written again
    <folder>/revisions/000007.json   who, when, why, how much
    <folder>/revisions/000007.patch  what it added and removed: an RDF patch, compressed (zlib)
    <folder>/SINCE               number of the oldest revision whose graph is kept; missing for the first
    <folder>/work-…/             a candidate; whatever is found here was not committed and is removed

A commit takes a hard-linked copy of the newest revision (milliseconds at any size), changes the copy, lets the caller
check it, renames it into place and then moves HEAD. A process killed at any point leaves HEAD on a complete revision.
Readers never see a store that somebody writes to, so any number of processes may read while one writes.

Revisions that older versions of slmkg made have no patch: it is worked out by comparing, and kept from then on.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pyoxigraph as ox

from app.errors import BadFile, NotFound, StaleRevision, StoreBusy, StoreDamaged, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.rdf import Quad
from app.store import patch
from app.store.durable import sync, write_durably
from app.store.engine import EngineSnapshot, as_stored
from app.store.port import Holdings, Snapshot

FORMAT = "1"
_RECORDS = (".json", ".patch")
"""Endings of what lies beside the folder of a revision."""
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
        self._check_format()

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

    def oldest(self) -> int:
        """Number of the oldest revision whose graph is kept."""
        return self._number_in("SINCE") or 1

    def holdings(self, every: bool) -> Holdings:
        """The files of every revision, or of the newest and the records of all; nothing of them ever changes."""
        newest = self.head().number
        since = self.oldest() if every else newest
        texts = {"FORMAT": f"{FORMAT}\n", "HEAD": f"{newest}\n"} | ({"SINCE": f"{since}\n"} if since > 1 else {})
        records = (self._path(number).with_suffix(ending) for number in range(1, newest + 1) for ending in _RECORDS)
        paths = [path for path in records if path.exists()]
        for number in range(since, newest + 1):
            paths += sorted(path for path in self._path(number).iterdir() if path.is_file())
        return Holdings(newest, since, texts, {str(path.relative_to(self._folder)): path for path in paths})

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

    def changes(self, number: int) -> ChangeSet:
        """What a revision added and removed, from its patch, or by comparing where it has none."""
        newest = self.head().number
        if not 1 <= number <= newest:
            raise NotFound("revision", str(number), advice=f"The newest is {newest}.")
        revision = self._describe(number)
        path = self._patch(number)
        try:
            add, remove = patch.unpacked(path.read_bytes(), str(path))
        except FileNotFoundError:
            add, remove = self._compared(number)
            self._keep_patch(number, patch.packed(add, remove))
        except (OSError, BadFile) as error:
            raise StoreDamaged(
                f"the patch of revision {number} cannot be read: {error}",
                advice="Restore it from a backup, or remove it: it is worked out again.",
            ) from error
        return ChangeSet(add, remove, revision.reason, revision.author, revision.made_at)

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision, or change nothing."""
        with self._write_lock():
            newest = self._head_number()
            if expect != newest:
                raise StaleRevision(expect, newest)
            self._clear_leftovers(newest)
            candidate = self._folder / f"work-{os.getpid()}"
            try:
                revision, delta = self._build(candidate, newest, change, check)
            except BaseException:
                _remove(candidate)
                raise
            self._publish(candidate, revision, delta)
            return revision

    def close(self) -> None:
        """Let go of the snapshots that are open."""
        with self._guard:
            self._open.clear()

    def _build(
        self, candidate: Path, newest: int, change: ChangeSet, check: Callable[[Snapshot], None] | None
    ) -> tuple[Revision, bytes]:
        """Make the candidate's folder: copy, change, check, flush. Returns its record and its packed patch."""
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
        revision = Revision(
            number=newest + 1,
            reason=change.reason,
            author=change.author,
            made_at=change.made_at,
            added=len(added),
            removed=len(removed),
            quads=before - len(removed) + len(added),
        )
        return revision, patch.packed(added, removed)

    def _publish(self, candidate: Path, revision: Revision, delta: bytes) -> None:
        """Put a finished candidate in its place. The last step, replacing HEAD, is the commit."""
        target = self._path(revision.number)
        candidate.rename(target)
        write_durably(self._patch(revision.number), delta)
        record = asdict(revision) | {"made_at": revision.made_at.isoformat()}
        write_durably(target.with_suffix(".json"), json.dumps(record, indent=1))
        sync(self._revisions)
        write_durably(self._folder / "HEAD", f"{revision.number}\n")

    def _clear_leftovers(self, newest: int) -> None:
        """Remove what a killed writer left: candidates, and a revision that HEAD never reached."""
        for leftover in self._folder.glob("work-*"):
            shutil.rmtree(leftover)
        unreached = self._path(newest + 1)
        shutil.rmtree(unreached, ignore_errors=True)
        unreached.with_suffix(".json").unlink(missing_ok=True)
        self._patch(newest + 1).unlink(missing_ok=True)

    def _compared(self, number: int) -> tuple[frozenset[Quad], frozenset[Quad]]:
        """What a revision added and removed, found by looking up each quad of one revision in the other."""
        after = self._open_read_only(number)
        before = self._open_read_only(number - 1) if number > 1 else ox.Store()
        return (
            frozenset(quad for quad in after if quad not in before),
            frozenset(quad for quad in before if quad not in after),
        )

    def _keep_patch(self, number: int, delta: bytes) -> None:
        """Keep a patch that was worked out, unless somebody writes now or the folder is not ours to write."""
        with suppress(StoreBusy, OSError), self._write_lock():
            write_durably(self._patch(number), delta)

    def _path(self, number: int) -> Path:
        return self._revisions / f"{number:06d}"

    def _patch(self, number: int) -> Path:
        return self._path(number).with_suffix(".patch")

    def _open_read_only(self, number: int) -> ox.Store:
        if number < (oldest := self.oldest()):
            raise NotFound("revision", str(number), advice=f"The oldest whose graph is kept is {oldest}.")
        try:
            return ox.Store.read_only(str(self._path(number)))
        except OSError as error:
            raise StoreDamaged(
                f"revision {number} in {self._folder} cannot be opened: {error}",
                advice="Restore the folder from a backup, or remove it and load again.",
            ) from error

    def _head_number(self) -> int:
        return self._number_in("HEAD")

    def _number_in(self, name: str) -> int:
        try:
            return int((self._folder / name).read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise StoreDamaged(
                f"{self._folder / name} does not hold a revision number",
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
                write_durably(self._folder / "FORMAT", FORMAT + "\n")
            yield


def _remove(candidate: Path) -> None:
    """Remove a candidate that was given up. Its engine may still be writing; what resists, the next writer removes."""
    for _ in range(20):
        shutil.rmtree(candidate, ignore_errors=True)
        if not candidate.exists():
            return
        time.sleep(0.05)
