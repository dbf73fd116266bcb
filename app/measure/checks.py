"""What a measurement cannot be: exact facts that the architecture gives are held against what the engine told.

A result that fails a check is rejected with its reason; it is no figure, whatever its samples say. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.measure.cost import decode_work
from app.measure.gguf.architectures import cache_bytes
from app.measure.values import CellResult, Engine, Phase, Status
from app.model.architecture import Architecture, ArchitectureError, kv_cache_bytes
from app.model.tensors import parameter_count

HEADER_BYTES = 16_384
"""What llama.cpp adds to a cache that it writes down, at most: 6.6 kB were seen, by the number of layers and cells."""


def impossible(result: CellResult, bandwidth: float | None = None) -> tuple[str, ...]:
    """Why a result cannot be right, in words; nothing for one that can.

    `bandwidth` is the machine's peak memory bandwidth in bytes per second, where it is known.
    """
    return tuple(_reasons(result, bandwidth)) if result.status is Status.OK else ()


def _reasons(result: CellResult, bandwidth: float | None) -> Iterator[str]:
    if result.artifact is None or result.memory is None:
        yield "it tells nothing of its file or of its memory"
        return
    if result.finite_logits is False:
        yield "its logits are not finite, so the engine did not run the model"
    architecture = result.cell.subject.architecture
    try:
        parameters = parameter_count(architecture)
    except ArchitectureError as error:
        yield f"the architecture gives no parameter count ({error})"
        return
    if result.artifact.parameters != parameters:
        yield f"the file has {result.artifact.parameters} parameters, the architecture {parameters}"
    used = result.memory.kv_used
    tokens = result.cell.depth + result.cell.prompt_tokens
    if used is not None:
        element = int(result.settings.get("kv_element_bytes", 2))
        if result.cell.engine is Engine.LLAMA_CPP:
            expected = cache_bytes(architecture, tokens, element)
            most = expected + HEADER_BYTES
        else:
            expected, most = _in_torch(architecture, tokens, element)
        if not expected <= used <= most:
            yield f"the cache holds {used} bytes after {tokens} tokens, by formula it is {expected}"
    if bandwidth is not None:
        yield from _too_fast(result, bandwidth)


def _in_torch(architecture: Architecture, tokens: int, element: int) -> tuple[int, int]:
    """The least and the most bytes that transformers keeps.

    A window that is full has one position less than its size there, and some classes (GPT-Neo) keep all positions of
    windowed layers. Without windows both numbers are the formula's.
    """
    window = architecture.sliding_window_size
    if window is None:
        exact = kv_cache_bytes(architecture, tokens, element)
        return exact, exact
    less, more = (replace(architecture, sliding_window_size=size) for size in (max(1, window - 1), tokens + 1))
    return kv_cache_bytes(less, tokens, element), kv_cache_bytes(more, tokens, element)


def _too_fast(result: CellResult, bandwidth: float) -> Iterator[str]:
    """At batch size 1 every token reads all weights once."""
    assert result.artifact is not None  # noqa: S101 - looked at before
    rates = [one.tokens / one.wall_ns for one in result.samples if one.phase is Phase.DECODE and one.wall_ns > 0]
    if not rates:
        return
    work = decode_work(result.cell.subject.architecture, result.artifact.matrices, 0)
    read = sum(amount for kind, amount in work.amounts.items() if kind.startswith("bytes"))
    needed = max(rates) * 1e9 * read
    if needed > bandwidth:
        yield f"decoding would read {needed / 1e9:.1f} GB/s, the memory gives {bandwidth / 1e9:.1f} GB/s"
