"""What is in the log, and what never is: keys, queries, parameters. Shown on what real services say of themselves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.access import KeyRing, Scope
from app.logs import FIELDS, places
from app.store.embedded import EmbeddedStore
from app.web import logs
from tests.store.test_readers import change
from tests.web.serving import UVICORN, serving

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WORD = "zebracorn"
"""Stands in everything that anybody asks, and nowhere else."""
SERVE = (
    "import os, sys; os.environ['SLMKG_PORT'] = sys.argv.pop(); sys.argv[1:] = ['serve']; "
    "from app.cli import main; main()"
)
BROKEN = """
import sys
import uvicorn
from starlette.requests import Request
from starlette.responses import StreamingResponse
from app.asgi import app
from app.web.patience import OPTIONS

def words(request, body):
    return f"{request.url} {dict(request.headers)} {body!r}"

async def fail(request: Request):
    try:
        raise ValueError(words(request, await request.body()))
    except ValueError as error:
        raise ExceptionGroup(words(request, b""), [RuntimeError(words(request, b"")), error]) from error

async def cut(request: Request):
    async def parts():
        yield b"a beginning"
        raise RuntimeError(words(request, b""))
    return StreamingResponse(parts(), headers={"Content-Length": "1000"})

app.add_route("/fail", fail, methods=["GET", "POST"])
app.add_route("/cut", cut, methods=["GET"])
uvicorn.run(app, port=int(sys.argv[1]), log_level="debug", **OPTIONS)
"""
COMMANDS = {
    "slmkg serve, debug": ((sys.executable, "-c", SERVE), "debug"),
    "slmkg serve": ((sys.executable, "-c", SERVE), "warning"),
    "uvicorn, debug": ((*UVICORN[:4], "--log-level", "debug", "--port"), "debug"),
}


def used_by_many(base: str, tokens: list[str], revoked: str) -> None:
    """Several users ask, write and make mistakes, in every way that there is."""
    graph = f"https://w3id.org/slmkg/graph/{WORD}"
    node = f"<urn:{WORD}>"
    questions = [
        f"SELECT * {{ ?s ?p '{WORD}' }}",
        f"SELECT * {{ ?s ?p '{WORD}'",
        f"SELECT * {{ SERVICE {node} {{}} }}",
        f"SELECT * {{ ?s ?p 'SERVICE {WORD}' }}",
        f"SELECT ({node}(1) AS ?x) {{}}",
        f"SELECT ({WORD}(1) AS ?x) {{}}",
        f"DROP ALL # {WORD}",
        f"SELECT * {{ FILTER({'!' * 20_000}'{WORD}') }}",
        f"SELECT * {{ ?{WORD} ?b ?c . ?d ?e ?f . ?g ?h ?i }} ORDER BY ?c ?f",
        f"CONSTRUCT {{ ?a ?b '{WORD}' }} WHERE {{ ?a ?b ?c . ?d ?e ?f }}",
        f"DESCRIBE {node}",
    ]
    device = f"<https://w3id.org/slmkg/resource/device/{WORD}> <http://www.w3.org/2000/01/rdf-schema#label> '{WORD}'@en"
    updates = [
        f"INSERT DATA {{ GRAPH <https://w3id.org/slmkg/graph/registry> {{ {device} }} }}",
        f"INSERT DATA {{ GRAPH <{graph}> {{ {node} {node} '{WORD}' }} }}",
        f"INSERT DATA {{ {node} {node} {node} }}",
        f"LOAD <http://127.0.0.1:1/{WORD}>",
        f"INSERT DATA {{ GRAPH <{graph}> {{ {node} '{WORD}'",
        f"CLEAR GRAPH <{graph}>",
    ]
    with httpx.Client(base_url=base, timeout=60) as client:
        for token in (None, *tokens, revoked, f"{tokens[0]}{WORD}", WORD):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            for query in questions:
                given = {"query": query}
                for kind in ("*/*", "text/html"):
                    client.get("/sparql", params=given, headers={**headers, "Accept": kind})
                client.get("/query", params=given, headers=headers)
                if "ORDER BY" in query:  # it takes its time
                    continue
                client.get("/r/1/sparql", params=given, headers=headers)
                client.post("/sparql", data=given, headers=headers)
                typed = {**headers, "Content-Type": "application/sparql-query"}
                client.post("/sparql", content=query, headers=typed)
            for update in updates:
                typed = {**headers, "Content-Type": "application/sparql-update"}
                client.post("/update", content=update, headers=typed)
                client.post("/update", data={"update": update}, headers=headers)
            turtle = {**headers, "Content-Type": "text/turtle"}
            for method in ("PUT", "POST", "PATCH", "DELETE", "GET"):
                client.request(method, "/graphs", params={"graph": graph}, content=f"{node} a {node}", headers=turtle)
            for path in (
                f"/api/v1/models?q={WORD}",
                f"/api/v1/models?{WORD}=1",
                f"/sparql?default-graph-uri={WORD}&query=ASK%7B%7D",
                f"/sparql?revision={WORD}&query=ASK%7B%7D",
                f"/query%3Fquery={WORD}",
                f"/{quote(questions[0])}",
            ):
                client.get(path, headers=headers)
    host, port = base.removeprefix("http://").split(":")
    for raw in (
        f"GET /sparql?query={WORD} HTTP/1.1\r\nHost: x\r\nBad header {tokens[0]}\r\n\r\n",
        f"{WORD} {tokens[0]}\r\n\r\n",
        f"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nquery={WORD}",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection, contextlib.suppress(OSError):
            connection.sendall(raw.encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    EmbeddedStore(tmp_path / "data" / "store").apply(change(0, 300), expect=0)
    return tmp_path / "data"


@pytest.fixture
def tokens(data: Path) -> list[str]:
    ring = KeyRing(data / "keys.json")
    return [ring.create(name, (Scope.UPDATE,), NOW)[1] for name in ("one", "another")]


@pytest.fixture
def revoked(data: Path, tokens: list[str]) -> str:
    ring = KeyRing(data / "keys.json")
    key, token = ring.create("gone", (Scope.UPDATE,), NOW)
    ring.revoke(key.id, NOW)
    return token


def check(log: str, tokens: list[str]) -> None:
    """No key, no part of a secret, no word of what was asked."""
    forbidden = [WORD, "?d ?e ?f", "%3Fd", "INSERT", "SELECT *", "SELECT (", "Bearer", "query="]
    for token in tokens:
        _, _, secret = token.split("_", 2)
        forbidden += [token, *(secret[at : at + 8] for at in range(0, len(secret) - 8, 4))]
    for word in forbidden:
        assert word not in log, "\n".join(line for line in log.splitlines() if word in line)[:2000]


@pytest.mark.parametrize("way", COMMANDS)
def test_no_key_and_no_query(way: str, data: Path, tokens: list[str], revoked: str, tmp_path: Path) -> None:
    command, level = COMMANDS[way]
    log = tmp_path / "log"
    with serving(data, *command, log=log, log_level=level, query_seconds="0.3", key_query_seconds="0.4") as base:
        used_by_many(base, tokens, revoked)
    text = log.read_text(encoding="utf-8", errors="replace")
    check(text, [*tokens, revoked])
    assert "Traceback" not in text
    assert "failed" not in text, text[-3000:]
    told = written(text)
    if way.startswith("slmkg"):
        plain = [line for line in text.splitlines() if not line.startswith("{")]
        assert all(line.startswith("serving on http://127.0.0.1:") for line in plain), plain
    requests = [one for one in told if one["event"] == "request"]
    if level == "warning":
        assert not requests
        return
    for one in requests:
        assert re.fullmatch("[0-9a-f]{32}", one["request"])
        assert one["milliseconds"] >= 0
        assert one["bytes"] >= 0
    lines = {f"{one['method']} {one['path']} {one['status']}" for one in requests}
    for line in (
        "GET /sparql 200",
        "GET /sparql 503",
        "GET /query 308",
        "GET /sparql 400",
        "POST /update 200",
        "POST /update 401",
    ):
        assert line in lines, line
    own = any('"GET /sparql HTTP/1.1" 200' in one["event"] for one in told)
    assert own is way.startswith("uvicorn"), "uvicorn's own lines"
    keys = {f"key {token.split('_')[1]}" for token in tokens}
    assert {one["actor"] for one in requests if "actor" in one} == keys, "who was known is named, and nobody else"
    assert {one["query"] for one in requests if "query" in one} >= {hashed(f"DESCRIBE <urn:{WORD}>")}


def hashed(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:16]


def written(text: str) -> list[dict[str, Any]]:
    """The lines of a log; each has fields that are described, in their order, and no others."""
    told = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    for one in told:
        assert list(one) == [name for name in FIELDS if name in one]
        assert {"time", "level", "event", "logger"} <= one.keys()
    return told


def test_an_unexpected_error(data: Path, tokens: list[str], tmp_path: Path) -> None:
    """Its words quote all that the client sent, and only its kind and its places are in the log."""
    log = tmp_path / "log"
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    with serving(data, sys.executable, "-c", BROKEN, log=log, log_level="debug") as base:
        for content in (None, f"SELECT * {{ ?s ?p '{WORD}' }}"):
            response = httpx.request("POST" if content else "GET", f"{base}/fail?query={WORD}", headers=headers)
            assert response.status_code == 500
            assert response.headers["x-request-id"] in response.text
            assert WORD not in response.text
            assert response.headers["x-request-id"] in {one.get("request") for one in written(log.read_text())}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{base}/cut?query={WORD}", headers=headers)
        assert httpx.get(f"{base}/livez").status_code == 200
    text = log.read_text()
    check(text, tokens)
    failed = [one for one in written(text) if one["event"] == "the request failed"]
    fail = next(one["error"] for one in failed if (one["method"], one["path"]) == ("GET", "/fail"))
    assert fail.startswith("builtins.ExceptionGroup")
    assert "which followed on builtins.ValueError" in fail
    assert "builtins.RuntimeError" in fail
    assert re.search(r"^  <string>:\d+ fail$", fail, re.MULTILINE)
    cut = next(one["error"] for one in failed if one["path"] == "/cut")
    assert cut.startswith("builtins.RuntimeError")


# ---- the parts ----


def raised(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_words_of_the_system_are_told() -> None:
    told = places(raised(lambda: open("/no/such/zebracorn")))  # noqa: SIM115, PTH123
    assert told.startswith("builtins.FileNotFoundError: No such file or directory\n  ")
    assert WORD not in told
    assert WORD not in places(raised(lambda: exec("raise OSError('zebracorn')")))
    assert WORD not in places(raised(lambda: exec("raise OSError(1, ['zebracorn'])")))


def test_what_led_to_an_error_is_told_once() -> None:
    first, second = ValueError(WORD), KeyError(WORD)
    first.__context__, second.__cause__ = second, first
    assert places(first).count("which followed on") == 1
    hidden = raised(lambda: exec("try:\n 1/0\nexcept ZeroDivisionError:\n raise KeyError('zebracorn') from None"))
    assert "ZeroDivisionError" not in places(hidden)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/sparql", "/sparql"),
        ("/api/v1/models/opt-125m", "/api/v1/models/opt-125m"),
        ("/sparql?query=x", "/sparql"),
        ("/SELECT * {", "/SELECT"),
        ("/a\nrequest 1: forged", "/a"),
        ("/\u00e4", "/"),
        ("/\x1b[31m", "/"),
        ("/" + "a" * 500, "/" + "a" * 119),
    ],
)
def test_paths(path: str, shown: str) -> None:
    assert logs.path_of({"path": path}) == shown


def test_uvicorn_s_own_lines_lose_their_parameters() -> None:
    access = logging.getLogger("uvicorn.access")
    before = list(access.filters)
    try:
        for _ in range(2):
            logs.hide_parameters()
        assert len(access.filters) == len(before) + 1
        arguments = ("127.0.0.1:1", "GET", f"/sparql?query={WORD}", "1.1", 200)
        record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, '%s - "%s %s HTTP/%s" %d', arguments, None)
        assert access.filter(record)
        assert record.getMessage() == '127.0.0.1:1 - "GET /sparql HTTP/1.1" 200'
    finally:
        access.filters[:] = before
