"""What the service does with those who ask too much, too long or too slowly: over real sockets, with real readers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from app.access import KeyRing, Scope
from app.store.embedded import EmbeddedStore
from app.web.abandonment import GiveUp
from app.web.answers import AnswerCache
from app.web.clients import account_of
from app.web.patience import HEAD_BYTES, PatientProtocol
from tests.store.test_readers import COUNT, ENDLESS, GREEDY, change
from tests.web.conftest import problem_of
from tests.web.serving import serving

SIZE = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("limits")
    EmbeddedStore(made / "store").apply(change(0, SIZE), expect=0)
    return made


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return KeyRing(folder / "keys.json").create("somebody", (Scope.PROPOSE,), datetime.now(UTC))[1]


@pytest.fixture(scope="module")
def address(folder: Path, token: str) -> Iterator[str]:
    settings = {
        "query_seconds": "1",
        "key_query_seconds": "2",
        "queries_at_once": "2",
        "max_result_rows": "1000",
        "max_readers": "6",
        "reader_megabytes": "128",
        "seconds_per_minute": "1000",
    }
    with serving(folder, log=None, **settings) as base:
        yield base


def ask(address: str, query: str, host: str = "127.0.0.1", **headers: str) -> httpx.Response:
    """Ask from one of the loopback's own addresses: each is a client of its own."""
    transport = httpx.HTTPTransport(local_address=host)
    with httpx.Client(transport=transport, timeout=60) as client:
        return client.get(f"{address}/sparql", params={"query": query}, headers=headers)


def test_the_limit_of_time_is_an_error_as_a_whole(address: str) -> None:
    started = time.monotonic()
    response = ask(address, ENDLESS, "127.0.1.1")
    assert response.status_code == 503
    assert problem_of(response)["code"] == "query-timeout"
    assert 1 <= time.monotonic() - started < 10


def test_keys_have_more_time(address: str, token: str) -> None:
    started = time.monotonic()
    response = ask(address, ENDLESS, Authorization=f"Bearer {token}")
    assert problem_of(response)["code"] == "query-timeout"
    assert time.monotonic() - started >= 2
    assert "q=600;w=60" in response.headers.get("ratelimit-policy", "q=600;w=60")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (GREEDY.replace("?d ?e ?f", "?d ?e ?f . ?g ?h ?i"), "query-timeout"),
        ("SELECT * { ?a ?b ?c . ?d ?e ?f }", "query-refused"),
        ("CONSTRUCT { ?a <urn:x> ?d } WHERE { ?a ?b ?c . ?d ?e ?f }", "query-refused"),
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", "query-refused"),
    ],
)
def test_other_limits(address: str, query: str, code: str) -> None:
    assert problem_of(ask(address, query, "127.0.1.2"))["code"] == code


def test_headers_say_what_is_left(address: str) -> None:
    first = ask(address, COUNT, "127.0.1.3")
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"seconds";q=1000;w=60'
    ask(address, ENDLESS, "127.0.1.3")
    ask(address, ENDLESS, "127.0.1.3")
    later = ask(address, COUNT, "127.0.1.3")
    left = int(later.headers["ratelimit"].split(";r=")[1].split(";")[0])
    assert 900 < left < 999
    assert 0 < int(later.headers["ratelimit"].split(";t=")[1]) <= 60


def test_too_many_at_once(address: str) -> None:
    """One address has two places; a third question is refused at once, and another address is served."""

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(asyncio.to_thread(ask, address, ENDLESS, "127.0.1.4")) for _ in range(2)]
            await asyncio.sleep(0.4)
            third = await asyncio.to_thread(ask, address, COUNT + " #", "127.0.1.4")
            assert third.status_code == 429
            assert problem_of(third)["code"] == "too-many-requests"
            assert int(third.headers["retry-after"]) >= 1
            other = await asyncio.to_thread(ask, address, COUNT + " ##", "127.0.1.5")
            assert other.status_code == 200
        assert {problem_of(task.result())["code"] for task in running} == {"query-timeout"}

    asyncio.run(run())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_hangs_up_frees_the_place(address: str, token: str, method: str) -> None:
    """The query has a limit of two seconds, and ends far sooner: its client is gone."""
    host, port = address.removeprefix("http://").split(":")
    body = ENDLESS.encode()
    head = (
        f"POST /sparql HTTP/1.1\r\nContent-Type: application/sparql-query\r\nContent-Length: {len(body)}\r\n"
        if method == "POST"
        else f"GET /sparql?{httpx.QueryParams(query=ENDLESS)} HTTP/1.1\r\n"
    )
    for _ in range(4):
        with socket.create_connection((host, int(port)), source_address=("127.0.1.6", 0)) as connection:
            connection.sendall(f"{head}Host: x\r\n\r\n".encode() + (body if method == "POST" else b""))
            time.sleep(0.25)
        time.sleep(0.15)
    assert ask(address, COUNT + " # free again", "127.0.1.6").status_code == 200


