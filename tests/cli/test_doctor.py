"""`slmkg doctor` on a store in a folder: what it says of each thing that can be wrong, and what it mends."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.access import KeyRing, Scope
from app.errors import NotFound, StoreBusy
from app.model.rdf import IRI, Literal
from app.store.embedded import EmbeddedStore
from app.store.remote import RemoteStore
from app.store.remote_http import Address
from app.vocab import BASE
from tests.cli.run import fresh, slmkg
from tests.store.quads import change, content, quad
from tests.web.scratch import NOW


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two revisions and a key."""
    store = EmbeddedStore(tmp_path / "var" / "store")
    store.apply(change([quad("s", 1)]), expect=0)
    store.apply(change([quad("s", 2)]), expect=1)
    KeyRing(tmp_path / "var" / "keys.json").create("a test", (Scope.UPDATE,), NOW)
    return tmp_path / "var"


def seen(data: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of `slmkg doctor --json`."""
    done = slmkg(data, "doctor", "--json", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def states(told: dict[str, Any]) -> dict[str, str]:
    """The worst state by what it is about."""
    found: dict[str, str] = {}
    for sign in told["signs"]:
        if found.get(sign["about"]) != "bad":
            found[sign["about"]] = sign["state"]
    return found


def test_all_is_well(data: Path) -> None:
    code, told = seen(data)
    assert (code, told["healthy"], told["done"]) == (0, True, [])
    found = states(told)
    assert found.pop("clock") in {"good", "note"}, "whether anything keeps this clock right is not ours to say"
    assert found.pop("projection") == "note", "nobody has compared anything yet"
    assert found.pop("seed data") == "note", "nobody has loaded any"
    assert found.pop("format") == "note", "the store was made without a folder around it"
    assert fresh(data, "upgrade").returncode == 0
    assert states(seen(data)[1])["format"] == "good"
    parts = ["versions", "layout", "revisions", "leftovers", "disk", "rights", "keys", "sizes"]
    assert found == dict.fromkeys(parts, "good")
    plain = fresh(data, "doctor")
    assert (plain.returncode, plain.stderr) == (0, "all is well\n")
    assert "good  layout      version 1" in plain.stdout.splitlines()


def test_an_empty_folder_is_no_illness(tmp_path: Path) -> None:
    code, told = seen(tmp_path / "nowhere")
    found = states(told)
    assert found.pop("clock") in {"good", "note"}
    assert (code, found) == (0, {"versions": "good", "data folder": "note", "keys": "note"})
    assert not (tmp_path / "nowhere").exists()
    assert seen(tmp_path / "nowhere", "--repair")[0] == 0
    assert not (tmp_path / "nowhere").exists()


LEFT = {"work-123", "000003", "000003.json", "HEAD.new"}


def _leave(data: Path) -> None:
    store = data / "store"
    (store / "work-123").mkdir()
    shutil.copytree(store / "revisions" / "000002", store / "revisions" / "000003")
    (store / "revisions" / "000003.json").write_text("{")
    (store / "HEAD.new").write_text("3")


def test_leftovers_are_told_and_removed(data: Path) -> None:
    _leave(data)
    code, told = seen(data)
    assert (code, states(told)["leftovers"]) == (1, "bad")
    (sign,) = (sign for sign in told["signs"] if sign["about"] == "leftovers")
    assert all(name in sign["says"] for name in LEFT)
    assert "--repair" in sign["advice"]
    code, told = seen(data, "--repair")
    assert (code, told["healthy"]) == (0, True)
    assert {line.removeprefix("removed ") for line in told["done"]} == LEFT
    assert content(EmbeddedStore(data / "store")) == {quad("s", 1), quad("s", 2)}
    assert seen(data, "--repair")[1]["done"] == []


def test_leftovers_of_somebody_at_work_are_theirs(data: Path) -> None:
    _leave(data)
    held = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    lock = data / "store" / "LOCK"
    with subprocess.Popen(
        [sys.executable, "-c", held, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        code, told = seen(data)
        assert (code, states(told)["leftovers"]) == (0, "note")
        refused = slmkg(data, "doctor", "--repair")
        assert (refused.returncode, "another process is writing" in refused.stderr) == (1, True)
        writer.communicate("\n", timeout=20)
    assert (data / "store" / "work-123").exists()


def _loosen_keys(data: Path) -> None:
    (data / "keys.json").chmod(0o644)


def _spoil_keys(data: Path) -> None:
    (data / "keys.json").write_text("[{]")


def _spoil_head(data: Path) -> None:
    (data / "store" / "HEAD").write_text("two")


def _spoil_record(data: Path) -> None:
    (data / "store" / "revisions" / "000001.json").write_text("{}")


def _spoil_revision(data: Path) -> None:
    shutil.rmtree(data / "store" / "revisions" / "000001")


def _be_ahead(data: Path) -> None:
    record = data / "store" / "revisions" / "000002.json"
    record.write_text(record.read_text().replace("2026-11-21", "2999-11-21"))


def _open_to_all(data: Path) -> None:
    (data / "store").chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "about", "mends"),
    [
        (_loosen_keys, "keys", True),
        (_spoil_keys, "keys", False),
        (_spoil_head, "head", False),
        (_spoil_record, "revisions", False),
        (_spoil_revision, "revisions", False),
        (_open_to_all, "rights", False),
        (_be_ahead, "clock", False),
    ],
)
def test_what_is_wrong_is_told(data: Path, spoil: Callable[[Path], None], about: str, mends: bool) -> None:
    """With advice; what needs a choice is left to the reader."""
    spoil(data)
    code, told = seen(data)
    assert (code, told["healthy"]) == (1, False)
    assert states(told)[about] == "bad"
    assert all(sign["advice"] for sign in told["signs"] if sign["state"] == "bad")
    if mends:
        assert seen(data, "--repair")[0] == 0
        assert seen(data)[0] == 0


def test_the_file_of_keys_becomes_its_owners(data: Path) -> None:
    _loosen_keys(data)
    done = slmkg(data, "doctor", "--repair")
    assert done.returncode == 0
    assert stat.S_IMODE((data / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--keep", "2"), "--repair"),
        (("--take-over",), "--repair"),
        (("--repair", "--keep", "2"), "keeps all revisions"),
        (("--repair", "--keep", "0"), "--keep"),
    ],
)
def test_options_that_do_not_fit(data: Path, arguments: tuple[str, ...], words: str) -> None:
    done = slmkg(data, "doctor", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"store_url": "ftp://127.0.0.1/x"}, "SLMKG_STORE_URL"),
        ({"store_url": "http://me:secret-word@127.0.0.1/x"}, "SLMKG_STORE_URL"),
        ({"store_password": "secret-word"}, "SLMKG_STORE_PASSWORD needs SLMKG_STORE_USER"),
        ({"scratch": "true", "store_url": "http://127.0.0.1:1/x"}, "leave SLMKG_STORE_URL out"),
        ({"store_engine": "oracle"}, "SLMKG_STORE_ENGINE"),
        ({"store_name": "two words"}, "SLMKG_STORE_NAME"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    done = slmkg(tmp_path, "doctor", **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "secret-word" not in done.stderr


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    for arguments in ((), ("--repair",)):
        done = slmkg(tmp_path, "doctor", *arguments, store_url="http://127.0.0.1:1/query")
        assert done.returncode == 1
        assert "bad   engine      the engine cannot be reached" in done.stdout
        assert "Traceback" not in done.stderr


def test_a_writer_on_another_machine(oxigraph_server: Address, tmp_path: Path) -> None:
    """Nobody can see from here whether it is alive: its claim is left alone, unless somebody says that it is dead."""
    store = RemoteStore(oxigraph_server, "doctor-elsewhere")
    store.apply(change([quad("s", 1)]), expect=0)
    who = json.dumps({"token": "0a0b0c0d", "host": "elsewhere", "process": 1, "since": time.time()})
    writer = f"{store._record.base}/writer-0a0b0c0d"
    store._record._note(
        [(writer, f"{BASE}store#claim", Literal(who)), (store._record.base, f"{BASE}store#writer", IRI(writer))]
    )
    with pytest.raises(StoreBusy):
        store.apply(change([quad("s", 2)]), expect=1)
    own = {"store_url": oxigraph_server.query, "store_name": "doctor-elsewhere"}
    seen = slmkg(tmp_path, "doctor", **own)
    assert seen.returncode == 0, seen.stdout
    assert "note  half done   process 1 on elsewhere is writing" in seen.stdout
    assert "--take-over" in seen.stdout
    assert timeless(slmkg(tmp_path, "doctor", "--repair", **own).stdout) == timeless(seen.stdout)
    ended = slmkg(tmp_path, "doctor", "--repair", "--take-over", **own)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (0, "removed the claim of process 1 on elsewhere")
    assert store.apply(change([quad("s", 2)]), expect=1).number == 2


def timeless(told: str) -> list[str]:
    """What the doctor says, without what changes by itself."""
    return [line for line in told.splitlines() if " clock " not in line and " disk " not in line]


def test_old_revisions_are_let_go(oxigraph_server: Address, tmp_path: Path) -> None:
    store = RemoteStore(oxigraph_server, "doctor-keeps")
    for number in range(4):
        store.apply(change([quad("s", number)]), expect=number)
    own = {"store_url": oxigraph_server.query, "store_name": "doctor-keeps"}
    done = slmkg(tmp_path, "doctor", "--repair", "--keep", "2", **own)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "let go of the data of 2 revision(s)"
    assert lines[1].startswith("removed graph <https://w3id.org/slmkg/store/doctor-keeps/")
    assert any("4, the data of 2 are kept" in line for line in lines)
    with pytest.raises(NotFound, match="revision"):
        store.at(2)
    assert content(store, 3) == {quad("s", number) for number in range(3)}
