"""The tensor table of an architecture, and the parameter counts that follow from it.

`tensors` lists every learned tensor once, with a neutral name, its shape and its role. What differs between
architecture classes stands in one table, `_CLASSES`, from the modelling code of each class; what differs
between members of one class is a fact of the `Architecture`. Buffers that are not learned (rotary tables,
causal masks) are not listed.

Names: `token_embedding`, `layers.{i}.attention.query`, `layers.{i}.feed_forward.up`, `head`, each with
`.weight` or `.bias`. Fused tensors carry all parts in their order: `query_key_value`, `gate_up`. A tensor
that all layers share is `shared.feed_forward.*`. Shapes are (outputs, inputs) for matrices and (rows, width)
for embeddings.

Never here: weights, files, or a number for one named model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import prod

from app.model.architecture import (
    LATENT_CLASSES,
    MULTI_HEAD_LATENT,
    Architecture,
    UnknownArchitecture,
    UnusableFact,
    required,
)

PARAMETER_FORMULA = "tensor-table/1"
LESS_INPUT_EMBEDDINGS_FORMULA = "tensor-table-less-input-embeddings/1"
NON_EMBEDDING_FORMULA = "tensor-table-less-embedding-and-output-matrices/1"
MATRIX_FORMULA = "tensor-table-matrices-less-looked-up-tables/1"
OUTPUT_FORMULA = "tensor-table-output-matrix/1"
EMBEDDING_SHARE_FORMULA = "embedding-and-output-matrices-over-total/1"
TOKENS_PER_PARAMETER_FORMULA = "training-tokens-over-parameters/1"


class Role(StrEnum):
    """What a tensor is for."""

    TOKEN_EMBEDDING = "token-embedding"  # noqa: S105 - not a password
    POSITION_EMBEDDING = "position-embedding"
    EMBEDDING_PROJECTION = "embedding-projection"
    ATTENTION = "attention"
    FEED_FORWARD = "feed-forward"
    NORM = "norm"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One learned tensor. `layer` counts from 0 and is None outside the layers and for shared tensors."""

    name: str
    shape: tuple[int, ...]
    role: Role
    layer: int | None = None

    @property
    def size(self) -> int:
        """Number of parameters."""
        return prod(self.shape)


class _Norm(StrEnum):
    """Which parameters a normalisation learns."""

    NONE = "none"
    GAIN = "gain"
    GAIN_AND_BIAS = "gain and bias"


class _QueryKeyNorm(StrEnum):
    """How wide the normalisation of queries and keys is."""

    HEAD = "one head"
    ALL_HEADS = "all heads"


class _Fact(StrEnum):
    """Facts that change the table in some classes only; elsewhere they are refused when stated otherwise."""

    USES_QKV_BIAS = "uses_qkv_bias"
    PARALLEL_RESIDUAL = "parallel_residual"
    EMBEDDING_PROJECTION = "embedding_projection"
    SHARES_FEED_FORWARD = "shares_feed_forward"


_TWO_NORMS = ("attention_norm", "feed_forward_norm")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """What the modelling code of one class fixes. The defaults are those of Llama."""

    norm: _Norm = _Norm.GAIN
    norms_before: tuple[str, ...] = _TWO_NORMS
    post_norms: bool = False
    embedding_norm: bool = False
    query_key_norm: _QueryKeyNorm | None = None
    fuses_query_key_value: bool = False
    query_key_value_bias: bool = False
    output_bias: bool = False
    gated: bool = True
    fuses_gate: bool = False
    feed_forward_bias: bool = False
    head_bias: bool = False
    extra_position_rows: int | None = None
    """Rows of a learned position table beyond the context length; None without such a table."""
    facts: frozenset[_Fact] = frozenset()


_LLAMA = _Layout()
_GPT2 = _Layout(
    norm=_Norm.GAIN_AND_BIAS,
    fuses_query_key_value=True,
    query_key_value_bias=True,
    output_bias=True,
    gated=False,
    feed_forward_bias=True,
    extra_position_rows=0,
)
_GPT2_WITHOUT_POSITION_TABLE = replace(_GPT2, extra_position_rows=None)

