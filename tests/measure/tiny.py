"""A llama of a hundred thousand weights, and cells on it that are done in a moment: something real to run."""

from __future__ import annotations

from pathlib import Path

from app.measure.values import Cell, Engine, RandomWeights, Sampling, Subject
from app.model.architecture import GROUPED_QUERY, Architecture

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


def spoil(path: Path, number: float) -> None:
    """Put the number into the last norm of a GGUF file, so that it comes out in the logits."""
    import gguf

    reader = gguf.GGUFReader(path, "r+")
    (norm,) = (tensor for tensor in reader.tensors if tensor.name == "output_norm.weight")
    norm.data[:] = number
    reader.data.flush()
