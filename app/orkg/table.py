"""The table of a comparison as cells with provenance. Pure: answers in, values out.

A cell is a column, a path of predicates and one value; a table says nothing of the order of several values, nor that
values in one physical row belong together (they do not). Below a value stand the values that belong to it.

Cells have no provenance of their own: it is on the statements behind them, which are joined here by the path that
leads to the value. A cell of a frozen version may have no statement any more, and a statement may have come since:
both are told.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.errors import OrkgChanged
from app.orkg.values import NOBODY, Comparison, Contents, Method, Path, Ref, Row, SourceKind, Statement, Thing

_XSD = "http://www.w3.org/2001/XMLSchema#"
Place = tuple[str, ...]
"""Identifiers of the predicates that lead from a column's source to a value."""


class Origin(StrEnum):
    """Where the cells of a table were read from. All but CONTENTS are reconstructions."""

    CONTENTS = "contents"
    STATEMENTS = "statements"
    SPARQL = "sparql"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The statement behind a value: who made it, when and how. Method UNKNOWN means that this was not recorded."""

    statement: str
    created_by: str
    created_at: str
    method: Method

    @property
    def creator(self) -> str | None:
        """Who made it, where that is known."""
        return None if self.created_by == NOBODY else self.created_by


@dataclass(frozen=True, slots=True)
class Column:
    """One compared thing, as the comparison shows it. `doi` and `authors` are those of its paper."""

    source: str
    label: str
    kind: SourceKind = SourceKind.THING
    paper: str | None = None
    paper_title: str | None = None
    doi: str | None = None
    authors: tuple[str, ...] = ()
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one column under one path. `above` are the values that it belongs to, from the top down."""

    column: str
    path: Place
    value: Ref
    above: tuple[Ref, ...] = ()
    statements: tuple[Provenance, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for cells that say the same at the same place, whatever statements are behind them."""
        return self.column, self.path, tuple(map(sameness, self.above)), sameness(self.value)


@dataclass(frozen=True, slots=True)
class Table:
    """The table of one version: `version` is its identifier, `head` the identifier of the editable comparison.

    `since` are values that the live graph has under the chosen paths and a frozen version has not.
    """

    head: str
    version: str
    title: str
    dated: str
    """When the version was made, as the service says it."""
    published: bool
    withdrawn: bool
    columns: tuple[Column, ...]
    paths: tuple[Path, ...]
    cells: tuple[Cell, ...]
    origin: Origin = Origin.CONTENTS
    doi: str | None = None
    since: tuple[Cell, ...] = field(default=())

    @property
    def reconstructed(self) -> bool:
        """Whether the cells were put together from statements, because the service gave no table."""
        return self.origin is not Origin.CONTENTS

    @property
    def places(self) -> dict[Place, tuple[Path, ...]]:
        """Every chosen path from the top down, by its identifiers."""
        return {tuple(one.id for one in chain): chain for path in self.paths for chain in path.walk()}

    @property
    def fingerprint(self) -> str:
        """A SHA-256 of what the table says: columns, paths and cells, in no order of the service's making."""
        content = {
            "title": self.title,
            "withdrawn": self.withdrawn,
            "origin": self.origin.value,
            "columns": sorted([one.source, one.label, one.paper or "", one.doi or ""] for one in self.columns),
            "paths": sorted(".".join(place) for place in self.places),
            "cells": sorted(json.dumps(one.key, ensure_ascii=False) for one in self.cells),
            "statements": sorted(each.statement for one in self.cells for each in one.statements),
        }
        return digest_of(content)


def digest_of(content: Any) -> str:
    """The SHA-256 of plain data, written in one way."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sameness(value: Ref) -> tuple[str, ...]:
    """Equal for references to the same thing, and for literals of the same characters and datatype."""
    if value.literal:
        return ("", value.label, full_datatype(value.datatype))
    return (value.id or "",)


def full_datatype(name: str | None) -> str:
    """A datatype in full: xsd:integer as its IRI; text is the default."""
    if name is None:
        return f"{_XSD}string"
    return _XSD + name.removeprefix("xsd:") if name.startswith("xsd:") else name


def columns_of(comparison: Comparison, contents: Contents, address: str) -> tuple[str, ...]:
    """The sources of the columns, in the order of the table; OrkgChanged for a table that is not whole."""
    if len(contents.subtitles) != len(contents.titles):
        problem = f"{len(contents.titles)} titles have {len(contents.subtitles)} subtitles"
        raise OrkgChanged(address, problem, pointer="/subtitles")
    found = tuple(
        (title if subtitle is None else subtitle).id or ""
        for title, subtitle in zip(contents.titles, contents.subtitles, strict=True)
    )
    missing = [one.id for one in comparison.sources if one.id not in set(found)]
    if missing:
        told = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise OrkgChanged(
            address, f"{len(missing)} of {len(comparison.sources)} sources have no column: {told}", pointer="/titles"
        )
    _check_rows(contents.values, len(found), address, "/values")
    return found


def _check_rows(values: Mapping[str, Sequence[Row]], width: int, address: str, pointer: str) -> None:
    for name, rows in values.items():
        for number, row in enumerate(rows):
            here = f"{pointer}/{name}/{number}"
            if len(row.values) != width:
                problem = f"the row has {len(row.values)} values for {width} columns"
                raise OrkgChanged(address, problem, pointer=f"{here}/values")
            _check_rows(row.children, width, address, f"{here}/children")


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a subject along a predicate to a value, with the statement behind it, where that is known."""

    subject: str
    predicate: str
    value: Ref
    provenance: Provenance | None = None


class Graph:
    """Steps that lead on from the sources of a comparison."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps: dict[tuple[str, str], dict[Step, None]] = defaultdict(dict)
        for one in steps:
            self._steps[one.subject, one.predicate][one] = None

    def steps(self, subject: str, predicate: str) -> Iterable[Step]:
        """The steps from a subject along a predicate."""
        return self._steps.get((subject, predicate), ())


def step_of(statement: Statement) -> Step:
    """A statement as a step."""
    told = Provenance(statement.id, statement.created_by, statement.created_at, statement.method)
    return Step(statement.subject.id, statement.predicate.id, ref_of(statement.object), told)


def cells_of(columns: Sequence[str], contents: Contents, graph: Graph) -> tuple[Cell, ...]:
    """The cells of a table, each with the statements behind it."""
    found: list[Cell] = []
    for number, column in enumerate(columns):
        _read_down(number, column, column, (), (), contents.selected_paths, contents.values, graph, found)
    return tuple(found)


def _read_down(
    number: int,
    column: str,
    subject: str | None,
    place: Place,
    above: tuple[Ref, ...],
    paths: Sequence[Path],
    values: Mapping[str, Sequence[Row]],
    graph: Graph,
    found: list[Cell],
) -> None:
    """Read one column down, and below each value what belongs to it."""
    for path in paths:
        here = (*place, path.id)
        for row in values.get(path.id, ()):
            value = row.values[number]
            if value is None:
                continue
            behind = () if subject is None else graph.steps(subject, path.id)
            statements = tuple(
                one.provenance for one in behind if one.provenance and sameness(one.value) == sameness(value)
            )
            found.append(Cell(column, here, value, above, statements))
            _read_down(number, column, value.id, here, (*above, value), path.children, row.children, graph, found)


def live_cells(columns: Iterable[str], paths: Sequence[Path], graph: Graph) -> tuple[Cell, ...]:
    """What the live graph says along these paths: the table as it would be, put together from statements."""
    found: dict[tuple[Any, ...], Cell] = {}
    for column in columns:
        for cell in _walk(column, column, (), (), paths, graph):
            known = found.get(cell.key)
            found[cell.key] = cell if known is None else _joined(known, cell)
    return tuple(found.values())


def _walk(
    column: str, subject: str, place: Place, above: tuple[Ref, ...], paths: Sequence[Path], graph: Graph
) -> Iterable[Cell]:
    for path in paths:
        here = (*place, path.id)
        for one in graph.steps(subject, path.id):
            yield Cell(column, here, one.value, above, (one.provenance,) if one.provenance else ())
            if path.children and one.value.id is not None:
                yield from _walk(column, one.value.id, here, (*above, one.value), path.children, graph)


def _joined(one: Cell, other: Cell) -> Cell:
    """Two equal values as one cell with the statements of both."""
    return Cell(one.column, one.path, one.value, one.above, tuple(dict.fromkeys((*one.statements, *other.statements))))


def ref_of(thing: Thing) -> Ref:
    """A thing as a table would show it."""
    if thing.kind == "literal":
        return Ref("literal_ref", thing.label, None, thing.datatype)
    if thing.kind == "predicate":
        return Ref("predicate_ref", thing.label, thing.id, uri=thing.uri)
    if thing.kind == "class":
        return Ref("class_ref", thing.label, thing.id, uri=thing.uri)
    return Ref("resource_ref", thing.formatted_label or thing.label, thing.id, classes=thing.classes, uri=thing.uri)
