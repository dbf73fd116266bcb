"""What all charts share: title, source, axes with units, scales that fit the numbers, colours and shapes. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first one comes with the renderer, the others have the same widths."""
MOST_POINTS = 2_000
"""Points that one chart draws."""
LOGARITHMIC = 100.0
"""From this ratio of largest to smallest on, an axis is logarithmic."""
WIDE = 560
PLAIN_UNITS = frozenset({"#", "÷"})
"""Symbols of units that say nothing to a reader: counts and fractions."""

TEXT, QUIET, GRID, GROUND = "#1c2427", "#55636a", "#d5dbdc", "#ffffff"
ACCENT, BEATEN = "#175d69", "#8a97a3"
COLOURS = (ACCENT, "#c4622d", "#6a51a3", "#5b8c2a", "#b0305c", "#2f6fb5", "#8f6b12")
"""For names; what has none of its own is grey."""
OTHERS = "#8a8f98"
DARK = {
    TEXT: "#e4eaeb",
    QUIET: "#a3b1b6",
    GRID: "#354146",
    GROUND: "#1a2225",
    BEATEN: "#93a1a8",
    OTHERS: "#9aa3ad",
    **dict(zip(COLOURS, ("#7fcbd8", "#f0a070", "#b8a4f0", "#a5d46a", "#f08bb0", "#8fbcf0", "#d9b65a"), strict=True)),
}
"""What each colour becomes where the reader likes it dark."""
SHAPES = {
    "measured": "circle",
    "imported": "diamond",
    "reported": "square",
    "derived": "triangle-up",
    "predicted": "triangle-down",
    "proposed": "cross",
    "measured with random weights": "stroke",
}
"""How a value is known, the surest first, and the shape that says so."""
_LINE = 100
"""Letters of a subtitle's line."""
_MARGIN = 0.04
"""What an axis has beyond its numbers, as a part of their span."""

CONFIG: Spec = {
    "font": FONT,
    "background": GROUND,
    "range": {"category": list(COLOURS)},
    "rule": {"color": QUIET},
    "text": {"color": TEXT},
    "view": {"stroke": None, "continuousWidth": WIDE},
    "title": {
        "anchor": "start",
        "frame": "group",
        "fontSize": 15,
        "subtitleFontSize": 11,
        "color": TEXT,
        "subtitleColor": QUIET,
        "subtitlePadding": 4,
        "offset": 12,
    },
    "axis": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "domainColor": QUIET,
        "tickColor": QUIET,
        "gridColor": GRID,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 190,
        "titleLimit": WIDE,
    },
    "legend": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 520,
        "titleLimit": 520,
        "symbolBaseFillColor": QUIET,
        "symbolBaseStrokeColor": QUIET,
        "orient": "bottom",
        "direction": "vertical",
    },
    "header": {"labelColor": TEXT, "titleColor": TEXT, "labelFontSize": 12, "labelLimit": 600},
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the answer of a chart lies for ever: its address and its revision."""

    address: str
    revision: int


def framed(origin: Origin, title: str, notes: Iterable[str], picture: Spec) -> Spec:
    """A specification with its title, what a reader must know, where its numbers come from, and its dark colours."""
    said = [*notes, f"slmkg, revision {origin.revision}"]
    return {
        "$schema": SCHEMA,
        "title": {"text": textwrap.wrap(title, 80) or [""], "subtitle": wrapped(said)},
        "description": f"{title}. {'. '.join(one.rstrip('.') for one in said)}. From {origin.address}",
        "usermeta": {"slmkg": {"source": origin.address, "revision": origin.revision, "dark": DARK}},
        **picture,
        "config": CONFIG,
    }


def wrapped(notes: Iterable[str]) -> list[str]:
    """Notes as lines that are not wider than a chart."""
    return [line for one in notes for line in textwrap.wrap(one, _LINE)]


def nothing(origin: Origin, title: str, notes: Iterable[str], why: str) -> Spec:
    """A chart that says that there is nothing to draw."""
    mark = {"type": "text", "fontSize": 13, "color": TEXT}
    return framed(
        origin,
        title,
        notes,
        {"width": WIDE, "height": 60, "data": {"values": [{"told": why}]}, "mark": mark, "encoding": {"text": _TOLD}},
    )


_TOLD = {"field": "told", "type": "nominal"}


def told(text: str) -> str:
    """Text that begins a line: with a capital."""
    return f"{text[:1].upper()}{text[1:]}"


def titled(label: str, symbol: str | None) -> str:
    """A name with its unit, where the unit says something."""
    return told(f"{label} ({symbol})" if symbol and symbol not in PLAIN_UNITS else label)


def scale(numbers: Iterable[float]) -> Spec:
    """A logarithmic scale where numbers above 0 span two orders of magnitude, a linear one otherwise.

    It ends a little beyond the numbers. It is for points: bars need an axis that begins at 0.
    """
    known = [one for one in numbers if math.isfinite(one)] or [0.0, 1.0]
    low, high = float(min(known)), float(max(known))
    if is_logarithmic(known):
        factor = (high / low) ** _MARGIN
        return {"type": "log", "domain": [low / factor, high * factor], "nice": False}
    beyond = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    first = max(0.0, low - beyond) if low >= 0 else low - beyond
    return {"type": "linear", "domain": [first, high + beyond], "nice": False, "zero": False}


def place(value: float, scaled: Spec, length: float) -> float:
    """Where a scale puts a value along an axis of this length."""
    low, high = (float(end) for end in scaled["domain"])
    if scaled["type"] == "log":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return length * (value - low) / (high - low)


def is_logarithmic(numbers: Sequence[float]) -> bool:
    """Whether these numbers need a logarithmic axis."""
    return bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) >= LOGARITHMIC


def axis(title: str, scaled: Spec, symbol: str | None, **more: Any) -> Spec:
    """An axis of numbers: few marks, short numbers, and the word that it is logarithmic."""
    ends = scaled.get("domain", [0.0, 1e12])
    labels = short(max(abs(one) for one in ends), symbol)
    if scaled["type"] != "log":
        return {"title": title, "tickCount": 6, **labels, **more}
    marks = {"values": _decades(*ends)} if "domain" in scaled else {}
    return {"title": f"{title}, logarithmic", **marks, **labels, **more}


def short(greatest: float, symbol: str | None) -> Spec:
    """How numbers up to this one are written on an axis: 1.5B, and 1.5G where B means bytes."""
    if greatest < 1000:
        return {"format": ".6~g"}
    if symbol is not None and "B" in symbol:
        return {"labelExpr": "format(datum.value, '~s')"}
    return {"labelExpr": "replace(format(datum.value, '~s'), 'G', 'B')"}


def _decades(low: float, high: float) -> list[float]:
    """The marks of a logarithmic axis: powers of ten, and twice and five times them where those are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if len(powers) > 5 else (1, 2, 5)
    marks = [float(f"{step}e{power}") for power in powers for step in steps]
    return [one for one in marks if low <= one <= high]