# Source of each row: the class of that name in Hugging Face transformers, or the code that the comment names.
_CLASSES: dict[str, _Layout] = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "GemmaForCausalLM": _LLAMA,
    # facebookresearch/MobileLLM: Llama with shared embeddings; its scaling factors are constants.
    "MobileLLMForCausalLM": _LLAMA,
    # UbiquitousLearning/PhoneLM modeling_phonelm.py.
    "PhoneLMForCausalLM": _LLAMA,
    # openbmb modeling_minicpm.py: Llama with constant scaling of embeddings, residuals and logits.
    "MiniCPMForCausalLM": _LLAMA,
    # The latent attention itself is `_latent_attention`.
    "MiniCPM3ForCausalLM": _LLAMA,
    # MBZUAI modeling_mobillama.py.
    "MobiLlamaForCausalLM": _Layout(facts=frozenset({_Fact.SHARES_FEED_FORWARD})),
    "Qwen2ForCausalLM": _Layout(query_key_value_bias=True),
    # Qwen modeling_qwen.py: c_attn has a bias whatever `no_bias` says; the configuration's intermediate_size
    # counts both halves, the fact here counts one.
    "QWenLMHeadModel": _Layout(fuses_query_key_value=True, query_key_value_bias=True),
    "Phi3ForCausalLM": _Layout(fuses_query_key_value=True, fuses_gate=True),
    "Gemma2ForCausalLM": _Layout(post_norms=True),
    # OlmoLayerNorm learns nothing.
    "OlmoForCausalLM": _Layout(norm=_Norm.NONE),
    # apple modeling_openelm.py.
    "OpenELMForCausalLM": _Layout(fuses_query_key_value=True, fuses_gate=True, query_key_norm=_QueryKeyNorm.HEAD),
    # mlfoundations/open_lm model.py with gain-only LayerNorm, and norms of queries and keys over all heads.
    "OpenLMModel": _Layout(fuses_query_key_value=True, fuses_gate=True, query_key_norm=_QueryKeyNorm.ALL_HEADS),
    # A parallel block has one norm; StableLmConfig: use_qkv_bias and use_parallel_residual default to false.
    "StableLmForCausalLM": _Layout(
        norm=_Norm.GAIN_AND_BIAS, facts=frozenset({_Fact.USES_QKV_BIAS, _Fact.PARALLEL_RESIDUAL})
    ),
    "NemotronForCausalLM": _Layout(norm=_Norm.GAIN_AND_BIAS, gated=False),
    "GPT2LMHeadModel": _GPT2,
    # Two more position rows than the context, for the padding offset. The member with a projected embedding
    # (opt-350m, do_layer_norm_before false) has no final norm.
    "OPTForCausalLM": replace(
        _GPT2,
        fuses_query_key_value=False,
        extra_position_rows=2,
        facts=frozenset({_Fact.EMBEDDING_PROJECTION}),
    ),
    "GPTNeoForCausalLM": replace(_GPT2, fuses_query_key_value=False, query_key_value_bias=False),
    # Two norms whether or not the residual is parallel.
    "GPTNeoXForCausalLM": _GPT2_WITHOUT_POSITION_TABLE,
    "BloomForCausalLM": replace(_GPT2_WITHOUT_POSITION_TABLE, embedding_norm=True),
    # The falcon-rw layout (biases, ALiBi, sequential). The parallel layout of Falcon-7B and 40B has no biases
    # and other norms: it is refused in `tensors`.
    "FalconForCausalLM": _GPT2_WITHOUT_POSITION_TABLE,
    # One norm feeds attention and feed-forward, which run in parallel; the head has a bias.
    "PhiForCausalLM": replace(
        _GPT2_WITHOUT_POSITION_TABLE,
        norms_before=("attention_norm",),
        fuses_query_key_value=False,
        head_bias=True,
    ),
}

KNOWN_CLASSES = frozenset(_CLASSES)
"""Architecture classes whose tensor table is known."""


