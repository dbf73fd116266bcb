"""Which models a comparison is about, and in which order: looks names up, applies filters, sorts. Pure.

Whatever a view does not know is an error that points to its place and names what comes nearest: an empty answer would
hide a slip of the pen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.compare.measures import Measure, is_metric, measure
from app.compare.projection.view import FIELDS, Shown, Values, View, encoded
from app.compare.quantities import number
from app.compare.spec import Column, Filter, Missing, OneOf, Range, SortKey, nearest
from app.compare.values import Property
from app.errors import BadParameter

_ORDERED = frozenset({"xsd:gYearMonth", "xsd:date", "xsd:gYear"})
"""Ranges of properties whose characters sort as their values do."""
_INDEXES = 256
"""Names whose models are kept, of all columns together."""
_TRUTH = {"yes": "true", "no": "false"}


@dataclass(frozen=True)
class Looked:
    """A column that was looked up. `prop` is None for a field, which has no cells."""

    column: Column
    values: Values
    prop: Property | None = None
    measure: Measure | None = None

    @property
    def name(self) -> str:
        """The column as one types it."""
        return str(self.column)

    def shown(self, view: View, places: Sequence[int]) -> list[Shown]:
        """The cells of these models."""
        if self.measure is not None:
            return self.measure.shown(view, places)
        cells = view.shown(self.column.name)
        return [cells[place] for place in places]

    def badges(self, view: View, places: Sequence[int]) -> list[str]:
        """The badges of the cells of these models."""
        if self.measure is not None:
            return self.measure.badges(places)
        cells = view.shown(self.column.name)
        return [cells[place]["badge"] for place in places]

    def encoded(self, view: View, places: Sequence[int]) -> list[str]:
        """The cells of these models as JSON text."""
        if self.measure is not None:
            return [encoded(one) for one in self.measure.shown(view, places)]
        cells = view.cells(self.column.name)
        return [cells[place] for place in places]


def look_up(view: View, column: Column, *, parameter: str, pointer: str, fields: bool = True) -> Looked:
    """Look a column up; `fields` tells whether fields of models will do."""
    if is_metric(view, column.name):
        found = measure(view, column, parameter=parameter, pointer=pointer)
        return Looked(column, found.values, found.prop, found)
    if column.conditions:
        metrics = view.terms.things["metric"]
        problem = f"only metrics have conditions, and {column.name!r} is none"
        raise BadParameter(parameter, problem, advice=nearest(column.name, metrics), pointer=pointer)
    if column.name in view.properties:
        return Looked(column, view.values(column.name), view.properties[column.name])
    if fields and column.name in FIELDS:
        return Looked(column, view.values(column.name))
    known = [*view.properties, *view.terms.things["metric"], *(FIELDS if fields else ())]
    raise BadParameter(
        parameter,
        f"there is no property or metric {column.name!r}",
        advice=nearest(column.name, known),
        pointer=pointer,
    )


def look_up_all(view: View, wanted: Iterable[Column], *, parameter: str, fields: bool = True) -> tuple[Looked, ...]:
    """Look columns up, each with a pointer to its place in the parameter."""
    return tuple(
        look_up(view, column, parameter=parameter, pointer=f"/{parameter}/{place}", fields=fields)
        for place, column in enumerate(wanted)
    )


def mask(
    view: View,
    where: Sequence[Filter],
    *,
    search: str = "",
    baselines: bool = False,
    but: Column | None = None,
    parameter: str = "where",
) -> pl.Series:
    """Whether each model fits all filters; a filter of the column `but` is left out."""
    fits = _all(len(view.slugs))
    if not baselines:
        fits = fits & ~view.models["baseline"]
    for word in search.lower().split():
        fits = fits & view.searchable.str.contains(word, literal=True)
    for place, one in enumerate(where):
        if but is None or one.column != but:
            fits = fits & _fits(view, one, parameter, f"/{parameter}/{place}")
    return fits


def places_of(view: View, slugs: Iterable[str]) -> list[int]:
    """The places of these models, each once, in the order given."""
    found = []
    for place, slug in enumerate(dict.fromkeys(slugs)):
        if slug not in view.index:
            raise BadParameter(
                "models", f"no model named {slug!r}", advice=nearest(slug, view.slugs), pointer=f"/models/{place}"
            )
        found.append(view.index[slug])
    return found


def ordered(view: View, places: pl.Series, sort: Sequence[SortKey], *, first: Looked | None = None) -> list[int]:
    """Places sorted by the keys, models without a value last; equal ones keep their order. `first` sorts before all."""
    looked = [
        (look_up(view, key.column, parameter="sort", pointer=f"/sort/{number}"), key.descending)
        for number, key in enumerate(sort)
    ]
    keys = [*([(first, False)] if first else []), *looked]
    if not keys:
        return places.to_list()
    if all(one.values.numbers is not None for one, _ in keys):
        numbers = [one.values.numbers.gather(places).cast(pl.Float64).to_numpy() for one, _ in keys]  # type: ignore[union-attr]  # looked at
        by_number = [-column if down else column for column, (_, down) in zip(numbers, keys, strict=True)]
        order = np.lexsort(by_number[::-1])  # keeps the order of equals and puts what is no number last
        return places.gather(order).to_list()
    by = [_sortable(one.values).gather(places).alias(f"key{number}") for number, (one, _) in enumerate(keys)]
    frame = pl.DataFrame([places.alias("place"), *by])
    names = [one.name for one in by]
    descending = [down for _, down in keys]
    return frame.sort(names, descending=descending, nulls_last=True, maintain_order=True)["place"].to_list()


def _sortable(values: Values) -> pl.Series:
    return values.numbers if values.numbers is not None else values.names.list.join(", ").str.to_lowercase()


def _fits(view: View, one: Filter, parameter: str, pointer: str) -> pl.Series:
    looked = look_up(view, one.column, parameter=parameter, pointer=pointer)
    if isinstance(one.test, Missing):
        return looked.values.known if one.negated else ~looked.values.known
    if isinstance(one.test, Range):
        found = _in_range(view, looked, one.test, parameter, pointer)
    else:
        found = _in_set(view, looked, one.test, parameter, pointer)
    fits = (~found if one.negated else found) & looked.values.known
    return fits.fill_null(False)


def _all(count: int) -> pl.Series:
    return pl.Series([True]).new_from_index(0, count)


def _in_range(view: View, looked: Looked, test: Range, parameter: str, pointer: str) -> pl.Series:
    values = looked.values
    if values.numbers is None:
        return _text_in_range(looked, test, parameter, pointer)
    unit = looked.prop.unit if looked.prop else None
    low, high = (
        None if end is None else number(end, unit, view.terms.units, parameter=parameter, pointer=pointer)
        for end in (test.low, test.high)
    )
    if low is not None and high is not None and low > high:
        raise BadParameter(parameter, "a range ends before it begins", advice="Swap its ends.", pointer=pointer)
    found = _all(len(values.numbers))
    if low is not None:
        found = found & (values.numbers > low if test.strict else values.numbers >= low)
    if high is not None:
        found = found & (values.numbers < high if test.strict else values.numbers <= high)
    return found


def _text_in_range(looked: Looked, test: Range, parameter: str, pointer: str) -> pl.Series:
    """A range of months: an end may be a year, which then counts whole."""
    if looked.prop is None or looked.prop.range not in _ORDERED:
        raise BadParameter(parameter, f"{looked.name} has no order", advice="Name the values.", pointer=pointer)
    text = looked.values.single
    found = _all(len(text))
    if test.low is not None:
        found = found & (text > test.low if test.strict else text >= test.low)
        found = found & ~text.str.starts_with(test.low) if test.strict else found
    if test.high is not None:
        below = text < test.high
        found = found & (below if test.strict else (below | text.str.starts_with(test.high)))
    if test.low is not None and test.high is not None and test.low > test.high:
        raise BadParameter(parameter, "a range ends before it begins", advice="Swap its ends.", pointer=pointer)
    return found


def _in_set(view: View, looked: Looked, test: OneOf, parameter: str, pointer: str) -> pl.Series:
    values = looked.values
    if values.numbers is not None:
        unit = looked.prop.unit if looked.prop else None
        wanted = [number(one, unit, view.terms.units, parameter=parameter, pointer=pointer) for one in test.values]
        low = pl.Series(wanted, dtype=pl.Float64)
        return values.numbers.is_in(low.implode())
    if looked.prop is not None and looked.prop.range in _ORDERED:
        fits = [values.single.str.starts_with(one) for one in test.values]
        return (
            pl.DataFrame({str(place): fit for place, fit in enumerate(fits)})
            .select(pl.any_horizontal(pl.all()))
            .to_series()
        )
    present = names_in(view, looked)
    exact = {one.lower(): one for one in present}
    chosen = []
    for one in test.values:
        name = one if one in present else exact.get(_TRUTH.get(one.lower(), one.lower()))
        if name is None and one.lower() not in {"true", "false", "yes", "no"}:
            raise BadParameter(
                parameter, f"no model has the {looked.name} {one!r}", advice=nearest(one, present), pointer=pointer
            )
        chosen.append(name or one)
    found = ~_all(len(values.names))
    for name in dict.fromkeys(chosen):
        found = found | _having(view, looked, name)
    return found


def _having(view: View, looked: Looked, name: str) -> pl.Series:
    """Which models have this name in a column, null where they have none; an index that the first question makes."""
    key = ("having", looked.column, name)
    if key in view.kept:
        found: pl.Series = view.kept[key]
        return found
    made = looked.values.names.list.contains(name)
    if looked.measure is None and sum(1 for one in view.kept if one[0] == "having") < _INDEXES:
        view.kept[key] = made
    return made


def names_in(view: View, looked: Looked) -> frozenset[str]:
    """The names that stand in a column."""
    key = ("names", looked.column)
    if looked.measure is not None:
        return frozenset(looked.values.names.explode().drop_nulls().unique())
    if key not in view.kept:
        view.kept[key] = frozenset(looked.values.names.explode().drop_nulls().unique())
    found: frozenset[str] = view.kept[key]
    return found


def finite(value: float | None) -> float | None:
    """A number that JSON can hold."""
    return value if value is not None and math.isfinite(value) else None
