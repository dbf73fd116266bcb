"""The history of the graph as the fronts ask for it: differences, changes one after another, blame. Reads only.

Revisions never change, so what was worked out once is kept: the cell-level summaries of many revisions, which are
small, and the whole differences that were asked for last.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.compare import models
from app.compare.audit import keys_used
from app.compare.blame import Blame, blame
from app.compare.diff import CellChange, Diff, Kind, Step, chosen, diff
from app.compare.moment import Named, no_releases, revision_of
from app.compare.past import Past, past
from app.compare.properties import advice, properties
from app.compare.reader import Reader
from app.errors import BadParameter, NotFound, TooBusy
from app.model.claims import resource
from app.store import patch
from app.store.port import GraphStore
from app.store.span import difference, existing, snapshot

_ROWS_KEPT = 20_000
"""Cells, sources and observations of the differences that are kept, all together."""
_SUMMARIES_KEPT = 2_000
_PATIENCE = 10.0
"""Seconds that somebody waits for his turn."""
_MODELS_NAMED = 20
"""Models that a summary names."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one revision did, in numbers. `models` are those whose cells changed most, at most twenty of them.

    `key` is the id of the key with which the author acted, where it was one.
    """

    step: Step
    cells: Mapping[Kind, int]
    models: tuple[str, ...]
    models_changed: int
    sources_added: int
    sources_removed: int
    observations_added: int
    observations_removed: int
    key: str | None = None


class History:
    """Differences and blame of one store. `named` finds the revisions of releases."""

    def __init__(self, store: GraphStore, named: Named = no_releases) -> None:
        self._store = store
        self._named = named
        self._guard = threading.Lock()
        self._working = threading.Lock()
        self._diffs: OrderedDict[tuple[int, int], Diff] = OrderedDict()
        self._summaries: OrderedDict[int, Summary] = OrderedDict()

    def revision_of(self, text: str, *, parameter: str = "revision") -> int:
        """The number of the revision that a text means: a number, head, a date, or a release (see `moment`)."""
        return revision_of(self._store, text, parameter=parameter, named=self._named)

    def diff(self, old: int, new: int) -> Diff:
        """What differs between two revisions, in cells; NotFound. 0 is the graph before the first revision."""
        key = (old, new)
        with self._guard:
            found = self._diffs.get(key)
            if found is not None:
                self._diffs.move_to_end(key)
                return found
        with self._one_at_a_time():
            found = diff(self._store, old, new)
        with self._guard:
            if _rows(found) <= _ROWS_KEPT:
                self._diffs[key] = found
            while sum(map(_rows, self._diffs.values())) > _ROWS_KEPT:
                self._diffs.popitem(last=False)
        return found

    def cells(self, found: Diff, *, model: str | None = None, prop: str | None = None) -> tuple[CellChange, ...]:
        """The cells of a model and of a property; BadParameter for a name that neither end knows."""
        wanted = tuple(chosen(found, model=model, prop=prop))
        if not wanted and (model is not None or prop is not None):
            old, new = (Reader(snapshot(self._store, number)) for number in (found.old, found.new))
            slugs = {one.slug for one in (*models.summaries(old), *models.summaries(new))}
            _check("model", model, slugs)
            _check("property", prop, {**properties(old), **properties(new)})
        return wanted

    def patch(self, old: int, new: int) -> bytes:
        """What turns one revision into another, as an RDF patch that names both."""
        with self._one_at_a_time():
            net = difference(self._store, old, new)
        names = [(name, resource("revision", str(number)).value) for name, number in (("id", new), ("prev", old))]
        return patch.written(net.added, net.removed, names)

    def summary(self, number: int) -> Summary:
        """What one revision did, in numbers."""
        with self._guard:
            kept = self._summaries.get(number)
        if kept is not None:
            return kept
        if existing(self._store, number) == 0:
            raise NotFound("revision", "0", advice="Revisions count from 1.")
        keys = keys_used(Reader(self._store.at(number)), [number])
        found = replace(_summary(self.diff(number - 1, number)), key=keys.get(number))
        with self._guard:
            self._summaries[number] = found
            if len(self._summaries) > _SUMMARIES_KEPT:
                self._summaries.popitem(last=False)
        return found

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Differences take memory and a processor: one is worked out at a time. TooBusy after a while."""
        if not self._working.acquire(timeout=_PATIENCE):
            raise TooBusy("others are having differences worked out", retry_after=int(_PATIENCE))
        try:
            yield
        finally:
            self._working.release()

    def past(self, slugs: Collection[str], observations: Collection[str], *, revision: int) -> Past:
        """The revisions that changed the cells of models, and those that brought observations."""
        with self._one_at_a_time():
            return past(self._store, slugs, observations, revision=revision)

    def blame(self, model: str, prop: str, *, revision: int | None = None) -> Blame:
        """Who put what into a cell as it is at a revision (the newest by default)."""
        return blame(self._store, model, prop, revision=self._store.head().number if revision is None else revision)


def _summary(found: Diff) -> Summary:
    by_model: dict[str, int] = {}
    for cell in found.cells:
        by_model[cell.model] = by_model.get(cell.model, 0) + 1
    most = sorted(by_model, key=lambda slug: (-by_model[slug], slug))
    added = [sum(one.added for one in items) for items in (found.sources, found.observations)]
    return Summary(
        step=found.steps[0],
        cells=found.kinds,
        models=tuple(most[:_MODELS_NAMED]),
        models_changed=len(most),
        sources_added=added[0],
        sources_removed=len(found.sources) - added[0],
        observations_added=added[1],
        observations_removed=len(found.observations) - added[1],
    )


def _check(parameter: str, name: str | None, known: Collection[str]) -> None:
    if name is not None and name not in known:
        raise BadParameter(parameter, f"neither revision has a {parameter} {name!r}", advice=advice(name, known))


def _rows(found: Diff) -> int:
    return 1 + len(found.cells) + len(found.sources) + len(found.observations) + len(found.steps)
