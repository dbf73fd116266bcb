"""What would go out as files, for a person without an account of ours: ORKG's import table, and RDF. Pure.

The table follows the schema of the ORKG's CSV import (a row makes a contribution of a paper): headers `paper:…` and
`contribution:…`, one column `orkg:<predicate><type>` for each value of a row. It knows neither labels nor IRIs of
contributions, and takes one extraction method for a row.

The RDF says the same in the ORKG's own terms (`orkgc:`, `orkgp:`, as its dump does) under our stable IRIs, and as an
RDF Data Cube in which each value is an observation with its measure, its unit and where it comes from.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app import vocab
from app.model.claims import digest
from app.model.rdf import IRI, TYPE, XSD, Literal, Term, Triple, iri, literal
from app.orkg.intent import Intent, Wanted, WantedColumn, WantedRow
from app.orkg.values import Method

_NS: Final = "http://orkg.org/orkg/"
_TYPES: Final = {"xsd:integer": "integer", "xsd:decimal": "decimal", "xsd:boolean": "boolean", "xsd:anyURI": "url"}
"""Types of the import table by datatype; everything else is text."""
_PAPER: Final = ("title", "doi", "authors", "publication_month", "publication_year", "research_field", "url")
_ENDS_AS_TYPE: Final = re.compile(r"<[^\n]+>$")
_NAMESPACE: Final = re.compile(r"(?:orkg|resource):")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SIGNED: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[a-zA-Z0-9:_-]+")


@dataclass(frozen=True, slots=True)
class Left:
    """A value or a whole model that the table cannot hold."""

    column: str
    row: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """The import table as text, and what it cannot hold."""

    text: str
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What we hold on one question: the values in the property's own unit, and the IRIs of the claims behind them."""

    values: tuple[Wanted, ...]
    claims: tuple[str, ...] = ()


def import_table(intent: Intent) -> Table:
    """An intent as the ORKG's import table (RFC 4180): one row for each contribution of ours."""
    left: list[Left] = []
    rows = {row.key: row for row in intent.rows}
    for row in intent.rows:
        if row.id is None:
            left.append(Left("", row.key, "no predicate is confirmed for it"))
    columns = [one for one in intent.columns if _fits(one, left)]
    width = {
        row.key: max((len(one.cells.get(row.key, ())) for one in columns), default=0)
        for row in intent.rows
        if row.id is not None
    }
    places = [(key, number) for key, count in width.items() for number in range(count)]
    kinds = {key: _kind(columns, key) for key in width}
    header = [f"paper:{name}" for name in _PAPER]
    header += ["contribution:extraction_method", *(_header(rows[key], kinds[key]) for key, _ in places)]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for column in columns:
        writer.writerow([*_about(column, intent), *_cells(column, places, kinds, left)])
    return Table(buffer.getvalue(), tuple(left))


def graph(
    intent: Intent,
    address: str,
    *,
    revision: int,
    units: Mapping[str, str],
    held: Mapping[tuple[str, str], Known],
) -> Iterator[Triple]:
    """An intent as RDF: in the ORKG's terms, and as a Data Cube whose IRI is `address`, made of a revision.

    `units` are those of properties, by IRI; `held` is what the cube says, by IRI of the model and key of the row.
    """
    yield from _orkg(intent, address)
    yield from _structure(intent, address, revision, units)
    for column in intent.columns:
        for row in intent.rows:
            if row.key in column.cells:
                found = held.get((column.uri, row.key)) or Known(column.cells[row.key])
                yield from _observations(address, column, row, found, units.get(row.uri))


# The import table


def _fits(column: WantedColumn, left: list[Left]) -> bool:
    """Whether the table can hold a model at all: it makes contributions, and changes none."""
    if column.contribution is not None or column.paper is None:
        left.append(Left(column.label, None, "the table makes new contributions only"))
        return False
    return True


def _kind(columns: list[WantedColumn], key: str) -> str | None:
    """The type of a row's values; None for things, text where they differ."""
    values = [one for column in columns for one in column.cells.get(key, ())]
    if values and all(one.uri is not None for one in values):
        return None
    kinds = {_TYPES.get(one.datatype or "", "text") if one.uri is None else "text" for one in values}
    return kinds.pop() if len(kinds) == 1 else "text"


