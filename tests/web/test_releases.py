"""Releases over HTTP: pages, downloads in whole and in parts, descriptions, and making one."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest

from app import vocab
from app.access import KeyRing, Scope
from app.release.values import FILES
from app.services import Services
from app.web.application import create_app
from app.wiring import build
from tests.cli.workers import until
from tests.release.conftest import own, released
from tests.store.quads import NOON
from tests.web.conftest import Client, problem_of
from tests.web.serving import serving
from tests.web.test_pages import elements

__all__ = ["own", "released"]

FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def web(released: Services) -> Client:
    return Client(create_app(released))


def test_the_list_and_one_release(web: Client, released: Services) -> None:
    listed = web.json("/api/v1/releases")["releases"]
    assert [one["name"] for one in listed] == ["2026.11", "2026.12"]
    shown = web.json("/api/v1/releases/2026.12")
    assert shown == listed[1]
    manifest = released.releases.find("2026.12")
    assert (shown["state"], shown["revision"], shown["graph_sha256"]) == ("ready", 2, manifest.graph_sha256)
    assert [one["name"] for one in shown["files"]] == list(FILES)
    for one in shown["files"]:
        content = web.get(one["href"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])


def test_json_answers_have_tags(web: Client) -> None:
    for path in ("/api/v1/releases", "/api/v1/releases/2026.11"):
        first = web.get(path)
        again = web.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["cache-control"] == "public, no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/releases/2025.01",
        "/api/v1/releases/nonsense",
        "/releases/2025.01",
        "/releases/2026.11/nothing.csv",
        "/releases/2026.11/LOCK",
        "/releases/2026.11/..%2f2026.12%2fmodels.csv",
        "/releases/..%2f..%2fkeys.json/x",
        "/r/1/releases/2026.11",
        "/r/1/api/v1/releases",
    ],
)
def test_what_is_not_there(web: Client, path: str) -> None:
    assert problem_of(web.get(path))["code"] == "not-found"


def test_unknown_parameters_are_refused(web: Client) -> None:
    for path in ("/api/v1/releases?x=1", "/releases?x=1", "/releases/2026.11/models.csv?download=1"):
        assert problem_of(web.get(path))["code"] == "bad-parameter"


def test_files_may_be_kept_for_ever_and_bear_their_sum_as_tag(web: Client, released: Services) -> None:
    folder = released.settings.data_dir / "releases" / "2026.11"
    kinds = {
        "graph.nq.gz": "application/gzip",
        "models.csv": "text/csv; charset=utf-8",
        "models.parquet": "application/vnd.apache.parquet",
        "cube.ttl": "text/turtle; charset=utf-8",
        "datacite.json": "application/json",
        "slmkg-2026.11.tar": "application/x-tar",
        "slmkg-2026.11.tar.sha256": "text/plain; charset=utf-8",
        "manifest.json": "application/json",
        "SHA256SUMS": "text/plain; charset=utf-8",
    }
    for name, kind in kinds.items():
        content = (folder / name).read_bytes()
        answer = web.get(f"/releases/2026.11/{name}")
        assert (answer.status_code, answer.content) == (200, content)
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["content-type"] == kind
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["last-modified"] == "Fri, 20 Nov 2026 09:30:00 GMT"
        assert "2026.11" in answer.headers["content-disposition"]
        assert "content-encoding" not in answer.headers, "a packed file is sent as it is"
        assert web.get(f"/releases/2026.11/{name}", headers={"If-None-Match": tag}).status_code == 304
        head = web.request("HEAD", f"/releases/2026.11/{name}")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(content)))


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-5", slice(5, 6)),
        ("BYTES = 0-0", slice(0, 1)),
        ("bytes=0-999999999999", None),
        ("bytes=-999999999999", None),
    ],
)
def test_a_part_of_a_file(web: Client, released: Services, asked: str, part: slice | None) -> None:
    content = (released.settings.data_dir / "releases" / "2026.11" / "claims.csv").read_bytes()
    answer = web.get("/releases/2026.11/claims.csv", headers={"Range": asked})
    assert answer.content == (content if part is None else content[part])
    if part is not None:
        start, stop, _ = part.indices(len(content))
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"
        assert answer.headers["content-length"] == str(stop - start)


def test_parts_put_together_are_the_file(web: Client, released: Services) -> None:
    content = (released.settings.data_dir / "releases" / "2026.11" / "graph.nq.gz").read_bytes()
    found = b""
    while len(found) < len(content):
        asked = f"bytes={len(found)}-{len(found) + 9_999}"
        found += web.get("/releases/2026.11/graph.nq.gz", headers={"Range": asked}).content
    assert found == content


@pytest.mark.parametrize(
    "asked", ["bytes=x-y", "bytes=", "bytes", "lines=0-1", "bytes=9-1", "bytes=0-1,3-4", "bytes=--1"]
)
def test_a_range_that_cannot_be_read_is_ignored(web: Client, asked: str) -> None:
    whole = web.get("/releases/2026.11/claims.csv")
    answer = web.get("/releases/2026.11/claims.csv", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-99999999999", "bytes=-0"])
def test_a_range_outside_of_the_file_is_refused(web: Client, asked: str) -> None:
    size = len(web.get("/releases/2026.11/claims.csv").content)
    answer = web.get("/releases/2026.11/claims.csv", headers={"Range": asked})
    assert answer.status_code == 416
    assert problem_of(answer)["code"] == "range-not-satisfiable"
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_if_range_with_another_tag_gives_the_whole_file(web: Client) -> None:
    whole = web.get("/releases/2026.11/claims.csv")
    for tag, status in ((whole.headers["etag"], 206), ('"other"', 200)):
        answer = web.get("/releases/2026.11/claims.csv", headers={"Range": "bytes=0-9", "If-Range": tag})
        assert answer.status_code == status


# ---- pages ----


def test_the_pages_say_what_there_is(web: Client, released: Services) -> None:
    listed = web.get("/releases")
    assert listed.status_code == 200
    assert listed.text.index("/releases/2026.12") < listed.text.index("/releases/2026.11"), "the newest first"
    page = web.get("/releases/2026.11").text
    assert "There is a newer release" in page
    assert released.releases.find("2026.11").graph_sha256 in page
    assert "first release" in page
    newest = web.get("/releases/2026.12").text
    assert "There is a newer release" not in newest
    assert "1 cell changed" in newest
    links = {attributes["href"] for tag, attributes in elements(newest) if tag == "a" and attributes.get("href")}
    for link in links:
        assert link is not None
        if link.startswith("/releases/2026.12/"):
            assert web.request("HEAD", link).status_code == 200, link
    assert {f"/releases/2026.12/{name}" for name in FILES} <= links


def test_before_the_first_release(empty_client: Client) -> None:
    assert "Nothing has been released yet" in empty_client.get("/releases").text
    assert empty_client.json("/api/v1/releases") == {"releases": []}


# ---- descriptions ----


def graph_of(answer: httpx.Response) -> ox.Store:
    assert answer.status_code == 200, answer.text
    store = ox.Store()
    store.bulk_load(answer.content, format=ox.RdfFormat.TURTLE)
    return store


def test_dcat_lists_the_releases_with_their_files(web: Client, released: Services) -> None:
    store = graph_of(web.get("/dcat", headers={"Accept": "text/turtle"}))
    found = store.query(
        "SELECT ?release ?address ?sum WHERE { ?d dcat:hasVersion ?release . ?release dcat:distribution ?f . "
        "?f dcat:downloadURL ?address ; spdx:checksum/spdx:checksumValue ?sum }",
        prefixes={"dcat": vocab.dcat.NS, "spdx": vocab.spdx.NS},
    )
    assert isinstance(found, ox.QuerySolutions)
    listed = {(row["release"].value, row["address"].value, row["sum"].value) for row in found}
    assert listed == {
        (one.iri, f"http://slmkg.test/releases/{one.name}/{file.name}", file.sha256)
        for one in released.releases.list()
        for file in one.files
    }


def test_void_names_the_dump_of_a_released_revision(web: Client) -> None:
    for revision, name in ((1, "2026.11"), (2, "2026.12")):
        store = graph_of(web.get(f"/.well-known/void?revision={revision}", headers={"Accept": "text/turtle"}))
        dumps = [quad.object.value for quad in store if quad.predicate.value == vocab.void.dataDump]
        assert dumps == [f"http://slmkg.test/releases/{name}/graph.nq.gz"]


def test_descriptions_under_a_revision_name_no_release(own: Services) -> None:
    """They may be kept for ever, and releases come later."""
    web = Client(create_app(own))
    before = {
        path: web.get(path) for path in ("/r/1/dcat", "/r/1/.well-known/void", "/dcat", "/.well-known/void?revision=1")
    }
    own.releases.make("2027.01", 1)
    after = {path: web.get(path) for path in before}
    for path, answer in before.items():
        same = after[path].headers["etag"] == answer.headers["etag"]
        assert same is path.startswith("/r/"), path
        assert (after[path].content == answer.content) is path.startswith("/r/"), path


# ---- making one ----


def key_of(services: Services, *scopes: Scope) -> dict[str, str]:
    _, token = KeyRing(services.settings.data_dir / "keys.json").create("test", scopes, NOON)
    return {"Authorization": f"Bearer {token}"}


def wait_for(web: Client, place: str) -> list[dict[str, Any]]:
    """What the service tells until the release is made, or has failed."""
    told = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        told.append(web.json(place))
        if told[-1]["state"] != "making":
            return told
        time.sleep(0.2)
    raise AssertionError(told)


def test_a_release_is_made_in_the_background(own: Services) -> None:
    web, key = Client(create_app(own)), key_of(own, Scope.ADMIN)
    begun = web.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"] == "/api/v1/releases/2027.01"
    assert begun.json()["state"] == "making"
    same = web.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert same.status_code in {200, 202}
    other = web.post("/api/v1/releases", json={"name": "2027.02"}, headers=key)
    if other.status_code != 202:
        assert problem_of(other)["code"] == "too-busy"
        assert int(other.headers["retry-after"]) > 0
    told = wait_for(web, "/api/v1/releases/2027.01")
    assert told[-1]["state"] == "ready"
    assert told[-1]["graph_sha256"] == own.releases.find("2026.11").graph_sha256
    done = [one["done"] for one in told if one["state"] == "making"]
    assert done == sorted(done)
    assert own.releases.verify("2027.01").intact
    again = web.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert (again.status_code, again.json()["state"]) == (200, "ready")
    conflict = web.post("/api/v1/releases", json={"name": "2027.01"}, headers=key)
    assert (conflict.status_code, problem_of(conflict)["code"]) == (409, "release-exists")


def test_each_worker_tells_how_far_a_release_is(own: Services) -> None:
    """Two applications on one folder are what two workers are: neither knows the other's processes."""
    one, other = Client(create_app(own)), Client(create_app(build(own.settings)))
    key = key_of(own, Scope.ADMIN)
    begun = one.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert begun.status_code == 202, begun.text
    same = other.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert (same.status_code, same.json()["state"], same.json()["name"]) == (202, "making", "2027.01")
    second = other.post("/api/v1/releases", json={"name": "2027.02"}, headers=key)
    assert problem_of(second)["code"] == "too-busy"
    told = wait_for(other, "/api/v1/releases/2027.01")
    assert {one["state"] for one in told} == {"making", "ready"}
    assert wait_for(one, "/api/v1/releases/2027.01")[-1]["state"] == "ready"
    # the release is there a moment before its process has ended and the last word of it is written
    until(lambda: [path.name for path in own.settings.data_dir.glob("MAKING*")] == ["MAKING.json"])


