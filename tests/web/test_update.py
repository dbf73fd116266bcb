"""SPARQL updates over HTTP: who may, what is read, what is committed, and what a killed server leaves."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.access import KeyRing, Scope
from app.services import Services
from app.store.embedded import EmbeddedStore
from tests.ports import free_port
from tests.store.test_killed import assert_whole
from tests.web.conftest import problem_of
from tests.web.scratch import NOW, Service, begun, keyed, scratch

G = "http://example.org/g"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DEVICE = "https://w3id.org/slmkg/resource/device/test-board"
REGISTRY = "https://w3id.org/slmkg/graph/registry"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with scratch(tmp_path_factory.mktemp("scratch")) as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "service" in request.fixturenames:
        assert request.getfixturevalue("service").update("DROP ALL").status_code == 200


def insert(value: str | int, graph: str = G) -> str:
    return f"INSERT DATA {{ GRAPH <{graph}> {{ <http://e/s> <http://e/p> {value} }} }}"


def test_the_whole_body_is_an_update(service: Service) -> None:
    before = service.revision()
    answer = service.update(insert('"one"'))
    assert answer.status_code == 200
    assert answer.json() == {"revision": before + 1, "added": 1, "removed": 0}
    assert answer.headers["x-revision"] == str(before + 1)
    assert answer.headers["cache-control"] == "no-store"
    assert service.triples(G) == {'<http://e/s> <http://e/p> "one" .'}


def test_a_form_field_is_an_update(service: Service) -> None:
    answer = service.send("POST", "/update", data={"update": insert('"100 % & more + ü"')})
    assert answer.status_code == 200
    assert service.triples(G) == {'<http://e/s> <http://e/p> "100 % & more + ü" .'}


def test_the_one_who_wrote_reads_it_at_once(service: Service) -> None:
    for number in range(5):
        assert service.update(f"DROP SILENT GRAPH <{G}> ; {insert(str(number))}").status_code == 200
        query = {"query": f"SELECT ?o {{ GRAPH <{G}> {{ ?s ?p ?o }} }}"}
        asked = service.send("GET", "/sparql", params=query, headers={"Accept": "text/csv"})
        assert asked.text.split() == ["o", str(number)]


def test_several_operations_are_one_revision_or_nothing(service: Service) -> None:
    before = service.revision()
    assert service.update(
        f"{insert(1)} ;\n{insert(2)} ; DELETE DATA {{ GRAPH <{G}> {{ <http://e/s> <http://e/p> 1 }} }}"
    )
    assert service.revision() == before + 1
    assert len(service.triples(G)) == 1
    failed = service.update(f"{insert(3)} ; CREATE GRAPH <{G}>")
    assert problem_of(failed)["code"] == "query-refused"
    assert service.revision() == before + 1
    assert len(service.triples(G)) == 1


def test_nothing_to_change_makes_no_revision(service: Service) -> None:
    service.update(insert(1))
    before = service.revision()
    answer = service.update(insert(1))
    assert answer.json() == {"revision": before, "added": 0, "removed": 0}
    assert service.revision() == before


def test_relative_iris_are_relative_to_the_address(service: Service) -> None:
    service.update(insert("<thing>"))
    assert service.triples(G) == {f"<http://e/s> <http://e/p> <{service.base}/thing> ."}


def test_using_graph_uri_is_what_where_sees(service: Service) -> None:
    service.update(insert('"a"', "http://e/a") + ";" + insert('"b"', "http://e/b"))
    copy = f"INSERT {{ GRAPH <{G}> {{ ?s ?p ?o }} }} WHERE {{ ?s ?p ?o }}"
    assert service.update(copy, query="?using-graph-uri=http://e/a").json()["added"] == 1
    assert service.triples(G) == {'<http://e/s> <http://e/p> "a" .'}
    named = f"INSERT {{ GRAPH <{G}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH ?g {{ ?s ?p ?o }} }}"
    in_form = {"update": named, "using-named-graph-uri": "http://e/b"}
    assert service.send("POST", "/update", data=in_form).json()["added"] == 1
    assert len(service.triples(G)) == 2


def test_blank_nodes_keep_their_edges(service: Service) -> None:
    service.update(f"INSERT DATA {{ GRAPH <{G}> {{ _:x <http://e/p> _:y . _:y <http://e/q> 1 }} }}")
    added = f"INSERT {{ GRAPH <{G}> {{ ?y <http://e/r> 2 }} }} WHERE {{ GRAPH <{G}> {{ ?x <http://e/p> ?y }} }}"
    assert service.update(added).json() == {"revision": service.revision(), "added": 1, "removed": 0}
    both = f"ASK {{ GRAPH <{G}> {{ ?y <http://e/q> 1 ; <http://e/r> 2 }} }}"
    assert service.send("GET", "/sparql", params={"query": both}).json()["boolean"] is True


# ---- who may ----


@pytest.mark.parametrize("body", [insert(1), "not even an update"])
def test_without_a_key_nothing_is_read(service: Service, body: str) -> None:
    answer = service.update(body, key=None)
    assert problem_of(answer)["code"] == "unauthorized"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_must_be_known_and_have_the_scope(service: Service) -> None:
    ring = KeyRing(service.data / "keys.json")
    _, weak = ring.create("weak", (Scope.PROPOSE, Scope.COMMIT), NOW)
    assert problem_of(service.update(insert(1), key=weak))["code"] == "forbidden"
    key, gone = ring.create("gone", (Scope.UPDATE,), NOW)
    assert service.update(insert(1), key=gone).status_code == 200
    ring.revoke(key.id, NOW)
    for wrong in (gone, "slmkg_00000000_x", service.token + "x"):
        assert problem_of(service.update(insert(2), key=wrong))["code"] == "unauthorized"
    assert len(service.triples(G)) == 1


def test_the_revision_names_the_key_and_not_its_secret(service: Service) -> None:
    service.update(insert(1))
    head = EmbeddedStore(service.data / "store").head()
    identity, secret = service.token.split("_", 2)[1:]
    assert head.author == f"https://w3id.org/slmkg/resource/agent/key-{identity}"
    assert head.reason == "SPARQL update"
    assert secret not in "".join(p.read_text() for p in (service.data / "store" / "revisions").glob("*.json"))


# ---- what is refused ----


def test_get_is_not_for_updates(service: Service) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = service.send(method, "/update?update=DROP+ALL")
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/sparql-query", ""])
def test_other_bodies_are_not_read(service: Service, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = service.send("POST", "/update", content=b"DROP ALL", headers=headers)
    assert problem_of(answer)["code"] == "unsupported-media"


@pytest.mark.parametrize("kind", ["application/sparql-update", "application/x-www-form-urlencoded"])
def test_only_utf_8_is_read(service: Service, kind: str) -> None:
    answer = service.update("DROP ALL".encode("utf-16"), headers={"Content-Type": f"{kind}; charset=utf-16"})
    assert problem_of(answer)["code"] == "unsupported-media"
    broken = problem_of(service.update(b"DROP ALL #\n  \xff"))
    assert (broken["code"], broken["line"], broken["column"]) == ("bad-query", 2, 3)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"query": "ASK {}"},
        {"update": ["DROP ALL", "DROP ALL"]},
        {"update": "DROP ALL", "query": "ASK {}"},
        {"update": "DROP ALL", "using-graph-uri": "no iri"},
        {"update": "DROP ALL", "using-named-graph-uri": ""},
    ],
)
def test_a_form_holds_one_update_and_no_query(service: Service, form: dict[str, str]) -> None:
    answer = service.send("POST", "/update", data=form, headers=FORM)
    assert problem_of(answer)["code"] == "bad-parameter"


@pytest.mark.parametrize("query", ["?update=DROP+ALL", "?query=ASK+%7B%7D"])
def test_the_address_holds_no_update(service: Service, query: str) -> None:
    assert problem_of(service.update("DROP ALL", query=query))["code"] == "bad-parameter"


def test_a_dataset_is_chosen_once(service: Service) -> None:
    text = f"WITH <{G}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}"
    assert problem_of(service.update(text, query="?using-graph-uri=http://e/a"))["code"] == "bad-parameter"


def test_a_mistake_is_told_with_its_place(service: Service) -> None:
    told = problem_of(service.update("INSERT DATA {\n  GRAPH <http://e/g> { <http://e/s> nothing } }"))
    assert told["code"] == "bad-query"
    assert told["line"] == 2
    assert told["column"] > 1


@pytest.mark.parametrize(
    "text",
    [
        "LOAD <http://127.0.0.1/x>",
        "LO\\u0041D <http://127.0.0.1/x>",
        "INSERT { GRAPH <http://e/g> { ?s ?p ?o } } WHERE { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }",
        "INSERT { GRAPH <http://e/g> { ?s ?p ?o } } WHERE { SERVICE SILENT <http://127.0.0.1/> { ?s ?p ?o } }",
    ],
)
def test_nothing_is_fetched(service: Service, text: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert problem_of(service.update(text.replace("127.0.0.1", address)))["code"] in {"query-refused", "bad-query"}
        assert service.update(f"LOAD SILENT <http://{address}/x> INTO GRAPH <{G}>").json()["added"] == 0
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_triple_terms_have_no_place(service: Service) -> None:
    answer = service.update(insert("<<( <http://e/a> <http://e/b> <http://e/c> )>>"))
    assert answer.status_code == 400
    assert service.triples(G) == set()


# ---- conditions and other writers ----


def test_if_match_names_the_revision_that_was_seen(service: Service) -> None:
    seen = int(service.update(insert(1)).headers["x-revision"])
    assert service.update(insert(2), headers={"If-Match": f'"{seen}"'}).status_code == 200
    stale = service.update(insert(3), headers={"If-Match": f'"{seen}"'})
    assert (stale.status_code, problem_of(stale)["code"]) == (412, "stale-revision")
    assert problem_of(service.update(insert(3), headers={"If-Match": '"yesterday"'}))["code"] == "condition-failed"
    assert service.update(insert(3), headers={"If-Match": "*"}).status_code == 200
    tag = service.send("GET", "/sparql?query=ASK%7B%7D").headers["etag"]
    assert service.update(insert(4), headers={"If-Match": tag}).status_code == 200
    assert problem_of(service.update(insert(5), headers={"If-Match": tag}))["code"] == "stale-revision"


def test_writers_at_once_lose_nothing(service: Service) -> None:
    service.update(insert(0))
    before = service.revision()
    count = (
        f"DELETE {{ GRAPH <{G}> {{ ?s ?p ?n }} }} INSERT {{ GRAPH <{G}> {{ ?s ?p ?m }} }} "
        f"WHERE {{ GRAPH <{G}> {{ ?s ?p ?n BIND(?n + 1 AS ?m) }} }}"
    )
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(service.update(count).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    assert service.revision() == before + 8
    (line,) = service.triples(G)
    assert '"8"' in line


def test_what_costs_too_much_is_stopped_and_changes_nothing(tmp_path: Path) -> None:
    with scratch(tmp_path) as service:
        rows = " ".join(f"<http://e/{n}> <http://e/p> {n} ." for n in range(400))
        service.update(f"INSERT DATA {{ GRAPH <{G}> {{ {rows} }} }}")
    with keyed(tmp_path, scratch="true", key_query_seconds="1", max_update_bytes="2000") as service:
        before = service.revision()
        cross = " ".join(f"GRAPH <{G}> {{ ?a{n} ?b{n} ?c{n} }}" for n in range(4))
        started = time.monotonic()
        answer = service.update(f"INSERT {{ GRAPH <{G}> {{ ?a0 ?b1 ?c2 }} }} WHERE {{ {cross} }}")
        assert problem_of(answer)["code"] == "query-timeout"
        assert time.monotonic() - started < 10
        assert problem_of(service.update("#" * 2001))["code"] == "query-refused"
        assert service.revision() == before


def test_a_graph_too_large_for_memory_can_be_changed(tmp_path: Path) -> None:
    with scratch(tmp_path):
        pass
    with keyed(tmp_path, scratch="true", in_memory_quads="0") as service:
        for number in range(3):
            assert service.update(insert(number)).json()["added"] == 1
        assert len(service.triples(G)) == 3
        assert service.update(f"CLEAR GRAPH <{G}>").json()["removed"] == 3


# ---- with constraints ----


@pytest.fixture
def curated(own_services: Services) -> Iterator[Service]:
    with keyed(own_services.settings.data_dir) as running:
        yield running


def test_constraints_hold_and_history_is_kept(curated: Service) -> None:
    before = curated.revision()
    board = f'INSERT DATA {{ GRAPH <{REGISTRY}> {{ <{DEVICE}> a slm:Device ; <{LABEL}> "Test board"@en }} }}'
    prefix = "PREFIX slm: <https://w3id.org/slmkg/ontology#>\n"
    answer = curated.update(prefix + board)
    assert answer.json() == {"revision": before + 1, "added": 2, "removed": 0}, answer.text
    record = f"https://w3id.org/slmkg/resource/revision/{before + 1}"
    said = curated.send("GET", "/sparql", params={"query": f"SELECT ?p ?o {{ <{record}> ?p ?o }}"}).text
    assert f"key-{curated.token.split('_')[1]}" in said

    lone = "INSERT DATA { GRAPH <https://w3id.org/slmkg/graph/decisions> { <urn:x:lone> a slm:Claim } }"
    told = problem_of(curated.update(prefix + lone))
    assert (told["status"], told["code"]) == (422, "invalid-graph")
    assert any("urn:x:lone" in finding for finding in told["findings"])

    history = "DELETE WHERE { GRAPH <https://w3id.org/slmkg/graph/history> { ?s ?p ?o } }"
    assert problem_of(curated.update(history))["code"] == "bad-parameter"
    nameless = problem_of(curated.update('INSERT DATA { <http://e/s> <http://e/p> "no home" }'))
    assert nameless["code"] == "bad-parameter"
    assert "GRAPH" in nameless["advice"]
    assert curated.revision() == before + 1


# ---- a server that is killed ----


def test_a_killed_server_leaves_a_committed_head(tmp_path: Path) -> None:
    """SIGKILL at many moments of a stream of updates; what was acknowledged is there, and every revision is whole."""
    folder = tmp_path / "var"
    begun(folder)
    _, token = KeyRing(folder / "keys.json").create("a test", (Scope.UPDATE,), NOW)
    acknowledged = 0
    for pause in (0.05, 0.4, 0.9):
        acknowledged = max(acknowledged, _kill_while_writing(folder, token, pause))
        store = EmbeddedStore(folder / "store")
        assert_whole(store)
        numbers = {int(quad.object.value) for quad in store.at().quads()}  # type: ignore[union-attr]
        assert numbers == set(range(1, len(numbers) + 1)), "every update is there as a whole"
        assert acknowledged <= len(numbers) <= acknowledged + 1
    assert acknowledged > 0
    with keyed(folder, scratch="true") as service:
        assert service.update(insert('"alive"', "http://e/other")).status_code == 200


def _kill_while_writing(folder: Path, token: str, pause: float) -> int:
    """Write numbers one after the other until the server is killed; the last one that was acknowledged."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app.asgi:app", "--port", str(port), "--log-level", "critical"],
        env={**os.environ, "SLMKG_DATA_DIR": str(folder), "SLMKG_SCRATCH": "true"},
    )
    service = Service(f"http://127.0.0.1:{port}", folder, token)
    next_one = (
        f"INSERT {{ GRAPH <{G}> {{ <http://e/s> <http://e/p> ?n }} }} "
        f"WHERE {{ {{ SELECT (COUNT(*) + 1 AS ?n) {{ GRAPH <{G}> {{ ?s ?p ?o }} }} }} }}"
    )
    killer = threading.Timer(pause, lambda: os.kill(process.pid, signal.SIGKILL))
    acknowledged = 0
    try:
        while process.poll() is None:
            try:
                answer = service.update(next_one)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if not killer.is_alive() and killer.finished.is_set() is False and acknowledged == 0:
                killer.start()
            assert answer.status_code == 200, answer.text
            acknowledged = len(service.triples(G))
    except httpx.TransportError:
        pass
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)
        killer.cancel()
    return acknowledged


