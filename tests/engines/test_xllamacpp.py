"""The ready-made server measures a tiny model, with a vocabulary that is made up for it. Needs the extra.

It is run apart from the other tests, where the extras `measure` and `measure-lite` are installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from app.errors import BadFile, EngineRefused
from app.measure.engines import xllamacpp as engine
from app.measure.engines.vocabulary import with_vocabulary
from app.measure.gguf.files import prepare
from app.measure.records import from_json, to_json
from app.measure.statistics import figures
from app.measure.values import Cell, CellResult, Engine, Phase, RandomWeights, Sampling, Status, Subject
from tests.measure.tiny import TINY, cell


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return prepare(Subject("tiny", TINY), RandomWeights(), "Q8_0", folder, lambda *_: None)


def run(one: Cell, folder: Path) -> CellResult:
    """Measured in a process of its own, as always: the server ends badly in a process that does other things."""
    question = json.dumps({"cell": to_json(one), "folder": str(folder)}).encode()
    program = [sys.executable, "-m", "app.measure.cell"]
    done = subprocess.run(program, input=question, capture_output=True, check=False, timeout=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr.decode()
    return from_json(CellResult, lines[-1]["result"])


@pytest.mark.parametrize("depth", [0, 40])
def test_a_cell_is_measured_through_the_server(folder: Path, depth: int) -> None:
    wanted = Sampling(clean=2, warm_ups=1, seconds=1.0)
    result = run(
        cell(engine=Engine.XLLAMACPP, variant="Q8_0", prompt=30, generated=5, depth=depth, sampling=wanted), folder
    )
    assert (result.status, result.message) == (Status.OK, None)
    assert {(one.phase, one.tokens) for one in result.samples} == {
        (Phase.LOAD, 0),
        (Phase.PREFILL, 30),
        (Phase.DECODE, 5),
    }
    assert all(len(one.per_token_ns) == 5 for one in result.samples if one.phase is Phase.DECODE)
    assert result.settings["server_timings"]["cache_n"] == depth
    assert result.settings["server_timings"]["prompt_n"] == 30
    assert result.settings["made_up_vocabulary"] is True
    assert result.build is not None
    assert (result.build.name, bool(result.build.flags)) == ("xllamacpp", True)
    assert {"decode-throughput", "time-to-first-token"} <= {one.metric for one in figures(result)}


def test_a_vocabulary_leaves_tensors_and_facts_as_they_are(file: Path) -> None:
    spoken = with_vocabulary(file)
    before, after = gguf.GGUFReader(file), gguf.GGUFReader(spoken)
    assert [one.name for one in before.tensors] == [one.name for one in after.tensors]
    for one, other in zip(before.tensors, after.tensors, strict=True):
        assert one.tensor_type == other.tensor_type
        assert np.array_equal(one.data, other.data)
    for name in set(before.fields) - {"GGUF.kv_count", "tokenizer.ggml.model"}:
        assert before.fields[name].contents() == after.fields[name].contents(), name
    tokens = after.fields["tokenizer.ggml.tokens"].contents()
    assert len(tokens) == len(set(tokens)) == TINY.vocabulary_size


def test_a_vocabulary_is_made_once_and_kept_where_there_is_one(file: Path) -> None:
    spoken = with_vocabulary(file)
    written = spoken.stat().st_mtime_ns
    assert with_vocabulary(file) == spoken
    assert spoken.stat().st_mtime_ns == written
    assert with_vocabulary(spoken) == spoken


def test_a_vocabulary_without_room_for_letters_is_refused(tmp_path: Path) -> None:
    small = replace(TINY, vocabulary_size=100)
    made = prepare(Subject("small", small), RandomWeights(), "F16", tmp_path, lambda *_: None)
    with pytest.raises(EngineRefused, match="no room for the letters"):
        with_vocabulary(made)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        engine.measure(cell(engine=Engine.XLLAMACPP), tmp_path / "gone.gguf", lambda *_: None)
