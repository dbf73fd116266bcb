"""Older revisions: by parameter and by address, kept for ever, told apart by their tags; the same with readers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rdflib import Graph, URIRef

from app.model.changes import ChangeSet
from app.model.graphs import REGISTRY
from app.model.rdf import IRI, Quad, text
from app.services import Services
from app.settings import Settings
from app.web.application import create_app
from app.web.revisions import FOR_EVER
from app.wiring import build
from tests.web.conftest import Client, problem_of
from tests.web.serving import serving

MODEL = IRI("https://w3id.org/slmkg/resource/model/opt-125m")
LABEL = IRI("http://www.w3.org/2000/01/rdf-schema#label")
ASK = (
    "ASK { <https://w3id.org/slmkg/resource/model/opt-125m> <http://www.w3.org/2000/01/rdf-schema#label> 'renamed'@en }"
)
READ = [
    "/api/v1/models?limit=3",
    "/api/v1/models/opt-125m",
    "/api/v1/compare?models=opt-125m",
    "/api/v1/compare.csv?models=opt-125m",
    "/api/v1/properties",
    "/api/v1/queries",
    "/.well-known/void",
    "/dcat",
    "/sparql?query=ASK%7B%7D",
    "/sparql",
]


def rename(services: Services) -> None:
    """Make revision 2: one model has another label."""
    old = [quad for quad in services.store.at().quads() if quad.subject == MODEL and quad.predicate == LABEL]
    change = ChangeSet(
        add=frozenset([Quad(MODEL, LABEL, text("renamed"), REGISTRY)]),
        remove=frozenset(old),
        reason="a test",
        author="a test",
        made_at=services.now(),
    )
    services.store.apply(change, expect=1)


@pytest.fixture(scope="module")
def folder(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a store with two revisions."""
    copy = tmp_path_factory.mktemp("travel") / "var"
    shutil.copytree(seed_folder, copy)
    rename(build(Settings(data_dir=copy)))
    return copy


@pytest.fixture(scope="module")
def changed(folder: Path) -> Client:
    return Client(create_app(build(Settings(data_dir=folder))))


def with_revision(address: str, number: int) -> str:
    return f"{address}{'&' if '?' in address else '?'}revision={number}"


def test_a_query_asks_the_revision_that_it_names(changed: Client) -> None:
    fields = {"query": ASK}
    for number, expected in ((1, False), (2, True)):
        travelled = {**fields, "revision": str(number)}
        answers = [
            changed.get("/sparql", params=travelled),
            changed.post("/sparql", data=travelled),
            changed.post(f"/sparql?revision={number}", data=fields),
            changed.post(
                f"/sparql?revision={number}", content=ASK, headers={"Content-Type": "application/sparql-query"}
            ),
            changed.get(f"/r/{number}/sparql", params=fields),
            changed.post(f"/r/{number}/sparql", data=fields),
        ]
        assert {(one.json()["boolean"], one.headers["x-revision"]) for one in answers} == {(expected, str(number))}
    newest = changed.get("/sparql", params=fields)
    assert (newest.json()["boolean"], newest.headers["x-revision"]) == (True, "2")


def test_rest_answers_from_the_revision_too(changed: Client) -> None:
    labels = {
        address: changed.json(address)["model"]["label"]
        for address in (
            "/api/v1/models/opt-125m",
            "/api/v1/models/opt-125m?revision=1",
            "/r/1/api/v1/models/opt-125m",
            "/r/2/api/v1/models/opt-125m",
        )
    }
    assert list(labels.values()) == ["renamed", "opt-125m", "opt-125m", "renamed"]


@pytest.mark.parametrize("address", READ)
def test_a_revision_s_own_address_is_kept_for_ever(changed: Client, address: str) -> None:
    for method in ("GET", "HEAD"):
        kept = changed.request(method, f"/r/1{address}")
        assert kept.status_code == 200, kept.text
        assert kept.headers["cache-control"] == FOR_EVER
        assert kept.headers["x-revision"] == "1"
    now = changed.get(address)
    assert (now.headers["x-revision"], now.headers["cache-control"]) == ("2", "public, no-cache")
    unchanged = changed.get(f"/r/1{address}", headers={"If-None-Match": kept.headers["etag"]})
    assert (unchanged.status_code, unchanged.headers["cache-control"]) == (304, FOR_EVER)


@pytest.mark.parametrize("address", [one for one in READ if one not in {"/.well-known/void", "/dcat", "/sparql"}])
def test_tags_differ_by_revision_only(changed: Client, address: str) -> None:
    tags = [
        changed.get(one).headers["etag"]
        for one in (address, with_revision(address, 2), f"/r/2{address}", f"/r/1{address}", with_revision(address, 1))
    ]
    assert tags[0] == tags[1] == tags[2]
    assert tags[3] == tags[4]
    assert tags[0].partition("-")[2] == tags[3].partition("-")[2]
    assert (tags[0][:3], tags[3][:3]) == ('"2-', '"1-')


