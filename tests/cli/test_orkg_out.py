"""`slmkg orkg plan`, `push`, `pushes` and `export`, run as commands against the double."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import orkg_out
from app.errors import BadParameter
from app.orkg.archive import find_archive
from app.orkg.mapping import write_pinned
from app.settings import Settings
from app.wiring import build
from tests.cli.run import RUN
from tests.cli.test_orkg import Commands
from tests.curate.orkg_world import COMPARISON, confirmed, pulled
from tests.orkg_double.faults import Bend, Fault
from tests.orkg_double.process import running
from tests.orkg_double.steering import Steering

ACCOUNT = {"orkg_user": "ada@example.org", "orkg_password": "secret", "orkg_settle_seconds": "0"}
PHI = "phi-3.5-mini-instruct"
MAPPED = frozenset({PHI, "opt-125m", "smollm-360m"})
"""Models whose columns are confirmed: few, so that each command is quick."""
ONE = ("--model", PHI, "--title", "Ours")


@pytest.fixture(scope="module")
def double() -> Iterator[Steering]:
    with running("r753434") as steering:
        yield steering


@pytest.fixture(scope="module")
def mapped(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory, double: Steering) -> Path:
    """A data folder into which the comparison was pulled, with a mapping of all rows and some columns."""
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("orkg") / "var"))
    found = pulled(double)
    archive = find_archive(data, double.address, COMPARISON)
    archive.keep(found)
    whole = confirmed(build(Settings(data_dir=data)), found)
    some = {source: one for source, one in whole.columns.items() if one.means in MAPPED}
    assert len(some) == len(MAPPED)
    write_pinned(archive.folder, replace(whole, columns=some))
    return data


@pytest.fixture
def orkg(mapped: Path, tmp_path: Path, double: Steering) -> Commands:
    """Commands on a copy of it; the double is as it was pulled."""
    double.reset("r753434")
    return Commands(Path(shutil.copytree(mapped, tmp_path / "var")), double)


@pytest.fixture(scope="module")
def digest(mapped: Path, double: Steering) -> str:
    """The digest of the push of one model, as a dry run tells it; the same for the same data and the same ORKG."""
    double.reset("r753434")
    done = Commands(mapped, double)("push", COMPARISON, *ONE, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["digest"])


def accounts(orkg: Commands) -> dict[str, str]:
    return {**ACCOUNT, "orkg_accounts_url": orkg.double.address}


def test_a_plan_as_a_table_and_as_json(orkg: Commands) -> None:
    shown = orkg("plan", COMPARISON, "--state", "ours-changed", "--state", "conflict")
    assert shown.returncode == 0, shown.stderr
    assert PHI in shown.stdout
    assert "same: both sides say the same" in shown.stderr
    told = orkg.json("plan", COMPARISON, "--model", PHI)
    assert {cell["model"] for cell in told["cells"]} == {PHI}
    assert told["counts"]["same"] > 20
    assert told["counts"]["question"] > 300, "most columns wait for somebody who says which models they are"
    orkg.double.forget_log()
    orkg.json("plan", COMPARISON, "--kept")
    assert orkg.double.log() == []


def test_a_dry_run_writes_nothing_and_the_digest_does_it(orkg: Commands) -> None:
    before = orkg.double.dump()
    dry = orkg("push", COMPARISON, *ONE)
    assert dry.returncode == 0, dry.stderr
    assert "Nothing was written" in dry.stderr
    assert orkg.double.dump() == before
    (found,) = re.findall(r"--apply ([0-9a-f]{12})", dry.stderr)
    wrong = orkg("push", COMPARISON, *ONE, "--apply", "000000000000", **accounts(orkg))
    assert wrong.returncode == 1
    assert "digest" in wrong.stderr
    assert orkg.double.dump() == before
    done = orkg("push", COMPARISON, *ONE, "--apply", found, **accounts(orkg))
    assert done.returncode == 0, done.stderr
    assert "/comparison/R" in done.stdout
    assert orkg.double.content(before).doubles() == []

    (push,) = orkg.json("pushes")
    assert (push["state"], push["digest"]) == ("done", found)
    record = orkg.json("pushes", str(push["number"]))
    assert {write["state"] for write in record["writes"]} == {"done"}
    assert "secret" not in json.dumps(record)
    again = orkg("push", COMPARISON, *ONE, "--apply", found, **accounts(orkg))
    assert "0 write(s)" in again.stderr


def test_a_push_that_broke_off_is_gone_on_with(orkg: Commands, digest: str) -> None:
    before = orkg.double.dump()
    orkg.double.faults([Fault(at, "refused") for at in range(3, 40)], counts="writes")
    broken = orkg("push", COMPARISON, *ONE, "--apply", digest, **accounts(orkg))
    assert broken.returncode == 1, broken.stdout
    assert "--resume" in broken.stderr
    orkg.double.faults()
    done = orkg("push", COMPARISON, "--resume", **accounts(orkg))
    assert done.returncode == 0, done.stderr
    assert orkg.double.content(before).doubles() == []
    assert orkg.double.content(before).orphans == ()
    nothing = orkg("push", COMPARISON, "--resume", **accounts(orkg))
    assert nothing.returncode == 1
    assert "broken off" in nothing.stderr


def test_a_push_that_is_killed_is_gone_on_with(orkg: Commands, digest: str) -> None:
    before = orkg.double.dump()
    orkg.double.forget_log()
    orkg.double.faults([Fault(5, "slow", 10.0)], counts="writes")
    environment = {f"SLMKG_{name.upper()}": value for name, value in accounts(orkg).items()}
    environment |= {"SLMKG_DATA_DIR": str(orkg.data), "SLMKG_ORKG_URL": orkg.double.address}
    command = [sys.executable, "-c", RUN, "orkg", "push", COMPARISON, *ONE, "--apply", digest]
    quick = {"SLMKG_ORKG_PER_SECOND": "1000"}
    with subprocess.Popen(command, env={**os.environ, **environment, **quick}, stderr=subprocess.DEVNULL) as process:
        while not any(one["fault"] == "slow" for one in orkg.double.log()):
            assert process.poll() is None
            time.sleep(0.2)
        process.kill()
    done = orkg("push", COMPARISON, "--resume", **accounts(orkg))
    assert done.returncode == 0, done.stderr
    found = orkg.double.content(before)
    assert found.doubles() == []
    assert found.orphans == ()
    (push,) = orkg.json("pushes")
    assert push["state"] == "done"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"orkg_user": "ada@example.org", "orkg_password": "wrong"}, "does not take the password"),
        ({"orkg_user": "guest@example.org", "orkg_password": "secret"}, "may not do this"),
        ({}, "SLMKG_ORKG_USER"),
    ],
)
def test_who_may_not_write_changes_nothing(orkg: Commands, digest: str, settings: dict[str, str], said: str) -> None:
    before = orkg.double.dump()
    given = {**settings, "orkg_accounts_url": orkg.double.address}
    done = orkg("push", COMPARISON, *ONE, "--apply", digest, **given)
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert orkg.double.dump() == before


@pytest.mark.parametrize(
    "bend",
    [
        Bend("media-type", r".*/contents", to="text/plain"),
        Bend("rename", r"/api/comparisons/R753434", key="sources", to="columns"),
        Bend("half-empty", r".*/contents"),
        Bend("redirect", r".*/contents", to="https://elsewhere.example/"),
    ],
)
def test_an_interface_that_changed_stops_plan_and_push(orkg: Commands, digest: str, bend: Bend) -> None:
    before, head = orkg.double.dump(), orkg.head
    orkg.double.bend(bend)
    done = orkg("push", COMPARISON, *ONE, "--apply", digest, **accounts(orkg))
    orkg.double.bend()
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert orkg.double.dump() == before
    assert orkg.head == head


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--assign-doi",), "--publish"),
        (("--publish",), "an author"),
        (("--model", "no-such-model"), "no model"),
        (("--resume", "--apply", "1"), "--apply"),
        (("--author", ", 0000-0002-1825-0097"), "has a name"),
        (("--author", "Ada, 0000-0002-1825-0098"), "check digit"),
        (("--papers", "no-such-file.csv"), "cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_refused(orkg: Commands, options: tuple[str, ...], said: str) -> None:
    done = orkg("push", COMPARISON, *options)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())


def test_writing_to_the_orkg_itself_wants_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    orkg_out.confirm_host("https://sandbox.orkg.org", None)
    orkg_out.confirm_host("https://orkg.org", "orkg.org")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for given in (None, "orkg", "sandbox.orkg.org"):
        with pytest.raises(BadParameter, match="needs its name"):
            orkg_out.confirm_host("https://orkg.org", given)


def test_files_for_somebody_with_an_account_of_their_own(orkg: Commands, tmp_path: Path) -> None:
    done = orkg("export", COMPARISON, "--model", PHI, "--kept")
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["paper:title"].startswith("Phi-3 Technical Report")
    file = tmp_path / "ours.ttl"
    rdf = orkg("export", COMPARISON, "--kept", "--format", "ttl", "--out", str(file))
    assert rdf.returncode == 0, rdf.stderr
    assert "orkgc:Contribution" in file.read_text(encoding="utf-8")
    assert orkg("export", COMPARISON, "--kept", "--format", "odd").returncode == 2


def test_nothing_can_be_planned_before_a_pull(orkg: Commands) -> None:
    for command in ("plan", "push", "export"):
        done = orkg(command, "R1")
        assert done.returncode == 1
        assert "slmkg orkg pull R1" in done.stderr


def test_papers_that_somebody_describes_are_read_strictly(orkg: Commands, tmp_path: Path) -> None:
    file = tmp_path / "papers.csv"
    for text, said in (
        ("title\nA\n", "no column 'doi'"),
        ("doi,title\n10.1/a,\n", "needs a title"),
        ("doi,title,month\n10.1/a,A,13\n", "is no month"),
    ):
        file.write_text(text, encoding="utf-8")
        done = orkg("push", COMPARISON, "--papers", str(file))
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
