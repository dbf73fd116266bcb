"""The shapes of answers, with data frames of them. They keep members that this version does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, PrivateAttr

from app.client.errors import BadAnswer, MissingLibrary

if TYPE_CHECKING:
    import pandas as pd

Plain: TypeAlias = bool | int | float | str

_XSD = "http://www.w3.org/2001/XMLSchema#"
_WHOLE = frozenset(_XSD + name for name in ("integer", "int", "long", "nonNegativeInteger", "positiveInteger"))
_BROKEN = frozenset(_XSD + name for name in ("decimal", "double", "float"))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one address."""

    path: str
    parameters: tuple[tuple[str, str], ...]
    revision: int | None

    def address(self) -> str:
        """Path and query. With a revision it is the address at which the answer stands for ever."""
        place = self.path if self.revision is None else f"/r/{self.revision}{self.path}"
        return f"{place}?{urlencode(self.parameters, quote_via=quote)}" if self.parameters else place


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Answer(_Shape):
    """An answer of the service: the revision that it was made from, and what it was asked."""

    revision: int
    _question: Question | None = PrivateAttr(None)
    _base: str = PrivateAttr("")

    def bound(self, question: Question, base: str) -> Self:
        """This answer, which knows what it answers and which service gave it."""
        self._question, self._base = question, base
        return self

    @property
    def question(self) -> Question | None:
        """What this answers."""
        return self._question

    @property
    def address(self) -> str:
        """Where this answer can be had again, for ever: it names the revision."""
        return self._base + replace(self._question, revision=self.revision).address() if self._question else ""


class Sources(_Shape):
    """How many sources stand behind a value and against it."""

    agreeing: int
    disagreeing: int


class Interval(_Shape):
    """How sure a value is, and by what."""

    lower: float
    upper: float
    basis: str | None = None


class Thing(_Shape):
    """A thing with an IRI."""

    iri: str
    name: str
    label: str


class Unit(_Shape):
    """A unit of measure."""

    iri: str
    symbol: str
    label: str


class Cell(_Shape):
    """One column of one model; `value` is None where there is none, and `reason` says why."""

    value: Plain | list[Plain] | None
    status: str
    unit: str | None = None
    badge: str | None = None
    reported: str | None = None
    interval: Interval | None = None
    reason: str | None = None
    candidates: list[Plain] = []
    things: list[Thing] = []
    sources: Sources
    claims: list[str] = []
    formula: str | None = None
    conditions: dict[str, Plain] | None = None


class Column(_Shape):
    """A property or metric at the head of a column."""

    name: str
    iri: str
    label: str
    definition: str
    of: str
    kind: str
    several: bool
    range: str | None = None
    unit: Unit | None = None


class ModelHead(_Shape):
    """A model at the head of a row."""

    slug: str
    iri: str
    label: str
    baseline: bool


class Row(_Shape):
    """The cells of one model by column, or of one property by model."""

    model: str | None = None
    property: str | None = None
    cells: dict[str, Cell]


class Claim(_Shape):
    """What a claim or observation says, as `evidence=True` tells it."""

    reported: str | None
    locator: str | None
    status: str | None
    source: str | None
    title: str | None


class CellStep(_Shape):
    """A revision that changed a cell: who made it, when and why, and what the cell said before and after.

    An observation that came has its IRI in `observation`, and neither `property` nor cells.
    """

    revision: int
    made_at: datetime
    author: Thing
    reason: str
    kind: Literal["added", "removed", "changed", "status", "evidence"]
    property: str | None
    observation: str | None
    old: Cell | None
    new: Cell | None


class History(_Shape):
    """In which revisions cells changed, as `history=True` tells it, the newest first.

    `since` is the oldest revision that was looked at; `complete` says that nothing older was left out.
    """

    since: int
    complete: bool
    cells: dict[str, dict[str, list[CellStep]]]

    def of(self, model: str, column: str) -> list[CellStep]:
        """The past of one cell; empty where it has not changed since."""
        return self.cells.get(model, {}).get(column, [])


