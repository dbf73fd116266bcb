"""Metrics as columns: for each model the observation that fits the conditions, and what other sources say. Pure.

Observations in the same setting (protocol, quantisation, device, engine, configuration, statistic) are comparable.
Where a column's conditions leave several such settings, the setting that most models share is taken first, and the
column says that it is mixed. Among observations in one setting, measured ones come before imported and
reported ones, and these before those with random weights and predicted ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from app.compare.intervals import Interval, interval_of
from app.compare.projection.observations import NAMES, SCHEMA
from app.compare.projection.view import IntArray, Observed, Shown, Values, View
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
    *("benchmark", "shots", "baselineShots", "scoring", "harness", "split", "quantisation", "weights"),
    *("device", "engine", "promptTokens", "generatedTokens", "batchSize", "contextTokens", "tokenPosition"),
    *("threads", "cacheDepth", "statistic", "origin"),
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
_MANY = 2**31
"""More than there are models or sources: two numbers below it make one."""


@dataclass(frozen=True)
class Measure:
    """A metric as a column. `settings` is the number of different settings among the observations that are shown."""

    prop: Property
    values: Values
    settings: int
    higher_is_better: bool | None
    _observed: Observed
    _best: _Best

    @property
    def chosen(self) -> pl.DataFrame:
        """The observations that are shown, one row a model, with its `place` and the number of its `setting`."""
        row = self._best.row
        return self._observed.rows[row].with_columns(place=self._best.place, setting=self._observed.setting[row])

    def badges(self, places: Sequence[int]) -> list[str]:
        """The badges of these models' cells."""
        number = {place: at for at, place in enumerate(self._best.place.tolist())}
        origins = self._observed.rows["origin"].gather(self._best.row).to_list()
        return [
            BADGES.get(origins[number[place]] or "Reported", "reported") if place in number else _NOTHING["badge"]
            for place in places
        ]

    def shown(self, view: View, places: Sequence[int]) -> list[Shown]:
        """The cells of these models as fronts show them."""
        best = self._best
        wanted = np.asarray(places, np.int64)
        at = np.searchsorted(best.place, wanted)
        has = np.append(best.place, -1)[at] == wanted
        numbers = at[has]
        same = [slice(int(best.begins[n]), int(best.begins[n + 1])) for n in numbers]
        observations = self._observed.rows["observation"].gather(best.same[_spread(same)]).to_list()
        ends = np.cumsum([one.stop - one.start for one in same]).tolist()
        rows = self._observed.rows[best.row[numbers]].iter_rows(named=True)
        told = {
            place: row
            | {
                "settings": int(best.settings[number]),
                "agreeing": int(best.agreeing[number]),
                "disagreeing": int(best.disagreeing[number]),
                "observations": observations[end - part.stop + part.start : end],
            }
            for place, number, row, part, end in zip(wanted[has].tolist(), numbers, rows, same, ends, strict=True)
        }
        return [_shown(view, told.get(place), self.prop) for place in places]


@dataclass(frozen=True)
class _Best:
    """The observation of each model that is shown; one number a model, in the order of `place`.

    `row` is its row, `same[begins[n]:begins[n + 1]]` are the rows of the model in the same setting.
    """

    place: IntArray
    row: IntArray
    settings: IntArray
    agreeing: IntArray
    disagreeing: IntArray
    same: IntArray
    begins: IntArray


def settings_told(measure: Measure, places: Sequence[int]) -> list[str | None]:
    """For each of these models the setting of its value in words; None where all values are from one setting.

    Only what differs between the settings is named. Two settings never have the same words.
    """
    if measure.settings < 2:
        return [None] * len(places)
    chosen = measure.chosen
    differing = [name for name in (*TOLD[:-1], "protocol", "configuration") if chosen[name].n_unique() > 1]
    words: dict[int, str] = {}
    for row in chosen.unique("setting", maintain_order=True).sort("setting").iter_rows(named=True):
        named = [name for name in differing if name not in {"protocol", "configuration"}]
        text = ", ".join(f"{name} {row[name] if row[name] is not None else 'not told'}" for name in named)
        if not text or text in words.values():
            nodes = [row[name] for name in ("protocol", "configuration") if name in differing and row[name]]
            text = ", ".join(filter(None, [text, *(node.rsplit("/", 1)[-1] for node in nodes)]))
        words[row["setting"]] = text if text not in words.values() else f"{text} ({len(words) + 1})"
    by_place = dict(chosen.select("place", "setting").iter_rows())
    return [words.get(by_place.get(place, 0)) for place in places]


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


