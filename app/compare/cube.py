"""Tables as RDF Data Cube (W3C, 2014): an observation per measured value, with unit (QUDT) and origin (PROV). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app import vocab
from app.compare.grid import Grid, GridColumn
from app.model.claims import resource
from app.model.rdf import IRI, TYPE, Term, Triple, iri, literal, text

_NOT_IN_IRIS = set(' <>"{}|^`\\\n\t\r')
_ROLES = {"dimension": vocab.qb.dimension, "measure": vocab.qb.measure, "attribute": vocab.qb.attribute}


def cube(grid: Grid, address: str, revision: int) -> Iterator[Triple]:
    """The table as a data set whose IRI is its address, derived from a revision of the graph."""
    table = grid.long or grid
    whole, structure = iri(address), iri(f"{address}#structure")
    yield Triple(whole, TYPE, iri(vocab.qb.DataSet))
    yield Triple(whole, iri(vocab.rdfs.label), text(grid.title))
    yield Triple(whole, iri(vocab.prov.wasDerivedFrom), resource("revision", str(revision)))
    yield Triple(whole, iri(vocab.qb.structure), structure)
    for note in grid.notes:
        yield Triple(whole, iri(vocab.rdfs.comment), text(note))
    yield Triple(structure, TYPE, iri(vocab.qb.DataStructureDefinition))
    yield from _structure(table, structure, address)
    for number, row in enumerate(table.rows, start=1):
        yield from _row(table, row, whole, f"{address}#row{number}")


def _structure(table: Grid, structure: IRI, address: str) -> Iterator[Triple]:
    roles = {_property(address, one): _ROLES[one.role] for one in table.columns}
    roles |= {iri(vocab.qb.measureType): vocab.qb.dimension, iri(vocab.qudt.hasUnit): vocab.qb.attribute}
    for number, (prop, role) in enumerate(roles.items(), start=1):
        component = iri(f"{structure.value}-{number}")
        yield Triple(structure, iri(vocab.qb.component), component)
        yield Triple(component, iri(role), prop)
    for one in table.columns:
        if one.iri == vocab.rdf.value:
            yield Triple(_property(address, one), iri(vocab.rdfs.label), text(one.label))


def _row(table: Grid, row: Any, whole: IRI, name: str) -> Iterator[Triple]:
    told = [
        Triple(iri(name), _property(whole.value, one), term)
        for one, value in zip(table.columns, row, strict=True)
        if one.role != "measure"
        for term in _terms(one, value)
    ]
    measures = [(one, row[place]) for place, one in enumerate(table.columns) if one.role == "measure"]
    for place, (one, value) in enumerate(measures):
        node = iri(name if len(measures) == 1 else f"{name}-{place + 1}")
        terms = list(_terms(one, value))
        if not terms:
            continue
        prop = _property(whole.value, one)
        yield Triple(node, TYPE, iri(vocab.qb.Observation))
        yield Triple(node, iri(vocab.qb.dataSet), whole)
        yield Triple(node, iri(vocab.qb.measureType), prop)
        yield from (Triple(node, prop, term) for term in terms)
        if one.unit:
            yield Triple(node, iri(vocab.qudt.hasUnit), iri(one.unit))
        yield from (Triple(node, triple.predicate, triple.object) for triple in told)


def _property(address: str, column: GridColumn) -> IRI:
    """The property of a column; one without an IRI of its own gets one within the data set."""
    if column.iri != vocab.rdf.value:
        return iri(column.iri)
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in column.name)
    return iri(f"{address.partition('#')[0]}#{name}")


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://")) and not set(value) & _NOT_IN_IRIS


def _terms(column: GridColumn, value: Any) -> Iterator[Term]:
    if value is None:
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        if column.kind in {"iri", "list"} or (column.kind == "thing" and _is_address(one)):
            yield iri(one)
        elif column.kind == "model":
            yield resource("model", one)
        else:
            yield literal(one)
