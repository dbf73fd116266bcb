"""Whole runs against the engine and against a service that is right or wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.conformance.manifest import Suite, read_tests
from scripts.conformance.run import main, run_test
from scripts.conformance.targets import Engine, Reply, Service, Unusable

from .conftest import Sample

Spoil = Callable[[str, str, Reply], Reply]


def failures(folder: Path, suite: Suite, target: Service | Engine) -> dict[str, str]:
    found = {test.name: run_test(test, target, strict=False) for test in read_tests(folder, suite)}
    return {name: reason for name, reason in found.items() if reason}


def addresses(sample: Sample) -> list[str]:
    urls = ("--query-url", "query"), ("--update-url", "update"), ("--graph-store-url", "graphs")
    return [part for option, path in urls for part in (option, f"{sample.url}/{path}")]


def on(path: str, changed: Callable[[Reply], Reply]) -> Spoil:
    return lambda method, target, reply: changed(reply) if target.startswith(path) else reply


def test_the_engine_passes(suite: Path) -> None:
    assert failures(suite, Suite.QUERY, Engine()) == {}
    assert failures(suite, Suite.UPDATE, Engine()) == {}


@pytest.mark.parametrize(
    ("name", "text", "failing"),
    [
        ("words/rows.rq", "SELECT ?o ?g { <s> <p> ?o }", {"words#rows"}),
        ("words/rows.rq", "SELECT ?o ?g {", {"words#rows", "words#good"}),
        ("words/graph.ttl", "<s> <q> <s> .", {"words#graph"}),
        ("words/bad.rq", "SELECT * {}", {"words#bad"}),
        ("changes/move.ru", "COPY <http://example.org/g> TO DEFAULT", {"changes#move"}),
        ("changes/move.ru", "MOVE <http://example.org/gone> TO DEFAULT", {"changes#move"}),
        ("changes/load.ru", "LOAD", {"changes#load"}),
    ],
)
def test_a_wrong_answer_fails(suite: Path, name: str, text: str, failing: set[str]) -> None:
    (suite / name).write_text(text)
    found = failures(suite, Suite.QUERY, Engine()) | failures(suite, Suite.UPDATE, Engine())
    assert found.keys() == failing


def test_a_right_service_passes(suite: Path, sample: Sample, service: Service) -> None:
    for part in Suite:
        assert failures(suite, part, service) == {}
    assert ("PUT", "/graphs?graph=http://example.org/%2531", "Bearer secret") in sample.seen
    assert ("GET", "/graphs?graph=http://example.org/new%3Fa%3D1%26b%3D2", "Bearer secret") in sample.seen
    assert ("HEAD", "/graphs/missing", "Bearer secret") in sample.seen
    assert ("PUT", "/graphs?default", "Bearer secret") in sample.seen


JSON = {"content-type": "application/sparql-results+json"}


PUT, POST, ASK = "graph-store-protocol#put", "graph-store-protocol#post", "protocol#ask"


def with_status(old: int, new: int) -> Callable[[Reply], Reply]:
    return lambda reply: Reply(new if reply.status == old else reply.status, reply.body, reply.headers)


def without(header: str) -> Callable[[Reply], Reply]:
    return lambda reply: Reply(reply.status, reply.body, {k: v for k, v in reply.headers.items() if k != header})


def saying(body: bytes, media_type: str = JSON["content-type"]) -> Callable[[Reply], Reply]:
    return lambda reply: Reply(200, body, {"content-type": media_type})


@pytest.mark.parametrize(
    ("part", "spoil", "failing"),
    [
        (Suite.QUERY, on("/query", lambda r: Reply(200, r.body, JSON)), {"words#graph", "words#bad"}),
        (Suite.QUERY, on("/query", with_status(400, 422)), {"words#bad"}),
        (Suite.QUERY, on("/query", lambda r: Reply(r.status, r.body[:-4], r.headers)), {"words#rows", "words#graph"}),
        (Suite.UPDATE, on("/update", with_status(500, 400)), {"changes#load"}),
        (Suite.UPDATE, on("/graphs", with_status(201, 413)), {"changes#move"}),
        (Suite.PROTOCOL, on("/update", with_status(415, 204)), {"protocol#bad_update_type"}),
        (Suite.PROTOCOL, on("/query", with_status(400, 200)), {"protocol#utf16"}),
        (Suite.PROTOCOL, on("/query?", saying(b'{"head": {}, "boolean": false}')), {ASK}),
        (Suite.PROTOCOL, on("/query?", saying(b"true")), {ASK}),
        (Suite.PROTOCOL, on("/query?", saying(b"true", "text/plain")), {ASK}),
        (Suite.GRAPH_STORE, on("/graphs?graph", lambda r: Reply(r.status, b"", r.headers)), {PUT}),
        (Suite.GRAPH_STORE, on("/graphs?graph", without("content-type")), {PUT}),
        (Suite.GRAPH_STORE, on("/graphs", without("location")), {POST}),
        (Suite.GRAPH_STORE, on("/graphs", with_status(201, 204)), {PUT, POST}),
    ],
)
def test_a_wrong_service_fails(
    suite: Path, sample: Sample, service: Service, part: Suite, spoil: Spoil, failing: set[str]
) -> None:
    sample.spoil = spoil
    assert failures(suite, part, service).keys() == failing


def test_a_refused_operation_was_read(suite: Path, sample: Sample, service: Service) -> None:
    def refused(kind: str) -> Spoil:
        body = json.dumps({"type": f"https://example.org/problems/{kind}"}).encode()
        reply = Reply(400, body, {"content-type": "application/problem+json"})
        return on("/update", lambda r: reply if r.status == 500 else r)

    sample.spoil = refused("query-refused")
    assert failures(suite, Suite.UPDATE, service) == {}
    sample.spoil = refused("bad-query")
    assert failures(suite, Suite.UPDATE, service).keys() == {"changes#load"}


def test_a_body_after_head_is_found(suite: Path, sample: Sample, service: Service) -> None:
    sample.body_after_head = True
    assert failures(suite, Suite.GRAPH_STORE, service).keys() == {"graph-store-protocol#put"}


def test_a_busy_service_is_asked_again(sample: Sample, service: Service) -> None:
    times = iter(range(10))
    busy = Reply(503, headers={"retry-after": "0"})
    sample.spoil = lambda method, target, reply: busy if next(times) < 2 else reply
    assert service.query("ASK {}", "application/sparql-results+json").ok
    assert len(sample.seen) == 3
    sample.spoil = lambda method, target, reply: busy
    assert service.query("ASK {}", "application/sparql-results+json").status == 503


def test_a_store_that_holds_data_is_left_alone(suite: Path, sample: Sample, service: Service) -> None:
    sample.engine.load("http://example.org/g", b"<http://e/s> <http://e/p> <http://e/o> .")
    with pytest.raises(Unusable, match="holds data"):
        service.check(wipe=False)
    assert main([str(suite), *addresses(sample)]) == 2
    assert all(target != "/update" for _, target, _ in sample.seen)
    assert main([str(suite), "--wipe", *addresses(sample)]) == 0


def test_a_whole_run_is_written_down(suite: Path, sample: Sample, tmp_path: Path) -> None:
    page, data = tmp_path / "page.md", tmp_path / "run.json"
    (suite / "words" / "graph.ttl").write_text("<s> <q> <s> .")
    files = ["--write", str(page), "--json", str(data)]
    assert main([str(suite), *addresses(sample), "--engine-baseline", "--name", "sample 1", *files]) == 0
    text = page.read_text()
    assert "| SPARQL 1.1 Protocol | 3 | 3 | – |" in text
    assert "| Query: syntax and evaluation | 4 | 3 | 3 |" in text
    assert "| `words#graph` | failed | failed |" in text
    assert "sample 1" in text
    assert str(tmp_path) not in text
    tests = {test["name"]: test for test in json.loads(data.read_text())["tests"]}
    assert len(tests) == 11
    assert tests["words#graph"]["service"] == "failed"
    assert tests["words#rows"]["engine"] == "passed"
    assert tests["protocol#ask"]["engine"] == "not run"


def test_a_failure_counts_unless_the_engine_fails_too(suite: Path, sample: Sample) -> None:
    run = [str(suite), "--suite", "query", *addresses(sample)]
    (suite / "words" / "graph.ttl").write_text("<s> <q> <s> .")
    assert main(run) == 1
    assert main([*run, "--engine-baseline"]) == 0
    sample.spoil = on("/query", lambda r: Reply(200, b'{"head": {}, "boolean": false}', JSON))
    assert main([*run, "--engine-baseline"]) == 1


def test_the_allow_list_forgives_and_must_be_true(suite: Path, sample: Sample, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.tsv"
    run = [str(suite), "--suite", "protocol", "--allow", str(allowed), *addresses(sample)]
    allowed.write_text("# nothing\n")
    sample.spoil = on("/query?", lambda r: Reply(500))
    assert main(run) == 1
    allowed.write_text("protocol#ask\twaits for a release\n")
    assert main(run) == 0
    sample.spoil = lambda method, target, reply: reply
    assert main(run) == 1
    allowed.write_text("protocol#ask\n")
    assert main(run) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["--query-url", "http://127.0.0.1:1/"], ["--engine-baseline", "--only", "nothing has this name"]],
)
def test_a_run_that_cannot_be_made(suite: Path, arguments: list[str]) -> None:
    assert main([str(suite), *arguments]) == 2


def test_a_service_that_does_not_answer(suite: Path) -> None:
    url = "http://127.0.0.1:1/"
    assert main([str(suite), "--query-url", url, "--update-url", url, "--graph-store-url", url]) == 2


def test_the_engine_alone(suite: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert main([str(suite), "--engine-baseline", "--write", str(page)]) == 0
    assert "| Query: syntax and evaluation | 4 | – | 4 |" in page.read_text()
    assert "None." in page.read_text()