# ---- the page for people: its queries are strangers' queries too ----


def page(address: str, query: str, host: str, **headers: str) -> httpx.Response:
    transport = httpx.HTTPTransport(local_address=host)
    with httpx.Client(transport=transport, timeout=60) as client:
        return client.get(f"{address}/sparql", params={"query": query}, headers={"Accept": "text/html", **headers})


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        (ENDLESS, 503, "the query ran longer than it may and was stopped"),
        (GREEDY.replace("?d ?e ?f", "?d ?e ?f . ?g ?h ?i"), 503, "was stopped"),
        ("SELECT * { FILTER(" + "!" * 20_000 + "1) }", 503, "was stopped"),
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 400, "SERVICE is not allowed"),
        ("SELECT (<urn:nothing>(1) AS ?x) {}", 400, "the engine cannot answer this"),
        ("SELECT (CONCAT('" + "x" * 20_000 + "', ?c) AS ?x) { ?a ?b ?c }", 400, "the answer is larger than allowed"),
        ("SELECT * {", 400, "line 1, column"),
    ],
)
def test_the_page_says_in_words_what_a_limit_did(address: str, query: str, status: int, words: str) -> None:
    started = time.monotonic()
    response = page(address, query, "127.0.1.20")
    assert response.status_code == status, response.text
    assert time.monotonic() - started < 20
    assert response.headers["content-type"].startswith("text/html")
    assert 'role="alert"' in response.text
    assert words in response.text
    assert "Answer</h2>" not in response.text
    assert page(address, COUNT + f" # after {query[:20]}", "127.0.1.21").status_code == 200


def test_the_page_takes_from_the_same_account(address: str) -> None:
    """One address has two places for both ways of asking; the third is told when to come again."""

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(asyncio.to_thread(way, address, ENDLESS, "127.0.1.22")) for way in (ask, page)]
            await asyncio.sleep(0.4)
            third = await asyncio.to_thread(page, address, COUNT + " #", "127.0.1.22")
            assert third.status_code == 429
            assert int(third.headers["retry-after"]) >= 1
            assert "more than 2 queries at once" in third.text
            other = await asyncio.to_thread(page, address, COUNT + " ##", "127.0.1.23")
            assert other.status_code == 200
        assert {task.result().status_code for task in running} == {503}

    asyncio.run(run())
    left = page(address, COUNT, "127.0.1.22").headers["ratelimit"]
    assert int(left.split(";r=")[1].split(";")[0]) <= 998


def test_the_page_shows_the_beginning_of_a_long_answer(address: str) -> None:
    """However long it would be: the reader stops when there are enough rows."""
    rows = page(address, "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }", "127.0.1.24")
    assert rows.status_code == 200
    assert rows.text.count("<tr>") == 501
    assert "500 rows, the\n    first of more" in rows.text
    graph = page(address, "CONSTRUCT { ?a <urn:x> ?d } WHERE { ?a ?b ?c . ?d ?e ?f }", "127.0.1.24")
    assert graph.status_code == 200
    assert "500 triples, the\n    first of more" in graph.text
    whole = page(address, "SELECT * { ?a ?b ?c } LIMIT 300", "127.0.1.24")
    assert "300 rows; revision 1" in whole.text
    assert whole.headers["ratelimit-policy"] == '"seconds";q=1000;w=60'


def test_the_page_with_a_key(address: str, token: str) -> None:
    started = time.monotonic()
    assert page(address, ENDLESS, "127.0.1.25", Authorization=f"Bearer {token}").status_code == 503
    assert time.monotonic() - started >= 2
    assert problem_of(page(address, COUNT, "127.0.1.25", Authorization="Bearer x"))["code"] == "unauthorized"


