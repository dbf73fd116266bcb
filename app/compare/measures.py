"""Metrics as columns: for each model the observation that fits the conditions, and what other sources say. Pure.

Observations in the same setting (protocol, quantisation, device, engine, configuration, statistic) are comparable.
Where a column's conditions leave several such settings, the setting that most models share is taken first, and the
column says that it is mixed. Among observations in one setting, measured ones come before imported, reported and
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.compare.intervals import Interval, interval_of
from app.compare.projection.observations import NAMES, SCHEMA
from app.compare.projection.view import Shown, Values, View
from app.compare.quantities import number
from app.compare.spec import Column, Condition, Missing, OneOf, Range, nearest
from app.compare.values import Property
from app.errors import BadParameter

CONDITIONS = tuple(
    column
    for column in SCHEMA
    if column not in {"observation", "model", "value", "reported", "unit", "locator", "note", "run", "artifact"}
)
"""Fields of an observation that a column may set conditions on."""
TOLD = (
    *("benchmark", "shots", "baselineShots", "scoring", "harness", "split", "quantisation", "device", "engine"),
    *("promptTokens", "generatedTokens", "batchSize", "contextTokens", "tokenPosition", "statistic", "origin"),
)
"""Conditions that a cell tells."""
BADGES = {
    "MeasuredRealWeights": "measured",
    "MeasuredRandomWeights": "measured with random weights",
    "Imported": "imported",
    "Reported": "reported",
    "Predicted": "predicted",
}
_IRIS = frozenset({"source", "protocol", "configuration"})
_KEPT = 64


@dataclass(frozen=True)
class Measure:
    """A metric as a column. `chosen` has one row per model that has a value, with its place among the models.

    `settings` is the number of different settings among the chosen observations.
    """

    prop: Property
    values: Values
    chosen: pl.DataFrame
    settings: int
    higher_is_better: bool | None

    def shown(self, view: View, places: Sequence[int]) -> list[Shown]:
        """The cells of these models as fronts show them."""
        wanted = self.chosen.filter(pl.col("place").is_in(pl.Series(places, dtype=pl.UInt32).implode()))
        rows = {row["place"]: row for row in wanted.iter_rows(named=True)}
        return [_shown(view, rows.get(place), self.prop) for place in places]


def settings_told(measure: Measure, places: Sequence[int]) -> list[str | None]:
    """For each of these models the setting of its value in words; None where all values are from one setting.

    Only what differs between the settings is named. Two settings never have the same words.
    """
    if measure.settings < 2:
        return [None] * len(places)
    fields = [*TOLD[:-1], *(name for name in ("protocol", "configuration") if name in measure.chosen.columns)]
    differing = [name for name in fields if measure.chosen[name].n_unique() > 1]
    words: dict[str, str] = {}
    for row in measure.chosen.unique("setting", maintain_order=True).sort("setting").iter_rows(named=True):
        named = [name for name in differing if name not in {"protocol", "configuration"}]
        text = ", ".join(f"{name} {row[name] if row[name] is not None else 'not told'}" for name in named)
        if not text or text in words.values():
            nodes = [row[name] for name in ("protocol", "configuration") if name in differing and row[name]]
            text = ", ".join(filter(None, [text, *(node.rsplit("/", 1)[-1] for node in nodes)]))
        words[row["setting"]] = text if text not in words.values() else f"{text} ({len(words) + 1})"
    by_place = dict(measure.chosen.select("place", "setting").iter_rows())
    return [words.get(by_place.get(place, "")) for place in places]


def is_metric(view: View, name: str) -> bool:
    """Whether a column is a metric."""
    return name in view.terms.things["metric"]


def measure(view: View, column: Column, *, parameter: str, pointer: str) -> Measure:
    """A metric under conditions; BadParameter names what is unknown."""
    key = ("measure", column)
    if key in view.kept:
        found: Measure = view.kept[key]
        return found
    made = _measure(view, column, parameter, pointer)
    if sum(1 for one in view.kept if one[0] == "measure") < _KEPT:
        view.kept[key] = made
    return made


def matching(view: View, conditions: Sequence[Condition], *, parameter: str, pointer: str) -> pl.Expr:
    """The condition that observations fit all of these."""
    tests = [_expression(view, one, parameter, pointer) for one in conditions]
    return pl.all_horizontal(tests) if tests else pl.lit(True)


def _measure(view: View, column: Column, parameter: str, pointer: str) -> Measure:
    metric = view.terms.things["metric"][column.name]
    rows = view.observed.get(column.name)
    if rows is None:
        rows = view.observations.clear().with_columns(setting=pl.lit("", dtype=pl.String))
    fits = matching(view, column.conditions, parameter=parameter, pointer=pointer)
    found = rows.filter(fits)
    slim = found.select("model", "value", "source", "observation", "setting").with_row_index("row")
    is_single = slim["model"].n_unique() == slim.height
    best = (_single(slim) if is_single else _best(slim)).join(view.places, on="model").sort("place")
    chosen = found[best["row"]].with_columns(
        best["place"], best["settings"], best["agreeing"], best["disagreeing"], best["observations"]
    )
    aligned = view.places.join(chosen.select("place", "value"), on="place", how="left", maintain_order="left")
    lists = aligned.select(
        pl.when(pl.col("value").is_not_null()).then(pl.concat_list(pl.col("value").cast(pl.String)))
    ).to_series()
    better = metric.facts.get("higherIsBetter")
    return Measure(
        _property(view, column),
        Values(aligned["value"], lists),
        chosen,
        chosen["setting"].n_unique(),
        better if isinstance(better, bool) else None,
    )


def _single(slim: pl.DataFrame) -> pl.DataFrame:
    """What `_best` gives where each model has just one observation."""
    return slim.select(
        "model",
        "row",
        settings=pl.lit(1, dtype=pl.UInt32),
        agreeing=pl.lit(1, dtype=pl.UInt32),
        disagreeing=pl.lit(0, dtype=pl.UInt32),
        observations=pl.concat_list("observation"),
    )


def _best(slim: pl.DataFrame) -> pl.DataFrame:
    """The observation of each model that is shown, and how many sources say the same or something else.

    Rows come in order, the preferred ones first.
    """
    ranked, settings = slim, None
    if slim["setting"].n_unique() > 1:
        shared = slim.group_by("setting").agg(pl.col("model").n_unique().alias("shared"))
        ranked = slim.join(shared, on="setting", maintain_order="left").sort(
            "shared", "setting", descending=[True, False], maintain_order=True
        )
        settings = ranked.unique(["model", "setting"]).group_by("model").agg(pl.len().alias("settings"))
    first = ranked.unique("model", keep="first", maintain_order=True).select(
        "model", "row", pl.col("setting").alias("chosen"), pl.col("value").alias("kept")
    )
    near = (pl.col("value") - pl.col("kept")).abs() <= 1e-9 + 5e-4 * pl.col("kept").abs()
    same = ranked.join(first, on="model", maintain_order="left", suffix="_first").filter(
        pl.col("setting") == pl.col("chosen")
    )
    by_source = same.with_columns(near=near).unique(["model", "source"], keep="first", maintain_order=True)
    sources = by_source.group_by("model").agg(pl.col("near").sum().alias("agreeing"), pl.len().alias("all"))
    observed = same.group_by("model").agg(pl.col("observation").alias("observations"))
    found = first.join(sources, on="model").join(observed, on="model")
    one = pl.lit(1, dtype=pl.UInt32).alias("settings")
    told = found.with_columns(one) if settings is None else found.join(settings, on="model")
    return told.with_columns(disagreeing=pl.col("all") - pl.col("agreeing"))


def _property(view: View, column: Column) -> Property:
    metric = view.terms.things["metric"][column.name]
    told = ", ".join(str(Column("x", (one,)))[2:-1].replace("=", " ", 1) for one in column.conditions)
    return Property(
        name=str(column),
        iri=metric.iri,
        label=f"{metric.label} ({told})" if told else metric.label,
        definition="A metric; each cell tells the conditions under which its value was observed.",
        of="model",
        kind="measured",
        several=False,
        range="xsd:decimal",
        unit=view.terms.unit_of(column.name),
    )


def _expression(view: View, condition: Condition, parameter: str, pointer: str) -> pl.Expr:
    """A condition on observations as an expression. An unknown field or name is an error, not an empty answer."""
    name = condition.name
    if name not in (*CONDITIONS, "metric", "model", "value", "observation"):
        raise BadParameter(
            parameter, f"observations have no field {name!r}", advice=nearest(name, CONDITIONS), pointer=pointer
        )
    dtype = SCHEMA[name]
    column = pl.col(name)
    test = condition.test
    if isinstance(test, Missing):
        return column.is_not_null() if condition.negated else column.is_null()
    if isinstance(test, Range):
        if dtype == pl.String:
            raise BadParameter(parameter, f"{name} has no order", advice="Name the values.", pointer=pointer)
        found = _between(column, _ends(view, test, parameter, pointer), test.strict)
    elif dtype == pl.String:
        found = column.is_in(_named(view, name, test, parameter, pointer))
    else:
        wanted = [number(one, None, view.terms.units, parameter=parameter, pointer=pointer) for one in test.values]
        found = column.cast(pl.Float64).is_in(wanted)
    return (~found & column.is_not_null()) if condition.negated else found.fill_null(False)


def _ends(view: View, test: Range, parameter: str, pointer: str) -> tuple[float, float]:
    low, high = (
        math.nan if end is None else number(end, None, view.terms.units, parameter=parameter, pointer=pointer)
        for end in (test.low, test.high)
    )
    if low > high:
        raise BadParameter(parameter, "a range ends before it begins", advice="Swap its ends.", pointer=pointer)
    return low, high


def _between(column: pl.Expr, ends: tuple[float, float], strict: bool) -> pl.Expr:
    low, high = ends
    parts = []
    if not math.isnan(low):
        parts.append(column > low if strict else column >= low)
    if not math.isnan(high):
        parts.append(column < high if strict else column <= high)
    return pl.all_horizontal(parts)


def _named(view: View, field: str, test: OneOf, parameter: str, pointer: str) -> list[str]:
    """The values that stand in the column for these names."""
    present = _present(view, field)
    wanted = []
    for value in test.values:
        if value in present:
            wanted.append(present[value])
        elif field in NAMES and value in view.terms.things.get(field, {}):
            wanted.append(value)
        else:
            raise BadParameter(
                parameter, f"no observation has the {field} {value!r}", advice=nearest(value, present), pointer=pointer
            )
    return wanted


def _present(view: View, field: str) -> Mapping[str, str]:
    """The values of a field that there are, by the names that people type: IRIs by their last part too."""
    key = ("present", field)
    if key not in view.kept:
        found = view.observations[field].drop_nulls().unique().to_list()
        names = {one: one for one in found}
        if field in _IRIS or field == "observation":
            names |= {one.rsplit("/", 1)[-1]: one for one in found}
        view.kept[key] = names
    known: Mapping[str, str] = view.kept[key]
    return known


def _shown(view: View, row: Mapping[str, Any] | None, prop: Property) -> Shown:
    if row is None:
        return {**_NOTHING, "unit": prop.unit.symbol if prop.unit else None}
    bounds = interval_of(row, view.terms.things["benchmark"].get(row["benchmark"] or ""))
    return {
        **_NOTHING,
        "value": row["value"],
        "unit": prop.unit.symbol if prop.unit else None,
        "status": "accepted" if row["origin"] != "Predicted" else "proposed",
        "badge": BADGES.get(row["origin"] or "Reported", "reported"),
        "reported": row["reported"],
        "interval": shown_interval(bounds),
        "reason": None,
        "sources": {"agreeing": row["agreeing"], "disagreeing": row["disagreeing"]},
        "claims": row["observations"],
        "conditions": conditions_of(row) | {"settings": row["settings"]},
    }


def shown_interval(bounds: Interval | None) -> dict[str, Any] | None:
    """An interval as fronts show it."""
    return None if bounds is None else {"lower": bounds.lower, "upper": bounds.upper, "basis": bounds.basis}


def conditions_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions of an observation that are known."""
    return {name: row[name] for name in TOLD if row.get(name) is not None}


_NOTHING: Shown = {
    "value": None,
    "things": [],
    "unit": None,
    "status": "missing",
    "badge": "missing",
    "reported": None,
    "interval": None,
    "reason": "not-observed",
    "candidates": [],
    "sources": {"agreeing": 0, "disagreeing": 0},
    "claims": [],
    "formula": None,
    "conditions": None,
}
