"""Attacks on a running service. Whatever they do, all other clients are served; how fast is printed (`pytest -s`)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.access import KeyRing, Scope
from tests.load.attack import Others, Service, family, service

pytestmark = pytest.mark.heavy

SECRET = "zebra-in-the-query"
CROSS = f"SELECT * {{ ?a ?b ?c . ?d ?e ?f . FILTER(?c != '{SECRET}') }} ORDER BY ?c ?f"
SLOWEST = 5.0
"""Seconds that no look-up may take: a bound for busy machines, far from what is measured."""


@pytest.fixture(scope="module")
def token(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    data = tmp_path_factory.getbasetemp() / "load"
    shutil.copytree(seed_folder, data)
    return KeyRing(data / "keys.json").create("load", (Scope.UPDATE,), datetime.now(UTC))[1]


@pytest.fixture(scope="module")
def running(token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    base = tmp_path_factory.getbasetemp()
    with service(base / "load", base / "server.log", query_seconds="2", seconds_per_minute="100000") as made:
        yield made


def served(others: Others, title: str) -> None:
    sys.stdout.write(f"\n{title}: {others.summary()}\n")
    assert not others.wrong, others.wrong[:10]
    assert len(others.seconds) > 100
    assert max(others.seconds) < SLOWEST


def test_quiet(running: Service) -> None:
    others = Others(running)
    others.during(None, 5)
    served(others, "quiet")


def test_a_cross_product_over_everything(running: Service) -> None:
    codes: list[int] = []

    def attacker(number: int) -> None:
        for _ in range(3):
            codes.append(running.ask(CROSS, f"127.0.3.{number + 1}")[0])

    def attack() -> Iterator[None]:
        threads = [threading.Thread(target=attacker, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            yield

    others = Others(running)
    others.during(attack(), 6)
    served(others, "six cross products, again and again")
    assert codes == [503] * 18


@pytest.mark.parametrize("path", ["/sparql", "/update", "/graphs?default"])
def test_a_body_of_100_megabytes(running: Service, path: str) -> None:
    before = running.most_memory()
    answers: list[bytes] = []

    def attacker(number: int) -> None:
        part = b"query=" + b"x" * 1_000_000
        with socket.create_connection(("127.0.0.1", running.port), source_address=(f"127.0.3.{number + 1}", 0)) as sock:
            sock.settimeout(60)
            with suppress(OSError):
                sock.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * len(part)}\r\nConnection: close\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode()
                )
                for _ in range(100):
                    sock.sendall(part)
            with suppress(OSError):
                answers.append(sock.recv(12))

    def attack() -> Iterator[None]:
        threads = [threading.Thread(target=attacker, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            yield

    others = Others(running)
    others.during(attack(), 4)
    served(others, f"three bodies of 100 MB to {path}")
    assert all(answer.startswith(b"HTTP/1.1 4") for answer in answers if answer)
    assert running.most_memory() - before < 100


@pytest.mark.parametrize("start", [b"", b"GET /sparql?que", b"POST /sparql HTTP/1.1\r\nHost: x\r\nX: "])
def test_500_slow_clients(running: Service, start: bytes) -> None:
    """They say a byte each two seconds, and each is hung up on within the time for a head."""
    connections: list[socket.socket] = []
    left: list[socket.socket] = []

    def attack() -> Iterator[None]:
        for _ in range(500):
            sock = socket.create_connection(("127.0.0.1", running.port), source_address=("127.0.3.9", 0))
            sock.sendall(start)
            connections.append(sock)
        yield
        for _ in range(7):
            for sock in connections:
                with suppress(OSError):
                    sock.sendall(b"a" if start else b"")
            time.sleep(2)
            yield
        for sock in connections:
            sock.settimeout(0.05)
            try:
                if sock.recv(100):
                    continue
            except TimeoutError:
                left.append(sock)
            except OSError:
                continue

    others = Others(running)
    try:
        others.during(attack(), 5)
    finally:
        for sock in connections:
            sock.close()
    served(others, f"500 slow clients that begin with {start[:20]!r}")
    assert not left


def test_500_slow_bodies(running: Service) -> None:
    connections: list[socket.socket] = []

    def attack() -> Iterator[None]:
        for _ in range(500):
            sock = socket.create_connection(("127.0.0.1", running.port), source_address=("127.0.3.9", 0))
            sock.sendall(
                b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/sparql-query\r\n"
                b"Content-Length: 1000\r\n\r\nSELECT"
            )
            connections.append(sock)
        yield
        for _ in range(5):
            for sock in connections:
                with suppress(OSError):
                    sock.sendall(b" ")
            time.sleep(1)
            yield

    others = Others(running)
    try:
        others.during(attack(), 5)
    finally:
        for sock in connections:
            sock.close()
    served(others, "500 slow bodies")


def test_readers_killed_by_hand(running: Service) -> None:
    """The reader that works hardest is killed, ten times over: only its own client notices."""
    codes: list[int] = []

    def attacker() -> None:
        for _ in range(10):
            codes.append(running.ask(CROSS, "127.0.3.1")[0])

    def attack() -> Iterator[None]:
        thread = threading.Thread(target=attacker)
        thread.start()
        while thread.is_alive():
            time.sleep(0.3)
            idle_class = [pid for pid in family(running.pid) if _old(pid)]
            for pid in idle_class:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            yield

    others = Others(running)
    others.during(attack(), 5)
    served(others, "readers killed by hand")
    assert codes == [503] * 10


def _old(pid: int) -> bool:
    with suppress(OSError):
        return os.sched_getscheduler(pid) == os.SCHED_IDLE
    return False


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
        f"CONSTRUCT {{ ?a ?b '{SECRET}' }} WHERE {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }}",
    ):
        for headers in (header, {}, {"Authorization": f"Bearer {token}x"}):
            status, body = running.ask(query, "127.0.3.20", **headers)
            assert status != 500, body
    time.sleep(0.5)
    log = running.log.read_text(errors="replace")
    secret = token.rsplit("_", 1)[1] if "_" in token else token
    for word in (token, secret[:12], SECRET, "zebra", "Traceback", "?d ?e ?f", "%3Fd"):
        assert word not in log, log[-2000:]
