"""`slmkg orkg plan`, `push`, `pushes` and `export`, run as commands against the double."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.cli.test_orkg import COMPARISON, Commands, double, mapped, orkg
from tests.orkg_double.faults import Bend, Fault

__all__ = ["double", "mapped", "orkg"]

ACCOUNT = {"orkg_user": "ada@example.org", "orkg_password": "secret"}
ONE = ("--model", "phi-3.5-mini-instruct", "--title", "Ours")


def digest(orkg: Commands, *options: str) -> str:
    """The digest that a dry run tells."""
    done = orkg("push", COMPARISON, *options, "--json", **accounts(orkg))
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["digest"])


def accounts(orkg: Commands) -> dict[str, str]:
    return {**ACCOUNT, "orkg_accounts_url": orkg.double.address}


def test_a_plan_as_a_table_and_as_json(orkg: Commands) -> None:
    shown = orkg("plan", COMPARISON, "--state", "ours-changed", "--state", "conflict")
    assert shown.returncode == 0, shown.stderr
    assert "phi-3.5-mini-instruct" in shown.stdout
    assert "same: both sides say the same" in shown.stderr
    told = orkg.json("plan", COMPARISON, "--model", "phi-3.5-mini-instruct")
    assert {cell["model"] for cell in told["cells"]} == {"phi-3.5-mini-instruct"}
    assert told["counts"]["same"] > 300
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
    again = orkg("push", COMPARISON, *ONE, "--apply", digest(orkg, *ONE), **accounts(orkg))
    assert "0 write(s)" in again.stderr


def test_a_push_that_broke_off_is_gone_on_with(orkg: Commands) -> None:
    before = orkg.double.dump()
    found = digest(orkg, *ONE)
    orkg.double.faults([Fault(at, "refused") for at in range(3, 40)], counts="writes")
    broken = orkg("push", COMPARISON, *ONE, "--apply", found, **accounts(orkg))
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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"orkg_user": "ada@example.org", "orkg_password": "wrong"}, "does not take the password"),
        ({"orkg_user": "guest@example.org", "orkg_password": "secret"}, "may not do this"),
        ({}, "SLMKG_ORKG_USER"),
    ],
)
def test_who_may_not_write_changes_nothing(orkg: Commands, settings: dict[str, str], said: str) -> None:
    before, found = orkg.double.dump(), digest(orkg, *ONE)
    given = {**settings, "orkg_accounts_url": orkg.double.address}
    done = orkg("push", COMPARISON, *ONE, "--apply", found, **given)
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
def test_an_interface_that_changed_stops_plan_and_push(orkg: Commands, bend: Bend) -> None:
    before, found = orkg.double.dump(), digest(orkg, *ONE)
    head = orkg.head
    orkg.double.bend(bend)
    done = orkg("push", COMPARISON, *ONE, "--apply", found, **accounts(orkg))
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


def test_writing_to_the_orkg_itself_wants_its_name(orkg: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: a test must not reach the ORKG, and it does not."""
    from app.cli import orkg_out
    from app.errors import BadParameter

    orkg_out._confirmed("https://sandbox.orkg.org", None)
    orkg_out._confirmed("https://orkg.org", "orkg.org")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for given in (None, "orkg", "sandbox.orkg.org"):
        with pytest.raises(BadParameter, match="needs its name"):
            orkg_out._confirmed("https://orkg.org", given)


def test_files_for_somebody_with_an_account_of_their_own(orkg: Commands, tmp_path: Path) -> None:
    done = orkg("export", COMPARISON, "--model", "phi-3.5-mini-instruct", "--kept")
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
