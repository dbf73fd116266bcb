"""What an insight is made of: statements of the survey held against the graph, a table, a chart. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from app.compare.charts.frame import Spec
from app.model.rdf import Term
from app.store.rq import QueryFile

Cell: TypeAlias = str | float | int | None
"""A chart in Vega-Lite."""
Rows: TypeAlias = Sequence[Mapping[str, Term]]
"""The answer to a query."""

RULE = (
    "A statement agrees when the graph's number is the survey's, up to the stated allowance; an insight agrees when "
    "all its statements do that can be told, differs as soon as one does, and cannot be told when none can."
)


class Verdict(StrEnum):
    """How the graph stands to what the survey states."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "cannot be told"


def verdict_of(agrees: bool | None) -> Verdict:
    """The verdict for a comparison; None when there is nothing to compare with."""
    if agrees is None:
        return Verdict.UNKNOWN
    return Verdict.AGREES if agrees else Verdict.DIFFERS


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of an insight, by RULE."""
    told = {one for one in verdicts if one is not Verdict.UNKNOWN}
    if not told:
        return Verdict.UNKNOWN
    return Verdict.DIFFERS if Verdict.DIFFERS in told else Verdict.AGREES


@dataclass(frozen=True, slots=True)
class Finding:
    """What the graph says to one statement. `rests_on` counts models; `rule` says when the two are equal."""

    surveyed: str
    found: str
    unit: str
    agrees: bool | None
    rule: str
    rests_on: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the survey, where it stands, its number as printed, and the graph's beside it.

    `reasons` say why the shipped data differ from it; a changed graph may differ for others.
    """

    key: str
    text: str
    source: str
    locator: str
    surveyed: str
    found: str
    unit: str
    verdict: Verdict
    rule: str
    rests_on: int
    note: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; a column without a unit holds names or plain counts."""

    name: str
    label: str
    unit: str = ""
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of the graph and of the survey side by side. None is not known."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """The rows by the names of their columns, as charts take them."""
        names = [one.name for one in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Found:
    """What one insight's queries gave: findings by the key of their statement, and the table."""

    findings: Mapping[str, Finding]
    table: Table
    models: int
    observations: int
    chart: Spec
    told: str
    """What the chart shows, in words."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Insight:
    """One insight of the survey, worked out from the graph."""

    slug: str
    title: str
    claim: str
    source: str
    locator: str
    wording: str
    queries: tuple[QueryFile, ...]
    statements: tuple[Statement, ...]
    verdict: Verdict
    table: Table
    models: int
    observations: int
    chart: Spec
    told: str
    notes: tuple[str, ...]
