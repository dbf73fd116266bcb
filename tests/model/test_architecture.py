"""Parameter counts and cache sizes: against counts of the modelling code, by hand, and by property.

`architectures.csv` holds the stated facts of 93 models; `data/reference/parameter-check.csv` holds the counts
that the modelling code of each class gave when it was built from the same facts.
"""

import csv
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import architecture as facts
from app.model import tensors as table
from app.model.architecture import (
    Architecture,
    ArchitectureError,
    MissingFact,
    UnknownArchitecture,
    UnusableFact,
    kv_cache_bytes,
    kv_cache_bytes_per_token,
    kv_cache_bytes_per_token_beyond_window,
)
from app.model.tensors import (
    KNOWN_CLASSES,
    Role,
    embedding_share,
    non_embedding_parameter_count,
    parameter_count,
    parameter_count_less_input_embeddings,
    tensors,
    tokens_per_parameter,
)

HERE = Path(__file__).parent
REFERENCE = HERE.parent.parent / "data" / "reference" / "parameter-check.csv"
TEXTS = {"architecture_class", "attention_type", "attention_pattern"}


def _value(name: str, text: str) -> Any:
    if name in TEXTS:
        return text
    if text in {"true", "false"}:
        return text == "true"
    numbers = tuple(int(part) for part in text.split())
    return numbers if len(numbers) > 1 else numbers[0]


def _architectures() -> dict[str, Architecture]:
    with (HERE / "architectures.csv").open(encoding="utf-8", newline="") as file:
        return {
            row.pop("model"): Architecture(**{name: _value(name, text) for name, text in row.items() if text})
            for row in csv.DictReader(file)
        }


def _reference() -> dict[str, dict[str, str]]:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


ARCHITECTURES = _architectures()
COUNTS = _reference()
SMOLLM = ARCHITECTURES["HuggingFaceTB/SmolLM-135M"]
GEMMA_2 = ARCHITECTURES["google/gemma-2-2b"]
GPT_NEO = ARCHITECTURES["EleutherAI/gpt-neo-125m"]
PHI_3 = ARCHITECTURES["microsoft/Phi-3-mini-4k-instruct"]
PHI_3_5 = ARCHITECTURES["microsoft/Phi-3.5-mini-instruct"]
DANUBE = ARCHITECTURES["h2oai/h2o-danube-1.8b-base"]
DANUBE_2 = ARCHITECTURES["h2oai/h2o-danube2-1.8b-base"]
MINICPM_3 = ARCHITECTURES["openbmb/MiniCPM3-4B"]
OPENELM = ARCHITECTURES["apple/OpenELM-270M"]
OPT_350M = ARCHITECTURES["facebook/opt-350m"]
STABLELM_3B = ARCHITECTURES["stabilityai/stablelm-3b-4e1t"]
STABLELM_2 = ARCHITECTURES["stabilityai/stablelm-2-1_6b"]
MOBILLAMA = ARCHITECTURES["MBZUAI/MobiLlama-05B"]
FALCON = ARCHITECTURES["tiiuae/falcon-rw-1b"]

models = st.sampled_from(sorted(ARCHITECTURES)).map(ARCHITECTURES.__getitem__)
uniform_models = models.filter(lambda architecture: architecture.architecture_class != "OpenELMForCausalLM")


# ---- counts against the modelling code ----


def test_the_facts_and_the_reference_name_the_same_93_models() -> None:
    assert len(ARCHITECTURES) == 93
    assert ARCHITECTURES.keys() == COUNTS.keys()


def test_every_known_class_is_checked_by_a_model() -> None:
    assert {architecture.architecture_class for architecture in ARCHITECTURES.values()} == KNOWN_CLASSES


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_parameter_count_is_exact(model: str) -> None:
    assert parameter_count(ARCHITECTURES[model]) == int(COUNTS[model]["computed_parameters"])


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_count_less_input_embeddings_is_exact(model: str) -> None:
    expected = int(COUNTS[model]["computed_less_input_embedding"])
    assert parameter_count_less_input_embeddings(ARCHITECTURES[model]) == expected


@pytest.mark.parametrize(
    "model",
    [
        model
        for model, row in COUNTS.items()
        if row["reference_kind"] == "exact count" and "position rows" not in row["reference_source"]
    ],
)
def test_independent_exact_counts_agree(model: str) -> None:
    assert parameter_count(ARCHITECTURES[model]) == int(COUNTS[model]["reference_parameters"])


