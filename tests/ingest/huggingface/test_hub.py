"""Fetching from a hub: two small files at one commit, nothing else, and errors that say what to do."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from app.errors import BadFile, BadParameter, HubUnavailable, NoRoom
from app.ingest.huggingface.hub import download, fetch
from tests.ingest.huggingface import files as samples
from tests.ingest.huggingface.hubs import SHA, hub

FILES = {
    "config.json": samples.text(samples.LLAMA).encode(),
    "README.md": samples.CARD.encode(),
    "model.safetensors": b"0" * 100,
}


def test_the_two_files_are_fetched_at_the_commit_and_no_weights() -> None:
    with hub(FILES) as (address, asked):
        found = fetch("microsoft/phi-2", endpoint=address)
    assert found.texts == {name: FILES[name].decode() for name in ("config.json", "README.md")}
    assert (found.repository, found.revision, found.dated) == ("microsoft/phi-2", SHA, "2024-01-09")
    assert not [path for path in asked if "safetensors" in path]
    assert {path.rsplit("/", 1)[0] for path in asked if "/resolve/" in path} == {f"/microsoft/phi-2/resolve/{SHA}"}


def test_a_named_revision_has_no_day_of_the_newest() -> None:
    with hub(FILES) as (address, _):
        assert fetch("microsoft/phi-2", revision=SHA, endpoint=address).dated is None


@pytest.mark.parametrize(("name", "revision"), [("microsoft/phi-3", None), ("microsoft/phi-2", "nothing")])
def test_what_the_hub_does_not_know_is_told(name: str, revision: str | None) -> None:
    with hub(FILES) as (address, _), pytest.raises(BadParameter, match="the hub knows no"):
        fetch(name, revision=revision, endpoint=address)


def test_a_repository_without_the_two_files_is_refused() -> None:
    with hub({"weights.bin": b"0"}) as (address, _), pytest.raises(BadParameter, match="neither"):
        fetch("microsoft/phi-2", endpoint=address)


def test_a_file_that_is_too_large_is_not_fetched() -> None:
    with hub({"config.json": b" " * 1_000_001}) as (address, asked), pytest.raises(BadParameter, match="larger"):
        fetch("microsoft/phi-2", endpoint=address)
    assert not [path for path in asked if "/resolve/" in path]


def test_a_file_that_is_no_text_is_refused() -> None:
    with hub({"config.json": b'{"a": "\xe9"}'}) as (address, _), pytest.raises(BadFile, match="UTF-8"):
        fetch("microsoft/phi-2", endpoint=address)


def test_a_hub_that_does_not_answer_is_told_with_advice() -> None:
    with hub(FILES) as (address, _):
        pass
    with pytest.raises(HubUnavailable) as caught:
        fetch("microsoft/phi-2", endpoint=address)
    assert "folder" in caught.value.advice


def test_without_its_extra_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubUnavailable, match="not installed") as caught:
        fetch("microsoft/phi-2")
    assert "slmkg[hub]" in caught.value.advice


@pytest.mark.parametrize("name", ["", "..", "a/../b", "https://example.org/a", "a/b/c", "-x/y"])
def test_what_is_no_id_never_reaches_the_network(name: str) -> None:
    with hub(FILES) as (address, asked), pytest.raises(BadParameter, match="no id"):
        fetch(name, endpoint=address)
    assert asked == []


# ---- weights


def test_one_file_is_fetched_to_the_folder_of_its_commit_and_only_once(tmp_path: Path) -> None:
    files = {**FILES, "model-Q8_0.gguf": b"GGUF" * 1000}
    with hub(files) as (address, asked):
        path = download("microsoft/phi-2", tmp_path, file="model-Q8_0.gguf", endpoint=address)
        assert path.read_bytes() == files["model-Q8_0.gguf"]
        assert path.parent.name == f"microsoft--phi-2-{SHA[:12]}"
        asked.clear()
        assert download("microsoft/phi-2", tmp_path, file="model-Q8_0.gguf", endpoint=address) == path
        assert not [one for one in asked if "/resolve/" in one]


def test_a_model_is_its_weights_and_configuration_and_never_its_code(tmp_path: Path) -> None:
    files = {**FILES, "modeling_phi.py": b"import os", "pytorch_model.bin": b"0", "onnx/model.safetensors": b"0"}
    with hub(files) as (address, _):
        folder = download("microsoft/phi-2", tmp_path, endpoint=address)
    assert sorted(one.name for one in folder.iterdir() if one.is_file()) == ["config.json", "model.safetensors"]


def test_a_file_that_the_model_lacks_is_told_with_those_it_has(tmp_path: Path) -> None:
    with hub(FILES) as (address, _), pytest.raises(BadParameter, match=r"has no x\.gguf") as caught:
        download("microsoft/phi-2", tmp_path, file="x.gguf", endpoint=address)
    assert "model.safetensors" in caught.value.advice
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_room_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ingest.huggingface.hub.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 99))
    with hub(FILES) as (address, asked), pytest.raises(NoRoom):
        download("microsoft/phi-2", tmp_path, endpoint=address)
    assert not [path for path in asked if "/resolve/" in path]
