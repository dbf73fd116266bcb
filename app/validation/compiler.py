"""Turns SHACL shapes into SPARQL queries over the whole graph: one query finds all nodes that break one rule.

The subset is what the files in `shapes/` use. Anything outside it raises `ShapeError` with the shape's name:
no rule is skipped in silence. Source of the meaning of each part: SHACL (W3C, 2017), sections 2 to 5. A
SPARQL constraint runs with `$this` unbound, joined to the shape's targets. Never runs a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, count

from rdflib import RDF, RDFS, SH, XSD, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.term import BNode, Node

from app.validation.findings import Severity
from app.validation.shapes import Constraint, ShapeError, Shapes

_A_KIND_OF = f"{RDF.type.n3()}/{RDFS.subClassOf.n3()}*"

_NODE_KINDS = {
    SH.IRI: "isIRI({0})",
    SH.Literal: "isLiteral({0})",
    SH.BlankNode: "isBlank({0})",
    SH.BlankNodeOrIRI: "(isBlank({0}) || isIRI({0}))",
    SH.BlankNodeOrLiteral: "(isBlank({0}) || isLiteral({0}))",
    SH.IRIOrLiteral: "(isIRI({0}) || isLiteral({0}))",
}
_BOUNDS = {SH.minInclusive: ">=", SH.minExclusive: ">", SH.maxInclusive: "<=", SH.maxExclusive: "<"}
_ANY_TEXT = {XSD.string, XSD.anyURI, RDF.langString}
_CASTS = {XSD.integer, XSD.decimal, XSD.double, XSD.float, XSD.boolean, XSD.dateTime, XSD.date}
_ZONE = r"(Z|[+-]\\d\\d:\\d\\d)?"
_FORMS = {
    XSD.gYear: rf"^-?\\d{{4,}}{_ZONE}$",
    XSD.gYearMonth: rf"^-?\\d{{4,}}-(0[1-9]|1[0-2]){_ZONE}$",
}

_ANNOTATIONS = {SH.severity, SH.message, SH.order, SH.name, SH.description, SH.flags}
_TARGETS = {SH.targetClass, SH.targetSubjectsOf, SH.targetObjectsOf}
_VALUE_PARTS = {
    SH.datatype,
    SH["class"],
    SH.nodeKind,
    SH.pattern,
    SH.minLength,
    SH["in"],
    SH["or"],
    SH["not"],
    SH.node,
    *_BOUNDS,
}
_SET_PARTS = {SH.minCount, SH.maxCount, SH.hasValue, SH.uniqueLang}
_NODE_SHAPE = _ANNOTATIONS | _TARGETS | _VALUE_PARTS | {SH.property, SH.sparql, SH.hasValue}
_PROPERTY_SHAPE = _ANNOTATIONS | _VALUE_PARTS | _SET_PARTS | {SH.path}


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A query whose rows are findings of one constraint.

    A row has ?this, ?value where there is an offending value, and what the message names. `targets` selects the nodes
    that the constraint speaks of.
    """

    constraint: str
    severity: Severity
    component: str
    path: str | None
    message: str
    text: str
    targets: str


def compile_shapes(shapes: Shapes) -> tuple[CompiledQuery, ...]:
    """Return the queries of all constraints; ShapeError for the first shape that is outside the subset."""
    return tuple(query for constraint in shapes.constraints for query in compile_constraint(shapes, constraint))


def compile_constraint(shapes: Shapes, constraint: Constraint) -> tuple[CompiledQuery, ...]:
    """Return the queries of one constraint."""
    return tuple(_Compilation(shapes, constraint).queries())


def path_text(graph: Graph, path: Node) -> str:
    """Return a SHACL path as a SPARQL path: a predicate, a sequence, an inverse or an alternative."""
    if isinstance(path, URIRef):
        return path.n3()
    if (path, RDF.first, None) in graph:
        return "/".join(_grouped(graph, step) for step in Collection(graph, path))
    inverse, choice = graph.value(path, SH.inversePath), graph.value(path, SH.alternativePath)
    if inverse is not None:
        return "^" + _grouped(graph, inverse)
    if choice is not None:
        return "|".join(_grouped(graph, option) for option in Collection(graph, choice))
    raise ShapeError(path, "is a path that cannot be compiled")


def _grouped(graph: Graph, path: Node) -> str:
    text = path_text(graph, path)
    return text if isinstance(path, URIRef) else f"({text})"