def test_opt_differs_from_the_independent_count_by_its_two_extra_position_rows() -> None:
    reference = int(COUNTS["facebook/opt-125m"]["reference_parameters"])
    assert parameter_count(ARCHITECTURES["facebook/opt-125m"]) - reference == 2 * 768


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # tied, no position table: total - 49152 x 576
        ("HuggingFaceTB/SmolLM-135M", 134515008 - 49152 * 576),
        # untied: both matrices go
        ("EleutherAI/pythia-160m", 162322944 - 2 * 50304 * 768),
        # the position table of 2050 rows stays
        ("facebook/opt-125m", 85056000 + 2050 * 768),
        # the 512-wide embedding goes, its two projections stay
        ("facebook/opt-350m", 331196416 - 50272 * 512),
        # untied with a bias of 51200 at the output: the bias stays
        ("microsoft/phi-2", 2779683840 - 2 * 51200 * 2560),
    ],
)
def test_non_embedding_count_takes_out_embedding_and_output_matrices_only(model: str, expected: int) -> None:
    assert non_embedding_parameter_count(ARCHITECTURES[model]) == expected


def test_embedding_share_of_a_small_model_with_two_large_tables() -> None:
    assert embedding_share(ARCHITECTURES["EleutherAI/pythia-160m"]) == pytest.approx(77266944 / 162322944)


def test_tokens_per_parameter() -> None:
    assert tokens_per_parameter(600_000_000_000, 134_515_008) == pytest.approx(4460.47, abs=0.01)
    assert tokens_per_parameter(0, 1) == 0


@pytest.mark.parametrize(("tokens", "parameters"), [(-1, 1), (1, 0), (1, -1)])
def test_tokens_per_parameter_refuses_impossible_numbers(tokens: int, parameters: int) -> None:
    with pytest.raises(ValueError, match="tokens over"):
        tokens_per_parameter(tokens, parameters)


# ---- the table ----


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_the_table_is_regular(model: str) -> None:
    architecture = ARCHITECTURES[model]
    rows = tensors(architecture)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert all(name.endswith((".weight", ".bias")) for name in names)
    assert all((len(row.shape) == 1) == (row.name.endswith(".bias") or "norm" in row.name) for row in rows)
    assert all((row.role is Role.NORM) == ("norm" in row.name) for row in rows)
    assert all(row.name.startswith(f"layers.{row.layer}.") for row in rows if row.layer is not None)
    assert {row.layer for row in rows} == {None, *range(architecture.num_layers or 0)}
    assert [row.name for row in rows if row.role is Role.TOKEN_EMBEDDING] == ["token_embedding.weight"]
    assert ("head.weight" in names) is not architecture.ties_embeddings


def test_one_llama_layer_by_hand() -> None:
    rows = [(row.name, row.shape) for row in tensors(SMOLLM) if row.layer == 29]
    assert rows == [
        ("layers.29.attention_norm.weight", (576,)),
        ("layers.29.attention.query.weight", (576, 576)),
        ("layers.29.attention.key.weight", (192, 576)),
        ("layers.29.attention.value.weight", (192, 576)),
        ("layers.29.attention.output.weight", (576, 576)),
        ("layers.29.feed_forward_norm.weight", (576,)),
        ("layers.29.feed_forward.gate.weight", (1536, 576)),
        ("layers.29.feed_forward.up.weight", (1536, 576)),
        ("layers.29.feed_forward.down.weight", (576, 1536)),
    ]


def test_layers_of_openelm_differ() -> None:
    shapes = {row.name: row.shape for row in tensors(OPENELM)}
    assert shapes["layers.0.attention.query_key_value.weight"] == ((12 + 3 + 3) * 64, 1280)
    assert shapes["layers.15.attention.query_key_value.weight"] == ((20 + 5 + 5) * 64, 1280)
    assert shapes["layers.0.feed_forward.gate_up.weight"] == (2 * 768, 1280)
    assert shapes["layers.15.feed_forward.down.weight"] == (1280, 5120)
    assert shapes["layers.15.attention.key_norm.weight"] == (64,)


