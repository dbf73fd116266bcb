"""What one pull of a comparison brings: its head and its newest frozen version, with everything behind their cells.

The order of requests is that of the specification: the comparison, its tables, the statements of each source, the papers,
the predicates. A version whose table the service gives empty is put together from statements and marked so; a table that
is empty although its sources hold values is never taken for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from app.errors import OrkgChanged, OrkgMissing, OrkgRefused, OrkgUnavailable
from app.orkg.client import Orkg
from app.orkg.reading import Shape
from app.orkg.sparql import Endpoint
from app.orkg.table import Cell, Column, Graph, Origin, Table, cells_of, columns_of, live_cells
from app.orkg.values import Comparison, Contents, Paper, Path, Ref, SourceKind, Statement, Thing

_READINGS = 3
"""How often the table of a head is read, if its statements say more than it does."""
_PAPER = "Paper"

Progress = Callable[[str, float], None]
"""Gets what is being read, and the share of it that is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a comparison held when it was pulled.

    `tables` are that of the head and those of the frozen versions that were asked for, the head first. `papers` are
    those of the columns and `predicates` those of the paths, by identifier. `notes` are remarks for people.
    """

    base: str
    asked: str
    at: str
    head: Comparison
    tables: tuple[Table, ...]
    papers: Mapping[str, Paper] = field(default_factory=dict)
    predicates: Mapping[str, Thing] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def live(self) -> Table:
        """The table of the head."""
        return self.tables[0]

    @property
    def frozen(self) -> Table | None:
        """The table of the newest frozen version, where there is one."""
        return max((one for one in self.tables if one.published), key=lambda one: instant(one.dated), default=None)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 of what all tables say; equal for two pulls between which nothing changed."""
        return digest_of([[one.version, one.fingerprint] for one in self.tables])


PULLED: Final = Shape[Pulled](Pulled)
"""How a pull that was kept is read again."""


def pull(
    orkg: Orkg, comparison: str, *, now: datetime, endpoint: Endpoint | None = None, progress: Progress = lambda *_: None
) -> Pulled:
    """Read a comparison with everything behind its cells.

    OrkgMissing for one that is not there, OrkgChanged for an answer that cannot be trusted, OrkgUnavailable. `endpoint`
    is asked where the statements of a source cannot be had otherwise.
    """
    return _Pull(orkg, endpoint, progress).run(comparison, now)


class _Pull:
    def __init__(self, orkg: Orkg, endpoint: Endpoint | None, progress: Progress) -> None:
        self._orkg = orkg
        self._endpoint = endpoint
        self._progress = progress
        self._ways: list[Callable[[str, int], tuple[Statement, ...]]] = [self._subgraph, self._breadth_first, self._bundle]
        self._notes: list[str] = []
        self._of_source: dict[str, tuple[Statement, ...]] = {}
        self._by_sparql: set[str] = set()

    def run(self, asked: str, now: datetime) -> Pulled:
        self._progress("the comparison", 0.0)
        versions = self._versions(asked)
        head = versions[0]
        tables = {one.id: self._contents(one) for one in versions}
        depth = max((path.depth for one in tables.values() if one for path in one.selected_paths), default=1)
        paths = next((one.selected_paths for one in tables.values() if one and one.selected_paths), ())
        self._read_statements([ref for one in versions for ref in one.sources if ref.type is SourceKind.THING], depth)
        papers = self._papers(tables.values())
        found = tuple(self._table(one, tables[one.id], head, paths, papers) for one in versions)
        ids = dict.fromkeys(step for one in found for place in one.places for step in place)
        predicates = {}
        for number, one in enumerate(ids):
            self._progress("predicates", number / len(ids))
            predicates[one] = self._orkg.predicate(one)
        return Pulled(self._orkg.base, asked, now.isoformat(), head, found, papers, predicates, tuple(self._notes))
