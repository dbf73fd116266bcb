"""The only way to change the graph: validate the candidate, then commit it as a revision with its record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from app import vocab
from app.errors import BadParameter, InvalidGraph, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.claims import resource
from app.model.graphs import HISTORY, META, ONTOLOGY, VOCABULARY
from app.model.rdf import IRI, Blank, Literal, Quad, describe, iri, literal, moment, text
from app.store.engine import as_stored
from app.store.port import GraphStore, Query, Row, Snapshot
from app.validation.findings import Report, Severity
from app.validation.records import REACH, SHARED_BY, RecordValidator
from app.validation.sets import SetValidator

_SUBJECTS = 200
"""Changed subjects up to which only what they touch is validated."""
_FOCUS = 1_000
"""Touched nodes up to which queries bound to them are faster than those over the whole graph (measured)."""
_EDGES = 5_000
"""Edges that are looked at in one step."""
_EVERYWHERE = frozenset({ONTOLOGY, VOCABULARY})
_LEAVING = "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"
_ARRIVING = "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"


@dataclass(frozen=True, slots=True)
class Rules:
    """The constraints, in both forms: for whole graphs and for single records. One commit at a time may use them."""

    sets: SetValidator
    records: RecordValidator


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did: the revision (None where nothing had to change) and what validation found."""

    revision: Revision | None
    report: Report


def head_number(store: GraphStore) -> int:
    """Number of the newest revision; 0 for an empty store."""
    try:
        return store.head().number
    except StoreEmpty:
        return 0


def validate(snapshot: Snapshot, validator: SetValidator, on_step: Callable[[], None] = lambda: None) -> Report:
    """Validate a whole graph with the set queries."""
    return validator.validate(_runner(snapshot), on_step=on_step)


def begin(store: GraphStore, *, author: IRI, now: datetime) -> Revision:
    """Make the first revision of an empty store: nothing at all. Throw-away services start with it."""
    return store.apply(ChangeSet(frozenset(), frozenset(), "begin", author.value, now), expect=0)


def commit_change(
    store: GraphStore,
    add: Iterable[Quad],
    remove: Iterable[Quad],
    *,
    rules: Rules | None,
    reason: str,
    author: IRI,
    now: datetime,
    expect: int | None = None,
) -> Committed:
    """Commit quads to add and quads to remove as the next revision, or change nothing.

    Both are differences from the revision `expect` (the newest by default): quads to add are not there yet, those to
    remove are. Without any, no revision is made. Without rules anything goes, and no record is written into the graph.
    Raises InvalidGraph when what the change touches would break a constraint, StaleRevision, StoreBusy, and
    BadParameter for graphs that only slmkg itself writes.
    """
    wanted = as_stored(add)
    change = ChangeSet(wanted, as_stored(remove) - wanted, reason, author.value, now)
    if change.is_empty:
        return Committed(None, Report())
    expected = head_number(store) if expect is None else expect
    if rules is None:
        return Committed(store.apply(change, expect=expected), Report())
    _check_homes(change)
    return _commit(store, change, expected, lambda candidate: validate_change(candidate, change, rules))


def examine(
    store: GraphStore, add: Iterable[Quad], remove: Iterable[Quad], *, rules: Rules, now: datetime, expect: int
) -> Report:
    """What validation would newly find if this were committed on revision `expect`; nothing is committed.

    StaleRevision and StoreBusy as for a commit: the candidate is made where commits are made.
    """
    wanted = as_stored(add)
    change = ChangeSet(wanted, as_stored(remove) - wanted, "what if", vocab.BASE, now)
    if change.is_empty:
        return Report()
    found: list[Report] = []

    def look(candidate: Snapshot) -> None:
        before = store.at(expect)
        found.append(_new_findings(before, candidate, change, rules))
        raise _Enough

    try:
        store.apply(change, expect=expect, check=look)
    except _Enough:
        return found[0]
    raise AssertionError("a store asks the check before it commits")


class _Enough(Exception):
    """The candidate was looked at, and is not wanted."""


def replace_graphs(
    store: GraphStore,
    quads: Iterable[Quad],
    validator: SetValidator,
    *,
    reason: str,
    author: IRI,
    now: datetime,
    on_step: Callable[[], None] = lambda: None,
) -> Committed:
    """Make the graph hold exactly these quads (its history apart), or change nothing.

    Raises InvalidGraph when the result would break a constraint. The same quads again change nothing.
    """
    expect = head_number(store)
    before = [] if expect == 0 else [quad for quad in store.at(expect).quads() if quad.graph_name != HISTORY]
    change = ChangeSet.between(before, as_stored(quads), reason=reason, author=author.value, made_at=now)
    if change.is_empty:
        return Committed(None, validate(store.at(expect), validator, on_step))
    return _commit(store, change, expect, lambda candidate: validate(candidate, validator, on_step))


def validate_change(candidate: Snapshot, change: ChangeSet, rules: Rules) -> Report:
    """Validate what a change touches, in the graph as it would be; the whole graph where it touches much."""
    focus = _focus(candidate, change, rules)
    return validate(candidate, rules.sets) if focus is None else rules.sets.at(_runner(candidate), focus)


def _new_findings(before: Snapshot, candidate: Snapshot, change: ChangeSet, rules: Rules) -> Report:
    """What is found in the candidate and was not found before."""
    focus = _focus(candidate, change, rules)
    if focus is None:
        found, known = (validate(snapshot, rules.sets) for snapshot in (candidate, before))
    else:
        found, known = (rules.sets.at(_runner(snapshot), focus) for snapshot in (candidate, before))
    return Report.of(set(found.findings) - set(known.findings))