def test_a_release_whose_worker_was_killed_has_failed(own: Services) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    job = {"name": "2027.01", "revision": 1, "state": "making", "step": "x", "done": 1, "total": 9, "problem": None}
    path = own.settings.data_dir / "MAKING.json"
    web, key = Client(create_app(own)), key_of(own, Scope.ADMIN)
    path.write_text(json.dumps({"pid": gone.pid, **job}))
    told = web.json("/api/v1/releases/2027.01")
    assert (told["state"], told["problem"]) == ("failed", "its process was stopped")
    for spoilt in ("", "[]", "{}", '{"pid": 1}', json.dumps({"pid": 1, **job, "state": "x"})):
        path.write_text(spoilt)
        assert problem_of(web.get("/api/v1/releases/2027.01"))["code"] == "not-found"
    begun = web.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert begun.status_code == 202
    assert wait_for(web, "/api/v1/releases/2027.01")[-1]["state"] == "ready"


def test_a_failure_is_told(own: Services) -> None:
    web, key = Client(create_app(own)), key_of(own, Scope.ADMIN)
    (own.settings.data_dir / "releases" / "2026.12" / "models.csv").unlink()
    with_change = web.post("/api/v1/releases", json={"name": "2027.01", "revision": 1}, headers=key)
    assert with_change.status_code == 202
    assert wait_for(web, "/api/v1/releases/2027.01")[-1]["state"] == "ready", "it does not need the later release"
    shutil.rmtree(own.settings.data_dir / "releases" / "2027.01")
    (own.settings.data_dir / "releases" / "2026.11" / "models.csv").unlink()
    while web.post("/api/v1/releases", json={"name": "2027.02", "revision": 2}, headers=key).status_code == 503:
        time.sleep(0.2)  # a release is there a moment before its process has ended
    last = wait_for(web, "/api/v1/releases/2027.02")[-1]
    assert last["state"] == "failed"
    assert "models.csv" in last["problem"]
    assert [one["name"] for one in web.json("/api/v1/releases")["releases"]] == ["2026.11", "2026.12"]


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        (b"", 400, "bad-input", ""),
        (b"{", 400, "bad-input", ""),
        (b"[]", 400, "bad-input", ""),
        (b"{}", 400, "bad-input", "/name"),
        (b'{"name": 7}', 400, "bad-input", "/name"),
        (b'{"name": "2027.01", "more": 1}', 400, "bad-input", "/more"),
        (b'{"name": "2027.01", "revision": "1"}', 400, "bad-input", "/revision"),
        (b'{"name": "2027.01", "revision": 0}', 400, "bad-input", "/revision"),
        (b'{"name": "2027.13"}', 400, "bad-parameter", None),
        (b'{"name": "../x"}', 400, "bad-parameter", None),
        (b'{"name": "2027.01", "revision": 3}', 400, "bad-parameter", None),
        (b'{"name": "' + b"x" * 20_000 + b'"}', 400, "bad-parameter", None),
        (b'{"name": "2026.11"}', 409, "release-exists", None),
        (b"\xff\xfe", 400, "bad-input", ""),
    ],
)
def test_bad_requests_make_nothing(own: Services, body: bytes, status: int, code: str, pointer: str | None) -> None:
    web, key = Client(create_app(own)), key_of(own, Scope.ADMIN)
    answer = web.post("/api/v1/releases", content=body, headers={**key, "Content-Type": "application/json"})
    problem = problem_of(answer)
    assert (answer.status_code, problem["code"], problem.get("pointer")) == (status, code, pointer)
    assert problem["advice"]
    assert len(own.releases.list()) == 2
    assert not list((own.settings.data_dir / "releases").glob(".*"))


