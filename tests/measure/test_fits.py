"""Times of one run are held against each other's cost model: the one that does not fit is found, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from app.measure.cost import decode_work, prefill_work, uniform
from app.measure.fits import DECODE, PREFILL, Distance, Place, fitted
from app.measure.statistics import figures
from app.measure.values import (
    Artifact,
    Cell,
    CellResult,
    Engine,
    EngineBuild,
    Environment,
    Phase,
    RandomWeights,
    Run,
    Sample,
    Status,
    Subject,
)
from app.model.architecture import kv_cache_bytes
from app.model.tensors import parameter_count
from tests.model.test_architecture import ARCHITECTURES

NAMES = ["HuggingFaceTB/SmolLM-135M", "EleutherAI/pythia-160m", "EleutherAI/pythia-410m", "Qwen/Qwen2-0.5B"]
NAMES += ["HuggingFaceTB/SmolLM2-360M", "cerebras/Cerebras-GPT-111M"]
BUILD = EngineBuild("llama.cpp", "0.3.36", None, None)
ENVIRONMENT = Environment("e", {}, {})


def result(name: str, prompt: int = 256, *, slower: float = 1.0, clean: bool = True) -> CellResult:
    """A result that took the time of its work at known rates, or so many times that."""
    architecture = ARCHITECTURES[name]
    parameters = parameter_count(architecture)
    matrices = uniform(architecture, "F16")
    artifact = Artifact("00", 2 * parameters, "GGUF", parameters, 16.0, {"F16": parameters}, matrices)
    first = prefill_work(architecture, matrices, prompt).amounts["operations, F16"] / 150e9
    then = decode_work(architecture, matrices, kv_cache_bytes(architecture, prompt + 10))
    each = slower * (then.amounts["bytes, F16"] / 30e9 + 40e-6 * then.amounts["layers"])
    samples = []
    for number in range(3):
        taken = round(first * 1e9) + number
        samples.append(Sample(Phase.PREFILL, prompt, taken, taken, 0, 0, 0, clean))
        tokens = (round(each * 1e9),) * 20
        samples.append(Sample(Phase.DECODE, 20, sum(tokens), sum(tokens), 0, 0, 0, clean, tokens))
    cell = Cell(Subject(name.lower(), architecture), RandomWeights(), "F16", Engine.LLAMA_CPP, prompt, 20, 1)
    return CellResult(cell, Status.OK, "t", 1.0, "e", None, artifact, BUILD, None, {}, tuple(samples))


def run(*results: CellResult) -> Run:
    return Run("r", "t", "t", "ada", {"e": ENVIRONMENT}, results)


def distances(one: Run) -> Mapping[Place, Distance]:
    return fitted(one, [figures(result) for result in one.results]).distances


def test_times_that_follow_the_work_are_near_it() -> None:
    found = distances(run(*(result(name) for name in NAMES)))
    assert set(found) == {(number, metric) for number in range(len(NAMES)) for metric in (PREFILL, DECODE)}
    assert all(one.ratio == pytest.approx(1.0, abs=0.1) and not one.is_outlier for one in found.values())


@pytest.mark.parametrize("slower", [3.0, 1 / 3])
def test_the_time_that_does_not_fit_is_found(slower: float) -> None:
    prompts = (50, 256, 1000)
    results = [result(name, prompt) for name in NAMES for prompt in prompts]
    results[4] = result(NAMES[1], prompts[1], slower=slower)
    found = distances(run(*results))
    assert found[4, DECODE].is_outlier
    assert not any(one.is_outlier for (number, metric), one in found.items() if metric == PREFILL)
    assert (found[4, DECODE].ratio > 1) == (slower > 1)


def test_few_models_and_busy_machines_give_no_verdict() -> None:
    assert distances(run(*(result(name) for name in NAMES[:3]))) == {}
    assert distances(run(*(result(name, clean=False) for name in NAMES))) == {}


def test_other_variants_are_not_compared() -> None:
    results = [result(name) for name in NAMES]
    others = [replace(one, cell=replace(one.cell, variant="Q8_0", threads=2)) for one in results[:3]]
    found = distances(run(*results[:3], *others))
    assert found == {}
