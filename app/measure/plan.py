"""The matrix of a run before it is run: its cells in a fair order, and what each needs of memory, disk and time. Pure.

What is compared stands side by side: all models and variants of one setting come before the next setting, so that a
machine that becomes busy later does not make one model look slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from app.errors import AppError, BadParameter
from app.measure.gguf.architectures import cache_bytes
from app.measure.gguf.files import expected_bytes
from app.measure.gguf.variants import variant
from app.measure.values import Cell, Engine, RandomWeights, RealWeights, Sampling, Subject
from app.model.architecture import ArchitectureError, kv_cache_bytes
from app.model.tensors import matrix_parameter_count, parameter_count

MOST_CELLS = 2000
PHYSICAL_BATCH = 512
"""Tokens that llama.cpp computes at once; the logits of that many stand in its compute buffer."""
_PROCESS_BYTES = 120 * 1024 * 1024
"""What the process itself takes: interpreter, engine and a little room."""
_CACHE_BLOCK = 256
"""llama.cpp reserves the cache in blocks of so many tokens."""
_OPERATIONS_PER_SECOND = 2e10
"""A slow core: what an unknown machine surely reaches, for a first idea of the time."""
_BYTES_PER_SECOND = 5e9


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked to be measured, one list for each side of the matrix."""

    subjects: tuple[Subject, ...]
    variants: tuple[str, ...] = ("Q4_K_M",)
    prompts: tuple[int, ...] = (50,)
    generated: int = 50
    depths: tuple[int, ...] = (0,)
    threads: tuple[int, ...] = (1,)
    engine: Engine = Engine.LLAMA_CPP
    weights: RandomWeights | RealWeights = field(default_factory=RandomWeights)
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a cell needs: bytes of its file and of memory, and seconds of sampling; `refused` says why it cannot be.

    The seconds are `predicted` where a cost model of this machine gives them, and those of a slow core otherwise.
    """

    cell: Cell
    file_bytes: int
    memory_bytes: int
    seconds: float
    refused: str | None = None
    predicted: bool = False


def cells(wanted: Wanted) -> tuple[Cell, ...]:
    """The matrix, interleaved; BadParameter where a side is empty, a variant unknown or the matrix too large."""
    for name, side in (("model", wanted.subjects), ("variant", wanted.variants), ("prompt", wanted.prompts)):
        if not side:
            raise BadParameter(name, "is missing", advice="Name at least one.")
    names = wanted.variants
    if wanted.engine is Engine.LLAMA_CPP:
        names = tuple(dict.fromkeys(variant(name).name for name in names))
    settings = product(wanted.threads, wanted.depths, wanted.prompts)
    found = tuple(
        Cell(
            subject=subject,
            weights=wanted.weights,
            variant=name,
            engine=wanted.engine,
            prompt_tokens=prompt,
            generated_tokens=wanted.generated,
            threads=threads,
            depth=depth,
            sampling=wanted.sampling,
        )
        for threads, depth, prompt in settings
        for name in names
        for subject in wanted.subjects
    )
    if len(found) > MOST_CELLS:
        raise BadParameter("model", f"{len(found)} cells are too many", advice=f"At most {MOST_CELLS} make a run.")
    return found


def estimates(
    planned: Sequence[Cell], *, memory: int | None = None, once: Callable[[Cell], float | None] = lambda _: None
) -> Iterator[Estimate]:
    """What each cell needs. `memory` is how many bytes there are; a cell that needs more is refused.

    `once` gives the seconds of one sample of a cell, prompt and generated tokens, where they are known.
    """
    for cell in planned:
        yield _estimate(cell, memory, once)


def _estimate(cell: Cell, memory: int | None, known: Callable[[Cell], float | None]) -> Estimate:
    architecture = cell.subject.architecture
    tokens = cell.depth + cell.prompt_tokens + cell.generated_tokens
    reserved = -(-tokens // _CACHE_BLOCK) * _CACHE_BLOCK
    try:
        if cell.engine is Engine.TORCH:
            size, cache = 4 * parameter_count(architecture), kv_cache_bytes(architecture, reserved, 4)
        else:
            size, cache = expected_bytes(cell.subject, cell.variant), cache_bytes(architecture, reserved)
        logits = 4 * PHYSICAL_BATCH * (architecture.vocabulary_size or 0)
        needed = size + cache + logits + _PROCESS_BYTES
        work = 2.0 * matrix_parameter_count(architecture) * (cell.prompt_tokens + cell.depth)
    except (AppError, ArchitectureError) as error:
        return Estimate(cell, 0, 0, 0.0, refused=str(error))
    once = known(cell)
    predicted = once is not None
    if once is None:
        once = work / _OPERATIONS_PER_SECOND + cell.generated_tokens * size / _BYTES_PER_SECOND
    seconds = min(once * (cell.sampling.clean + cell.sampling.warm_ups), cell.sampling.seconds + once)
    refused = None
    if memory is not None and needed > memory:
        refused = f"needs {needed / 1e9:.1f} GB of memory, there are {memory / 1e9:.1f} GB"
    longest = architecture.max_context_length
    if longest is not None and tokens > longest:
        refused = f"{tokens} tokens are more than its context of {longest}"
    return Estimate(cell, size, needed, seconds, refused, predicted)