def tensors(architecture: Architecture) -> tuple[Tensor, ...]:
    """Return every learned tensor of the architecture, in the order of a forward pass.

    Errors: `UnknownArchitecture` for a class outside `KNOWN_CLASSES`, `MissingFact` for a needed fact that is
    not stated, `UnusableFact` for a fact that the class excludes.
    """
    name = required(architecture.architecture_class, "architecture_class")
    layout = _CLASSES.get(name)
    if layout is None:
        raise UnknownArchitecture(name)
    if name == "FalconForCausalLM" and architecture.parallel_residual:
        raise UnknownArchitecture(f"{name} with parallel residual")
    _refuse_what_the_class_excludes(architecture, layout)
    return tuple(_Table(architecture, layout).rows())


def parameter_count(architecture: Architecture) -> int:
    """Return the number of learned parameters; a tied matrix counts once, a shared block once.

    Formula `PARAMETER_FORMULA`: the sum of the sizes of `tensors`. Checked against counts of the modelling
    code.
    """
    return _sizes(architecture).whole


def parameter_count_less_input_embeddings(architecture: Architecture) -> int:
    """Return the parameter count less the token and position tables.

    A tied output matrix goes with its table, an untied one stays in.

    Formula `LESS_INPUT_EMBEDDINGS_FORMULA` (as in Kaplan et al., arXiv:2001.08361, section 1.3, for tied
    models).
    """
    sizes = _sizes(architecture)
    return sizes.whole - sizes.tables


def non_embedding_parameter_count(architecture: Architecture) -> int:
    """Return the parameter count less token embedding and output matrices.

    Formula `NON_EMBEDDING_FORMULA`, the definition of this graph's ontology: position tables, embedding
    projections and the bias of an output layer stay in.
    """
    sizes = _sizes(architecture)
    return sizes.whole - sizes.vocabulary


def matrix_parameter_count(architecture: Architecture) -> int:
    """Return the parameters of the matrices that each token is multiplied with; a tied table is the output matrix.

    Twice this number are the operations for one token (Kaplan et al., arXiv:2001.08361, section 2.1); all of these
    weights are read for each decoded token. Formula `MATRIX_FORMULA`.
    """
    return _sizes(architecture).matrices


def output_parameter_count(architecture: Architecture) -> int:
    """Return the parameters of the matrix that gives the logits, tied or not. Formula `OUTPUT_FORMULA`."""
    return _sizes(architecture).output


def embedding_share(architecture: Architecture) -> float:
    """Return the share of the parameters that stand in token embedding and output matrices, from 0 to 1.

    Formula `EMBEDDING_SHARE_FORMULA`.
    """
    total = parameter_count(architecture)
    return (total - non_embedding_parameter_count(architecture)) / total


