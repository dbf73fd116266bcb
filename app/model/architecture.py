"""Architecture facts of one language model, and the key-value cache that follows from them.

An `Architecture` holds what sources say about one network: None means "not stated". A formula that needs a
fact that is not stated raises `MissingFact` and names it; nothing here guesses a number. The tensor table and
the parameter counts are in `app.model.tensors`.

Never here: reading files, RDF, or a number for one named model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

KV_CACHE_FORMULA = "kv-cache-per-token/1"
KV_CACHE_BEYOND_WINDOW_FORMULA = "kv-cache-per-token-beyond-window/1"
KV_CACHE_TOTAL_FORMULA = "kv-cache-total/1"

MULTI_HEAD = "MHA"
GROUPED_QUERY = "GQA"
MULTI_QUERY = "MQA"
MULTI_HEAD_LATENT = "MLA"
SLIDING_WINDOW = "SlidingWindow"
LOCAL_GLOBAL = "LocalGlobal"
_HEAD_CACHING = frozenset({MULTI_HEAD, GROUPED_QUERY, MULTI_QUERY, SLIDING_WINDOW, LOCAL_GLOBAL})

LOCAL = "local"
GLOBAL = "global"

# Classes whose code always alternates windowed and full layers, first layer first: `attention_types` of
# GPTNeoConfig is (global, local); Gemma2Config makes the even layers, counted from 0, sliding.
_CLASS_PATTERNS = {"GPTNeoForCausalLM": f"{GLOBAL} {LOCAL}", "Gemma2ForCausalLM": f"{LOCAL} {GLOBAL}"}
# Classes with members of both kinds (h2o-danube 1 has a window, 2 has none): silence does not mean
# full attention.
_CLASSES_THAT_STATE_THE_WINDOW = frozenset({"MistralForCausalLM"})
# Classes whose code gives keys and values as many heads as queries, whatever a configuration says
# (MobiLlama's configuration declares 4, its code builds 32).
_MULTI_HEAD_CLASSES = frozenset(
    {
        "BloomForCausalLM",
        "GPT2LMHeadModel",
        "GPTNeoForCausalLM",
        "GPTNeoXForCausalLM",
        "MobiLlamaForCausalLM",
        "OPTForCausalLM",
        "OpenLMModel",
        "QWenLMHeadModel",
    }
)
# Classes whose attention is multi-head latent attention and nothing else.
LATENT_CLASSES = frozenset({"MiniCPM3ForCausalLM"})

PerLayer = int | tuple[int, ...]
"""One number for all layers, or one number per layer."""
T = TypeVar("T")


class ArchitectureError(ValueError):
    """The stated facts do not give the wanted number. Parent of the three errors below."""


class MissingFact(ArchitectureError):
    """A formula needs a fact that the architecture does not state."""

    def __init__(self, fact: str) -> None:
        super().__init__(f"missing fact: {fact}")
        self.fact = fact


class UnusableFact(ArchitectureError):
    """A stated fact is out of range, or contradicts another fact or the architecture class."""

    def __init__(self, fact: str, reason: str) -> None:
        super().__init__(f"unusable fact: {fact}: {reason}")
        self.fact = fact
        self.reason = reason


class UnknownArchitecture(ArchitectureError):
    """No formula is known for this architecture class or attention type."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown architecture: {name}")
        self.name = name


