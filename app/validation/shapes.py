"""Reads the constraints of a folder: SHACL shapes (`*.ttl`) and graph checks (`checks/*.rq`).

It also holds the house rules that SHACL leaves open: one named node shape per id, one severity per id, a
message that starts with the id. A folder that breaks one is refused. Never validates data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rdflib import OWL, RDF, RDFS, SH, Graph, URIRef
from rdflib.term import Node

from app import vocab
from app.validation.findings import Severity

SHAPES = vocab.PREFIXES["slmsh"]

_ID = re.compile(r"C\d\d")
_HEADER = re.compile(r"^# (\w+): (.+)$", re.MULTILINE)


class ShapeError(ValueError):
    """A shape or a check cannot be used. The message names it: nothing is skipped in silence."""

    def __init__(self, shape: object, problem: str) -> None:
        super().__init__(f"{str(shape).removeprefix(SHAPES)}: {problem}")


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule on records: a named node shape. `file` is the name of the file that holds it."""

    id: str
    iri: URIRef
    severity: Severity
    label: str
    comment: str
    order: int
    file: str


@dataclass(frozen=True, slots=True)
class Check:
    """One rule on named graphs: a SELECT query whose rows are findings, with ?this and ?message."""

    id: str
    severity: Severity
    purpose: str
    why: str
    query: str
    file: str


@dataclass(frozen=True, slots=True)
class Shapes:
    """All constraints and checks of one folder. `graph` is the shapes graph; treat it as read-only."""

    graph: Graph
    constraints: tuple[Constraint, ...]
    checks: tuple[Check, ...]
    prefixes: Mapping[str, str]

    def parts(self, constraint: Constraint) -> tuple[Node, ...]:
        """Return a constraint's node shape and property shapes: what a result can name as its source."""
        return (constraint.iri, *self.graph.objects(constraint.iri, SH.property))

    def message(self, node: Node) -> str:
        """Return the message of a shape or SPARQL constraint; ShapeError where it has none."""
        found = list(self.graph.objects(node, SH.message))
        if len(found) != 1:
            raise ShapeError(node, f"has {len(found)} messages instead of one")
        return str(found[0])

    def header(self) -> str:
        """Return the PREFIX lines that every sh:select counts on."""
        return "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in sorted(self.prefixes.items()))


def load(folder: Path) -> Shapes:
    """Read a folder; ShapeError when a rule breaks a house rule, FileNotFoundError when there is none."""
    graph, constraints = Graph(), []
    files = sorted(folder.glob("*.ttl"))
    if not files:
        raise FileNotFoundError(f"no shape files in {folder}")
    for path in files:
        part = Graph().parse(path, format="turtle")
        constraints += list(_constraints(part, path.name))
        graph += part
    shapes = Shapes(
        graph,
        tuple(sorted(constraints, key=lambda constraint: constraint.order)),
        tuple(_check(path) for path in sorted((folder / "checks").glob("*.rq"))),
        {str(graph.value(node, SH.prefix)): str(graph.value(node, SH.namespace)) for node in _declared(graph)},
    )
    _hold_house_rules(shapes)
    return shapes


def _declared(graph: Graph) -> Iterator[Node]:
    for ontology in graph.subjects(RDF.type, OWL.Ontology):
        yield from graph.objects(ontology, SH.declare)


def _constraints(graph: Graph, file: str) -> Iterator[Constraint]:
    for node in graph.subjects(RDF.type, SH.NodeShape):
        name = str(node).removeprefix(SHAPES)
        if _ID.fullmatch(name):
            texts = [str(graph.value(node, term) or "") for term in (SH.severity, RDFS.label, RDFS.comment, SH.order)]
            if not all(texts):
                raise ShapeError(node, "needs severity, label, comment and order")
            severity, label, comment, order = texts
            yield Constraint(name, URIRef(str(node)), Severity.from_iri(severity), label, comment, int(order), file)
        elif _has_target(graph, node):
            raise ShapeError(node, "has a target but no id such as C02")


def _has_target(graph: Graph, node: Node) -> bool:
    return any(
        graph.value(node, term) is not None
        for term in (SH.targetClass, SH.targetNode, SH.targetSubjectsOf, SH.targetObjectsOf)
    )


def _check(path: Path) -> Check:
    query = path.read_text(encoding="utf-8")
    header = dict(_HEADER.findall(query))
    missing = [name for name in ("id", "severity", "purpose", "why") if name not in header]
    if missing:
        raise ShapeError(path.name, f"lacks a header line: {', '.join(missing)}")
    if not path.name.startswith(f"{header['id']}-"):
        raise ShapeError(path.name, f"carries the id {header['id']}")
    return Check(header["id"], Severity(header["severity"]), header["purpose"], header["why"], query, path.name)


def _hold_house_rules(shapes: Shapes) -> None:
    seen: set[str] = set()
    for name in [rule.id for rule in shapes.constraints] + [check.id for check in shapes.checks]:
        if name in seen:
            raise ShapeError(name, "is defined twice")
        seen.add(name)
    graph = shapes.graph
    for constraint in shapes.constraints:
        if not _has_target(graph, constraint.iri):
            raise ShapeError(constraint.id, "has no target")
        for part in graph.objects(constraint.iri, SH.property):
            if not str(part).startswith(f"{constraint.iri}-"):
                raise ShapeError(constraint.id, f"has a property shape that is not named {constraint.id}-…: {part}")
            if str(graph.value(part, SH.severity)) != str(graph.value(constraint.iri, SH.severity)):
                raise ShapeError(part, "has another severity than its constraint")
            _hold_message(shapes, constraint, part)
        for part in graph.objects(constraint.iri, SH.sparql):
            _hold_message(shapes, constraint, part)


def _hold_message(shapes: Shapes, constraint: Constraint, part: Node) -> None:
    if not shapes.message(part).startswith(f"{constraint.id}: "):
        raise ShapeError(constraint.id, "has a message that does not start with its id")
