"""The comparison itself: models by columns for a spec, as a value and as JSON text. Pure.

The JSON text is put together from cells that were encoded once per revision: a table of a thousand cells costs well
below a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from app import vocab
from app.compare import cursors
from app.compare.choice import Looked, finite, look_up, look_up_all, mask, ordered, places_of
from app.compare.grid import Grid, GridColumn
from app.compare.projection.view import Shown, View, encoded
from app.compare.properties import DEFAULT
from app.compare.quantities import conversion, factor
from app.compare.spec import Column, ComparisonSpec
from app.compare.values import Property
from app.errors import BadParameter

PAGE = 50
"""Models on a page when nobody says."""


_LABEL = GridColumn("label", "label", vocab.rdfs.label)
_LONG = (
    GridColumn("model", "model", vocab.slm.ofModel, "dimension", "model"),
    GridColumn("property", "property", vocab.slm.aboutProperty, "dimension", "iri"),
    GridColumn("column", "column", vocab.dct.identifier),
    GridColumn("value", "value", vocab.rdf.value, "measure", "thing"),
    GridColumn("unit", "unit", vocab.qudt.hasUnit, "attribute", "iri"),
    GridColumn("reported", "as reported", vocab.slm.valueAsReported),
    GridColumn("status", "status", vocab.slm.status),
    GridColumn("badge", "badge", vocab.slm.origin),
    GridColumn("claims", "derived from", vocab.prov.wasDerivedFrom, "attribute", "list"),
)


@dataclass(frozen=True)
class Group:
    """Models with one value in common: how many, and what their columns hold."""

    value: str | None
    models: int
    columns: dict[str, dict[str, float | int | None]]


@dataclass(frozen=True)
class Matrix:
    """A page of a comparison. `places` are those of its models; `next` is the cursor of the next page."""

    view: View
    spec: ComparisonSpec
    columns: tuple[Looked, ...]
    places: tuple[int, ...]
    total: int
    start: int
    next: str | None
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    _scales: dict[str, tuple[float, str]]

    def slugs(self) -> list[str]:
        """The models, by slug."""
        return [self.view.slugs[place] for place in self.places]

    def cells(self) -> list[list[Shown]]:
        """The cells, row by row."""
        by_column = [self._shown(one) for one in self.columns]
        return [list(row) for row in zip(*by_column, strict=True)] if by_column else [[] for _ in self.places]

    def properties(self) -> list[Property]:
        """The columns as properties."""
        return [one.prop for one in self.columns if one.prop is not None]

    def json(self) -> str:
        """The page as JSON text."""
        names = [encoded(one.name) for one in self.columns]
        texts = [
            [encoded(cell) for cell in self._shown(one)]
            if one.name in self._scales
            else one.encoded(self.view, self.places)
            for one in self.columns
        ]
        slugs = [encoded(self.view.slugs[place]) for place in self.places]
        if self.spec.transpose:
            rows = [
                f'{{"property":{name},"cells":{{{",".join(map(_member, slugs, column))}}}}}'
                for name, column in zip(names, texts, strict=True)
            ]
        else:
            keys = [f"{name}:" for name in names]
            rows = [
                f'{{"model":{slug},"cells":{{{",".join(map(str.__add__, keys, cells))}}}}}'
                for slug, cells in zip(slugs, zip(*texts, strict=True) if texts else [()] * len(slugs), strict=True)
            ]
        heads = self.view.heads
        head = encoded(
            {
                "revision": self.view.revision,
                "spec": self.spec.address(),
                "total": self.total,
                "next": self.next,
                "notes": list(self.notes),
            }
        )
        return (
            f'{head[:-1]},"models":[{",".join(heads[place] for place in self.places)}],'
            f'"properties":[{",".join(map(self._property, self.columns))}],'
            f'"groups":{encoded([_group(one) for one in self.groups])},"rows":[{",".join(rows)}]}}'
        )

    def grid(self) -> Grid:
        """The page as a table: one row a model, two columns a property (values, statuses); `long` has a row a cell."""
        columns = [GridColumn("model", "model", vocab.slm.ofModel, "dimension", "model"), _LABEL]
        for one in self.columns:
            unit = one.prop.unit if one.prop else None
            numeric = one.values.numbers is not None
            columns.append(
                GridColumn(
                    one.name,
                    one.prop.label if one.prop else one.name,
                    one.prop.iri if one.prop else vocab.rdf.value,
                    "measure",
                    "number" if numeric else "text",
                    unit.iri if unit else None,
                    self.unit_of(one),
                )
            )
            columns.append(GridColumn(f"{one.name}.status", "status", vocab.slm.status))
        names = self.view.models["label"]
        cells = self.cells()
        rows = [
            [self.view.slugs[place], names[place], *(part for cell in row for part in (cell["value"], status(cell)))]
            for place, row in zip(self.places, cells, strict=True)
        ]
        return Grid("comparison of models", tuple(columns), rows, self.notes, self._long(cells))

    def _long(self, cells: Sequence[Sequence[Shown]]) -> Grid:
        """One row for each cell that has a value, with its unit, its own characters and what it was derived from."""
        rows = []
        units = self.view.terms.units.values()
        by_symbol = {scale.unit.symbol: scale.unit.iri for scale in units}
        for place, row in zip(self.places, cells, strict=True):
            for one, cell in zip(self.columns, row, strict=True):
                if cell["value"] is None:
                    continue
                value = [thing["iri"] for thing in cell["things"]] or cell["value"]
                rows.append(
                    [
                        self.view.slugs[place],
                        one.prop.iri if one.prop else None,
                        one.name,
                        value,
                        by_symbol.get(cell["unit"] or ""),
                        cell["reported"],
                        status(cell),
                        cell["badge"],
                        cell["claims"],
                    ]
                )
        return Grid("comparison of models", _LONG, rows, self.notes)

    def unit_of(self, column: Looked) -> str | None:
        """The symbol of the unit in which a column is shown."""
        if column.name in self._scales:
            return self._scales[column.name][1]
        return column.prop.unit.symbol if column.prop and column.prop.unit else None

    def _shown(self, column: Looked) -> list[Shown]:
        cells = column.shown(self.view, self.places)
        if column.name not in self._scales:
            return cells
        scale, symbol = self._scales[column.name]
        return [scaled(cell, scale, symbol) for cell in cells]

    def _property(self, column: Looked) -> str:
        key = ("property", column.column)
        if key not in self.view.kept and column.measure is None:
            self.view.kept[key] = encoded(property_json(column))
        text: str = self.view.kept.get(key) or encoded(property_json(column))
        return text


def compare(view: View, spec: ComparisonSpec, *, most: int) -> Matrix:
    """Answer a comparison; at most `most` models stand on a page. BadParameter points to what does not fit."""
    limit = _limit(spec, most, len(spec.models))
    columns = look_up_all(view, spec.properties or _usual(view), parameter="properties", fields=False)
    group = look_up(view, spec.group, parameter="group", pointer="/group") if spec.group else None
    fits = mask(view, spec.where, search=spec.search, baselines=spec.baselines or bool(spec.models))
    if spec.models:
        named = pl.Series("place", places_of(view, spec.models), dtype=pl.UInt32)
        chosen = named.filter(fits.gather(named))
    else:
        chosen = fits.arg_true()
    places = ordered(view, chosen, spec.sort, first=group)
    start = cursors.start(spec, view.revision) if spec.after else 0
    page = tuple(places[start : start + limit])
    scales = _scales(view, spec, columns)
    if spec.different:
        columns = tuple(one for one in columns if _differs(one, pl.Series(places, dtype=pl.UInt32)))
    more = start + limit < len(places)
    return Matrix(
        view=view,
        spec=spec,
        columns=columns,
        places=page,
        total=len(places),
        start=start,
        next=cursors.cursor(spec, view.revision, start + limit) if more else None,
        groups=_groups(group, columns, chosen) if group else (),
        notes=tuple(_notes(columns)),
        _scales=scales,
    )


def status(cell: Shown) -> str:
    """A cell's status in words, with the reason of a missing value."""
    return f"{cell['status']}: {cell['reason']}" if cell["reason"] else str(cell["status"])