def test_latent_attention_by_hand() -> None:
    rows = [(row.name, row.shape) for row in tensors(MINICPM_3) if row.name.startswith("layers.0.attention.")]
    assert rows == [
        ("layers.0.attention.query_down.weight", (768, 2560)),
        ("layers.0.attention.query_norm.weight", (768,)),
        ("layers.0.attention.query_up.weight", (40 * 96, 768)),
        ("layers.0.attention.key_value_down.weight", (256 + 32, 2560)),
        ("layers.0.attention.key_value_norm.weight", (256,)),
        ("layers.0.attention.key_value_up.weight", (40 * 128, 256)),
        ("layers.0.attention.output.weight", (2560, 40 * 64)),
    ]


def test_a_projected_opt_embedding_comes_with_two_projections_and_no_final_norm() -> None:
    shapes = {row.name: row.shape for row in tensors(OPT_350M)}
    assert shapes["token_embedding.weight"] == (50272, 512)
    assert shapes["position_embedding.weight"] == (2050, 1024)
    assert shapes["embedding_projection.input.weight"] == (1024, 512)
    assert shapes["embedding_projection.output.weight"] == (512, 1024)
    assert "output_norm.weight" not in shapes


def test_a_shared_feed_forward_block_is_counted_once() -> None:
    block = 3 * 2048 * 5632
    unshared = replace(MOBILLAMA, shares_feed_forward=False)
    assert parameter_count(unshared) - parameter_count(MOBILLAMA) == 21 * block
    assert "shared.feed_forward.gate.weight" in {row.name for row in tensors(MOBILLAMA)}


def test_stablelm_query_key_value_bias_and_parallel_residual_change_the_count() -> None:
    without_bias = replace(STABLELM_2, uses_qkv_bias=False)
    assert parameter_count(STABLELM_2) - parameter_count(without_bias) == 24 * 3 * 2048
    assert parameter_count(replace(STABLELM_2, uses_qkv_bias=None)) == parameter_count(without_bias)
    parallel = replace(STABLELM_3B, parallel_residual=True)
    assert parameter_count(STABLELM_3B) - parameter_count(parallel) == 32 * 2 * 2560


# ---- key-value cache ----


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # MHA: layers x 2 x heads x head dimension x 2 bytes
        ("microsoft/Phi-3-mini-4k-instruct", 393216),  # 32 x 2 x 32 x 96 x 2
        ("EleutherAI/pythia-160m", 36864),  # 12 x 2 x 12 x 64 x 2
        # MHA by the code, although the configuration declares 4 key-value heads
        ("MBZUAI/MobiLlama-05B", 180224),  # 22 x 2 x 32 x 64 x 2
        # GQA: layers x 2 x key-value heads x head dimension x 2 bytes
        ("HuggingFaceTB/SmolLM-135M", 23040),  # 30 x 2 x 3 x 64 x 2
        ("meta-llama/Llama-3.2-1B", 32768),  # 16 x 2 x 8 x 64 x 2
        ("Qwen/Qwen2-0.5B", 12288),  # 24 x 2 x 2 x 64 x 2
        # MQA
        ("google/gemma-2b", 18432),  # 18 x 2 x 1 x 256 x 2
        # MLA: layers x (256 + 32) x 2 bytes
        ("openbmb/MiniCPM3-4B", 35712),
        # per-layer heads: (5 x 3 + 7 x 4 + 4 x 5) x 2 x 64 x 2
        ("apple/OpenELM-270M", 16128),
    ],
)
def test_cache_per_token_by_hand(model: str, expected: int) -> None:
    assert kv_cache_bytes_per_token(ARCHITECTURES[model]) == expected


@pytest.mark.parametrize(
    ("model", "bytes_per_element", "measured"),
    [
        ("HuggingFaceTB/SmolLM-135M", 2, 5898240),
        ("HuggingFaceTB/SmolLM-135M", 4, 11796480),
        ("HuggingFaceTB/SmolLM2-360M", 2, 10485760),
        ("EleutherAI/pythia-160m", 2, 9437184),
        ("EleutherAI/pythia-410m", 4, 50331648),
        ("facebook/opt-125m", 2, 9437184),
        ("cerebras/Cerebras-GPT-111M", 2, 7864320),
        ("Qwen/Qwen2-0.5B", 2, 3145728),
    ],
)
def test_cache_of_256_tokens_is_what_transformers_held(model: str, bytes_per_element: int, measured: int) -> None:
    """Sum over the cache tensors after a prompt of 256 tokens, random weights, transformers 5.23."""
    assert kv_cache_bytes(ARCHITECTURES[model], 256, bytes_per_element) == measured


