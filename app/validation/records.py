"""Validates the records that a change touches, with pySHACL, before the change is committed.

pySHACL decides; this module picks what it sees and words the findings as `sets` does. Only the focus nodes
are judged: the rest of the slice is context and may be incomplete. pySHACL's own focus option is not used,
because it also skips values inside nested shapes and then misses what is wrong there. Never reads a store and
never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import rdflib
from pyshacl.graph_abstraction import DataGraph
from pyshacl.pytypes import RDFNode, SHACLExecutor
from pyshacl.shapes_graph import ShapesGraph
from rdflib import SH, XSD
from rdflib.plugins.sparql import prepareQuery
from rdflib.plugins.sparql.sparql import Query
from rdflib.query import Result
from rdflib.term import Node

from app import vocab
from app.model.rdf import IRI, Blank, Literal, Quad, Term, Triple
from app.validation.compiler import path_text
from app.validation.findings import Finding, Report, fill, number_text
from app.validation.shapes import Constraint, Shapes

Edge: TypeAlias = tuple[Term, IRI, Term]
Find: TypeAlias = Callable[[Term | None, Term | None], Iterable[Edge]]
"""Edges with a given subject, or with a given object: what a slice is cut from."""

REACH = 4
"""How many steps out of a record the constraints look: result, model, architecture, its number."""

SHARED_BY = {vocab.rdf.subject, vocab.slm.aboutSubject}
"""Records that a constraint compares meet at the object of these properties."""

_ILL_FORMED = rdflib.URIRef("urn:x-slmkg:ill-formed")
"""Stands for the datatype of "abc"^^xsd:integer or of NaN: rdflib's arithmetic stumbles over them instead of erring."""

_PropertiesOf: TypeAlias = Mapping[str, Node]


