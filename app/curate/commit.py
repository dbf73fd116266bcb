"""The only way to change the graph: validate the candidate, then commit it as a revision with its record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from app import vocab
from app.curate.focus import touched
from app.errors import BadParameter, InvalidGraph, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.claims import resource
from app.model.graphs import HISTORY
from app.model.rdf import IRI, Quad, describe, iri, literal, moment, text
from app.store.port import GraphStore, Query, Row, Snapshot
from app.validation.findings import Report, Severity
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator

_NODES = 1_000
"""Nodes up to which queries bound to them are faster than those over the whole graph (measured)."""
_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`]+")


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
    key: str | None = None,
) -> Committed:
    """Commit quads to add and quads to remove as the next revision, or change nothing.

    `key` is the id of the key with which the author acts, if it is one; the record of the revision names it.

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
    return _commit(store, change, expected, lambda candidate: validate_change(candidate, change, rules), key)


def examine(
    store: GraphStore, add: Iterable[Quad], remove: Iterable[Quad], *, rules: Rules, now: datetime, expect: int
) -> Report:
    """What validation would newly find if this were committed on revision `expect`; nothing is committed.

    StaleRevision and StoreBusy from stores that begin a commit for it.
    """
    wanted = store.as_kept(add)
    change = ChangeSet(wanted, store.as_kept(remove) - wanted, "what if", vocab.BASE, now)
    if change.is_empty:
        return Report()
    found: list[Report] = []

    def look(candidate: Snapshot) -> None:
        before = store.to_check(expect)
        found.append(_new_findings(before, candidate, change, rules))

    store.consider(change, on=expect, check=look)
    return found[0]


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
    """Validate what a change touches, in the graph as it would be; the whole graph where it touches much."""
    focus = touched(candidate, change, rules.sets)
    return validate(candidate, rules.sets) if focus is None else rules.sets.at(_runner(candidate), focus)


def _new_findings(before: Snapshot, candidate: Snapshot, change: ChangeSet, rules: Rules) -> Report:
    """What is found in the candidate and was not found before; what was known is asked of the nodes found only."""
    found = validate_change(candidate, change, rules)
    if not found.findings:
        return found
    nodes = {finding.focus for finding in found.findings}
    if len(nodes) > _NODES or not all(_ADDRESS.fullmatch(node) for node in nodes):
        known = validate(before, rules.sets)
    else:
        known = rules.sets.at(_runner(before), map(IRI, sorted(nodes)))
    return Report.of(set(found.findings) - set(known.findings))


def _commit(
    store: GraphStore, change: ChangeSet, expect: int, judge: Callable[[Snapshot], Report], key: str | None = None
) -> Committed:
    """Commit a change with its record in the graph, if the judge finds no violation in the candidate."""
    reports: list[Report] = []

    def check(candidate: Snapshot) -> None:
        report = judge(candidate)
        reports.append(report)
        if not report.conforms:
            raise InvalidGraph(tuple(str(finding) for finding in report.only(Severity.VIOLATION).findings))

    recorded = replace(change, add=change.add | frozenset(_record(change, expect + 1, key)))
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


def _record(change: ChangeSet, number: int, key: str | None) -> list[Quad]:
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
            (vocab.slm.usedKey, literal(key) if key else None),
        ],
        kind=vocab.slm.Revision,
    )
