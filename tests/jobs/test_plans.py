"""Plans of strangers: what does not fit is named by a pointer."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from app.errors import BadValue
from app.jobs.plans import MOST_CELLS, plan_of
from app.measure.records import to_json
from app.measure.values import RealWeights
from tests.jobs.making import cell

GOOD = to_json(cell())
REAL = {"path": "/models/tiny.gguf", "sha256": "0" * 64}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good cell with another value at a place."""
    record = copy.deepcopy(GOOD)
    *places, last = path.split("/")
    inside = record
    for place in places:
        inside = inside[place]
    inside[last] = value
    return record


def test_a_plan_is_read_as_it_was_written() -> None:
    read = plan_of("  Tiny \n models ", [GOOD, changed("weights", REAL)], expected=[1.5, None], note="why")
    assert (read.title, read.cells[0], read.expected, read.note) == ("Tiny models", cell(), (1.5, None), "why")
    assert read.cells[1].weights == RealWeights("/models/tiny.gguf", "0" * 64)
    assert plan_of(
        "x",
        [
            {
                "subject": {"slug": "tiny", "architecture": {}},
                **{
                    name: GOOD[name]
                    for name in ("weights", "variant", "engine", "prompt_tokens", "generated_tokens", "threads")
                },
            }
        ],
    ).expected == (None,)


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("prompt_tokens", 0, "/prompt_tokens"),
        ("prompt_tokens", 10**9, "/prompt_tokens"),
        ("prompt_tokens", "many", "/prompt_tokens"),
        ("generated_tokens", -1, "/generated_tokens"),
        ("threads", 0, "/threads"),
        ("depth", -5, "/depth"),
        ("engine", "steam", "/engine"),
        ("variant", "../../etc", "/variant"),
        ("variant", "", "/variant"),
        ("subject/slug", "Not a slug", "/subject/slug"),
        ("subject/slug", "x" * 300, "/subject/slug"),
        ("subject/architecture/num_layers", 5000, "/subject/architecture/num_layers"),
        ("subject/architecture/num_layers", -1, "/subject/architecture"),
        ("subject/architecture/colour", "red", "/subject/architecture/colour"),
        ("subject/architecture/hidden_size", 10**12, "/subject/architecture/hidden_size"),
        ("sampling/seconds", float("nan"), "/sampling/seconds"),
        ("sampling/seconds", 10**6, "/sampling/seconds"),
        ("sampling/clean", 0, "/sampling/clean"),
        ("weights/seed", -1, "/weights/seed"),
        ("weights/deviation", float("inf"), "/weights/deviation"),
        ("weights", {"path": "", "sha256": "0" * 64}, "/weights/path"),
        ("weights", {"path": "/x", "sha256": "0"}, "/weights/sha256"),
        ("weights", {"path": "/x\0", "sha256": "0" * 64}, "/weights/path"),
        ("more", 1, "/more"),
    ],
)
def test_what_does_not_fit_is_named(path: str, value: Any, pointer: str) -> None:
    with pytest.raises(BadValue) as refused:
        plan_of("x", [GOOD, changed(path, value)])
    assert refused.value.pointer.startswith(f"/cells/1{pointer}")


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"title": " "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"cells": []}, "/cells"),
        ({"cells": [GOOD] * (MOST_CELLS + 1)}, "/cells"),
        ({"cells": ["cell"]}, "/cells/0"),
        ({"note": "x" * 2001}, "/note"),
        ({"expected": [1.0, 2.0]}, "/expected"),
        ({"expected": [-1.0]}, "/expected/0"),
        ({"expected": [float("nan")]}, "/expected/0"),
    ],
)
def test_a_plan_has_limits(arguments: dict[str, Any], pointer: str) -> None:
    given: dict[str, Any] = {"title": "x", "cells": [GOOD], **arguments}
    with pytest.raises(BadValue) as refused:
        plan_of(given.pop("title"), given.pop("cells"), **given)
    assert refused.value.pointer.startswith(pointer)
