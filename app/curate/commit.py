"""The only way to change the graph: validate the candidate, then commit it as a revision with its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from app import vocab
from app.errors import InvalidGraph, StoreEmpty
from app.model.changes import ChangeSet, Revision
from app.model.claims import resource
from app.model.graphs import HISTORY
from app.model.rdf import IRI, Quad, describe, iri, literal, moment, text
from app.store.engine import as_stored
from app.store.port import GraphStore, Query, Row, Snapshot
from app.validation.findings import Report, Severity
from app.validation.sets import SetValidator


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

    def run(query: str) -> Iterator[Row]:
        return snapshot.query(Query(query)).rows()

    return validator.validate(run, on_step=on_step)


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
    reports: list[Report] = []

    def check(candidate: Snapshot) -> None:
        report = validate(candidate, validator, on_step)
        reports.append(report)
        if not report.conforms:
            raise InvalidGraph(tuple(str(finding) for finding in report.only(Severity.VIOLATION).findings))

    recorded = ChangeSet(
        add=change.add | frozenset(_record(change, expect + 1)),
        remove=change.remove,
        reason=reason,
        author=author.value,
        made_at=now,
    )
    revision = store.apply(recorded, expect=expect, check=check)
    return Committed(revision, reports[0])


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
