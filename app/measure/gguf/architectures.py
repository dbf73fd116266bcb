"""From the facts of an architecture to a llama.cpp architecture: tensor names, shapes and metadata of a GGUF file.

One row of `_TARGETS` stands for one modelling class; the rows come from the sources of llama.cpp (how each of its
architectures loads tensors and hyperparameters) and are checked against its own converter in the tests. A class is
taken when a llama.cpp architecture does the same operations on the same tensors; `reason_not` says why another is not.

What the graph does not hold and what does not change the cost (an epsilon, the base of the rotary angles, a cap of
logits, the rotated share of a head) gets the default of the modelling class; `Target.assumed` lists these values.

Never here: weights, files, or a number for one named model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod

from app.errors import Unmeasurable
from app.model.architecture import (
    LATENT_CLASSES,
    Architecture,
    ArchitectureError,
    UnusableFact,
    required,
)
from app.model.tensors import KNOWN_CLASSES, Tensor, tensors

Value = str | bool | int | float | tuple[int, ...]
"""A value of a file's metadata; a tuple has one number per layer."""


class Head(StrEnum):
    """Which output matrix a llama.cpp architecture loads."""

    TIED = "tied"
    OWN = "its own"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Placed:
    """One tensor of a file. The shape is (outputs, inputs) as in the neutral table; the file stores it reversed."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return prod(self.shape)

    @property
    def is_norm_gain(self) -> bool:
        """Whether it scales the output of a normalisation."""
        return self.name.endswith("_norm.weight")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All of a GGUF file but the weights. The keys of `metadata` are those of the file."""

    architecture: str
    tensors: tuple[Placed, ...]
    metadata: Mapping[str, Value]
    layers: int

    @property
    def parameters(self) -> int:
        """Number of parameters of the file."""
        return sum(tensor.size for tensor in self.tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How one modelling class is written for llama.cpp. The defaults are those of Llama.

    - `square`: llama.cpp takes heads x head dimension to be the hidden size.
    - `has_windows`: llama.cpp keeps the window in every other layer, first layer first.
    - `epsilon`: of the normalisations; `rms` says which kind, and so the key.
    - `rotary_share`: the rotated share of a head; None without rotary positions.
    - `constants`: more metadata that the class fixes, by key without the architecture's prefix.
    - `remark`: where llama.cpp does the same work as the released code, but does not compute the same.
    """

    architecture: str = "llama"
    head: Head = Head.EITHER
    square: bool = False
    per_layer: bool = False
    rms: bool = True
    epsilon: float = 1e-6
    rope_base: float = 10000.0
    rotary_share: float | None = 1.0
    says_parallel: bool = False
    splits_gate: bool = False
    fuses_query_key_value: bool = False
    counts_both_gates: bool = False
    has_windows: bool = False
    constants: Mapping[str, Value] = field(default_factory=dict)
    remark: str = ""

    def assumed(self) -> dict[str, Value]:
        """The metadata that is a default of the modelling class and no fact of the graph."""
        kind = "layer_norm_rms_epsilon" if self.rms else "layer_norm_epsilon"
        values: dict[str, Value] = {f"attention.{kind}": self.epsilon}
        if self.rotary_share is not None:
            values["rope.freq_base"] = self.rope_base
        return values | dict(self.constants)


_NO_WINDOW = "llama.cpp attends to the whole context: with more tokens than the window it does more than needed."

_TARGETS: dict[str, Target] = {
    "LlamaForCausalLM": Target(),
    "MistralForCausalLM": Target(remark=_NO_WINDOW),
    # Llama with shared embeddings.
    "MobileLLMForCausalLM": Target(epsilon=1e-5),
    "MobiLlamaForCausalLM": Target(remark="Only where each layer has a feed-forward block of its own."),
    "Qwen2ForCausalLM": Target(architecture="qwen2", square=True),
    # The configuration counts both halves of the gated feed-forward, and so does llama.cpp.
    "QWenLMHeadModel": Target(architecture="qwen", head=Head.OWN, square=True, counts_both_gates=True),
    "GPTNeoXForCausalLM": Target(
        architecture="gptneox",
        head=Head.OWN,
        square=True,
        rms=False,
        epsilon=1e-5,
        rotary_share=0.25,
        says_parallel=True,
    ),
    "GPT2LMHeadModel": Target(architecture="gpt2", square=True, rms=False, epsilon=1e-5, rotary_share=None),
    # llama.cpp has no architecture of that name; MPT has learned positions, biases that may be missing and GELU.
    "GPTNeoForCausalLM": Target(
        architecture="mpt",
        square=True,
        rms=False,
        epsilon=1e-5,
        rotary_share=None,
        fuses_query_key_value=True,
        remark="Written as MPT, which scales the attention scores and attends to the whole context in the windowed "
        "layers too; the released code also computes all scores and masks them.",
    ),
    "BloomForCausalLM": Target(architecture="bloom", square=True, rms=False, epsilon=1e-5, rotary_share=None),
    # The falcon of llama.cpp is that of Falcon-7B and 40B: no biases, rotary positions, one norm. MPT does what
    # falcon-rw does: biases, ALiBi, two norms one after the other, GELU.
    "FalconForCausalLM": Target(
        architecture="mpt",
        square=True,
        rms=False,
        epsilon=1e-5,
        rotary_share=None,
        constants={"attention.max_alibi_bias": 8.0},
        remark="The layout of falcon-rw, written as MPT, which does not divide the ALiBi slopes by the root of the "
        "head dimension.",
    ),
    "PhiForCausalLM": Target(
        architecture="phi2", head=Head.OWN, square=True, rms=False, epsilon=1e-5, rotary_share=0.5
    ),
    "Phi3ForCausalLM": Target(architecture="phi3", square=True, epsilon=1e-5, remark=_NO_WINDOW),
    "GemmaForCausalLM": Target(architecture="gemma", head=Head.TIED),
    "Gemma2ForCausalLM": Target(
        architecture="gemma2",
        head=Head.TIED,
        has_windows=True,
        constants={"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    ),
    "StableLmForCausalLM": Target(
        architecture="stablelm",
        head=Head.OWN,
        square=True,
        rms=False,
        epsilon=1e-5,
        rotary_share=0.25,
        says_parallel=True,
    ),
    "OpenELMForCausalLM": Target(architecture="openelm", head=Head.TIED, per_layer=True, splits_gate=True),
    "MiniCPMForCausalLM": Target(architecture="minicpm"),
    "MiniCPM3ForCausalLM": Target(
        architecture="minicpm3",
        remark="llama.cpp keeps the keys and values of all heads, not the latent that they are made of.",
    ),
    "OlmoForCausalLM": Target(architecture="olmo", square=True, rms=False, epsilon=1e-5),
    "NemotronForCausalLM": Target(
        architecture="nemotron", head=Head.OWN, square=True, rms=False, epsilon=1e-5, rotary_share=0.5
    ),
}

_NO_TARGET = {
    "OPTForCausalLM": "llama.cpp has no architecture for it: learned positions that begin at 2, and a feed-forward "
    "that is ReLU in most members (opt-350m also projects its embeddings and norms after each block)",
    "PhoneLMForCausalLM": "llama.cpp has no architecture with a gated feed-forward whose gate is ReLU",
    "OpenLMModel": "llama.cpp has no architecture for it: LayerNorm without biases, a gated feed-forward, and norms "
    "of queries and keys over all heads",
}

MEASURABLE: Mapping[str, Target] = _TARGETS
"""Modelling classes that llama.cpp runs."""
NOT_MEASURABLE: Mapping[str, str] = _NO_TARGET
"""Modelling classes whose tensors are known and that llama.cpp does not run, with the reason."""
NOT_COMPARED: Mapping[str, str] = {
    "MobileLLMForCausalLM": "the converter does not know the class; it is compared as LlamaForCausalLM",
    "MobiLlamaForCausalLM": "the converter does not know the class; it is compared as LlamaForCausalLM",
    "GPTNeoForCausalLM": "the converter does not know the class",
    "FalconForCausalLM": "the converter knows only the layout of Falcon-7B and 40B under this name",
}
"""Measurable classes whose files could not be compared with what llama.cpp's converter makes, with the reason."""

_OUTSIDE = {
    "token_embedding": "token_embd",
    "position_embedding": "position_embd",
    "embedding_norm": "token_embd_norm",
    "output_norm": "output_norm",
    "head": "output",
}
_INSIDE = {
    "attention_norm": "attn_norm",
    "attention_post_norm": "post_attention_norm",
    "feed_forward_norm": "ffn_norm",
    "feed_forward_post_norm": "post_ffw_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.query_key_value": "attn_qkv",
    "attention.query_norm": "attn_q_norm",
    "attention.key_norm": "attn_k_norm",
    "attention.output": "attn_output",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.gate_up": "ffn_up",
    "feed_forward.down": "ffn_down",
}
_INSIDE_LATENT = _INSIDE | {
    "attention.query_down": "attn_q_a",
    "attention.query_norm": "attn_q_a_norm",
    "attention.query_up": "attn_q_b",
    "attention.key_value_down": "attn_kv_a_mqa",
    "attention.key_value_norm": "attn_kv_a_norm",
    "attention.key_value_up": "attn_kv_b",
}


def blueprint(architecture: Architecture) -> Blueprint:
    """Return the file's tensors and metadata.

    `Unmeasurable` says why llama.cpp does not run the architecture, or which fact is missing.
    """
    name = architecture.architecture_class
    if name is None:
        raise Unmeasurable("the architecture class is not stated")
    target = _TARGETS.get(name)
    if target is None:
        known = name in KNOWN_CLASSES
        raise Unmeasurable(_NO_TARGET[name] if known else f"no tensor table is known for the class {name}")
    try:
        _refuse_what_does_not_load(architecture, target)
        return Blueprint(
            target.architecture,
            tuple(_placed(architecture, target)),
            dict(_metadata(architecture, target)),
            required(architecture.num_layers, "num_layers"),
        )
    except ArchitectureError as error:
        raise Unmeasurable(str(error)) from error


def reason_not(architecture: Architecture) -> str | None:
    """Return why llama.cpp cannot measure the architecture, or None when it can."""
    try:
        blueprint(architecture)
    except Unmeasurable as error:
        return error.message
    return None


def cached_elements_per_token(architecture: Architecture) -> tuple[int, ...]:
    """Return how many elements one token adds to the cache of llama.cpp in each layer, first layer first.

    It is keys and values of all key-value heads, also for latent attention, whose heads llama.cpp keeps expanded.
    """
    if architecture.architecture_class in LATENT_CLASSES:
        rope = required(architecture.rope_head_dimension, "rope_head_dimension")
        key = required(architecture.no_rope_head_dimension, "no_rope_head_dimension") + rope
        value = required(architecture.value_head_dimension, "value_head_dimension")
        return tuple(heads * (key + value) for heads in architecture.attention_heads_per_layer())
    head = required(architecture.head_dimension, "head_dimension")
    return tuple(2 * heads * head for heads in architecture.key_value_heads_per_layer())


def cache_bytes(architecture: Architecture, tokens: int, bytes_per_element: int = 2) -> int:
    """Return the bytes that so many tokens use in the cache of llama.cpp.

    It is more than `app.model.architecture.kv_cache_bytes` where llama.cpp keeps more than the attention needs: latent
    heads expanded, and windows that it does not apply. `Unmeasurable` for a class that it does not run.
    """
    target = _TARGETS.get(architecture.architecture_class or "")
    if target is None:
        raise Unmeasurable(f"llama.cpp does not run the class {architecture.architecture_class}")
    elements = cached_elements_per_token(architecture)
    windows = architecture.windows_per_layer() if target.has_windows else (None,) * len(elements)
    kept = (tokens if window is None else min(tokens, window) for window in windows)
    return bytes_per_element * sum(number * length for number, length in zip(elements, kept, strict=True))


def _refuse_what_does_not_load(architecture: Architecture, target: Target) -> None:
    """Raise `UnusableFact` for a stated fact that the llama.cpp architecture has no room for."""
    tied = required(architecture.ties_embeddings, "ties_embeddings")
    if target.head is (Head.OWN if tied else Head.TIED):
        raise UnusableFact("ties_embeddings", f"{target.architecture} in llama.cpp loads only {_opposite(tied)}")
    if architecture.shares_feed_forward:
        raise UnusableFact("shares_feed_forward", "llama.cpp would store and read a copy for each layer")
    if not target.per_layer:
        for fact in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
            if isinstance(numbers := getattr(architecture, fact), tuple) and len(set(numbers)) > 1:
                raise UnusableFact(fact, f"{target.architecture} in llama.cpp has one number for all layers")
    if target.square:
        head = required(architecture.head_dimension, "head_dimension")
        width = required(architecture.hidden_size, "hidden_size")
        if architecture.attention_heads_per_layer()[0] * head != width:
            raise UnusableFact("head_dimension", f"{target.architecture} in llama.cpp needs heads x it = hidden size")


def _opposite(tied: bool) -> str:
    return "an output matrix of its own" if tied else "the embedding as output matrix"


def _placed(architecture: Architecture, target: Target) -> Iterator[Placed]:
    """Yield the tensors under their names in the file, in the order of the neutral table."""
    inside = _INSIDE_LATENT if architecture.architecture_class in LATENT_CLASSES else _INSIDE
    for tensor in tensors(architecture):
        path, kind = tensor.name.rsplit(".", 1)
        if tensor.layer is None:
            yield Placed(f"{_OUTSIDE[path]}.{kind}", tensor.shape)
            continue
        block = f"blk.{tensor.layer}"
        part = path.removeprefix(f"layers.{tensor.layer}.")
        if part == "feed_forward.gate_up" and target.splits_gate:
            half = (tensor.shape[0] // 2, *tensor.shape[1:])
            yield from (Placed(f"{block}.{name}.{kind}", half) for name in ("ffn_gate", "ffn_up"))
        elif part.startswith("attention.") and target.fuses_query_key_value:
            yield from _fused(architecture, tensor, part, f"{block}.attn_qkv.{kind}", f"{block}.{inside[part]}.{kind}")
        else:
            yield Placed(f"{block}.{inside[part]}.{kind}", tensor.shape)


def _fused(architecture: Architecture, tensor: Tensor, part: str, fused: str, plain: str) -> Iterator[Placed]:
    """Yield queries, keys and values as one tensor in the place of the queries."""
    if part == "attention.query":
        head = required(architecture.head_dimension, "head_dimension")
        layer = tensor.layer or 0
        rows = tensor.shape[0] + 2 * head * architecture.key_value_heads_per_layer()[layer]
        yield Placed(fused, (rows, *tensor.shape[1:]))
    elif part not in {"attention.key", "attention.value"}:
        yield Placed(plain, tensor.shape)


def _metadata(architecture: Architecture, target: Target) -> Iterator[tuple[str, Value]]:
    """Yield the hyperparameters under their keys in the file."""
    yield "general.architecture", target.architecture
    # Without a tokenizer, llama.cpp takes the number of tokens from the size of the vocabulary.
    yield "tokenizer.ggml.model", "none"
    for key, value in _hyperparameters(architecture, target):
        yield f"{target.architecture}.{key}", value


def _hyperparameters(architecture: Architecture, target: Target) -> Iterator[tuple[str, Value]]:
    """Yield the hyperparameters without the architecture's prefix."""
    width = architecture.per_layer(architecture.intermediate_size, "intermediate_size")
    yield "vocab_size", required(architecture.vocabulary_size, "vocabulary_size")
    yield "context_length", required(architecture.max_context_length, "max_context_length")
    yield "embedding_length", required(architecture.hidden_size, "hidden_size")
    yield "block_count", required(architecture.num_layers, "num_layers")
    yield "feed_forward_length", _one_or_all(width, target, 2 if target.counts_both_gates else 1)
    yield "attention.head_count", _one_or_all(architecture.attention_heads_per_layer(), target)
    yield from _heads(architecture, target)
    if target.has_windows:
        yield "attention.sliding_window", required(architecture.sliding_window_size, "sliding_window_size")
    if target.says_parallel:
        yield "use_parallel_residual", required(architecture.parallel_residual, "parallel_residual")
    yield from target.assumed().items()


def _heads(architecture: Architecture, target: Target) -> Iterator[tuple[str, Value]]:
    """Yield what the attention heads look like."""
    if architecture.architecture_class in LATENT_CLASSES:
        rope = required(architecture.rope_head_dimension, "rope_head_dimension")
        no_rope = required(architecture.no_rope_head_dimension, "no_rope_head_dimension")
        yield "attention.head_count_kv", _one_or_all(architecture.attention_heads_per_layer(), target)
        yield "attention.q_lora_rank", required(architecture.query_lora_rank, "query_lora_rank")
        yield "attention.kv_lora_rank", required(architecture.key_value_lora_rank, "key_value_lora_rank")
        yield "attention.key_length", no_rope + rope
        yield "attention.value_length", required(architecture.value_head_dimension, "value_head_dimension")
        yield "rope.dimension_count", rope
        return
    head = required(architecture.head_dimension, "head_dimension")
    yield "attention.head_count_kv", _one_or_all(architecture.key_value_heads_per_layer(), target)
    yield "attention.key_length", head
    yield "attention.value_length", head
    if target.rotary_share is not None:
        yield "rope.dimension_count", int(head * target.rotary_share)


def _one_or_all(numbers: tuple[int, ...], target: Target, factor: int = 1) -> Value:
    """One number for all layers, or a list where the llama.cpp architecture takes one."""
    if target.per_layer:
        return tuple(factor * number for number in numbers)
    return factor * numbers[0]
