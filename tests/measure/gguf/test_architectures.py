"""Names, shapes and hyperparameters: against llama.cpp's own converter, and against the neutral tensor table.

The tables in `converter/` are what `scripts/measure/converter_tables.py` wrote with the converter of the llama.cpp
that the extra installs.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import Unmeasurable
from app.measure.gguf.architectures import (
    MEASURABLE,
    NOT_COMPARED,
    NOT_MEASURABLE,
    blueprint,
    cache_bytes,
    cached_elements_per_token,
    reason_not,
)
from app.measure.gguf.variants import plain_storage
from app.model.architecture import Architecture, kv_cache_bytes, kv_cache_bytes_per_token
from app.model.tensors import KNOWN_CLASSES, parameter_count
from tests.measure.gguf.facts import HERE, TINY, read

RELEASED = dict(read(HERE.parent.parent / "model" / "architectures.csv", "model"))
COMPARED = sorted(name for name, facts in TINY.items() if facts.architecture_class not in NOT_COMPARED)
# What the converter writes and this project does not: scalings of rotary positions, of which the graph has no fact;
# the constants of MiniCPM, which llama.cpp has itself; windows that llama.cpp does not read for this architecture;
# and a second epsilon that it does not read either.
_NOT_OURS = {
    "nemotron.rope.scaling.type",
    "phi3.rope.scaling.original_context_length",
    "minicpm.embedding_scale",
    "minicpm.residual_scale",
    "minicpm.logit_scale",
    "llama.attention.sliding_window",
    "phi3.attention.sliding_window",
    "nemotron.attention.layer_norm_rms_epsilon",
    "qwen.attention.layer_norm_epsilon",
}


def _table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_every_class_with_a_tensor_table_is_measurable_or_has_a_reason() -> None:
    assert set(MEASURABLE) | set(NOT_MEASURABLE) == KNOWN_CLASSES
    assert not set(MEASURABLE) & set(NOT_MEASURABLE)


def test_every_measurable_class_has_a_tiny_architecture() -> None:
    assert {facts.architecture_class for facts in TINY.values()} == set(MEASURABLE)


def test_every_table_of_the_converter_is_compared_and_no_other_is_missing() -> None:
    tables = {path.name.split(".")[0] for path in (HERE / "converter").glob("*.csv")}
    assert tables == set(COMPARED)
    assert len({TINY[name].architecture_class for name in COMPARED}) == len(MEASURABLE) - len(NOT_COMPARED) == 17


@pytest.mark.parametrize("name", COMPARED)
def test_tensors_are_those_of_the_converter(name: str) -> None:
    expected = [tuple(row) for row in _table(HERE / "converter" / f"{name}.tensors.csv")]
    ours = sorted(
        (tensor.name, " ".join(map(str, tensor.shape)), plain_storage(tensor).value)
        for tensor in blueprint(TINY[name]).tensors
    )
    assert ours == expected


@pytest.mark.parametrize("name", COMPARED)
def test_hyperparameters_are_those_of_the_converter(name: str) -> None:
    model = blueprint(TINY[name])
    ours = {key: list(value) if isinstance(value, tuple) else value for key, value in model.metadata.items()}
    theirs = {key: json.loads(value) for key, value in _table(HERE / "converter" / f"{name}.metadata.csv")}
    prefix = f"{model.architecture}."
    compared = {key: value for key, value in theirs.items() if key.startswith(prefix) and key not in _NOT_OURS}
    assert theirs["general.architecture"] == ours["general.architecture"]
    assert compared == {key: ours.get(key) for key in compared}
    assert f"{prefix}block_count" in compared


@pytest.mark.parametrize("name", TINY)
def test_a_file_has_exactly_the_parameters_of_the_facts(name: str) -> None:
    assert blueprint(TINY[name]).parameters == parameter_count(TINY[name])


@pytest.mark.parametrize("model", RELEASED)
def test_released_models_keep_their_parameters_or_have_a_reason(model: str) -> None:
    facts = RELEASED[model]
    reason = reason_not(facts)
    if reason is None:
        assert blueprint(facts).parameters == parameter_count(facts)
    else:
        assert facts.architecture_class in NOT_MEASURABLE or facts.shares_feed_forward


def test_most_released_models_can_be_measured() -> None:
    assert sum(reason_not(facts) is None for facts in RELEASED.values()) == 82


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Architecture(), "architecture class is not stated"),
        (Architecture(architecture_class="MambaForCausalLM"), "no tensor table is known for the class Mamba"),
        (RELEASED["facebook/opt-125m"], "llama.cpp has no architecture for it"),
        (RELEASED["mllmTeam/PhoneLM-0.5B"], "gate is ReLU"),
        (RELEASED["TRI-ML/DCLM-1B"], "norms of queries and keys over all heads"),
        (RELEASED["MBZUAI/MobiLlama-05B"], "shares_feed_forward: llama.cpp would store and read a copy"),
        (replace(TINY["llama"], num_layers=None), "missing fact: num_layers"),
        (replace(TINY["gptneox"], ties_embeddings=True), "loads only an output matrix of its own"),
        (replace(TINY["gemma"], ties_embeddings=False), "loads only the embedding as output matrix"),
        (replace(TINY["llama"], intermediate_size=(512, 768)), "one number for all layers"),
        (replace(TINY["qwen2"], head_dimension=32), "needs heads x it = hidden size"),
        (replace(TINY["gptneox"], parallel_residual=None), "missing fact: parallel_residual"),
        (replace(TINY["falcon-rw"], parallel_residual=True), "FalconForCausalLM with parallel residual"),
    ],
)
def test_what_cannot_be_measured_says_why(facts: Architecture, reason: str) -> None:
    assert reason in str(reason_not(facts))
    with pytest.raises(Unmeasurable) as caught:
        blueprint(facts)
    assert caught.value.message == reason_not(facts)


def test_layers_of_openelm_differ_and_are_lists_in_the_file() -> None:
    model = blueprint(TINY["openelm"])
    assert model.metadata["openelm.attention.head_count"] == (4, 8)
    assert model.metadata["openelm.feed_forward_length"] == (256, 512)
    shapes = {tensor.name: tensor.shape for tensor in model.tensors}
    assert shapes["blk.0.attn_qkv.weight"] == (512, 256)
    assert shapes["blk.1.attn_qkv.weight"] == (1024, 256)
    assert shapes["blk.1.ffn_gate.weight"] == shapes["blk.1.ffn_up.weight"] == (512, 256)


@pytest.mark.parametrize("name", sorted(set(TINY) - {"minicpm3"}))
def test_llama_cpp_caches_keys_and_values_of_all_heads(name: str) -> None:
    assert 2 * sum(cached_elements_per_token(TINY[name])) == kv_cache_bytes_per_token(TINY[name])


def test_llama_cpp_expands_the_latent_heads_of_minicpm3() -> None:
    # 4 heads, keys of 64 + 32, values of 64; the latent itself would be 256 + 32.
    assert cached_elements_per_token(TINY["minicpm3"]) == (4 * (96 + 64),) * 2
    assert kv_cache_bytes_per_token(TINY["minicpm3"]) == 2 * 2 * (256 + 32)


def test_windows_shorten_the_cache_only_where_llama_cpp_has_them() -> None:
    per_layer = 2 * 2 * 128
    assert cache_bytes(TINY["gemma2"], 40) == kv_cache_bytes(TINY["gemma2"], 40) == 2 * per_layer * (32 + 40)
    assert cache_bytes(TINY["mistral"], 40) > kv_cache_bytes(TINY["mistral"], 40)
    assert cache_bytes(TINY["mistral"], 40) == 40 * kv_cache_bytes_per_token(TINY["mistral"])
    with pytest.raises(Unmeasurable):
        cache_bytes(RELEASED["facebook/opt-125m"], 1)


def test_what_is_no_fact_of_the_graph_is_listed_and_written() -> None:
    for name, facts in TINY.items():
        model = blueprint(facts)
        target = MEASURABLE[str(facts.architecture_class)]
        for key, value in target.assumed().items():
            assert model.metadata[f"{model.architecture}.{key}"] == value, name


# Counts of tensors in files that llama.cpp's converter made of the released checkpoints.
@pytest.mark.parametrize(
    ("model", "count"), [("HuggingFaceTB/SmolLM-135M", 272), ("EleutherAI/pythia-160m", 148), ("Qwen/Qwen2-0.5B", 290)]
)
def test_released_models_have_as_many_tensors_as_their_converted_checkpoints(model: str, count: int) -> None:
    assert len(blueprint(RELEASED[model]).tensors) == count
