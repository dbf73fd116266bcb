"""Charts as SVG made here, without styles inside: shares over time as stacked bars, numbers over time as quartiles.

A chart repeats what the table beside it says; nobody needs to see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from app.web import words

_WIDE, _HIGH = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 12, 12, 36
_SERIES = 5
"""Values with a colour of their own; the others share the last one."""


def shares(points: Sequence[Mapping[str, Any]], title: str) -> tuple[Markup, list[tuple[str, int]]]:
    """Stacked bars of the models of each period by value, and the legend: values with the number of their colour."""
    periods = sorted({point["period"] for point in points})
    totals: dict[str, int] = {}
    for point in points:
        totals[point["value"]] = totals.get(point["value"], 0) + point["models"]
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    colours = {name: min(place, _SERIES) for place, name in enumerate(ranked)}
    step = (_WIDE - _LEFT - _RIGHT) / max(len(periods), 1)
    parts = []
    for place, period in enumerate(periods):
        here = sorted((one for one in points if one["period"] == period), key=lambda one: ranked.index(one["value"]))
        everything = sum(one["models"] for one in here)
        top = float(_HIGH - _BOTTOM)
        for one in here:
            height = (_HIGH - _TOP - _BOTTOM) * one["models"] / everything
            top -= height
            told = f"{period}, {one['value']}: {one['models']} of {everything}"
            parts.append(_bar(_LEFT + step * place + step * 0.1, top, step * 0.8, height, colours[one["value"]], told))
    axis = _axes([(f"{25 * part} %", part / 4) for part in range(5)], periods, step)
    legend = [(name, colours[name]) for name in ranked[:_SERIES]]
    others = ranked[_SERIES:]
    named = [*legend, *([(f"{len(others)} others", _SERIES)] if others else [])]
    return _svg(title, [*axis, *parts]), named


def quartiles(points: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """For each period a line from least to greatest, a box from the first to the third quartile, a dot at the median.

    The scale is logarithmic where numbers above 0 span two orders of magnitude.
    """
    numbers = [point[name] for point in points for name in ("min", "max") if point[name] is not None]
    if not numbers:
        return Markup("")
    low, high = min(numbers), max(numbers)
    place_of, marks = _scale(low, high)
    step = (_WIDE - _LEFT - _RIGHT) / len(points)

    def down(value: float) -> float:
        return _HIGH - _BOTTOM - (_HIGH - _TOP - _BOTTOM) * place_of(value)

    parts = []
    for place, point in enumerate(points):
        middle = _LEFT + step * (place + 0.5)
        told = ", ".join(f"{name} {words.plain(point[name])}" for name in ("min", "q1", "median", "q3", "max"))
        parts.append(
            Markup('<path class="range" d="M{0:.1f} {1:.1f}V{2:.1f}"></path>').format(
                middle, down(point["min"]), down(point["max"])
            )
        )
        box = down(point["q3"])
        parts.append(_bar(middle - step * 0.2, box, step * 0.4, down(point["q1"]) - box, _SERIES, told))
        parts.append(
            Markup('<circle class="mark" cx="{0:.1f}" cy="{1:.1f}" r="5"><title>{2}</title></circle>').format(
                middle, down(point["median"]), f"{point['period']}: {told}"
            )
        )
    return _svg(title, [*_axes(marks, [point["period"] for point in points], step), *parts])


def _scale(low: float, high: float) -> tuple[Callable[[float], float], list[tuple[str, float]]]:
    """From a number to its place between 0 and 1, and the marks of the axis."""
    if low > 0 and high / low >= 100:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        wide = max(last - first, 1)
        marks = [(words.edge(10.0**power), (power - first) / wide) for power in range(first, last + 1)]
        return (lambda value: (math.log10(value) - first) / wide), marks
    start, end = min(low, 0.0), high if high > min(low, 0.0) else low + 1
    marks = [(words.edge(start + (end - start) * part / 4), part / 4) for part in range(5)]
    return (lambda value: (value - start) / (end - start)), marks


def _axes(marks: Sequence[tuple[str, float]], periods: Sequence[str], step: float) -> list[Markup]:
    bottom = _HIGH - _BOTTOM
    found = [Markup('<path class="axis" d="M{0} {1}V{2}H{3}"></path>').format(_LEFT, _TOP, bottom, _WIDE - _RIGHT)]
    for label, place in marks:
        height = bottom - (bottom - _TOP) * place
        found.append(
            Markup('<text x="{0}" y="{1:.1f}" text-anchor="end">{2}</text>').format(_LEFT - 6, height + 4, label)
        )
    every = max(1, math.ceil(len(periods) / 10))
    for number, period in enumerate(periods):
        if number % every == 0:
            found.append(
                Markup('<text x="{0:.1f}" y="{1}" text-anchor="middle">{2}</text>').format(
                    _LEFT + step * (number + 0.5), bottom + 20, period
                )
            )
    return found


def _bar(left: float, top: float, width: float, height: float, series: int, told: str) -> Markup:
    return Markup(
        '<rect class="s{0}" x="{1:.1f}" y="{2:.1f}" width="{3:.1f}" height="{4:.1f}"><title>{5}</title></rect>'
    ).format(series, left, top, width, max(height, 0.5), told)


def _svg(title: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>').format(
        _WIDE, _HIGH, escape(title), Markup("").join(parts)
    )
