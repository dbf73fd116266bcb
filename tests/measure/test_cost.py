"""The cost model: exact work, fits that find known rates, errors on unseen models, outliers.

`data/measured-cells.csv` holds real measurements of eight models with random weights (one thread of an AMD EPYC,
llama.cpp and PyTorch): medians of processor seconds, and exact byte counts.
"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.measure.cost import (
    FEWEST_MODELS,
    Fit,
    Point,
    Work,
    decode_work,
    fit,
    prefill_work,
    uniform,
)
from app.measure.values import Matrices, Phase
from app.model.architecture import kv_cache_bytes
from app.model.tensors import matrix_parameter_count, output_parameter_count, parameter_count
from tests.model.test_architecture import ARCHITECTURES

with (Path(__file__).parent / "data" / "measured-cells.csv").open(encoding="utf-8", newline="") as file:
    CELLS = list(csv.DictReader(file))
TYPES = {"F16": "F16", "Q8_0": "Q8_0", "bfloat16": "BF16", "float32": "F32", "Q4_K_M": "Q4_K"}
GROUPS = [("llama.cpp", "F16"), ("llama.cpp", "Q8_0"), ("torch", "bfloat16"), ("torch", "float32")]
SMOLLM = ARCHITECTURES["HuggingFaceTB/SmolLM-135M"]
PYTHIA = ARCHITECTURES["EleutherAI/pythia-160m"]
RATES = {"operations, Q8_0": 1 / 150e9, "attention": 1 / 60e9}


def points(engine: str, variant: str, phase: Phase) -> list[Point]:
    found = []
    for cell in CELLS:
        if (cell["engine"], cell["variant"]) != (engine, variant):
            continue
        architecture = ARCHITECTURES[cell["model"]]
        matrices = uniform(architecture, TYPES[variant])
        prompt, generated = int(cell["prompt_tokens"]), int(cell["generated_tokens"])
        element = 4 if variant == "float32" else 2
        if phase is Phase.PREFILL:
            work, seconds = prefill_work(architecture, matrices, prompt), float(cell["prefill_seconds"])
        else:
            cache = kv_cache_bytes(architecture, prompt + generated // 2, element)
            work = decode_work(architecture, matrices, cache)
            seconds = float(cell["decode_seconds"])
        found.append(Point(cell["model"], work, seconds))
    return found


def known(tokens: int, model: str) -> Point:
    """A point that follows `RATES` exactly."""
    work = prefill_work(ARCHITECTURES[model], uniform(ARCHITECTURES[model], "Q8_0"), tokens)
    return Point(model, work, sum(RATES[kind] * amount for kind, amount in work.amounts.items()))


EXACT = [known(tokens, cell["model"]) for tokens in (50, 512, 2048) for cell in CELLS[::8]]


# ---- work ----


def test_work_of_a_known_model() -> None:
    assert matrix_parameter_count(SMOLLM) == 134_515_008 - 30 * 2 * 576 - 576
    assert output_parameter_count(SMOLLM) == 49152 * 576
    assert matrix_parameter_count(PYTHIA) == sum(
        (12 * (3 * 768 * 768 + 768 * 768 + 2 * 3072 * 768), 50304 * 768),
    )
    work = prefill_work(SMOLLM, uniform(SMOLLM, "F16"), 2)
    assert work.amounts["attention"] == 4 * 30 * 576 * 3
    layers = matrix_parameter_count(SMOLLM) - output_parameter_count(SMOLLM)
    assert work.amounts["operations, F16"] == 2 * layers * 2 + 2 * output_parameter_count(SMOLLM)


def test_decoding_reads_all_weights_but_a_table_that_is_only_looked_up() -> None:
    work = decode_work(PYTHIA, uniform(PYTHIA, "F16"), kv_cache_bytes(PYTHIA, 100))
    assert work.amounts["bytes, F16"] == 2 * matrix_parameter_count(PYTHIA)
    assert work.amounts["cache"] == 2 * 12 * 768 * 100 * 2
    assert work.amounts["layers"] == 12


def test_each_storage_type_is_read_in_its_own_width_and_the_head_once_in_a_prompt() -> None:
    mixed = Matrices({"Q4_K": 1000, "F16": 10}, {"Q6_K": 100})
    assert decode_work(SMOLLM, mixed, 0).amounts == {
        "bytes, Q4_K": 1000 * 4.5 / 8,
        "bytes, F16": 10 * 2,
        "bytes, Q6_K": 100 * 6.5625 / 8,
        "cache": 0,
        "layers": 30,
    }
    work = prefill_work(SMOLLM, mixed, 7)
    assert work.amounts["operations, Q4_K"] == 2 * 7 * 1000
    assert work.amounts["operations, Q6_K"] == 2 * 100


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell['engine']}-{cell['model']}-{cell['variant']}")
def test_parameters_and_cache_of_real_engines_are_those_of_the_formulas(cell: dict[str, str]) -> None:
    architecture = ARCHITECTURES[cell["model"]]
    element = 4 if cell["variant"] == "float32" else 2
    over = int(cell["kv_bytes"]) - kv_cache_bytes(architecture, int(cell["prompt_tokens"]), element)
    assert int(cell["parameters"]) == parameter_count(architecture)
    assert over == 0 if cell["engine"] == "torch" else 0 <= over <= 8000


@given(tokens=st.integers(1, 4096), depth=st.integers(0, 4096))
def test_a_prompt_in_two_parts_is_as_much_attention_as_in_one(tokens: int, depth: int) -> None:
    whole = prefill_work(SMOLLM, uniform(SMOLLM, "F16"), tokens + depth).amounts["attention"]
    first = prefill_work(SMOLLM, uniform(SMOLLM, "F16"), depth).amounts["attention"] if depth else 0.0
    assert first + prefill_work(SMOLLM, uniform(SMOLLM, "F16"), tokens, depth).amounts["attention"] == pytest.approx(
        whole
    )


# ---- fits ----


def test_a_fit_finds_the_rates_that_made_the_points() -> None:
    found = fit(EXACT)
    assert found is not None
    assert found.costs == pytest.approx(RATES)
    assert found.largest_error == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(("engine", "variant"), GROUPS)
@pytest.mark.parametrize("phase", [Phase.PREFILL, Phase.DECODE])
def test_unseen_models_are_predicted(engine: str, variant: str, phase: Phase) -> None:
    found = fit(points(engine, variant, phase))
    assert found is not None
    assert len(found.models) == len(found.errors) == 7
    assert all(cost >= 0 for cost in found.costs.values())
    assert found.median_error < 0.15
    assert found.largest_error < 0.5


def test_a_fit_does_not_depend_on_the_order_of_its_points() -> None:
    some = points("llama.cpp", "F16", Phase.DECODE)
    assert fit(some) == fit(some[::-1])


@pytest.mark.parametrize("kernels", ["Prescott", "Haswell"])
def test_a_fit_does_not_hang_on_the_processor(kernels: str) -> None:
    """A release has the same bytes everywhere; the library of linear algebra picks its code by the processor."""
    elsewhere = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import *; print(all_fits())"],
        env={**os.environ, "OPENBLAS_CORETYPE": kernels},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == all_fits()


def all_fits() -> str:
    return repr([fit(points(*group, phase)) for group in GROUPS for phase in Phase])


def test_few_models_give_no_fit_and_phases_are_not_mixed() -> None:
    some = points("llama.cpp", "F16", Phase.DECODE)
    few = sorted({point.model for point in some})[: FEWEST_MODELS - 1]
    assert fit([point for point in some if point.model in few]) is None
    with pytest.raises(ValueError, match="phases"):
        fit([*some, EXACT[0]])


# ---- predictions and outliers ----


def test_a_prediction_holds_nine_in_ten_unseen_models() -> None:
    some = points("llama.cpp", "Q8_0", Phase.DECODE)
    found = fit(some)
    assert found is not None
    for point in some:
        prediction = found.predict(point.work)
        assert prediction.lower < prediction.seconds < prediction.upper
    spread = [math.log(found.predict(one.work).upper / found.predict(one.work).seconds) for one in some]
    assert sum(abs(error) <= spread[0] + 1e-9 for error in found.errors) >= 0.85 * len(found.errors)


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_measurement_three_times_off_is_an_outlier(factor: float) -> None:
    found = fit(EXACT)
    assert found is not None
    assert not found.is_outlier(EXACT[0])
    assert not found.is_outlier(replace(EXACT[0], seconds=EXACT[0].seconds * 1.3))
    assert found.is_outlier(replace(EXACT[0], seconds=EXACT[0].seconds * factor))


def test_work_without_any_known_cost_makes_an_outlier_not_a_crash() -> None:
    found = Fit(Phase.DECODE, {"layers": 0.0}, ("a", "b", "c", "d"), (0.0, 0.1, -0.1, 0.0))
    assert found.is_outlier(Point("e", Work(Phase.DECODE, {"layers": 3.0}), 1.0))
