"""Reads answers in every format of SPARQL 1.1 and says whether two of them are the same.

Rows are compared as bags (as lists where the query orders them), graphs as sets of triples, both up to the names of
blank nodes. By default numbers and booleans are compared by value, because a store may keep them in canonical form;
`strict` compares what is written. Never talks to anybody.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from pathlib import PurePath
from typing import Final, TypeAlias

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    RdfFormat,
    Triple,
    parse,
    parse_query_results,
)

from .manifest import Graphs, Source

RS: Final = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
INTEGERS: Final = frozenset(
    XSD + kind + name
    for kind in ("", "unsigned")
    for name in (
        *("integer", "long", "int", "short", "byte", "nonPositiveInteger", "negativeInteger"),
        *("nonNegativeInteger", "positiveInteger", "Long", "Int", "Short", "Byte"),
    )
)
EXACT: Final = Context(prec=400)
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
NOT_SYNTAX: Final = re.compile(
    r"\"{3}.*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|<[^<>\s]*>|#[^\n]*", re.DOTALL
)

Term: TypeAlias = NamedNode | BlankNode | Literal | Triple
Row: TypeAlias = tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Variables and rows of a SELECT. An unbound variable is left out of its row."""

    names: frozenset[str]
    rows: tuple[Row, ...]


Answer: TypeAlias = bool | Table | Dataset


class UnreadableAnswer(Exception):
    """An answer is not what its media type says."""


def read_answer(body: bytes, media_type: str, base: str) -> Answer:
    """An answer as it came over the wire."""
    rows, graph = QueryResultsFormat.from_media_type(media_type), RdfFormat.from_media_type(media_type)
    if rows is None and graph is None:
        raise UnreadableAnswer(f"nothing here reads {media_type or 'an answer without a media type'}")
    try:
        if graph is not None:
            return Dataset(parse(body, format=graph, base_iri=base))
        return _csv(body.decode()) if rows == QueryResultsFormat.CSV else _results(body, rows)
    except (SyntaxError, ValueError, StopIteration) as error:
        raise UnreadableAnswer(f"this is no {media_type}: {error}") from error


def expected_type(source: Source) -> str:
    """The media type to ask for, so that the answer can be compared with this file."""
    form = QueryResultsFormat.from_extension(source.path.suffix[1:])
    if form is not None:
        return form.media_type.partition(";")[0]
    of_graph = isinstance(read_expected(source), Dataset)
    return RdfFormat.N_TRIPLES.media_type if of_graph else QueryResultsFormat.JSON.media_type


def read_expected(source: Source) -> Answer:
    """The answer that a file of the suite states, also where it describes rows in RDF."""
    form = QueryResultsFormat.from_extension(source.path.suffix[1:])
    if form is not None:
        return read_answer(source.path.read_bytes(), form.media_type, source.iri)
    graph = read_graph(source)
    tables = list(graph.quads_for_object(NamedNode(RS + "ResultSet")))
    return _described_table(graph, tables[0].subject) if tables else graph


def read_graph(source: Source) -> Dataset:
    """A file of triples, as one graph."""
    form = RdfFormat.from_extension(source.path.suffix[1:])
    if form is None:
        raise UnreadableAnswer(f"nothing here reads {PurePath(source.iri).name}")
    return Dataset(parse(source.path.read_bytes(), format=form, base_iri=source.iri, rename_blank_nodes=True))


def read_graphs(graphs: Graphs) -> Dataset:
    """All files of a dataset, each in its graph; files of one graph are merged."""
    whole = Dataset()
    pairs: list[tuple[NamedNode | DefaultGraph, Source]] = [(DefaultGraph(), source) for source in graphs.default]
    pairs += [(NamedNode(name), source) for name, source in graphs.named]
    for name, source in pairs:
        for quad in read_graph(source):
            whole.add(Quad(quad.subject, quad.predicate, quad.object, name))
    return whole


def is_ordered(query: str) -> bool:
    """Whether the query orders its answer: ORDER BY outside all braces."""
    depth = 0
    for token in re.findall(r"[{}]|\bORDER\s+BY\b", NOT_SYNTAX.sub(" ", query), re.IGNORECASE):
        if token in "{}":
            depth += 1 if token == "{" else -1
        elif depth == 0:
            return True
    return False