# ---- a disk without room ----


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """The service's files may not grow for a while, as on a full disk."""
    folder = tmp_path / "var"
    begun(folder)
    _, token = KeyRing(folder / "keys.json").create("a test", (Scope.UPDATE,), NOW)
    many = "\n".join(f'<http://e/s{n}> <http://e/p> "{n * 7919}{"x" * 60}" .' for n in range(8000))
    with _process(folder, token) as (process, service):
        assert service.update(insert(1)).status_code == 200
        before = service.revision()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        told = problem_of(service.write("PUT", G, many))
        assert (told["status"], told["code"]) == (507, "store-full")
        assert service.revision() == before
        assert len(service.triples(G)) == 1
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert service.write("PUT", G, many).status_code == 204
        assert service.revision() == before + 1


@contextmanager
def _process(folder: Path, token: str) -> Iterator[tuple[subprocess.Popen[bytes], Service]]:
    """A throw-away service whose process a test can reach."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app.asgi:app", "--port", str(port), "--log-level", "critical"],
        env={**os.environ, "SLMKG_DATA_DIR": str(folder), "SLMKG_SCRATCH": "true"},
    )
    try:
        service = Service(f"http://127.0.0.1:{port}", folder, token)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                service.revision()
                break
            except (httpx.TransportError, KeyError):
                time.sleep(0.1)
        yield process, service
    finally:
        process.terminate()
        process.wait(timeout=20)


# ---- logs ----


def test_no_log_holds_a_key_or_an_update(tmp_path: Path) -> None:
    services_log = tmp_path / "log"
    begun(tmp_path / "var")
    _, token = KeyRing(tmp_path / "var" / "keys.json").create("a test", (Scope.UPDATE,), NOW)
    port = free_port()
    with services_log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.asgi:app", "--port", str(port), "--no-access-log"],
            env={**os.environ, "SLMKG_DATA_DIR": str(tmp_path / "var"), "SLMKG_SCRATCH": "true"},
            stdout=log,
            stderr=log,
        )
        try:
            service = Service(f"http://127.0.0.1:{port}", tmp_path / "var", token)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    service.revision()
                    break
                except (httpx.TransportError, KeyError):
                    time.sleep(0.1)
            for text in (insert('"secret-word"'), "secret-word", "LOAD <http://secret-word/>"):
                service.update(text)
            service.update(insert('"secret-word"'), key=token + "x")
        finally:
            process.terminate()
            process.wait(timeout=20)
    written = services_log.read_text(encoding="utf-8")
    assert "Uvicorn" in written
    assert "secret-word" not in written
    assert not re.search("slmkg_[0-9a-f]{8}_", written)
