"""Reads what a stranger wants to be measured: a plan as JSON, with limits on everything. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import BadValue
from app.jobs.values import Plan
from app.measure.records import from_json, to_json
from app.measure.values import Cell, RandomWeights, RealWeights

MOST_CELLS = 2_000
"""Cells of one job."""
LONGEST_TITLE = 200
LONGEST_NOTE = 2_000
_SLUG = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_LONGEST_SLUG = 200
_LONGEST_PATH = 4_096
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBERS: tuple[tuple[str, int, int], ...] = (
    ("prompt_tokens", 1, 1_048_576),
    ("generated_tokens", 0, 1_048_576),
    ("depth", 0, 1_048_576),
    ("threads", 1, 1_024),
)
_LAYERS = 1_000
_WIDTH = 10**8
_SAMPLING: tuple[tuple[str, float, float], ...] = (("clean", 1, 1_000), ("warm_ups", 0, 100), ("seconds", 0.001, 3_600))


def plan_of(
    title: str,
    cells: Sequence[Any],
    *,
    expected: Sequence[float | None] | None = None,
    note: str | None = None,
) -> Plan:
    """The plan in a body; BadValue with a pointer to the first member that does not fit."""
    words = " ".join(title.split())
    if not words or len(words) > LONGEST_TITLE:
        raise BadValue("/title", f"has {len(words)} characters, 1 to {LONGEST_TITLE} fit")
    if note is not None and len(note) > LONGEST_NOTE:
        raise BadValue("/note", f"has {len(note)} characters, at most {LONGEST_NOTE} fit")
    if not 1 <= len(cells) <= MOST_CELLS:
        raise BadValue(
            "/cells", f"there are {len(cells)} cells, 1 to {MOST_CELLS} make a job", advice="Make several jobs of them."
        )
    if expected is not None and len(expected) != len(cells):
        raise BadValue("/expected", f"has {len(expected)} numbers for {len(cells)} cells")
    for number, seconds in enumerate(expected or ()):
        if seconds is not None and not 0 <= seconds < 10**7:
            raise BadValue(f"/expected/{number}", "is no number of seconds")
    read = tuple(cell_of(record, f"/cells/{number}") for number, record in enumerate(cells))
    return Plan(words, read, tuple(expected or (None,) * len(read)), note or None)


def cell_of(record: Any, pointer: str = "") -> Cell:
    """One cell with all its numbers within limits; BadValue."""
    try:
        cell = from_json(Cell, record)
    except BadValue as error:
        raise BadValue(pointer + error.pointer, error.problem, advice=error.advice) from error
    _nothing_more(record, to_json(cell), pointer)
    _check(cell, pointer)
    return cell


def _check(cell: Cell, pointer: str) -> None:
    if len(cell.subject.slug) > _LONGEST_SLUG or not _SLUG.fullmatch(cell.subject.slug):
        raise BadValue(f"{pointer}/subject/slug", "is no slug of a model", advice="Copy it from the model's address.")
    if not _VARIANT.fullmatch(cell.variant):
        raise BadValue(f"{pointer}/variant", "is no name of a variant", advice="Write e.g. Q4_K_M or F16.")
    for name, least, most in _NUMBERS:
        if not least <= getattr(cell, name) <= most:
            raise BadValue(f"{pointer}/{name}", f"is not from {least:,} to {most:,}")
    for name, low, high in _SAMPLING:
        if not low <= getattr(cell.sampling, name) <= high:
            raise BadValue(f"{pointer}/sampling/{name}", f"is not from {low:g} to {high:g}")
    architecture = cell.subject.architecture
    if architecture.num_layers is not None and architecture.num_layers > _LAYERS:
        raise BadValue(f"{pointer}/subject/architecture/num_layers", f"is more than {_LAYERS:,}")
    for name in ("hidden_size", "vocabulary_size", "head_dimension"):
        if (getattr(architecture, name) or 0) > _WIDTH:
            raise BadValue(f"{pointer}/subject/architecture/{name}", f"is more than {_WIDTH:,}")
    _check_weights(cell.weights, f"{pointer}/weights")


def _check_weights(weights: RandomWeights | RealWeights, pointer: str) -> None:
    if isinstance(weights, RandomWeights):
        if not 0 <= weights.seed < 2**63:
            raise BadValue(f"{pointer}/seed", "is not from 0 to 2^63 - 1")
        if not 0 <= weights.deviation <= 100:
            raise BadValue(f"{pointer}/deviation", "is not from 0 to 100")
        return
    if not weights.path or len(weights.path) > _LONGEST_PATH or "\0" in weights.path:
        raise BadValue(f"{pointer}/path", "is no path")
    if not _SHA256.fullmatch(weights.sha256):
        raise BadValue(f"{pointer}/sha256", "is no SHA-256 in 64 small hexadecimal digits")


def _nothing_more(given: Any, known: Any, pointer: str) -> None:
    """BadValue for a member that a cell does not have: it would be dropped in silence."""
    if not isinstance(given, Mapping) or not isinstance(known, Mapping):
        return
    for name, value in given.items():
        if name not in known:
            place = f"{pointer}/{str(name)[:100]}"
            raise BadValue(place, "there is no such member", advice=f"Known are {', '.join(sorted(known))}.")
        _nothing_more(value, known[name], f"{pointer}/{name}")
