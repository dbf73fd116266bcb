"""The torch engine builds what the facts say, measures it, and refuses what it does not know. Needs the extra.

It is run apart from the other tests, where the extra `measure-torch` is installed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from app.errors import BadFile, EngineRefused, NoMemory, Unmeasurable
from app.measure.engines import torch as engine
from app.measure.values import Cell, Engine, Phase, RandomWeights, RealWeights, Sampling, Subject
from app.model.architecture import (
    GROUPED_QUERY,
    LOCAL_GLOBAL,
    MULTI_HEAD,
    MULTI_HEAD_LATENT,
    SLIDING_WINDOW,
    Architecture,
    kv_cache_bytes,
)
from app.model.tensors import parameter_count
from tests.measure.gguf.facts import read
from tests.measure.tiny import TINY, cell


def like(name: str, **facts: Any) -> Architecture:
    """A tiny model of a class."""
    return replace(TINY, architecture_class=name, **facts)


HEADS = {"num_key_value_heads": None, "attention_type": MULTI_HEAD}
MODELS = [
    TINY,
    like("LlamaForCausalLM", ties_embeddings=False, head_dimension=32),
    like("MobileLLMForCausalLM"),
    like("MistralForCausalLM", attention_type=SLIDING_WINDOW, sliding_window_size=64),
    like("GemmaForCausalLM", head_dimension=32),
    like("Gemma2ForCausalLM", attention_type=LOCAL_GLOBAL, sliding_window_size=64),
    like("Qwen2ForCausalLM"),
    like("Phi3ForCausalLM", ties_embeddings=False),
    like("PhiForCausalLM", ties_embeddings=False, **HEADS),
    like("StableLmForCausalLM", ties_embeddings=False, uses_qkv_bias=True, **HEADS),
    like("StableLmForCausalLM", ties_embeddings=False, parallel_residual=True, **HEADS),
    like("OlmoForCausalLM", **HEADS),
    like("NemotronForCausalLM", ties_embeddings=False),
    like("GPTNeoXForCausalLM", ties_embeddings=False, parallel_residual=True, **HEADS),
    like("GPTNeoForCausalLM", sliding_window_size=64, **HEADS),
    like("GPT2LMHeadModel", **HEADS),
    like("BloomForCausalLM", intermediate_size=256, **HEADS),
    like("FalconForCausalLM", **HEADS),
    like("OPTForCausalLM", **HEADS),
    like("OPTForCausalLM", embedding_projection=32, **HEADS),
    like(
        "MiniCPM3ForCausalLM",
        num_key_value_heads=None,
        attention_type=MULTI_HEAD_LATENT,
        query_lora_rank=24,
        key_value_lora_rank=16,
        rope_head_dimension=8,
        no_rope_head_dimension=12,
        value_head_dimension=16,
    ),
]


def measured(architecture: Architecture, variant: str = "F32", **wanted: Any) -> Any:
    one = cell(engine=Engine.TORCH, variant=variant, architecture=architecture, **wanted)
    return engine.measure(one, None, lambda *_: None)


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: str(facts.architecture_class))
def test_every_class_is_built_as_the_facts_say(facts: Architecture) -> None:
    told = measured(facts, prompt=12, generated=3)
    assert told.settings["parameters"] == parameter_count(facts)
    assert told.memory.weights == 4 * parameter_count(facts)
    assert told.finite_logits
    assert told.memory.kv_used == kv_cache_bytes(facts, 12, 4)
    assert told.settings["kv_element_bytes"] == 4


def smallest_released() -> list[Architecture]:
    """The released model with the fewest parameters of each class that the engine knows."""
    chosen: dict[str, Architecture] = {}
    for _, facts in read(Path(__file__).parents[1] / "model" / "architectures.csv", "model"):
        name = str(facts.architecture_class)
        if name in engine.KNOWN_CLASSES and (
            name not in chosen or parameter_count(facts) < parameter_count(chosen[name])
        ):
            chosen[name] = facts
    return list(chosen.values())


@pytest.mark.heavy
@pytest.mark.parametrize("facts", smallest_released(), ids=lambda facts: str(facts.architecture_class))
def test_a_released_model_has_the_parameters_that_its_facts_give(facts: Architecture) -> None:
    model_type, settings = engine.configuration(facts)
    with torch.device("meta"):  # shapes without numbers
        model = transformers.AutoModelForCausalLM.from_config(transformers.CONFIG_MAPPING[model_type](**settings))
    assert sum(weight.numel() for weight in model.parameters()) == parameter_count(facts)


def test_a_full_window_keeps_one_position_less() -> None:
    facts = like("MistralForCausalLM", attention_type=SLIDING_WINDOW, sliding_window_size=16)
    told = measured(facts, prompt=40, generated=3)
    assert told.memory.kv_used == kv_cache_bytes(replace(facts, sliding_window_size=15), 40, 4)


def test_gpt_neo_keeps_all_positions_of_windowed_layers() -> None:
    facts = like("GPTNeoForCausalLM", sliding_window_size=16, **HEADS)
    told = measured(facts, prompt=40, generated=3)
    assert told.memory.kv_used == kv_cache_bytes(replace(facts, sliding_window_size=100), 40, 4)


def test_every_known_class_is_tried() -> None:
    assert {facts.architecture_class for facts in MODELS} == engine.KNOWN_CLASSES


def test_samples_have_both_phases_and_the_tokens_asked_for() -> None:
    told = measured(TINY, prompt=20, generated=5, depth=10, sampling=Sampling(clean=1, warm_ups=0, seconds=0.0))
    phases = [one.phase for one in told.samples]
    assert phases == [Phase.LOAD, Phase.PREFILL, Phase.DECODE]
    assert [one.tokens for one in told.samples] == [0, 20, 5]
    assert len(told.samples[2].per_token_ns) == 5
    assert sum(told.samples[2].per_token_ns) <= told.samples[2].wall_ns
    assert told.memory.kv_used == kv_cache_bytes(TINY, 30, 4)
    assert told.memory.kv_allocated == kv_cache_bytes(TINY, 35, 4)


@pytest.mark.parametrize(("variant", "size"), [("F32", 4), ("BF16", 2), ("F16", 2)])
def test_a_variant_has_its_bytes(variant: str, size: int) -> None:
    told = measured(TINY, variant)
    assert told.artifact.tensor_types == {variant: parameter_count(TINY)}
    assert (told.artifact.bits_per_weight, told.artifact.size) == (8 * size, size * parameter_count(TINY))
    assert told.memory.kv_used == kv_cache_bytes(TINY, 24, size)


def test_a_seed_gives_the_same_weights_again() -> None:
    def digest(seed: int) -> str:
        one = replace(cell(engine=Engine.TORCH, variant="F32"), weights=RandomWeights(seed))
        artifact = engine.measure(one, None, lambda *_: None).artifact
        assert artifact is not None
        return artifact.sha256

    assert digest(1) == digest(1) != digest(2)


def test_released_weights_are_read_from_a_folder(tmp_path: Path) -> None:
    model_type, settings = engine.configuration(TINY)
    torch.manual_seed(5)
    saved = transformers.AutoModelForCausalLM.from_config(transformers.CONFIG_MAPPING[model_type](**settings))
    saved.save_pretrained(tmp_path)
    one = replace(cell(engine=Engine.TORCH, variant="F32"), weights=RealWeights(str(tmp_path), ""))
    told = engine.measure(one, tmp_path, lambda *_: None)
    assert told.artifact is not None
    assert told.artifact.file_format == "safetensors"
    assert told.artifact.parameters == parameter_count(TINY)


def test_a_folder_without_a_model_or_with_a_spoilt_one_is_refused(tmp_path: Path) -> None:
    one = cell(engine=Engine.TORCH, variant="F32")
    with pytest.raises(BadFile, match=r"config\.json"):
        engine.measure(one, tmp_path, lambda *_: None)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadFile):
        engine.measure(one, tmp_path, lambda *_: None)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (like("MiniCPMForCausalLM"), "does not build MiniCPMForCausalLM"),
        (like("OpenELMForCausalLM"), "does not build OpenELMForCausalLM"),
        (Architecture(), "without an architecture class"),
        (replace(TINY, hidden_size=None), "hidden_size"),
        (replace(TINY, num_attention_heads=(4, 2)), "num_attention_heads differs between layers"),
        (like("BloomForCausalLM", intermediate_size=100, **HEADS), "four times"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_reason(facts: Architecture, told: str) -> None:
    with pytest.raises(Unmeasurable, match=told):
        engine.configuration(facts)
    assert told in str(engine.reason_not(facts))


def test_a_model_that_can_be_built_has_no_reason_not_to() -> None:
    assert [engine.reason_not(facts) for facts in MODELS] == [None] * len(MODELS)


def test_a_model_that_differs_from_the_facts_is_refused() -> None:
    facts = like("Qwen2ForCausalLM", head_dimension=32)  # transformers has no such choice in this class
    with pytest.raises(EngineRefused, match="the facts give"):
        measured(facts)


def test_an_unknown_variant_is_refused() -> None:
    one: Cell = cell(engine=Engine.TORCH, variant="Q4_K_M")
    with pytest.raises(EngineRefused, match="no variant Q4_K_M"):
        engine.measure(one, None, lambda *_: None)


def test_too_large_a_model_says_that_there_is_no_memory() -> None:
    huge = replace(TINY, vocabulary_size=40_000_000, hidden_size=32768, head_dimension=8192)
    with pytest.raises(NoMemory, match="torch found no memory"):
        engine.measure(
            replace(cell(engine=Engine.TORCH, variant="F32"), subject=Subject("huge", huge)), None, lambda *_: None
        )


def test_grouped_heads_are_cached_once() -> None:
    assert TINY.attention_type == GROUPED_QUERY
    assert kv_cache_bytes(TINY, 24, 4) * 2 == kv_cache_bytes(replace(TINY, num_key_value_heads=4), 24, 4)
