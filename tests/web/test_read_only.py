"""Several services that only read share one data folder with the one that writes: real processes on the loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.access import KeyRing, Scope
from app.curate.commit import begin
from app.errors import StoreEmpty, WritesElsewhere
from app.model.changes import ChangeSet
from app.model.quads import LOADER
from app.settings import Settings
from app.store.memory import MemoryStore
from app.web.application import create_app
from app.wiring import build
from tests.cli.run import RUN
from tests.cli.workers import until
from tests.ports import free_port
from tests.store.quads import quad
from tests.web.conftest import Client, problem_of
from tests.web.scratch import NOW
from tests.web.serving import UVICORN

GRAPH = "https://example.org/graph"
WRITES = [
    ("POST", "/update"),
    ("PUT", f"/graphs?graph={GRAPH}"),
    ("DELETE", f"/graphs?graph={GRAPH}"),
    ("PATCH", f"/graphs?graph={GRAPH}"),
    ("POST", "/api/v1/proposals"),
    ("POST", "/api/v1/proposals/import?dry_run=true"),
    ("PUT", "/api/v1/cases/phi-2/numLayers/decision"),
    ("POST", "/api/v1/jobs"),
    ("POST", "/api/v1/worker/claim"),
    ("POST", "/api/v1/webhooks"),
    ("POST", "/api/v1/releases"),
    ("POST", "/curate/sign-in"),
    ("POST", "/no/such/address"),
]


@dataclass
class Process:
    """One service on the folder."""

    base: str
    process: subprocess.Popen[bytes]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.base + path, headers={k.replace("_", "-"): v for k, v in headers.items()}, timeout=30)

    def ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.get("/readyz").status_code == 200
        return False


@dataclass
class Three:
    """One that writes, and two that only read."""

    writer: Process
    readers: list[Process]
    key: str

    def write(self, number: int) -> int:
        answer = httpx.post(
            f"{self.writer.base}/graphs?graph={GRAPH}",
            content=f"<http://e/s> <http://e/p> {number} .",
            headers={"Content-Type": "text/turtle", "Authorization": f"Bearer {self.key}"},
            timeout=60,
        )
        assert answer.status_code < 300, answer.text
        return int(answer.headers["x-revision"])


def started(data: Path, **settings: str) -> Process:
    port = free_port()
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, "SLMKG_DATA_DIR": str(data), "SLMKG_READERS": "1", **named}
    return Process(f"http://127.0.0.1:{port}", subprocess.Popen([*UVICORN, str(port)], env=environment))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    data = tmp_path / "data"
    services = build(Settings(data_dir=data))
    begin(services.store, author=LOADER, now=NOW)
    services.store.close()
    key = KeyRing(data / "keys.json").create("Eve", (Scope.UPDATE,), NOW)[1]
    writer = started(data)
    reading = {"read_only": "true", "writer_url": "https://write.example.org"}
    found = Three(writer, [started(data, **reading) for _ in range(2)], key)
    everybody = [found.writer, *found.readers]
    try:
        for one in everybody:
            until(one.ready)
        yield found
    finally:
        for one in everybody:
            one.process.kill()
            one.process.wait()


@pytest.mark.heavy
def test_readers_follow_the_writer_and_a_killed_one_takes_nobody_with_it(three: Three) -> None:
    def everywhere(revision: int) -> bool:
        return all(one.get("/readyz").json()["revision"] == revision for one in (three.writer, *three.readers))

    def counts(one: Process) -> str:
        query = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{GRAPH}> {{ ?s ?p ?o }} }}"
        return httpx.get(f"{one.base}/sparql", params={"query": query}, headers={"Accept": "text/csv"}).text

    revision = three.write(1)
    until(lambda: everywhere(revision))
    for path in ("/api/v1/models", "/api/v1/properties", f"/graphs?graph={GRAPH}"):
        answers = [one.get(path) for one in (three.writer, *three.readers)]
        assert len({answer.headers["etag"] for answer in answers}) == 1, path
        assert len({answer.content for answer in answers}) == 1, path
        tag = answers[0].headers["etag"]
        assert [one.get(path, If_None_Match=tag).status_code for one in three.readers] == [304, 304]
    first, second = three.readers
    refused = httpx.post(f"{first.base}/update", content="CLEAR ALL", headers={"Authorization": f"Bearer {three.key}"})
    assert problem_of(refused)["advice"] == "Send it to https://write.example.org."
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    revision = three.write(2)
    until(lambda: second.get("/readyz").json()["revision"] == revision)
    assert counts(second).split() == counts(three.writer).split() == ["n", "2"]
    os.kill(three.writer.process.pid, signal.SIGKILL)
    three.writer.process.wait()
    assert second.get("/api/v1/models").status_code == 200
    assert counts(second).split() == ["n", "2"]


@pytest.fixture(scope="module")
def reader() -> Client:
    """A service that only reads, in this process."""
    store = MemoryStore()
    begin(store, author=LOADER, now=NOW)
    return Client(create_app(build(Settings(read_only=True, writer_url="http://writer.test"), store)))


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_whatever_might_change_something_is_refused(reader: Client, method: str, path: str) -> None:
    problem = problem_of(reader.request(method, path, content=b"x" * 10))
    assert (problem["status"], problem["code"]) == (403, "writes-elsewhere")
    assert "http://writer.test" in problem["advice"]


def test_a_person_gets_a_page_that_says_so(reader: Client) -> None:
    answer = reader.request("POST", "/curate/sign-in", headers={"Accept": "text/html"}, data={"key": "x"})
    assert (answer.status_code, "http://writer.test" in answer.text) == (403, True)


def test_what_reads_is_answered(reader: Client) -> None:
    assert reader.get("/api/v1/proposals").status_code == 200
    assert reader.request("HEAD", "/api/v1/models").status_code == 200
    assert reader.request("OPTIONS", "/sparql").status_code < 300
    assert reader.post("/sparql", data={"query": "ASK {}"}).status_code == 200
    assert reader.post("/r/1/sparql", data={"query": "ASK {}"}).status_code == 200


def test_the_store_of_a_reader_changes_nothing(tmp_path: Path) -> None:
    writing = build(Settings(data_dir=tmp_path))
    begin(writing.store, author=LOADER, now=NOW)
    before = sorted(path for path in tmp_path.rglob("*"))
    services = build(Settings(data_dir=tmp_path, read_only=True))
    change = ChangeSet(frozenset([quad("s", 1)]), frozenset(), "no", LOADER.value, NOW)
    with pytest.raises(WritesElsewhere):
        services.store.apply(change, expect=1)
    with pytest.raises(WritesElsewhere):
        services.repair()
    assert services.view(1).revision == 1
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_reader_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreEmpty):
        build(Settings(data_dir=tmp_path, read_only=True)).store.head()
    done = subprocess.run(
        [sys.executable, "-c", RUN, "serve"],
        env={**os.environ, "SLMKG_DATA_DIR": str(tmp_path), "SLMKG_READ_ONLY": "true", "SLMKG_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "slmkg load" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert not (tmp_path / "store").exists()
