"""How the cells of a comparison came to what they say: the revisions that changed them, old and new. Reads only.

Only revisions that mention what the cells are about are looked at closely, the newest first and not without end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain

from app.compare import models
from app.compare.blame import subjects_of
from app.compare.diff import CellChange, Step, changed_cells
from app.compare.reader import Reader
from app.model.changes import ChangeSet
from app.model.rdf import IRI, TYPE, Term
from app.store.port import GraphStore
from app.store.span import author

READ = 500
"""Revisions that are read through."""
CLOSELY = 20
"""Revisions whose cells are compared with those before."""


@dataclass(frozen=True, slots=True)
class Observed:
    """An observation that a revision brought."""

    iri: str
    step: Step


@dataclass(frozen=True, slots=True)
class Past:
    """What happened to cells since a revision, the newest first. `complete` says that nothing older was left out."""

    since: int
    complete: bool
    changes: tuple[CellChange, ...]
    observed: tuple[Observed, ...]


def past(store: GraphStore, slugs: Collection[str], observations: Collection[str], *, revision: int) -> Past:
    """What happened to the properties of models and to observations, up to a revision."""
    reader = Reader(store.at(revision))
    chosen = [one for one in models.summaries(reader) if one.slug in set(slugs)]
    nodes = {node for one in chosen for node in subjects_of(reader, one)}
    seen = {IRI(iri) for iri in observations}
    mentioned = nodes | seen
    for question, name in (("claims", "claim"), ("statements", "node")):
        mentioned |= {row[name] for row in reader.rows(question, subject=nodes)}
    oldest = max(store.oldest(), revision - READ + 1)
    closely: list[tuple[int, ChangeSet]] = []
    since = oldest
    for number in range(revision, oldest - 1, -1):
        change = store.changes(number)
        if not _mentions(change, mentioned):
            continue
        if len(closely) == CLOSELY:
            since = number + 1
            break
        closely.append((number, change))
    steps = _steps(store, reader, [number for number, _ in closely])
    wanted = {node.value for node in nodes}
    slugs = {one.slug for one in chosen}
    changes = [
        one
        for number, change in closely
        for one in changed_cells(store, number, change, wanted, steps[number])
        if one.model in slugs
    ]
    observed = [Observed(iri, steps[number]) for number, change in closely for iri in _came(change, seen)]
    return Past(since, since == 1, tuple(changes), tuple(observed))


def _mentions(change: ChangeSet, nodes: Collection[Term]) -> bool:
    return any(quad.subject in nodes or quad.object in nodes for quad in chain(change.add, change.remove))


def _came(change: ChangeSet, nodes: Collection[Term]) -> list[str]:
    """The things that a change brought: those of which it says what they are."""
    came = {quad.subject for quad in change.add if quad.predicate == TYPE and quad.subject in nodes}
    return sorted(one.value for one in came if isinstance(one, IRI))


def _steps(store: GraphStore, reader: Reader, numbers: Collection[int]) -> Mapping[int, Step]:
    made = {one.number: one for one in store.revisions() if one.number in set(numbers)}
    reader.learn(author(one) for one in made.values())
    return {number: Step(one, reader.thing(author(one))) for number, one in made.items()}