def difference(expected: Answer, actual: Answer, *, ordered: bool = False, strict: bool = False) -> str | None:
    """Why two answers are not the same, or None when they are."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return None if expected is actual else f"expected {_shown(expected)}, got {_shown(actual)}"
    if isinstance(expected, Table) and isinstance(actual, Table):
        if expected.names != actual.names:
            return f"expected the variables {sorted(expected.names)}, got {sorted(actual.names)}"
        same = _canonical(_table_quads(expected, ordered, strict)) == _canonical(_table_quads(actual, ordered, strict))
    elif isinstance(expected, Dataset) and isinstance(actual, Dataset):
        same = _canonical(_graph_quads(expected, strict)) == _canonical(_graph_quads(actual, strict))
    else:
        same = False
    return None if same else f"expected {_shown(expected)}, got {_shown(actual)}"


def _canonical(quads: Iterable[Quad]) -> Dataset:
    dataset = Dataset(quads)
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    return dataset


def _graph_quads(dataset: Dataset, strict: bool) -> Iterator[Quad]:
    for quad in dataset:
        term = quad.object
        yield Quad(quad.subject, quad.predicate, term if strict else _plain(term), quad.graph_name)


def _table_quads(table: Table, ordered: bool, strict: bool) -> Iterator[Quad]:
    """Rows as a graph: one node for a row, with its place, or with the number of times that it occurs."""
    rows = [tuple((n, t if strict else _plain(t)) for n, t in sorted(row, key=_name)) for row in table.rows]
    numbered = enumerate(rows) if ordered else ((times, row) for row, times in Counter(rows).items())
    for number, row in numbered:
        node = BlankNode()
        yield Quad(node, NamedNode("row:number"), Literal(number))
        for name, term in row:
            yield Quad(node, NamedNode("row:" + name), term)


def _name(pair: tuple[str, Term]) -> str:
    return pair[0]


def _plain(term: Term) -> Term:
    """A literal in the one form that stands for its value; any other term as it is."""
    if not isinstance(term, Literal):
        return term
    if term.language is not None:
        return Literal(term.value, language=term.language.lower(), direction=term.direction)
    kind, text = term.datatype.value, term.value
    try:
        if kind in INTEGERS:
            text = str(int(text))
        elif kind == XSD + "decimal":
            text = _number(text)
        elif kind in {XSD + "double", XSD + "float"}:
            text = repr(float(text))
        elif kind == XSD + "boolean":
            text = {"1": "true", "0": "false"}.get(text, text)
    except (ValueError, InvalidOperation):
        return term
    return Literal(text, datatype=term.datatype)


def _number(text: str) -> str:
    return str(Decimal(text).normalize(EXACT))


def _results(body: bytes, form: QueryResultsFormat | None) -> bool | Table:
    results = parse_query_results(body, form)
    if isinstance(results, QueryBoolean):
        return bool(results)
    names = [variable.value for variable in results.variables]
    rows = []
    for solution in results:
        found = ((name, solution[name]) for name in names)
        rows.append(tuple((name, term) for name, term in found if term is not None))
    return Table(frozenset(names), tuple(rows))


def _csv(text: str) -> Table:
    """CSV says neither kinds nor datatypes: cells are texts, blank nodes by their prefix, an empty one is unbound."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = next(lines)
    rows = []
    for line in lines:
        if len(line) != len(names):
            raise UnreadableAnswer(f"a line has {len(line)} cells instead of {len(names)}: {line}")
        rows.append(tuple((name, _cell(cell)) for name, cell in zip(names, line, strict=True) if cell))
    return Table(frozenset(names), tuple(rows))


def _cell(cell: str) -> Term:
    if cell.startswith("_:"):
        return BlankNode(cell[2:])
    number = NUMBER.fullmatch(cell)
    return Literal(cell, datatype=NamedNode(XSD + "decimal")) if number else Literal(cell)


def _described_table(graph: Dataset, table: NamedNode | BlankNode | Triple) -> Table:
    names = frozenset(_text(term) for term in _objects(graph, table, "resultVariable"))
    rows = []
    for solution in _objects(graph, table, "solution"):
        row: list[tuple[str, Term]] = []
        for binding in _objects(graph, solution, "binding"):
            (name,), (value,) = _objects(graph, binding, "variable"), _objects(graph, binding, "value")
            row.append((_text(name), value))
        rows.append(tuple(row))
    return Table(names, tuple(rows))


def _objects(graph: Dataset, subject: Term, name: str) -> list[Term]:
    if isinstance(subject, Literal):
        return []
    return [quad.object for quad in graph.quads_for_subject(subject) if quad.predicate.value == RS + name]


def _text(term: Term) -> str:
    return term.value if isinstance(term, Literal) else str(term)


def _shown(answer: Answer) -> str:
    """An answer on one short line."""
    if isinstance(answer, bool):
        return str(answer).lower()
    if isinstance(answer, Table):
        rows = ["{" + ", ".join(f"?{n} {t}" for n, t in sorted(row, key=_name)) + "}" for row in answer.rows]
        head = f"{len(rows)} rows: " + " ".join(sorted(rows))
    else:
        head = f"{len(answer)} triples: " + " . ".join(sorted(str(quad) for quad in answer))
    return head if len(head) <= 240 else head[:239] + "…"
