"""The port to the graph: what every store can do, and the values that go in and out.

A store holds revisions. Reading happens at one revision; `apply` makes the next one or changes nothing. Queries see
the union of all named graphs unless they or the caller choose a dataset. Every triple has one home graph, so the union
counts nothing twice. The contract tests in `tests/store/contract.py` belong to this port and run against each adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.model.changes import ChangeSet, Revision
from app.model.health import Sign
from app.model.rdf import IRI, Literal, Quad, Term, Triple

Row = Mapping[str, Term]

SELECT_FORMATS = (
    "application/sparql-results+json",
    "application/sparql-results+xml",
    "text/csv",
    "text/tab-separated-values",
)
GRAPH_FORMATS = (
    "text/turtle",
    "application/n-triples",
    "application/ld+json",
    "application/rdf+xml",
    "application/n-quads",
    "application/trig",
)


@dataclass(frozen=True, slots=True)
class Query:
    """SPARQL text with its dataset.

    `values` joins constants to a variable (a VALUES block made from terms, never from text). SPARQL joins this block
    after grouping, so a query that counts must group by the variable. `default_graphs` and
    `named_graphs` are the protocol's dataset; with neither, and no FROM in the text, the default graph is the union.
    Relative IRIs are relative to the base of our own IRIs. `seconds` and `max_bytes` limit what an external engine may
    take and send; a store in this process does not look at them.
    """

    text: str
    values: Mapping[str, Sequence[IRI | Literal]] = field(default_factory=dict)
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    seconds: float | None = None
    max_bytes: int | None = None


class Answer(Protocol):
    """What a query gave: rows, triples or a truth value, and its standard serialisations.

    An answer belongs to the thread that asked: read it to its end there. Another thread gets a RuntimeError.
    """

    @property
    def kind(self) -> str:
        """`select`, `ask` or `graph`."""

    @property
    def truth(self) -> bool:
        """The value of an ASK query."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of a SELECT query's columns, without question marks."""

    def rows(self) -> Iterator[Row]:
        """Rows of a SELECT query; an unbound variable is not in its row. Can be walked once."""

    def triples(self) -> Iterator[Triple]:
        """Triples of a CONSTRUCT or DESCRIBE query, each once. Can be walked once."""

    def serialize(self, media_type: str, *, limit: int | None = None, most: int | None = None) -> bytes:
        """The answer in one of SELECT_FORMATS or GRAPH_FORMATS.

        QueryRefused when it is longer than `limit` bytes, or has more than `most` rows or triples.
        """

    def beginning(self, media_type: str, count: int, *, limit: int) -> bytes:
        """The first so many rows or triples, in tab-separated values or N-Triples; QueryRefused as for the whole."""


class Snapshot(Protocol):
    """The graph at one revision, or a candidate for the next one. It never changes."""

    def query(self, query: Query) -> Answer:
        """Answer a SPARQL query; BadQuery with line and column when it does not parse."""

    def quads(self, graph: IRI | None = None) -> Iterator[Quad]:
        """All quads, or those of one named graph."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a store on disk keeps, by names relative to its folder: short texts, and files that never change.

    `since` is the oldest revision whose graph is among them.
    """

    head: int
    since: int
    texts: Mapping[str, str]
    files: Mapping[str, Path]


class GraphStore(Protocol):
    """A store of revisions."""

    def head(self) -> Revision:
        """The newest revision; StoreEmpty when there is none."""

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, oldest first."""

    def oldest(self) -> int:
        """Number of the oldest revision whose graph is kept: 1, unless the store was restored without its past."""

    def at(self, number: int | None = None) -> Snapshot:
        """The graph at a revision (the newest by default); NotFound, StoreEmpty."""

    def to_check(self, number: int | None = None) -> Snapshot:
        """The same as `at`, for constraint queries: a copy of our own where the engine gets such queries wrong."""

    def changes(self, number: int) -> ChangeSet:
        """What a revision added to the one before it and removed from it, with its reason, author and time.

        Exactly that: nothing added was there before, everything removed was. The first revision is compared with the
        empty graph. NotFound for a revision that is not there, or whose data or predecessor are not kept any more.
        """

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision and return it, or change nothing.

        `expect` is the number of the revision that the change was made against (0 for an empty store): StaleRevision
        when it is not the newest. `check` sees the candidate before it is committed and raises to abandon it. A quad
        to remove that is not there, or one to add that is, is no error. StoreBusy when another process is writing.
        """

    def consider(self, change: ChangeSet, *, on: int, check: Callable[[Snapshot], None]) -> None:
        """Show `check` what a change would make of revision `on`; nothing is committed.

        StaleRevision and StoreBusy from stores that have to begin a commit for it.
        """

    def as_kept(self, quads: Iterable[Quad]) -> frozenset[Quad]:
        """Quads as this store gives them back: numbers in canonical form, and no longer than it can keep them.

        Compare and subtract sets of quads only in this form, or one triple in two spellings counts as two.
        """

    def examine(self) -> tuple[Sign, ...]:
        """What holds of this store and what does not; reads only, and raises nothing of its own."""

    def repair(self, *, take_over: bool = False) -> tuple[str, ...]:
        """Remove what belongs to no revision; return what was done, in words.

        A writer at work is not disturbed; with `take_over`, a store that cannot see whether a writer lives ends it.
        """

    def forget(self, keep: int) -> int:
        """Keep only the data of the newest so many revisions; return how many were let go.

        Their descriptions stay; `repair` gives their room back. BadParameter where a store keeps all of them.
        """

    def close(self) -> None:
        """Let go of files and memory."""
