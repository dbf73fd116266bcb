"""Readers in real processes: every limit, every way to be killed, and what happens when the graph changes meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import AppError, BadQuery, NotFound, QueryRefused, QueryTimeout, TooBusy, TooManyRequests
from app.model.changes import ChangeSet
from app.store import cage, public, reader, readers
from app.store.embedded import EmbeddedStore
from app.store.engine import table_of, triples_of
from app.store.public import PublicQueries, Scale
from app.store.readers import Accounts, Limits, Readers, Request, Share, Update
from app.store.threaded import ThreadedQueries

JSON = "application/sparql-results+json"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
GREEDY = "SELECT (GROUP_CONCAT(?t) AS ?x) { ?a ?b ?c . ?d ?e ?f . BIND(CONCAT(STR(?a), STR(?d), STR(?f)) AS ?t) }"
A_WHILE = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f }"
LIMITS = Limits(seconds=30, max_bytes=10**6, max_rows=10**4)
SHARE = Share(at_once=100, seconds_per_minute=10_000)
SIZE = 1500


def change(first: int, count: int) -> ChangeSet:
    quads = frozenset(
        ox.Quad(ox.NamedNode(f"urn:s:{n}"), ox.NamedNode("urn:p"), ox.Literal(f"o{n}"), ox.NamedNode("urn:g"))
        for n in range(first, first + count)
    )
    return ChangeSet(add=quads, remove=frozenset(), reason="test", author="urn:author", made_at=NOW)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    made = EmbeddedStore(tmp_path / "store")
    made.apply(change(0, SIZE), expect=0)
    return made


def select(query: str) -> Request:
    return Request(query, JSON, union=True)


def counted(answer: bytes) -> int:
    return int(answer.split(b'"value":"')[1].split(b'"')[0])


def with_readers(store: EmbeddedStore, work: Callable[[Readers], Awaitable[None]], **options: Any) -> None:
    with_readers_of(store.revisions_folder / "000001", work, **options)


def with_readers_of(folder: Path, work: Callable[[Readers], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        held = Readers(folder, **options)
        await held.start()
        try:
            await work(held)
        finally:
            held.stop()

    asyncio.run(run())


def with_public(store: EmbeddedStore, work: Callable[[PublicQueries], Awaitable[None]], **scale: Any) -> None:
    async def run() -> None:
        held = PublicQueries(store, store.revisions_folder, Scale(**scale))
        await held.start()
        try:
            await work(held)
        finally:
            await held.stop()

    asyncio.run(run())


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(folder.name))
    return found


def templates() -> list[int]:
    """The templates of this process."""
    return [pid for pid in children(os.getpid()) if b"app.store.reader" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.01)


async def ask(held: Readers, query: str, limits: Limits = LIMITS) -> int:
    reply = await held.ask(select(query), limits)
    assert reply.status == reader.OK, reply.body
    return counted(reply.body)


# ---- limits ----


@pytest.mark.parametrize("mode", ["memory", "disk"])
def test_the_limit_of_time(store: EmbeddedStore, mode: str) -> None:
    async def work(held: Readers) -> None:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(QueryTimeout, match="longer than it may"):
                await held.ask(select(ENDLESS), Limits(0.5, 10**6, 100))
            assert 0.5 <= time.monotonic() - started < 5
        assert held.killed == 3
        assert await ask(held, COUNT) == SIZE
        await until(lambda: len(children(templates()[0])) == held._keep)

    with_readers(store, work, mode=mode)


@pytest.mark.parametrize(("busy", "again"), [(False, None), (True, 10)])
def test_a_query_that_hardly_had_a_processor_may_be_asked_again(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, busy: bool, again: int | None
) -> None:
    monkeypatch.setattr(readers, "processor_seconds", lambda _: 0.3 * time.monotonic() if busy else time.monotonic())

    async def work(held: Readers) -> None:
        with pytest.raises(QueryTimeout, match="longer than it may") as caught:
            await held.ask(select(ENDLESS), Limits(0.5, 10**6, 100))
        assert caught.value.retry_after == again
        assert ("busy" in caught.value.message) is busy

    with_readers(store, work)


@pytest.mark.parametrize("mode", ["memory", "disk"])
def test_the_limit_of_memory(store: EmbeddedStore, mode: str) -> None:
    async def work(held: Readers) -> None:
        with pytest.raises(QueryTimeout, match="memory"):
            await held.ask(select(GREEDY), Limits(600, 10**9, 10**6))  # old queries get what others leave
        assert await ask(held, COUNT) == SIZE

    with_readers(store, work, mode=mode, megabytes=64)


def test_why_queries_were_stopped_is_told(store: EmbeddedStore) -> None:
    reasons: list[str] = []

    async def work(held: Readers) -> None:
        assert await ask(held, COUNT) == SIZE
        assert reasons == []
        with pytest.raises(QueryTimeout):
            await held.ask(select(ENDLESS), Limits(0.3, 10**6, 100))
        with pytest.raises(QueryTimeout):
            await held.ask(select("SELECT * { FILTER(" + "!" * 90_000 + "1) }"), LIMITS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await held.ask(select(ENDLESS), LIMITS)
        assert reasons[0] == "time"
        assert set(reasons[1:-1]) == {"memory"}, "a process that died may have been asked twice"
        assert reasons[-1] == "gone"
        assert len(reasons) == held.killed

    with_readers(store, work, on_kill=reasons.append)


def test_a_query_without_a_place_is_told(store: EmbeddedStore) -> None:
    reasons: list[str] = []

    async def work(held: Readers) -> None:
        asked = [asyncio.create_task(held.ask(select(ENDLESS), Limits(2, 10**6, 100))) for _ in range(4)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in ended} <= {QueryTimeout, TooBusy}
        assert reasons.count("crowded") >= 1
        assert set(reasons) == {"crowded", "time"}

    with_readers(store, work, keep=1, at_most=2, waiting=4, on_kill=reasons.append)


def test_an_engine_that_is_left_alone_is_told(store: EmbeddedStore) -> None:
    reasons: list[str] = []

    async def run() -> None:
        held = ThreadedQueries(store, at_once=2, waiting=1)
        held.listen(reasons.append)
        await held.start()
        try:
            with pytest.raises(QueryTimeout):
                await held.ask(select(A_WHILE), revision=1, limits=Limits(0.05, 10**6, 100), client="me", share=SHARE)
        finally:
            await held.stop()

    asyncio.run(run())
    assert reasons == ["time"]


def test_a_query_that_breaks_the_engine(store: EmbeddedStore) -> None:
    """So deep that the engine's parser runs out of stack: the process dies, and nobody else notices."""

    async def work(held: Readers) -> None:
        with pytest.raises(QueryTimeout):
            await held.ask(select("SELECT * { FILTER(" + "!" * 90_000 + "1) }"), LIMITS)
        assert await ask(held, COUNT) == SIZE

    with_readers(store, work)


