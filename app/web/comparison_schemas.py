"""JSON shapes of the answers to comparisons, for OpenAPI; tests hold real answers against them.

The answers themselves are put together from columns and are not made through these models: that would take longer than
answering.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.compare import diff
from app.compare.past import Past
from app.compare.projection.view import PARAMETERS
from app.web import history_schemas, schemas
from app.web.schemas import Scalar


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Bounds(_Answer):
    """How sure a value is, ends included."""

    lower: float
    upper: float
    basis: Literal["wilson", "standard-error", "bootstrap", "rounding"] = Field(
        description="Wilson's 95 % interval of a share of items, 1.96 standard errors, the 95 % bootstrap interval of "
        "samples, or only the source's digits."
    )


class ShownCell(_Answer):
    """One column of one model."""

    value: Scalar | list[Scalar] | None = Field(
        description="The value; a list when the property may have several; null when missing or disputed."
    )
    things: list[schemas.Thing] = Field(description="The values that are things, with their IRIs.")
    unit: str | None = Field(description="Symbol of the unit.")
    status: Literal["accepted", "disputed", "proposed", "derived", "missing"]
    badge: str = Field(
        description="measured, measured with random weights, imported, reported, predicted, derived, proposed, "
        "disputed or missing."
    )
    reported: str | None = Field(description="The source's own characters, of the best source behind the value.")
    interval: Bounds | None
    reason: (
        Literal[
            "not-reported",
            "not-applicable",
            "not-looked-for",
            "withheld",
            "varies-by-layer",
            "not-derivable",
            "not-observed",
        ]
        | None
    ) = Field(description="Why the value is missing.")
    candidates: list[Scalar] = Field(description="What the sources say while it is disputed.")
    sources: schemas.Sources
    claims: list[str] = Field(description="IRIs of the claims or observations behind the value.")
    formula: str | None = Field(description="Name and version of the formula of a derived value.")
    conditions: dict[str, Scalar] | None = Field(
        description="Of a metric: the conditions of the observation that is shown, and how many `settings` there are."
    )


class ColumnHead(_Answer):
    """A column: a property, or a metric under conditions."""

    name: str = Field(description="The column as an address names it.")
    iri: str
    label: str
    definition: str
    of: Literal["model", "architecture"]
    kind: Literal["claimed", "derived", "measured"]
    several: bool
    range: str | None
    unit: schemas.Unit | None
    settings: int | None = Field(description="Of a metric: in how many different settings its values were observed.")
    best: Literal["low", "high"] | None = Field(None, description="On an axis: which end is better.")


class Aggregates(_Answer):
    """What a numeric column holds in a group."""

    known: int
    min: float | None
    median: float | None
    mean: float | None
    max: float | None


class GroupOfModels(_Answer):
    """The models that have one value in common."""

    value: str | None
    models: int
    columns: dict[str, Aggregates]


class ComparedModel(_Answer):
    """A model with its cells by column; in a transposed table a column with its cells by model."""

    model: str | None = None
    property: str | None = None
    cells: dict[str, ShownCell]


class CellStep(history_schemas.Step):
    """A revision that changed a cell."""

    kind: Literal["added", "removed", "changed", "status", "evidence"] = Field(description="As in `/api/v1/diff`.")
    property: str | None = Field(description="The property that changed; null for an observation.")
    layers: history_schemas.Layers | None = Field(description="The layers, where it is about some of them only.")
    observation: str | None = Field(description="IRI of the observation that came.")
    old: schemas.Cell | None = Field(description="The cell before; null for an observation.")
    new: schemas.Cell | None = Field(description="The cell from then on; null for an observation.")
    decision: history_schemas.Decision | None = Field(description="How the question was settled then.")


class CellHistories(_Answer):
    """In which revisions the cells of a page changed, the newest first.

    At most 500 revisions are read, and the 20 newest of them that mention one of the models are told.
    """

    since: int = Field(description="The oldest revision that was looked at.")
    complete: bool = Field(description="Whether nothing older was left out.")
    cells: dict[str, dict[str, list[CellStep]]] = Field(
        description="By model and column. What is not there has not changed since."
    )


class Comparison(_Answer):
    """Models by columns. `_extra=evidence` tells every claim that a cell names, `_extra=history` the cells' past."""

    revision: int
    spec: str = Field(description="The question in its shortest form, as a query string.")
    total: int = Field(description="Models that fit, on all pages.")
    next: str | None = Field(description="Cursor of the next page: the parameter `after`.")
    notes: list[str] = Field(description="What to know before comparing, such as different settings in one column.")
    models: list[schemas.ModelHead]
    properties: list[ColumnHead]
    groups: list[GroupOfModels]
    rows: list[ComparedModel]
    evidence: dict[str, dict[str, str | None]] | None = None
    history: CellHistories | None = None