def _header(row: WantedRow, kind: str | None) -> str:
    return f"orkg:{row.id}" if kind is None else f"orkg:{row.id}<{kind}>"


def _about(column: WantedColumn, intent: Intent) -> list[str]:
    """The first cells of a row: the paper, and how its values came to be."""
    paper = column.paper
    assert paper is not None  # noqa: S101 - `_fits` has looked
    methods = {one.method for cell in column.cells.values() for one in cell}
    method = methods.pop() if len(methods) == 1 else Method.UNKNOWN
    return [
        paper.title,
        paper.doi or "",
        "; ".join(author.name for author in paper.authors),
        str(paper.published_month or ""),
        str(paper.published_year or ""),
        intent.comparison.research_field or "R133",
        paper.url or "",
        method.value,
    ]


def _cells(
    column: WantedColumn, places: list[tuple[str, int]], kinds: Mapping[str, str | None], left: list[Left]
) -> list[str]:
    found = []
    for key, number in places:
        values = column.cells.get(key, ())
        value = values[number] if number < len(values) else None
        if value is None:
            found.append("")
            continue
        problem = _problem(value.label)
        if problem:
            left.append(Left(column.label, key, f"{value.label!r} {problem}"))
        found.append("" if problem else f"resource:{value.label}" if kinds[key] is None else value.label)
    return found


def _problem(label: str) -> str:
    """Why characters cannot stand in the table: the import, or a spreadsheet on the way, would read them otherwise."""
    if _ENDS_AS_TYPE.search(label):
        return "would be read as a type"
    if _NAMESPACE.match(label):
        return "would be read as an identifier"
    if label.startswith(_FORMULA) and not _SIGNED.fullmatch(label):
        return "would be read as a formula by a spreadsheet"
    return ""


# RDF


def _orkg(intent: Intent, address: str) -> Iterator[Triple]:
    """The contributions as the ORKG would say them, under our IRIs; papers and predicates under theirs where known."""
    comparison = iri(f"{address}#comparison")
    yield Triple(comparison, TYPE, iri(vocab.orkgc.Comparison))
    yield Triple(comparison, iri(vocab.rdfs.label), literal(intent.comparison.title))
    for reference in intent.comparison.references:
        yield Triple(comparison, _predicate("reference"), literal(reference))
    for source in intent.comparison.sources:
        yield Triple(comparison, _predicate("compareContribution"), _resource(source.id))
    for row in intent.rows:
        node = _row_iri(row)
        yield Triple(node, TYPE, iri(f"{_NS}class/Predicate"))
        yield Triple(node, iri(vocab.rdfs.label), literal(row.label))
        if row.id is not None:
            yield Triple(node, iri(vocab.rdfs.seeAlso), iri(row.uri))
    for column in intent.columns:
        node = _resource(column.contribution) if column.contribution else iri(column.uri)
        yield Triple(comparison, _predicate("compareContribution"), node)
        yield Triple(node, TYPE, iri(f"{_NS}class/Resource"))
        yield Triple(node, TYPE, iri(vocab.orkgc.Contribution))
        yield Triple(node, iri(vocab.rdfs.label), literal(column.label))
        paper = column.paper
        if paper is not None:
            about = _resource(paper.id) if paper.id else iri(f"{column.uri}#paper")
            yield Triple(about, TYPE, iri(vocab.orkgc.Paper))
            yield Triple(about, iri(vocab.rdfs.label), literal(paper.title))
            yield Triple(about, _predicate("P31"), node)
            if paper.doi:
                yield Triple(about, _predicate("P26"), literal(paper.doi))
        for row in intent.rows:
            for value in column.cells.get(row.key, ()):
                yield Triple(node, _row_iri(row), _term(value))
                if value.uri is not None:
                    yield Triple(iri(value.uri), iri(vocab.rdfs.label), literal(value.label))