def test_the_limit_of_bytes(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        whole = await held.ask(select("SELECT * { ?s ?p ?o }"), LIMITS)
        exact = Limits(30, len(whole.body), 10**6)
        assert (await held.ask(select("SELECT * { ?s ?p ?o }"), exact)).status == reader.OK
        short = Limits(30, len(whole.body) - 1, 10**6)
        assert (await held.ask(select("SELECT * { ?s ?p ?o }"), short)).status == reader.TOO_LARGE

    with_readers(store, work)


LOOK_ALIKES = ["}},{", "},{", "},{}", '"},{"', "\r\n", "\n", "</result>", "a", '\\"},{', "", '""\r\n""', "\\"]


@given(
    values=st.lists(st.one_of(st.sampled_from(LOOK_ALIKES), st.none(), st.text(max_size=5)), max_size=12),
    media_type=st.sampled_from(sorted(reader.RESULTS)),
)
@settings(max_examples=300)
def test_rows_are_counted_exactly(values: list[str | None], media_type: str) -> None:
    """Whatever the strings look like: as many rows as allowed pass, one more does not."""
    terms = " ".join("UNDEF" if value is None else str(ox.Literal(value)) for value in values)
    query = f"SELECT ?v {{ VALUES ?v {{ {terms} }} }}"
    for most in (len(values), len(values) - 1):
        if most < 1:
            continue
        status, _ = reader.answer(ox.Store(), asked(query, media_type, most))
        assert status == (reader.OK if most == len(values) else reader.TOO_LARGE)


@pytest.mark.parametrize("media_type", sorted(reader.RESULTS))
@pytest.mark.parametrize("value", ["},{" * 40, "\r\n" * 60, "plain"])
def test_rows_of_long_answers(media_type: str, value: str) -> None:
    """Long enough to come in many parts, which may cut a mark in two."""
    store = ox.Store()
    store.bulk_extend(ox.Quad(ox.NamedNode(f"urn:{n}"), ox.NamedNode("urn:p"), ox.Literal(value)) for n in range(3000))
    query = "SELECT * { ?s ?p ?o }"
    assert reader.answer(store, asked(query, media_type, 3000))[0] == reader.OK
    assert reader.answer(store, asked(query, media_type, 2999))[0] == reader.TOO_LARGE


@pytest.mark.parametrize("media_type", sorted(reader._GRAPHS))
def test_triples_are_counted_once_each(media_type: str) -> None:
    query = "CONSTRUCT { ?s <urn:p> 'x\\n. y' } WHERE { VALUES ?s { <urn:a> <urn:b> <urn:a> <urn:c> } }"
    assert reader.answer(ox.Store(), asked(query, media_type, 3))[0] == reader.OK
    assert reader.answer(ox.Store(), asked(query, media_type, 2))[0] == reader.TOO_LARGE


@given(
    values=st.lists(st.one_of(st.sampled_from(LOOK_ALIKES), st.none(), st.text(max_size=5)), max_size=12),
    first=st.integers(1, 13),
)
@settings(max_examples=200)
def test_an_answer_ends_after_the_first_rows(values: list[str | None], first: int) -> None:
    """Whatever the strings look like, and even if the limit of rows is lower: what is left parses."""
    terms = " ".join("UNDEF" if value is None else str(ox.Literal(value)) for value in values)
    request = asked(f"SELECT ?v {{ VALUES ?v {{ {terms} }} }}", reader.CUT[0], 1) | {"first": first}
    status, parts = reader.answer(ox.Store(), request)
    assert status == reader.OK
    columns, rows = table_of(b"".join(parts))
    assert columns == ("v",)
    assert [row["v"].value if row else None for row in rows] == values[:first]


@pytest.mark.parametrize(
    ("query", "media_type"), [("SELECT *", reader.CUT[0]), ("CONSTRUCT { ?s ?p ?o }", reader.CUT[1])]
)
def test_the_first_rows_of_long_answers(query: str, media_type: str) -> None:
    store = ox.Store()
    store.bulk_extend(
        ox.Quad(ox.NamedNode(f"urn:{n}"), ox.NamedNode("urn:p"), ox.Literal("\n" * 9)) for n in range(3000)
    )
    for first, there in ((1, 1), (501, 501), (2999, 2999), (3000, 3000), (3001, 3000)):
        request = asked(query + "{ ?s ?p ?o }", media_type, 10) | {"first": first, "max_bytes": 10**6}
        status, parts = reader.answer(store, request)
        assert status == reader.OK
        body = b"".join(parts)
        assert len(table_of(body)[1] if media_type == reader.CUT[0] else triples_of(body)) == there
    request = asked(query + "{ ?s ?p ?o }", media_type, 10) | {"first": 2000, "max_bytes": 1000}
    assert reader.answer(store, request)[0] == reader.TOO_LARGE


def test_the_first_triples_are_counted_once_each() -> None:
    query = "CONSTRUCT { ?s <urn:p> 1 } WHERE { VALUES ?s { <urn:a> <urn:a> <urn:b> <urn:a> <urn:c> } }"
    for first in (1, 2, 3, 4):
        status, parts = reader.answer(ox.Store(), asked(query, reader.CUT[1], 1) | {"first": first})
        assert status == reader.OK
        found = [triple.subject.value for triple in triples_of(b"".join(parts))]  # type: ignore[union-attr]  # IRIs
        assert found == ["urn:a", "urn:b", "urn:c"][:first]


def asked(query: str, media_type: str, max_rows: int) -> dict[str, Any]:
    return {
        "query": query,
        "union": True,
        "default_graphs": [],
        "named_graphs": [],
        "media_type": media_type,
        "prefixes": {},
        "max_bytes": 10**9,
        "max_rows": max_rows,
    }


def test_errors_of_queries(store: EmbeddedStore) -> None:
    async def work(held: PublicQueries) -> None:
        async def asked(query: str, limits: Limits = LIMITS) -> bytes:
            return await held.ask(select(query), revision=1, limits=limits, client="a", share=SHARE)

        with pytest.raises(BadQuery) as caught:
            await asked("SELECT * {\n  ?s ?p }")
        assert (caught.value.line, caught.value.column) == (2, 10)
        with pytest.raises(QueryRefused, match="larger"):
            await asked("SELECT * { ?s ?p ?o }", Limits(30, 10**6, 10))
        with pytest.raises(QueryRefused, match="cannot answer this"):
            await asked("SELECT (<urn:nofunction>(1) AS ?x) {}")
        with pytest.raises(NotFound):
            await held.ask(select(COUNT), revision=7, limits=LIMITS, client="a", share=SHARE)

    with_public(store, work)


# ---- confinement ----


def tried_inside(confine: Callable[[], object], *attempts: Callable[[], object]) -> bytes:
    """What comes of each attempt in a child that confined itself first.

    `.` no number is left, `?` another error, `!` it went through.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = b""
        try:
            confine()
            for attempt in attempts:
                try:
                    attempt()
                    outcome += b"!"
                except OSError as error:
                    outcome += b"." if error.errno == 24 else b"?"
            os.write(theirs, outcome)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return outcome


def test_nothing_can_be_opened_behind_the_door(tmp_path: Path) -> None:
    outcome = tried_inside(
        reader._close_the_door,
        lambda: os.open("/etc/hostname", os.O_RDONLY),
        lambda: os.open(tmp_path / "new", os.O_CREAT | os.O_WRONLY),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        socket.socketpair,
        os.pipe,
        lambda: os.dup(0),
        lambda: list(Path("/proc/self/fd").iterdir()),
    )
    assert outcome == b"........"
    assert not (tmp_path / "new").exists()


def test_a_revision_of_many_files_is_read_from_disk(tmp_path: Path) -> None:
    """Its storage opens sixteen files when it starts; the others are opened behind the door."""
    folder, commits, each = tmp_path / "many", 12, 20
    for number in range(commits):
        held = ox.Store(str(folder))
        for one in range(each):
            subject, value = ox.NamedNode(f"urn:s:{number}-{one}"), ox.Literal(f"{number} {one}")
            held.add(ox.Quad(subject, ox.NamedNode(f"urn:p:{number}"), value, ox.NamedNode(f"urn:g:{number}")))
        held.flush()
        del held
    assert reader._files_to_come(str(folder)) > 16

    async def work(held: Readers) -> None:
        assert await ask(held, COUNT) == commits * each
        for number in range(commits):
            assert await ask(held, f"SELECT (COUNT(*) AS ?n) {{ <urn:s:{number}-0> ?p ?o }}") == 1
            assert await ask(held, f"SELECT (COUNT(*) AS ?n) {{ ?s <urn:p:{number}> ?o }}") == each
            assert await ask(held, f'SELECT (COUNT(*) AS ?n) {{ ?s ?p "{number} 0" }}') == 1

    with_readers_of(folder, work, mode="disk")


def test_a_caged_process_can_read_and_nothing_else(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("there", encoding="ascii")

    def confine() -> None:
        assert cage.no_way_out()

    def read() -> None:
        assert there.read_bytes() == b"there"

    outcome = tried_inside(
        confine,
        lambda: os.open(tmp_path / "new", os.O_CREAT | os.O_WRONLY),
        lambda: os.open(there, os.O_RDWR),
        lambda: os.open(there, os.O_TRUNC),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
        read,
    )
    assert outcome == b"......!"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("mode", ["memory", "disk"])
def test_a_call_inside_a_reader_fails(store: EmbeddedStore, mode: str) -> None:
    """Behind the guard there is a second wall: what the guard would let through reaches nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"<http://127.0.0.1:{listener.getsockname()[1]}/>"
        listener.settimeout(0.3)

        async def work(held: Readers) -> None:
            reply = await held.ask(select(f"SELECT * {{ SERVICE {address} {{ ?s ?p ?o }} }}"), LIMITS)
            assert reply.status == reader.FAILED
            with pytest.raises(QueryTimeout):
                public.body(reply)
            reply = await held.ask(Update(f"LOAD {address}", "urn:base"), LIMITS)
            assert reply.status == reader.FAILED
            if mode == "memory":
                silent = await held.ask(Update(f"LOAD SILENT {address}", "urn:base"), LIMITS)
                assert silent.body == b"\0\0\0\0"
            assert await ask(held, COUNT) == SIZE

        with_readers(store, work, mode=mode)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_an_update_changes_nothing_but_its_own_copy(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        reply = await held.ask(Update("CLEAR ALL; INSERT DATA { <urn:a> <urn:b> 1 }", "urn:base"), LIMITS)
        added = int.from_bytes(reply.body[:4], "little")
        assert reply.body[4 : 4 + added].count(b"\n") == 1
        assert reply.body[4 + added :].count(b"\n") == SIZE
        for _ in range(4):
            assert await ask(held, COUNT) == SIZE

    with_readers(store, work)


# ---- killed ----


def test_a_reader_killed_by_hand_while_it_answers(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        victim = asyncio.create_task(held.ask(select(ENDLESS), LIMITS))
        template = templates()[0]
        await until(lambda: any(readers.processor_seconds(pid) > 0.2 for pid in children(template)))
        busy = max(children(template), key=readers.processor_seconds)
        others = [asyncio.create_task(ask(held, A_WHILE)) for _ in range(3)]
        await asyncio.sleep(0.05)
        os.kill(busy, signal.SIGKILL)
        with pytest.raises(QueryTimeout, match="stopped"):
            await victim
        assert await asyncio.gather(*others) == [SIZE**2] * 3
        assert await ask(held, COUNT) == SIZE

    with_readers(store, work)


def test_waiting_readers_killed_by_hand(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        for pid in children(templates()[0]):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: all(waiting.wire.lost for waiting in held._idle))
        assert await asyncio.gather(*(ask(held, COUNT) for _ in range(4))) == [SIZE] * 4
        await until(lambda: len(held._idle) >= held._keep)

    with_readers(store, work)


def test_a_template_killed_by_hand_is_replaced(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        for _ in range(2):
            first = templates()
            running = asyncio.create_task(held.ask(select(ENDLESS), LIMITS))
            await asyncio.sleep(2 * readers._STILLBORN)  # a reader that dies earlier is not blamed on its query
            os.kill(first[0], signal.SIGKILL)
            with pytest.raises(QueryTimeout):
                await running
            assert await asyncio.gather(*(ask(held, COUNT) for _ in range(6))) == [SIZE] * 6
            assert len(templates()) == 1
            assert templates() != first

    with_readers(store, work)


def test_queries_that_come_while_the_revision_is_loaded(store: EmbeddedStore) -> None:
    """They wait, one that goes away disturbs nobody, and nobody waits longer than the limit."""

    async def work() -> None:
        held = Readers(store.revisions_folder / "000001")
        try:
            with pytest.raises(TooBusy, match="ready"):
                await ask(held, COUNT, Limits(seconds=0.001, max_bytes=10**6, max_rows=10**4))
            starting = asyncio.create_task(held.start())
            asking = [asyncio.create_task(ask(held, COUNT)) for _ in range(6)]
            await asyncio.sleep(0.01)
            asking.pop(0).cancel()
            await starting
            assert await asyncio.gather(*asking) == [SIZE] * 5
            assert await asyncio.gather(*(ask(held, COUNT) for _ in range(6))) == [SIZE] * 6
        finally:
            held.stop()

    asyncio.run(work())


def test_a_revision_that_is_gone(store: EmbeddedStore) -> None:
    """No folder, no readers: an error, and no process left behind."""

    async def work() -> None:
        held = Readers(store.revisions_folder / "000009")
        with pytest.raises(ConnectionError):
            await held.start()

    asyncio.run(work())
    assert not templates()


FRONT = """
import asyncio, sys
from pathlib import Path
from app.store.embedded import EmbeddedStore
from app.store.public import PublicQueries, Scale
from tests.store.test_readers import ENDLESS, LIMITS, SHARE, select
async def main():
    store = EmbeddedStore(Path(sys.argv[1]))
    held = PublicQueries(store, store.revisions_folder, Scale())
    await held.start()
    asking = [held.ask(select(ENDLESS), revision=1, limits=LIMITS, client="a", share=SHARE) for _ in range(3)]
    print("ready", flush=True)
    await asyncio.gather(*asking)
asyncio.run(main())
"""


def test_no_process_outlives_the_front(store: EmbeddedStore, tmp_path: Path) -> None:
    front = subprocess.Popen(
        [sys.executable, "-c", FRONT, str(tmp_path / "store")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert front.stdout is not None
    assert front.stdout.readline() == b"ready\n"

    def family() -> list[int]:
        return [pid for template in children(front.pid) for pid in (template, *children(template))]

    async def work() -> None:
        await until(lambda: len(family()) >= 4)
        everybody = family()
        front.kill()
        front.wait()
        await until(lambda: not any(alive(pid) for pid in everybody))

    asyncio.run(work())
    front.stdout.close()


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


# ---- places, waiting, giving up ----


def test_a_cancelled_query_frees_its_place_and_its_reader(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        for _ in range(3):
            running = asyncio.create_task(held.ask(select(ENDLESS), LIMITS))
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert await ask(held, COUNT, Limits(30, 10**6, 10)) == SIZE
        assert held.killed == 3

    with_readers(store, work, at_most=1)


def test_giving_up_while_a_reader_is_made(store: EmbeddedStore) -> None:
    """The exchange with the template stays in step: each later reader is known by its own number."""

    async def work(held: Readers) -> None:
        for turn in range(60):
            asking = [asyncio.create_task(held.ask(select(COUNT), LIMITS)) for _ in range(6)]
            await asyncio.sleep(turn % 6 * 0.0007)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        assert await asyncio.gather(*(ask(held, COUNT) for _ in range(12))) == [SIZE] * 12
        running = [asyncio.create_task(held.ask(select(ENDLESS), Limits(0.5, 10**6, 10))) for _ in range(6)]
        answers = await asyncio.gather(*running, return_exceptions=True)
        assert all(isinstance(answer, QueryTimeout) for answer in answers)
        await until(lambda: len(children(templates()[0])) <= 2)

    with_readers(store, work)


def test_the_queue_is_bounded(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        running = asyncio.create_task(held.ask(select(ENDLESS), Limits(1.0, 10**6, 10)))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(ask(held, COUNT)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(TooBusy, match="too many"):
            await held.ask(select(COUNT), LIMITS)
        with pytest.raises(QueryTimeout):
            await running
        assert await asyncio.gather(*waiting) == [SIZE] * 3

    with_readers(store, work, at_most=1, waiting=3)


def test_waiting_has_an_end(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        running = asyncio.create_task(held.ask(select(ENDLESS), Limits(2.0, 10**6, 10)))
        await asyncio.sleep(0.1)
        with pytest.raises(TooBusy, match="in time"):
            await held.ask(select(COUNT), Limits(0.2, 10**6, 10))
        with pytest.raises(QueryTimeout):
            await running

    with_readers(store, work, at_most=1)


def test_one_client_cannot_take_every_place(store: EmbeddedStore) -> None:
    async def work(held: PublicQueries) -> None:
        def asked(client: str, query: str) -> Coroutine[Any, Any, bytes]:
            limits = Limits(2, 10**6, 10)
            return held.ask(select(query), revision=1, limits=limits, client=client, share=Share(1000, 1000))

        greedy = [asyncio.create_task(asked("greedy", ENDLESS)) for _ in range(20)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        assert counted(await asked("modest", COUNT)) == SIZE
        assert time.monotonic() - started < 1.5
        outcomes = await asyncio.gather(*greedy, return_exceptions=True)
        assert sorted({type(outcome) for outcome in outcomes}, key=str) == [QueryTimeout, TooManyRequests]
        assert sum(isinstance(outcome, QueryTimeout) for outcome in outcomes) == 2

    with_public(store, work, at_most=4)


def test_one_long_query_too_many(store: EmbeddedStore) -> None:
    """It has two turns, and is then refused; who has a short one is served meanwhile."""

    async def work(held: Readers) -> None:
        places = held._most_aside
        running = [asyncio.create_task(held.ask(select(ENDLESS), LIMITS)) for _ in range(places)]
        await until(lambda: held._aside == places)
        with pytest.raises(TooBusy, match="too many long queries") as caught:
            await held.ask(select(ENDLESS), LIMITS)
        assert caught.value.retry_after
        assert held.killed == 2
        assert await ask(held, COUNT) == SIZE
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    with_readers(store, work, at_most=4)


def test_a_second_turn_may_find_a_place(store: EmbeddedStore) -> None:
    async def work(held: Readers) -> None:
        running = [asyncio.create_task(held.ask(select(ENDLESS), LIMITS)) for _ in range(held._most_aside)]
        await until(lambda: held._aside == held._most_aside)
        asking = asyncio.create_task(ask(held, A_WHILE))
        await until(lambda: held.killed == 1)
        for task in running:
            task.cancel()
        assert await asking == SIZE**2
        await asyncio.gather(*running, return_exceptions=True)

    with_readers(store, work, at_most=4)


def test_old_queries_give_way(store: EmbeddedStore) -> None:
    """A query that has used its young time runs at the lowest priority, and its reader is not used again."""

    async def work(held: Readers) -> None:
        running = asyncio.create_task(held.ask(select(ENDLESS), Limits(1.5, 10**6, 10)))
        template = templates()[0]
        await until(lambda: any(os.sched_getscheduler(pid) == os.SCHED_IDLE for pid in children(template)))
        with pytest.raises(QueryTimeout):
            await running
        await until(lambda: all(os.sched_getscheduler(pid) == os.SCHED_OTHER for pid in children(template)))

    with_readers(store, work)


# ---- revisions ----


def test_queries_on_an_old_revision_finish(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_POLL", 1000.0)

    async def work(held: PublicQueries) -> None:
        running = asyncio.create_task(
            held.ask(select(A_WHILE), revision=1, limits=LIMITS, client="a", share=SHARE),
        )
        await asyncio.sleep(0.01)
        for number in range(1, 5):
            store.apply(change(SIZE + number, 1), expect=number)
            assert await held.refresh() == number + 1
        assert counted(await running) == SIZE**2
        await until(lambda: modes() == ["memory"])
        answers = [
            await held.ask(select(COUNT), revision=number, limits=LIMITS, client="a", share=SHARE)
            for number in (5, 1, 2, 3, 4)
        ]
        assert list(map(counted, answers)) == [SIZE + 4, SIZE, SIZE + 1, SIZE + 2, SIZE + 3]
        await until(lambda: len(templates()) == 3)

    with_public(store, work)


def modes() -> list[str]:
    """How each template holds its revision: the last word of its command."""
    return sorted(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode() for pid in templates())


def without(first: int, count: int) -> ChangeSet:
    given = change(first, count)
    return ChangeSet(frozenset(), given.add, given.reason, given.author, given.made_at)


def test_a_template_moves_on_and_loads_nothing(store: EmbeddedStore) -> None:
    """By the patches of all revisions between; who asked for the old one is answered from it, then from disk."""

    async def work(held: PublicQueries) -> None:
        first = templates()
        store.apply(without(0, 10), expect=1)
        store.apply(change(SIZE, 5), expect=2)
        assert await held.refresh() == 3
        assert templates() == first
        for revision, quads in ((3, SIZE - 5), (1, SIZE), (3, SIZE - 5), (1, SIZE), (1, SIZE), (2, SIZE - 10)):
            answer = await held.ask(select(COUNT), revision=revision, limits=LIMITS, client="a", share=SHARE)
            assert counted(answer) == quads
        assert modes() == ["disk", "memory"]

    with_public(store, work)


@pytest.mark.parametrize("fault", ["killed", "another graph", "no patch", "a large patch", "many moves"])
def test_what_cannot_move_on_is_loaded(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(public, "_POLL", 1000.0)

    async def work(held: PublicQueries) -> None:
        first = templates()
        store.apply(change(SIZE, 5), expect=1)
        patch = store.revisions_folder / "000002.patch"
        if fault == "killed":
            os.kill(first[0], signal.SIGKILL)
        elif fault == "another graph":
            store.apply(change(SIZE + 5, 5), expect=2)
            patch.write_bytes((store.revisions_folder / "000003.patch").read_bytes())
        elif fault == "no patch":
            patch.unlink()
        else:
            monkeypatch.setattr(*((public, "_PATCHES", 10) if fault == "a large patch" else (readers, "_MOVES", 0)))
        newest = await held.refresh()
        assert templates() != first
        answer = await held.ask(select(COUNT), revision=newest, limits=LIMITS, client="a", share=SHARE)
        assert counted(answer) == SIZE + 5 * (newest - 1)
        answer = await held.ask(select(COUNT), revision=1, limits=LIMITS, client="a", share=SHARE)
        assert counted(answer) == SIZE

    with_public(store, work)


def test_commits_while_everybody_asks(store: EmbeddedStore) -> None:
    """Each answer is that of the revision that was asked for, whichever process gives it."""

    async def work(held: PublicQueries) -> None:
        stop = False

        async def one(client: str) -> int:
            asked = 0
            while not stop:
                revision = held.revision
                answer = await held.ask(select(COUNT), revision=revision, limits=LIMITS, client=client, share=SHARE)
                assert counted(answer) == SIZE + revision - 1
                asked += 1
            return asked

        asking = [asyncio.create_task(one(f"client {number}")) for number in range(4)]
        for number in range(1, 25):
            store.apply(change(SIZE + number, 1), expect=number)
            await held.refresh()
            await asyncio.sleep(0.02)
        stop = True
        assert min(await asyncio.gather(*asking)) > 5
        await until(lambda: modes().count("memory") == 1)

    with_public(store, work)


def test_the_past_is_never_loaded(store: EmbeddedStore) -> None:
    """One client walks through all old revisions while another asks the newest: one load, few processes, no error."""
    for number in range(1, 7):
        store.apply(change(SIZE + number, 1), expect=number)

    async def work(held: PublicQueries) -> None:
        assert modes() == ["memory"]
        stop = False

        async def other() -> int:
            asked = 0
            while not stop:
                answer = await held.ask(select(COUNT), revision=7, limits=LIMITS, client="other", share=SHARE)
                assert counted(answer) == SIZE + 6
                asked += 1
            return asked

        asking = asyncio.create_task(other())
        for number in (1, 2, 3, 4, 5, 6, 1, 3):
            answer = await held.ask(select(COUNT), revision=number, limits=LIMITS, client="walker", share=SHARE)
            assert counted(answer) == SIZE + number - 1
            assert len(templates()) <= 4
        stop = True
        assert await asking > 10
        await until(lambda: modes() == ["disk", "disk", "memory"])

    with_public(store, work)


def test_a_large_revision_is_answered_at_once_and_loaded_when_nothing_is_committed(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "_QUIET", 0.2)

    async def work(held: PublicQueries) -> None:
        assert modes() == ["disk"]
        for number in range(1, 4):
            store.apply(change(SIZE + number, 1), expect=number)
            assert await held.refresh() == number + 1
            answer = await held.ask(select(COUNT), revision=number + 1, limits=LIMITS, client="a", share=SHARE)
            assert counted(answer) == SIZE + number
            assert "memory" not in modes(), "a writer waits for no load"
        await until(lambda: "memory" in modes())
        answer = await held.ask(select(COUNT), revision=4, limits=LIMITS, client="a", share=SHARE)
        assert counted(answer) == SIZE + 3
        store.apply(change(SIZE + 4, 1), expect=4)
        await held.refresh()

    with_public(store, work, at_once_up_to=SIZE - 1)
    assert modes() == []


def test_waiting_for_the_past_has_an_end(store: EmbeddedStore) -> None:
    store.apply(change(SIZE, 1), expect=1)

    async def work(held: PublicQueries) -> None:
        for _ in range(3):
            with pytest.raises(TooBusy, match="opened in time") as caught:
                await held.ask(select(COUNT), revision=1, limits=Limits(0.02, 10**6, 10), client="a", share=SHARE)
            assert caught.value.retry_after
        assert len(templates()) == 1, "what was begun is ended"
        assert counted(await held.ask(select(COUNT), revision=1, limits=LIMITS, client="a", share=SHARE)) == SIZE

    with_public(store, work)


def test_who_goes_away_while_the_past_is_opened_leaves_nothing(store: EmbeddedStore) -> None:
    store.apply(change(SIZE, 1), expect=1)

    async def work(held: PublicQueries) -> None:
        for pause in (0.0, 0.005, 0.02):
            asking = asyncio.create_task(
                held.ask(select(COUNT), revision=1, limits=LIMITS, client="a", share=Share(1, 1000))
            )
            await asyncio.sleep(pause)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert len(templates()) == 1
        answer = await held.ask(select(COUNT), revision=1, limits=LIMITS, client="a", share=Share(1, 1000))
        assert counted(answer) == SIZE, "the one place of this client is free again"

    with_public(store, work)


def test_new_revisions_under_load(store: EmbeddedStore) -> None:
    """Clients ask all the time while the graph grows: every answer is right for its revision, and none is an error."""

    async def work(held: PublicQueries) -> None:
        stop = False
        seen: set[int] = set()

        async def client(name: str) -> None:
            while not stop:
                revision = held.revision
                answer = await held.ask(select(COUNT), revision=revision, limits=LIMITS, client=name, share=SHARE)
                assert counted(answer) == SIZE + revision - 1
                seen.add(revision)

        clients = [asyncio.create_task(client(f"client {number}")) for number in range(6)]
        for number in range(1, 7):
            await asyncio.to_thread(store.apply, change(SIZE + number, 1), expect=number)
            await until(lambda number=number: number + 1 in seen)  # type: ignore[misc]  # bound now, on purpose
        stop = True
        await asyncio.gather(*clients)

    with_public(store, work)


def test_the_store_is_followed(tmp_path: Path) -> None:
    """From an empty store on, and past a revision that cannot be opened at once."""
    store = EmbeddedStore(tmp_path / "store")

    async def work(held: PublicQueries) -> None:
        with pytest.raises(AppError):
            _ = held.revision
        await asyncio.to_thread(store.apply, change(0, 5), expect=0)
        await until(lambda: held._head is not None and held.revision == 1)
        hidden = store.revisions_folder / "hidden"
        await asyncio.to_thread(store.apply, change(5, 5), expect=1)
        await until(lambda: held.revision == 2)
        (store.revisions_folder / "000001").rename(hidden)
        with pytest.raises((AppError, OSError)):
            await held.ask(select(COUNT), revision=9, limits=LIMITS, client="a", share=SHARE)
        hidden.rename(store.revisions_folder / "000001")
        assert counted(await held.ask(select(COUNT), revision=1, limits=LIMITS, client="a", share=SHARE)) == 5

    with_public(store, work)


# ---- accounts ----


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("app.store.readers.time.monotonic", lambda: now[0])
    return now


def test_the_budget_of_a_minute(clock: list[float]) -> None:
    accounts = Accounts()
    share = Share(at_once=2, seconds_per_minute=10)
    assert accounts.budget("a", share) == (10, 0)
    accounts.admit("a", share)
    accounts.leave("a", 4)
    assert accounts.budget("a", share) == (6, 60)
    clock[0] += 30
    accounts.admit("a", share)
    accounts.leave("a", 6)
    assert accounts.budget("a", share) == (0, 30)
    with pytest.raises(TooManyRequests) as caught:
        accounts.admit("a", share)
    assert caught.value.retry_after == 30
    accounts.admit("b", share)
    clock[0] += 30.5
    assert accounts.budget("a", share) == (4, 30)
    accounts.admit("a", share)
    accounts.leave("a", 0)
    clock[0] += 61
    assert accounts.budget("a", share) == (10, 0)


def test_queries_at_once(clock: list[float]) -> None:
    accounts = Accounts()
    share = Share(at_once=2, seconds_per_minute=10)
    accounts.admit("a", share)
    accounts.admit("a", share)
    with pytest.raises(TooManyRequests):
        accounts.admit("a", share)
    accounts.leave("a", 0)
    accounts.admit("a", share)


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 40, allow_nan=False), st.floats(0, 5, allow_nan=False)), min_size=1, max_size=60
    )
)
def test_accounts_remember_a_minute(steps: list[tuple[float, float]]) -> None:
    """Against all that was spent, entry by entry; entries of one second may stay together that second."""
    account = readers._Account()
    spent: list[tuple[float, float]] = []
    now = 1000.0
    for pause, seconds in steps:
        now += pause
        account.spend(now, seconds)
        spent.append((now, seconds))
        used = account.used(now)
        surely = sum(seconds for when, seconds in spent if when >= now - 59)
        at_most = sum(seconds for when, seconds in spent if when >= now - 61)
        assert surely - 1e-6 <= used <= at_most + 1e-6
    assert len(account.spent) <= 62


def test_many_clients_are_forgotten_in_time(clock: list[float]) -> None:
    accounts = Accounts()
    for number in range(30_000):
        accounts.admit(f"client {number}", SHARE)
        accounts.leave(f"client {number}", 0.001)
        clock[0] += 0.01
    assert len(accounts._accounts) < 13_000


def test_a_busy_account_stays_small(clock: list[float]) -> None:
    accounts = Accounts()
    for _ in range(20_000):
        accounts.admit("a", SHARE)
        accounts.leave("a", 0.001)
        clock[0] += 0.001
    assert len(accounts._accounts["a"].spent) <= 61
    left, _ = accounts.budget("a", SHARE)
    assert left == pytest.approx(SHARE.seconds_per_minute - 20)
