"""The only way to change the graph: validate the candidate, then commit it as a revision with its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from app import vocab
from app.errors import BadParameter, InvalidGraph, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.claims import resource
from app.model.graphs import HISTORY, ONTOLOGY, VOCABULARY
from app.model.rdf import IRI, Blank, Literal, Quad, Term, describe, iri, literal, moment, text
from app.store.port import GraphStore, Query, Row, Snapshot
from app.validation.findings import Report, Severity
from app.validation.records import REACH, SHARED_BY, Edge, Find, RecordValidator, edges_of, referrers
from app.validation.sets import SetValidator

_SUBJECTS = 200
"""Changed subjects up to which only what they touch is validated."""
_FOCUS = 100
"""Touched nodes up to which judging them one by one is faster than the set queries over the whole graph (measured)."""
_EVERYWHERE = frozenset({ONTOLOGY, VOCABULARY})
_LEAVING = "SELECT ?p ?o WHERE { ?s ?p ?o }"
_ARRIVING = "SELECT ?s ?p WHERE { ?s ?p ?o }"
_BLANKS = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(isBlank(?s) || isBlank(?o)) }"


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
    wanted = store.as_kept(add)
    change = ChangeSet(wanted, store.as_kept(remove) - wanted, reason, author.value, now)
    if change.is_empty:
        return Committed(None, Report())
    expected = head_number(store) if expect is None else expect
    if rules is None:
        return Committed(store.apply(change, expect=expected), Report())
    _check_homes(change)
    return _commit(store, change, expected, lambda candidate: validate_change(candidate, change, rules))


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
    change = ChangeSet.between(before, store.as_kept(quads), reason=reason, author=author.value, made_at=now)
    if change.is_empty:
        return Committed(None, validate(store.to_check(expect), validator, on_step))
    return _commit(store, change, expect, lambda candidate: validate(candidate, validator, on_step))


def validate_change(candidate: Snapshot, change: ChangeSet, rules: Rules) -> Report:
    """Validate what a change touches, in the graph as it would be; the whole graph where it touches much.

    Terms and concepts are spoken of by everything, and blank nodes cannot be looked up.
    """
    changed = [*change.add, *change.remove]
    subjects = {quad.subject for quad in changed}
    spoken_of = subjects | {quad.object for quad in changed if isinstance(quad.object, IRI | Blank)}
    everywhere = any(quad.graph_name in _EVERYWHERE for quad in changed)
    named = {node for node in spoken_of if isinstance(node, IRI)}
    if not everywhere and len(subjects) <= _SUBJECTS and len(named) == len(spoken_of):
        find = _edges_in(candidate)
        focus = _touched(find, named, named & subjects)
        if focus is not None:
            return rules.records.validate_slice(find, focus) + rules.sets.checks(_runner(candidate))
    return validate(candidate, rules.sets)


def _touched(find: Find, named: set[IRI], subjects: set[IRI]) -> frozenset[IRI] | None:
    """The nodes whose findings a change may alter; None when they are many.

    These are: what the change speaks of, what its subjects point at, the records that lead to its subjects in as
    many steps as constraints look, and the other records about the same things (claims are compared with each other).
    """
    focus = set(named)
    for node in subjects:
        focus.update(value for _, _, value in find(node, None) if isinstance(value, IRI))
        about = [value for _, predicate, value in find(node, None) if predicate.value in SHARED_BY]
        focus.update(
            other
            for value in about
            for other, by, _ in find(None, value)
            if by.value in SHARED_BY and isinstance(other, IRI)
        )
        if len(focus) > _FOCUS:
            return None
    reached = frozenset(subjects)
    for _ in range(REACH):
        reached = referrers(find, reached)
        focus |= reached
        if len(focus) > _FOCUS:
            return None
    return frozenset(focus)


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


def _edges_in(snapshot: Snapshot) -> Find:
    """Look-ups in a snapshot, each made once. Edges of blank nodes are fetched all at once, as they have no names."""
    seen: dict[tuple[Term | None, Term | None], list[Edge]] = {}

    @cache
    def blanks() -> Find:
        return edges_of(snapshot.query(Query(_BLANKS)).triples())

    def look(subject: Term | None, value: Term | None) -> Iterable[Edge]:
        if isinstance(subject, Blank) or isinstance(value, Blank):
            return blanks()(subject, value)
        if isinstance(subject, IRI):
            rows = snapshot.query(Query(_LEAVING, values={"s": [subject]})).rows()
            return [(subject, row["p"], row["o"]) for row in rows if isinstance(row["p"], IRI)]
        if isinstance(value, IRI | Literal):
            rows = snapshot.query(Query(_ARRIVING, values={"o": [value]})).rows()
            return [(row["s"], row["p"], value) for row in rows if isinstance(row["p"], IRI)]
        return ()

    def find(subject: Term | None, value: Term | None) -> Iterable[Edge]:
        key = (subject, value)
        if key not in seen:
            seen[key] = list(look(subject, value))
        return seen[key]

    return find


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
