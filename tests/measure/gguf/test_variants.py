"""Storage types and sizes: what is expected is what llama.cpp's quantiser makes is proved in `test_engine`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import BadParameter, Unmeasurable
from app.measure.gguf.architectures import Placed, blueprint
from app.measure.gguf.files import expected_bytes
from app.measure.gguf.variants import VARIANTS, Storage, matrices, storage, stored_bytes, variant
from app.measure.values import Subject
from app.model.tensors import matrix_parameter_count, output_parameter_count
from tests.measure.gguf.facts import HERE, TINY, read

RELEASED = dict(read(HERE.parent.parent / "model" / "architectures.csv", "model"))


@pytest.mark.parametrize(
    ("given", "found"), [("F16", "F16"), ("fp16", "F16"), ("q4_k_m", "Q4_K_M"), ("Q5_K", "Q5_K_M"), ("Q3_K", "Q3_K_M")]
)
def test_a_variant_is_found_by_the_names_that_are_in_use(given: str, found: str) -> None:
    assert variant(given).name == found


@pytest.mark.parametrize("name", ["INT4", "4-bit", "", "Q4_K_M vs FP16"])
def test_a_name_that_is_no_variant_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(BadParameter) as caught:
        variant(name)
    assert "Q4_K_M" in caught.value.advice


def test_blocks_hold_a_scale_beside_the_numbers() -> None:
    matrix = Placed("blk.0.ffn_up.weight", (512, 256))
    assert stored_bytes(matrix, Storage.F16) == 2 * 512 * 256
    assert stored_bytes(matrix, Storage.Q8_0) == 512 * 8 * 34
    assert stored_bytes(matrix, Storage.Q4_K) == 512 * 144


def test_rows_that_cannot_be_split_into_256_get_another_type() -> None:
    model = blueprint(TINY["llama-odd-rows"])
    assert storage(model, VARIANTS["Q4_K_M"])["blk.0.attn_q.weight"] is Storage.Q5_0
    assert storage(model, VARIANTS["Q4_K_M"])["token_embd.weight"] is Storage.Q8_0
    assert storage(model, VARIANTS["Q2_K"])["blk.0.attn_q.weight"] is Storage.Q4_0


def test_rows_that_cannot_be_split_at_all_stay_as_they_are() -> None:
    model = blueprint(replace(TINY["llama"], intermediate_size=500))
    assert storage(model, VARIANTS["Q4_0"])["blk.0.ffn_down.weight"] is Storage.F16


def test_the_matrices_that_a_token_passes_are_those_without_looked_up_tables() -> None:
    untied = matrices(blueprint(RELEASED["EleutherAI/pythia-160m"]), VARIANTS["Q4_K_M"])
    assert untied.head == {"Q6_K": 50304 * 768}
    assert set(untied.layers) == {"Q4_K", "Q6_K"}
    tied = matrices(blueprint(RELEASED["HuggingFaceTB/SmolLM-135M"]), VARIANTS["Q4_K_M"])
    assert tied.head == {"Q8_0": 49152 * 576}


@pytest.mark.parametrize("model", sorted(RELEASED))
def test_matrices_of_files_are_those_of_the_cost_model(model: str) -> None:
    facts = RELEASED[model]
    try:
        found = matrices(blueprint(facts), VARIANTS["Q8_0"])
    except Unmeasurable:
        return
    assert sum(found.head.values()) == output_parameter_count(facts)
    assert sum(found.layers.values()) == matrix_parameter_count(facts) - output_parameter_count(facts)


# Effective bits per weight of real Q4_K_M files that an earlier campaign measured.
@pytest.mark.parametrize(
    ("model", "bits"),
    [
        ("HuggingFaceTB/SmolLM-135M", 6.17),
        ("HuggingFaceTB/SmolLM2-360M", 5.94),
        ("EleutherAI/pythia-160m", 5.33),
        ("EleutherAI/pythia-410m", 5.23),
        ("apple/OpenELM-270M", 5.17),
        ("cerebras/Cerebras-GPT-111M", 6.01),
        ("Qwen/Qwen2-0.5B", 6.35),
    ],
)
def test_q4_k_m_is_not_a_number_of_bits(model: str, bits: float) -> None:
    facts = RELEASED[model]
    assert 8 * expected_bytes(Subject("x", facts), "Q4_K_M") / blueprint(facts).parameters == pytest.approx(
        bits, abs=0.01
    )


def test_fewer_bits_make_smaller_files() -> None:
    subject = Subject("x", RELEASED["EleutherAI/pythia-160m"])
    sizes = [expected_bytes(subject, name) for name in ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")]
    assert sizes == sorted(sizes, reverse=True)


def test_the_size_of_what_cannot_be_written_is_not_guessed() -> None:
    with pytest.raises(Unmeasurable):
        expected_bytes(Subject("opt", RELEASED["facebook/opt-125m"]), "F16")
