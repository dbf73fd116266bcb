"""A table that every export can write: columns that know their unit and their IRI, rows of plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One column. `iri` is its property; `role` is dimension, measure or attribute (RDF Data Cube).

    `kind` is text, number, truth, iri or list (of IRIs); `unit` and `symbol` name the unit of its numbers.
    """

    name: str
    label: str
    iri: str
    role: str = "attribute"
    kind: str = "text"
    unit: str | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with what a reader must know of it. `long` holds the same with one value a row, for RDF."""

    title: str
    columns: tuple[GridColumn, ...]
    rows: Sequence[Sequence[Any]]
    notes: tuple[str, ...] = ()
    long: Grid | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gives: a JSON object, and the same as a table. `next` is the cursor of the next page."""

    body: Mapping[str, Any]
    grid: Grid
    next: str | None = None