def test_cache_of_per_layer_heads_is_what_llama_cpp_saved() -> None:
    """Serialised state after 64 and 256 tokens, 16 bits; besides the cache it keeps 12 bytes per token."""
    at_64, at_256 = 1033368, 4132248
    assert at_256 - at_64 == kv_cache_bytes(OPENELM, 256) - kv_cache_bytes(OPENELM, 64) + 12 * (256 - 64)


def test_latent_cache_of_deepseek_v2_is_that_of_grouped_queries_with_2_25_groups() -> None:
    """arXiv:2405.04434, section 2.1.4: latent 512, rope key 64, head dimension 128."""
    deepseek = Architecture(num_layers=60, attention_type="MLA", key_value_lora_rank=512, rope_head_dimension=64)
    assert kv_cache_bytes_per_token(deepseek) == 60 * 2.25 * 2 * 128 * 2


@pytest.mark.parametrize(
    ("architecture", "beyond"),
    [
        (SMOLLM, 23040),  # no window
        (GEMMA_2, 53248),  # 13 of 26 layers are global: 106496 / 2
        (GPT_NEO, 18432),  # 6 of 12 layers are global: 36864 / 2
        (PHI_3, 0),  # every layer has a window of 2047 in a context of 4096
        (PHI_3_5, 393216),  # the window is wider than the context
        (DANUBE, 0),  # every layer has a window of 4096 in a context of 16384
        (DANUBE_2, 61440),  # the window was removed
        (MINICPM_3, 35712),
    ],
)
def test_growth_beyond_the_window_by_hand(architecture: Architecture, beyond: int) -> None:
    assert kv_cache_bytes_per_token_beyond_window(architecture) == beyond


def test_cache_of_gemma_2_at_its_whole_context() -> None:
    layer = 2 * 4 * 256 * 2
    assert kv_cache_bytes(GEMMA_2, 8192) == 13 * layer * 4096 + 13 * layer * 8192


def test_cache_stops_growing_where_every_layer_has_a_window() -> None:
    assert kv_cache_bytes(DANUBE, 4096) == kv_cache_bytes(DANUBE, 16384) == 4096 * 61440


def test_a_window_as_long_as_the_context_never_fills() -> None:
    at, below = replace(DANUBE, sliding_window_size=16384), replace(DANUBE, sliding_window_size=16383)
    assert kv_cache_bytes_per_token_beyond_window(at) == 61440
    assert kv_cache_bytes_per_token_beyond_window(below) == 0
    assert kv_cache_bytes_per_token_beyond_window(replace(below, max_context_length=None)) == 0


def test_a_pattern_runs_over_the_layers_from_the_first() -> None:
    architecture = Architecture(num_layers=5, sliding_window_size=8, attention_pattern="local local global")
    assert architecture.windows_per_layer() == (8, 8, None, 8, 8)


def test_gpt_neo_starts_with_a_global_layer_and_gemma_2_with_a_local_one() -> None:
    assert replace(GPT_NEO, attention_pattern=None).windows_per_layer()[:2] == (None, 256)
    assert replace(GEMMA_2, attention_pattern=None).windows_per_layer()[:2] == (4096, None)


def test_an_attention_type_gives_the_key_value_heads_it_defines() -> None:
    eight = Architecture(num_layers=1, num_attention_heads=8, head_dimension=16, attention_type="MHA")
    assert kv_cache_bytes_per_token(eight) == 2 * 8 * 16 * 2
    assert kv_cache_bytes_per_token(replace(eight, attention_type="MQA")) == 2 * 1 * 16 * 2


def test_the_class_gives_the_key_value_heads_it_defines() -> None:
    assert parameter_count(replace(MOBILLAMA, attention_type=None, num_key_value_heads=None)) == 534865920


def test_an_alternating_attention_type_without_a_class_takes_the_stated_pattern() -> None:
    architecture = Architecture(
        num_layers=2,
        num_key_value_heads=1,
        head_dimension=4,
        attention_type="LocalGlobal",
        sliding_window_size=8,
        attention_pattern="local global",
    )
    assert kv_cache_bytes(architecture, 10) == 2 * 4 * 2 * (8 + 10)


# ---- properties ----


