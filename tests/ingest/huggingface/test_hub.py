"""Fetching from a hub: two small files at one commit, nothing else, and errors that say what to do."""

from __future__ import annotations

import sys

import pytest

from app.errors import BadFile, BadParameter, HubUnavailable
from app.ingest.huggingface.hub import fetch
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