def scaled(cell: Shown, scale: float, symbol: str) -> Shown:
    """A cell with its numbers in another unit."""

    def turn(value: Any) -> Any:
        return value * scale if isinstance(value, int | float) and not isinstance(value, bool) else value

    value, interval = cell["value"], cell["interval"]
    return {
        **cell,
        "value": [turn(one) for one in value] if isinstance(value, list) else turn(value),
        "unit": symbol,
        "candidates": [turn(one) for one in cell["candidates"]],
        "interval": interval and interval | {"lower": turn(interval["lower"]), "upper": turn(interval["upper"])},
    }


def property_json(column: Looked) -> dict[str, Any]:
    """A column's head as fronts show it."""
    one = column.prop
    assert one is not None  # noqa: S101 - only columns with cells are shown
    unit = one.unit
    return {
        "name": one.name,
        "iri": one.iri,
        "label": one.label,
        "definition": one.definition,
        "of": one.of,
        "kind": one.kind,
        "several": one.several,
        "range": one.range,
        "unit": {"iri": unit.iri, "symbol": unit.symbol, "label": unit.label} if unit else None,
        "settings": column.measure.settings if column.measure else None,
    }


def _usual(view: View) -> tuple[Column, ...]:
    return tuple(Column(name) for name in DEFAULT if name in view.properties)