class RecordValidator:
    """The shapes of one folder, read by pySHACL once. Not for use from several threads at a time."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._prepared: dict[str, Query] = {}
        self._pyshacl = {shape.node: shape for shape in ShapesGraph(_without_sparql_messages(shapes)).shapes}
        self._owner = {part: constraint for constraint in shapes.constraints for part in shapes.parts(constraint)}

    def validate(self, data: Iterable[Quad | Triple], focus: Iterable[IRI]) -> Report:
        """Return the findings at the focus nodes.

        `data` is the graph as it would be after the change, or a part that holds everything within REACH
        steps; graph names are ignored.
        """
        return self.validate_slice(edges_of(data), focus)

    def validate_slice(self, find: Find, focus: Iterable[IRI]) -> Report:
        """Return the findings at the focus nodes, and at their literals, of a graph that is looked into as needed."""
        wanted = set(focus)
        names = {_node(node) for node in wanted}
        graph = _PreparedGraph(self._prepared)
        for subject, predicate, value in neighbourhood(find, wanted):
            graph.add((_node(subject), _node(predicate), _node(value)))
            if subject in wanted and isinstance(value, Literal):
                names.add(_node(value))
        data = DataGraph.from_rdflib_graph(graph)
        findings: list[Finding] = []
        for constraint in self._shapes.constraints:
            findings += self._findings(constraint, data, graph, names)
        return Report.of(findings)

    def _findings(
        self, constraint: Constraint, data: DataGraph, graph: _PreparedGraph, names: set[RDFNode]
    ) -> Iterator[Finding]:
        shape = self._pyshacl[constraint.iri]
        targets: set[RDFNode] = shape.focus_nodes(data)
        nodes: list[RDFNode] = sorted(names & targets, key=str)
        if not nodes:
            return
        _, results = shape.validate(SHACLExecutor(), data, focus=nodes)
        for _, node, triples in results:
            yield from self._worded(_properties(node, triples), graph)

    def _worded(self, result: _PropertiesOf, graph: _PreparedGraph) -> Iterator[Finding]:
        source = result["sourceShape"]
        constraint = self._owner[source]
        focus = result["focusNode"]
        if "sourceConstraint" in result:
            yield from self._worded_rows(constraint, result["sourceConstraint"], focus, graph)
            return
        value = result["value"] if "value" in result and source != constraint.iri else None
        path = path_text(self._shapes.graph, result["resultPath"]) if "resultPath" in result else None
        message = fill(self._shapes.message(source), {}, None if value is None else _words_for(value))
        text = None if value is None else _text_of(value)
        yield Finding(constraint.id, constraint.severity, str(focus), message, path, text)

    def _worded_rows(self, constraint: Constraint, part: Node, focus: Node, graph: _PreparedGraph) -> Iterator[Finding]:
        template = self._shapes.message(part)
        select = self._shapes.header() + str(self._shapes.graph.value(part, SH.select))
        for row in graph.query(select, initBindings={"this": focus}).bindings:
            words = {str(name): _words_for(term) for name, term in row.items()}
            yield Finding(constraint.id, constraint.severity, str(focus), fill(template, words))


def validate_records(data: Iterable[Quad | Triple], focus: Iterable[IRI], shapes: Shapes) -> Report:
    """Return the findings at the focus nodes of a graph. Keep a RecordValidator to do it often."""
    return RecordValidator(shapes).validate(data, focus)


def edges_of(data: Iterable[Quad | Triple]) -> Find:
    """Return a look-up over quads or triples in memory."""
    leaving: dict[Term, list[Edge]] = defaultdict(list)
    arriving: dict[Term, list[Edge]] = defaultdict(list)
    for item in data:
        if isinstance(item.subject, IRI | Blank) and isinstance(item.object, IRI | Blank | Literal):
            edge = (item.subject, item.predicate, item.object)
            leaving[item.subject].append(edge)
            arriving[item.object].append(edge)

    def find(subject: Term | None, value: Term | None) -> Iterable[Edge]:
        if subject is not None:
            return leaving.get(subject, ())
        return arriving.get(value, ()) if value is not None else ()

    return find


def referrers(find: Find, focus: Iterable[IRI]) -> frozenset[IRI]:
    """Return the named records that point at these nodes: a change to the nodes may break them too."""
    return frozenset(subject for node in focus for subject, _, _ in find(None, node) if isinstance(subject, IRI))


def neighbourhood(find: Find, focus: Iterable[IRI]) -> frozenset[Edge]:
    """Return what the constraints can see from these nodes.

    That is: the nodes, what points at them, the records that share a subject with them, everything within
    REACH steps out of all those, and what is said about the properties in use.
    """
    starts: set[Term] = set(focus)
    for node in tuple(starts):
        starts.update(subject for subject, _, _ in find(None, node))
        for _, predicate, shared in find(node, None):
            if predicate.value in SHARED_BY:
                starts.update(subject for subject, link, _ in find(None, shared) if link.value in SHARED_BY)
    seen: set[Term] = set()
    edges: set[Edge] = set()
    frontier = starts
    for _ in range(REACH + 1):
        reached: set[Term] = set()
        for node in frontier - seen:
            for edge in find(node, None):
                edges.add(edge)
                if not isinstance(edge[2], Literal):
                    reached.add(edge[2])
        seen |= frontier
        frontier = reached
    for predicate in {edge[1] for edge in edges}:
        edges.update(find(predicate, None))
    return frozenset(edges)


class _PreparedGraph(rdflib.Graph):
    """A graph that parses each query text once: pySHACL sends the same text for every focus node."""

    def __init__(self, prepared: dict[str, Query]) -> None:
        super().__init__()
        self._prepared_queries = prepared

    def query(self, query_object: str | Query, *args: Any, **kwargs: Any) -> Result:
        if isinstance(query_object, str):
            if query_object not in self._prepared_queries:
                self._prepared_queries[query_object] = prepareQuery(query_object)
            query_object = self._prepared_queries[query_object]
        return super().query(query_object, *args, **kwargs)


def _without_sparql_messages(shapes: Shapes) -> rdflib.Graph:
    """Return a copy without the messages that pySHACL would fill in by regular expressions."""
    graph = rdflib.Graph()
    sparql = set(shapes.graph.objects(None, SH.sparql))
    for subject, predicate, value in shapes.graph:
        if predicate != SH.message or subject not in sparql:
            graph.add((subject, predicate, value))
    return graph


def _properties(node: Node, triples: Iterable[tuple[Node, Node, Any]]) -> dict[str, Node]:
    """Return one validation result as {local name of the SHACL property: value}."""
    return {
        str(predicate).removeprefix(str(SH)): value[1] if isinstance(value, tuple) else value
        for subject, predicate, value in triples
        if subject == node
    }


def _text_of(node: Node) -> str:
    return f"_:{node}" if isinstance(node, rdflib.BNode) else str(node)


def _words_for(node: Node) -> str:
    if isinstance(node, rdflib.Literal) and node.datatype in {XSD.decimal, XSD.double, XSD.float}:
        return number_text(str(node))
    return _text_of(node)


def _node(term: Term) -> RDFNode:
    if isinstance(term, IRI):
        return rdflib.URIRef(term.value)
    if isinstance(term, Blank):
        return rdflib.BNode(term.value)
    if term.language is not None:
        return rdflib.Literal(term.value, lang=term.language)
    if term.datatype.value == str(XSD.string):
        return rdflib.Literal(term.value)
    literal = rdflib.Literal(term.value, datatype=rdflib.URIRef(term.datatype.value), normalize=False)
    if literal.ill_typed or literal.value != literal.value:
        return rdflib.Literal(term.value, datatype=_ILL_FORMED)
    return literal
