"""`slmkg import`, `import-hf` and `export`, run as commands."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main
from app.cli.output import console
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.wiring import build
from tests.ingest.bulk.workbooks import Formula, workbook
from tests.ingest.huggingface import files as samples
from tests.ingest.huggingface.hubs import SHA, hub

RUN = "import sys; sys.argv[0] = 'slmkg'; from app.cli import main; main()"
TABLE = "model,#layers,Parameters [B],MMLU (5-shot),remark 2\nphi-2,33,2.9,57.1,x\nsmollm2-135m,31,,31.5,\n"


class Command:
    """The command line on a store of its own."""

    def __init__(self, folder: Path, seed: Path) -> None:
        self.folder = folder
        self.data = Path(shutil.copytree(seed, folder / "var"))

    def run(self, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments)],
            env={**os.environ, "SLMKG_DATA_DIR": str(self.data), "SLMKG_AGENT": "ada", **settings},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def inside(self, *arguments: str | Path, **settings: str) -> tuple[int, str, str]:
        """The same in this process: exit code, standard output, standard error."""
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        values = {"SLMKG_DATA_DIR": str(self.data), "SLMKG_AGENT": "ada", **settings}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in values.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["slmkg", *map(str, arguments)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(console, "_file", err)  # `file` is a property: undone, it would keep the file of this test
            patch.setattr(sys, "stderr", err)
            try:
                main()
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 0
            else:
                code = 0
        out.flush()
        assert isinstance(out.buffer, io.BytesIO)
        return code, out.buffer.getvalue().decode(), err.getvalue()

    def table(self, text: str, name: str = "mine.csv") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    @property
    def head(self) -> int:
        return EmbeddedStore(self.data / "store").head().number

    @property
    def services(self) -> Services:
        return build(Settings(data_dir=self.data))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, seed_folder: Path) -> Command:
    return Command(tmp_path_factory.mktemp("cli"), seed_folder)


def test_a_dry_run_tells_and_an_import_proposes_once(command: Command) -> None:
    table = command.table(TABLE)
    options = (table, "--source", "survey-v3", "--map", "remark 2=-")
    head = command.head
    dry = command.run("import", *options, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "mine.csv, line 2, column 3 (Parameters [B]): accepted '2.9' as 2900000000" in dry.stdout
    assert command.head == head
    first = command.run("import", *options, "--json", "--title", "Layers of two")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert (report["dry_run"], report["new"], report["counts"]["accepted"]) == (False, 5, 5)
    assert command.head == head + 1
    revision = command.services.store.head()
    assert revision.reason.endswith("Layers of two")
    assert revision.author.endswith("/agent/ada")
    again = command.run("import", *options)
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing new to propose" in again.stderr
    assert command.head == head + 1
    exported = command.run("export", "proposal", str(report["proposal"]))
    rows = list(csv.DictReader(io.StringIO(exported.stdout, newline="")))
    assert len(rows) == 5
    assert {row["source"] for row in rows} == {"survey-v3"}
    back = command.run("import", command.table(exported.stdout, "back.csv"))
    assert "5 no change" in back.stderr
    assert command.head == head + 1


@pytest.mark.parametrize("what", ["claims", "models", "observations"])
def test_an_export_of_some_models_comes_back_with_no_change(command: Command, what: str) -> None:
    code, exported, err = command.inside("export", what, "--model", "phi-2", "--model", "openelm-270m")
    assert code == 0, err
    assert exported.count("\n") > 10
    head = command.head
    code, back, err = command.inside("import", command.table(exported, f"{what}.csv"), "--json")
    assert code == 0, err
    assert json.loads(back)["new"] == 0
    assert command.head == head


def test_meanings_of_columns_may_stand_in_a_file(command: Command) -> None:
    table = command.table("who,how many blocks,x\nphi-2,33,1\n", "odd.csv")
    meanings = command.table("# mine\nwho=model\n\nhow many blocks=num_layers\nx=-\n", "meanings.txt")
    options = ("--source", "survey-v3", "--map-file", meanings, "--dry-run", "--json")
    code, out, err = command.inside("import", table, *options)
    assert code == 0, err
    assert json.loads(out)["columns"][1] == {"header": "how many blocks", "meaning": "num_layers"}


@pytest.mark.parametrize(
    ("table", "options", "told"),
    [
        (TABLE, (), "line 1, column 5 (remark 2)"),
        ("model,layers\nphi-2,12-24\n", (), "line 2, column 2 (layers)"),
        ("model,layers\nphi-9,12\n", (), "line 2, column 1 (model)"),
        ('model,layers\nphi-2,"12\n', (), "line 2"),
        (TABLE, ("--map", "remark 2"), "COLUMN=PROPERTY"),
        (TABLE, ("--map", "remark=-"), "Did you mean 'remark 2'"),
        (TABLE, ("--source", "no-such"), "no-such"),
        (TABLE, ("--map", "remark 2=-", "--source-title", "T"), "--source SLUG"),
    ],
)
def test_bad_input_exits_with_2_says_where_and_changes_nothing(
    command: Command, table: str, options: tuple[str, ...], told: str
) -> None:
    head = command.head
    source = () if "--source" in options or "--source-title" in options else ("--source", "survey-v3")
    code, out, err = command.inside("import", command.table(table, "bad.csv"), *source, *options)
    assert code == 2, out + err
    assert told in err
    assert "Traceback" not in err
    assert command.head == head


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("latin.csv", "model,tokenizer\nphi-2,café\n".encode("latin-1"), "line 2, column 10"),
        ("empty.csv", b"", "no header"),
        ("head.csv", b"model,layers\n", "no row"),
        ("unit.csv", b"model,hidden_size [GB]\nphi-2,2048\n", "line 1, column 2"),
        ("two.csv", b'model,params\nphi-2,"Base = 110M, Large = 340M"\n', "several"),
        ("sums.xlsx", workbook([["model", "layers"], ["phi-2", Formula("B9*2", 66)]]), "formula"),
        ("cut.xlsx", workbook([["model", "layers"], ["phi-2", 33]])[:300], "no workbook"),
        ("big.csv", None, "larger than"),
        ("big.xlsx", None, "larger than"),
    ],
)
def test_a_bad_file_exits_with_2_says_where_and_changes_nothing(
    command: Command, name: str, content: bytes | None, told: str
) -> None:
    path = command.folder / name
    if content is None:
        with path.open("wb") as handle:
            handle.truncate(100_000_000)
    else:
        path.write_bytes(content)
    head = command.head
    for more in ((), ("--dry-run",)):
        code, out, err = command.inside("import", path, "--source", "survey-v3", *more)
        assert told in out + err
        assert "Traceback" not in err
        assert code == 2
    assert command.head == head


def test_a_path_that_is_not_there_and_nobody_who_proposes(command: Command) -> None:
    for arguments in (("import", "none.csv"), ("import", "none.doc"), ("import-hf", "none")):
        assert command.inside(arguments[0], command.folder / arguments[1])[0] == 2
    table = command.table("model,layers\nphi-1,99\n")
    code, _, err = command.inside("import", table, "--source", "survey-v3", SLMKG_AGENT="")
    assert code == 2
    assert "SLMKG_AGENT" in err
    assert command.inside("import", table, "--source", "survey-v3", "--as", "Not me!")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("export", "claims", "--model", "phi-9"), 1),
        (("export", "claims", "--source", "nobody"), 1),
        (("export", "claims", "3"), 2),
        (("export", "proposal"), 2),
        (("export", "proposal", "999"), 1),
        (("export", "dreams"), 2),
    ],
)
def test_what_cannot_be_exported_is_told(command: Command, arguments: tuple[str, ...], code: int) -> None:
    found, out, err = command.inside(*arguments)
    assert (found, out) == (code, "")
    assert err


def test_files_of_a_model_become_one_proposal(command: Command) -> None:
    folder = command.folder / "model"
    folder.mkdir()
    (folder / "config.json").write_text(samples.text(samples.LLAMA), encoding="utf-8")
    (folder / "README.md").write_text(samples.CARD, encoding="utf-8")
    options = (folder, "--model", "phi-1", "--revision", SHA)
    done = command.run("import-hf", *options, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    exported = command.run("export", "proposal", str(report["proposal"]))
    rows = list(csv.DictReader(io.StringIO(exported.stdout, newline="")))
    assert {row["source"] for row in rows} == {f"config-phi-1-{SHA[:12]}", f"card-phi-1-{SHA[:12]}"}
    layers = next(row for row in rows if row["property"] == "num_layers")
    assert (layers["locator"], layers["quote"]) == ("config.json#/num_hidden_layers", '"num_hidden_layers": 22')
    again = command.run("import-hf", *options)
    assert "nothing new to propose" in again.stderr


def test_a_model_of_the_hub_is_fetched_from_where_hf_endpoint_says(command: Command) -> None:
    files = {"config.json": samples.text({**samples.LLAMA, "num_hidden_layers": 40}).encode()}
    with hub(files) as (address, _):
        done = command.run("import-hf", "microsoft/phi-2", "--json", HF_ENDPOINT=address)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    exported = command.run("export", "proposal", str(report["proposal"])).stdout
    assert f"config-phi-2-{SHA[:12]}" in exported
    assert f"https://huggingface.co/microsoft/phi-2/blob/{SHA}/config.json" in exported
    assert ",2024-01-09," in exported


def test_a_hub_that_does_not_answer_is_told(command: Command) -> None:
    with hub({}) as (address, _):
        pass
    done = command.run("import-hf", "microsoft/phi-2", HF_ENDPOINT=address)
    assert done.returncode == 1
    assert "the hub does not answer" in done.stderr
    assert "Traceback" not in done.stderr
