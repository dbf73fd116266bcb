"""Runs become files and come back exactly; a spoilt file is refused by line and member."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import BadFile
from app.measure.records import from_json, key, read_run, run_text, to_json
from app.measure.values import (
    Artifact,
    Cell,
    CellResult,
    Engine,
    EngineBuild,
    Environment,
    Matrices,
    Memory,
    Phase,
    RandomWeights,
    RealWeights,
    Run,
    Sample,
    Sampling,
    Status,
    Subject,
)
from app.model.architecture import Architecture

ARCHITECTURE = Architecture(
    architecture_class="OpenELMForCausalLM",
    num_layers=2,
    hidden_size=64,
    num_attention_heads=(4, 6),
    num_key_value_heads=(2, 2),
    intermediate_size=(128, 192),
)
CELL = Cell(
    Subject("tiny", ARCHITECTURE), RandomWeights(7), "Q8_0", Engine.LLAMA_CPP, 50, 50, 1, 0, Sampling(2, 1, 3.5)
)
SAMPLE = Sample(Phase.DECODE, 2, 300, 290, 5, 0, 0, True, (140, 160))
RESULT = CellResult(
    CELL,
    Status.OK,
    "2026-11-21T12:00:00Z",
    1.25,
    "abc",
    artifact=Artifact(
        "00ff", 1000, "GGUF", 2000, 4.0, {"Q8_0": 1500, "F32": 500}, Matrices({"Q8_0": 1000}, {"Q8_0": 500})
    ),
    build=EngineBuild("llama.cpp", "0.3.36", "0c1e570", None),
    memory=Memory(1000, 10, 20, None, 5000),
    settings={"n_ctx": 256, "flash_attention": "auto"},
    samples=(SAMPLE,),
    finite_logits=True,
)
FAILED = CellResult(CELL, Status.TIMEOUT, "2026-11-21T12:00:09Z", 4.0, "abc", message="killed after 4 s")
RUN = Run(
    "run-1",
    "2026-11-21T12:00:00Z",
    "2026-11-21T12:01:00Z",
    "somebody",
    {"abc": Environment("abc", {"cpu": {"model": "x"}, "governor": None, "flags": ["avx2"]}, {"kernel": "6"})},
    (RESULT, FAILED),
)


def test_a_run_file_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(run_text(RUN), encoding="utf-8")
    assert read_run(path) == RUN
    assert run_text(read_run(path)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [RESULT, FAILED])
def test_a_result_comes_back_from_json_text(value: CellResult) -> None:
    assert from_json(CellResult, json.loads(json.dumps(to_json(value)))) == value


def test_a_key_tells_questions_apart() -> None:
    real = Cell(CELL.subject, RealWeights("/models/tiny.gguf", "00"), "Q8_0", Engine.LLAMA_CPP, 50, 50, 1)
    assert key(CELL) == key(from_json(Cell, to_json(CELL)))
    assert key(real) != key(CELL)
    assert len(key(CELL)) == 16


@pytest.mark.parametrize(
    ("line", "old", "new", "told"),
    [
        (1, "slmkg-run/1", "slmkg-run/9", "line 1: is no run file"),
        (2, '"prompt_tokens": 50', '"prompt_tokens": "many"', "line 2: /cell/prompt_tokens"),
        (2, '"status": "ok"', '"status": "fine"', "line 2: /status"),
        (3, "{", "[", "line 3: is not JSON"),
        (1, '"cpu": {"model": "x"}', '"cpu": "x"', "line 1: /environments/abc"),
        (2, '"num_layers": 2', '"num_layers": 0', "line 2: /cell/subject/architecture"),
    ],
)
def test_a_spoilt_file_is_refused_by_line(tmp_path: Path, line: int, old: str, new: str, told: str) -> None:
    lines = run_text(RUN).splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadFile) as refused:
        read_run(path)
    assert told in refused.value.message


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadFile, match=r"run\.jsonl"):
        read_run(path)


def test_an_empty_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").touch()
    with pytest.raises(BadFile):
        read_run(tmp_path / "run.jsonl")