@given(uniform_models, st.integers(1, 40), st.integers(1, 8))
def test_more_layers_mean_more_parameters_and_more_cache(architecture: Architecture, layers: int, more: int) -> None:
    small, large = replace(architecture, num_layers=layers), replace(architecture, num_layers=layers + more)
    assert parameter_count(small) < parameter_count(large)
    assert kv_cache_bytes_per_token(small) < kv_cache_bytes_per_token(large)


@given(models)
def test_tying_takes_away_exactly_one_embedding_matrix(architecture: Architecture) -> None:
    tied = replace(architecture, ties_embeddings=True)
    untied = replace(architecture, ties_embeddings=False)
    width = architecture.embedding_projection or architecture.hidden_size or 0
    assert parameter_count(untied) - parameter_count(tied) == (architecture.vocabulary_size or 0) * width
    assert non_embedding_parameter_count(untied) == non_embedding_parameter_count(tied)
    assert 0 < embedding_share(tied) < embedding_share(untied) < 1


@given(models, st.integers(1, 8))
def test_growth_beyond_the_window_is_never_more_than_before(architecture: Architecture, width: int) -> None:
    before = kv_cache_bytes_per_token(architecture, width)
    beyond = kv_cache_bytes_per_token_beyond_window(architecture, width)
    assert 0 <= beyond <= before
    assert before == width * kv_cache_bytes_per_token(architecture, 1)


@given(models, st.integers(0, 300_000))
def test_cache_grows_by_the_two_rates(architecture: Architecture, tokens: int) -> None:
    growth = kv_cache_bytes(architecture, tokens + 1) - kv_cache_bytes(architecture, tokens)
    windows = [window for window in architecture.windows_per_layer() if window is not None]
    if tokens < min(windows, default=tokens + 1):
        assert growth == kv_cache_bytes_per_token(architecture)
    else:
        assert growth == kv_cache_bytes_per_token_beyond_window(architecture)


@given(models)
def test_cache_per_token_is_what_the_key_and_value_tensors_put_out(architecture: Architecture) -> None:
    outputs = sum(
        row.shape[0]
        for row in tensors(architecture)
        if row.name.endswith((".key.weight", ".value.weight", ".key_value_down.weight"))
    )
    fused = sum(
        row.shape[0] - row_query
        for row, row_query in zip(
            (row for row in tensors(architecture) if row.name.endswith(".query_key_value.weight")),
            (heads * (architecture.head_dimension or 0) for heads in architecture.attention_heads_per_layer()),
            strict=False,
        )
    )
    assert kv_cache_bytes_per_token(architecture) == 2 * (outputs + fused)


# ---- errors ----

NEEDED = {
    "architecture_class",
    "num_layers",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dimension",
    "intermediate_size",
    "vocabulary_size",
    "ties_embeddings",
}
LATENT = {
    "query_lora_rank",
    "key_value_lora_rank",
    "rope_head_dimension",
    "no_rope_head_dimension",
    "value_head_dimension",
}


@pytest.mark.parametrize(
    ("architecture", "fact"),
    [(SMOLLM, fact) for fact in sorted(NEEDED)]
    + [(MINICPM_3, fact) for fact in sorted(LATENT | NEEDED - {"num_key_value_heads", "head_dimension"})]
    + [(OPT_350M, "max_context_length"), (MOBILLAMA, "shares_feed_forward")],
)
def test_a_count_names_the_fact_it_lacks(architecture: Architecture, fact: str) -> None:
    with pytest.raises(MissingFact) as error:
        parameter_count(replace(architecture, **{fact: None}))
    assert error.value.fact == fact


@pytest.mark.parametrize("fact", sorted({field.name for field in fields(Architecture)} - NEEDED))
def test_a_llama_count_needs_nothing_else(fact: str) -> None:
    assert parameter_count(replace(SMOLLM, **{fact: None})) == 134515008


@pytest.mark.parametrize(
    ("architecture", "fact"),
    [
        (SMOLLM, "num_layers"),
        (SMOLLM, "num_key_value_heads"),
        (SMOLLM, "head_dimension"),
        (SMOLLM, "attention_type"),
        (MINICPM_3, "key_value_lora_rank"),
        (MINICPM_3, "rope_head_dimension"),
        (GEMMA_2, "sliding_window_size"),
        (GPT_NEO, "sliding_window_size"),
        (DANUBE, "sliding_window_size"),
        (replace(SMOLLM, attention_type="SlidingWindow"), "sliding_window_size"),
        (replace(SMOLLM, attention_type="LocalGlobal"), "attention_pattern"),
    ],
)
def test_a_cache_size_names_the_fact_it_lacks(architecture: Architecture, fact: str) -> None:
    with pytest.raises(MissingFact) as error:
        kv_cache_bytes_per_token_beyond_window(replace(architecture, **{fact: None}))
    assert error.value.fact == fact


