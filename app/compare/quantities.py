"""Numbers as people type them, with units: `1.5B`, `4k`, `2 GB`, `50 %`. Factors come from the graph (QUDT).

Never guesses: a unit of another kind is an error that names the units that fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from app.compare.projection.terms import Scale
from app.compare.spec import nearest
from app.compare.values import Unit
from app.errors import BadParameter

_NUMBER = re.compile(r"([+-]?(?:\d+(?:[_ ]\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)\Z")
_MAGNITUDES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
"""Suffixes of plain counts. Where a unit has the same symbol (B for byte), the unit is meant."""


def number(text: str, unit: Unit | None, units: Mapping[str, Scale], *, parameter: str, pointer: str) -> float:
    """A typed number in the given unit; BadParameter when it is none or its unit does not fit."""
    found = _NUMBER.match(text.strip())
    if not found:
        raise BadParameter(parameter, f"{text!r} is not a number", advice="Write 1500, 1.5B or 2 GB.", pointer=pointer)
    value = float(found.group(1).replace("_", "").replace(" ", ""))
    suffix = found.group(2).strip()
    value *= _factor(suffix, unit, units, parameter, pointer) if suffix else 1
    if not math.isfinite(value):
        raise BadParameter(parameter, f"{text!r} is too large", pointer=pointer)
    return value


def conversion(symbol: str, unit: Unit | None, units: Mapping[str, Scale], *, parameter: str, pointer: str) -> Scale:
    """The unit with this symbol, name or label, if values in `unit` can be shown in it; BadParameter otherwise."""
    offered = fitting(unit, units)
    for one in offered:
        if symbol in {one.unit.symbol, one.unit.label, one.unit.iri.rsplit("/", 1)[-1]}:
            return one
    known = [one.unit.symbol for one in offered]
    problem = f"there is no unit {symbol!r} that fits" if known else "the column has no unit"
    raise BadParameter(parameter, problem, advice=nearest(symbol, known), pointer=pointer)


def factor(source: Unit | None, target: Unit, units: Mapping[str, Scale]) -> float:
    """By what a number in `source` is multiplied to be one in `target`; both are of one kind."""
    if source is None or source.iri == target.iri:
        return 1.0
    return (units[source.iri].multiplier or 1.0) / (units[target.iri].multiplier or 1.0)


def _factor(suffix: str, unit: Unit | None, units: Mapping[str, Scale], parameter: str, pointer: str) -> float:
    for one in fitting(unit, units):
        if suffix in {one.unit.symbol, one.unit.label} and unit is not None:
            return factor(one.unit, unit, units)
    if suffix in _MAGNITUDES:
        return _MAGNITUDES[suffix]
    known = [*(one.unit.symbol for one in fitting(unit, units)), *_MAGNITUDES]
    raise BadParameter(parameter, f"{suffix!r} is not a unit that fits", advice=nearest(suffix, known), pointer=pointer)


def fitting(unit: Unit | None, units: Mapping[str, Scale]) -> list[Scale]:
    """Units of the same kind, with a factor."""
    own = units.get(unit.iri) if unit else None
    if own is None or own.kind is None or own.multiplier is None:
        return []
    return [one for one in units.values() if one.kind == own.kind and one.multiplier is not None]
