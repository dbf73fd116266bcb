"""Writes a GGUF file with random weights from a blueprint. Tensor by tensor: memory does not grow with the model.

The numbers come from one pool of normally distributed values, read round and round; its length is a prime number, so
that no two rows are alike. Gains of norms are one. The file says of itself that its weights are random, and with
which seed.

Never here: where the file goes, and whether there is room for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.errors import ExtraMissing
from app.measure.gguf.architectures import Blueprint, Placed, Value
from app.measure.gguf.variants import VARIANTS, Storage, plain_storage
from app.measure.values import RandomWeights

if TYPE_CHECKING:
    from gguf import GGUFWriter

WRITER = 1
"""Number of this way to write; another number means other bytes for the same facts."""
WEIGHTS = "randomly-initialised"
"""Value of `slmkg.weights` in a file with random weights."""
ALIGNMENT = 32
"""Bytes to which each tensor is padded."""

_POOL = 1_048_573
_QUANTISATION_VERSION = 2

Floats = np.ndarray[tuple[int, ...], np.dtype[np.floating]]


def write(path: Path, model: Blueprint, name: str, weights: RandomWeights, progress: Callable[[float], None]) -> None:
    """Write the file; `progress` gets the written share from 0 to 1. The file is not yet safe on the disk."""
    try:
        import gguf  # noqa: PLC0415 - only the extra brings it
    except ImportError as error:
        raise ExtraMissing("gguf", "measure") from error
    writer = gguf.GGUFWriter(path, model.architecture)
    writer.add_name(f"{name} (random weights)")
    writer.add_file_type(VARIANTS["F16"].file_type)
    writer.add_quantization_version(_QUANTISATION_VERSION)
    writer.add_string("slmkg.weights", WEIGHTS)
    writer.add_uint64("slmkg.seed", weights.seed)
    writer.add_float32("slmkg.deviation", weights.deviation)
    writer.add_uint32("slmkg.writer", WRITER)
    for key, value in model.metadata.items():
        if key != "general.architecture":  # the writer adds it
            _add(writer, key, value)
    for tensor in model.tensors:
        kind = _kind(tensor)
        writer.add_tensor_info(tensor.name, tensor.shape, kind, tensor.size * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    pool = _Pool(weights)
    done = 0
    for tensor in model.tensors:
        writer.write_tensor_data(pool.take(tensor))
        done += tensor.size
        progress(done / model.parameters)
    writer.close()


class _Pool:
    """Random numbers, read round and round."""

    def __init__(self, weights: RandomWeights) -> None:
        drawn = np.random.default_rng(weights.seed).standard_normal(_POOL, dtype=np.float32)
        drawn *= weights.deviation
        self._values: dict[np.dtype[np.floating], Floats] = {
            np.dtype(np.float32): drawn,
            np.dtype(np.float16): drawn.astype(np.float16),
        }
        self._place = 0

    def take(self, tensor: Placed) -> Floats:
        """The next numbers in the shape and the type of the tensor."""
        kind = _kind(tensor)
        if tensor.is_norm_gain:
            return np.ones(tensor.shape, kind)
        out = np.empty(tensor.size, kind)
        values = self._values[kind]
        filled = 0
        while filled < len(out):
            part = values[self._place : self._place + len(out) - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            self._place = (self._place + len(part)) % _POOL
        return out.reshape(tensor.shape)


def _kind(tensor: Placed) -> np.dtype[np.floating]:
    return np.dtype(np.float32 if plain_storage(tensor) is Storage.F32 else np.float16)


def _add(writer: GGUFWriter, key: str, value: Value) -> None:
    """Add one value of the metadata in the type in which llama.cpp reads it."""
    if isinstance(value, tuple):
        writer.add_array(key, list(value))
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)
