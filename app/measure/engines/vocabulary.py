"""Gives a model file without a tokenizer a made-up vocabulary, for servers that load no file without one.

The vocabulary has a token for each letter of ASCII, one that ends a text, and unused ones up to the size that the model
has. Texts in it mean nothing, but every number is a token, and that is all that measuring needs. There are no tokens
for other bytes: a server holds back what is a part of a letter only, and its tokens would not be seen one by one.
Tensors are copied as they are.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from app.errors import EngineRefused, ExtraMissing

LETTERS = 128
"""Tokens that stand for a letter: the first ones."""

_NORMAL, _CONTROL, _UNUSED = 1, 3, 5
_TOKENIZER = "tokenizer."


def with_vocabulary(file: Path) -> Path:
    """The file with a vocabulary, beside the given one and made once; the file itself when it has one.

    Errors: `ExtraMissing`, `EngineRefused` (a vocabulary smaller than ASCII, or of unknown size).
    """
    gguf = _package()
    reader = gguf.GGUFReader(file)
    kind = reader.get_field("tokenizer.ggml.model")
    if kind is not None and kind.contents() != "none":
        return file
    target = file.with_name(f"{file.stem}.vocabulary{file.suffix}")
    if target.is_file():
        return target
    architecture = reader.get_field("general.architecture").contents()
    size = reader.get_field(f"{architecture}.vocab_size")
    if size is None or size.contents() <= LETTERS:
        raise EngineRefused(
            "the model's vocabulary has no room for the letters of ASCII, which this engine needs",
            advice="Measure it with llama.cpp (extra measure).",
        )
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=file.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        _write(gguf, reader, temporary, architecture, int(size.contents()))
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _package() -> Any:
    try:
        import gguf  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise ExtraMissing("gguf", "measure") from error
    return gguf


def _write(gguf: Any, reader: Any, target: Path, architecture: str, size: int) -> None:
    writer = gguf.GGUFWriter(target, arch=architecture)
    for name, field in reader.fields.items():
        if name.startswith(("GGUF.", _TOKENIZER)) or name == "general.architecture":
            continue
        value, kind = field.contents(), field.types[0]
        parts = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, kind, sub_type=parts)
    end = LETTERS
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*_byte_letters(), "<|end|>", *(f"<unused{number}>" for number in range(size - end - 1))])
    writer.add_token_types([_NORMAL] * end + [_CONTROL] + [_UNUSED] * (size - end - 1))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    for tensor in reader.tensors:
        writer.add_tensor_info(
            tensor.name, tensor.data.shape, tensor.data.dtype, tensor.data.nbytes, raw_dtype=tensor.tensor_type
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:
        writer.write_tensor_data(tensor.data)
    writer.close()


def _byte_letters() -> list[str]:
    """How GPT-2's byte-level tokenizer writes each byte of ASCII: with a letter that can be printed."""
    printable = range(33, 127)
    others = [byte for byte in range(LETTERS) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [letters[byte] for byte in range(LETTERS)]
