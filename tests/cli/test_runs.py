"""`slmkg import` with files of other tools, and `slmkg export` in formats of others, run as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.test_bulk import Command
from tests.ingest.runs import DATA

THREE = DATA / "three-models.jsonl"


@pytest.fixture
def command(tmp_path: Path, seed_folder: Path) -> Command:
    return Command(tmp_path, seed_folder)


def test_a_run_becomes_one_proposal_and_a_second_import_changes_nothing(command: Command) -> None:
    code, out, err = command.inside("import", THREE, "--device", "xiaomi-14")
    assert (code, "proposal 1: 4 item(s)" in out) == (0, True)
    assert "fits several models: smollm-135m, smollm2-135m" in out
    assert "4 accepted, 1 question, 2 not read" in err
    copied = Path(shutil.copy(THREE, command.folder / "another-name.txt"))
    code, out, err = command.inside("import", copied, "--device", "xiaomi-14")
    assert (code, "4 no change" in err, "nothing new to propose" in err) == (0, True, True)
    code, out, _ = command.inside("proposals", "show", "1")
    assert out.count("pythia-160m") >= 2
    assert "1169.918275" in out


def test_a_folder_is_the_files_in_it(command: Command) -> None:
    folder = command.folder / "run"
    folder.mkdir()
    for name in ("benchmark_config.json", "benchmark_report.json"):
        shutil.copy(DATA / name, folder)
    (folder / "picture.png").write_bytes(b"\x89PNG")
    options = ("--device", "xiaomi-14", "--engine", "llama.cpp", "--dry-run", "--json")
    code, out, _ = command.inside("import", folder, *options)
    answer = json.loads(out)
    assert (code, answer["new"], answer["proposal"]) == (0, 5, None)
    assert {one["file"] for one in answer["findings"]} == {"benchmark_report.json"}


def test_a_csv_of_llama_bench_is_no_table(command: Command) -> None:
    code, out, _ = command.inside(
        "import", DATA / "bench.csv", "--model", "pythia-160m", "--device", "xiaomi-14", "--dry-run"
    )
    assert (code, out.count("accepted")) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((DATA / "eval-results.yaml",), "fits no model of the graph"),
        ((DATA / "bench-crashed.json",), "is not JSON"),
        ((DATA / "system.json",), "no summary with it"),
        ((THREE, "--source", "survey-v3"), "a run is its own source"),
        ((THREE, "--model", "phi-2"), "the files hold several"),
        ((THREE, "--device", "a toaster"), "device"),
        ((DATA / "card.md", DATA / "card.md"), "has the name of another file"),
        ((DATA / "nothing.json",), "cannot be read"),
        ((DATA.parents[3] / "README.md",), "is in no format that is read here"),
        ((DATA.parents[1] / "bulk",), "is a folder without files of runs"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(command: Command, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = command.inside("import", *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert "proposal" not in out


def test_options_of_runs_are_not_for_tables(command: Command) -> None:
    table = command.table("model,layers\nphi-2,33\n")
    code, _, err = command.inside("import", table, "--source", "survey-v3", "--model", "phi-2")
    assert (code, "a table says it itself" in err) == (2, True)


def test_scores_go_out_in_formats_of_others_and_come_back(command: Command) -> None:
    folder = command.folder / "out"
    code, out, _ = command.inside(
        "export", "observations", "--model", "opt-350m", "--format", "every-eval-ever", "--into", folder
    )
    names = [Path(line).name for line in out.split()]
    assert (code, sorted(path.name for path in folder.iterdir())) == (0, sorted(names))
    code, listed, _ = command.inside("export", "observations", "--model", "opt-350m", "-f", "every-eval-ever")
    assert [json.loads((folder / name).read_text(encoding="utf-8")) for name in names] == json.loads(listed)
    card = command.folder / "card.md"
    code, text, _ = command.inside("export", "observations", "--model", "opt-350m", "--format", "model-index")
    card.write_text(text, encoding="utf-8")
    code, _, err = command.inside("import", card, "--dry-run")
    assert (code, "question" in err) == (0, False)


def test_an_evaluation_is_refused_before_anything_runs(command: Command) -> None:
    """What the harness does is tested where it is installed (tests/engines)."""
    model, tasks = command.folder / "model", command.folder / "tasks"
    model.mkdir()
    tasks.mkdir()
    (model / "config.json").write_text('{"slm_weights": "randomly-initialised"}', encoding="utf-8")
    (model / "model.safetensors").write_bytes(b"abc")
    (tasks / "piqa.yaml").write_text("task: piqa\n", encoding="utf-8")
    for arguments, said in {
        ("phi-2", model, "--tasks", tasks): "scores of random weights say nothing",
        ("phi-9", model, "--tasks", tasks): "is no model of the registry",
        ("phi-2", model, "--tasks", model): "no folder with task files",
        ("phi-2", tasks, "--tasks", tasks): "holds no weights",
        ("phi-2", model, "--tasks", tasks, "--suite", "all"): "'all' is no average",
        ("phi-2", model, "--tasks", tasks, "--suite", "mathematics-average", "--benchmark", "piqa"): "not together",
    }.items():
        code, out, err = command.inside("evaluate", *arguments)
        assert (code, out) == (2, ""), err
        assert said in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "claims", "--model", "opt-350m", "--format", "model-index"),
        ("export", "observations", "--format", "model-index"),
        ("export", "observations", "--into", "x"),
    ],
)
def test_formats_of_others_hold_scores_of_one_model(command: Command, arguments: tuple[str, ...]) -> None:
    code, out, _ = command.inside(*arguments)
    assert (code, out) == (2, "")
