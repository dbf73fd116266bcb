"""llama.cpp runs a tiny model: phases, tokens and bytes are what was asked for, and bad files end in named errors."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import BadFile, EngineRefused
from app.measure.engines import llamacpp
from app.measure.engines.sampling import Measurement
from app.measure.gguf.files import prepare
from app.measure.occupancy import is_possible
from app.measure.values import Cell, Phase, RandomWeights, Sampling, Subject
from app.model.architecture import LOCAL_GLOBAL, kv_cache_bytes
from app.model.tensors import parameter_count
from tests.measure.tiny import TINY, cell, spoil


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return prepare(Subject("tiny", TINY), RandomWeights(), "F16", folder, lambda *_: None)


def measured(file: Path, one: Cell) -> Measurement:
    return llamacpp.measure(one, file, lambda *_: None)


def test_a_cell_has_load_prefill_and_decode_with_their_tokens(file: Path) -> None:
    told = measured(file, cell(prompt=20, generated=5, sampling=Sampling(clean=1, warm_ups=0, seconds=0.0)))
    assert [one.phase for one in told.samples] == [Phase.LOAD, Phase.PREFILL, Phase.DECODE]
    assert [one.tokens for one in told.samples] == [0, 20, 5]
    assert all(is_possible(one, 1) for one in told.samples)
    decoded = told.samples[2]
    assert len(decoded.per_token_ns) == 5
    assert sum(decoded.per_token_ns) <= decoded.wall_ns
    assert told.finite_logits is True


@pytest.mark.parametrize(("depth", "prompt"), [(0, 1), (0, 50), (30, 20), (2100, 2100)])
def test_the_cache_holds_what_the_formula_says(file: Path, depth: int, prompt: int) -> None:
    told = measured(file, cell(depth=depth, prompt=prompt, sampling=Sampling(clean=1, warm_ups=0, seconds=0.0)))
    assert told.memory.kv_used == kv_cache_bytes(TINY, depth + prompt)
    context = told.settings["context"]
    assert context >= depth + prompt + 6
    assert told.memory.kv_allocated == kv_cache_bytes(TINY, context)


def test_a_windowed_layer_is_allocated_in_full_and_used_up_to_its_window(tmp_path: Path) -> None:
    facts = replace(TINY, architecture_class="Gemma2ForCausalLM", attention_type=LOCAL_GLOBAL, sliding_window_size=16)
    made = prepare(Subject("windowed", facts), RandomWeights(), "F16", tmp_path, lambda *_: None)
    told = measured(made, cell(prompt=40, architecture=facts))
    assert told.settings["window"] == 16
    assert told.memory.kv_used == kv_cache_bytes(facts, 40)
    assert told.memory.kv_allocated == kv_cache_bytes(TINY, told.settings["context"])


def test_the_engine_tells_what_it_is_and_what_it_holds(file: Path) -> None:
    told = measured(file, cell())
    assert told.build.name == "llama.cpp"
    assert told.build.version
    assert told.build.commit
    assert "CPU" in str(told.build.flags)
    assert told.settings["parameters"] == parameter_count(TINY)
    assert told.settings["memory_mapping"] is False
    assert isinstance(told.settings["flash_attention"], bool)
    assert told.memory.weights is not None
    assert told.memory.weights >= 2 * parameter_count(TINY)
    assert told.memory.compute_buffer
    assert told.memory.peak_rss > told.memory.weights


def test_progress_ends_with_everything_done(file: Path) -> None:
    heard: list[tuple[str, float, Mapping[str, float]]] = []
    llamacpp.measure(cell(), file, lambda step, share, rates: heard.append((step, share, rates)))
    assert [step for step, _, _ in heard][:3] == ["load", "load", "warm-up"]
    assert all(0 <= share <= 1 for _, share, _ in heard)
    last, share, rates = heard[-1]
    assert (last, share) == ("sample", 1)
    assert rates["prefill_tokens_per_second"] > 0
    assert rates["decode_tokens_per_second"] > 0


def test_two_threads_run_too(file: Path) -> None:
    told = measured(file, cell(prompt=8, generated=2, threads=2, sampling=Sampling(clean=1, warm_ups=0, seconds=0.0)))
    assert told.finite_logits is True
    assert len(told.samples) >= 3


def test_logits_that_are_no_numbers_are_seen(file: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.gguf"
    shutil.copyfile(file, spoilt)
    spoil(spoilt, float("nan"))
    assert measured(spoilt, cell()).finite_logits is False


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read"), (b"", "is no GGUF file"), (b"PK\x03\x04 something else", "is no GGUF file")],
)
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadFile, match=problem):
        measured(path, cell())


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused(file: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.gguf"
    content = file.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BadFile, match="cut off or spoilt") as refused:
        measured(path, cell())
    assert "Remove it" in refused.value.advice


def test_an_architecture_that_the_engine_does_not_know_is_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "unknown.gguf"
    path.write_bytes(file.read_bytes().replace(b"llama", b"lhama"))
    with pytest.raises(EngineRefused, match="does not load the file"):
        measured(path, cell())