def _structure(intent: Intent, address: str, revision: int, units: Mapping[str, str]) -> Iterator[Triple]:
    whole, structure = iri(address), iri(f"{address}#structure")
    yield Triple(whole, TYPE, iri(vocab.qb.DataSet))
    yield Triple(whole, iri(vocab.rdfs.label), literal(intent.comparison.title))
    yield Triple(whole, iri(vocab.qb.structure), structure)
    yield Triple(whole, iri(vocab.prov.wasDerivedFrom), iri(f"{vocab.BASE}resource/revision/{revision}"))
    yield Triple(structure, TYPE, iri(vocab.qb.DataStructureDefinition))
    parts: list[tuple[IRI, str, str]] = [
        (_own(address, "model"), vocab.qb.dimension, vocab.qb.DimensionProperty),
        (iri(vocab.qb.measureType), vocab.qb.dimension, vocab.qb.DimensionProperty),
        (_own(address, "repetition"), vocab.qb.dimension, vocab.qb.DimensionProperty),
        *((iri(row.uri), vocab.qb.measure, vocab.qb.MeasureProperty) for row in intent.rows),
        (iri(vocab.qudt.hasUnit), vocab.qb.attribute, vocab.qb.AttributeProperty),
        (iri(vocab.prov.wasDerivedFrom), vocab.qb.attribute, vocab.qb.AttributeProperty),
    ]
    for number, (prop, role, kind) in enumerate(parts, start=1):
        component = iri(f"{address}#component-{number}")
        yield Triple(structure, iri(vocab.qb.component), component)
        yield Triple(component, TYPE, iri(vocab.qb.ComponentSpecification))
        yield Triple(component, iri(role), prop)
        yield Triple(component, iri(vocab.qb.order), literal(number))
        yield Triple(prop, TYPE, iri(kind))
        if role == vocab.qb.attribute:
            yield Triple(component, iri(vocab.qb.componentRequired), literal(value=False))
    yield Triple(_own(address, "model"), iri(vocab.rdfs.label), literal("model"))
    yield Triple(_own(address, "model"), iri(vocab.rdfs.range), iri(vocab.slm.LanguageModel))
    yield Triple(_own(address, "repetition"), iri(vocab.rdfs.label), literal("number of the value within its cell"))
    for row in intent.rows:
        yield Triple(iri(row.uri), iri(vocab.rdfs.label), literal(row.label))
        if row.uri in units:
            yield Triple(iri(row.uri), iri(vocab.qudt.hasUnit), iri(units[row.uri]))


def _observations(
    address: str, column: WantedColumn, row: WantedRow, held: Known, unit: str | None
) -> Iterator[Triple]:
    for number, value in enumerate(held.values, start=1):
        node = _own(address, f"o-{digest(column.uri, row.uri, str(number))}")
        yield Triple(node, TYPE, iri(vocab.qb.Observation))
        yield Triple(node, iri(vocab.qb.dataSet), iri(address))
        yield Triple(node, _own(address, "model"), iri(column.uri))
        yield Triple(node, iri(vocab.qb.measureType), iri(row.uri))
        yield Triple(node, _own(address, "repetition"), literal(number))
        yield Triple(node, iri(row.uri), _term(value))
        if unit is not None:
            yield Triple(node, iri(vocab.qudt.hasUnit), iri(unit))
        for claim in held.claims:
            yield Triple(node, iri(vocab.prov.wasDerivedFrom), iri(claim))


def _own(address: str, name: str) -> IRI:
    return iri(f"{address}#{name}")


def _row_iri(row: WantedRow) -> IRI:
    """The predicate of a row: the ORKG's where it is confirmed, ours otherwise."""
    return iri(row.uri) if row.id is None else _predicate(row.id)


def _predicate(identifier: str) -> IRI:
    return iri(f"{_NS}predicate/{_checked(identifier)}")


def _resource(identifier: str) -> IRI:
    return iri(f"{_NS}resource/{_checked(identifier)}")


def _checked(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"{identifier!r} is no identifier of the ORKG")
    return identifier


def _term(value: Wanted) -> Term:
    if value.uri is not None:
        return iri(value.uri)
    datatype = value.datatype or "xsd:string"
    full = XSD + datatype.removeprefix("xsd:") if datatype.startswith("xsd:") else datatype
    return Literal(value.label, datatype=iri(full))