class Comparison(Answer):
    """Models by properties and metrics."""

    spec: str
    total: int
    next: str | None
    notes: list[str]
    models: list[ModelHead]
    properties: list[Column]
    groups: list[dict[str, Any]]
    rows: list[Row]
    evidence: dict[str, Claim] | None = None
    history: History | None = None

    def cell(self, model: str, column: str) -> Cell:
        """One cell, whichever way the table is turned; KeyError."""
        for row in self.rows:
            if row.model == model:
                return row.cells[column]
            if row.property == column:
                return row.cells[model]
        raise KeyError((model, column))

    def to_pandas(
        self, part: Literal["value", "status", "badge", "reported", "unit", "reason"] = "value"
    ) -> pd.DataFrame:
        """A data frame as the table is turned, of values or of another part of the cells.

        The revision, the units and the address are in its `attrs`.
        """
        key = "property" if any(row.property for row in self.rows) else "model"
        frame = _frame([{name: getattr(cell, part) for name, cell in row.cells.items()} for row in self.rows])
        frame.index = _pandas().Index([getattr(row, key) for row in self.rows], name=key)
        units = {one.name: one.unit.symbol for one in self.properties if one.unit}
        frame.attrs = {"revision": self.revision, "units": units, "address": self.address}
        return frame


class Observations(Answer):
    """Observations with all their conditions."""

    total: int
    next: str | None
    items: list[dict[str, Any]]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each observation."""
        return _frame(self.items)


class Entry(_Shape):
    """A model in a ranking; models that share a rank are not separated by the data."""

    rank: int
    tied: int
    model: str
    label: str
    value: float
    reported: str | None
    interval: Interval | None
    badge: str
    sources: Sources
    observation: str
    source: str | None


class Ranking(_Shape):
    """The ranking of one setting."""

    conditions: dict[str, Plain]
    protocol: str | None
    models: int
    classes: int
    basis: str | None
    entries: list[Entry]


class Leaderboard(Answer):
    """The rankings of a benchmark, one for each setting."""

    benchmark: Thing
    metric: str | None
    unit: str | None
    best: str
    chance: float | None
    rankings: list[Ranking]
    notes: list[str]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each entry with the conditions of its ranking: compare ranks within one `ranking` only."""
        return _frame(
            [
                {
                    "ranking": number,
                    **{name: value for name, value in ranking.conditions.items() if name != "settings"},
                    "rank": entry.rank,
                    "tied": entry.tied,
                    "model": entry.model,
                    "value": entry.value,
                    "lower": entry.interval.lower if entry.interval else None,
                    "upper": entry.interval.upper if entry.interval else None,
                    "badge": entry.badge,
                    "source": entry.source,
                }
                for number, ranking in enumerate(self.rankings, start=1)
                for entry in ranking.entries
            ]
        )


class Fitting(_Shape):
    """A model that fits, with each part of its memory in bytes."""

    model: str
    label: str
    weights: float
    cache: float
    buffers: float
    total: float
    share: float
    parameters: Cell
    best: Cell | None


class Fit(Answer):
    """The models that fit into a memory."""

    memory: float
    context: int
    bits: float
    formulas: list[dict[str, str]]
    total: int
    unknown: list[str]
    models: list[Fitting]
    notes: list[str]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each model, memory in bytes."""
        return _frame(
            [
                {
                    **{name: getattr(one, name) for name in ("model", "weights", "cache", "buffers", "total", "share")},
                    "parameters": one.parameters.value,
                    "best": one.best.value if one.best else None,
                }
                for one in self.models
            ]
        )


class Facet(_Shape):
    """A column with counts: of names in `values`, of numbers in `bins`."""

    name: str
    label: str
    kind: str
    unit: str | None
    known: int
    missing: int
    values: list[dict[str, Any]]
    bins: list[dict[str, Any]]


class Facets(Answer):
    """How many models have which value."""

    total: int
    facets: list[Facet]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each value or bar."""
        return _frame(
            [{"column": one.name, **value} for one in self.facets for value in (*one.values, *one.bins)],
        )


class Source(_Shape):
    """A source of claims."""

    iri: str
    title: str
    type: str
    trust_rank: int
    address: str | None


class ModelClaim(_Shape):
    """What one source says about a property of a model."""

    iri: str
    value: Plain
    reported: str
    source: Source
    locator: str
    status: str
    note: str | None