def test_only_an_administrator_makes_releases(own: Services) -> None:
    web = Client(create_app(own))
    body = {"name": "2027.01"}
    assert problem_of(web.post("/api/v1/releases", json=body))["code"] == "unauthorized"
    for scope in (Scope.UPDATE, Scope.COMMIT, Scope.REVIEW):
        assert problem_of(web.post("/api/v1/releases", json=body, headers=key_of(own, scope)))["code"] == "forbidden"
    key = key_of(own, Scope.ADMIN)
    plain = web.post("/api/v1/releases", content=json.dumps(body), headers={**key, "Content-Type": "text/plain"})
    assert problem_of(plain)["code"] == "unsupported-media"
    assert len(own.releases.list()) == 2


def test_a_service_without_a_folder_makes_none(tmp_path: Path) -> None:
    from app.model.changes import ChangeSet
    from app.settings import Settings
    from app.store.memory import MemoryStore

    services = build(Settings(data_dir=tmp_path), MemoryStore())
    services.store.apply(ChangeSet(frozenset(), frozenset(), "begin", "https://example.org/me", NOON), expect=0)
    web, key = Client(create_app(services)), key_of(services, Scope.ADMIN)
    assert problem_of(web.post("/api/v1/releases", json={"name": "2027.01"}, headers=key))["code"] == "bad-parameter"


