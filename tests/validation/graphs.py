"""Graphs to seed mistakes into, and the ways to run both validators over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyoxigraph as ox

from app.model.rdf import IRI, Quad, Term
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import Run, SetValidator
from tests.validation.mutants import PREFIXES

TYPE = IRI("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
EXAMPLE = Path(__file__).parent.parent / "fixtures" / "example.trig"


class Data:
    """A graph to seed mistakes into: the dataset as it is, or one graph with all its triples."""

    def __init__(self, quads: list[Quad]) -> None:
        self.store = ox.Store()
        self.store.extend(quads)

    def flat(self) -> Data:
        return Data([Quad(quad.subject, quad.predicate, quad.object) for quad in self.store])

    def copy(self) -> Data:
        return Data(list(self.store))

    def changed(self, update: str) -> Data:
        mutated = self.copy()
        mutated.store.update(PREFIXES + update)
        assert set(mutated.store) != set(self.store), "the mutation changes nothing"
        return mutated

    def run(self, query: str) -> Iterable[Mapping[str, Term]]:
        return run_on(self.store)(query)

    def focus(self) -> set[IRI]:
        nodes = {term for quad in self.store for term in (quad.subject, quad.object)}
        return {node for node in nodes if isinstance(node, IRI)}


def run_on(store: ox.Store) -> Run:
    def run(query: str) -> Iterator[Mapping[str, Term]]:
        answer = store.query(query, use_default_graph_as_union=True)
        assert isinstance(answer, ox.QuerySolutions)
        names = [variable.value for variable in answer.variables]
        for row in answer:
            found = {name: row[name] for name in names}
            yield {
                name: term for name, term in found.items() if isinstance(term, ox.NamedNode | ox.BlankNode | ox.Literal)
            }

    return run


def touched(before: Data, after: Data) -> set[IRI]:
    """The ends of every triple that differs, and what leads to them in two steps, but for their classes."""
    changed = set(before.store) ^ set(after.store)
    found = {term for quad in changed for term in (quad.subject, quad.object) if quad.predicate != TYPE}
    found |= {quad.subject for quad in changed}
    for _ in range(2):
        found |= {quad.subject for node in tuple(found) for quad in after.store.quads_for_pattern(None, None, node)}
    return {node for node in found if isinstance(node, IRI)}


def both(data: Data, sets: SetValidator, records: RecordValidator, before: Data | None = None) -> tuple[Report, Report]:
    """Return what the two runners say of the same graph.

    With the graph that was `before`, pySHACL judges what the change touches and what the queries complain of: it takes
    a third of the time. Random damage is judged everywhere.
    """
    by_query = sets.constraints(data.run)
    if before is None:
        return by_query, records.validate(data.store, data.focus())
    complained = {finding.focus for finding in by_query.findings}
    focus = touched(before, data) | {node for node in data.focus() if node.value in complained}
    return by_query, records.validate(data.store, focus)
