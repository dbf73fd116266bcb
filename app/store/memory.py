"""A whole store in memory: a shipped fake for tests and for throw-away work. Nothing outlives the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pyoxigraph as ox

from app.errors import BadParameter, NotFound, StaleRevision, StoreBusy, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.health import Sign, good
from app.model.rdf import Quad
from app.store import trial
from app.store.engine import EngineSnapshot, as_stored
from app.store.port import Snapshot


class MemoryStore:
    """Keeps every revision as a set of quads (see `port.GraphStore`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revisions: list[tuple[Revision, frozenset[Quad], Snapshot]] = []

    def head(self) -> Revision:
        """The newest revision."""
        if not self._revisions:
            raise StoreEmpty("the store holds no revision", advice="Load some data first.")
        return self._revisions[-1][0]

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, oldest first."""
        return tuple(revision for revision, _, _ in self._revisions)

    def oldest(self) -> int:
        """All revisions are kept."""
        return 1

    def at(self, number: int | None = None) -> Snapshot:
        """The graph at a revision."""
        newest = self.head().number
        wanted = newest if number is None else number
        if not 1 <= wanted <= newest:
            raise NotFound("revision", str(wanted), advice=f"The newest is {newest}.")
        return self._revisions[wanted - 1][2]

    def to_check(self, number: int | None = None) -> Snapshot:
        """The graph at a revision."""
        return self.at(number)

    def changes(self, number: int) -> ChangeSet:
        """What a revision added and removed."""
        newest = self.head().number
        if not 1 <= number <= newest:
            raise NotFound("revision", str(number), advice=f"The newest is {newest}.")
        revision, after, _ = self._revisions[number - 1]
        before = self._revisions[number - 2][1] if number > 1 else frozenset()
        return ChangeSet.between(
            before, after, reason=revision.reason, author=revision.author, made_at=revision.made_at
        )

    def consider(self, change: ChangeSet, *, on: int, check: Callable[[Snapshot], None]) -> None:
        """Show `check` what a change would make of revision `on`; StaleRevision, StoreBusy."""
        trial.abandoned(self, change, on=on, check=check)

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision, or change nothing."""
        if not self._lock.acquire(blocking=False):
            raise StoreBusy("somebody else is writing to this store", advice="Wait until it has finished.")
        try:
            newest = len(self._revisions)
            if expect != newest:
                raise StaleRevision(expect, newest)
            before = self._revisions[-1][1] if self._revisions else frozenset()
            wanted = as_stored(change.add)
            added, removed = wanted - before, (as_stored(change.remove) - wanted) & before
            after = (before - removed) | added
            engine = ox.Store()
            engine.bulk_extend(after)
            snapshot = EngineSnapshot(engine)
            if check is not None:
                check(snapshot)
            revision = Revision(
                number=newest + 1,
                reason=change.reason,
                author=change.author,
                made_at=change.made_at,
                added=len(added),
                removed=len(removed),
                quads=len(after),
            )
            self._revisions.append((revision, after, snapshot))
            return revision
        finally:
            self._lock.release()

    def as_kept(self, quads: Iterable[Quad]) -> frozenset[Quad]:
        """Quads with their numbers in canonical form."""
        return as_stored(quads)

    def examine(self) -> tuple[Sign, ...]:
        """Nothing can go wrong here."""
        return (good("store", f"in memory, {len(self._revisions)} revision(s)"),)

    def repair(self, *, take_over: bool = False) -> tuple[str, ...]:
        """There is nothing to repair."""
        return ()

    def forget(self, keep: int) -> int:
        """All revisions are kept."""
        raise BadParameter("keep", "a store in memory keeps all revisions")

    def close(self) -> None:
        """Forget everything."""
        self._revisions.clear()
