"""Variants of a GGUF file (F16, Q8_0, Q4_K_M …): which storage type each tensor gets, and so how big the file is.

A variant is a name for a mixture, not a number of bits: llama.cpp gives some tensors more bits, and takes another type
where rows cannot be split into blocks. `storage` follows the rules of llama.cpp's quantiser for models without
experts, so that sizes are known before anything is written; the tests hold it against the files that the quantiser
makes.

Never here: files, or the quantiser itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.errors import BadParameter
from app.measure.gguf.architectures import Blueprint, Placed
from app.measure.values import Matrices


class Storage(StrEnum):
    """How numbers are stored. Quantised types hold a row in blocks with a scale of their own."""

    F32 = "F32"
    F16 = "F16"
    Q8_0 = "Q8_0"
    Q5_1 = "Q5_1"
    Q5_0 = "Q5_0"
    Q4_1 = "Q4_1"
    Q4_0 = "Q4_0"
    Q6_K = "Q6_K"
    Q5_K = "Q5_K"
    Q4_K = "Q4_K"
    Q3_K = "Q3_K"
    Q2_K = "Q2_K"


# (numbers in a block, bytes of a block)
_BLOCKS = {
    Storage.F32: (1, 4),
    Storage.F16: (1, 2),
    Storage.Q8_0: (32, 34),
    Storage.Q5_1: (32, 24),
    Storage.Q5_0: (32, 22),
    Storage.Q4_1: (32, 20),
    Storage.Q4_0: (32, 18),
    Storage.Q6_K: (256, 210),
    Storage.Q5_K: (256, 176),
    Storage.Q4_K: (256, 144),
    Storage.Q3_K: (256, 110),
    Storage.Q2_K: (256, 84),
}
# What llama.cpp takes instead where a row cannot be split into blocks of 256.
_INSTEAD = {
    Storage.Q6_K: Storage.Q8_0,
    Storage.Q5_K: Storage.Q5_1,
    Storage.Q4_K: Storage.Q5_0,
    Storage.Q3_K: Storage.Q4_0,
    Storage.Q2_K: Storage.Q4_0,
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A mixture of storage types. `file_type` is llama.cpp's number of it; `base` is the type of most tensors."""

    name: str
    file_type: int
    base: Storage


_TOKENS, _POSITIONS, _HEAD = "token_embd.weight", "position_embd.weight", "output.weight"

_ALL = (
    Variant("F16", 1, Storage.F16),
    Variant("Q8_0", 7, Storage.Q8_0),
    Variant("Q6_K", 18, Storage.Q6_K),
    Variant("Q5_K_M", 17, Storage.Q5_K),
    Variant("Q5_1", 9, Storage.Q5_1),
    Variant("Q5_0", 8, Storage.Q5_0),
    Variant("Q4_K_M", 15, Storage.Q4_K),
    Variant("Q4_1", 3, Storage.Q4_1),
    Variant("Q4_0", 2, Storage.Q4_0),
    Variant("Q3_K_M", 12, Storage.Q3_K),
    Variant("Q2_K", 10, Storage.Q2_K),
)
VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}
"""The variants that are made, by name."""
# llama-quantize takes these names for the medium mixture; the survey writes FP16.
_ALSO = {"FP16": "F16", "Q5_K": "Q5_K_M", "Q4_K": "Q4_K_M", "Q3_K": "Q3_K_M"}


def variant(name: str) -> Variant:
    """Return the variant of a name, in small or big letters; `BadParameter` lists the names that are known."""
    upper = name.upper()
    found = VARIANTS.get(_ALSO.get(upper, upper))
    if found is None:
        raise BadParameter("variant", f"{name!r} is not known", advice=f"Take one of: {', '.join(VARIANTS)}.")
    return found


def stored_bytes(tensor: Placed, storage: Storage) -> int:
    """Return the bytes of a tensor in a storage type, without padding."""
    numbers, size = _BLOCKS[storage]
    return tensor.size // numbers * size


def bits_per_weight(storage: str) -> float:
    """Return the bits that a number takes in a storage type, its share of the scales included.

    Of a type that is made elsewhere (IQ4_XS, MXFP4) it is the digit in its name, or 16: near enough to weigh types.
    """
    if storage in _BLOCKS:
        numbers, size = _BLOCKS[Storage(storage)]
        return 8 * size / numbers
    digits = [letter for letter in storage if letter.isdigit()]
    return float(digits[0]) if digits and not storage.startswith("BF") else 16.0


def matrices(model: Blueprint, wanted: Variant) -> Matrices:
    """Return which storage types the matrices that each token passes will have."""
    kinds = storage(model, wanted)
    return read_by_tokens((tensor.name, kinds[tensor.name], tensor.shape) for tensor in model.tensors)


