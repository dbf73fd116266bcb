"""Results that cannot be right are told apart from those that can, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.measure.checks import HEADER_BYTES, impossible
from app.measure.cost import uniform
from app.measure.values import (
    Artifact,
    Cell,
    CellResult,
    Engine,
    Memory,
    Phase,
    RandomWeights,
    Sample,
    Status,
    Subject,
)
from app.model.architecture import SLIDING_WINDOW, kv_cache_bytes
from app.model.tensors import parameter_count
from tests.model.test_architecture import ARCHITECTURES

SMOLLM = ARCHITECTURES["HuggingFaceTB/SmolLM-135M"]
PARAMETERS = parameter_count(SMOLLM)
CACHE = kv_cache_bytes(SMOLLM, 306)
CELL = Cell(Subject("smollm-135m", SMOLLM), RandomWeights(), "F16", Engine.LLAMA_CPP, 256, 50, 1, depth=50)
FILE = Artifact("00", 2 * PARAMETERS, "GGUF", PARAMETERS, 16.0, {"F16": PARAMETERS}, uniform(SMOLLM, "F16"))
MEMORY = Memory(2 * PARAMETERS, CACHE + 6600, None, None, 3 * PARAMETERS)
DECODED = Sample(Phase.DECODE, 50, 500_000_000, 500_000_000, 0, 0, 0, clean=True)
GOOD = CellResult(
    CELL, Status.OK, "2026-11-21T12:00:00Z", 3.0, "abc", None, FILE, None, MEMORY, {}, (DECODED,), finite_logits=True
)


def test_a_good_result_is_possible() -> None:
    assert impossible(GOOD) == ()
    assert impossible(GOOD, bandwidth=45e9) == ()


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (replace(GOOD, artifact=replace(FILE, parameters=PARAMETERS - 1)), f"{PARAMETERS - 1} parameters"),
        (replace(GOOD, memory=replace(MEMORY, kv_used=CACHE - 1)), "the cache holds"),
        (replace(GOOD, memory=replace(MEMORY, kv_used=CACHE + HEADER_BYTES + 1)), "the cache holds"),
        (replace(GOOD, cell=replace(CELL, engine=Engine.TORCH)), "the cache holds"),
        (replace(GOOD, finite_logits=False), "not finite"),
        (replace(GOOD, artifact=None), "tells nothing"),
        (replace(GOOD, samples=(replace(DECODED, wall_ns=50_000_000),)), "decoding would read"),
    ],
)
def test_an_impossible_result_says_why(result: CellResult, told: str) -> None:
    (reason,) = impossible(result, bandwidth=45e9)
    assert told in reason


def test_the_width_of_cache_elements_is_heard() -> None:
    wide = replace(GOOD, settings={"kv_element_bytes": 4}, memory=replace(MEMORY, kv_used=2 * CACHE))
    assert impossible(wide) == ()
    assert impossible(replace(wide, settings={})) != ()


@pytest.mark.parametrize(("kept", "possible"), [(39, True), (40, True), (306, True), (38, False), (307, False)])
def test_torch_keeps_a_window_less_one_or_everything(kept: int, possible: bool) -> None:
    windowed = replace(SMOLLM, attention_type=SLIDING_WINDOW, sliding_window_size=40)
    cell = replace(CELL, subject=Subject("windowed", windowed), engine=Engine.TORCH)
    growth = kv_cache_bytes(SMOLLM, 1)
    result = replace(GOOD, cell=cell, memory=replace(MEMORY, kv_used=kept * growth))
    assert (impossible(result) == ()) == possible


def test_a_cell_that_did_not_end_well_is_not_judged() -> None:
    assert impossible(replace(GOOD, status=Status.TIMEOUT, artifact=None, memory=None, samples=())) == ()
