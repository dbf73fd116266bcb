"""`slmkg release`, `slmkg backup` and `slmkg restore`, run as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.services import Services
from tests.cli.run import fresh, slmkg
from tests.release.conftest import own, released

__all__ = ["own", "released"]


@pytest.fixture
def data(own: Services) -> Path:
    return own.settings.data_dir


def test_a_release_is_made_listed_shown_and_checked(data: Path) -> None:
    made = fresh(data, "release", "2027.01", "--revision", "1")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("release 2027.01: revision 1 of 2026-11-20")
    assert "putting it in its place" in made.stderr
    again = slmkg(data, "release", "make", "2027.01", "--revision", "1")
    assert (again.returncode, again.stdout) == (0, made.stdout)
    assert "was there already, the same" in again.stderr
    listed = slmkg(data, "release", "list")
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ["2026.11", "2027.01", "2026.12"]
    shown = slmkg(data, "release", "show", "2027.01")
    assert shown.stdout == made.stdout
    checked = slmkg(data, "release", "verify", "2027.01")
    assert (checked.returncode, checked.stdout.split(":")[0]) == (0, "release 2027.01 is intact")


def test_json_is_one_document(data: Path) -> None:
    made = json.loads(slmkg(data, "release", "--revision", "1", "2027.01", "--json").stdout)
    assert json.loads(slmkg(data, "release", "show", "2027.01", "--json").stdout) == made
    assert json.loads((data / "releases" / "2027.01" / "manifest.json").read_text()) == made
    assert made in json.loads(slmkg(data, "release", "list", "--json").stdout)
    checked = json.loads(slmkg(data, "release", "verify", "2027.01", "--json").stdout)
    assert checked == {
        "intact": True,
        "name": "2027.01",
        "revision": 1,
        "graph_sha256": made["graph"]["sha256"],
        "files": 19,
        "problems": [],
    }


def test_steps_are_announced_for_programs(data: Path) -> None:
    made = slmkg(data, "release", "2027.01", "--announce")
    steps = [json.loads(line) for line in made.stderr.splitlines()]
    assert [step["done"] for step in steps] == sorted(step["done"] for step in steps)
    assert {step["total"] for step in steps} == {steps[-1]["total"]}
    assert steps[-1]["done"] == steps[-1]["total"]
    assert steps[-1]["step"] == "putting it in its place"


def test_damage_is_told_and_ends_with_one(data: Path) -> None:
    path = data / "releases" / "2026.11" / "claims.csv"
    path.write_bytes(path.read_bytes()[:-1])
    for target in ("2026.11", str(path.parent)):
        done = slmkg(data, "release", "verify", target)
        assert done.returncode == 1
        assert done.stdout.startswith("claims.csv: has ")
        assert "difference(s)" in done.stderr
    assert json.loads(slmkg(data, "release", "verify", "2026.11", "--json").stdout)["intact"] is False
    alone = slmkg(data, "release", "verify", str(path.parent / "slmkg-2026.11.tar"))
    assert alone.returncode == 0, "the archive itself is whole"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("manifest.json", b"{", "manifest.json: cannot be used"),
        ("manifest.json", b"\xff", "manifest.json: cannot be used"),
        ("manifest.json", None, "manifest.json: is missing"),
        ("SHA256SUMS", b"\xff", "SHA256SUMS: cannot be read"),
        ("graph.nq.gz", b"no gzip", "graph.nq.gz: cannot be unpacked"),
        ("graph.trig.gz", None, "graph.trig.gz: is missing"),
        ("slmkg-2026.11.tar", b"hello", "slmkg-2026.11.tar: differs at byte 0"),
    ],
)
def test_damage_of_every_kind_names_the_file_and_what_to_do(
    data: Path, name: str, content: bytes | None, told: str
) -> None:
    path = data / "releases" / "2026.11" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    done = slmkg(data, "release", "verify", str(path.parent))
    assert done.returncode == 1
    assert told in done.stdout
    assert "get the release again" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_archive_that_is_cut_off_names_the_part(data: Path, tmp_path: Path) -> None:
    whole = (data / "releases" / "2026.11" / "slmkg-2026.11.tar").read_bytes()
    for length in (0, 100, 5_000, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.tar"
        path.write_bytes(whole[:length])
        done = slmkg(data, "release", "verify", str(path))
        assert done.returncode == 1
        assert done.stdout.startswith("cut.tar: ")
        assert "get the release again" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("2026.13",), 2, "not the name of a release"),
        (("../2026.11",), 2, "not the name of a release"),
        (("2026.11",), 2, "holds revision 1, not 2"),
        (("2027.01", "--revision", "9"), 2, "no revision 9"),
        (("2027.01", "--revision", "x"), 2, "--revision"),
        (("show", "2025.01"), 1, "slmkg release list"),
        (("verify", "/nowhere/at/all"), 2, "no release here"),
        ((), 2, "Usage"),
    ],
)
def test_what_cannot_be_done_is_told(
    released: Services, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    done = slmkg(released.settings.data_dir, "release", *arguments)
    assert done.returncode == exit_code
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert [one.name for one in released.releases.list()] == ["2026.11", "2026.12"]


def test_an_empty_store(tmp_path: Path) -> None:
    for arguments in (("release", "2026.11"), ("backup", str(tmp_path / "b.tar"))):
        done = slmkg(tmp_path / "var", *arguments)
        assert done.returncode == 1
        assert "slmkg load" in done.stderr
    listed = slmkg(tmp_path / "var", "release", "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "no release yet" in listed.stderr


def test_a_backup_and_back(data: Path, tmp_path: Path) -> None:
    made = slmkg(data, "backup", str(tmp_path / "b.tar"), "--all-revisions", "--with-keys")
    assert made.returncode == 0, made.stderr
    assert "revisions 1 to 2, 2 release(s), with keys" in made.stdout
    second = slmkg(data, "backup", str(tmp_path / "b.tar"))
    assert (second.returncode, second.stdout) == (2, "")
    full = slmkg(data, "restore", str(tmp_path / "b.tar"))
    assert full.returncode == 2
    assert "--force" in full.stderr
    done = json.loads(slmkg(data, "restore", str(tmp_path / "b.tar"), "--into", str(tmp_path / "new"), "--json").stdout)
    assert (done["revision"], done["since"], done["releases"], done["aside"]) == (2, 1, ["2026.11", "2026.12"], None)
    assert slmkg(tmp_path / "new", "release", "verify", "2026.12").returncode == 0
    forced = slmkg(data, "restore", str(tmp_path / "b.tar"), "--force")
    assert forced.returncode == 0, forced.stderr
    assert "before-restore-1" in forced.stderr
    assert slmkg(data, "revisions").stdout == slmkg(tmp_path / "new", "revisions").stdout


def test_without_the_past_older_revisions_are_told_to_be_gone(data: Path, tmp_path: Path) -> None:
    assert slmkg(data, "backup", str(tmp_path / "b.tar")).returncode == 0
    shutil.rmtree(data)
    done = slmkg(data, "restore", str(tmp_path / "b.tar"))
    assert done.returncode == 0, done.stderr
    assert "from revision 2 on" in done.stderr
    (tmp_path / "q.rq").write_text("ASK {}")
    old = slmkg(data, "query", str(tmp_path / "q.rq"), "--revision", "1")
    assert old.returncode == 1
    assert "the oldest whose graph is kept is 2" in old.stderr.lower()
    assert slmkg(data, "query", str(tmp_path / "q.rq")).stdout == "true\n"
    assert slmkg(data, "release", "2027.01", "--revision", "1").returncode == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 1024])
def test_a_file_that_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    done = slmkg(tmp_path / "var", "restore", str(tmp_path / "b.tar"))
    assert done.returncode == 2
    assert "is no whole backup" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"b.tar"}
