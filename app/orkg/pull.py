"""What one pull of a comparison brings: its head and its newest frozen version, with everything behind their cells.

The order of requests is that of the specification: the comparison, its tables, the statements of each source, the
papers, the predicates. A version whose table the service gives empty is put together from statements and marked so; a
table that is empty although its sources hold values is never taken for an answer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from app.errors import OrkgChanged, OrkgError, OrkgMissing, OrkgRefused, OrkgUnavailable
from app.orkg.client import Orkg
from app.orkg.reading import Shape
from app.orkg.sparql import Endpoint
from app.orkg.table import (
    Cell,
    Column,
    Graph,
    Origin,
    Step,
    Table,
    cells_of,
    columns_of,
    digest_of,
    live_cells,
    step_of,
)
from app.orkg.values import (
    Comparison,
    Contents,
    Paper,
    Path,
    Ref,
    Row,
    SourceKind,
    Statement,
    Thing,
    instant,
)

_READINGS = 3
"""How often the table of a head is read, if its statements say more than it does."""
_TOLERATED = 0.05
"""Share of the values of a head that its table may leave out: it moves while it is read."""
_DRIFTED = 0.5
"""Share of the values of its columns and rows that a frozen table may lack: people go on entering values."""
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
    orkg: Orkg,
    comparison: str,
    *,
    now: datetime,
    endpoint: Endpoint | None = None,
    progress: Progress = lambda *_: None,
) -> Pulled:
    """Read a comparison with everything behind its cells.

    OrkgMissing for one that is not there, OrkgChanged for an answer that cannot be trusted, OrkgUnavailable. `endpoint`
    is asked where the statements of a source cannot be had otherwise.
    """
    return _Pull(orkg, endpoint, progress).run(comparison, now)


def glance(orkg: Orkg, last: Pulled) -> str:
    """A fingerprint of what two requests tell of a comparison: its description, versions, and the table of its head."""
    head = orkg.comparison(last.head.id)
    contents = orkg.contents(head.id)
    if not _filled(contents):
        return _glance(head, ())
    order = columns_of(head, contents, f"{orkg.base}/api/comparisons/{head.id}/contents")
    return _glance(head, cells_of(order, contents, Graph(())))


def glance_of(pulled: Pulled) -> str:
    """What `glance` would have found when this was pulled."""
    return _glance(pulled.head, () if pulled.live.reconstructed else pulled.live.cells)


def _glance(head: Comparison, cells: Iterable[Cell]) -> str:
    return digest_of(
        [
            [head.title, head.description, head.visibility],
            [one.id for one in head.sources],
            sorted(one.id for one in head.versions.published),
            sorted(json.dumps(cell.key, ensure_ascii=False) for cell in cells),
        ]
    )


class _Pull:
    """One pull under way: what was read of the service so far."""

    def __init__(self, orkg: Orkg, endpoint: Endpoint | None, progress: Progress) -> None:
        self._orkg = orkg
        self._endpoint = endpoint
        self._progress = progress
        self._ways: list[Callable[[str, Sequence[Path]], Iterable[Statement]]] = [
            self._subgraph,
            self._breadth_first,
            self._bundle,
        ]
        self._by_sparql = False
        self._notes: list[str] = []
        self._sources: list[str] = []
        self._kinds: dict[str, SourceKind] = {}
        self._paths: tuple[Path, ...] = ()
        self._graph = Graph(())
        self._papers: dict[str, Paper] = {}
        self._known_columns: dict[str, Column] = {}
        self._anonymous = False

    def run(self, asked: str, now: datetime) -> Pulled:
        self._progress("the comparison", 0.0)
        versions = self._versions(asked)
        head = versions[0]
        self._anonymous = any(one.is_anonymized for one in versions)
        self._kinds = {ref.id: ref.type for one in versions for ref in one.sources}
        self._sources = [source for source, kind in self._kinds.items() if kind is SourceKind.THING]
        given = {one.id: self._contents(one) for one in versions}
        self._paths = merged(one.selected_paths for one in given.values() if one is not None)
        self._graph = self._read_statements(self._sources, self._paths)
        # whole tables first: they know the columns that a reconstruction lacks
        order = sorted(versions, key=lambda one: not _filled(given[one.id]))
        tables = {one.id: self._table(one, given[one.id], head) for one in order}
        found = tuple(tables[one.id] for one in versions)
        steps = dict.fromkeys(step for one in found for place in one.places for step in place)
        predicates: dict[str, Thing] = {}
        for number, step in enumerate(steps):
            self._progress("predicates", number / len(steps))
            try:
                predicates[step] = self._orkg.predicate(step)
            except OrkgMissing:
                self._notes.append(f"{step}: the service knows no such predicate any more")
        self._progress("done", 1.0)
        return Pulled(
            self._orkg.base, asked, now.isoformat(), head, found, self._papers, predicates, tuple(self._notes)
        )

    def _versions(self, asked: str) -> tuple[Comparison, ...]:
        """The head, the newest frozen version, and what was asked for; each once, the head first."""
        first = self._orkg.comparison(asked)
        head_id = first.versions.head.id
        head = first if first.id == head_id else self._orkg.comparison(head_id)
        found = {head.id: head, first.id: first}
        for version in (*head.versions.newest_first, *first.versions.newest_first)[:1]:
            if version.id not in found:
                found[version.id] = self._orkg.comparison(version.id)
        for one in found.values():
            if one.withdrawn:
                self._notes.append(f"{one.id} was deleted: it is readable, and counts as withdrawn")
        return tuple(found.values())

    def _contents(self, one: Comparison) -> Contents | None:
        """The table of a version; None where the service gives an empty one for sources that are there."""
        contents = self._orkg.contents(one.id)
        if not one.sources or _filled(contents):
            return contents
        self._notes.append(f"{one.id}: the service gives a table without values for {len(one.sources)} source(s)")
        return replace(contents, titles=(), subtitles=()) if contents.selected_paths else None

    def _read_statements(self, sources: Iterable[str], paths: Sequence[Path]) -> Graph:
        wanted = list(dict.fromkeys(sources))
        steps: list[Step] = []
        for number, source in enumerate(wanted):
            self._progress("statements", number / len(wanted))
            steps += self._steps(source, paths)
        return Graph(steps)

    def _steps(self, source: str, paths: Sequence[Path]) -> Iterable[Step]:
        """What is said of a source: by the first way that works, which is then the way for the others too."""
        failure: OrkgError | None = None
        while self._ways:
            try:
                return [step_of(one) for one in self._ways[0](source, paths)]
            except (OrkgRefused, OrkgUnavailable) as error:
                if isinstance(error, OrkgMissing) and error.kind.endswith("_not_found"):
                    self._notes.append(f"{source}: the service knows no such source any more")
                    return ()
                failure = failure or error
                self._notes.append(f"statements are read in another way: {error.message}")
                self._ways.pop(0)
        if self._endpoint is None:
            raise failure or OrkgUnavailable(f"{source}: its statements cannot be read")
        self._by_sparql = True
        return self._endpoint.steps(source, paths)

    def _subgraph(self, source: str, paths: Sequence[Path]) -> Iterable[Statement]:
        return self._orkg.subgraph(source, max_hops=max(2, _depth(paths)))

    def _breadth_first(self, source: str, paths: Sequence[Path]) -> Iterable[Statement]:
        """The statements of the source, and of what chosen paths lead on from."""
        level: dict[str, list[Path]] = {source: list(paths)}
        while level:
            below: dict[str, list[Path]] = defaultdict(list)
            for subject, chosen in level.items():
                for one in self._orkg.statements(subject=subject):
                    yield one
                    for path in chosen:
                        if path.id == one.predicate.id and path.children and one.object.kind != "literal":
                            below[one.object.id] += path.children
            level = below

    def _bundle(self, source: str, paths: Sequence[Path]) -> Iterable[Statement]:
        return self._orkg.bundle(source, max_level=max(2, _depth(paths))).statements

    def _table(self, one: Comparison, contents: Contents | None, head: Comparison) -> Table:
        """The table of a version, with the statements behind its cells; OrkgChanged where it cannot be trusted."""
        address = f"{self._orkg.base}/api/comparisons/{one.id}/contents"
        if contents is None or not _filled(contents):
            return self._reconstructed(one, contents, head, address)
        for reading in range(_READINGS):
            if reading:
                self._progress("the table again, which moved meanwhile", 0.0)
                contents = self._orkg.contents(one.id)
                self._graph = self._read_statements(self._sources, self._paths)
            order = columns_of(one, contents, address)
            cells = cells_of(order, contents, self._graph)
            known = {cell.key for cell in cells}
            live = live_cells(order, contents.selected_paths, self._graph)
            since = tuple(cell for cell in live if cell.key not in known)
            if one.published or self._by_sparql or not since:
                break
        tolerated = (_DRIFTED if one.published else _TOLERATED) * len(live)
        if len(since) > tolerated and not self._by_sparql:
            problem = f"the table leaves out {len(since)} of the {len(live)} values that its statements hold"
            raise OrkgChanged(address, problem, pointer="/values")
        columns = tuple(self._column(source, contents, number) for number, source in enumerate(order))
        return self._made(one, head, columns, contents.selected_paths, cells, Origin.CONTENTS, since)

    def _reconstructed(self, one: Comparison, contents: Contents | None, head: Comparison, address: str) -> Table:
        """The table of a version as its statements would make it now, along the paths that another version chose."""
        paths = contents.selected_paths if contents is not None else self._paths
        sources = [ref.id for ref in one.sources]
        cells = live_cells(sources, paths, self._graph)
        if sources and not cells:
            raise OrkgChanged(
                address,
                f"the table is empty although the comparison has {len(sources)} source(s), and their statements give "
                f"{'no value along its rows' if paths else 'no hint which rows were chosen'}",
                pointer="/values",
            )
        columns = tuple(self._known_columns.get(source) or self._bare_column(source) for source in sources)
        origin = Origin.SPARQL if self._by_sparql else Origin.STATEMENTS
        return self._made(one, head, columns, paths, cells, origin, ())

    @staticmethod
    def _made(
        one: Comparison,
        head: Comparison,
        columns: tuple[Column, ...],
        paths: tuple[Path, ...],
        cells: tuple[Cell, ...],
        origin: Origin,
        since: tuple[Cell, ...],
    ) -> Table:
        return Table(
            head=head.id,
            version=one.id,
            title=one.title,
            dated=one.created_at,
            published=one.published,
            withdrawn=one.withdrawn,
            columns=columns,
            paths=paths,
            cells=cells,
            origin=origin,
            doi=one.doi,
            since=since,
        )

    def _column(self, source: str, contents: Contents, number: int) -> Column:
        title, subtitle = contents.titles[number], contents.subtitles[number]
        shown = title if subtitle is None else subtitle
        paper = None if subtitle is None or title.id is None else self._paper(title)
        column = Column(
            source=source,
            label=shown.label,
            kind=self._kinds.get(source, SourceKind.THING),
            paper=None if subtitle is None else title.id,
            paper_title=None if subtitle is None else title.label,
            doi=None if paper is None else paper.doi,
            authors=() if paper is None or self._anonymous else tuple(one.name for one in paper.authors),
            uri=shown.uri,
        )
        self._known_columns[source] = column
        return column

    def _bare_column(self, source: str) -> Column:
        """A source of which no table says more than its identifier."""
        try:
            thing = self._orkg.thing(source)
        except OrkgMissing:
            return Column(source, source)
        return Column(source, thing.label, self._kinds.get(source, SourceKind.THING), uri=thing.uri)

    def _paper(self, title: Ref) -> Paper | None:
        if title.id is None or _PAPER not in title.classes:
            return None
        if title.id not in self._papers:
            self._progress("papers", len(self._papers) / max(len(self._sources), 1))
            try:
                self._papers[title.id] = self._orkg.paper(title.id)
            except OrkgMissing:
                self._notes.append(f"{title.id}: the service knows no such paper any more")
                return None
        return self._papers[title.id]


def merged(trees: Iterable[Sequence[Path]]) -> tuple[Path, ...]:
    """All paths of several trees as one tree, in the order in which they come first."""
    found: dict[str, Path] = {}
    for tree in trees:
        for path in tree:
            known = found.get(path.id)
            children = path.children if known is None else merged((known.children, path.children))
            found[path.id] = replace(known or path, children=children)
    return tuple(found.values())


def _depth(paths: Iterable[Path]) -> int:
    return max((path.depth for path in paths), default=1)


def _filled(contents: Contents | None) -> bool:
    """Whether a table holds any value."""
    return contents is not None and any(_values(contents.values))


def _values(rows: Mapping[str, Sequence[Row]]) -> Iterator[Ref]:
    """All values of a table, in no order."""
    for of_path in rows.values():
        for row in of_path:
            yield from (one for one in row.values if one is not None)
            yield from _values(row.children)