def test_descriptions_of_a_revision(changed: Client) -> None:
    graph = Graph().parse(data=changed.get("/r/1/sparql").content, format="turtle")
    endpoint = URIRef("http://www.w3.org/ns/sparql-service-description#endpoint")
    assert set(graph.objects(None, endpoint)) == {URIRef("http://slmkg.test/r/1/sparql")}
    page = changed.get("/r/1/sparql", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["cache-control"]) == (200, FOR_EVER)
    assert 'data-endpoint="/r/1/sparql"' in page.text


def test_links_stay_in_the_revision(changed: Client) -> None:
    assert "</r/1/api/v1/models?limit=3&page=2>" in changed.get("/r/1/api/v1/models?limit=3").headers["link"]
    assert "revision=1" in changed.get("/api/v1/models?limit=3&revision=1").headers["link"]


@pytest.mark.parametrize("address", READ)
def test_an_unknown_revision_is_not_found(changed: Client, address: str) -> None:
    for travelled in (f"/r/3{address}", with_revision(address, 3), f"/r/999999999{address}"):
        problem = problem_of(changed.get(travelled))
        assert (problem["status"], problem["code"]) == (404, "not-found")
        assert "revision" in problem["detail"]


@pytest.mark.parametrize("address", ["/sparql?query=ASK%7B%7D", "/api/v1/models"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "1.0", "", "٣", "9" * 30])
def test_what_is_no_number_is_refused(changed: Client, address: str, value: str) -> None:
    joined = "&" if "?" in address else "?"
    problem = problem_of(changed.get(f"{address}{joined}revision={value}"))
    assert (problem["status"], problem["parameter"]) == (400, "revision")


def test_two_revisions_in_one_request_are_refused(changed: Client) -> None:
    for address in ("/r/1/sparql?query=ASK%7B%7D&revision=2", "/sparql?query=ASK%7B%7D&revision=1&revision=2"):
        assert problem_of(changed.get(address))["parameter"] == "revision"
    assert problem_of(changed.get("/r/1/api/v1/models?revision=2"))["parameter"] == "revision"
    assert changed.get("/r/1/sparql?query=ASK%7B%7D&revision=1").status_code == 200


@pytest.mark.parametrize(
    "address", ["/livez", "/readyz", "/openapi.json", "/docs", "/", "/static/site.css", "/nope", "/r/1/api/v1/models"]
)
def test_what_is_of_no_revision_has_no_address_there(changed: Client, address: str) -> None:
    assert problem_of(changed.get(f"/r/1{address}"))["status"] == 404


@pytest.mark.parametrize(
    "address", ["/r/0/sparql", "/r/01/sparql", "/r/x/sparql", "/r/-1/sparql", "/r/1", "/r//sparql"]
)
def test_other_addresses_are_not_found(changed: Client, address: str) -> None:
    assert problem_of(changed.get(address))["status"] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_the_past_is_never_written(changed: Client, method: str) -> None:
    for address in ("/r/1/graphs?default", "/r/1/update", "/r/1/api/v1/models"):
        response = changed.request(method, address, content="", headers={"Content-Type": "text/turtle"})
        assert problem_of(response)["status"] == 405
        assert "GET" in response.headers["allow"]


def test_what_changes_by_itself_is_not_kept(changed: Client) -> None:
    response = changed.get("/r/1/sparql", params={"query": "SELECT (NOW() AS ?x) {}"})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")


def test_the_api_s_document_does_not_learn_of_it(changed: Client) -> None:
    changed.get("/r/1/openapi.json")
    assert "servers" not in changed.json("/openapi.json")


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with serving(folder) as base:
        yield base


def test_readers_travel_too(address: str) -> None:
    """Three revisions at once in processes of their own, one of which does not exist."""

    async def asked() -> list[Any]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return await asyncio.gather(
                *(client.get(f"/r/{number}/sparql", params={"query": ASK}) for number in (1, 2, 3, 1, 2))
            )

    answers = asyncio.run(asked())
    assert [one.status_code for one in answers] == [200, 200, 404, 200, 200]
    assert [one.json()["boolean"] for one in answers if one.status_code == 200] == [False, True, False, True]
    assert all("RateLimit" in one.headers for one in answers if one.status_code == 200)
    counted = httpx.get(f"{address}/r/1/.well-known/void", timeout=60)
    assert (counted.status_code, counted.headers["cache-control"]) == (200, FOR_EVER)
