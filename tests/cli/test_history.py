"""`slmkg diff`, `revert`, `blame` and `webhooks`, run as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app import vocab
from app.model.graphs import REGISTRY
from app.model.rdf import IRI, Quad, text
from app.settings import Settings
from app.store import patch
from app.webhooks.hooks import Hooks
from app.wiring import build
from tests import edits
from tests.cli.run import fresh, slmkg
from tests.webhooks.receiver import receiving

NOTE = Quad(edits.OPT, IRI(vocab.rdfs.comment), text("A note."), REGISTRY)


@pytest.fixture(scope="module")
def data(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed with two revisions after it. Read-only."""
    folder = tmp_path_factory.mktemp("cli") / "var"
    shutil.copytree(seed_folder, folder)
    services = build(Settings(data_dir=folder))
    edits.set_value(services, 13)
    edits.commit(services, [NOTE], reason="only a note")
    services.store.close()
    return folder


def test_audit_and_revisions_name_who_made_each_step(data: Path) -> None:
    done = fresh(data, "audit")
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(number, kind, by, key, reason) for number, _, kind, by, key, reason in lines] == [
        ("3", "other", "slmkg loader", "", "only a note"),
        ("2", "other", "ada", "", "value 13"),
        ("1", "load", "slmkg loader", "", "load of the data folder"),
    ]
    (told,) = json.loads(slmkg(data, "audit", "--kind", "load", "--since", "2020-01-01", "--json").stdout)
    assert (told["revision"]["number"], told["by"]["orcid"], told["key"]) == (1, None, None)
    few = slmkg(data, "audit", "--agent", "slmkg-loader", "--limit", "1")
    assert (few.stdout.count("\n"), "1 older step" in few.stderr) == (1, True)
    wrong = slmkg(data, "audit", "--since", "then")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    listed = slmkg(data, "revisions").stdout.splitlines()
    assert [line.split("\t")[4:] for line in listed][1:] == [["ada", "value 13"], ["slmkg loader", "only a note"]]


def test_diff_prints_a_line_for_each_cell(data: Path) -> None:
    done = slmkg(data, "diff", "1", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "opt-125m\tnumLayers\tchanged\t12\t13\trevision 2, ada: value 13\n"
    assert "cells 1 changed" in done.stderr
    back = slmkg(data, "diff", "head", "1", "--model", "opt-125m", "--property", "numLayers")
    assert back.stdout.split("\t")[3:5] == ["13", "12"]


def test_diff_as_json_and_as_a_patch(data: Path) -> None:
    found = json.loads(slmkg(data, "diff", "1", "--json").stdout)
    assert (found["old"], found["new"], found["cells"]["changed"]) == (1, 3, 1)
    (cell,) = found["items"]
    assert (cell["property"], cell["old"]["values"][0]["plain"], cell["why"][0]["revision"]) == ("numLayers", 12, 2)
    add, remove = patch.read(slmkg(data, "diff", "2", "3", "--quads").stdout.encode())
    assert (add, remove) == (frozenset({NOTE}), frozenset())


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("diff", "x"), 1, "release"),
        (("diff", "1", "9"), 1, "newest"),
        (("diff", "2026-13-01"), 2, "date"),
        (("diff", "1", "--model", "opt-125n"), 2, "opt-125m"),
        (("diff", "1", "--property", "layers"), 2, "property"),
        (("diff", "1", "--quads", "--json"), 2, "--quads"),
        (("revert", "9", "--reason", "x"), 1, "newest"),
        (("revert", "2", "--to", "1", "--reason", "x"), 2, "before"),
        (("revert", "2", "--reason", " "), 2, "--reason"),
        (("revert", "2"), 2, "--reason"),
        (("blame", "opt-125n", "numLayers"), 1, "opt-125m"),
        (("blame", "opt-125m", "layers"), 2, "properties"),
        (("blame", "opt-125m", "numLayers", "--revision", "7"), 1, "newest"),
        (("webhooks", "add", "ftp://x"), 2, "https"),
        (("webhooks", "add", "https://10.0.0.1/"), 2, "public"),
        (("webhooks", "add", "https://example.org/", "--secret", "swordfish"), 2, "whsec_"),
        (("webhooks", "remove", "00000000"), 1, "list"),
        (("webhooks", "retry", "../keys"), 1, "list"),
    ],
)
def test_mistakes_are_told_and_nothing_changes(data: Path, arguments: tuple[str, ...], code: int, word: str) -> None:
    done = slmkg(data, *arguments)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "swordfish" not in done.stderr
    assert build(Settings(data_dir=data)).store.head().number == 3
    assert not (data / "webhooks").exists()


def test_blame_prints_what_came_last_first(data: Path) -> None:
    lines = [line.split("\t") for line in slmkg(data, "blame", "opt-125m", "numLayers").stdout.splitlines()]
    assert (lines[0][0], lines[0][2:5], lines[0][6]) == ("2", ["ada", "value", "13"], "value 13")
    assert {line[0] for line in lines[1:]} == {"1"}
    found = json.loads(slmkg(data, "blame", "opt-125m", "numLayers", "--revision", "1", "--json").stdout)
    assert {part["step"]["revision"]["number"] for part in found["parts"]} == {1}


def test_revert_makes_a_new_revision(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "var"))
    done = slmkg(folder, "revert", "2", "--to", "3", "--reason", "misread", "--json")
    assert json.loads(done.stdout)["number"] == 4, done.stderr
    head = build(Settings(data_dir=folder)).store.head()
    assert (head.reason, head.author) == ("revert of revisions 2 to 3: misread", f"{vocab.BASE}resource/agent/operator")
    again = slmkg(folder, "revert", "3", "--reason", "again")
    assert again.returncode == 1
    assert "revision 4 removed" in again.stderr


def test_webhooks_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_WEBHOOK_PRIVATE", "true")
    with receiving() as receiver:
        made = slmkg(tmp_path, "webhooks", "add", receiver.url, "--after", "0")
        assert made.returncode == 0, made.stderr
        secret = made.stdout.strip()
        (hook,) = Hooks(tmp_path / "webhooks").list()
        assert hook.secret == secret
        assert secret not in made.stderr
        own = slmkg(tmp_path, "webhooks", "add", receiver.url, "--secret", secret, "--json")
        assert secret not in own.stdout + own.stderr
        slmkg(tmp_path, "webhooks", "remove", json.loads(own.stdout)["id"])
        listed = slmkg(tmp_path, "webhooks", "list")
        assert listed.stdout == f"{hook.id}\t{receiver.url}\ttold up to 0\t0 dead letters\twell\n"
        assert slmkg(tmp_path, "webhooks", "test", hook.id).stdout == "delivered\n"
        receiver.answer = lambda _: 500
        failed = slmkg(tmp_path, "webhooks", "test", hook.id, "--json")
        assert (failed.returncode, json.loads(failed.stdout)["error"]) == (1, "status 500")
    Hooks(tmp_path / "webhooks").change(
        hook.id, lambda state: state.failed(1, "status 500", next_at=0, at=edits.NOON, tries=1)
    )
    assert slmkg(tmp_path, "webhooks", "dead", hook.id).stdout.startswith("1\t2026-11-22")
    assert slmkg(tmp_path, "webhooks", "retry", hook.id).stdout == "1 to be tried again\n"
    assert slmkg(tmp_path, "webhooks", "remove", hook.id).stdout == f"removed {hook.id}\n"
    assert json.loads(slmkg(tmp_path, "webhooks", "list", "--json").stdout) == []
