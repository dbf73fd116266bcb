"""A writer killed by SIGKILL at any point leaves readers with the old or the new revision, never with a mixture."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from app.store.port import Query
from app.store.remote import RemoteStore
from app.store.remote_http import Address
from tests.store import remote_victim
from tests.store.quads import change, content, quad
from tests.store.servers import oxigraph

ROOT = Path(__file__).parents[2]
SEED = 20261121
KILLED = -9


def start(what: str, address: Address, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.remote_victim", what, json.dumps(asdict(address)), name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(params=["oxigraph", "virtuoso"])
def server(request: pytest.FixtureRequest) -> Address:
    address = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(address, Address)
    return address


@pytest.mark.heavy
def test_a_kill_at_every_request_of_a_commit(server: Address) -> None:
    """Killed before each request leaves, and after each answer has come. Whatever was left is named and repaired."""
    victim = start("steps", server, "killed-at-steps")
    assert victim.stdout is not None
    states = remote_victim.states(iter(victim.stdout))
    assert victim.wait() == 0
    assert {state["after"] for state in states} == {False, True}
    assert len(states) > 20
    for state in states:
        assert state["number"] in {state["expected"], state["expected"] + 1}, state  # type: ignore[operator]
        assert (state["whole"], state["again"], state["clean"]) == (True, True, True), state
    assert any(state["number"] == state["expected"] and state["left"] for state in states)
    assert any(state["number"] != state["expected"] for state in states)
    assert all(state["done"] for state in states if state["left"])


@pytest.mark.heavy
def test_kills_at_random_moments_while_somebody_reads(server: Address) -> None:
    rng = random.Random(SEED)
    name = "killed-at-random"
    store = RemoteStore(server, name)
    store.apply(change(remote_victim.quads_of(1)), expect=0)
    done = threading.Event()
    torn: list[list[str]] = []
    seen: set[str] = set()

    def read() -> None:
        own = RemoteStore(server, name)
        while not done.is_set():
            numbers = [row["o"].value for row in own.at().query(Query("SELECT ?o { ?s ?p ?o }")).rows()]
            if len(numbers) != remote_victim.SIZE or len(set(numbers)) != 1:
                torn.append(numbers)
            seen.update(numbers)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        victim = start("commit", server, name)
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        said = [int(victim.stdout.readline()) for _ in range(rng.randint(0, 2))]
        time.sleep(rng.uniform(0.0, 0.3))
        victim.kill()
        assert victim.wait() == KILLED
        said += [int(line) for line in victim.stdout]
        number = store.head().number
        assert number >= max(said, default=0)
        assert content(store) == remote_victim.quads_of(number)
    done.set()
    reader.join()
    assert torn == []
    assert len(seen) > 2
    assert store.head().number > 5
    assert [revision.number for revision in store.revisions()] == list(range(1, store.head().number + 1))
    store.repair()
    assert store.half_done() == ()
    remote_victim.commit_next(store, store.head().number)


def test_a_killed_engine_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """The engine itself dies while somebody commits; started again, it has a whole revision."""
    folder = tmp_path / "engine"
    folder.mkdir()
    with oxigraph(folder) as address:
        victim = start("commit", address, "main")
        assert victim.stdout is not None
        while victim.stdout.readline() != "5\n":
            pass
    assert victim.wait() != 0
    with oxigraph(folder) as address:
        store = RemoteStore(address)
        number = store.head().number
        assert number >= 5
        assert content(store) == remote_victim.quads_of(number)
        assert content(store, 3) == remote_victim.quads_of(3)
        store.repair()
        assert store.half_done() == ()
        assert store.apply(change([quad("t", 1)]), expect=number).number == number + 1
