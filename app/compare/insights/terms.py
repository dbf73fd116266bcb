"""Small readings that all insights share: numbers and names of rows, rank correlation, how numbers are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isclose, isfinite, sqrt

from app.compare.reader import local_name
from app.model.rdf import Term

Row = Mapping[str, Term]
_EPSILON = 1e-9


def number(row: Row, name: str) -> float | None:
    """A number of a row; None where there is none, or something else."""
    try:
        value = float(row[name].value) if name in row else None
    except ValueError:
        return None
    return value if value is None or isfinite(value) else None


def text(row: Row, name: str) -> str:
    """The text of a row, of an IRI its last part; empty where there is none."""
    if name not in row:
        return ""
    value = row[name].value
    return local_name(value) if value.startswith("http") else value


def comparable(rows: Iterable[Row], *names: str) -> tuple[list[Row], str]:
    """The rows of the one group that covers most models, and a sentence about the others; groups differ in `names`.

    Numbers of different runs or sources are never mixed: a ratio between two of them would say nothing.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(text(row, name) for name in names), []).append(row)
    if not groups:
        return [], ""
    chosen = max(sorted(groups), key=lambda one: len({text(row, "model") for row in groups[one]}))
    left = sum(len(one) for one in groups.values()) - len(groups[chosen])
    told = f"Worked out from {', '.join(chosen)} alone: nothing else is mixed in, so {left} more rows are left out."
    return groups[chosen], told if left else ""


def near(one: float, other: float, slack: float) -> bool:
    """Whether two numbers are equal up to an allowance, which itself still counts as equal."""
    return abs(one - other) <= slack + _EPSILON * max(1.0, abs(one), abs(other))


def correlation(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Spearman's rank correlation; None for fewer than three pairs, or where all are equal."""
    points = list(pairs)
    if len(points) < 3:
        return None
    first, second = _ranks([x for x, _ in points]), _ranks([y for _, y in points])
    middle = (len(points) - 1) / 2
    top = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    bottom = sqrt(sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second))
    return None if isclose(bottom, 0) else top / bottom


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values share the mean of their ranks."""
    order = sorted(values)
    return [(order.index(one) + len(order) - 1 - order[::-1].index(one)) / 2 for one in values]


def shown(value: float | None, digits: int = 3) -> str:
    """A number for people, rounded to so many places; "not known" for None."""
    if value is None:
        return "not known"
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def listed(names: Iterable[str], most: int = 6) -> str:
    """The first so many names, and how many more there are."""
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
