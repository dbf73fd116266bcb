"""How a column moved with the time of release: stacked shares of names, quartiles of numbers. Pure.

Periods without a model keep their place, so that the axis is one of time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.compare.charts import frame
from app.compare.charts.frame import Origin, Row, Spec

_HIGH = 300
_OWN = 7
"""Values with a colour of their own."""
_PARTS = {"year": 1, "half": 2, "quarter": 4, "month": 12}
_MOST = 240
"""Periods on an axis; where there are more, those without a model are left out."""


def followed(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """The answer of a trend as a chart."""
    head = answer["property"]
    label = head["label"] if head else "value"
    title = f"{frame.told(label)} by time of release"
    left = answer["left_out"]
    notes = frame.present(
        f"{answer['models']} models" + (f", {left} without a value or a month of release" if left else ""),
        *answer["notes"],
    )
    points = answer["points"]
    if not points:
        return frame.nothing(origin, title, notes, "Nothing to draw: no model fits")
    if "median" in points[0]:
        symbol = head["unit"]["symbol"] if head and head["unit"] else None
        picture, more = _quartiles(points, answer["by"], label, symbol)
    else:
        picture, more = _shares(points, answer["by"], label)
    return frame.framed(origin, title, [*notes, *more], picture)


def all_periods(points: Sequence[Mapping[str, Any]], by: str) -> list[str]:
    """Every period from the first to the last, those without a model too."""
    there = sorted({one["period"] for one in points})
    parts = _PARTS[by]
    letter = {"half": "H", "quarter": "Q"}.get(by, "")

    def number(period: str) -> int:
        year, _, part = period.partition("-")
        return int(year) * parts + (int(part.lstrip("HQ")) - 1 if part else 0)

    def named(place: int) -> str:
        year, part = divmod(place, parts)
        if parts == 1:
            return f"{year:04}"
        return f"{year:04}-{part + 1:02}" if parts == 12 else f"{year:04}-{letter}{part + 1}"

    try:
        first, last = number(there[0]), number(there[-1])
    except ValueError:
        return there
    names = [named(place) for place in range(first, last + 1)] if last - first < _MOST else there
    return names if set(there) <= set(names) else there


def _time(points: Sequence[Mapping[str, Any]], by: str) -> Spec:
    return {
        "field": "period",
        "type": "ordinal",
        "title": "Time of release",
        "scale": {"domain": all_periods(points, by)},
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }


def _shares(points: Sequence[Mapping[str, Any]], by: str, label: str) -> tuple[Spec, list[str]]:
    """Shares that make a whole are stacked to one; where a model counts several times, models are stacked instead."""
    ranked, totals = _ranking(points)
    own = ranked[:_OWN] if len(ranked) > _OWN else ranked
    rest = ranked[len(own) :]
    grey = f"{len(rest)} others"
    domain = [*own, *([grey] if rest else [])]
    rows: list[Row] = []
    for period in dict.fromkeys(one["period"] for one in points):
        here = {one["value"]: one for one in points if one["period"] == period}
        rows += [_share(here[name], name, domain.index(name)) for name in own if name in here]
        others = [here[name] for name in rest if name in here]
        if others:
            added = {"models": sum(one["models"] for one in others), "share": sum(one["share"] for one in others)}
            rows.append(_share({"period": period, **added}, grey, len(own)))
    whole = all(math.isclose(total, 1.0, abs_tol=1e-6) for total in totals.values())
    field, axis = ("share", "Share of the models") if whole else ("models", "Models")
    said = (
        "Above each bar: models of the period"
        if whole
        else "A model with several values counts for each of them, so models and not shares are stacked"
    )
    y: Spec = {"field": field, "type": "quantitative", "title": axis, "stack": "zero"}
    y |= {"scale": {"domain": [0, 1], "nice": False}, "axis": {"format": ".0%"}} if whole else {}
    time = _time(points, by)
    told = (("period", "Released"), ("value", frame.told(label)), ("models", "Models"), ("share", "Share"))
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "width": {"band": 0.8}},
            "encoding": {
                "x": time,
                "y": y,
                "order": {"field": "place", "type": "quantitative"},
                "color": {
                    "field": "value",
                    "type": "nominal",
                    "title": frame.told(label),
                    "scale": {
                        "domain": domain,
                        "range": [*frame.COLOURS[: len(own)], *([frame.OTHERS] if rest else [])],
                    },
                    "legend": {"columns": 1, "symbolLimit": len(domain)},
                },
                "tooltip": frame.tooltip(*told),
            },
        }
    ]
    if whole:
        layers.append(_numbers(points, time))
    picture = {"width": frame.WIDE, "height": _HIGH, "data": {"values": rows}, "layer": layers}
    return picture, [said]


def _ranking(points: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, float]]:
    """Values by their models, the most frequent first; and the sum of shares of each period."""
    models: dict[str, int] = {}
    shares: dict[str, float] = {}
    for one in points:
        models[one["value"]] = models.get(one["value"], 0) + one["models"]
        shares[one["period"]] = shares.get(one["period"], 0.0) + one["share"]
    return sorted(models, key=lambda name: (-models[name], name)), shares


def _share(one: Mapping[str, Any], value: str, place: int) -> Row:
    return {
        "period": one["period"],
        "value": value,
        "models": one["models"],
        "share": one["share"],
        "place": place,
    }


def _numbers(points: Sequence[Mapping[str, Any]], time: Spec) -> Spec:
    """How many models stand behind each bar: a share of two is no trend."""
    counted: dict[str, int] = {}
    for one in points:
        counted[one["period"]] = counted.get(one["period"], 0) + one["models"]
    return {
        "data": {"values": [{"period": period, "models": models} for period, models in counted.items()]},
        "mark": {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 10, "color": frame.QUIET},
        "encoding": {
            "x": time,
            "y": {"value": 0},
            "text": {"field": "models", "type": "quantitative"},
        },
    }


def _quartiles(points: Sequence[Mapping[str, Any]], by: str, label: str, symbol: str | None) -> tuple[Spec, list[str]]:
    """For each period a line from least to greatest, a box over the middle half, a mark at the median."""
    names = ("period", "models", "min", "q1", "median", "q3", "max")
    rows = [{name: one[name] for name in names} for one in points if one["median"] is not None]
    scaled = frame.scale(one[name] for one in rows for name in ("min", "max"))
    time = _time(points, by)
    told = [("period", "Released"), ("models", "Models")]
    told += [(name, name.capitalize()) for name in names[2:]]
    hint = frame.tooltip(*told)
    y = frame.number("min", frame.titled(label, symbol), scaled, symbol)
    said = [
        "A dot is the median, a box the middle half, a line goes from the least to the greatest",
        "Above: models of the period",
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "color": frame.ACCENT, "strokeWidth": 1.5},
            "encoding": {"x": time, "y": y, "y2": {"field": "max"}, "tooltip": hint},
        },
        {
            "mark": {"type": "bar", "color": frame.BEATEN, "width": {"band": 0.45}},
            "encoding": {"x": time, "y": {**y, "field": "q1", "stack": None}, "y2": {"field": "q3"}, "tooltip": hint},
        },
        {
            "mark": {"type": "point", "filled": True, "color": frame.ACCENT, "size": 70, "opacity": 1},
            "encoding": {"x": time, "y": {**y, "field": "median"}, "tooltip": hint},
        },
        {
            "mark": {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 10, "color": frame.QUIET},
            "encoding": {"x": time, "y": {"value": 0}, "text": {"field": "models", "type": "quantitative"}},
        },
    ]
    picture = {"width": frame.WIDE, "height": _HIGH, "data": {"values": rows}, "layer": layers}
    return picture, said