def required(value: T | None, fact: str) -> T:
    """Return `value`, or raise `MissingFact` naming `fact` when it is not stated."""
    if value is None:
        raise MissingFact(fact)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The stated facts of one architecture; None means not stated.

    Widths and counts are in elements, contexts and windows in tokens. `num_attention_heads`,
    `num_key_value_heads` and `intermediate_size` are one number for all layers or one number per layer.

    - `architecture_class`: bare name of the modelling class, such as LlamaForCausalLM.
    - `attention_type`: notation of the attention scheme (MHA, GQA, MQA, MLA, SlidingWindow, LocalGlobal).
    - `intermediate_size`: width of one feed-forward projection; a gated layer has two of that width.
    - `attention_pattern`: "local" and "global" separated by spaces, first layer first, repeated over all
      layers: "local global" for Gemma 2, "global" for a model whose window was removed.
    - `embedding_projection`: width of the token embedding where it differs from the hidden size.
    - the ranks and the rope, no-rope and value head dimensions: multi-head latent attention.
    """

    architecture_class: str | None = None
    num_layers: int | None = None
    hidden_size: int | None = None
    num_attention_heads: PerLayer | None = None
    num_key_value_heads: PerLayer | None = None
    head_dimension: int | None = None
    intermediate_size: PerLayer | None = None
    vocabulary_size: int | None = None
    max_context_length: int | None = None
    ties_embeddings: bool | None = None
    attention_type: str | None = None
    uses_qkv_bias: bool | None = None
    parallel_residual: bool | None = None
    shares_feed_forward: bool | None = None
    embedding_projection: int | None = None
    query_lora_rank: int | None = None
    key_value_lora_rank: int | None = None
    rope_head_dimension: int | None = None
    no_rope_head_dimension: int | None = None
    value_head_dimension: int | None = None
    sliding_window_size: int | None = None
    attention_pattern: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if any(isinstance(number, int) and not isinstance(number, bool) and number < 1 for number in numbers):
                raise UnusableFact(field.name, "below 1")
            if isinstance(value, tuple) and len(value) != required(self.num_layers, "num_layers"):
                raise UnusableFact(field.name, f"{len(value)} values for {self.num_layers} layers")
        if self.attention_pattern is not None:
            words = self.attention_pattern.split()
            if not words or not set(words) <= {LOCAL, GLOBAL}:
                raise UnusableFact("attention_pattern", f"expected words {LOCAL} and {GLOBAL}")

    def per_layer(self, value: PerLayer | None, fact: str) -> tuple[int, ...]:
        """Return one number per layer for a fact that is either one number or a list."""
        if value is None:
            raise MissingFact(fact)
        if isinstance(value, tuple):
            return value
        return (value,) * required(self.num_layers, "num_layers")

    def attention_heads_per_layer(self) -> tuple[int, ...]:
        """Return the number of query heads of each layer."""
        return self.per_layer(self.num_attention_heads, "num_attention_heads")

    def key_value_heads_per_layer(self) -> tuple[int, ...]:
        """Return the number of key-value heads of each layer.

        Where they are not stated, the class or the attention type defines them: as many as query heads (MHA),
        one (MQA). Stated heads that the class, the attention type or the query heads exclude raise
        `UnusableFact`.
        """
        heads: tuple[int, ...] | None = None
        if self.attention_type == MULTI_HEAD or self.architecture_class in _MULTI_HEAD_CLASSES:
            heads = self.attention_heads_per_layer()
        elif self.attention_type == MULTI_QUERY:
            heads = (1,) * required(self.num_layers, "num_layers")
        if self.num_key_value_heads is None:
            return required(heads, "num_key_value_heads")
        stated = self.per_layer(self.num_key_value_heads, "num_key_value_heads")
        if heads is not None and heads != stated:
            raise UnusableFact("num_key_value_heads", f"{stated[0]} where {heads[0]} are expected")
        if self.num_attention_heads is not None and any(
            query % key_value for query, key_value in zip(self.attention_heads_per_layer(), stated, strict=True)
        ):
            raise UnusableFact("num_key_value_heads", "query heads cannot be split evenly")
        return stated

    def windows_per_layer(self) -> tuple[int | None, ...]:
        """Return the window of each layer in tokens, None for a layer that sees the whole context.

        A window that is not smaller than the context length never fills, so it counts as none (Phi-3.5-mini
        states 262144 for a context of 131072).
        """
        words = self._attention_words()
        if LOCAL not in words:
            return (None,) * len(words)
        size = required(self.sliding_window_size, "sliding_window_size")
        fills = self.max_context_length is None or size < self.max_context_length
        return tuple(size if word == LOCAL and fills else None for word in words)

    def _attention_words(self) -> tuple[str, ...]:
        """Return "local" or "global" for each layer."""
        num_layers = required(self.num_layers, "num_layers")
        words = (self.attention_pattern or self._default_pattern()).split()
        return tuple(words[layer % len(words)] for layer in range(num_layers))

    def _default_pattern(self) -> str:
        """Return the pattern that the class or the stated window implies."""
        if self.architecture_class in _CLASS_PATTERNS:
            return _CLASS_PATTERNS[self.architecture_class]
        if self.attention_type == LOCAL_GLOBAL:
            raise MissingFact("attention_pattern")
        if self.sliding_window_size is not None or self.attention_type == SLIDING_WINDOW:
            return LOCAL
        if self.architecture_class in _CLASSES_THAT_STATE_THE_WINDOW:
            raise MissingFact("sliding_window_size")
        return GLOBAL


def kv_cache_bytes_per_token(architecture: Architecture, bytes_per_element: int = 2) -> int:
    """Return the bytes by which the cache grows per token while every window still has room.

    Formula `KV_CACHE_FORMULA`, with b bytes per element, summed over the layers i:

    - MHA, GQA, MQA, windowed or not: 2 x key-value heads(i) x head dimension x b, one key and one value per
      key-value head (Shazeer, arXiv:1911.02150; Ainslie et al., arXiv:2305.13245; per-layer heads: OpenELM,
      arXiv:2404.14619).
    - MLA: (key-value rank + rope head dimension) x b, the joint latent of keys and values and one rope key
      shared by all heads (DeepSeek-V2, arXiv:2405.04434, section 2.1).

    This is what the attention needs; an engine may keep more (expanded heads, or full length in windowed
    layers).
    """
    return sum(_cache_bytes_by_layer(architecture, bytes_per_element))


def kv_cache_bytes_per_token_beyond_window(architecture: Architecture, bytes_per_element: int = 2) -> int:
    """Return the bytes by which the cache grows per token once every window is full.

    Formula `KV_CACHE_BEYOND_WINDOW_FORMULA`: the sum of `KV_CACHE_FORMULA` over the layers that see the whole
    context. It is 0 where every layer has a window (Mistral 7B, arXiv:2310.06825, rolling buffer), and equals
    the growth per token where none has.
    """
    return sum(growth for growth, window in _layers(architecture, bytes_per_element) if window is None)


def kv_cache_bytes(architecture: Architecture, tokens: int, bytes_per_element: int = 2) -> int:
    """Return the bytes of the cache after `tokens` tokens.

    Formula `KV_CACHE_TOTAL_FORMULA`: `KV_CACHE_FORMULA` per layer times min(tokens, window of the layer).
    """
    if tokens < 0:
        raise ValueError(f"tokens below 0: {tokens}")
    return sum(
        growth * (tokens if window is None else min(tokens, window))
        for growth, window in _layers(architecture, bytes_per_element)
    )


def _layers(architecture: Architecture, bytes_per_element: int) -> Iterator[tuple[int, int | None]]:
    """Return (bytes per token, window) of each layer."""
    return zip(_cache_bytes_by_layer(architecture, bytes_per_element), architecture.windows_per_layer(), strict=True)


def _cache_bytes_by_layer(architecture: Architecture, bytes_per_element: int) -> tuple[int, ...]:
    """Return the bytes that one token adds in each layer."""
    if bytes_per_element < 1:
        raise ValueError(f"bytes per element below 1: {bytes_per_element}")
    attention = required(architecture.attention_type, "attention_type")
    if architecture.architecture_class in LATENT_CLASSES and attention != MULTI_HEAD_LATENT:
        raise UnusableFact("attention_type", f"{architecture.architecture_class} is {MULTI_HEAD_LATENT}")
    if attention == MULTI_HEAD_LATENT:
        rank = required(architecture.key_value_lora_rank, "key_value_lora_rank")
        rope = required(architecture.rope_head_dimension, "rope_head_dimension")
        return ((rank + rope) * bytes_per_element,) * required(architecture.num_layers, "num_layers")
    if attention not in _HEAD_CACHING:
        raise UnknownArchitecture(attention)
    head = required(architecture.head_dimension, "head_dimension")
    return tuple(2 * heads * head * bytes_per_element for heads in architecture.key_value_heads_per_layer())