class _Compilation:
    """The work on one constraint: hands out fresh variables, and knows the shape for error messages."""

    def __init__(self, shapes: Shapes, constraint: Constraint) -> None:
        self._shapes = shapes
        self._graph = shapes.graph
        self._constraint = constraint
        self._numbers = count()
        self._target = self._fresh()

    def queries(self) -> Iterator[CompiledQuery]:
        shape = self._constraint.iri
        self._allow_only(shape, _NODE_SHAPE)
        for component, broken in self._broken_by(shape, "?this"):
            yield self._query(component, self._shapes.message(shape), f"FILTER({broken})")
        for value in self._all(shape, SH.hasValue):
            yield self._query(SH.hasValue, self._shapes.message(shape), f"FILTER(!sameTerm(?this, {_n3(value)}))")
        for part in self._all(shape, SH.property):
            yield from self._property_queries(part)
        for part in self._all(shape, SH.sparql):
            yield self._sparql_query(part)

    def _property_queries(self, part: Node) -> Iterator[CompiledQuery]:
        self._allow_only(part, _PROPERTY_SHAPE)
        path = self._path(part)
        message = self._shapes.message(part)
        for component, kept in self._sets_kept(part, "?this"):
            if component != SH.maxCount or "/" not in path:
                yield self._query(component, message, f"FILTER(!({kept}))", path)
        for size in self._all(part, SH.maxCount) if "/" in path else ():
            yield self._too_many(message, path, _integer(size))
        for component, broken in self._broken_by(part, "?value"):
            yield self._query(component, message, f"?this {path} ?value . FILTER({broken})", path, "?value")

    def _too_many(self, message: str, path: str, most: int) -> CompiledQuery:
        """More values than may be at the end of several steps.

        They are counted: EXISTS begins at the wrong end of such paths, and takes the square of the graph in time.
        """
        value = self._fresh()
        counted = f"GROUP BY ?this HAVING(COUNT(DISTINCT {value}) > {most})"
        text = f"SELECT ?this WHERE {{ {{ {self._targets()} }} ?this {path} {value} }} {counted}"
        return self._compiled(SH.maxCount, message, text, path)

    def _sparql_query(self, part: Node) -> CompiledQuery:
        selects = self._all(part, SH.select)
        if len(selects) != 1:
            raise ShapeError(self._constraint.id, "has a SPARQL constraint without one sh:select")
        text = f"SELECT * WHERE {{ {{ {self._targets()} }} {{ {selects[0]} }} }}"
        return self._compiled(SH.sparql, self._shapes.message(part), text)

    def _query(
        self, component: URIRef, message: str, where: str, path: str | None = None, value: str = ""
    ) -> CompiledQuery:
        text = f"SELECT DISTINCT ?this {value} WHERE {{ {{ {self._targets()} }} {where} }}"
        return self._compiled(component, message, text, path)

    def _compiled(self, component: URIRef, message: str, text: str, path: str | None = None) -> CompiledQuery:
        name = str(component).removeprefix(str(SH))
        return CompiledQuery(
            self._constraint.id,
            self._constraint.severity,
            name,
            path,
            message,
            self._shapes.header() + text,
            self._shapes.header() + self._targets(),
        )

    def _targets(self) -> str:
        shape, node = self._constraint.iri, self._target
        options = [
            *(
                f"{kind} ^{RDFS.subClassOf.n3()}* {node} . ?this a {node}"
                for kind in map(_n3, self._all(shape, SH.targetClass))
            ),
            *(f"?this {_n3(term)} {node}" for term in self._all(shape, SH.targetSubjectsOf)),
            *(f"{node} {_n3(term)} ?this" for term in self._all(shape, SH.targetObjectsOf)),
        ]
        return f"SELECT DISTINCT ?this WHERE {{ {' UNION '.join(f'{{ {option} }}' for option in options)} }}"

    # ---- what one value must satisfy ----

    def _broken_by(self, shape: Node, value: str) -> Iterator[tuple[URIRef, str]]:
        """Yield (component, expression that is true when `value` breaks it) for one shape."""
        simple: dict[URIRef, Callable[[Node], str]] = {
            SH.datatype: lambda kind: self._not_of_datatype(value, kind),
            SH["class"]: lambda kind: f"NOT EXISTS {{ {value} {_A_KIND_OF} {_n3(kind)} }}",
            SH.nodeKind: lambda kind: f"!{self._node_kind(kind).format(value)}",
            SH.minLength: lambda size: f"isBlank({value}) || STRLEN(STR({value})) < {_integer(size)}",
            SH.pattern: lambda text: self._not_like(shape, value, text),
            SH["in"]: lambda items: (
                "!(" + (" || ".join(f"sameTerm({value}, {_n3(item)})" for item in self._list(items)) or "false") + ")"
            ),
            SH["or"]: lambda items: "!(" + " || ".join(self._keeps(item, value) for item in self._list(items)) + ")",
            SH["not"]: lambda other: self._keeps(other, value),
            SH.node: lambda other: f"!{self._keeps(other, value)}",
        }
        for component, expression in simple.items():
            for argument in self._all(shape, component):
                yield component, expression(argument)
        for component, operator in _BOUNDS.items():
            for bound in self._all(shape, component):
                yield component, f"!COALESCE({value} {operator} {_n3(bound)}, false)"

    def _not_of_datatype(self, value: str, kind: Node) -> str:
        wrong = f"!isLiteral({value}) || DATATYPE({value}) != {_n3(kind)}"
        if kind in _ANY_TEXT:
            return wrong
        if kind in _CASTS:
            # the second half also refuses NaN, which equals nothing
            return f"{wrong} || !COALESCE({_n3(kind)}(STR({value})) = {_n3(kind)}(STR({value})), false)"
        if kind in _FORMS:
            return f'{wrong} || !REGEX(STR({value}), "{_FORMS[URIRef(str(kind))]}")'
        raise ShapeError(self._constraint.id, f"uses datatype {kind}, whose characters cannot be checked")

    def _node_kind(self, kind: Node) -> str:
        known = {str(name): form for name, form in _NODE_KINDS.items()}
        if str(kind) not in known:
            raise ShapeError(self._constraint.id, f"uses node kind {kind}")
        return known[str(kind)]

    def _not_like(self, shape: Node, value: str, pattern: Node) -> str:
        flags = "".join(f", {_n3(flag)}" for flag in self._all(shape, SH.flags))
        return f"isBlank({value}) || !REGEX(STR({value}), {_n3(pattern)}{flags})"

    # ---- whether a node keeps a whole shape ----

    def _keeps(self, shape: Node, node: str) -> str:
        """Return an expression that is true when `node` conforms to a shape used inside another."""
        if (shape, SH.path, None) in self._graph:
            return self._keeps_property(shape, node)
        self._allow_only(shape, _NODE_SHAPE - _TARGETS - {SH.sparql})
        kept = [
            *(f"!({broken})" for _, broken in self._broken_by(shape, node)),
            *(f"sameTerm({node}, {_n3(value)})" for value in self._all(shape, SH.hasValue)),
            *(self._keeps_property(part, node) for part in self._all(shape, SH.property)),
        ]
        return f"({' && '.join(kept) or 'true'})"

    def _keeps_property(self, part: Node, node: str) -> str:
        self._allow_only(part, _PROPERTY_SHAPE)
        kept = [f"({expression})" for _, expression in self._sets_kept(part, node)]
        value = self._fresh()
        broken = [f"({expression})" for _, expression in self._broken_by(part, value)]
        if broken:
            kept.append(f"NOT EXISTS {{ {node} {self._path(part)} {value} . FILTER({' || '.join(broken)}) }}")
        return f"({' && '.join(kept) or 'true'})"

    def _sets_kept(self, part: Node, node: str) -> Iterator[tuple[URIRef, str]]:
        """Yield (component, expression that is true when the values of a property, as a set, are right)."""
        path = self._path(part)
        for size in self._all(part, SH.minCount):
            if _integer(size) > 0:
                yield SH.minCount, f"EXISTS {{ {self._different(node, path, _integer(size))} }}"
        for size in self._all(part, SH.maxCount):
            yield SH.maxCount, f"NOT EXISTS {{ {self._different(node, path, _integer(size) + 1)} }}"
        for value in self._all(part, SH.hasValue):
            yield SH.hasValue, f"EXISTS {{ {node} {path} {_n3(value)} }}"
        for flag in self._all(part, SH.uniqueLang):
            if str(flag) == "true":
                one, two = self._fresh(), self._fresh()
                yield (
                    SH.uniqueLang,
                    (
                        f"NOT EXISTS {{ {node} {path} {one} , {two} . FILTER(!sameTerm({one}, {two}) "
                        f'&& LANG({one}) != "" && LCASE(LANG({one})) = LCASE(LANG({two}))) }}'
                    ),
                )

    def _different(self, node: str, path: str, size: int) -> str:
        """Return a pattern that matches when `node` has at least `size` different values."""
        names = [self._fresh() for _ in range(size)]
        pattern = f"{node} {path} {' , '.join(names)} ."
        unequal = " && ".join(f"!sameTerm({one}, {two})" for one, two in combinations(names, 2))
        return f"{pattern} FILTER({unequal})" if unequal else pattern

    # ---- reading the shapes graph ----

    def _path(self, part: Node) -> str:
        paths = self._all(part, SH.path)
        if len(paths) != 1:
            raise ShapeError(part, "needs exactly one sh:path")
        return path_text(self._graph, paths[0])

    def _allow_only(self, shape: Node, allowed: set[URIRef]) -> None:
        names = {str(term) for term in allowed}
        for term in sorted(map(str, self._graph.predicates(shape))):
            if term.startswith(str(SH)) and term not in names:
                where = f" in {shape!s}" if isinstance(shape, URIRef) else ""
                raise ShapeError(
                    self._constraint.id,
                    f"uses sh:{term.removeprefix(str(SH))}{where}, which cannot be compiled",
                )

    def _all(self, shape: Node, term: Node) -> list[Node]:
        return sorted(self._graph.objects(shape, term), key=str)

    def _list(self, head: Node) -> list[Node]:
        return list(Collection(self._graph, head))

    def _fresh(self) -> str:
        return f"?_{next(self._numbers)}"


def _n3(term: Node) -> str:
    if isinstance(term, BNode):
        raise ShapeError(term, "is a blank node where a value is needed")
    return term.n3() if isinstance(term, URIRef | Literal) else str(term)


def _integer(term: Node) -> int:
    return int(str(term))