def test_growth_per_token_needs_no_window() -> None:
    assert kv_cache_bytes_per_token(replace(GEMMA_2, sliding_window_size=None)) == 106496


def test_growth_per_token_needs_no_class() -> None:
    assert kv_cache_bytes_per_token(replace(SMOLLM, architecture_class=None)) == 23040


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(UnknownArchitecture) as error:
        tensors(replace(SMOLLM, architecture_class="RwkvForCausalLM"))
    assert error.value.name == "RwkvForCausalLM"


def test_an_attention_type_without_a_cache_formula_is_named() -> None:
    with pytest.raises(UnknownArchitecture) as error:
        kv_cache_bytes_per_token(replace(SMOLLM, attention_type="LinearRecurrent"))
    assert error.value.name == "LinearRecurrent"


def test_the_parallel_falcon_layout_is_not_passed_off_as_falcon_rw() -> None:
    with pytest.raises(UnknownArchitecture, match="parallel"):
        tensors(replace(FALCON, parallel_residual=True))


@pytest.mark.parametrize(
    ("architecture", "changes", "fact"),
    [
        (SMOLLM, {"uses_qkv_bias": True}, "uses_qkv_bias"),
        (ARCHITECTURES["Qwen/Qwen2-0.5B"], {"uses_qkv_bias": False}, "uses_qkv_bias"),
        (SMOLLM, {"shares_feed_forward": True}, "shares_feed_forward"),
        (SMOLLM, {"embedding_projection": 128}, "embedding_projection"),
        (SMOLLM, {"attention_type": "MLA"}, "attention_type"),
        (MINICPM_3, {"attention_type": "MHA"}, "attention_type"),
        (SMOLLM, {"attention_type": "MHA"}, "num_key_value_heads"),
        (SMOLLM, {"attention_type": "MQA"}, "num_key_value_heads"),
        (SMOLLM, {"num_key_value_heads": 4}, "num_key_value_heads"),
        (MOBILLAMA, {"attention_type": "GQA", "num_key_value_heads": 4}, "num_key_value_heads"),
        (MOBILLAMA, {"intermediate_size": (5632,) * 21 + (5120,)}, "intermediate_size"),
        (SMOLLM, {"hidden_size": 0}, "hidden_size"),
        (OPENELM, {"num_layers": 15}, "num_attention_heads"),
        (OPENELM, {"intermediate_size": (-1,) * 16}, "intermediate_size"),
        (GEMMA_2, {"attention_pattern": "even"}, "attention_pattern"),
        (GEMMA_2, {"attention_pattern": " "}, "attention_pattern"),
    ],
)
def test_a_fact_that_cannot_be_is_named(architecture: Architecture, changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(UnusableFact) as error:
        parameter_count(replace(architecture, **changes))
    assert error.value.fact == fact


def test_the_cache_of_a_latent_class_is_not_worked_out_from_heads() -> None:
    with pytest.raises(UnusableFact) as error:
        kv_cache_bytes_per_token(replace(MINICPM_3, attention_type="MHA"))
    assert error.value.fact == "attention_type"


def test_impossible_cache_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens"):
        kv_cache_bytes(SMOLLM, -1)
    with pytest.raises(ValueError, match="bytes per element"):
        kv_cache_bytes_per_token(SMOLLM, 0)


def test_all_errors_of_the_facts_have_one_parent() -> None:
    assert {error.__base__ for error in (MissingFact, UnusableFact, UnknownArchitecture)} == {ArchitectureError}
    assert issubclass(ArchitectureError, ValueError)


def test_every_formula_has_a_version_of_its_own() -> None:
    formulas = [value for module in (facts, table) for name, value in vars(module).items() if name.endswith("_FORMULA")]
    assert len(formulas) == len(set(formulas)) == 10
    assert all(formula.rpartition("/")[2].isdigit() for formula in formulas)
