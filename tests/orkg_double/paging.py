"""Lists in pages: the nested page object, the silent cap of 2500, and sorting by known properties only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from tests.orkg_double import clock
from tests.orkg_double.messages import Problem, Request
from tests.orkg_double.state import Json, Statement, Thing

LARGEST = 2500
USUAL = 20
T = TypeVar("T")

SORTED_BY: dict[str, Callable[[Thing | Statement], Any]] = {
    "id": lambda one: one.id,
    "created_at": lambda one: clock.read(one.created_at),
    "created_by": lambda one: one.created_by,
    "label": lambda one: one.label if isinstance(one, Thing) else one.id,
}


def page(request: Request, found: Sequence[T], shown: Callable[[T], Json], *, shift: int = 0) -> Json:
    """One page of what was found. `shift` moves later pages, as if rows had been added (or removed) meanwhile."""
    size = _whole(request.one("size"), USUAL)
    size = min(size, LARGEST) if size > 0 else USUAL
    number = max(_whole(request.one("page"), 0), 0)
    moved = shift * number
    first = max(number * size - moved, 0)
    total = max(len(found) + moved, 0)
    return {
        "content": [shown(one) for one in found[first : first + size]],
        "page": {
            "size": size,
            "number": number,
            "total_elements": total,
            "total_pages": -(-total // size),
        },
    }


def in_order(request: Request, found: Iterable[T], record: Callable[[T], Thing | Statement]) -> list[T]:
    """What was found in the order that the request asks for; in order of creation when it asks for none."""
    ordered = list(found)
    wishes = [value.partition(",") for key, value in request.query if key == "sort"]
    for name, _, direction in reversed(wishes):
        if name not in SORTED_BY:
            raise Problem(400, "unknown_sorting_property", f'Unknown sorting property "{name}".')
        keys = [SORTED_BY[name](record(one)) for one in ordered]
        places = sorted(range(len(ordered)), key=keys.__getitem__, reverse=direction.lower() == "desc")
        ordered = [ordered[place] for place in places]
    return ordered


def _whole(text: str | None, otherwise: int) -> int:
    """A whole number; ORKG takes the usual one for anything else."""
    try:
        return int(text) if text is not None else otherwise
    except ValueError:
        return otherwise
