"""Writes what llama.cpp's own converter makes of tiny checkpoints to tests/measure/gguf/converter/.

    python scripts/measure/converter_tables.py LLAMA_CPP_SOURCES

For each class that the converter knows it makes a folder with a configuration and a checkpoint of the tiny
architecture of the tests, under the tensor names of the released checkpoints, lets the converter's class of that name
map it, and writes one table of tensors (name, shape, type) and one of hyperparameters. The tests hold the tables of
`app.measure.gguf` against them. Needs torch and numpy; the vocabulary is left out, so no tokenizer is needed.

It runs the converter's code as it is. A tensor name that the converter does not know ends the run. What cannot be
compared so stands in `NOT_COMPARED`.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import logging
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.measure.gguf.architectures import NOT_COMPARED
from app.model.architecture import Architecture
from app.model.tensors import Tensor, tensors
from tests.measure.gguf.facts import HERE, TINY

OUT = HERE / "converter"

_LLAMA = {
    "token_embedding": "model.embed_tokens",
    "attention_norm": "model.layers.{}.input_layernorm",
    "attention.query": "model.layers.{}.self_attn.q_proj",
    "attention.key": "model.layers.{}.self_attn.k_proj",
    "attention.value": "model.layers.{}.self_attn.v_proj",
    "attention.query_key_value": "model.layers.{}.self_attn.qkv_proj",
    "attention.output": "model.layers.{}.self_attn.o_proj",
    "feed_forward_norm": "model.layers.{}.post_attention_layernorm",
    "feed_forward.gate": "model.layers.{}.mlp.gate_proj",
    "feed_forward.up": "model.layers.{}.mlp.up_proj",
    "feed_forward.gate_up": "model.layers.{}.mlp.gate_up_proj",
    "feed_forward.down": "model.layers.{}.mlp.down_proj",
    "output_norm": "model.norm",
    "head": "lm_head",
}
_GEMMA2 = _LLAMA | {
    "attention_post_norm": "model.layers.{}.post_attention_layernorm",
    "feed_forward_norm": "model.layers.{}.pre_feedforward_layernorm",
    "feed_forward_post_norm": "model.layers.{}.post_feedforward_layernorm",
}
_MINICPM3 = _LLAMA | {
    "attention.query_down": "model.layers.{}.self_attn.q_a_proj",
    "attention.query_norm": "model.layers.{}.self_attn.q_a_layernorm",
    "attention.query_up": "model.layers.{}.self_attn.q_b_proj",
    "attention.key_value_down": "model.layers.{}.self_attn.kv_a_proj_with_mqa",
    "attention.key_value_norm": "model.layers.{}.self_attn.kv_a_layernorm",
    "attention.key_value_up": "model.layers.{}.self_attn.kv_b_proj",
}
_PHI = _LLAMA | {
    "attention.output": "model.layers.{}.self_attn.dense",
    "feed_forward.up": "model.layers.{}.mlp.fc1",
    "feed_forward.down": "model.layers.{}.mlp.fc2",
    "output_norm": "model.final_layernorm",
}
_NEOX = {
    "token_embedding": "gpt_neox.embed_in",
    "attention_norm": "gpt_neox.layers.{}.input_layernorm",
    "attention.query_key_value": "gpt_neox.layers.{}.attention.query_key_value",
    "attention.output": "gpt_neox.layers.{}.attention.dense",
    "feed_forward_norm": "gpt_neox.layers.{}.post_attention_layernorm",
    "feed_forward.up": "gpt_neox.layers.{}.mlp.dense_h_to_4h",
    "feed_forward.down": "gpt_neox.layers.{}.mlp.dense_4h_to_h",
    "output_norm": "gpt_neox.final_layer_norm",
    "head": "embed_out",
}
_GPT2 = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "attention_norm": "transformer.h.{}.ln_1",
    "attention.query_key_value": "transformer.h.{}.attn.c_attn",
    "attention.output": "transformer.h.{}.attn.c_proj",
    "feed_forward_norm": "transformer.h.{}.ln_2",
    "feed_forward.up": "transformer.h.{}.mlp.c_fc",
    "feed_forward.down": "transformer.h.{}.mlp.c_proj",
    "output_norm": "transformer.ln_f",
}
_BLOOM = {
    "token_embedding": "transformer.word_embeddings",
    "embedding_norm": "transformer.word_embeddings_layernorm",
    "attention_norm": "transformer.h.{}.input_layernorm",
    "attention.query_key_value": "transformer.h.{}.self_attention.query_key_value",
    "attention.output": "transformer.h.{}.self_attention.dense",
    "feed_forward_norm": "transformer.h.{}.post_attention_layernorm",
    "feed_forward.up": "transformer.h.{}.mlp.dense_h_to_4h",
    "feed_forward.down": "transformer.h.{}.mlp.dense_4h_to_h",
    "output_norm": "transformer.ln_f",
}
_QWEN = {
    "token_embedding": "transformer.wte",
    "attention_norm": "transformer.h.{}.ln_1",
    "attention.query_key_value": "transformer.h.{}.attn.c_attn",
    "attention.output": "transformer.h.{}.attn.c_proj",
    "feed_forward_norm": "transformer.h.{}.ln_2",
    # w2 goes through the activation: it is the gate.
    "feed_forward.gate": "transformer.h.{}.mlp.w2",
    "feed_forward.up": "transformer.h.{}.mlp.w1",
    "feed_forward.down": "transformer.h.{}.mlp.c_proj",
    "output_norm": "transformer.ln_f",
    "head": "lm_head",
}
_OPENELM = {
    "token_embedding": "transformer.token_embeddings",
    "attention_norm": "transformer.layers.{}.attn_norm",
    "attention.query_key_value": "transformer.layers.{}.attn.qkv_proj",
    "attention.query_norm": "transformer.layers.{}.attn.q_norm",
    "attention.key_norm": "transformer.layers.{}.attn.k_norm",
    "attention.output": "transformer.layers.{}.attn.out_proj",
    "feed_forward_norm": "transformer.layers.{}.ffn_norm",
    "feed_forward.gate_up": "transformer.layers.{}.ffn.proj_1",
    "feed_forward.down": "transformer.layers.{}.ffn.proj_2",
    "output_norm": "transformer.norm",
}

Facts = dict[str, Any]


def _plain(facts: Architecture) -> Facts:
    """The keys that most configurations have."""
    return {
        "hidden_size": facts.hidden_size,
        "num_hidden_layers": facts.num_layers,
        "num_attention_heads": facts.num_attention_heads,
        "num_key_value_heads": facts.num_key_value_heads,
        "intermediate_size": facts.intermediate_size,
        "vocab_size": facts.vocabulary_size,
        "max_position_embeddings": facts.max_context_length,
        "tie_word_embeddings": facts.ties_embeddings,
        "rope_theta": 10000.0,
    }


def _rms(facts: Architecture) -> Facts:
    return _plain(facts) | {"rms_norm_eps": 1e-6}


def _latent(facts: Architecture) -> Facts:
    return _rms(facts) | {
        "q_lora_rank": facts.query_lora_rank,
        "kv_lora_rank": facts.key_value_lora_rank,
        "qk_nope_head_dim": facts.no_rope_head_dimension,
        "qk_rope_head_dim": facts.rope_head_dimension,
    }


def _openelm(facts: Architecture) -> Facts:
    assert isinstance(facts.intermediate_size, tuple)
    assert facts.hidden_size is not None
    return {
        "num_transformer_layers": facts.num_layers,
        "model_dim": facts.hidden_size,
        "head_dim": facts.head_dimension,
        "num_query_heads": list(facts.attention_heads_per_layer()),
        "num_kv_heads": list(facts.key_value_heads_per_layer()),
        "ffn_multipliers": [width / facts.hidden_size for width in facts.intermediate_size],
        "ffn_dim_divisor": 256,
        "vocab_size": facts.vocabulary_size,
        "max_context_length": facts.max_context_length,
        "rope_freq_constant": 10000,
    }


def _gemma(facts: Architecture) -> Facts:
    return _rms(facts) | {"head_dim": facts.head_dimension}


# Names in the checkpoint, and the configuration with the defaults of the class, for each class.
_CHECKPOINTS: dict[str, tuple[dict[str, str], Callable[[Architecture], Facts]]] = {
    "LlamaForCausalLM": (_LLAMA, _rms),
    "MistralForCausalLM": (_LLAMA, lambda facts: _rms(facts) | {"sliding_window": facts.sliding_window_size}),
    "Qwen2ForCausalLM": (_LLAMA, _rms),
    "QWenLMHeadModel": (
        _QWEN,
        # This configuration counts both halves of the gated feed-forward.
        lambda facts: (
            _plain(facts)
            | {"intermediate_size": 2 * facts.per_layer(facts.intermediate_size, "")[0], "layer_norm_epsilon": 1e-6}
        ),
    ),
    "GPTNeoXForCausalLM": (
        _NEOX,
        lambda facts: (
            _plain(facts)
            | {"rotary_pct": 0.25, "use_parallel_residual": facts.parallel_residual, "layer_norm_eps": 1e-5}
        ),
    ),
    "GPT2LMHeadModel": (
        _GPT2,
        lambda facts: {
            "n_ctx": facts.max_context_length,
            "n_embd": facts.hidden_size,
            "n_layer": facts.num_layers,
            "n_head": facts.num_attention_heads,
            "layer_norm_epsilon": 1e-5,
        },
    ),
    "BloomForCausalLM": (
        _BLOOM,
        lambda facts: {
            "hidden_size": facts.hidden_size,
            "n_layer": facts.num_layers,
            "n_head": facts.num_attention_heads,
            "seq_length": facts.max_context_length,
            "layer_norm_epsilon": 1e-5,
        },
    ),
    "PhiForCausalLM": (_PHI, lambda facts: _plain(facts) | {"partial_rotary_factor": 0.5, "layer_norm_eps": 1e-5}),
    "Phi3ForCausalLM": (
        _LLAMA,
        lambda facts: (
            _plain(facts)
            | {
                "rms_norm_eps": 1e-5,
                "original_max_position_embeddings": facts.max_context_length,
                "sliding_window": facts.sliding_window_size,
            }
        ),
    ),
    "GemmaForCausalLM": (_LLAMA, _gemma),
    "Gemma2ForCausalLM": (
        _GEMMA2,
        lambda facts: (
            _gemma(facts)
            | {
                "attn_logit_softcapping": 50.0,
                "final_logit_softcapping": 30.0,
                "sliding_window": facts.sliding_window_size,
            }
        ),
    ),
    "StableLmForCausalLM": (
        _LLAMA,
        lambda facts: (
            _plain(facts)
            | {
                "partial_rotary_factor": 0.25,
                "use_parallel_residual": facts.parallel_residual,
                "layer_norm_eps": 1e-5,
            }
        ),
    ),
    "OpenELMForCausalLM": (_OPENELM, _openelm),
    "MiniCPMForCausalLM": (
        _LLAMA,
        lambda facts: _rms(facts) | {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256},
    ),
    "MiniCPM3ForCausalLM": (_MINICPM3, _latent),
    "OlmoForCausalLM": (_LLAMA, _plain),
    "NemotronForCausalLM": (_LLAMA, lambda facts: _plain(facts) | {"partial_rotary_factor": 0.5, "norm_eps": 1e-5}),
}


def main() -> int:
    """Write both tables of every class that can be compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, help="folder with the sources of llama.cpp")
    converter = _converter(parser.parse_args().sources)
    OUT.mkdir(exist_ok=True)
    for name, facts in TINY.items():
        kind = str(facts.architecture_class)
        if kind in NOT_COMPARED:
            print(f"{name}: {NOT_COMPARED[kind]}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows, metadata = _convert(converter, facts, Path(folder))
        _write(OUT / f"{name}.tensors.csv", ("name", "shape", "type"), rows)
        _write(OUT / f"{name}.metadata.csv", ("key", "value"), metadata)
        print(f"{name}: {len(rows)} tensors")
    return 0


def _converter(sources: Path) -> Any:
    """The converter's package. It wants transformers only to read configurations, and reads them itself otherwise."""
    sys.path.insert(0, str(sources))
    sys.path.insert(0, str(sources / "gguf-py"))
    absent = types.ModuleType("transformers")
    absent.AutoConfig = None  # type: ignore[attr-defined]
    sys.modules["transformers"] = absent
    logging.getLogger("hf-to-gguf").setLevel(logging.ERROR)
    return importlib.import_module("conversion")


def _convert(converter: Any, facts: Architecture, folder: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the rows of both tables."""
    import gguf  # noqa: PLC0415 - the one beside the converter
    import torch  # noqa: PLC0415 - the tests read this module without it

    kind = str(facts.architecture_class)
    names, configuration = _CHECKPOINTS[kind]
    (folder / "config.json").write_text(json.dumps({"architectures": [kind], **configuration(facts)}))
    checkpoint = {
        name: torch.zeros(_stored_shape(kind, tensor), dtype=torch.float16) for name, tensor in _named(facts, names)
    }
    torch.save(checkpoint, folder / "pytorch_model.bin")
    # Llama permutes rows for its rotary positions; that is seen in values, not in the tables.
    model = converter.get_model_class(kind)(folder, gguf.LlamaFileType.MOSTLY_F16, folder / "out.gguf")
    model.prepare_tensors()
    model.set_gguf_parameters()
    rows = [
        (name, " ".join(str(number) for number in info.shape), info.dtype.name)
        for shard in model.gguf_writer.tensors
        for name, info in shard.items()
    ]
    metadata: list[tuple[str, ...]] = [
        (key, json.dumps(field.value)) for shard in model.gguf_writer.kv_data for key, field in sorted(shard.items())
    ]
    return sorted(rows), metadata


def _named(facts: Architecture, names: dict[str, str]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors under their names in the checkpoint."""
    for tensor in tensors(facts):
        path, kind = tensor.name.rsplit(".", 1)
        part = path.removeprefix(f"layers.{tensor.layer}.")
        yield f"{names[part].format(tensor.layer)}.{kind}", tensor


def _stored_shape(kind: str, tensor: Tensor) -> tuple[int, ...]:
    """The shape in the checkpoint: the linear maps of GPT-2 are stored the other way round."""
    turned = kind == "GPT2LMHeadModel" and len(tensor.shape) == 2 and tensor.layer is not None
    return tensor.shape[::-1] if turned else tensor.shape


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *rows])


if __name__ == "__main__":
    raise SystemExit(main())
