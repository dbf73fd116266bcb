"""What a change touches: the nodes that have to be judged again, so that not the whole graph has to be.

A quad can only matter to a constraint that names its predicate, or its class where the predicate is rdf:type. Most of
what proposals consist of is named by none: thousands of proposed values are judged as fast as one. Never judges itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from app import vocab
from app.model.changes import ChangeSet
from app.model.graphs import META, ONTOLOGY, VOCABULARY
from app.model.rdf import IRI, Blank, Literal, Quad, iri
from app.store.port import Query, Row, Snapshot
from app.validation.records import REACH, SHARED_BY
from app.validation.sets import SetValidator

SUBJECTS = 200
"""Changed subjects up to which only what they touch is judged."""
FOCUS = 1_000
"""Touched nodes up to which queries bound to them are faster than those over the whole graph (measured)."""
EDGES = 5_000
"""Edges that are looked at in one step."""
EVERYWHERE = frozenset({ONTOLOGY, VOCABULARY})
PAIRED = {vocab.prov.endedAtTime: vocab.prov.startedAtTime}
"""Predicates that constraints look at only together with another one of the same subject."""
_CLASSES = "SELECT ?s ?o WHERE { ?s <http://www.w3.org/2000/01/rdf-schema#subClassOf> ?o }"
_ABSENCES = "SELECT ?s ?o WHERE { ?s <http://www.w3.org/2000/01/rdf-schema#subPropertyOf> ?o }"
_INSTANCES = "SELECT ?s ?o WHERE { ?s a ?o }"
_LEAVING = "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"
_ARRIVING = "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"
_TWICE = "SELECT DISTINCT ?s WHERE { GRAPH ?g { ?s ?p ?o } GRAPH ?h { ?s ?p ?o } FILTER(?g != ?h) }"


def touched(candidate: Snapshot, change: ChangeSet, sets: SetValidator) -> frozenset[IRI | Literal] | None:
    """The nodes to judge after a change, in the graph as it would be; None for the whole graph.

    Terms and concepts are spoken of by everything, and blank nodes cannot be looked up.
    """
    changed = [*change.add, *change.remove]
    spoken_of = {quad.subject for quad in changed} | {quad.object for quad in changed}
    everywhere = any(quad.graph_name in EVERYWHERE for quad in changed)
    unnamed = any(isinstance(node, Blank) for node in spoken_of)
    if everywhere or unnamed or _redescribes(candidate, change):
        return None
    heard = _heard(candidate, changed, sets)
    loud = set(heard)
    silent = {quad.subject for quad in changed if quad not in loud and isinstance(quad.subject, IRI)}
    twice: frozenset[IRI | Literal] = frozenset(
        row["s"] for row in _rows(candidate, _TWICE, "s", silent) if isinstance(row["s"], IRI)
    )
    found = _around(candidate, heard, sets.looked_back)
    return None if found is None else found | twice


def _heard(candidate: Snapshot, changed: list[Quad], sets: SetValidator) -> list[Quad]:
    """The quads that some constraint may look at, in any role but that of a triple which stands in two graphs."""
    classes, predicates = _listened_to(candidate, sets.named)
    heard = [
        quad
        for quad in changed
        if (quad.object in classes if quad.predicate.value == vocab.rdf.type else quad.predicate in predicates)
    ]
    paired = {quad.subject for quad in heard if quad.predicate.value in PAIRED and isinstance(quad.subject, IRI)}
    others = {iri(name) for name in PAIRED.values()}
    whole = {quad.subject for quad in changed if quad.predicate in others}
    whole |= {row["s"] for row in _rows(candidate, _LEAVING, "s", paired) if row["p"] in others}  # type: ignore[misc]
    return [quad for quad in heard if quad.predicate.value not in PAIRED or quad.subject in whole]


def _listened_to(candidate: Snapshot, named: frozenset[IRI]) -> tuple[frozenset[IRI], frozenset[IRI]]:
    """The classes and the predicates that constraints speak of.

    Those are: the named ones; the classes below them; and, since some constraints speak of all claimable properties or
    of all reasons for a missing value, these.
    """
    below: dict[object, set[IRI]] = defaultdict(set)
    for row in candidate.query(Query(_CLASSES)).rows():
        if isinstance(row["s"], IRI):
            below[row["o"]].add(row["s"])
    classes, claimable = _closure(named, below), _closure({iri(vocab.slm.ClaimableProperty)}, below)
    instances = _rows(candidate, _INSTANCES, "o", claimable)
    absences = _rows(candidate, _ABSENCES, "o", {iri(vocab.slm.hasNoValueFor)})
    predicates = {row["s"] for row in (*instances, *absences) if isinstance(row["s"], IRI)}
    return frozenset(classes), named | predicates


def _closure(starts: Iterable[IRI], below: dict[object, set[IRI]]) -> set[IRI]:
    reached, frontier = set(starts), set(starts)
    while frontier:
        frontier = {lower for node in frontier for lower in below[node]} - reached
        reached |= frontier
    return reached


def _around(candidate: Snapshot, changed: list[Quad], looked_back: frozenset[str]) -> frozenset[IRI | Literal] | None:
    """The nodes whose findings a change may alter; None when they are many.

    These are: its subjects, the records that lead to its subjects in as many steps as constraints look, the other
    records about the same things (claims are compared with each other), what constraints reach by looking back, and
    the graphs that it writes to.
    """
    subjects = {quad.subject for quad in changed if isinstance(quad.subject, IRI)}
    if len(subjects) > SUBJECTS:
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
    return frozenset(focus) if len(focus) <= FOCUS else None


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
            if len(rows) > EDGES:
                return None
    return rows


def _rows(candidate: Snapshot, query: str, variable: str, nodes: Collection[IRI]) -> list[Row]:
    """The rows of a query whose variable is one of these nodes."""
    if not nodes:
        return []
    return list(candidate.query(Query(query, values={variable: sorted(nodes, key=str)})).rows())