def test_a_store_without_its_past_says_so(own: Services, tmp_path: Path) -> None:
    assert own.backups is not None
    own.backups.make(tmp_path / "b.tar")
    own.backups.restore(tmp_path / "b.tar", into=tmp_path / "back")
    web = Client(create_app(build(own.settings.model_copy(update={"data_dir": tmp_path / "back"}))))
    assert web.json("/api/v1/models?revision=2")["revision"] == 2
    for path in ("/api/v1/models?revision=1", "/r/1/api/v1/models", "/sparql?query=ASK%7B%7D&revision=1"):
        problem = problem_of(web.get(path))
        assert (problem["code"], problem["advice"]) == ("not-found", "The oldest whose graph is kept is 2.")
    assert web.get("/releases/2026.11/graph.nq.gz").status_code == 200, "the release of it is still there"


@pytest.mark.heavy
def test_a_running_service_makes_and_hands_out_a_release(own: Services, tmp_path: Path) -> None:
    key = key_of(own, Scope.ADMIN)
    with serving(own.settings.data_dir) as base:
        begun = httpx.post(f"{base}/api/v1/releases", json={"name": "2027.01"}, headers=key, timeout=30)
        assert begun.status_code == 202
        deadline = time.monotonic() + 120
        while (told := httpx.get(base + begun.headers["location"]).json())["state"] == "making":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert told["state"] == "ready"
        archive = httpx.get(base + told["archive"], timeout=60)
        (tmp_path / "got.tar").write_bytes(archive.content)
        # a folder that is served is not replaced
        assert own.backups is not None
        own.backups.make(tmp_path / "b.tar")
        with pytest.raises(Exception, match="somebody works"):
            own.backups.restore(tmp_path / "b.tar", force=True)
    assert own.releases.verify(str(tmp_path / "got.tar")).intact


