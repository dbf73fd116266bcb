"""Which key of a `config.json` speaks of which property, for each type of model.

Only what the file states is read: a default that the maker's code fills in is no statement of the file. Keys that mean
something else than they seem to are named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.ingest.huggingface.places import Listed, Mapped, Node, Scalar

COMMON: Mapping[str, str] = {
    "architectures": "architecture_class",
    "num_hidden_layers": "num_layers",
    "hidden_size": "hidden_size",
    "num_attention_heads": "num_attention_heads",
    "num_key_value_heads": "num_kv_heads",
    "head_dim": "head_dim",
    "intermediate_size": "intermediate_size",
    "vocab_size": "vocab_size",
    "max_position_embeddings": "max_context",
    "sliding_window": "sliding_window",
    "hidden_act": "activation",
    "rms_norm_eps": "norm_eps",
    "layer_norm_eps": "norm_eps",
    "layer_norm_epsilon": "norm_eps",
    "rope_theta": "rope_theta",
    "rope_parameters/rope_theta": "rope_theta",
    "partial_rotary_factor": "rotary_fraction",
    "rope_parameters/partial_rotary_factor": "rotary_fraction",
    "tie_word_embeddings": "tied_embeddings",
    "use_parallel_residual": "parallel_residual",
    "attention_bias": "qkv_bias",
    "torch_dtype": "precision",
    "dtype": "precision",
}
"""Keys of most types of models."""

_GPT2 = {
    "n_layer": "num_layers",
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_positions": "max_context",
    "activation_function": "activation",
}
_LATENT = {
    "q_lora_rank": "query_lora_rank",
    "kv_lora_rank": "kv_lora_rank",
    "qk_nope_head_dim": "no_rope_head_dim",
    "qk_rope_head_dim": "rope_head_dim",
    "v_head_dim": "value_head_dim",
}
OWN: Mapping[str, Mapping[str, str]] = {
    "gpt2": _GPT2,
    "gpt_bigcode": _GPT2,
    "gptj": _GPT2,
    "codegen": _GPT2,
    "gpt_neo": {
        "num_layers": "num_layers",
        "num_heads": "num_attention_heads",
        "window_size": "sliding_window",
        "activation_function": "activation",
    },
    "gpt_neox": {"rotary_pct": "rotary_fraction", "rotary_emb_base": "rope_theta"},
    "opt": {
        "ffn_dim": "intermediate_size",
        "word_embed_proj_dim": "embedding_projection",
        "activation_function": "activation",
        "do_layer_norm_before": "norm_placement",
    },
    "bloom": {
        "n_layer": "num_layers",
        "n_embed": "hidden_size",
        "n_head": "num_attention_heads",
        "seq_length": "max_context",
    },
    "falcon": {
        "n_layer": "num_layers",
        "n_head": "num_attention_heads",
        "num_kv_heads": "num_kv_heads",
        "n_head_kv": "num_kv_heads",
        "ffn_hidden_size": "intermediate_size",
        "parallel_attn": "parallel_residual",
        "bias": "qkv_bias",
        "activation": "activation",
    },
    "mpt": {
        "d_model": "hidden_size",
        "n_layers": "num_layers",
        "n_heads": "num_attention_heads",
        "expansion_ratio": "ffn_ratio",
        "max_seq_len": "max_context",
    },
    "phi-msft": {**_GPT2, "n_head_kv": "num_kv_heads"},
    "qwen": {
        "seq_length": "max_context",
        "rotary_emb_base": "rope_theta",
        "rotary_pct": "rotary_fraction",
        "kv_channels": "head_dim",
    },
    "gemma": {"hidden_activation": "activation"},
    "gemma2": {"hidden_activation": "activation"},
    "gemma3": {"hidden_activation": "activation"},
    "gemma3_text": {"hidden_activation": "activation"},
    "stablelm": {"use_qkv_bias": "qkv_bias"},
    "stablelm_epoch": {"use_qkv_bias": "qkv_bias", "norm_eps": "norm_eps", "rope_pct": "rotary_fraction"},
    "openelm": {
        "num_transformer_layers": "num_layers",
        "model_dim": "hidden_size",
        "num_query_heads": "num_attention_heads",
        "num_kv_heads": "num_kv_heads",
        "max_context_length": "max_context",
        "activation_fn_name": "activation",
        "rope_freq_constant": "rope_theta",
        "share_input_output_layers": "tied_embeddings",
    },
    "minicpm3": _LATENT,
    "deepseek_v2": _LATENT,
    "deepseek_v3": _LATENT,
    "hf_olmo": {
        "n_layers": "num_layers",
        "d_model": "hidden_size",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_kv_heads",
        "max_sequence_length": "max_context",
        "weight_tying": "tied_embeddings",
    },
    **{
        name: {}
        for name in (
            "llama",
            "mistral",
            "qwen2",
            "qwen3",
            "phi",
            "phi3",
            "minicpm",
            "olmo",
            "olmo2",
            "persimmon",
            "starcoder2",
            "granite",
            "smollm3",
            "internlm2",
            "baichuan",
            "cohere",
        )
    },
}
"""More keys of single types. A type that is not listed is read by the common keys alone."""

TEXT_PART: Mapping[str, str] = {"gemma3": "text_config", "gemma3n": "text_config", "llava": "text_config"}
"""Types whose language model is described in a part of the file."""

NOT_READ: Mapping[tuple[str, str], str] = {
    ("qwen", "intermediate_size"): "in this type the key counts both halves of the gate; the width is half of it",
    ("hf_olmo", "vocab_size"): "in this type `embedding_size` counts the rows of the embedding, this key the tokens",
    ("hf_olmo", "embedding_size"): "compare it with the key vocab_size by hand: two keys speak of one property",
    ("hf_olmo", "mlp_hidden_size"): "in this type the key counts both halves of the gate",
    ("gptj", "rotary_dim"): "a number of dimensions, not a fraction",
    ("phi-msft", "rotary_dim"): "a number of dimensions, not a fraction",
    ("minicpm3", "num_key_value_heads"): "latent attention keeps no keys and values of heads; the key has no effect",
    ("minicpm3", "head_dim"): "latent attention has widths of its own",
    ("deepseek_v2", "num_key_value_heads"): "latent attention keeps no keys and values of heads",
    ("deepseek_v3", "num_key_value_heads"): "latent attention keeps no keys and values of heads",
}
"""Keys that look like a property and are none, with the reason."""

NO_TRANSFORMER: Mapping[str, str] = {
    **dict.fromkeys(
        ("mamba", "mamba2", "falcon_mamba", "codestral_mamba"),
        "a state-space model has neither heads nor a context length",
    ),
    **dict.fromkeys(("rwkv", "rwkv5", "rwkv6"), "a recurrent model has neither heads nor a context length"),
    **dict.fromkeys(
        ("jamba", "zamba", "zamba2", "bamba", "recurrent_gemma", "nemotron_h", "lfm2"),
        "its layers are of several kinds, which one set of numbers cannot describe",
    ),
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "led"), "an encoder and a decoder have two sets of numbers"),
    **dict.fromkeys(
        ("bert", "roberta", "albert", "deberta", "modernbert"), "an encoder is no generative language model"
    ),
}
"""Types that are refused, with the reason."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a key says of a property. `varies` marks a list whose members differ: the property varies by layer."""

    field: str
    node: Node
    text: str
    varies: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """A key that looks like a property and gives no value, and why."""

    node: Node
    key: str
    reason: str


