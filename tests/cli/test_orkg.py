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

COMPARISON = "R753434"


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
    with running("r753434") as steering:
        yield steering


@pytest.fixture(scope="module")
def mapped(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory, double: Steering) -> Path:
    """A data folder into which the comparison was pulled, and whose mapping somebody confirmed."""
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("orkg") / "var"))
    double.reset("r753434")
    orkg = Commands(data, double)
    first = orkg("pull", COMPARISON)
    assert first.returncode == 0, first.stderr
    assert "unmapped" in first.stderr
    assert "slmkg orkg map R753434" in first.stderr
    assert "proposal" not in first.stdout

    shown = orkg("map", COMPARISON)
    assert "row P18097 'organization': may be maker; 53 cells" in shown.stdout
    assert "column " in shown.stdout
    assert not list((data / "orkg").rglob("mapping.json")), "looking writes nothing"
    given = orkg.json("map", COMPARISON)
    known = models()
    said = [f"--row={path}={means}" for path, means in ROWS.items()]
    said += [f"--column={one['source']}={known[one['label']]}" for one in given["columns"] if not one["suggested"]]
    after = orkg.json("map", COMPARISON, "--confirm", *said)
    assert all(one["pinned"] for one in (*after["rows"], *after["columns"]))
    return data


@pytest.fixture
def orkg(mapped: Path, tmp_path: Path, double: Steering) -> Commands:
    """Commands on a copy of it; the double is as it was pulled."""
    double.reset("r753434")
    return Commands(Path(shutil.copytree(mapped, tmp_path / "var")), double)


def test_from_the_last_pull_to_a_proposal_and_then_no_change(orkg: Commands) -> None:
    before = orkg.head
    dry = orkg.json("pull", COMPARISON, "--kept", "--dry-run")
    assert (dry["proposal"], dry["dry_run"], orkg.head) == (None, True, before)
    assert dry["new"] > 500
    orkg.double.forget_log()
    kept = orkg("pull", COMPARISON, "--kept")
    assert kept.returncode == 0, kept.stderr
    assert f"proposal 1: {dry['new']} item(s)" in kept.stdout
    assert "conflicting" in kept.stderr
    assert "phi-3.5-mini" in kept.stdout.lower()
    assert orkg.double.log() == [], "the last pull is read again without a request"
    assert orkg.head == before + 1

    again = orkg.json("pull", COMPARISON)
    assert (again["proposal"], again["new"], again["changed"]) == (None, 0, False)
    assert orkg.head == before + 1
    assert len(orkg.archived) == 1
    for table in again["tables"]:
        assert sum(table["counts"].values()) == table["cells"]


def test_a_poll_looks_cheaply_and_pulls_what_changed(orkg: Commands) -> None:
    orkg.double.forget_log()
    quiet = orkg("poll", COMPARISON)
    assert quiet.returncode == 0, quiet.stderr
    assert "no change" in quiet.stderr
    assert len(orkg.double.log()) == 2
    statement = orkg.json("pull", COMPARISON, "--kept", "--dry-run")["findings"][0]["statements"][0]
    assert orkg.double.ask("DELETE", f"/api/statements/{statement}").status_code == 204
    orkg.double.forget_log()
    told = orkg.json("poll", COMPARISON)
    assert told["changed"] is True
    assert len(orkg.double.log()) > 50
    assert len(orkg.archived) == 2


def test_once_a_week_a_poll_pulls_everything(orkg: Commands) -> None:
    (log,) = (orkg.data / "orkg").rglob("log.jsonl")
    log.write_text(log.read_text().replace('"at": "2', '"at": "1', 1))
    orkg.double.forget_log()
    assert orkg("poll", COMPARISON).returncode == 0
    assert len(orkg.double.log()) > 50


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (Bend("rename", path=".*/contents", key="values", to="cells"), "at /values: Field required"),
        (Bend("half-empty", path=f".*/{COMPARISON}/contents"), "leaves out"),
        (Bend("media-type", path=".*/comparisons/.*", to="application/json"), "application/json, not"),
        (Bend("oversized", path=".*/subgraph", to=10_000), "10000 came for a page of 2500"),
        (Bend("redirect", path=".*/papers/.*", to="https://elsewhere.example/"), "not followed"),
    ],
)
def test_a_broken_answer_is_a_clear_error_and_changes_nothing(orkg: Commands, bend: Bend, told: str) -> None:
    head, archived = orkg.head, orkg.archived
    orkg.double.bend(bend)
    done = orkg("pull", COMPARISON)
    assert done.returncode == 1
    assert told in done.stderr.replace("\n", " ")
    assert "slmkg orkg check" in done.stderr
    assert "Traceback" not in done.stderr
    assert (orkg.head, orkg.archived) == (head, archived)


def test_a_next_version_of_the_interface_is_named(orkg: Commands) -> None:
    orkg.double.habits(comparison_media="application/vnd.orkg.comparison.v4+json")
    done = orkg("pull", COMPARISON)
    assert done.returncode == 1
    assert "406" in done.stderr


def test_lost_cells_are_taken_only_when_somebody_says_so(orkg: Commands) -> None:
    for statement in {
        one
        for found in orkg.json("pull", COMPARISON, "--kept", "--dry-run")["findings"]
        if found["version"] == COMPARISON and found["path"] not in {"P990009", "P990009/P990010"}
        for one in found["statements"]
    }:
        orkg.double.ask("DELETE", f"/api/statements/{statement}")
    done = orkg("pull", COMPARISON)
    assert done.returncode == 1
    assert "--accept-losses" in done.stderr
    assert len(orkg.archived) == 1
    assert orkg("pull", COMPARISON, "--accept-losses").returncode == 0
    assert len(orkg.archived) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("pull", "R999999"), 1, "not found"),
        (("pull", "../etc"), 2, "no id of a comparison"),
        (("map", "R1"), 1, "`slmkg orkg pull R1` first"),
        (("pull", "R1", "--kept"), 1, "`slmkg orkg pull R1` first"),
        (("map", COMPARISON, "--row", "P990002"), 2, "COLUMN=PROPERTY"),
        (("map", COMPARISON, "--column", "R1=opt-125m"), 2, "no column"),
    ],
)
def test_what_cannot_be_done_is_said(orkg: Commands, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = orkg(*arguments)
    assert done.returncode == code
    assert told.lower() in done.stderr.lower().replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_service_that_is_away_is_an_error(orkg: Commands) -> None:
    done = orkg("pull", COMPARISON, orkg_url="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_a_user_without_password_is_refused(orkg: Commands) -> None:
    done = orkg("pull", COMPARISON, orkg_user="ada")
    assert done.returncode == 2
    assert "SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD need each other" in done.stderr
