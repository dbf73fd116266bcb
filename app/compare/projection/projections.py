"""The projection of any revision: read from disk, kept open, made when a change was committed, made anew when missing.

A projection is worth nothing by itself: whatever is lost or too old is made again from the graph. So nothing that goes
wrong here ever undoes a commit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from app.compare.projection.build import Projection, build, update
from app.compare.projection.files import Files
from app.compare.projection.touched import touched
from app.compare.projection.verify import differences
from app.compare.projection.view import View
from app.errors import AppError, NotFound
from app.model.changes import ChangeSet, Revision
from app.model.health import Sign, good, note
from app.model.rdf import IRI
from app.store.port import GraphStore

log = logging.getLogger(__name__)
_OPEN = 3
"""Revisions whose columns are kept in memory."""


class Projections:
    """The projections of one store. Without files, or where nothing is to be written, they live in memory."""

    def __init__(
        self, store: GraphStore, files: Files | None, *, ignored: frozenset[IRI] = frozenset(), writes: bool = True
    ) -> None:
        self._store = store
        self._files = files
        self._ignored = ignored
        self._writes = writes
        self._open: dict[int, View] = {}
        self._guard = threading.Lock()

    def at(self, number: int) -> View:
        """The columns of a revision; built when they are not there yet. NotFound."""
        view = self._open.get(number)
        if view is not None:
            return view
        with self._guard:
            if number not in self._open:
                revision = self._revision(number)
                found = self._files.read(revision) if self._files else None
                self._keep(found or self._made(revision, build(self._store.at(number), number)))
            return self._open[number]

    def has(self, number: int) -> bool:
        """Whether the columns of a revision are there already, in memory or whole on disk. Reads none of them."""
        return number in self._open or (self._files is not None and self._files.has(self._revision(number)))

    def examine(self) -> tuple[Sign, ...]:
        """Whether the newest revision's columns are kept. They can always be made again, so nothing here is bad."""
        if self._files is None:
            return (good("projection", "made in memory when somebody compares"),)
        try:
            newest = self._store.head().number
            kept, whole = self._files.numbers(), self.has(newest)
        except (AppError, OSError):
            return ()  # the store's own signs say what is wrong
        if not whole:
            says = f"the columns of revision {newest} are not there; the first comparison makes them"
            return (note("projection", says, "Run `slmkg projection build`, if it shall not wait."),)
        return (good("projection", f"columns of {len(kept)} revision(s), the newest among them"),)

    def build(self, number: int) -> Projection:
        """Build a revision's projection from the whole graph, whatever there is already."""
        revision = self._revision(number)
        with self._guard:
            made = self._made(revision, build(self._store.at(number), number))
            self._open.pop(number, None)
            return made

    def verify(self, number: int) -> Iterator[str]:
        """What the kept projection of a revision says otherwise than the graph."""
        return differences(self.at(number).projection, self._store.at(number))

    def committed(self, change: ChangeSet, revision: Revision) -> None:
        """Make the projection of a new revision, from the one before it where the change is small."""
        try:
            with self._guard:
                self._made(revision, self._next(change, revision))
        except Exception as error:  # the commit stands, whatever goes wrong here
            log.warning("revision %d is committed, its projection is not made yet: %s", revision.number, error)

    def _next(self, change: ChangeSet, revision: Revision) -> Projection:
        number = revision.number
        snapshot = self._store.at(number)
        before = self._before(number - 1)
        if before is not None:
            changed = [*change.add, *change.remove]
            models = touched(before, self._store.at(number - 1), snapshot, changed, ignored=self._ignored)
            if models is not None:
                return update(before, snapshot, number, models)
        return build(snapshot, number)

    def _before(self, number: int) -> Projection | None:
        if number in self._open:
            return self._open[number].projection
        if number == 0 or self._files is None:
            return None
        return self._files.read(self._revision(number))

    def _made(self, revision: Revision, projection: Projection) -> Projection:
        if self._files and self._writes:
            try:
                self._files.write(revision, projection)
            except OSError as error:
                log.warning("the projection of revision %d cannot be kept on disk: %s", revision.number, error)
        return projection

    def _keep(self, projection: Projection) -> None:
        self._open[projection.revision] = View.of(projection)
        while len(self._open) > _OPEN:
            del self._open[next(iter(self._open))]

    def _revision(self, number: int) -> Revision:
        known = self._store.revisions() if number != self._store.head().number else (self._store.head(),)
        for one in known:
            if one.number == number:
                return one
        raise NotFound("revision", str(number), advice=f"The newest is {self._store.head().number}.")
