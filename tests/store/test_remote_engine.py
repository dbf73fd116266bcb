"""What is not a whole, well-formed answer is an error: shown by a false engine that says what it is told to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from app.errors import AppError, EngineUnavailable, QueryRefused, QueryTimeout
from app.store.port import Query
from app.store.remote import RemoteStore
from app.store.remote_http import Address, Engine
from app.store.remote_layout import Layout, Physical
from app.store.remote_snapshot import RemoteSnapshot
from tests.store.quads import change, quad
from tests.store.servers import oxigraph

ROWS = "application/sparql-results+json"
NT = "application/n-triples"
WHOLE = json.dumps(
    {"head": {"vars": ["o"]}, "results": {"bindings": [{"o": {"type": "uri", "value": "x:y"}}]}}
).encode()
TRIPLE = b"<x:s> <x:p> <x:o> .\n"
SELECT, CONSTRUCT, ASK = "SELECT ?o { ?s ?p ?o }", "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }", "ASK { ?s ?p ?o }"


class FalseEngine(ThreadingHTTPServer):
    """Answers every request with the same bytes, or with nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = b""
        self.failures = 0
        self.wait = threading.Event()
        self.requests: list[dict[str, list[str]]] = []

    def says(self, body: bytes, kind: str = ROWS, status: int = 200, length: int | None = -1, **headers: str) -> None:
        """Set the answer. `length` is the Content-Length; None leaves it out, -1 is the right one."""
        lines = [f"HTTP/1.1 {status} Word", f"Content-Type: {kind}", "Connection: close"]
        if length is not None:
            lines.append(f"Content-Length: {len(body) if length == -1 else length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    @property
    def address(self) -> Address:
        here = f"http://127.0.0.1:{self.server_address[1]}"
        return Address(query=here, update=here, graphs=here, seconds=20.0)


class _Handler(BaseHTTPRequestHandler):
    server: FalseEngine

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(parse_qs(body.decode()))
        if self.server.failures:
            self.server.failures -= 1
            self.wfile.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy")
        elif self.server.answer:
            self.wfile.write(self.server.answer)
        else:
            self.server.wait.wait(10)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def engine() -> Iterator[FalseEngine]:
    server = FalseEngine()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.wait.set()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(engine: FalseEngine, text: str, seconds: float = 20.0) -> object:
    snapshot = RemoteSnapshot(
        Engine(replace(engine.address, seconds=seconds)), Layout({"x:g": Physical("x:0", 1)}), "x:base"
    )
    answer = snapshot.query(Query(text))
    if answer.kind == "ask":
        return answer.truth
    return list(answer.rows()) if answer.kind == "select" else list(answer.triples())


def test_whole_answers_are_read(engine: FalseEngine) -> None:
    engine.says(WHOLE)
    assert len(ask(engine, SELECT)) == 1  # type: ignore[arg-type]
    engine.says(TRIPLE, NT)
    assert len(ask(engine, CONSTRUCT)) == 1  # type: ignore[arg-type]
    engine.says(b'{"head": {}, "boolean": true}')
    assert ask(engine, ASK) is True
    assert engine.requests[0]["default-graph-uri"] == ["x:0"]


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_rows_cut_anywhere_are_no_data(engine: FalseEngine, cut: int) -> None:
    engine.says(WHOLE[:cut])
    with pytest.raises(EngineUnavailable):
        ask(engine, SELECT)


@pytest.mark.parametrize(
    "body", [b'{"head": {}, "boolean": true', b'{"boolean": 1}', b'{"head": {}}', b"true", b"", WHOLE]
)
def test_a_truth_value_is_whole_or_no_data(engine: FalseEngine, body: bytes) -> None:
    engine.says(body)
    with pytest.raises(EngineUnavailable):
        ask(engine, ASK)


@pytest.mark.parametrize("cut", range(1, len(TRIPLE) - 1))
def test_triples_cut_anywhere_are_no_data(engine: FalseEngine, cut: int) -> None:
    engine.says((TRIPLE * 2)[:-cut], NT, length=None, X_Pad="1")
    with pytest.raises(EngineUnavailable):
        ask(engine, CONSTRUCT)
    if TRIPLE[:-cut].strip().endswith(b"."):
        return
    engine.says((TRIPLE * 2)[:-cut], NT)
    with pytest.raises(EngineUnavailable):
        ask(engine, CONSTRUCT)


@pytest.mark.parametrize(
    ("text", "body", "kind", "options", "error"),
    [
        (SELECT, WHOLE, ROWS, {"length": len(WHOLE) + 1}, EngineUnavailable),
        (CONSTRUCT, TRIPLE, NT, {"length": 2 * len(TRIPLE)}, EngineUnavailable),
        (CONSTRUCT, TRIPLE, NT, {"length": None}, EngineUnavailable),
        (CONSTRUCT, TRIPLE, NT, {"length": None, "Transfer_Encoding": "chunked"}, EngineUnavailable),
        (SELECT, WHOLE, "text/html", {}, EngineUnavailable),
        (SELECT, b"<html>please log in</html>", "text/html", {}, EngineUnavailable),
        (SELECT, TRIPLE, NT, {}, EngineUnavailable),
        (SELECT, WHOLE, ROWS, {"X_SPARQL_MaxRows": "10"}, EngineUnavailable),
        (SELECT, WHOLE, ROWS, {"X_SQL_State": "S1TAT"}, QueryTimeout),
        (SELECT, WHOLE[:-20] + b"The SPARQL operation has been cancelled", ROWS, {}, QueryTimeout),
        (CONSTRUCT, TRIPLE + b"The SPARQL operation has been cancelled", NT, {}, QueryTimeout),
        (SELECT, b"Virtuoso S1T00 Error timeout", "text/plain", {"status": 500}, QueryTimeout),
        (SELECT, b"no idea", "text/plain", {"status": 400}, QueryRefused),
        (SELECT, b"who are you", "text/plain", {"status": 401}, EngineUnavailable),
        (SELECT, b"not you", "text/plain", {"status": 403}, EngineUnavailable),
        (SELECT, b"", "text/plain", {"status": 302, "Location": "http://127.0.0.1:1/"}, EngineUnavailable),
        (SELECT, b"broken", "text/plain", {"status": 500}, EngineUnavailable),
        (SELECT, b"busy", "text/plain", {"status": 503}, EngineUnavailable),
        (SELECT, b"gone", "text/plain", {"status": 404}, EngineUnavailable),
    ],
)
def test_what_is_no_answer_is_an_error(
    engine: FalseEngine, text: str, body: bytes, kind: str, options: dict[str, object], error: type[AppError]
) -> None:
    engine.says(body, kind, **options)  # type: ignore[arg-type]
    with pytest.raises(error) as found:
        ask(engine, text)
    assert found.value.message


def test_a_silent_engine_is_a_timeout(engine: FalseEngine) -> None:
    with pytest.raises(QueryTimeout):
        ask(engine, SELECT, seconds=0.5)
    assert len(engine.requests) == 1


def test_an_engine_that_is_not_there_is_unavailable(engine: FalseEngine) -> None:
    store = RemoteStore(Address("http://127.0.0.1:1/q", "http://127.0.0.1:1/u"))
    with pytest.raises(EngineUnavailable, match="cannot be reached") as found:
        store.head()
    assert found.value.advice


def test_reads_are_tried_again_and_writes_are_not(engine: FalseEngine) -> None:
    engine.says(WHOLE)
    engine.failures = 2
    assert len(ask(engine, SELECT)) == 1  # type: ignore[arg-type]
    assert len(engine.requests) == 3
    engine.failures = 1
    with pytest.raises(EngineUnavailable):
        Engine(engine.address).update("CLEAR ALL")
    assert len(engine.requests) == 4


def test_a_write_undone_by_a_deadlock_is_tried_again(engine: FalseEngine) -> None:
    engine.says(b"Error 40001 SR172: Transaction deadlocked", "text/plain", status=500)
    with pytest.raises(EngineUnavailable, match="deadlock"):
        Engine(engine.address).update("CLEAR ALL")
    assert len(engine.requests) > 3


def test_an_answer_may_not_be_longer_than_allowed(engine: FalseEngine) -> None:
    engine.says(WHOLE)
    small = RemoteSnapshot(Engine(replace(engine.address, max_bytes=len(WHOLE) - 1)), Layout(), "x:base")
    with pytest.raises(QueryRefused):
        small.query(Query(SELECT))


CROSS = "{ ?s ?p ?o . ?a ?b ?c . ?d ?e ?f FILTER(?o + ?c + ?f < 0) }"


@pytest.mark.parametrize("text", [f"SELECT ?o {CROSS}", f"CONSTRUCT {{ ?s ?p ?o }} WHERE {CROSS}", f"ASK {CROSS}"])
def test_oxigraphs_own_time_limit_is_seen(tmp_path: Path, text: str) -> None:
    """It answers 200 and cuts the body in the middle."""
    with oxigraph(tmp_path, "--timeout-s", "1") as address:
        store = RemoteStore(address)
        store.apply(change(quad(f"s{n}", n) for n in range(2_000)), expect=0)
        with pytest.raises((QueryTimeout, EngineUnavailable)) as found:
            store.at().query(Query(text))
        assert "stopped" in str(found.value) or "cut off" in str(found.value)
        assert len(list(store.at().query(Query(SELECT)).rows())) == 2_000
