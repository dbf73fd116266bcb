"""Released weights have one name, and a folder that holds others is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.errors import BadFile
from app.measure.weights import check_weights, weights_hash


def test_the_hash_of_weights(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="holds no weights"):
        weights_hash(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    assert weights_hash(tmp_path) == hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "model-2.safetensors").write_bytes(b"def")
    both = weights_hash(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"deg")
    assert len({both, weights_hash(tmp_path), hashlib.sha256(b"abc").hexdigest()}) == 3


def test_a_folder_with_other_weights_than_were_meant_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    wanted = weights_hash(tmp_path)
    check_weights(tmp_path, wanted.upper())
    (tmp_path / "model.safetensors").write_bytes(b"abd")
    with pytest.raises(BadFile, match="holds weights with SHA-256"):
        check_weights(tmp_path, wanted)
    with pytest.raises(BadFile, match="is no folder"):
        check_weights(tmp_path / "model.safetensors", wanted)
