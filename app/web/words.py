"""Values, cells and filters in the words of a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.compare.values import Property

PLAIN_UNITS = frozenset({"#", "÷"})
"""Symbols of units that say nothing to a reader: counts and fractions."""
REASONS = {
    "not-reported": "not reported",
    "not-applicable": "does not apply",
    "not-looked-for": "nobody has looked",
    "withheld": "withheld by its makers",
    "varies-by-layer": "varies by layer",
    "not-observed": "not observed",
    "not-derivable": "cannot be worked out",
}
_LARGE = 1e15


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell in words. `kind` is the class of its badge; `sources` tells how many agree and differ."""

    text: str
    badge: str
    kind: str
    sources: str
    interval: str
    numeric: bool
    missing: bool
    reported: str


def plain(value: Any) -> str:
    """One value: numbers with thousands, yes and no, text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) > 9999 else str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return "" if value is None else str(value)


def cell(shown: Mapping[str, Any]) -> ShownCell:
    """A cell as the columns give it."""
    value = shown["value"]
    missing = shown["status"] == "missing"
    text = plain(value)
    if missing:
        text = REASONS.get(shown["reason"] or "", "missing")
    elif shown["status"] == "disputed":
        text = " or ".join(map(plain, shown["candidates"]))
    return ShownCell(
        text=text,
        badge="" if missing else str(shown["badge"]),
        kind=str(shown["status"]),
        sources=sources(shown["sources"]),
        interval=interval(shown["interval"]),
        numeric=isinstance(value, int | float) and not isinstance(value, bool),
        missing=missing,
        reported=str(shown["reported"] or ""),
    )


def sources(counts: Mapping[str, int]) -> str:
    """How many sources agree and how many differ."""
    agreeing, differing = counts["agreeing"], counts["disagreeing"]
    if not agreeing and not differing:
        return ""
    if not agreeing:
        return f"{differing} sources differ"
    told = f"{agreeing} source{'' if agreeing == 1 else 's'}"
    return f"{told}, {differing} differ{'s' if differing == 1 else ''}" if differing else told


def interval(bounds: Mapping[str, Any] | None) -> str:
    """An interval, but for the rounding of digits, which a table need not tell."""
    if not bounds or bounds["basis"] == "rounding":
        return ""
    return f"{plain(bounds['lower'])} to {plain(bounds['upper'])}"


def unit_of(symbol: str | None) -> str:
    """A unit's symbol, when it says something."""
    return "" if symbol is None or symbol in PLAIN_UNITS else symbol


def heading(prop: Property, symbol: str | None) -> str:
    """A column's name with its unit."""
    unit = unit_of(symbol)
    label = prop.label[:1].upper() + prop.label[1:]
    return f"{label}, {unit}" if unit else label


def edge(value: float, unit: str = "") -> str:
    """A number for a field of a form, as people type it: 1.2B, 350M, 0.5. Without magnitudes where B means bytes."""
    if "B" in unit:
        return f"{value:.6g}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def significant(value: float) -> str:
    """A number of which three digits say enough, such as a predicted one."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _float(value: float) -> str:
    if value.is_integer() and abs(value) < _LARGE:
        return plain(int(value))
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