def read_by_tokens(tensors: Iterable[tuple[str, str, Sequence[int]]]) -> Matrices:
    """Return the matrices that each token passes, of tensors given as (name, storage type, shape)."""
    found = {name: (kind, math.prod(shape)) for name, kind, shape in tensors if len(shape) > 1}
    tokens = found.pop(_TOKENS, None)
    found.pop(_POSITIONS, None)
    head = found.pop(_HEAD, None) or tokens
    layers: Counter[str] = Counter()
    for kind, weights in found.values():
        layers[str(kind)] += weights
    return Matrices(dict(sorted(layers.items())), {str(head[0]): head[1]} if head else {})


def plain_storage(tensor: Placed) -> Storage:
    """Return the type in an unquantised file: vectors, norms and position tables stay in 32 bits."""
    if len(tensor.shape) == 1 or tensor.is_norm_gain or tensor.name == _POSITIONS:
        return Storage.F32
    return Storage.F16


def storage(model: Blueprint, wanted: Variant) -> dict[str, Storage]:
    """Return the storage type of each tensor by its name."""
    chosen = {tensor.name: plain_storage(tensor) for tensor in model.tensors}
    if wanted.base is Storage.F16:
        return chosen
    rules = _Mixture(model, wanted)
    for tensor in sorted(model.tensors, key=_block):
        if chosen[tensor.name] is Storage.F16:
            chosen[tensor.name] = _that_fits(tensor, rules.choice(tensor))
    return chosen


def _block(tensor: Placed) -> int:
    """The layer of a tensor; -1 outside the layers."""
    parts = tensor.name.split(".")
    return int(parts[1]) if parts[0] == "blk" else -1


def _that_fits(tensor: Placed, storage: Storage) -> Storage:
    """The type itself, or the one that llama.cpp takes where rows cannot be split into its blocks."""
    row = tensor.shape[-1]
    if row % _BLOCKS[storage][0]:
        storage = _INSTEAD.get(storage, storage)
    return Storage.F16 if row % _BLOCKS[storage][0] else storage


class _Mixture:
    """The choice of types within one file. It counts layers, as the quantiser does."""

    def __init__(self, model: Blueprint, wanted: Variant) -> None:
        self.name = wanted.name
        self.base = wanted.base
        self.layers = model.layers
        names = {tensor.name for tensor in model.tensors}
        self.output = _HEAD if _HEAD in names else _TOKENS
        heads, groups = (model.metadata[f"{model.architecture}.attention.head_count{end}"] for end in ("", "_kv"))
        self.queries_per_key = _first(heads) // _first(groups)

    def choice(self, tensor: Placed) -> Storage:
        """The wanted type, which may not fit the rows."""
        if tensor.name == self.output:
            return self._output(tensor)
        part = tensor.name.split(".")[-2]
        layer = _block(tensor)
        if part in {"attn_v", "attn_qkv", "attn_kv_b"}:
            return self._value(layer)
        if part == "ffn_down":
            return self._down(layer)
        if part == "attn_output":
            return {"Q2_K": Storage.Q3_K, "Q3_K_M": Storage.Q4_K}.get(self.name, self.base)
        return self.base

    def _output(self, tensor: Placed) -> Storage:
        if self.base is Storage.Q8_0 or tensor.shape[-1] % _BLOCKS[self.base][0]:
            return Storage.Q8_0
        return Storage.Q6_K

    def _value(self, layer: int) -> Storage:
        if self.name == "Q2_K":
            return Storage.Q4_K if self.queries_per_key >= 4 else Storage.Q3_K
        if self.name == "Q3_K_M":
            return Storage.Q5_K if layer < 2 else Storage.Q4_K
        return self._more(layer)

    def _down(self, layer: int) -> Storage:
        if self.name == "Q2_K":
            return Storage.Q3_K
        if self.name == "Q3_K_M":
            return Storage.Q5_K if layer < self.layers // 16 else Storage.Q4_K
        return self._more(layer)

    def _more(self, layer: int) -> Storage:
        """The first and the last eighth of the layers and each third between them get more bits."""
        eighth = self.layers // 8
        at_an_end = layer < eighth or layer >= 7 * self.layers // 8
        if self.name in {"Q4_K_M", "Q5_K_M"} and (at_an_end or (layer - eighth) % 3 == 2):
            return Storage.Q6_K
        return self.base


def _first(value: object) -> int:
    number = value[0] if isinstance(value, tuple) else value
    assert isinstance(number, int)  # noqa: S101 - the metadata's own type
    return number