def number(field: str, title: str, scaled: Spec, symbol: str | None = None) -> Spec:
    """A channel of numbers in the unit of this symbol."""
    return {"field": field, "type": "quantitative", "scale": scaled, "axis": axis(title, scaled, symbol)}


def tooltip(*fields: tuple[str, str]) -> list[Spec]:
    """What a point says: fields with their titles; texts as they are, numbers in full."""
    return [{"field": field, "title": title} for field, title in fields]


def standing(rows: Sequence[Row], field: str = "standing", title: str = "How it is known") -> Spec:
    """The channel of shapes: how each value is known."""
    there = [one for one in SHAPES if any(row[field] == one for row in rows)]
    there += sorted({str(row[field]) for row in rows} - set(SHAPES))
    return {
        "field": field,
        "type": "nominal",
        "title": title,
        "scale": {"domain": there, "range": [SHAPES.get(one, "cross") for one in there]},
    }


def weakest(*badges: str) -> str:
    """The badge of the value that is known worst."""
    order = [*SHAPES]
    return max(badges, key=lambda one: order.index(one) if one in SHAPES else len(order))


def groups(rows: Sequence[Row], field: str, title: str) -> Spec:
    """The channel of colours for a field of names: the most frequent have a colour of their own, the others are grey.

    The rows' field is overwritten where it falls among the others; the legend says how many those are.
    """
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[field]] = counts.get(row[field], 0) + 1
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    own, rest = (ranked, []) if len(ranked) <= len(COLOURS) else (ranked[: len(COLOURS)], ranked[len(COLOURS) :])
    grey = f"{len(rest)} others"
    if rest:
        hidden = set(rest)
        for row in rows:
            if row[field] in hidden:
                row[f"{field} in full"] = row[field]
                row[field] = grey
    domain = [*own, *([grey] if rest else [])]
    return {
        "field": field,
        "type": "nominal",
        "title": title,
        "scale": {"domain": domain, "range": [*COLOURS[: len(own)], *([OTHERS] if rest else [])]},
        "legend": {"columns": 1, "symbolLimit": len(domain)},
    }


def thinned(rows: Sequence[Row], kept: Sequence[bool], most: int = MOST_POINTS) -> tuple[list[Row], str]:
    """At most so many rows: those to be `kept`, if they fit, and of the others every so many; and what was left out."""
    if len(rows) <= most:
        return list(rows), ""
    must = sum(kept) if sum(kept) < most else 0
    step = math.ceil((len(rows) - must) / (most - must))
    place, found = -1, []
    for row, keep in zip(rows, kept, strict=True):
        stays = keep and must > 0
        place += not stays
        if stays or place % step == 0:
            found.append(row)
    how = f"all that no other beats and one in {step} of the others" if must else f"one in {step}"
    return found, f"{len(found):,} of {len(rows):,} points are drawn, {how}"


def labelled(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Labels of models, each with its short name where several models have the same: equal names share one line."""
    counts: dict[str, int] = {}
    for label, _ in pairs:
        counts[label] = counts.get(label, 0) + 1
    return [label if counts[label] == 1 else f"{label} ({slug})" for label, slug in pairs]


def some(drawn: int, total: int, what: str, order: str) -> str:
    """What is shown when not everything is; empty when all is."""
    return "" if drawn >= total else f"{drawn:,} of {total:,} {what} are drawn, {order}"


def conditions(given: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    """Conditions of an observation in words."""
    hidden = set(without)
    return ", ".join(f"{name} {value}" for name, value in given.items() if name not in hidden) or "conditions not told"


def present(*notes: str) -> list[str]:
    """The notes that say something."""
    return [one for one in notes if one]
