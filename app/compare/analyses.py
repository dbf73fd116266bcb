"""Questions over many models: facets with counts, trends in time, Pareto fronts. Answered from columns. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from app import vocab
from app.compare.choice import Looked, finite, look_up, look_up_all, mask
from app.compare.grid import Answer, Grid, GridColumn
from app.compare.matrix import property_json
from app.compare.measures import settings_told
from app.compare.projection.view import PARAMETERS, View
from app.compare.spec import Column, Filter
from app.errors import BadParameter

FACETS = ("license", "attentionType", "family", "ffnType", "normalisation", "releasedIn", PARAMETERS, "trainingTokens")
"""Facets that are counted when nobody names any."""
PERIODS = {"year": 12, "half": 6, "quarter": 3, "month": 1}
BINS = 20
_MOST = 100
"""Values that a facet lists; the rest is counted together."""
_LOGARITHMIC = 100.0
"""From this ratio of largest to smallest on, a histogram has bins of equal ratio."""


def facets(view: View, wanted: Sequence[Column], where: Sequence[Filter], *, search: str, baselines: bool) -> Answer:
    """How many models have which value, for each column: under all filters but those of the column itself."""
    named = wanted or tuple(Column(name) for name in FACETS if name in view.properties or name == "family")
    columns = look_up_all(view, named, parameter="properties")
    everything = mask(view, where, search=search, baselines=baselines)
    filtered = {one.column for one in where}
    found = []
    for one in columns:
        fits = (
            mask(view, where, search=search, baselines=baselines, but=one.column)
            if one.column in filtered
            else everything
        )
        found.append(_facet(one, fits))
    rows = [
        [one["name"], bin_["value"] if "value" in bin_ else f"{bin_['from']}..{bin_['to']}", bin_["models"]]
        for one in found
        for bin_ in (*one["values"], *one["bins"])
    ]
    grid = Grid(
        "facets",
        (
            GridColumn("facet", "facet", vocab.slm.aboutProperty, "dimension"),
            GridColumn("value", "value", vocab.rdf.value, "dimension"),
            GridColumn("models", "models", vocab.slm.sampleSize, "measure", "number"),
        ),
        rows,
    )
    return Answer({"revision": view.revision, "total": int(everything.sum()), "facets": found}, grid)


def trends(view: View, column: Column, by: str, where: Sequence[Filter], *, search: str, baselines: bool) -> Answer:
    """How the values of a column moved: shares of names, or quartiles of numbers, by period of release."""
    if by not in PERIODS:
        raise BadParameter("by", f"{by!r} is no period", advice=f"Use one of {', '.join(PERIODS)}.", pointer="/by")
    looked = look_up(view, column, parameter="property", pointer="/property")
    fits = mask(view, where, search=search, baselines=baselines)
    released = view.values("releasedIn").single
    usable = fits & released.is_not_null() & looked.values.known
    frame = pl.DataFrame({"month": released, "names": looked.values.names}).with_columns(
        period=_period(by), number=looked.values.numbers if looked.values.numbers is not None else None
    )
    chosen = frame.filter(usable)
    is_number = looked.values.numbers is not None
    points = _quartiles(chosen) if is_number else _shares(chosen)
    body = {
        "revision": view.revision,
        "property": property_json(looked) if looked.prop else None,
        "by": by,
        "models": chosen.height,
        "left_out": int((fits & ~usable).sum()),
        "points": points,
        "notes": _mixed(looked),
    }
    return Answer(body, _trend_grid(looked, points, is_number))


def pareto(
    view: View,
    x: Column,
    y: Column,
    *,
    x_best: str,
    y_best: str,
    where: Sequence[Filter],
    search: str,
    baselines: bool,
) -> Answer:
    """The models that no other one beats in both columns, and those that are beaten, with both values."""
    first = look_up(view, x, parameter="x", pointer="/x", fields=False)
    second = look_up(view, y, parameter="y", pointer="/y", fields=False)
    if x == y:
        raise BadParameter("y", "both axes show the same column", advice="Name another one.", pointer="/y")
    axes = []
    for looked, best, name in ((first, x_best, "x"), (second, y_best, "y")):
        if looked.values.numbers is None:
            raise BadParameter(
                name, f"{looked.name} holds no numbers", advice="Name another column.", pointer=f"/{name}"
            )
        axes.append(_wants_low(looked, best, name))
    fits = mask(view, where, search=search, baselines=baselines)
    xs, ys = (_floats(one) for one in (first, second))
    known = np.flatnonzero(fits.to_numpy() & ~np.isnan(xs) & ~np.isnan(ys))
    known = known[np.lexsort((ys[known], xs[known]))]
    xs, ys, places = xs[known], ys[known], known.tolist()
    on_front = _on_front(xs if axes[0] else -xs, ys if axes[1] else -ys)
    badges = [looked.badges(view, places) for looked in (first, second)]
    settings = _settings((first, second), places)
    labels = view.models["label"].gather(places).to_list()
    columns = (places, labels, xs.tolist(), ys.tolist(), on_front.tolist(), *badges, settings)
    rows = [
        {
            "model": view.slugs[place],
            "label": label,
            "x": x,
            "y": y,
            "front": front,
            "x_badge": x_badge,
            "y_badge": y_badge,
            "setting": setting,
        }
        for place, label, x, y, front, x_badge, y_badge, setting in zip(*columns, strict=True)
    ]
    notes = (*_mixed(first), *_mixed(second))
    body = {
        "revision": view.revision,
        "x": property_json(first) | {"best": "low" if axes[0] else "high"},
        "y": property_json(second) | {"best": "low" if axes[1] else "high"},
        "total": len(rows),
        "left_out": int(fits.sum()) - len(rows),
        "points": rows,
        "notes": list(notes),
    }
    grid = Grid(
        f"Pareto front of {first.name} and {second.name}",
        (
            GridColumn("model", "model", vocab.slm.ofModel, "dimension", "model"),
            column_of(first, "measure"),
            column_of(second, "measure"),
            GridColumn("front", "on the front", vocab.slm.statistic, "attribute", "truth"),
        ),
        [[one["model"], one["x"], one["y"], one["front"]] for one in rows],
        notes,
    )
    return Answer(body, grid)


def on_front(points: Sequence[tuple[float, float]], *, low_x: bool, low_y: bool) -> list[bool]:
    """Which of these points no other one beats in both values."""
    x, y = np.array(points, np.float64).reshape(-1, 2).T
    flags: list[bool] = _on_front(x if low_x else -x, y if low_y else -y).tolist()
    return flags


def column_of(looked: Looked, role: str = "measure") -> GridColumn:
    """A looked-up column as a column of a table."""
    prop = looked.prop
    unit = prop.unit if prop else None
    return GridColumn(
        looked.name,
        prop.label if prop else looked.name,
        prop.iri if prop else vocab.rdf.value,
        role,
        "number" if looked.values.numbers is not None else "text",
        unit.iri if unit else None,
        unit.symbol if unit else None,
    )


def _facet(looked: Looked, fits: pl.Series) -> dict[str, Any]:
    values = looked.values
    head = {
        "name": looked.name,
        "label": looked.prop.label if looked.prop else looked.name,
        "kind": "number" if values.numbers is not None else "name",
        "unit": looked.prop.unit.symbol if looked.prop and looked.prop.unit else None,
        "known": int((fits & values.known).sum()),
        "missing": int((fits & ~values.known).sum()),
    }
    if values.numbers is not None:
        return head | {"values": [], **_histogram(values.numbers.filter(fits).drop_nulls())}
    counts = values.names.filter(fits).explode().drop_nulls().value_counts(sort=False)
    rows = counts.rename({counts.columns[0]: "value", counts.columns[1]: "models"})
    ranked = rows.sort(["models", "value"], descending=[True, False])
    listed = ranked.head(_MOST).rows(named=True)
    return head | {"values": listed, "others": ranked.height - len(listed), "min": None, "max": None, "bins": []}


def _histogram(numbers: pl.Series) -> dict[str, Any]:
    """Bins of equal width, or of equal ratio where the values span orders of magnitude."""
    if numbers.is_empty():
        return {"others": 0, "min": None, "max": None, "bins": [], "scale": "linear"}
    low, high = float(numbers.min() or 0), float(numbers.max() or 0)  # type: ignore[arg-type]  # numbers by contract
    if low == high:
        return {"others": 0, "min": low, "max": high, "scale": "linear", "bins": [_bin(low, high, len(numbers))]}
    logarithmic = low > 0 and high / low >= _LOGARITHMIC
    scaled = numbers.log() if logarithmic else numbers
    start, end = (math.log(low), math.log(high)) if logarithmic else (low, high)
    width = (end - start) / BINS
    places = ((scaled - start) / width).floor().clip(0, BINS - 1).cast(pl.Int32)
    counts = dict(places.value_counts().iter_rows())
    edges = [start + width * place for place in range(BINS + 1)]
    shown = [low, *(math.exp(one) if logarithmic else one for one in edges[1:-1]), high]
    bins = [_bin(shown[place], shown[place + 1], counts.get(place, 0)) for place in range(BINS)]
    return {"others": 0, "min": low, "max": high, "scale": "log" if logarithmic else "linear", "bins": bins}


def _bin(low: float, high: float, models: int) -> dict[str, float | int]:
    return {"from": low, "to": high, "models": models}


def _period(by: str) -> pl.Expr:
    year = pl.col("month").str.slice(0, 4)
    month = pl.col("month").str.slice(5, 2).cast(pl.Int32, strict=False)
    if by == "year":
        return year
    if by == "month":
        return pl.col("month")
    number = ((month - 1) // PERIODS[by] + 1).cast(pl.String)
    return pl.when(month.is_not_null()).then(pl.concat_str(year, pl.lit("-H" if by == "half" else "-Q"), number))


def _shares(chosen: pl.DataFrame) -> list[dict[str, Any]]:
    """Models by period and name. A model with several values counts for each."""
    models = chosen.group_by("period").agg(pl.len().alias("all"))
    counts = chosen.explode("names").group_by("period", "names").agg(pl.len().alias("models"))
    rows = counts.join(models, on="period").sort(["period", "models", "names"], descending=[False, True, False])
    return [
        {"period": row["period"], "value": row["names"], "models": row["models"], "share": row["models"] / row["all"]}
        for row in rows.iter_rows(named=True)
        if row["period"] is not None
    ]


def _quartiles(chosen: pl.DataFrame) -> list[dict[str, Any]]:
    number = pl.col("number")
    rows = chosen.group_by("period").agg(
        pl.len().alias("models"),
        number.min().alias("min"),
        number.quantile(0.25, "linear").alias("q1"),
        number.median().alias("median"),
        number.quantile(0.75, "linear").alias("q3"),
        number.max().alias("max"),
    )
    return [
        {key: finite(value) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows.sort("period").iter_rows(named=True)
        if row["period"] is not None
    ]


def _trend_grid(looked: Looked, points: Sequence[dict[str, Any]], is_number: bool) -> Grid:
    names = (
        ("period", "models", "min", "q1", "median", "q3", "max")
        if is_number
        else ("period", "value", "models", "share")
    )
    told = column_of(looked)
    columns = tuple(
        GridColumn(
            name,
            name,
            {"period": vocab.slm.releasedIn, "models": vocab.slm.sampleSize}.get(name, told.iri),
            "dimension" if name in {"period", "value"} else "measure",
            "text" if name in {"period", "value"} else "number",
            told.unit if name not in {"period", "value", "models", "share"} else None,
            told.symbol if name not in {"period", "value", "models", "share"} else None,
        )
        for name in names
    )
    return Grid(f"{looked.name} over time", columns, [[one[name] for name in names] for one in points])


def _wants_low(looked: Looked, best: str, axis: str) -> bool:
    if best not in {"", "low", "high"}:
        raise BadParameter(f"{axis}_best", f"{best!r} is neither low nor high", pointer=f"/{axis}_best")
    if best:
        return best == "low"
    if looked.measure is not None and looked.measure.higher_is_better is not None:
        return not looked.measure.higher_is_better
    return axis == "x"


def _floats(looked: Looked) -> npt.NDArray[np.float64]:
    """The numbers of a column, NaN where there is none."""
    assert looked.values.numbers is not None  # noqa: S101 - columns without numbers are refused before
    return looked.values.numbers.cast(pl.Float64).to_numpy()


def _on_front(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether no other point is at least as low in both values and lower in one."""
    order = np.lexsort((y, x))
    across, up = x[order], y[order]
    begins = np.searchsorted(across, across)
    lowest = np.concatenate(([np.inf], np.minimum.accumulate(up)))
    found = np.empty(len(x), np.bool_)
    found[order] = (up == up[begins]) & (up < lowest[begins])
    return found


def _settings(axes: Sequence[Looked], places: Sequence[int]) -> list[str | None]:
    """For each model the setting of its values in words, where values of an axis come from different settings."""
    told = [settings_told(one.measure, places) for one in axes if one.measure is not None]
    if not told:
        return [None] * len(places)
    return ["; ".join(filter(None, line)) or None for line in zip(*told, strict=True)]


def _mixed(looked: Looked) -> list[str]:
    if looked.measure is None or looked.measure.settings < 2:
        return []
    return [f"{looked.name}: values come from {looked.measure.settings} different settings; add conditions"]
