"""What the service tells those who watch over it: metrics, readiness, its log, traces of others."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.access import Scope
from app.errors import StoreFull, StoreReadOnly
from app.jobs.queue import Queue
from app.logs import FIELDS, context, formatter
from app.orkg.archive import Archive, Look
from app.outcomes import OUTCOMES
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.store.memory import MemoryStore
from app.web import metrics
from app.web.application import create_app
from app.web.logs import Seen, seen
from app.wiring import build
from tests.jobs.making import ADA, plan
from tests.store.quads import change, quad
from tests.store.test_readers import ENDLESS
from tests.web.conftest import Client, problem_of
from tests.web.scratch import NOW
from tests.web.serving import serving

ASK = "ASK { ?zebracorn a ?kind }"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def families(text: str) -> dict[str, tuple[str, list[Any]]]:
    """Metrics by name, each with its kind and its samples."""
    return {one.name: (one.type, one.samples) for one in text_string_to_metric_families(text)}


def value(text: str, sample: str, **labels: str) -> float:
    """One sample; 0 where there is none yet."""
    found = [
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == sample and one.labels == labels
    ]
    assert len(found) <= 1
    return float(found[0]) if found else 0.0


@pytest.fixture
def small(tmp_path: Path) -> Services:
    """Services on a store with one small revision."""
    EmbeddedStore(tmp_path / "var" / "store").apply(change([quad("s", 1)]), expect=0)
    return build(Settings(data_dir=tmp_path / "var"))


@pytest.fixture
def web(small: Services) -> Client:
    return Client(create_app(small))


@pytest.fixture(scope="module")
def shared_services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The same for tests that count nothing: to build an application takes a while."""
    folder = tmp_path_factory.mktemp("shared") / "var"
    EmbeddedStore(folder / "store").apply(change([quad("s", 1)]), expect=0)
    return build(Settings(data_dir=folder))


@pytest.fixture(scope="module")
def shared(shared_services: Services) -> Client:
    return Client(create_app(shared_services))


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the application logs, read when the list is asked for by `told`."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter())
    ours = logging.getLogger("app")
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    found = _Lines(stream)
    try:
        yield found
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)


class _Lines(list[dict[str, Any]]):
    def __init__(self, stream: io.StringIO) -> None:
        super().__init__()
        self._stream = stream

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


# ---- metrics ----


def test_every_metric_is_described_and_has_its_labels(web: Client) -> None:
    web.get("/sparql", params={"query": ASK})
    text = web.get("/metrics").text
    described = {one.name: one for one in (*metrics.COUNTED, *metrics.STATE)}
    found = families(text)
    assert {name if kind != "counter" else f"{name}_total" for name, (kind, _) in found.items()} <= described.keys()
    later = {metrics.FINDINGS.name, metrics.FINDINGS_REVISION.name, metrics.SYNC.name}
    assert later.isdisjoint(found), "nothing looks for findings while nobody serves, and nobody synced"
    for name, (kind, samples) in found.items():
        one = described[name if kind != "counter" else f"{name}_total"]
        assert one.kind == kind
        for sample in samples:
            assert sample.labels.keys() - {"le"} == one.labels.keys()
    assert {name for name in described if name not in later} == {
        name if kind != "counter" else f"{name}_total" for name, (kind, _) in found.items()
    }


def test_the_age_of_the_last_sync(web: Client, small: Services) -> None:
    archive = Archive(small.settings.data_dir, "orkg.org", "R753434")
    now = small.now()
    for hours in (9, 2):
        archive.note(Look((now - timedelta(hours=hours)).isoformat(), "cheap", "x", changed=False))
    (archive.folder / "pulls").mkdir()
    with (archive.folder / "log.jsonl").open("a") as handle:
        handle.write('{"at": "2026-')  # a process was killed here
    text = web.get("/metrics").text
    age = value(text, metrics.SYNC.name, host="orkg.org", comparison="R753434")
    assert timedelta(hours=2).total_seconds() <= age < timedelta(hours=3).total_seconds()


def test_the_answer_is_what_prometheus_reads(shared: Client) -> None:
    answer = shared.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "_created" not in answer.text