# --- releases in place of revisions -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2026.11", "2026.12"])
@pytest.mark.parametrize(
    "address",
    ["/sparql?query=ASK%7B%7D", "/api/v1/models?limit=3", "/api/v1/models/examplelm-135m?", "/compare?search=a%20b"],
)
def test_a_release_stands_for_its_revision(web: Client, released: Services, address: str, name: str) -> None:
    number = str(released.releases.find(name).revision)
    address = address.removesuffix("?")
    moved = web.get(f"/r/{name}{address}")
    assert (moved.status_code, moved.headers["location"]) == (307, f"/r/{number}{address}")
    assert web.get(moved.headers["location"]).headers["x-revision"] == number
    sign = "&" if "?" in address else "?"
    by_name, by_number = (web.get(f"{address}{sign}revision={one}") for one in (name, number))
    assert (by_name.status_code, by_name.headers["x-revision"]) == (200, number)
    assert by_name.headers["etag"] == by_number.headers["etag"]


def test_a_query_in_a_form_may_name_a_release_too(web: Client) -> None:
    answers = (
        web.post("/sparql", data={"query": "ASK {}", "revision": "2026.11"}),
        web.post("/sparql?revision=2026.11", data={"query": "ASK {}"}),
    )
    assert [(one.status_code, one.headers["x-revision"]) for one in answers] == [(200, "1")] * 2
    moved = web.post("/r/2026.11/sparql", data={"query": "ASK {}"})
    assert (moved.status_code, moved.headers["location"]) == (307, "/r/1/sparql")


@pytest.mark.parametrize("form", ["/r/{}/api/v1/models", "/api/v1/models?revision={}", "/sparql?revision={}"])
@pytest.mark.parametrize("name", ["2026.10", "2026.1", "2026.13"])
def test_an_unknown_release_is_answered_with_those_that_are_near(web: Client, form: str, name: str) -> None:
    problem = problem_of(web.get(form.format(name)))
    assert (problem["code"], problem["status"]) == ("not-found", 404)
    assert problem["advice"].startswith("Did you mean 2026.1")
    assert "2026.11" in problem["advice"]


@pytest.mark.parametrize("name", ["none", "x%2F..", "v1", "-1", "0"])
def test_what_is_no_release_either_is_not_found(web: Client, name: str) -> None:
    assert problem_of(web.get(f"/r/{name}/api/v1/models"))["code"] == "not-found"


def test_where_no_release_is_the_answer_says_so(empty_client: Client) -> None:
    assert problem_of(empty_client.get("/r/2026.11/sparql"))["advice"] == "Releases: none yet."