def test_terms_within_terms_do_not_break_the_front(address: str) -> None:
    """As deep as a query can make them: the page refuses or shows them, and the service lives on."""
    steps = "".join(f"BIND(TRIPLE(<>,<>,?{number})AS?{number + 1})" for number in range(2800))
    for query in (f"SELECT * {{ BIND(1 AS ?0){steps} }}", f"CONSTRUCT {{ <> <> ?2800 }} {{ BIND(1 AS ?0){steps} }}"):
        for kind in ("text/html", "*/*"):
            connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
            connection.request("GET", f"/sparql?query={quote(query)}", headers={"Accept": kind})
            assert connection.getresponse().status in {200, 400, 503}
            connection.close()
    assert page(address, COUNT + " # alive", "127.0.1.26").status_code == 200


def test_networks_of_ipv6_are_one_client() -> None:
    assert account_of("2001:db8:1:2:3:4:5:6") == account_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert account_of("2001:db8:1:3::1") != account_of("2001:db8:1:2::1")
    assert account_of("::ffff:192.0.2.7") == account_of("192.0.2.7") == "192.0.2.7"
    assert account_of("unknown") == "unknown"


def test_long_questions_do_not_fill_the_memory() -> None:
    """A short answer to a long question takes the room of both."""
    cache = AnswerCache(1_000_000)
    for number in range(100):
        cache.put((1, f"{number}" + "x" * 50_000, ("urn:g",), (), "text/csv"), b"1")
    assert 1 < len(cache._answers) < 20
    assert 0 < cache._used <= 1_000_000
    cache.put((1, "y" * 200_000), b"")
    assert cache.get((1, "y" * 200_000)) is None
    for key in list(cache._answers):
        assert cache.get(key) == b"1"


# ---- slow clients ----


class Impatient(PatientProtocol):
    head_seconds = 0.4
    body_seconds = 0.4


async def echo(scope: AsgiScope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    request = Request(scope, receive)
    if scope["path"] == "/refuse":
        response: Response = PlainTextResponse("no", status_code=413)
    else:
        if scope["path"] == "/slow":
            await asyncio.sleep(1.0)
        response = PlainTextResponse(str(len(await request.body())))
    await response(scope, receive, send)


@pytest.fixture(scope="module")
def impatient() -> Iterator[int]:
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=Impatient, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)


def ended(connection: socket.socket, within: float = 5) -> bool:
    """Whether the server hangs up."""
    connection.settimeout(within)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def test_silence(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        assert ended(connection)


def test_a_head_byte_by_byte(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - started < 20
        assert ended(connection)


def test_a_second_head_byte_by_byte(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        assert ended(connection)
        assert time.monotonic() - started < 4


def test_a_body_byte_by_byte(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 200:
                connection.sendall(b"x")
                sent += 1
                time.sleep(0.05)
        assert sent < 200
        assert ended(connection)


def test_a_large_body_may_take_its_time(impatient: int) -> None:
    """As long as it comes: half a megabyte each quarter of a second for two seconds."""
    part = b"x" * 500_000
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n")
        for _ in range(8):
            connection.sendall(part)
            time.sleep(0.1)
        assert connection.recv(1000).endswith(b"4000000")


def test_a_refused_body_does_not_go_on_for_ever(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 100:
                connection.sendall(b"x" * 10_000)
                sent += 1
                time.sleep(0.05)
        assert sent < 100


def test_a_head_without_end(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (HEAD_BYTES + 1000))
        assert ended(connection)


def test_a_slow_answer_is_waited_for(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_many_requests_on_one_connection(impatient: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{impatient}") as client:
        for size in (0, 10, 100_000):
            assert client.post("/", content=b"x" * size).text == str(size)


# ---- giving up, without sockets ----


def test_a_write_is_not_given_up() -> None:
    """Whatever is no question runs to its end, and a cancellation from elsewhere is passed on."""
    ends: list[str] = []

    async def application(scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(0.3)
            ends.append("done")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def nowhere(_: object) -> None:
        return

    async def run() -> None:
        for method, path in (("PUT", "/graphs"), ("POST", "/update"), ("GET", "/sparql"), ("HEAD", "/x")):
            await GiveUp(application)({"type": "http", "method": method, "path": path}, gone, nowhere)
        task = asyncio.create_task(
            GiveUp(application)({"type": "http", "method": "POST", "path": "/sparql"}, gone, nowhere)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert ends == ["done", "done", "cancelled", "cancelled", "cancelled"]
