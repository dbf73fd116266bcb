"""`slmkg keys` and `slmkg serve --scratch`, run as commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.access import KeyRing, Scope
from tests.cli.run import RUN, slmkg
from tests.ports import free_port
from tests.web.scratch import Service


def test_a_key_is_printed_once_and_opens(tmp_path: Path) -> None:
    made = slmkg(tmp_path, "keys", "create", "Ada's lap top", "--scope", "update", "--scope", "propose")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    key = KeyRing(tmp_path / "keys.json").find(token)
    assert key is not None
    assert (key.name, key.scopes) == ("Ada's lap top", (Scope.PROPOSE, Scope.UPDATE))
    assert token not in made.stderr
    assert "not shown again" in made.stderr
    listed = slmkg(tmp_path, "keys", "list")
    assert listed.stdout.split("\t")[:3] == [key.id, "Ada's lap top", "propose,update"]
    for secret in (token, token.split("_", 2)[2], key.digest):
        assert secret not in listed.stdout + listed.stderr


def test_a_revoked_key_opens_nothing(tmp_path: Path) -> None:
    made = json.loads(slmkg(tmp_path, "keys", "create", "one", "--scope", "update", "--json").stdout)
    ring = KeyRing(tmp_path / "keys.json")
    assert ring.find(made["key"]) is not None
    done = slmkg(tmp_path, "keys", "revoke", made["id"])
    assert (done.returncode, done.stdout) == (0, f"revoked {made['id']}\n")
    assert ring.find(made["key"]) is None
    assert "revoked 20" in slmkg(tmp_path, "keys", "list").stdout


def test_json_has_all_but_the_hash(tmp_path: Path) -> None:
    made = json.loads(slmkg(tmp_path, "keys", "create", "one", "--scope", "admin", "--json").stdout)
    assert set(made) == {"id", "name", "scopes", "orcid", "agent", "created", "revoked", "key"}
    listed = json.loads(slmkg(tmp_path, "keys", "list", "--json").stdout)
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    revoked = json.loads(slmkg(tmp_path, "keys", "revoke", made["id"], "--json").stdout)
    assert revoked["revoked"]
    assert "digest" not in revoked


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("create", "one"), 2, "--scope"),
        (("create", "one", "--scope", "everything"), 2, "everything"),
        (("create", " ", "--scope", "update"), 2, "name"),
        (("revoke", "00000000"), 1, "slmkg keys list"),
        (("list",), 0, "no key yet"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: tuple[str, ...], exit_code: int, words: str) -> None:
    done = slmkg(tmp_path, "keys", *arguments)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# ---- a throw-away service ----


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Service, Path]]:
    """`slmkg serve --scratch`, started as a script would, with its temporary folder below the test's."""
    port = free_port()
    var = tmp_path / "var"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", "--scratch"],
        env={**os.environ, "SLMKG_PORT": str(port), "TMPDIR": str(tmp_path), "SLMKG_DATA_DIR": str(var)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("key: slmkg_"), line
        service = Service(f"http://127.0.0.1:{port}", var, line.removeprefix("key: ").strip())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if service.send("GET", "/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process, service, tmp_path
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_a_throw_away_service_serves_and_leaves_nothing(
    started: tuple[subprocess.Popen[str], Service, Path], how: signal.Signals
) -> None:
    process, service, folder = started
    empty = {"query": "ASK { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"}
    assert service.send("GET", "/sparql", params=empty, key=None).json()["boolean"] is False
    both = (
        'INSERT DATA { <http://e/s> <http://e/p> "default" . GRAPH <http://e/g> { <http://e/s> <http://e/p> "named" } }'
    )
    assert service.update(both).json()["added"] == 2
    rows = service.send("GET", "/sparql", params={"query": "SELECT ?o { ?s ?p ?o }"}, headers={"Accept": "text/csv"})
    assert rows.text.split() == ["o", "default"], "the default graph is not the union, and there is no history"
    assert [path.name.startswith("slmkg-scratch-") for path in folder.iterdir()] == [True]
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert list(folder.iterdir()) == []
    assert out == ""
    assert "Traceback" not in err
    assert service.token not in err