class Bin(_Answer):
    """One bar of a histogram; the ends of neighbours touch."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: float = Field(alias="from")
    to: float
    models: int


class Counted(_Answer):
    """How many models have a value."""

    value: str
    models: int


class Facet(_Answer):
    """A column with counts."""

    name: str
    label: str
    kind: Literal["number", "name"]
    unit: str | None
    known: int
    missing: int
    values: list[Counted]
    others: int = Field(description="Values that are not listed.")
    min: float | None
    max: float | None
    scale: Literal["linear", "log"] | None = None
    bins: list[Bin]


class Facets(_Answer):
    """Counts of values, each under the filters of all other columns."""

    revision: int
    total: int
    facets: list[Facet]


class TrendPoint(_Answer):
    """A period: the share of a name, or the spread of a number."""

    period: str
    models: int
    value: str | None = None
    share: float | None = None
    min: float | None = None
    q1: float | None = None
    median: float | None = None
    q3: float | None = None
    max: float | None = None


class Trends(_Answer):
    """How a column moved with the time of release."""

    revision: int
    property: ColumnHead | None
    by: Literal["year", "half", "quarter", "month"]
    models: int
    left_out: int = Field(description="Models without a value or without a month of release.")
    points: list[TrendPoint]
    notes: list[str]


class ParetoPoint(_Answer):
    """A model with both values."""

    model: str
    label: str
    x: float
    y: float
    front: bool = Field(description="Whether no other model is at least as good in both and better in one.")
    x_badge: str = Field(description="How the value is known, as the badge of a cell of a comparison.")
    y_badge: str
    setting: str | None = Field(
        description="In what setting the values were observed, where those of an axis come from different ones."
    )


class Pareto(_Answer):
    """Models by two columns, with those that no other beats."""

    revision: int
    x: ColumnHead
    y: ColumnHead
    total: int
    left_out: int = Field(description="Models that lack one of the two values.")
    points: list[ParetoPoint]
    notes: list[str]


class Entry(_Answer):
    """A model in a ranking."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    rank: int = Field(description="Of the first model of its class, from 1, over all models.")
    tied: int = Field(description="Models in its class, itself included: the data do not separate them.")
    class_: int = Field(alias="class")
    model: str
    label: str
    value: float
    reported: str | None
    interval: Bounds | None
    badge: str
    sources: schemas.Sources
    observation: str
    source: str | None


class Ranking(_Answer):
    """The ranking of one setting."""

    conditions: dict[str, Scalar]
    protocol: str | None
    models: int = Field(description="Models in this setting, hidden ones included.")
    classes: int
    basis: str | None = Field(description="What the intervals rest on.")
    entries: list[Entry]


class Benchmark(_Answer):
    """A benchmark."""

    name: str
    iri: str
    label: str


class Leaderboard(_Answer):
    """The rankings of one benchmark, one for each setting."""

    revision: int
    benchmark: Benchmark
    metric: str | None
    unit: str | None
    best: Literal["low", "high"]
    chance: float | None = Field(description="Score of a uniform guess.")
    rankings: list[Ranking]
    notes: list[str]


class Observations(_Answer):
    """Observations with all their conditions; see `/api/v1/observations` for the fields."""

    revision: int
    total: int
    next: str | None
    items: list[dict[str, Any]]


class Formula(_Answer):
    """A formula with its source."""

    part: str
    name: str
    text: str
    source: str


class Fitting(_Answer):
    """A model that fits, with each part of its memory in bytes."""

    model: str
    label: str
    weights: float
    cache: float
    buffers: float
    total: float
    share: float = Field(description="Of the memory that there is.")
    parameters: ShownCell
    best: ShownCell | None


class Fit(_Answer):
    """The models that fit into a memory."""

    revision: int
    memory: float
    context: int
    bits: float
    cache_bits: float
    batch: int
    best: str
    formulas: list[Formula]
    total: int
    too_large: int
    context_too_short: int
    unknown: list[str] = Field(description="Models that lack an input of a formula.")
    models: list[Fitting]
    notes: list[str]


_MEANT = {PARAMETERS: ("parameterCount", "computedParameterCount")}
"""The properties behind columns of another name."""


def histories(past: Past, observed: Mapping[tuple[str, str], Collection[str]]) -> CellHistories:
    """The past of cells as JSON. They come by model and column, each with the observations that stand in it."""
    found: dict[str, dict[str, list[CellStep]]] = {}
    for (model, column), observations in observed.items():
        names = _MEANT.get(column, (column,))
        steps = [
            CellStep(**_change(one), **history_schemas.step(one.steps[0]).model_dump())
            for one in past.changes
            if one.model == model and one.property.name in names
        ]
        steps += [
            CellStep(**_observation(one.iri), **history_schemas.step(one.step).model_dump())
            for one in past.observed
            if one.iri in observations
        ]
        if steps:
            found.setdefault(model, {})[column] = steps
    return CellHistories(since=past.since, complete=past.complete, cells=found)


def _change(one: diff.CellChange) -> dict[str, Any]:
    told = history_schemas.cell_change(one)
    kept = ("kind", "property", "layers", "old", "new", "decision")
    return {**{name: getattr(told, name) for name in kept}, "observation": None}


def _observation(iri: str) -> dict[str, Any]:
    empty = dict.fromkeys(("property", "layers", "old", "new", "decision"))
    return {"kind": "added", "observation": iri, **empty}