def _limit(spec: ComparisonSpec, most: int, named: int) -> int:
    if named > most:
        raise BadParameter("models", f"{named} models are too many", advice=f"Give at most {most}.", pointer="/models")
    if spec.limit is not None and spec.limit > most:
        raise BadParameter("limit", f"at most {most} models fit on a page", pointer="/limit")
    return spec.limit or (named if named else min(PAGE, most))


def _scales(view: View, spec: ComparisonSpec, columns: Sequence[Looked]) -> dict[str, tuple[float, str]]:
    shown = {one.column: one for one in columns}
    found = {}
    for number, one in enumerate(spec.units):
        pointer = f"/units/{number}"
        if one.column not in shown:
            raise BadParameter("units", f"{one.column} is not shown", advice="Add it to properties.", pointer=pointer)
        prop = shown[one.column].prop
        unit = prop.unit if prop else None
        target = conversion(one.unit, unit, view.terms.units, parameter="units", pointer=pointer)
        found[str(one.column)] = (factor(unit, target.unit, view.terms.units), target.unit.symbol)
    return found


def _differs(column: Looked, places: pl.Series) -> bool:
    return column.values.names.gather(places).list.join("\x1f").n_unique() > 1


def _groups(group: Looked, columns: Sequence[Looked], chosen: pl.Series) -> tuple[Group, ...]:
    """Groups in alphabetical order, the models without a value last."""
    keys = group.values.names.gather(chosen).list.join(", ").to_list()
    named = sorted({key for key in keys if key is not None})
    values: list[str | None] = [*named, None] if None in keys else [*named]
    number = {value: place for place, value in enumerate(values)}
    of_model = np.array([number[key] for key in keys], np.int64)
    numeric = {
        one.name: one.values.numbers.gather(chosen).cast(pl.Float64).to_numpy()
        for one in columns
        if one.values.numbers is not None
    }
    found = []
    for place, value in enumerate(values):
        of_group = of_model == place
        told = {name: _summary(numbers[of_group]) for name, numbers in numeric.items()}
        found.append(Group(value, int(of_group.sum()), told))
    return tuple(found)


def _summary(numbers: npt.NDArray[np.float64]) -> dict[str, float | int | None]:
    """How many numbers there are, and the usual four about them."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return {"known": 0, "min": None, "median": None, "mean": None, "max": None}
    return {
        "known": len(known),
        "min": finite(float(known.min())),
        "median": finite(float(np.median(known))),
        "mean": finite(float(known.mean())),
        "max": finite(float(known.max())),
    }


def _notes(columns: Sequence[Looked]) -> list[str]:
    """What a reader must know before comparing."""
    return [
        f"{one.name}: values come from {one.measure.settings} different settings and are not comparable as they stand; "
        "add conditions"
        for one in columns
        if one.measure is not None and one.measure.settings > 1
    ]


def _group(one: Group) -> dict[str, Any]:
    return {"value": one.value, "models": one.models, "columns": one.columns}


def _member(key: str, text: str) -> str:
    return f"{key}:{text}"