def test_requests_are_counted_by_route(web: Client) -> None:
    for path in ("/api/v1/models/zebracorn", "/api/v1/models/phi-zebracorn", "/nope/zebracorn", "/r/1/api/v1/models"):
        web.get(path)
    web.request("ZEBRACORN", "/livez")
    text = web.get("/metrics").text
    assert "zebracorn" not in text.lower()

    def requests(method: str, route: str, status: str) -> float:
        return value(text, "slmkg_requests_total", method=method, route=route, status=status)

    assert requests("GET", "/api/v1/models/{slug}", "404") == 2
    assert requests("GET", "/api/v1/models", "200") == 1
    assert requests("GET", "other", "404") == 1
    assert requests("other", "/livez", "405") + requests("other", "other", "405") == 1
    assert value(text, "slmkg_request_seconds_count", method="GET", route="/api/v1/models/{slug}") == 2
    assert value(text, "slmkg_requests_in_progress") == 1, "this one"


def test_queries_are_counted_by_kind_and_outcome(web: Client) -> None:
    select = "SELECT * { ?s ?p ?o }"
    for query in (ASK, ASK, select, "CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }", "DESCRIBE <urn:x>"):
        assert web.get("/sparql", params={"query": query}).status_code == 200
    assert web.get("/sparql", params={"query": "SELECT (<urn:f>(1) AS ?x) {}"}).status_code == 400
    text = web.get("/metrics").text
    for kind, answered in {"ask": 1, "select": 1, "construct": 1, "describe": 1}.items():
        assert value(text, "slmkg_queries_total", kind=kind, outcome="answered") == answered, kind
    assert value(text, "slmkg_queries_total", kind="select", outcome="query-refused") == 1
    assert value(text, "slmkg_query_seconds_count", kind="select") == 2
    assert value(text, "slmkg_answer_cache_total", result="hit") == 1, "the second time the same was asked"


def test_outcomes_of_queries_are_codes() -> None:
    counted = metrics.Metrics()
    for error in (StoreFull("no room"), ValueError("zebracorn")):
        with pytest.raises(type(error)), counted.evaluating("select"):
            raise error
    outcomes = {sample.labels["outcome"] for one in counted.queries.collect() for sample in one.samples}
    assert outcomes == {"store-full", "internal"}
    assert outcomes <= OUTCOMES.keys()


def test_the_state(web: Client, small: Services) -> None:
    small.jobs.submit(plan(50, 128), ADA)
    text = web.get("/metrics").text
    head = small.store.head()
    assert value(text, "slmkg_revision") == head.number
    assert value(text, "slmkg_revision_quads") == head.quads
    assert value(text, "slmkg_revision_timestamp_seconds") == head.made_at.timestamp()
    assert value(text, "slmkg_jobs", state="queued") == 1
    assert value(text, "slmkg_job_cells", state="queued") == 2
    assert value(text, "slmkg_job_cells", state="running") == 0
    assert value(text, "slmkg_part_good", part="queue") == 1
    assert value(text, "slmkg_disk_free_bytes") > 0
    assert value(text, "slmkg_workers") == 1


def test_a_part_that_is_broken_is_told_and_the_rest_goes_on(web: Client, small: Services, tmp_path: Path) -> None:
    (tmp_path / "var" / "jobs.sqlite").write_bytes(b"zebracorn" * 1000)
    text = web.get("/metrics").text
    assert value(text, "slmkg_part_good", part="queue") == 0
    assert value(text, "slmkg_part_good", part="store") == 1
    assert "slmkg_jobs{" not in text
    ready = web.json("/readyz")
    (queue,) = (part for part in ready["parts"] if part["about"] == "queue")
    assert (ready["status"], queue["state"]) == ("ready", "bad")
    assert str(tmp_path) not in json.dumps(ready)
    assert "zebracorn" not in json.dumps(ready)


def test_before_the_first_load(tmp_path: Path) -> None:
    client = Client(create_app(build(Settings(data_dir=tmp_path), MemoryStore())))
    text = client.get("/metrics").text
    assert value(text, "slmkg_part_good", part="store") == 0
    assert value(text, "slmkg_part_good", part="shapes") == 1
    assert "slmkg_revision " not in text


