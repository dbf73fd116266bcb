"""The store on disk: one immutable Oxigraph folder per revision, made by copy on write.

    <folder>/FORMAT              version of this layout
    <folder>/LOCK                held (flock) by the process that writes
    <folder>/HEAD                number of the newest revision; replacing this file is the commit
    <folder>/revisions/000007/   the graph at revision 7, opened read-only and never written again
    <folder>/revisions/000007.json   who, when, why, how much
    <folder>/revisions/000007.patch  what it added and removed: an RDF patch, compressed (zlib)
    <folder>/SINCE               number of the oldest revision whose graph is kept; missing for the first
    <folder>/work-…/             a candidate; whatever is found here was not committed and is removed
    <folder>/trial-…/            a copy in which somebody looks at what a change would make; removed when it is old

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
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pyoxigraph as ox

from app.disk import needs_room
from app.durable import sync, write_durably
from app.errors import (
    AppError,
    BadFile,
    BadParameter,
    NotFound,
    StaleRevision,
    StoreBusy,
    StoreDamaged,
    StoreEmpty,
    WritesElsewhere,
)
from app.model.changes import ChangeSet, Revision
from app.model.health import Sign, bad, good, note
from app.model.rdf import Quad
from app.store import patch
from app.store.engine import EngineSnapshot, as_stored
from app.store.port import Holdings, Snapshot

FORMAT = "1"
_RECORDS = (".json", ".patch")
"""Endings of what lies beside the folder of a revision."""
_OPEN = 8
"""Revisions that are kept open; each costs file handles."""
_BULK = 5_000
"""From this many new quads on, Oxigraph's bulk loader beats one transaction."""
_ROOM = 2
"""So many times the newest revision's size should be free on the disk."""
_WRITABLE_BY_ALL = 0o002
_TRIAL = "trial-"
_TRIAL_SECONDS = 3600.0
"""A copy to try something out is looked at for seconds; one so old was left by somebody who was killed."""


