"""The program that measures one cell: its lines, its exit codes, and what becomes of faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.measure.cell import Question, answer
from app.measure.environment import capture
from app.measure.programs import EXIT_NOT_OK, EXIT_OK, EXIT_ORPHAN, EXIT_UNREADABLE
from app.measure.records import from_json, to_json
from app.measure.statistics import figures
from app.measure.values import Cell, CellResult, Engine, Phase, RealWeights, Sampling, Status, Subject
from app.model.tensors import parameter_count
from tests.measure.tiny import TINY, cell, spoil

PROGRAM = (sys.executable, "-m", "app.measure.cell")


@dataclass(frozen=True)
class Ran:
    """What the program left."""

    code: int
    lines: Sequence[dict[str, Any]]
    errors: str

    @property
    def result(self) -> CellResult:
        return from_json(CellResult, self.lines[-1]["result"])


def run(question: dict[str, Any] | bytes, program: Sequence[str] = PROGRAM) -> Ran:
    text = question if isinstance(question, bytes) else json.dumps(question).encode()
    done = subprocess.run(program, input=text, capture_output=True, check=False, timeout=60)
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def done(folder: Path) -> Ran:
    return run({"cell": to_json(cell(variant="Q8_0")), "folder": str(folder)})


def asked(one: Cell, folder: Path) -> CellResult:
    """The answer without a process of its own, for what cannot harm this one."""
    return answer(Question(one, folder), lambda _: None)


def test_a_cell_ends_with_its_result(done: Ran) -> None:
    assert done.code == EXIT_OK, done.errors
    result = done.result
    assert (result.status, result.cell, result.message) == (Status.OK, cell(variant="Q8_0"), None)
    assert {one.phase for one in result.samples} == set(Phase)
    assert result.artifact is not None
    assert result.artifact.parameters == parameter_count(TINY)
    assert result.artifact.tensor_types["Q8_0"] > result.artifact.tensor_types["F32"]
    assert result.build is not None
    assert result.seconds > 0
    assert set(result.settings["load"]) == {"before", "after"}
    assert {"decode-throughput", "prefill-latency", "memory-footprint"} <= {one.metric for one in figures(result)}


def test_every_line_is_json_of_one_kind_and_the_result_comes_last(done: Ran) -> None:
    kinds = [set(line) for line in done.lines]
    assert kinds[0] == {"environment"}
    assert kinds[-1] == {"result"}
    assert kinds[1:-1] == [{"progress"}] * (len(kinds) - 2)
    told = [line["progress"] for line in done.lines[1:-1]]
    assert all(0 <= one["share"] <= 1 and set(one) == {"step", "share", "rates"} for one in told)
    steps = [one["step"] for one in told]
    assert steps.index("load") < steps.index("warm-up") < steps.index("sample")
    assert told[-1]["rates"]["decode_tokens_per_second"] > 0


def test_the_environment_is_told_and_named_by_the_result(done: Ran) -> None:
    told = done.lines[0]["environment"]
    assert told["fingerprint"] == done.result.environment == capture().fingerprint
    assert set(told) == {"fingerprint", "hardware", "software"}


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (b"", "is not JSON"),
        (b"[1]", "is no JSON object"),
        (b"{}", "/folder: names no folder"),
        ({"folder": "x"}, "/cell"),
        ({"folder": "x", "cell": {**to_json(cell()), "prompt_tokens": "ten"}}, "/cell/prompt_tokens"),
        ({"folder": "x", "cell": to_json(cell(prompt=0))}, "/cell/prompt_tokens: 0 is below 1"),
        ({"folder": "x", "cell": to_json(cell(threads=0))}, "/cell/threads: 0 is below 1"),
        ({"folder": "x", "cell": to_json(cell(depth=-1))}, "/cell/depth: -1 is below 0"),
        ({"folder": "x", "cell": to_json(cell()), "parent": "me"}, "/parent"),
    ],
)
def test_a_question_that_cannot_be_read_is_refused_with_its_place(question: dict[str, Any] | bytes, told: str) -> None:
    ran = run(question)
    assert (ran.code, ran.lines) == (EXIT_UNREADABLE, [])
    assert told in ran.errors
    assert "Traceback" not in ran.errors


def test_a_failed_cell_has_its_own_exit_code(tmp_path: Path) -> None:
    one = replace(cell(), weights=RealWeights(str(tmp_path / "gone.gguf"), "00"))
    ran = run({"cell": to_json(one), "folder": str(tmp_path)})
    assert ran.code == EXIT_NOT_OK
    assert ran.result.status is Status.FAILED
    assert "gone.gguf: is not there" in str(ran.result.message)


def released(folder: Path) -> Path:
    """A file of the tiny model to spoil."""
    from app.measure.gguf.files import prepare

    made = prepare(Subject("tiny", TINY), cell().weights, "F16", folder, lambda *_: None)
    return made.rename(folder / "released.gguf")


def real(path: Path) -> Cell:
    from app.measure.gguf.inspect import sha256

    return replace(cell(), weights=RealWeights(str(path), sha256(path)))


def test_released_weights_are_measured(tmp_path: Path) -> None:
    result = asked(real(released(tmp_path)), tmp_path)
    assert (result.status, result.message) == (Status.OK, None)


def test_a_corrupt_file_is_told(tmp_path: Path) -> None:
    path = released(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = asked(real(path), tmp_path)
    assert result.status is Status.FAILED
    assert "released.gguf" in str(result.message)
    assert figures(result) == ()


def test_weights_that_give_no_numbers_fail_and_keep_their_samples(tmp_path: Path) -> None:
    path = released(tmp_path)
    spoil(path, float("inf"))
    result = asked(real(path), tmp_path)
    assert (result.status, result.finite_logits) == (Status.FAILED, False)
    assert "not all finite" in str(result.message)
    assert result.samples
    assert figures(result) == ()


def test_an_architecture_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    result = asked(cell(architecture=replace(TINY, hidden_size=None)), tmp_path)
    assert result.status is Status.FAILED
    assert "hidden_size" in str(result.message)


@pytest.mark.parametrize("tokens", [5_000_000, 50_000_000])
def test_too_little_memory_has_its_own_status(folder: Path, tokens: int) -> None:
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "from app.measure.cell import main\n"
        "sys.exit(main())\n"
    )
    ran = run({"cell": to_json(cell(generated=tokens)), "folder": str(folder)}, (sys.executable, "-c", limited))
    assert ran.code == EXIT_NOT_OK
    assert ran.result.status is Status.MEMORY_LIMIT
    assert "Take a variant with fewer bits" in str(ran.result.message)


@pytest.mark.parametrize(("engine", "extra"), [(Engine.TORCH, "measure-torch"), (Engine.XLLAMACPP, "measure-lite")])
def test_an_engine_that_is_not_installed_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, engine: Engine, extra: str
) -> None:
    for package in ("torch", "xllamacpp"):
        monkeypatch.setitem(sys.modules, package, None)  # what the import system does for a package that is not there
    result = asked(cell(engine=engine, variant="F16"), folder)
    assert result.status is Status.FAILED
    assert f"slmkg[{extra}]" in str(result.message)


ENDLESS = replace(cell(), sampling=Sampling(clean=10_000, seconds=600))


def started(folder: Path, parent: str) -> int:
    """The process id of a cell that samples and samples; `parent` is the program that starts it."""
    question = json.dumps({"cell": to_json(replace(ENDLESS, prompt_tokens=400, generated_tokens=400)), "folder": "F"})
    script = parent.format(program=list(PROGRAM), question=question.replace('"F"', json.dumps(str(folder))))
    runner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    pid = int(runner.stdout.readline())
    runner.stdout.readline()  # its first line: it runs
    runner.kill()
    runner.communicate()
    return pid


def test_a_cell_dies_with_its_parent(folder: Path) -> None:
    pid = started(
        folder,
        "import subprocess\n"
        "p = subprocess.Popen({program}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "print(p.pid, flush=True)\n"
        "p.stdin.write({question!r})\n"
        "p.stdin.close()\n"
        "print(p.stdout.readline(), flush=True)\n"
        "p.wait()\n",
    )
    assert gone(pid)


def gone(pid: int) -> bool:
    """Whether the process ends within a few seconds; a zombie has ended."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_cell_whose_parent_is_gone_already_does_nothing(folder: Path) -> None:
    ran = run({"cell": to_json(cell()), "folder": str(folder), "parent": 2**22 + 1})
    assert (ran.code, ran.lines) == (EXIT_ORPHAN, [])


def test_a_cell_that_nobody_listens_to_ends(folder: Path) -> None:
    process = subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(json.dumps({"cell": to_json(ENDLESS), "folder": str(folder)}).encode())
    process.stdin.close()
    assert process.wait(30) == EXIT_ORPHAN
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_what_native_code_prints_does_not_get_between_the_lines(tmp_path: Path) -> None:
    loud = (
        "import os, sys\n"
        "from app.measure import cell\n"
        "real = cell._measured\n"
        "def measured(*given):\n"
        "    os.write(1, b'native chatter\\n')\n"
        "    print('python chatter')\n"
        "    return real(*given)\n"
        "cell._measured = measured\n"
        "sys.exit(cell.main())\n"
    )
    question = json.dumps({"cell": to_json(cell()), "folder": str(tmp_path)}).encode()
    done = subprocess.run([sys.executable, "-c", loud], input=question, capture_output=True, check=False)
    assert done.returncode == EXIT_OK
    assert all(line.startswith(b"{") for line in done.stdout.splitlines())
    assert b"native chatter" in done.stderr
    assert b"python chatter" in done.stderr