def trusted(view: View, conditions: Sequence[Condition], *, parameter: str, pointer: str) -> pl.Expr:
    """The same for headlines: what a machine measured that was too busy is left out, unless it is asked for."""
    fits = matching(view, conditions, parameter=parameter, pointer=pointer)
    asked = any(one.name == "contended" for one in conditions)
    return fits if asked else fits & ~pl.col("contended").fill_null(False)


def _measure(view: View, column: Column, parameter: str, pointer: str) -> Measure:
    metric = view.terms.things["metric"][column.name]
    fits = trusted(view, column.conditions, parameter=parameter, pointer=pointer)
    observed = view.observed.get(column.name) or _none(view)
    found = observed.rows.select(fits.alias("fits")).to_series()
    chosen = np.arange(len(observed.value)) if len(found) != len(observed.value) else found.arg_true().to_numpy()
    best = _best(observed, chosen.astype(np.int64))
    numbers = np.full(len(view.slugs), np.nan)
    numbers[best.place] = observed.value[best.row]
    better = metric.facts.get("higherIsBetter")
    return Measure(
        _property(view, column),
        Values(pl.Series("value", numbers, nan_to_null=True)),
        len(np.unique(observed.setting[best.row])),
        better if isinstance(better, bool) else None,
        observed,
        best,
    )


def _none(view: View) -> Observed:
    """A metric without observations."""
    numbers = np.empty(0, np.int64)
    return Observed(view.observations.clear(), numbers, numbers, numbers, np.empty(0, np.float64))


def _best(observed: Observed, chosen: IntArray) -> _Best:
    """The observation of each model that is shown among the chosen rows, which come with the preferred ones first.

    The setting that most models share comes first; where equally many do, that with the lower number.
    """
    place, setting = observed.place[chosen], observed.setting[chosen]
    in_setting, of_setting = np.divmod(np.unique(setting * _MANY + place), _MANY)
    numbers, shared = np.unique(in_setting, return_counts=True)
    if len(numbers) > 1:
        rank = np.empty_like(numbers)
        rank[np.lexsort((numbers, -shared))] = np.arange(len(numbers))
        order = np.argsort(rank[np.searchsorted(numbers, setting)], kind="stable")
        chosen, place, setting = chosen[order], place[order], setting[order]
    models, first, of_model = np.unique(place, return_index=True, return_inverse=True)
    row = chosen[first]
    is_same = setting == setting[first][of_model]
    same, of_same = chosen[is_same], of_model[is_same]
    _, once = np.unique(of_same * _MANY + observed.source[same], return_index=True)
    kept, values = observed.value[row][of_same[once]], observed.value[same[once]]
    near = np.abs(values - kept) <= 1e-9 + 5e-4 * np.abs(kept)
    told = np.bincount(of_same[once], minlength=len(models))
    agreeing = np.bincount(of_same[once][near], minlength=len(models))
    by_model = np.argsort(of_same, kind="stable")
    begins = np.concatenate(([0], np.cumsum(np.bincount(of_same, minlength=len(models)))))
    return _Best(
        place=models,
        row=row,
        settings=np.bincount(np.searchsorted(models, of_setting), minlength=len(models)),
        agreeing=agreeing,
        disagreeing=told - agreeing,
        same=same[by_model],
        begins=begins,
    )


def _spread(slices: Sequence[slice]) -> IntArray:
    """All places in these slices, one after the other."""
    return np.concatenate([np.arange(one.start, one.stop) for one in slices] or [np.empty(0, np.int64)])


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
        if dtype in {pl.String, pl.Boolean}:
            raise BadParameter(parameter, f"{name} has no order", advice="Name the values.", pointer=pointer)
        found = _between(column, _ends(view, test, parameter, pointer), test.strict)
    elif dtype == pl.Boolean:
        found = column.is_in([_truth(one, name, parameter, pointer) for one in test.values])
    elif dtype == pl.String:
        found = column.is_in(_named(view, name, test, parameter, pointer))
    else:
        wanted = [number(one, None, view.terms.units, parameter=parameter, pointer=pointer) for one in test.values]
        found = column.cast(pl.Float64).is_in(wanted)
    return (~found & column.is_not_null()) if condition.negated else found.fill_null(False)


def _truth(value: str, name: str, parameter: str, pointer: str) -> bool:
    if value not in {"true", "false"}:
        raise BadParameter(parameter, f"{name} is true or false, not {value!r}", advice="", pointer=pointer)
    return value == "true"


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
