"""`slmkg orkg pull`, `map` and `poll`, run as commands against the double."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.store.embedded import EmbeddedStore
from tests.cli.run import slmkg
from tests.curate.orkg_world import ROWS, models
from tests.orkg_double.faults import Bend
from tests.orkg_double.process import running
from tests.orkg_double.steering import Steering

SURVEY = "R753434"
SMALL = "R900001"


class Commands:
    """The command line on a store of its own, with a double in place of the ORKG."""

    def __init__(self, data: Path, double: Steering) -> None:
        self.data = data
        self.double = double

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        given = {"orkg_url": self.double.address, "orkg_per_second": "1000", "agent": "ada", **settings}
        return slmkg(self.data, "orkg", *arguments, **given)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def head(self) -> int:
        return EmbeddedStore(self.data / "store").head().number

    @property
    def archived(self) -> list[str]:
        return sorted(str(path.relative_to(self.data)) for path in (self.data / "orkg").rglob("pulls/*.json"))


@pytest.fixture(scope="module")
def double() -> Iterator[Steering]:
    with running() as steering:
        yield steering


@pytest.fixture(scope="module")
def looked(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory, double: Steering) -> Path:
    """A data folder into which the small comparison was pulled; nothing of it is mapped."""
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("orkg") / "var"))
    double.reset()
    done = Commands(data, double)("pull", SMALL)
    assert done.returncode == 0, done.stderr
    assert "unmapped" in done.stderr
    assert f"slmkg orkg map {SMALL}" in done.stderr
    assert "proposal" not in done.stdout
    return data


@pytest.fixture
def orkg(looked: Path, double: Steering) -> Iterator[Commands]:
    """Commands on it; archive and double are as after the pull, and no test changes the store."""
    double.reset()
    kept = looked.with_name("kept")
    shutil.copytree(looked / "orkg", kept)
    commands = Commands(looked, double)
    head = commands.head
    yield commands
    assert commands.head == head
    shutil.rmtree(looked / "orkg")
    kept.rename(looked / "orkg")


def test_from_a_pull_over_the_mapping_to_a_proposal_and_then_no_change(
    seed_folder: Path, tmp_path: Path, double: Steering
) -> None:
    orkg = Commands(Path(shutil.copytree(seed_folder, tmp_path / "var")), double)
    double.reset("r753434")
    before = orkg.head
    assert orkg.json("pull", SURVEY)["proposal"] is None
    given = orkg.json("map", SURVEY)
    assert not list(orkg.data.rglob("mapping.json")), "looking writes nothing"
    known = models()
    said = [f"--row={path}={means}" for path, means in ROWS.items()]
    said += [f"--column={one['source']}={known[one['label']]}" for one in given["columns"] if not one["suggested"]]
    mapped = orkg("map", SURVEY, "--confirm", *said)
    assert "row P18097 'organization': = maker; 53 cells" in mapped.stdout
    assert "wait" not in mapped.stderr

    double.forget_log()
    kept = orkg("pull", SURVEY, "--kept")
    assert kept.returncode == 0, kept.stderr
    assert "proposal 1: 604 item(s)" in kept.stdout
    assert "conflicting" in kept.stderr
    told = kept.stdout.splitlines()
    assert sum("Phi-3.5-mini* 2.7B" in line and "(P103002): conflicting" in line for line in told) == 1
    assert sum("OpenELM 270M" in line and "'12-20' is a range" in line for line in told) == 1, "once for both tables"
    assert double.log() == [], "the last pull is read again without a request"
    assert orkg.head == before + 1

    again = orkg.json("pull", SURVEY)
    assert (again["proposal"], again["new"], again["changed"]) == (None, 0, False)
    assert orkg.head == before + 1
    assert len(orkg.archived) == 1
    for table in again["tables"]:
        assert sum(table["counts"].values()) == table["cells"]


def test_a_dry_run_keeps_nothing(orkg: Commands) -> None:
    statement = orkg.double.ask("DELETE", "/api/statements/S900009")
    assert statement.status_code == 204
    told = orkg.json("pull", SMALL, "--dry-run")
    assert (told["dry_run"], told["changed"]) == (True, False)
    assert len(orkg.archived) == 1


def test_a_poll_looks_cheaply_and_pulls_what_changed(orkg: Commands) -> None:
    quiet = orkg("poll", SMALL)
    assert quiet.returncode == 0, quiet.stderr
    assert "no change" in quiet.stderr
    assert len(orkg.double.log()) == 2
    assert orkg.double.ask("DELETE", "/api/statements/S900009").status_code == 204
    orkg.double.forget_log()
    assert orkg.json("poll", SMALL)["changed"] is True
    assert len(orkg.double.log()) > 5
    assert len(orkg.archived) == 2


def test_once_a_week_a_poll_pulls_everything(orkg: Commands) -> None:
    (log,) = (orkg.data / "orkg").rglob("log.jsonl")
    log.write_text(log.read_text().replace('"at": "2', '"at": "1', 1))
    assert orkg("poll", SMALL).returncode == 0
    assert len(orkg.double.log()) > 5


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (Bend("rename", path=".*/contents", key="values", to="cells"), "at /values: Field required"),
        (Bend("half-empty", path=f".*/{SMALL}/contents"), "leaves out"),
        (Bend("media-type", path=".*/comparisons/.*", to="application/json"), "application/json, not"),
        (Bend("oversized", path=".*/subgraph", to=10_000), "10000 came for a page of 2500"),
        (Bend("redirect", path=".*/papers/.*", to="https://elsewhere.example/"), "not followed"),
    ],
)
def test_a_broken_answer_is_a_clear_error_and_changes_nothing(orkg: Commands, bend: Bend, told: str) -> None:
    archived = orkg.archived
    orkg.double.bend(bend)
    done = orkg("pull", SMALL)
    assert done.returncode == 1
    assert told in done.stderr.replace("\n", " ")
    assert "slmkg orkg check" in done.stderr
    assert "Traceback" not in done.stderr
    assert orkg.archived == archived


def test_a_next_version_of_the_interface_is_named(orkg: Commands) -> None:
    orkg.double.habits(comparison_media="application/vnd.orkg.comparison.v4+json")
    done = orkg("pull", SMALL)
    assert done.returncode == 1
    assert "406" in done.stderr


def test_lost_cells_are_taken_only_when_somebody_says_so(orkg: Commands) -> None:
    for number in (1, 2, 3, 4, 5, 9, 10, 11, 12, 13):
        assert orkg.double.ask("DELETE", f"/api/statements/S9{number:05}").status_code == 204
    done = orkg("pull", SMALL)
    assert done.returncode == 1
    assert "--accept-losses" in done.stderr
    assert len(orkg.archived) == 1
    assert orkg("pull", SMALL, "--accept-losses").returncode == 0
    assert len(orkg.archived) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("pull", "R999999"), 1, "not found"),
        (("pull", "../etc"), 2, "no id of a comparison"),
        (("map", "R1"), 1, "`slmkg orkg pull R1` first"),
        (("pull", "R1", "--kept"), 1, "`slmkg orkg pull R1` first"),
        (("map", SMALL, "--row", "P900002"), 2, "COLUMN=PROPERTY"),
        (("map", SMALL, "--column", "R1=opt-125m"), 2, "no column"),
    ],
)
def test_what_cannot_be_done_is_said(orkg: Commands, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = orkg(*arguments)
    assert done.returncode == code
    assert told.lower() in done.stderr.lower().replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_service_that_is_away_is_an_error(orkg: Commands) -> None:
    done = orkg("pull", SMALL, orkg_url="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_a_user_without_password_is_refused(orkg: Commands) -> None:
    done = orkg("pull", SMALL, orkg_user="ada")
    assert done.returncode == 2
    assert "SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD need each other" in done.stderr
