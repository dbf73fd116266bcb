"""Looks into a GGUF file: is it whole, what is in it, what is its SHA-256. Reads only."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import BadFile, ExtraMissing
from app.measure.gguf.variants import VARIANTS, read_by_tokens
from app.measure.values import Artifact

# Tables of rotary factors are no parameters; llama.cpp's converter stores them as tensors.
_NO_PARAMETERS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says about itself. `tensors` gives (storage type, shape) by name, shapes as (outputs, inputs)."""

    architecture: str
    variant: str | None
    parameters: int
    tensor_bytes: int
    tensor_types: dict[str, int]
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, Any]


def contents(path: Path) -> Contents:
    """Read the header and check that every tensor is within the file; `BadFile` says what is wrong."""
    try:
        import gguf  # noqa: PLC0415 - only the extra brings it
    except ImportError as error:
        raise ExtraMissing("gguf", "measure") from error
    try:
        reader = gguf.GGUFReader(path)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
        architecture = metadata["general.architecture"]
    except FileNotFoundError as error:
        raise BadFile(path, "is not there") from error
    except (ValueError, KeyError, IndexError, OSError, OverflowError, MemoryError) as error:
        raise BadFile(path, f"is no whole GGUF file: {error}", advice="Make or download it again.") from error
    types: Counter[str] = Counter()
    for tensor in reader.tensors:
        if tensor.name not in _NO_PARAMETERS:
            types[tensor.tensor_type.name] += int(tensor.n_elements)
    file_types = {variant.file_type: variant.name for variant in VARIANTS.values()}
    return Contents(
        architecture=architecture,
        variant=file_types.get(metadata.get("general.file_type", -1)),
        parameters=sum(types.values()),
        tensor_bytes=sum(int(tensor.n_bytes) for tensor in reader.tensors),
        tensor_types=dict(sorted(types.items())),
        tensors={t.name: (t.tensor_type.name, tuple(int(n) for n in reversed(t.shape))) for t in reader.tensors},
        metadata=metadata,
    )


def artifact(path: Path) -> Artifact:
    """Describe the file as what was measured. Reads all of it once, for its SHA-256."""
    found = contents(path)
    return Artifact(
        sha256=sha256(path),
        size=path.stat().st_size,
        file_format="GGUF",
        parameters=found.parameters,
        bits_per_weight=round(8 * found.tensor_bytes / found.parameters, 4),
        tensor_types=found.tensor_types,
        matrices=read_by_tokens((name, kind, shape) for name, (kind, shape) in found.tensors.items()),
    )


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