def tokens_per_parameter(tokens: int, parameters: int) -> float:
    """Return training tokens seen per parameter.

    Formula `TOKENS_PER_PARAMETER_FORMULA` (Hoffmann et al., arXiv:2203.15556, find about 20 compute-optimal).
    """
    if tokens < 0 or parameters < 1:
        raise ValueError(f"{tokens} tokens over {parameters} parameters")
    return tokens / parameters


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Numbers of parameters: of the whole table, and of parts of it. `matrices` includes `output`."""

    whole: int
    tables: int
    vocabulary: int
    matrices: int
    output: int


@lru_cache(maxsize=4096)
def _sizes(architecture: Architecture) -> _Sizes:
    """The sums over the table. Kept, since every formula is asked again with each of its facts left out."""
    rows = tensors(architecture)
    tables = {Role.TOKEN_EMBEDDING, Role.POSITION_EMBEDDING}
    matrices = [tensor for tensor in rows if len(tensor.shape) == 2]
    head = Role.TOKEN_EMBEDDING if architecture.ties_embeddings else Role.HEAD
    output = sum(tensor.size for tensor in matrices if tensor.role is head)
    layers = sum(tensor.size for tensor in matrices if tensor.role not in tables | {Role.HEAD})
    return _Sizes(
        whole=sum(tensor.size for tensor in rows),
        tables=sum(tensor.size for tensor in rows if tensor.role in tables),
        vocabulary=sum(tensor.size for tensor in rows if _is_vocabulary_matrix(tensor)),
        matrices=layers + output,
        output=output,
    )


def _is_vocabulary_matrix(tensor: Tensor) -> bool:
    """Tell whether the tensor is the token embedding or the output matrix."""
    return tensor.role in {Role.TOKEN_EMBEDDING, Role.HEAD} and len(tensor.shape) == 2


def _refuse_what_the_class_excludes(architecture: Architecture, layout: _Layout) -> None:
    """Raise `UnusableFact` for a stated fact that the class has no room for."""
    name = architecture.architecture_class
    bias = architecture.uses_qkv_bias
    if _Fact.USES_QKV_BIAS not in layout.facts and bias not in {None, layout.query_key_value_bias}:
        raise UnusableFact("uses_qkv_bias", f"{name} has no such choice")
    if _Fact.SHARES_FEED_FORWARD not in layout.facts and architecture.shares_feed_forward:
        raise UnusableFact("shares_feed_forward", f"{name} has no such choice")
    width = architecture.embedding_projection
    if _Fact.EMBEDDING_PROJECTION not in layout.facts and width not in {None, architecture.hidden_size}:
        raise UnusableFact("embedding_projection", f"{name} has no such choice")
    attention = architecture.attention_type
    if attention is not None and (attention == MULTI_HEAD_LATENT) != (name in LATENT_CLASSES):
        raise UnusableFact("attention_type", f"{attention} does not fit {name}")


class _Table:
    """Writes the rows of one table; holds the facts that most rows need."""

    def __init__(self, architecture: Architecture, layout: _Layout) -> None:
        self.facts = architecture
        self.layout = layout
        self.width = required(architecture.hidden_size, "hidden_size")
        self.embedding_width = architecture.embedding_projection or self.width
        self.vocabulary = required(architecture.vocabulary_size, "vocabulary_size")
        self.tied = required(architecture.ties_embeddings, "ties_embeddings")
        self.num_layers = required(architecture.num_layers, "num_layers")
        self.feed_forward = architecture.per_layer(architecture.intermediate_size, "intermediate_size")
        self.shares = _Fact.SHARES_FEED_FORWARD in layout.facts and required(
            architecture.shares_feed_forward, "shares_feed_forward"
        )
        if self.shares and len(set(self.feed_forward)) > 1:
            raise UnusableFact("intermediate_size", "a shared feed-forward block has one width")

    def rows(self) -> Iterator[Tensor]:
        """Yield all rows."""
        yield from self._embedding()
        for layer in range(self.num_layers):
            yield from self._layer(layer)
        if self.shares:
            yield from self._feed_forward("shared.feed_forward", self.feed_forward[0], None)
        yield from self._output()

    @property
    def projects(self) -> bool:
        """Whether the token embedding has a width of its own."""
        return self.embedding_width != self.width

    def _embedding(self) -> Iterator[Tensor]:
        yield Tensor("token_embedding.weight", (self.vocabulary, self.embedding_width), Role.TOKEN_EMBEDDING)
        if self.layout.extra_position_rows is not None:
            context = required(self.facts.max_context_length, "max_context_length")
            rows = context + self.layout.extra_position_rows
            yield Tensor("position_embedding.weight", (rows, self.width), Role.POSITION_EMBEDDING)
        if self.projects:
            shape = (self.width, self.embedding_width)
            yield Tensor("embedding_projection.input.weight", shape, Role.EMBEDDING_PROJECTION)
        if self.layout.embedding_norm:
            yield from self._norm("embedding_norm", self.width, None)

    def _output(self) -> Iterator[Tensor]:
        if self.projects:
            shape = (self.embedding_width, self.width)
            yield Tensor("embedding_projection.output.weight", shape, Role.EMBEDDING_PROJECTION)
        else:
            yield from self._norm("output_norm", self.width, None)
        if not self.tied:
            yield Tensor("head.weight", (self.vocabulary, self.embedding_width), Role.HEAD)
        if self.layout.head_bias:
            yield Tensor("head.bias", (self.vocabulary,), Role.HEAD)

    def _layer(self, layer: int) -> Iterator[Tensor]:
        prefix = f"layers.{layer}"
        norms = self.layout.norms_before
        if _Fact.PARALLEL_RESIDUAL in self.layout.facts and self.facts.parallel_residual:
            norms = norms[:1]
        yield from self._norm(f"{prefix}.{norms[0]}", self.width, layer)
        if self.facts.architecture_class in LATENT_CLASSES:
            yield from self._latent_attention(f"{prefix}.attention", layer)
        else:
            yield from self._attention(f"{prefix}.attention", layer)
        if self.layout.post_norms:
            yield from self._norm(f"{prefix}.attention_post_norm", self.width, layer)
        for norm in norms[1:]:
            yield from self._norm(f"{prefix}.{norm}", self.width, layer)
        if not self.shares:
            yield from self._feed_forward(f"{prefix}.feed_forward", self.feed_forward[layer], layer)
        if self.layout.post_norms:
            yield from self._norm(f"{prefix}.feed_forward_post_norm", self.width, layer)

    def _attention(self, prefix: str, layer: int) -> Iterator[Tensor]:
        head = required(self.facts.head_dimension, "head_dimension")
        query = self.facts.attention_heads_per_layer()[layer] * head
        key = self.facts.key_value_heads_per_layer()[layer] * head
        bias = self.layout.query_key_value_bias
        if _Fact.USES_QKV_BIAS in self.layout.facts:
            bias = bool(self.facts.uses_qkv_bias)
        parts = {"query": query, "key": key, "value": key}
        if self.layout.fuses_query_key_value:
            parts = {"query_key_value": query + 2 * key}
        for part, outputs in parts.items():
            yield from _linear(f"{prefix}.{part}", outputs, self.width, bias, Role.ATTENTION, layer)
        if self.layout.query_key_norm is not None:
            one_head = self.layout.query_key_norm is _QueryKeyNorm.HEAD
            yield from self._norm(f"{prefix}.query_norm", head if one_head else query, layer)
            yield from self._norm(f"{prefix}.key_norm", head if one_head else key, layer)
        yield from _linear(f"{prefix}.output", self.width, query, self.layout.output_bias, Role.ATTENTION, layer)

    def _latent_attention(self, prefix: str, layer: int) -> Iterator[Tensor]:
        """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1), without biases."""
        facts = self.facts
        heads = facts.attention_heads_per_layer()[layer]
        query_rank = required(facts.query_lora_rank, "query_lora_rank")
        rank = required(facts.key_value_lora_rank, "key_value_lora_rank")
        rope = required(facts.rope_head_dimension, "rope_head_dimension")
        no_rope = required(facts.no_rope_head_dimension, "no_rope_head_dimension")
        value = required(facts.value_head_dimension, "value_head_dimension")

        def matrix(part: str, outputs: int, inputs: int) -> Tensor:
            return Tensor(f"{prefix}.{part}.weight", (outputs, inputs), Role.ATTENTION, layer)

        yield matrix("query_down", query_rank, self.width)
        yield from self._norm(f"{prefix}.query_norm", query_rank, layer)
        yield matrix("query_up", heads * (no_rope + rope), query_rank)
        yield matrix("key_value_down", rank + rope, self.width)
        yield from self._norm(f"{prefix}.key_value_norm", rank, layer)
        yield matrix("key_value_up", heads * (no_rope + value), rank)
        yield matrix("output", self.width, heads * value)

    def _feed_forward(self, prefix: str, inner: int, layer: int | None) -> Iterator[Tensor]:
        widths = {"up": inner}
        if self.layout.gated:
            widths = {"gate_up": 2 * inner} if self.layout.fuses_gate else {"gate": inner, "up": inner}
        bias = self.layout.feed_forward_bias
        for part, outputs in widths.items():
            yield from _linear(f"{prefix}.{part}", outputs, self.width, bias, Role.FEED_FORWARD, layer)
        yield from _linear(f"{prefix}.down", self.width, inner, bias, Role.FEED_FORWARD, layer)

    def _norm(self, name: str, width: int, layer: int | None) -> Iterator[Tensor]:
        if self.layout.norm is not _Norm.NONE:
            yield Tensor(f"{name}.weight", (width,), Role.NORM, layer)
        if self.layout.norm is _Norm.GAIN_AND_BIAS:
            yield Tensor(f"{name}.bias", (width,), Role.NORM, layer)


def _linear(name: str, outputs: int, inputs: int, bias: bool, role: Role, layer: int | None) -> Iterator[Tensor]:
    """Yield the matrix and, if there is one, the bias of a linear map."""
    yield Tensor(f"{name}.weight", (outputs, inputs), role, layer)
    if bias:
        yield Tensor(f"{name}.bias", (outputs,), role, layer)
