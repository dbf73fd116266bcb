"""How sure a value is, and whether two values can be told apart. Pure.

* A share of test items answered rightly: Wilson's score interval, 95 % (Wilson 1927, JASA 22:209).
* A value with a standard error: the value and 1.96 times that.
* Samples of a measurement: the 95 % bootstrap interval that was stored with the value.
* Otherwise only the rounding of the source's own digits is known: half a unit of the last one.

Two values with sampling intervals are apart when the interval of their difference, made from the two by the method of
variance estimates recovery (Newcombe 1998, Stat. Med. 17:873; Zou, Donner 2008, Stat. Med. 27:1693), does not hold 0.
Where one has no sampling interval, they are apart when the intervals do not touch. Values on the same test items are
paired, and pairs would separate more; without the answers to single items that cannot be used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.compare.projection.terms import Named

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
_DIGITS = re.compile(r"[+-]?(\d+)(?:\.(\d+))?")
_SHARES = frozenset({"accuracy"})


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends, which belong to it. `basis` is wilson, standard-error, bootstrap or rounding."""

    lower: float
    upper: float
    basis: str

    @property
    def is_sampling(self) -> bool:
        """Whether it tells of chance and not just of rounding."""
        return self.basis != "rounding"


def wilson(share: float, items: int) -> Interval:
    """The 95 % interval of a share of so many items."""
    if not 0 <= share <= 1 or items < 1:
        raise ValueError(f"no share of items: {share} of {items}")
    square = Z * Z / items
    middle = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / items + square / (4 * items))
    return Interval(max(0.0, middle - half), min(1.0, middle + half), "wilson")


def rounding(value: float, reported: str) -> Interval | None:
    """The values that the source's digits allow; `reported` may be in another unit of the same kind."""
    found = _DIGITS.search(reported.replace(",", ""))
    if found is None:
        return None
    stated = abs(float(found.group()))
    half = 0.5 * 10.0 ** -len(found.group(2) or "")
    scale = abs(value) / stated if stated else 1.0
    return Interval(value - half * scale, value + half * scale, "rounding")


def interval_of(row: Mapping[str, Any], benchmark: Named | None) -> Interval | None:
    """The best interval that is known for an observation."""
    value = row["value"]
    items = row["sampleSize"] or (benchmark.facts.get("testItems") if benchmark else None)
    if row["metric"] in _SHARES and items and 0 <= value <= 1:
        return wilson(value, int(items))
    if row["standardError"]:
        half = Z * row["standardError"]
        return Interval(value - half, value + half, "standard-error")
    if row["confidenceLower"] is not None and row["confidenceUpper"] is not None:
        return Interval(row["confidenceLower"], row["confidenceUpper"], "bootstrap")
    return rounding(value, row["reported"]) if row["reported"] else None


def apart(one: tuple[float, Interval | None], other: tuple[float, Interval | None]) -> bool:
    """Whether the data separate two values."""
    (high, above), (low, below) = sorted((one, other), key=lambda pair: pair[0], reverse=True)
    above, below = above or Interval(high, high, "rounding"), below or Interval(low, low, "rounding")
    if above.is_sampling and below.is_sampling:
        return high - low > math.hypot(high - above.lower, below.upper - low)
    return above.lower > below.upper


def classes(values: Sequence[tuple[float, Interval | None]]) -> list[int]:
    """The class of each value, in the order given, from 1.

    Values must be ordered, the best first. A class holds its best value and all that follow until one is apart from it.
    """
    found: list[int] = []
    leader: tuple[float, Interval | None] | None = None
    for one in values:
        if leader is None or apart(leader, one):
            leader = one
            found.append(found[-1] + 1 if found else 1)
        else:
            found.append(found[-1])
    return found
