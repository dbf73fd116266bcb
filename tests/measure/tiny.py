"""A llama of a few hundred thousand weights, written straight with the gguf package: something real to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.measure.values import Cell, Engine, RandomWeights, Sampling, Subject
from app.model.architecture import GROUPED_QUERY, Architecture
from app.model.tensors import Tensor, tensors

TINY = Architecture(
    architecture_class="LlamaForCausalLM",
    num_layers=2,
    hidden_size=64,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dimension=16,
    intermediate_size=128,
    vocabulary_size=320,
    max_context_length=512,
    ties_embeddings=True,
    attention_type=GROUPED_QUERY,
)
_NAMES = {
    "token_embedding": "token_embd",
    "output_norm": "output_norm",
    "attention_norm": "attn_norm",
    "feed_forward_norm": "ffn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.output": "attn_output",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.down": "ffn_down",
}


def cell(
    *,
    engine: Engine = Engine.LLAMA_CPP,
    variant: str = "F16",
    prompt: int = 24,
    generated: int = 6,
    depth: int = 0,
    threads: int = 1,
    sampling: Sampling | None = None,
    architecture: Architecture = TINY,
) -> Cell:
    """A cell on the tiny model that is done in a moment."""
    subject = Subject("tiny", architecture)
    wanted = sampling or Sampling(clean=2, warm_ups=1, seconds=0.3)
    return Cell(subject, RandomWeights(), variant, engine, prompt, generated, threads, depth, wanted)


def write_gguf(path: Path, *, spoilt: float | None = None) -> Path:
    """The tiny model as F16. `spoilt` puts that number into a norm, so that it comes out in the logits."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(320)
    writer.add_tokenizer_model("none")
    drawn = np.random.default_rng(1)
    for tensor in tensors(TINY):
        name = _name(tensor)
        if len(tensor.shape) == 1:
            gain = np.full(tensor.shape, 1.0 if spoilt is None or name != "output_norm.weight" else spoilt, np.float32)
            writer.add_tensor(name, gain)
        else:
            writer.add_tensor(name, drawn.normal(0, 0.02, tensor.shape).astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _name(tensor: Tensor) -> str:
    plain = tensor.name.removeprefix(f"layers.{tensor.layer}.").removesuffix(".weight")
    block = "" if tensor.layer is None else f"blk.{tensor.layer}."
    return f"{block}{_NAMES[plain]}.weight"
