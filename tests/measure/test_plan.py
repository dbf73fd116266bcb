"""The matrix of a run: complete, fair in its order, and honest about what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import BadParameter
from app.measure.gguf.files import expected_bytes
from app.measure.plan import MOST_CELLS, Wanted, cells, estimates
from app.measure.values import Engine, Sampling, Subject
from app.model.architecture import kv_cache_bytes
from tests.model.test_architecture import ARCHITECTURES

SMOLLM = Subject("smollm-135m", ARCHITECTURES["HuggingFaceTB/SmolLM-135M"])
PYTHIA = Subject("pythia-160m", ARCHITECTURES["EleutherAI/pythia-160m"])
OPT = Subject("opt-125m", ARCHITECTURES["facebook/opt-125m"])
WANTED = Wanted((SMOLLM, PYTHIA), ("Q4_K_M", "F16"), (50, 512), threads=(1, 2))


def test_the_matrix_is_whole_and_compares_side_by_side() -> None:
    found = cells(WANTED)
    assert len(set(found)) == len(found) == 2 * 2 * 2 * 2
    sides = [(cell.subject.slug, cell.variant) for cell in found[:4]]
    assert sides == [(model, name) for name in ("Q4_K_M", "F16") for model in ("smollm-135m", "pythia-160m")]
    assert [(cell.threads, cell.prompt_tokens) for cell in found[::4]] == [(1, 50), (1, 512), (2, 50), (2, 512)]


def test_variants_have_one_name() -> None:
    found = cells(replace(WANTED, variants=("fp16", "F16", "q4_k"), prompts=(50,), threads=(1,)))
    assert [cell.variant for cell in found] == ["F16", "F16", "Q4_K_M", "Q4_K_M"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (replace(WANTED, subjects=()), "model"),
        (replace(WANTED, variants=("Q9",)), "variant"),
        (replace(WANTED, prompts=()), "prompt"),
        (replace(WANTED, prompts=tuple(range(1, MOST_CELLS))), "too many"),
    ],
)
def test_what_makes_no_matrix_is_refused(wanted: Wanted, told: str) -> None:
    with pytest.raises(BadParameter) as refused:
        cells(wanted)
    assert told in str(refused.value)


def test_an_estimate_adds_up_file_cache_logits_and_process() -> None:
    (cell,) = cells(replace(WANTED, subjects=(SMOLLM,), variants=("Q8_0",), prompts=(200,), threads=(1,)))
    (found,) = estimates([cell])
    assert found.file_bytes == expected_bytes(SMOLLM, "Q8_0")
    logits = 4 * 512 * 49152
    assert found.memory_bytes == found.file_bytes + kv_cache_bytes(SMOLLM.architecture, 256) + logits + 120 * 2**20
    assert found.seconds > 0
    assert found.refused is None


def test_time_is_that_of_the_cost_model_where_there_is_one() -> None:
    wanted = replace(WANTED, sampling=Sampling(5, 1, 60.0), threads=(1,))
    slow, known = cells(wanted)[:2]
    found = tuple(estimates([slow, known], once=lambda cell: 2.0 if cell is known else None))
    assert (found[1].seconds, found[1].predicted) == (12.0, True)
    assert not found[0].predicted
    (cut,) = estimates([replace(known, sampling=Sampling(5, 1, 7.0))], once=lambda _: 2.0)
    assert cut.seconds == 9.0


def test_what_cannot_be_measured_is_refused_with_its_reason() -> None:
    planned = cells(Wanted((SMOLLM, OPT), prompts=(50, 4000)))
    told = {(one.cell.subject.slug, one.cell.prompt_tokens): one.refused for one in estimates(planned)}
    assert told["smollm-135m", 50] is None
    assert "context of 2048" in (told["smollm-135m", 4000] or "")
    assert "llama.cpp" in (told["opt-125m", 50] or "")
    (small,) = estimates(planned[:1], memory=10**8)
    assert "GB of memory" in (small.refused or "")


def test_opt_can_be_measured_with_torch() -> None:
    (found,) = estimates(cells(Wanted((OPT,), ("F32",), engine=Engine.TORCH)))
    assert found.refused is None


def test_the_budget_bounds_the_time() -> None:
    (cell,) = cells(Wanted((SMOLLM,), prompts=(1500,), sampling=Sampling(seconds=2.0)))
    (found,) = estimates([cell])
    (once,) = estimates([replace(cell, sampling=Sampling(clean=1, warm_ups=0))])
    assert found.seconds <= 2.0 + once.seconds
