"""Attacks on a running service. Whatever they do, all other clients are served; how fast is printed (`pytest -s`).

The attacks are those that `scripts/bench/attacks.py` measures for docs/benchmarks.md.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.access import KeyRing, Scope
from scripts.bench import attacks
from scripts.bench.attacks import SECRET, SETTINGS, Others, Service, Told

pytestmark = pytest.mark.heavy

SLOWEST = 10.0
"""Seconds that no look-up may take: a bound for busy machines, far from what is measured."""


@pytest.fixture(scope="module")
def token(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    data = tmp_path_factory.getbasetemp() / "load"
    shutil.copytree(seed_folder, data)
    return KeyRing(data / "keys.json").create("load", (Scope.UPDATE,), datetime.now(UTC))[1]


@pytest.fixture(scope="module")
def running(token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    base = tmp_path_factory.getbasetemp()
    with attacks.service(base / "load", base / "server.log", **SETTINGS) as made:
        yield made


def served(running: Service, title: str, attack: Callable[[Told], Iterator[None]] | None, seconds: float) -> Told:
    """Everybody else's questions are answered during an attack; gives what the attackers saw."""
    others, told = Others(running), Told()
    others.during(attack(told) if attack is not None else None, seconds)
    sys.stdout.write(f"\n{title}: {others.summary()}\n")
    assert not others.wrong, others.wrong[:10]
    assert len(others.seconds) > 100
    assert max(others.seconds) < SLOWEST
    return told


def test_quiet(running: Service) -> None:
    served(running, "quiet", None, 5)


def test_a_cross_product_over_everything(running: Service) -> None:
    told = served(running, "six cross products, thrice", lambda told: attacks.cross_products(running, told), 6)
    assert told.statuses == [503] * 18


@pytest.mark.parametrize("path", ["/sparql", "/update", "/graphs?default"])
def test_a_body_of_100_megabytes(running: Service, path: str) -> None:
    before = running.most_memory()
    title = f"three bodies of 100 MB to {path}"
    told = served(running, title, lambda told: attacks.large_bodies(running, told, path=path), 4)
    assert len(told.statuses) == 3
    assert all(status == 0 or 400 <= status < 500 for status in told.statuses), "refused, or hung up on"
    assert running.most_memory() - before < 100


@pytest.mark.parametrize("start", attacks.HEADS)
def test_500_slow_clients(running: Service, start: bytes) -> None:
    """They say a byte each two seconds, and each is hung up on within the time for a head."""
    title = f"500 slow clients that begin with {start[:20]!r}"
    told = served(running, title, lambda told: attacks.slow_heads(running, told, start=start), 5)
    assert told.left == 0


def test_500_slow_bodies(running: Service) -> None:
    told = served(running, "500 slow bodies", lambda told: attacks.slow_bodies(running, told), 5)
    assert told.left == attacks.SLOW, "a body has more time than this"


def test_readers_killed_by_hand(running: Service) -> None:
    """The reader that works hardest is killed, ten times over: only its own client notices."""
    started = time.monotonic()
    told = served(running, "readers killed by hand", lambda told: attacks.killed_readers(running, told), 5)
    assert told.statuses == [503] * 10
    assert time.monotonic() - started < 10 * float(SETTINGS["query_seconds"]), "they were killed, not stopped in time"


def test_the_log_tells_no_secrets(running: Service, token: str) -> None:
    """After all of the above, and after errors of every kind with a key and with words that only these queries have."""
    header = {"Authorization": f"Bearer {token}"}
    for query in (
        f"SELECT * {{ ?s ?p '{SECRET}' }}",
        f"SELECT * {{ ?s ?p '{SECRET}'",
        f"SELECT * {{ SERVICE <http://127.0.0.1:1/{SECRET}> {{}} }}",
        f"SELECT (<urn:{SECRET}>(1) AS ?x) {{}}",
        f"SELECT ({SECRET.replace('-', '_')}(1) AS ?x) {{}}",
        f"DROP ALL # {SECRET}",
        "SELECT * { FILTER(" + "!" * 20_000 + f"'{SECRET}') }}",
    ):
        for headers in (header, {}, {"Authorization": f"Bearer {token}x"}):
            status, body = running.ask(query, "127.0.3.20", **headers)
            assert status != 500, body
    endless = f"CONSTRUCT {{ ?a ?b '{SECRET}' }} WHERE {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }}"
    status, body = running.ask(endless, "127.0.3.20")  # without a key: with one it would run for a minute
    assert status == 503, body
    time.sleep(0.5)
    log = running.log.read_text(errors="replace")
    secret = token.rsplit("_", 1)[1] if "_" in token else token
    for word in (token, secret[:12], SECRET, "zebra", "Traceback", "?d ?e ?f", "%3Fd"):
        assert word not in log, log[-2000:]
