"""The real engine on files of every architecture: quantised, loaded, decoded, with finite logits.

The engine runs in a process of its own, so that its crash is a failed test and not the end of all tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.measure.gguf import inspect
from app.measure.gguf.architectures import blueprint, cache_bytes
from app.measure.gguf.files import expected_bytes, prepare
from app.measure.gguf.variants import VARIANTS, storage
from app.measure.values import RandomWeights, Subject
from tests.measure.gguf.facts import ROOT, TINY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of files for all tests of this module."""
    return tmp_path_factory.mktemp("gguf")


def _made(folder: Path, names: Iterable[str], variants: Iterable[str]) -> dict[tuple[str, str], Path]:
    wanted = [(name, variant) for name in names for variant in variants]
    return {
        (name, variant): prepare(Subject(name, TINY[name]), RandomWeights(), variant, folder, lambda *_: None)
        for name, variant in wanted
    }


def _decoded(paths: Iterable[Path]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.engines.decoding", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _assert_they_run(made: dict[tuple[str, str], Path]) -> None:
    answers = _decoded(made.values())
    for (name, variant), answer in zip(made, answers, strict=True):
        facts = TINY[name]
        assert answer["loaded"], (name, variant)
        assert answer["codes"] == [0, 0, 0, 0], (name, variant)
        assert answer["finite"], (name, variant)
        assert answer["tokens"] == facts.vocabulary_size
        assert answer["parameters"] == blueprint(facts).parameters
        # A saved state has a few bytes for each token besides keys and values.
        before, after = answer["saved"]
        beside = (after - before) - (cache_bytes(facts, 40) - cache_bytes(facts, 8))
        assert 0 <= beside <= 32 * 32, (name, variant)


def _assert_types_are_as_expected(made: dict[tuple[str, str], Path]) -> None:
    for (name, variant), path in made.items():
        found = inspect.contents(path)
        model = blueprint(TINY[name])
        kinds = storage(model, VARIANTS[variant])
        expected = {tensor.name: (kinds[tensor.name].value, tensor.shape) for tensor in model.tensors}
        assert found.tensors == expected, (name, variant)
        assert found.variant == variant
        assert abs(expected_bytes(Subject(name, TINY[name]), variant) - path.stat().st_size) < 4096


def test_the_engine_runs_every_architecture(folder: Path) -> None:
    made = _made(folder, TINY, ["F16"])
    _assert_types_are_as_expected(made)
    _assert_they_run(made)


def test_the_engine_runs_quantised_files(folder: Path) -> None:
    made = _made(folder, ["llama-odd-rows", "openelm"], ["Q8_0", "Q4_K_M"])
    _assert_types_are_as_expected(made)
    _assert_they_run(made)


def test_seeds_decide_about_the_numbers(folder: Path) -> None:
    subject = Subject("llama", TINY["llama"])
    paths = [prepare(subject, RandomWeights(seed), "F16", folder, lambda *_: None) for seed in (1, 2)]
    again = prepare(subject, RandomWeights(1), "F16", folder / "again", lambda *_: None)
    first, second, third = (answer["logits"] for answer in _decoded([*paths, again]))
    assert first != second
    assert first == third


@pytest.mark.heavy
def test_the_engine_runs_every_architecture_quantised(folder: Path) -> None:
    made = _made(folder, TINY, ["Q8_0", "Q4_K_M"])
    _assert_types_are_as_expected(made)
    _assert_they_run(made)


@pytest.mark.heavy
def test_the_engine_runs_every_variant(folder: Path) -> None:
    made = _made(folder, ["llama", "llama-odd-rows", "gptneox", "qwen2-own-head"], VARIANTS)
    _assert_types_are_as_expected(made)
    _assert_they_run(made)
