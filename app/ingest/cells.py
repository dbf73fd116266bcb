"""Reads the characters of one cell by stated rules: rounded numbers, two numbers in one cell, months, sizes.

Each function returns a value and, where the characters are rounded, the interval that they allow. ValueError means
that no rule fits; the caller names file, line and column. `docs/reference/reading-rules.md` tells the rules to people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.model.claims import Interval

_POWERS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
# a number that touches other characters ("1e5", "1,000", "12-24", "-5") is none of ours: better refused than halved
_COUNT = re.compile(
    r"(?<![\w.,+-])(?P<digits>\d+(?:\.(?P<decimals>\d+))?)\s*(?P<power>[kKMBGT]?)(?![\w.]|[,-]\d)", re.ASCII
)
_MONTH = re.compile(r"(?P<year>(?:19|20)\d\d)[.-](?P<month>0[1-9]|1[0-2])(?!\d)")
_PLACEHOLDERS = {"", "-", "none", "null", "nan", "n/a", "na", "unknown", "ukn"}

_WORKING_POWERS_OF_TWO = {2**power for power in range(12)}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as read: the value that the characters name, and the interval if they are rounded."""

    value: Decimal
    interval: Interval | None = None


def is_placeholder(cell: str) -> bool:
    """Whether the cell says in its own way that there is no value ("None", "-", "UKN" …)."""
    return cell.strip().lower() in _PLACEHOLDERS


def counts(cell: str) -> list[Number]:
    """Read every count in a cell: "3T", "180B Token Dataset", "450B/106B Dataset", "4096", "1.23B".

    A count with a power letter is rounded to its last printed digit, so "2.2B" allows 2.15 to 2.25 billion.
    A plain number is exact.
    """
    found = [_count(match) for match in _COUNT.finditer(cell)]
    if not found:
        raise ValueError(f"{cell!r} holds no count")
    return found


def count(cell: str) -> Number:
    """Read the first count of a cell."""
    return counts(cell)[0]


def context_length(cell: str) -> list[Number]:
    """Read context lengths. "k" may count 1000 or 1024, so the interval allows both.

    Where the number before "k" is a power of two the value is the binary one ("2k" is 2048), else the decimal one.
    """
    found: list[Number] = []
    for match in _COUNT.finditer(cell):
        if match["power"].upper() != "K":
            found.append(_count(match))
            continue
        digits = Decimal(match["digits"])
        factor = 1024 if digits in _WORKING_POWERS_OF_TWO else 1000
        half = Decimal("0.5")
        found.append(Number(digits * factor, Interval((digits - half) * 1000, (digits + half) * 1024)))
    if not found:
        raise ValueError(f"{cell!r} holds no context length")
    return found


def summed_count(cell: str) -> Number:
    """Read a count that may be printed as a sum: "1.5T + 20B" is 1.52 trillion."""
    parts = [count(part) for part in cell.split("+")]
    total = sum((part.value for part in parts), Decimal(0))
    if all(part.interval is None for part in parts):
        return Number(total)
    bounds = [part.interval or Interval(part.value, part.value) for part in parts]
    lower = sum((bound.lower for bound in bounds), Decimal(0))
    upper = sum((bound.upper for bound in bounds), Decimal(0))
    return Number(total, Interval(lower, upper))


def nominal_size(cell: str) -> str:
    """Read a size as it stands in a name and write it one way: "0.5B" and "500M" both become "500M"."""
    number = count(cell).value
    if number < 10**6:
        raise ValueError(f"{cell!r} is not a size such as 135M or 1.7B")
    scale, letter = (10**9, "B") if number >= 10**9 else (10**6, "M")
    return f"{(number / scale).normalize():f}{letter}"


def month(cell: str) -> str:
    """Read a month, "2024.07" or "2024-07", as ISO text without a day."""
    match = _MONTH.search(cell)
    if match is None:
        raise ValueError(f"{cell!r} is not a month such as 2024-07")
    return f"{match['year']}-{match['month']}"


def attention_pattern(cell: str) -> str:
    """Read which layers attend to everything: "global", "local", or the repeating order of the two.

    A wording that mixes both kinds without an order is "mixed".
    """
    words = cell.lower()
    if "mixture" in words:
        return "mixed"
    if "full attention" in words or "all global" in words:
        return "global"
    found = sorted((words.index(kind), kind) for kind in ("global", "local") if kind in words)
    if not found:
        raise ValueError(f"{cell!r} names neither global nor local attention")
    return " ".join(kind for _, kind in found)


def decimal(cell: str) -> Decimal:
    """Read a plain decimal number, also with an exponent."""
    if re.fullmatch(r"\s*[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?\s*", cell, re.ASCII) is None:
        raise ValueError(f"{cell!r} is not a number")
    return Decimal(cell.strip())


def whole_number(cell: str) -> int:
    """Read one integer that fills the cell."""
    if not re.fullmatch(r"\s*\d+\s*", cell, re.ASCII):
        raise ValueError(f"{cell!r} is not a whole number")
    return int(cell)


def truth(cell: str) -> bool:
    """Read true or false, yes or no; words after it explain and do not count."""
    word = cell.strip().split(" ")[0].lower()
    if word in {"true", "yes"}:
        return True
    if word in {"false", "no"}:
        return False
    raise ValueError(f"{cell!r} is neither true nor false")


def _count(match: re.Match[str]) -> Number:
    power = _POWERS[match["power"].upper()]
    value = Decimal(match["digits"]) * power
    if power == 1:
        return Number(value)
    half_step = Decimal(power).scaleb(-len(match["decimals"] or "")) / 2
    return Number(value, Interval(value - half_step, value + half_step))
