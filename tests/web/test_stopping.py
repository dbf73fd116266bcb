"""How a service stops, and how it runs on a folder that it may only read."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from app.access import KeyRing, Scope
from app.jobs.queue import Queue
from app.store.embedded import EmbeddedStore
from tests.cli.run import RUN, slmkg
from tests.jobs.making import ADA, plan
from tests.ports import free_port
from tests.store.quads import change, quad
from tests.web.conftest import problem_of
from tests.web.scratch import NOW
from tests.web.serving import _wait_until_ready

INSERT = b'INSERT DATA { <https://example.org/s> <https://example.org/p> "zebracorn" }'
ENDLESS = "SELECT (COUNT(*) AS ?n) { GRAPH ?x { ?a ?b ?c } GRAPH ?y { ?d ?e ?f } GRAPH ?z { ?g ?h ?i } }"
_DROP_FROM_BOUNDS = 24
_RIGHTS_OF_ROOT = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: without them root, too, writes only where the mode of a folder lets it."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    EmbeddedStore(tmp_path / "var" / "store").apply(change([quad("s", 1)]), expect=0)
    return tmp_path / "var"


@pytest.fixture
def token(data: Path) -> str:
    return KeyRing(data / "keys.json").create("Ada", (Scope.UPDATE,), NOW)[1]


@contextmanager
def service(data: Path, log: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`slmkg serve` on a folder; root has no more rights there than others."""
    port = free_port()
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "serve"],
            env={
                **os.environ,
                "SLMKG_DATA_DIR": str(data),
                "SLMKG_PORT": str(port),
                "SLMKG_LOG_LEVEL": "info",
                "SLMKG_READERS": "1",
                **named,
            },
            stdout=output,
            stderr=output,
            preexec_fn=_as_anybody,  # noqa: PLW1509 - no threads run yet
        )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_ready(base, process)
        yield process, base
    finally:
        process.terminate()
        process.wait(timeout=60)


def _as_anybody() -> None:
    libc = ctypes.CDLL(None)
    for right in _RIGHTS_OF_ROOT:
        libc.prctl(_DROP_FROM_BOUNDS, right, 0, 0, 0)


