"""What names released weights in a Hugging Face folder: one SHA-256 over all their files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.errors import BadFile
from app.measure.gguf.inspect import sha256

_WEIGHTS = ("*.safetensors", "*.bin")


def weights_hash(folder: Path) -> str:
    """SHA-256 of the weights in a folder: of the one file, or of the names and hashes of several. BadFile."""
    files = sorted(file for pattern in _WEIGHTS for file in folder.glob(pattern))
    if not files:
        raise BadFile(folder, "holds no weights", advice="Give a folder with .safetensors or .bin files.")
    hashes = [(file.name, sha256(file)) for file in files]
    if len(hashes) == 1:
        return hashes[0][1]
    return hashlib.sha256("".join(f"{sha}  {name}\n" for name, sha in hashes).encode()).hexdigest()


def check_weights(folder: Path, wanted: str) -> None:
    """Refuse a folder whose weights have another SHA-256 than those that were meant; BadFile."""
    if not folder.is_dir():
        raise BadFile(folder, "is no folder", advice="Name a folder in the layout of Hugging Face.")
    if (found := weights_hash(folder)) != wanted.lower():
        raise BadFile(
            folder,
            f"holds weights with SHA-256 {found}, not {wanted}",
            advice="Give the weights that are meant, or their own SHA-256.",
        )