def kind_of(config: Mapped) -> str:
    """The type of model that a configuration names; empty where it names none."""
    found = config.members.get("model_type")
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""


def statements(config: Mapped) -> Iterator[Statement | Unread]:
    """What a configuration says, key by key."""
    kind = kind_of(config)
    part = config.members.get(TEXT_PART.get(kind, ""))
    own = {**COMMON, **OWN.get(kind, {})}
    seen: dict[str, str] = {}
    for base in (part, config) if isinstance(part, Mapped) else (config,):
        for key, field in own.items():
            node = _at(base, key)
            if node is None or (isinstance(node, Scalar) and node.value is None):
                continue
            said = _statement(kind, key, field, node, base)
            if isinstance(said, Statement) and seen.setdefault(field, said.text) != said.text:
                yield Unread(node, key, f"another key says {seen[field]} of the same property")
            else:
                yield said
    for key, reason in ((key, reason) for (of, key), reason in NOT_READ.items() if of == kind and key not in own):
        node = config.members.get(key)
        if node is not None:
            yield Unread(node, key, reason)


def _statement(kind: str, key: str, field: str, node: Node, config: Mapped) -> Statement | Unread:
    reason = NOT_READ.get((kind, key))
    if reason is not None:
        return Unread(node, key, reason)
    if key == "sliding_window" and _is(config.members.get("use_sliding_window"), value=False):
        return Unread(node, key, "use_sliding_window is false")
    if isinstance(node, Mapped):
        return Unread(node, key, "it is no single value")
    if isinstance(node, Listed):
        return _list(key, field, node)
    if field == "norm_placement":
        return Statement(field, node, "Pre" if node.value is True else "Post")
    return Statement(field, node, _text(node))


def _list(key: str, field: str, node: Listed) -> Statement | Unread:
    """A list is one value where its members are equal; a list of numbers is one for each layer."""
    if not node.items or not all(isinstance(item, Scalar) for item in node.items):
        return Unread(node, key, "it is no list of single values")
    texts = [_text(item) for item in node.items if isinstance(item, Scalar)]
    if len(set(texts)) == 1:
        return Statement(field, node, texts[0])
    if field == "architecture_class":
        return Unread(node, key, "it names several classes")
    return Statement(field, node, "slm:variesByLayer", varies=True)


def _at(config: Mapped, key: str) -> Node | None:
    node: Node | None = config
    for part in key.split("/"):
        node = node.members.get(part) if isinstance(node, Mapped) else None
    return node


def _text(node: Scalar) -> str:
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    return "" if node.value is None else str(node.value)


def _is(node: Node | None, *, value: bool) -> bool:
    return isinstance(node, Scalar) and node.value is value