@pytest.mark.parametrize(("setting", "key", "status"), [("key", False, 401), ("key", True, 200), ("off", True, 404)])
def test_who_may_read_the_metrics(small: Services, setting: Any, key: bool, status: int) -> None:
    client = Client(create_app(replace(small, settings=small.settings.model_copy(update={"metrics": setting}))))
    _, token = small.keys.create("prometheus", (Scope.SYNC,), NOW)
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"} if key else {})
    assert answer.status_code == status
    if status != 200:
        assert problem_of(answer)["code"] in {"unauthorized", "not-found"}


# ---- a running service ----


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A service on a store with a few hundred triples; queries may take half a second."""
    folder = tmp_path_factory.mktemp("watched") / "var"
    numbers = [quad("s", number) for number in range(300)]
    EmbeddedStore(folder / "store").apply(change(numbers), expect=0)
    with serving(folder, query_seconds="0.5") as base:
        yield base, folder


def test_kills_are_counted(running: tuple[str, Path]) -> None:
    base, _ = running
    assert httpx.get(f"{base}/sparql", params={"query": ENDLESS}, timeout=30).status_code == 503
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{base}/sparql", params={"query": f"{ENDLESS} # again"}, timeout=0.2)

    def kills(reason: str) -> float:
        return value(httpx.get(f"{base}/metrics").text, "slmkg_query_kills_total", reason=reason)

    _until(lambda: kills("time") + kills("gone") == 2)
    assert kills("gone") == 1
    assert value(httpx.get(f"{base}/metrics").text, "slmkg_queries_total", kind="select", outcome="query-timeout") == 1


def test_findings_are_looked_for_once_somebody_asks(running: tuple[str, Path]) -> None:
    base, folder = running
    _until(lambda: value(httpx.get(f"{base}/metrics").text, "slmkg_findings_revision") == 1)
    text = httpx.get(f"{base}/metrics").text
    report = build(Settings(data_dir=folder)).validate()
    for severity, count in report.counts.items():
        assert value(text, "slmkg_findings", severity=severity.value.lower()) == count
    kept = json.loads((folder / "FINDINGS.json").read_text())
    assert kept["revision"] == 1


def _until(true: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)


# ---- readiness ----


def test_readiness_tells_each_part(shared: Client) -> None:
    ready = shared.json("/readyz")
    assert [part["about"] for part in ready["parts"]] == ["store", "revision", "projection", "shapes", "queue"]
    assert {part["state"] for part in ready["parts"] if part["about"] != "projection"} == {"good"}


def test_columns_that_are_there_are_told(small: Services) -> None:
    client = Client(create_app(small))

    def projection() -> str:
        (part,) = (part for part in client.json("/readyz")["parts"] if part["about"] == "projection")
        return str(part["state"])

    assert projection() == "note"
    assert small.projections.examine()[0].state == "note"
    small.projections.build(1)
    assert projection() == "good"
    assert small.projections.examine()[0].state == "good"


def test_the_queue_in_numbers(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs.sqlite")
    assert queue.standing().waiting == 0
    assert not (tmp_path / "jobs.sqlite").exists(), "to look writes nothing"
    queue.submit(plan(1, 2, 3), ADA)
    standing = queue.standing()
    assert (standing.waiting, standing.running, standing.undelivered) == (3, 0, 0)
    assert {str(state): count for state, count in standing.jobs.items() if count} == {"queued": 1}
    with sqlite3.connect(tmp_path / "jobs.sqlite") as tables:
        tables.execute("UPDATE jobs SET trouble = 'no'")
    assert queue.standing().undelivered == 1


# ---- the log ----


def test_a_request_s_line(shared: Client, shared_services: Services, lines: _Lines) -> None:
    key, token = shared_services.keys.create("Ada", (Scope.UPDATE,), NOW)
    answer = shared.get("/sparql", params={"query": ASK}, headers={"Authorization": f"Bearer {token}"})
    (line,) = lines.told()
    assert list(line) == [name for name in FIELDS if name in line]
    assert line.pop("milliseconds") >= 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "logger": "app.web.logs",
        "request": answer.headers["x-request-id"],
        "method": "GET",
        "path": "/sparql",
        "route": "/sparql",
        "status": 200,
        "bytes": len(answer.content),
        "actor": f"key {key.id}",
        "revision": 1,
        "query": hashlib.sha256(ASK.encode()).hexdigest()[:16],
    }


def test_what_is_written_meanwhile_bears_the_request(lines: _Lines) -> None:
    log = logging.getLogger("app.somewhere")
    with context(request="r1", trace=None):
        log.info("in it")
        with context(request="r2"):
            log.info("deeper")
        log.info("in it again")
    log.info("after it", extra={"request": "r3", "password": "zebracorn"})
    told = lines.told()
    assert [one.get("request") for one in told] == ["r1", "r2", "r1", "r3"]
    assert all("trace" not in one and "password" not in one for one in told)


def test_words_of_exceptions_are_not_told(lines: _Lines) -> None:
    try:
        int("zebracorn")
    except ValueError:
        logging.getLogger("app.somewhere").exception("it went wrong: %s", "here")
    (line,) = lines.told()
    assert (line["level"], line["event"]) == ("error", "it went wrong: here")
    assert line["error"].startswith("builtins.ValueError\n")
    assert "zebracorn" not in json.dumps(line)


@pytest.mark.parametrize(
    ("header", "trace", "span"),
    [
        (f"00-{TRACE}-{CALLER}-01", TRACE, CALLER),
        (f"01-{TRACE}-{CALLER}-00-what-comes-later", TRACE, CALLER),
        (f"00-{'0' * 32}-{CALLER}-01", None, None),
        (f"00-{TRACE}-{'0' * 16}-01", None, None),
        (f"ff-{TRACE}-{CALLER}-01", None, None),
        ("zebracorn", None, None),
        (None, None, None),
    ],
)
def test_the_trace_of_others_is_passed_on(
    shared: Client, lines: _Lines, header: str | None, trace: str | None, span: str | None
) -> None:
    shared.get("/livez", headers={} if header is None else {"traceparent": header})
    (line,) = lines.told()
    assert (line.get("trace"), line.get("span")) == (trace, span)
    assert "zebracorn" not in json.dumps(line)


def test_where_nobody_watches_there_is_a_place_all_the_same() -> None:
    assert seen({}) == Seen("")


# ---- headers, and disks that cannot be written ----


def test_by_tls_the_browser_is_told_to_stay_there(shared: Client) -> None:
    by_tls = shared.get("https://slmkg.test/livez").headers
    assert by_tls["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("number", "code"), [(28, "store-full"), (30, "store-read-only"), (13, "store-read-only"), (5, "internal")]
)
def test_a_disk_that_refuses_is_told_wherever_it_is_met(
    shared: Client, shared_services: Services, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(type(shared_services.hooks), "add", refuse)
    _, token = shared_services.keys.create("Ada", (Scope.ADMIN,), NOW)
    body: Mapping[str, str] = {"url": "https://example.org/hook"}
    answer = shared.post("/api/v1/webhooks", json=body, headers={"Authorization": f"Bearer {token}"})
    assert problem_of(answer)["code"] == code


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EmbeddedStore(tmp_path / "store")
    store.apply(change([quad("s", 1)]), expect=0)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreReadOnly, match="Read-only file system"):
        store.apply(change([quad("s", 2)]), expect=1)
    assert store.head().number == 1


def test_jobs_on_a_disk_that_nobody_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(tmp_path / "jobs.sqlite")
    queue.submit(plan(1), ADA)
    queue.database.close()

    def refuse(*_: Any) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("app.database.os.open", refuse)
    assert queue.standing().waiting == 1
    assert queue.count() == 1
    with pytest.raises(StoreReadOnly, match="nothing was changed"):
        queue.submit(plan(2), ADA)
    monkeypatch.undo()
    queue.submit(plan(3), ADA)
    assert queue.count() == 2, "the disk was mended"


# ---- settings for processes of ours ----


def test_passwords_reach_our_own_processes_whole() -> None:
    given = Settings.model_validate(
        {"store_url": "http://127.0.0.1:1/q", "store_user": "me", "store_password": "zebracorn", "data_dir": "here"}
    )
    handed = given.environment({"PATH": "/bin", "SLMKG_HOST": "0.0.0.0"})
    assert handed["SLMKG_STORE_PASSWORD"] == "zebracorn"
    assert (handed["PATH"], handed["SLMKG_HOST"], handed["SLMKG_DATA_DIR"]) == ("/bin", "127.0.0.1", "here")