class EmbeddedStore:
    """A folder of revisions (see `port.GraphStore`). Opening it reads nothing but the head.

    Without `writes` it changes nothing, whatever it is asked: WritesElsewhere.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self._folder = folder
        self._writes = writes
        self._revisions = folder / "revisions"
        self._open: dict[int, EngineSnapshot] = {}
        self._described: dict[int, Revision] = {}
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
        with needs_room(), self._write_lock():
            newest = self._head_number()
            if expect != newest:
                raise StaleRevision(expect, newest)
            self._clear_leftovers(newest)
            candidate = self._folder / f"work-{os.getpid()}"
            try:
                revision, delta = self._build(candidate, newest, change, check)
                self._publish(candidate, revision, delta)
            except BaseException:
                _remove(candidate)
                self._take_back(newest)
                raise
        for listener in self._listeners:
            listener(change, revision)
        return revision

    def consider(self, change: ChangeSet, *, on: int, check: Callable[[Snapshot], None]) -> None:
        """Show `check` what a change would make of revision `on`, in a copy of its own: no writer waits for it."""
        if not self._writes:
            raise WritesElsewhere(None)
        with needs_room():
            place = Path(tempfile.mkdtemp(prefix=_TRIAL, dir=self._folder))
            try:
                check(EngineSnapshot(self._changed(place / "copy", on, change)[0]))
            finally:
                _remove(place)

    def to_check(self, number: int | None = None) -> Snapshot:
        """The graph at a revision: our own engine gets every query right."""
        return self.at(number)

    def as_kept(self, quads: Iterable[Quad]) -> frozenset[Quad]:
        """Quads with their numbers in canonical form."""
        return as_stored(quads)

    def examine(self) -> tuple[Sign, ...]:
        """Look at the folder: layout, revisions, leftovers, room, rights."""
        if not self._folder.exists():
            return (note("data folder", f"{self._folder} is not there yet", "Run `slmkg load` to fill it."),)
        signs: list[Sign] = []
        try:
            signs.append(self._layout())
            signs += self._rights()
            newest = self._head_number()
            signs += self._look_at_revisions(newest)
            signs += [self._leftovers(newest), self._free(newest)]
        except AppError as error:
            signs.append(bad("head", error.message, error.advice))
        except (OSError, ValueError) as error:
            advice = "See to it that the owner of the folder runs slmkg."
            signs.append(bad("data folder", f"{self._folder} cannot be read: {error}", advice))
        return tuple(signs)

    def repair(self, *, take_over: bool = False) -> tuple[str, ...]:
        """Remove candidates, and a revision that HEAD never reached."""
        if not self._folder.exists():
            return ()
        with self._write_lock():
            newest = self._head_number()
            found = self._left(newest)
            self._clear_leftovers(newest)
        return tuple(f"removed {path.name}" for path in found)

    def forget(self, keep: int) -> int:
        """All revisions are kept."""
        raise BadParameter("keep", "the store in a folder keeps all revisions", advice="Leave it out.")

    def let_go(self, first: int) -> None:
        """Keep graphs from a revision on only. Records and patches of those before stay. StoreBusy, BadParameter."""
        if not 1 <= first <= self._head_number():
            raise BadParameter("revision", f"there is no revision {first}", advice="Name one that is there.")
        self.complete_patches()
        with needs_room(), self._write_lock():
            if first > self.oldest():
                write_durably(self._folder / "SINCE", f"{first}\n")
            for path in self._revisions.glob("[0-9]" * 6):  # also what somebody who was killed had begun to remove
                if int(path.name) < self.oldest():
                    shutil.rmtree(path, ignore_errors=True)
        with self._guard:
            for number in [number for number in self._open if number < first]:
                del self._open[number]

    def close(self) -> None:
        """Let go of the snapshots that are open."""
        with self._guard:
            self._open.clear()

    def complete_patches(self, say: Callable[[str], None] = lambda _: None) -> int:
        """Work out the patches that revisions of older versions of slmkg lack; return how many. StoreBusy.

        A revision whose graph, or that before it, is no longer kept stays without one.
        """
        oldest = self.oldest()
        first = oldest if oldest == 1 else oldest + 1
        newest = self._head_number()
        lacking = [number for number in range(first, newest + 1) if not self._patch(number).exists()]
        if lacking:
            with needs_room(), self._write_lock():
                for done, number in enumerate(lacking, start=1):
                    say(f"what revision {number} changed ({done} of {len(lacking)})")
                    write_durably(self._patch(number), patch.packed(*self._compared(number)))
        return len(lacking)

    def _build(
        self, candidate: Path, newest: int, change: ChangeSet, check: Callable[[Snapshot], None] | None
    ) -> tuple[Revision, bytes]:
        """Make the candidate's folder: copy, change, check, flush. Returns its record and its packed patch."""
        before = self._describe(newest).quads if newest else 0  # to count them takes as long as there are many
        store, added, removed = self._changed(candidate, newest, change)
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

    def _changed(self, candidate: Path, newest: int, change: ChangeSet) -> tuple[ox.Store, list[Quad], list[Quad]]:
        """A copy of a revision with a change, and what that really added and removed."""
        if newest:
            self._open_read_only(newest).backup(str(candidate))
        store = ox.Store(str(candidate))
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
        return store, added, removed

    def _publish(self, candidate: Path, revision: Revision, delta: bytes) -> None:
        """Put a finished candidate in its place. The last step, replacing HEAD, is the commit."""
        target = self._path(revision.number)
        candidate.rename(target)
        write_durably(self._patch(revision.number), delta)
        record = asdict(revision) | {"made_at": revision.made_at.isoformat()}
        write_durably(target.with_suffix(".json"), json.dumps(record, indent=1))
        sync(self._revisions)
        write_durably(self._folder / "HEAD", f"{revision.number}\n")

    def _take_back(self, newest: int) -> None:
        """Remove what a commit that failed had put in its place, unless it went through after all."""
        with suppress(AppError, OSError):
            if self._head_number() == newest:
                self._clear_leftovers(newest)

    def _clear_leftovers(self, newest: int) -> None:
        """Remove what a killed writer left."""
        for leftover in self._left(newest):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)

    def _left(self, newest: int) -> list[Path]:
        """What is part of no revision: candidates, a revision that HEAD never reached, files half written."""
        unreached = self._path(newest + 1)
        found = [unreached, unreached.with_suffix(".json"), self._patch(newest + 1), *self._folder.glob("work-*")]
        found += [path for path in self._folder.glob(f"{_TRIAL}*") if _age(path) > _TRIAL_SECONDS]
        return [path for path in (*found, *self._folder.glob("*.new"), *self._revisions.glob("*.new")) if path.exists()]

    def _layout(self) -> Sign:
        marker = self._folder / "FORMAT"
        if not marker.exists():
            return note("layout", "the folder holds no store yet", "Run `slmkg load` to fill it.")
        return good("layout", f"version {marker.read_text(encoding='ascii').strip()}")

    def _look_at_revisions(self, newest: int) -> Iterator[Sign]:
        """Whether every revision up to the head can be opened and has its record."""
        if newest == 0:
            yield note("revisions", "nothing has been loaded yet", "Run `slmkg load`.")
            return
        broken: dict[int, StoreDamaged] = {}
        oldest = self.oldest()
        for number in range(1, newest + 1):
            try:
                self._describe(number)
                if number >= oldest:
                    self._open_read_only(number)
            except StoreDamaged as error:
                broken[number] = error
        if not broken:
            quads = self._describe(newest).quads
            yield good("revisions", f"{newest}, each that is kept can be opened; the newest holds {quads} quads")
        for number, problem in broken.items():
            yield bad("revisions", f"revision {number}: {problem.message}", problem.advice)

    def _leftovers(self, newest: int) -> Sign:
        """What a killed writer left. While somebody writes, it is theirs."""
        found = sorted(path.name for path in self._left(newest))
        if not found:
            return good("leftovers", "none")
        if self._is_written():
            return note("leftovers", f"somebody is writing: {', '.join(found)}")
        return bad(
            "leftovers",
            f"a writer was stopped and left {', '.join(found)}; no revision is affected",
            "Run `slmkg doctor --repair`; the next commit removes them as well.",
        )

    def _free(self, newest: int) -> Sign:
        free = shutil.disk_usage(self._folder).free
        needed = sum(path.stat().st_size for path in self._path(newest).glob("*")) * _ROOM
        says = f"{free // 1_000_000} MB free"
        if free < needed:
            return bad("disk", f"{says}; a commit may need {needed // 1_000_000} MB", "Make room, or add a disk.")
        return good("disk", says)

    def _rights(self) -> Iterator[Sign]:
        """Whether we may write here, and nobody may who is a stranger."""
        folders = (self._folder, self._revisions)
        locked = [str(path) for path in folders if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
        if locked:
            yield bad("rights", f"this user may not write to {', '.join(locked)}", "Run slmkg as their owner.")
        loose = [str(path) for path in folders if path.exists() and path.stat().st_mode & _WRITABLE_BY_ALL]
        if loose:
            yield bad("rights", f"everybody may write to {', '.join(loose)}", f"chmod o-w {' '.join(loose)}")
        if not locked and not loose:
            yield good("rights", "this user may write, and not everybody may")

    def _is_written(self) -> bool:
        """Whether another process holds the lock."""
        try:
            with (self._folder / "LOCK").open("r+") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

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
        with suppress(StoreBusy, WritesElsewhere, OSError), self._write_lock():
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
        """The record of a committed revision. It never changes, so it is read once."""
        found = self._described.get(number)
        if found is None:
            found = self._described[number] = self._read_record(number)
        return found

    def _read_record(self, number: int) -> Revision:
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
        if marker.exists() and (found := marker.read_text(encoding="ascii", errors="replace").strip()) != FORMAT:
            raise StoreDamaged(
                f"{self._folder} has layout version {found}, this slmkg reads version {FORMAT}",
                advice="Use the slmkg version that wrote it, or load into another folder.",
            )

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Hold the folder's write lock; the operating system lets go of it when the process ends, however it ends."""
        if not self._writes:
            raise WritesElsewhere(None)
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


def _age(path: Path) -> float:
    """Seconds since something was last changed; none where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(candidate: Path) -> None:
    """Remove a candidate that was given up. Its engine may still be writing; what resists, the next writer removes."""
    for _ in range(20):
        shutil.rmtree(candidate, ignore_errors=True)
        if not candidate.exists():
            return
        time.sleep(0.05)