class Fact(_Shape):
    """Everything that is known about one property of one model."""

    property: Column
    cell: Cell
    claims: list[ModelClaim]
    disagreement: dict[str, Any] | None
    derivation: dict[str, Any] | None


class ModelPage(Answer):
    """A model with everything that is known about it."""

    model: dict[str, Any]
    properties: list[Fact]
    layer_groups: list[dict[str, Any]]

    def fact(self, name: str) -> Fact:
        """The facts of one property; KeyError."""
        for one in self.properties:
            if one.property.name == name:
                return one
        raise KeyError(name)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each property, the missing ones with the reason."""
        return _frame(
            [
                {
                    "property": one.property.name,
                    "value": one.cell.value,
                    "unit": one.cell.unit,
                    "status": one.cell.status,
                    "reason": one.cell.reason,
                    "agreeing": one.cell.sources.agreeing,
                    "disagreeing": one.cell.sources.disagreeing,
                }
                for one in self.properties
            ]
        )


class Properties(Answer):
    """Everything that can be compared."""

    properties: list[Column]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each property."""
        names = ("name", "label", "definition", "of", "kind", "several", "range")
        return _frame(
            [
                {name: getattr(one, name) for name in names} | {"unit": one.unit.symbol if one.unit else None}
                for one in self.properties
            ]
        )


class ModelLine(_Shape):
    """A model on one line."""

    slug: str
    iri: str
    label: str
    baseline: bool
    identifier: str | None
    aliases: list[str]
    released: str | None
    parameters: int | None


class Models(Answer):
    """One page of the list of models."""

    total: int
    page: int
    limit: int
    items: list[ModelLine]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each model."""
        return _frame([one.model_dump() for one in self.items])


class ExampleQuery(_Shape):
    """An example of a SPARQL query."""

    name: str
    title: str
    about: str
    text: str


class ExampleQueries(_Shape):
    """Example queries; they are the same at each revision."""

    queries: list[ExampleQuery]


class Solutions(Answer):
    """The answer to a SPARQL query: rows of a SELECT, the truth of an ASK, or a graph as Turtle.

    In rows numbers and truth values are Python's, everything else is text; what is unbound is left out.
    """

    columns: list[str] = []
    rows: list[dict[str, Plain]] = []
    truth: bool | None = None
    turtle: str | None = None

    def to_pandas(self) -> pd.DataFrame:
        """A row for each solution."""
        return _frame([{name: row.get(name) for name in self.columns} for row in self.rows], self.columns)


def solutions(body: bytes, content_type: str, revision: int) -> Solutions:
    """The answer to a SPARQL query; BadAnswer."""
    if content_type.startswith("text/turtle"):
        return Solutions(revision=revision, turtle=body.decode())
    try:
        told = json.loads(body)
        if "boolean" in told:
            return Solutions(revision=revision, truth=told["boolean"])
        rows = [{name: _python(term) for name, term in row.items()} for row in told["results"]["bindings"]]
        return Solutions(revision=revision, columns=told["head"]["vars"], rows=rows)
    except (ValueError, KeyError, TypeError) as error:
        raise BadAnswer("the answer is no SPARQL result") from error


def _python(term: Mapping[str, str]) -> Plain:
    """A term of SPARQL results as a value of Python; its characters where they are no good number."""
    value, kind = term["value"], term.get("datatype", "")
    if term["type"] == "bnode":
        return f"_:{value}"
    if kind == f"{_XSD}boolean":
        return value in {"true", "1"}
    with suppress(ValueError):
        if kind in _WHOLE:
            return int(value)
        if kind in _BROKEN:
            return float(value)
    return value


def _pandas() -> Any:
    try:
        import pandas as found  # noqa: PLC0415 - an extra: only data frames need it
    except ImportError as error:
        raise MissingLibrary("to_pandas needs pandas: pip install 'slmkg[pandas]'") from error
    return found


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A data frame in which whole numbers stay whole beside missing ones."""
    frame: pd.DataFrame = _pandas().DataFrame(list(rows), columns=columns)
    return frame.convert_dtypes()