def _focus(candidate: Snapshot, change: ChangeSet, rules: Rules) -> frozenset[IRI | Literal] | None:
    """The nodes to judge after a change; None for the whole graph.

    Terms and concepts are spoken of by everything, and blank nodes cannot be looked up.
    """
    changed = [*change.add, *change.remove]
    spoken_of = {quad.subject for quad in changed} | {quad.object for quad in changed}
    everywhere = any(quad.graph_name in _EVERYWHERE for quad in changed)
    unnamed = any(isinstance(node, Blank) for node in spoken_of)
    if everywhere or unnamed or _redescribes(candidate, change):
        return None
    return _touched(candidate, changed, rules.sets.looked_back)


def _touched(candidate: Snapshot, changed: list[Quad], looked_back: frozenset[str]) -> frozenset[IRI | Literal] | None:
    """The nodes whose findings a change may alter; None when they are many.

    These are: its subjects, the records that lead to its subjects in as many steps as constraints look, the other
    records about the same things (claims are compared with each other), what constraints reach by looking back, and
    the graphs that it writes to.
    """
    subjects = {quad.subject for quad in changed if isinstance(quad.subject, IRI)}
    if len(subjects) > _SUBJECTS:
        return None
    focus: set[IRI | Literal] = {*subjects, *(quad.graph_name for quad in changed if isinstance(quad.graph_name, IRI))}
    by_objects = looked_back | SHARED_BY
    focus |= {
        quad.object for quad in changed if quad.predicate.value in by_objects and isinstance(quad.object, IRI | Literal)
    }
    reached = set(subjects)
    frontier = reached
    for _ in range(REACH):
        found = _look(candidate, _ARRIVING, "o", frontier)
        if found is None:
            return None
        frontier = {row["s"] for row in found if isinstance(row["s"], IRI)} - reached
        reached |= frontier
    focus |= reached
    leaving = _look(candidate, _LEAVING, "s", reached, by_objects)
    if leaving is None:
        return None
    focus |= {row["o"] for row in leaving if isinstance(row["o"], IRI | Literal)}
    about = {row["o"] for row in leaving if row["s"] in subjects and row["p"].value in SHARED_BY}
    lost = {quad.object for quad in changed if quad.predicate.value in SHARED_BY}
    sharing = _look(candidate, _ARRIVING, "o", {node for node in (*about, *lost) if isinstance(node, IRI)}, SHARED_BY)
    if sharing is None:
        return None
    focus |= {row["s"] for row in sharing if isinstance(row["s"], IRI)}
    return frozenset(focus) if len(focus) <= _FOCUS else None


def _redescribes(candidate: Snapshot, change: ChangeSet) -> bool:
    """Whether the change says something new of a graph that holds more than the change brings."""
    names = {quad.subject for quad in (*change.add, *change.remove) if quad.graph_name == META}
    return any(
        any(quad not in change.add for quad in candidate.quads(name))
        for name in names
        if isinstance(name, IRI) and name.value.startswith(vocab.graph.NS)
    )


def _look(
    candidate: Snapshot, query: str, variable: str, nodes: set[IRI], predicates: Collection[str] | None = None
) -> list[Row] | None:
    """The edges at these nodes, with these predicates only if any are given; None when there are many."""
    if not nodes:
        return []
    rows: list[Row] = []
    for row in candidate.query(Query(query, values={variable: sorted(nodes, key=str)})).rows():
        if predicates is None or row["p"].value in predicates:
            rows.append(row)
            if len(rows) > _EDGES:
                return None
    return rows


def _commit(store: GraphStore, change: ChangeSet, expect: int, judge: Callable[[Snapshot], Report]) -> Committed:
    """Commit a change with its record in the graph, if the judge finds no violation in the candidate."""
    reports: list[Report] = []

    def check(candidate: Snapshot) -> None:
        report = judge(candidate)
        reports.append(report)
        if not report.conforms:
            raise InvalidGraph(tuple(str(finding) for finding in report.only(Severity.VIOLATION).findings))

    recorded = replace(change, add=change.add | frozenset(_record(change, expect + 1)))
    revision = store.apply(recorded, expect=expect, check=check)
    return Committed(revision, reports[0])


def _check_homes(change: ChangeSet) -> None:
    """Refuse a change to the record of revisions, or to the default graph: every triple has a named home."""
    homes = {quad.graph_name for quad in (*change.add, *change.remove)}
    if HISTORY in homes:
        raise BadParameter(
            "graph", f"{HISTORY.value} is written by slmkg alone", advice="Leave the record of revisions as it is."
        )
    if not all(isinstance(home, IRI) for home in homes):
        raise BadParameter(
            "graph",
            "the change writes to the default graph, which is the union of all others",
            advice="Name a graph: INSERT DATA { GRAPH <…> { … } }, or WITH <…>.",
        )


def _runner(snapshot: Snapshot) -> Callable[[str], Iterator[Row]]:
    return lambda query: snapshot.query(Query(query)).rows()


def _record(change: ChangeSet, number: int) -> list[Quad]:
    """What the graph itself says about a revision. Its own record is not counted."""
    return describe(
        HISTORY,
        resource("revision", str(number)),
        [
            (vocab.rdfs.label, text(f"revision {number}")),
            (vocab.slm.revisionNumber, literal(number)),
            (vocab.slm.reason, literal(change.reason)),
            (vocab.slm.addedCount, literal(len(change.add))),
            (vocab.slm.removedCount, literal(len(change.remove))),
            (vocab.prov.startedAtTime, moment(change.made_at.isoformat())),
            (vocab.prov.wasAssociatedWith, iri(change.author)),
        ],
        kind=vocab.slm.Revision,
    )