def test_what_has_begun_is_answered(data: Path, token: str, tmp_path: Path) -> None:
    """A write whose body is still coming when the service is told to stop."""
    with service(data, tmp_path / "log", scratch="true") as (process, base):
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as writer:
            head = (
                f"POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/sparql-update\r\nContent-Length: {len(INSERT)}\r\n\r\n"
            )
            writer.sendall(head.encode() + INSERT[:20])
            _until(lambda: _in_progress(base) == 2)
            process.terminate()
            _until(lambda: _refused(host, int(port)))
            writer.sendall(INSERT[20:])
            answer = b"".join(iter(lambda: writer.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert process.wait(timeout=30) in {0, -15}
    assert EmbeddedStore(data / "store").head().number == 2
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_stream_a_query_and_a_write_at_once(data: Path, token: str, tmp_path: Path) -> None:
    """The stream of events ends, the write is answered, the query that never ends is cut off, and no process stays."""
    EmbeddedStore(data / "store").apply(change([quad(f"s{number}", number) for number in range(1500)]), expect=1)
    queue = Queue(data / "jobs.sqlite")
    job = queue.submit(plan(50), ADA)[0].id
    queue.database.close()
    quiet = {"jobs_worker": "false", "stop_seconds": "5", "query_seconds": "600", "scratch": "true"}
    with service(data, tmp_path / "log", **quiet) as (process, base), ThreadPoolExecutor(2) as others:
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as writer:
            head = (
                f"POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/sparql-update\r\nContent-Length: {len(INSERT)}\r\n\r\n"
            )
            writer.sendall(head.encode() + INSERT[:20])
            stream = others.submit(_read, f"{base}/api/v1/jobs/{job}/events")
            query = others.submit(_read, f"{base}/sparql?{urlencode({'query': ENDLESS})}")
            _until(lambda: _in_progress(base) == 4)
            below = _children(process.pid)
            process.terminate()
            _until(lambda: _refused(host, int(port)))
            writer.sendall(INSERT[20:])
            answer = b"".join(iter(lambda: writer.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert "event: made" in (stream.result(timeout=60) or "")
        assert "bindings" not in (query.result(timeout=60) or "")
        assert process.wait(timeout=60) in {0, -15}
        assert below, "there were readers"
        _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    assert EmbeddedStore(data / "store").head().number == 3
    assert Queue(data / "jobs.sqlite").get(job).queued == 1


def test_who_never_ends_is_cut_off(data: Path, tmp_path: Path) -> None:
    with service(data, tmp_path / "log", scratch="true", stop_seconds="1") as (process, base):
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as writer:
            writer.sendall(
                b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                b"Content-Type: application/sparql-query\r\n\r\nASK"
            )
            _until(lambda: _in_progress(base) == 2)
            begun = time.monotonic()
            process.terminate()
            process.wait(timeout=30)
            assert time.monotonic() - begun < 15, "less than a body has to come"


def test_on_a_folder_that_may_only_be_read(data: Path, token: str, tmp_path: Path) -> None:
    queue = Queue(data / "jobs.sqlite")
    queue.submit(plan(50), ADA)
    queue.database.close()
    with _only_to_read(data), service(data, tmp_path / "log", scratch="true") as (process, base):
        for path in ("/", "/api/v1/models", "/metrics", "/readyz", "/sparql?query=ASK%7B%3Fs%20%3Fp%20%3Fo%7D"):
            assert httpx.get(base + path, timeout=30).status_code == 200, path
        refused = httpx.post(
            f"{base}/update",
            content=INSERT,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sparql-update"},
            timeout=30,
        )
        problem = problem_of(refused)
        assert (problem["status"], problem["code"]) == (503, "store-read-only")
        assert "nothing was changed" in problem["detail"]
        assert "server" not in refused.headers
        assert process.poll() is None
    text = (tmp_path / "log").read_text()
    assert "Traceback" not in text
    assert "the request failed" not in text
    unusual = [json.loads(line) for line in text.splitlines() if '"level":"warning"' in line]
    assert len(unusual) < 10, unusual
    assert EmbeddedStore(data / "store").head().number == 1


@contextmanager
def _only_to_read(data: Path) -> Iterator[None]:
    places = [data, *data.rglob("*")]
    before = {place: place.stat().st_mode for place in places}
    for place in places:
        place.chmod(before[place] & ~0o222)
    try:
        yield
    finally:
        for place in places:
            place.chmod(before[place])


def test_a_second_service_on_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with service(data, tmp_path / "log", scratch="true") as (process, base):
        port = base.rpartition(":")[2]
        done = slmkg(data, "serve", port="0")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"another service works on {data}: process {process.pid} since " in done.stderr
        assert f"127.0.0.1:{port}" in done.stderr
        assert "SLMKG_WORKERS" in done.stderr
        with service(data, tmp_path / "other", scratch="true", beside="true") as (_, other):
            assert httpx.get(f"{other}/readyz", timeout=30).status_code == 200
        assert slmkg(data, "revisions").returncode == 0, "commands go on"
        process.kill()
        process.wait(timeout=30)
    with service(data, tmp_path / "next", scratch="true") as (_, again):
        assert httpx.get(f"{again}/readyz", timeout=30).status_code == 200, "a lock ends with its process"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "slmkg.example.org"])
def test_a_password_that_everybody_knows_is_refused_where_others_get_in(tmp_path: Path, host: str) -> None:
    engine = {"store_url": "http://127.0.0.1:1/q", "store_user": "dba", "store_password": "dba"}
    done = slmkg(tmp_path / "var", "serve", host=host, **engine)
    assert (done.returncode, done.stdout) == (2, "")
    assert "SLMKG_STORE_PASSWORD" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert not (tmp_path / "var").exists()


def test_on_this_machine_alone_the_engine_may_have_any_password(tmp_path: Path) -> None:
    engine = {"store_url": "http://127.0.0.1:1/q", "store_user": "dba", "store_password": "dba"}
    done = slmkg(tmp_path / "var", "serve", host="127.0.0.1", port="0", **engine)
    assert done.returncode == 1, "the engine is not there"
    assert "SLMKG_STORE_PASSWORD" not in done.stderr


def _in_progress(base: str) -> float:
    text = httpx.get(f"{base}/metrics", timeout=30).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("slmkg_requests_in_progress")))


def _read(address: str) -> str | None:
    """An answer to its end; None where it was cut off."""
    try:
        return httpx.get(address, timeout=120).text
    except httpx.TransportError:
        return None


def _children(pid: int) -> list[int]:
    """The processes that a process has started and that are alive, and those below them."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text().split()):
            found += [child, *_children(child)]
    return found


def _refused(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return False
    except OSError:
        return True


def _until(true: object, seconds: float = 30) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
