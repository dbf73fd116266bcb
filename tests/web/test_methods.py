"""What every address answers to HEAD, OPTIONS and methods that it does not serve, and what unknown addresses answer."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Match, Mount, Route

from app.services import Services
from app.web import metrics
from app.web.application import create_app
from app.web.examples import REQUESTS
from tests.release.conftest import released
from tests.web.conftest import Client, problem_of

__all__ = ["released"]

GRAPH = "https://w3id.org/slmkg/graph/curated"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ADDRESSES = {
    **{f"/api/v1/{name}": REQUESTS[name] for name in ("compare", "observations", "pareto", "trends", "facets", "fit")},
    **{
        f"/api/v1/{name}.{{ending}}": REQUESTS[name].replace("?", ".csv?")
        for name in ("compare", "observations", "pareto", "trends", "facets", "fit")
    },
    "/api/v1/leaderboards/{benchmark}": REQUESTS["leaderboard"],
    "/api/v1/leaderboards/{benchmark}.{ending}": REQUESTS["leaderboard"].replace("?", ".md?"),
    "/api/v1/leaderboards/{benchmark}.vl.json": REQUESTS["leaderboard"].replace("?", ".vl.json?"),
    "/api/v1/insights": "/api/v1/insights",
    "/api/v1/insights/{slug}": "/api/v1/insights/memory",
    "/api/v1/insights/{slug}.vl.json": "/api/v1/insights/memory.vl.json",
    "/api/v1/insights/{slug}.svg": "/api/v1/insights/memory.svg",
    "/insights": "/insights",
    "/api/v1/models": REQUESTS["listModels"],
    "/api/v1/models/{slug}": REQUESTS["showModel"],
    "/api/v1/models/{slug}/predictions": REQUESTS["predictModel"],
    "/api/v1/properties": REQUESTS["listProperties"],
    "/api/v1/queries": REQUESTS["listQueries"],
    "/api/v1/diff": REQUESTS["diff"],
    "/api/v1/diff.rdfp": "/api/v1/diff.rdfp?from=1&to=1",
    "/api/v1/blame": REQUESTS["blame"],
    "/api/v1/audit": REQUESTS["audit"],
    "/api/v1/audit.csv": REQUESTS["auditAsCsv"],
    "/api/v1/changes.json": REQUESTS["changes"],
    "/api/v1/changes.atom": REQUESTS["changesAtom"],
    "/api/v1/revisions/{number}": REQUESTS["showRevision"],
    "/api/v1/claims": REQUESTS["listClaims"],
    "/api/v1/disagreements": REQUESTS["listDisagreements"],
    "/api/v1/cases/{model}/{property}/decision": REQUESTS["showDecision"],
    "/api/v1/proposals": REQUESTS["listProposals"],
    "/api/v1/proposals/{number:int}": "/api/v1/proposals/1",
    "/api/v1/webhooks": "/api/v1/webhooks",
    "/api/v1/webhooks/{id}": "/api/v1/webhooks/0123abcd",
    "/api/v1/webhooks/{id}/dead": "/api/v1/webhooks/0123abcd/dead",
    "/api/v1/orkg": "/api/v1/orkg",
    "/api/v1/orkg/{host}/{comparison}": "/api/v1/orkg/orkg.org/R753434",
    "/api/v1/jobs": "/api/v1/jobs",
    "/api/v1/jobs/{id}": "/api/v1/jobs/0123456789ab",
    "/api/v1/jobs/{id}/run.jsonl": "/api/v1/jobs/0123456789ab/run.jsonl",
    "/api/v1/jobs/{id}/events": "/api/v1/jobs/0123456789ab/events",
    "/api/v1/schedules": "/api/v1/schedules",
    "/api/v1/schedules/{id}": "/api/v1/schedules/0123abcd",
    "/api/v1/releases": "/api/v1/releases",
    "/api/v1/releases/{name}": "/api/v1/releases/2026.11",
    "/releases": "/releases",
    "/releases/{name}": "/releases/2026.11",
    "/releases/{name}/{file}": "/releases/2026.11/CHANGES.md",
    "/sparql": "/sparql?query=ASK%7B%7D",
    "/graphs": f"/graphs?graph={quote(GRAPH, safe='')}",
    "/graphs/{path:path}": "/graphs/none",
    "/.well-known/void": "/.well-known/void",
    "/dcat": "/dcat",
    "/livez": "/livez",
    "/readyz": "/readyz",
    "/metrics": "/metrics",
    "/openapi.json": "/openapi.json",
    "/": "/",
    "/query": "/query?query=ASK%7B%7D",
    "/docs": "/docs",
    "/revisions": "/revisions",
    "/revisions/{number}": "/revisions/1",
    "/curate": "/curate",
    "/curate/sign-in": "/curate/sign-in",
    "/curate/disagreements": "/curate/disagreements",
    "/curate/cases/{thing:path}/{property}": "/curate/cases/model/phi-2/vocabularySize",
    "/curate/proposals": "/curate/proposals",
    "/curate/proposals/{number}": "/curate/proposals/1",
    "/curate/jobs": "/curate/jobs",
    "/curate/jobs/{id}": "/curate/jobs/0123456789ab",
    "/orkg": "/orkg",
    "/orkg/{host}/{comparison}": "/orkg/orkg.org/R753434",
    "/jobs": "/jobs",
    "/jobs/{id}": "/jobs/0123456789ab",
    "/compare": "/compare?models=phi-2",
    "/compare/with": "/compare/with?models=phi-2",
    "/compare/cell": "/compare/cell?model=phi-2&property=numLayers",
    "/models": "/models?search=opt",
    "/models/{slug}": "/models/phi-2",
    "/benchmarks": "/benchmarks",
    "/benchmarks/{slug}": "/benchmarks/mmlu",
    "/trends": "/trends",
    "/fit": "/fit?memory=2GB",
    "/id/{kind}/{slug}": "/id/model/phi-2",
    "/resource/{kind}/{slug}": "/resource/model/phi-2.ttl",
    "/static": "/static/site.css",
}
"""A real address for every route that is read."""
REFUSED = {
    "/api/v1/orkg/orkg.org/R753434",
    "/orkg/orkg.org/R753434",
    "/api/v1/proposals/1",
    "/curate/proposals/1",
    "/graphs/none",
    "/api/v1/webhooks",
    "/api/v1/webhooks/0123abcd",
    "/api/v1/webhooks/0123abcd/dead",
    "/api/v1/jobs/0123456789ab",
    "/api/v1/jobs/0123456789ab/run.jsonl",
    "/api/v1/jobs/0123456789ab/events",
    "/api/v1/schedules/0123abcd",
    "/curate/jobs/0123456789ab",
    "/jobs/0123456789ab",
}
"""Those that are refused: nothing was proposed, pulled or measured, and no key is sent."""


@pytest.fixture(scope="module")
def of_releases(released: Services) -> Client:
    return Client(create_app(released))


@pytest.fixture(params=ADDRESSES)
def place(request: pytest.FixtureRequest, client: Client, of_releases: Client) -> tuple[Client, str]:
    """An address, and the application to ask."""
    path: str = request.param
    return of_releases if "releases/" in path else client, ADDRESSES[path]


def _read(app: FastAPI) -> Iterator[str]:
    for route in app.routes:
        if isinstance(route, Mount) or (isinstance(route, Route) and "GET" in (route.methods or ())):
            yield route.path


def test_every_route_has_an_address_here(client: Client) -> None:
    assert set(_read(client.app)) == set(ADDRESSES)
    for path, address in ADDRESSES.items():
        scope = {"type": "http", "method": "GET", "path": address.partition("?")[0], "root_path": ""}
        route = next(one for one in client.app.routes if one.matches(dict(scope))[0] is Match.FULL)
        assert getattr(route, "path", None) == path


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_is_get_without_the_body(place: tuple[Client, str], encoding: str) -> None:
    client, address = place
    wanted = {"Accept-Encoding": encoding}
    got, head = (client.request(method, address, headers=wanted) for method in ("GET", "HEAD"))
    assert got.status_code in ({401, 404} if address in REFUSED else {200, 303, 308}), got.text
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert _lasting(head.headers) == _lasting(got.headers)
    if "etag" in got.headers:
        known = {**wanted, "If-None-Match": got.headers["etag"]}
        again, head_again = (client.request(method, address, headers=known) for method in ("GET", "HEAD"))
        assert (again.status_code, head_again.status_code) == (304, 304)
        assert _lasting(again.headers) == _lasting(head_again.headers)


def _lasting(headers: httpx.Headers) -> dict[str, str]:
    """Headers that do not change from one request to the next; counts of the service do, and so does their length."""
    changing = {"x-request-id"} | ({"content-length"} if headers.get("content-type") == metrics.MEDIA_TYPE else set())
    return {name: value for name, value in headers.items() if name not in changing}


def test_options_and_refusals_name_the_methods_that_are_served(place: tuple[Client, str]) -> None:
    client, address = place
    asked = client.request("OPTIONS", address)
    assert (asked.status_code, asked.content) == (204, b"")
    allowed = asked.headers["allow"].split(", ")
    assert {"GET", "HEAD", "OPTIONS"} <= set(allowed)
    for method in METHODS:
        answer = client.request(method, address)
        assert (answer.status_code == 405) is (method not in allowed), (method, answer.text)
        if answer.status_code == 405:
            assert answer.headers["allow"] == asked.headers["allow"]
            assert problem_of(answer)["code"] == "method-not-allowed"


@pytest.mark.parametrize("address", ["/nope", "/curate/nope", "/static/nope.css", "/id/x/y", "/r/1/x"])
def test_people_get_a_page_where_there_is_nothing_and_programs_a_problem(client: Client, address: str) -> None:
    page, head = (client.request(method, address, headers=HTML) for method in ("GET", "HEAD"))
    assert page.status_code == 404
    assert _lasting(head.headers) == _lasting(page.headers)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert (page.headers["cache-control"], page.headers["vary"]) == ("no-store", "Accept")
    assert "<h1>Nothing to show</h1>" in page.text
    for accept in ("*/*", "application/json", "application/problem+json", "text/html;q=0.1, application/json"):
        plain = client.get(address, headers={"Accept": accept})
        assert problem_of(plain)["code"] == "not-found"
        assert plain.headers["vary"] == "Accept"


@pytest.mark.parametrize("address", ["/api/v1/nope", "/api/v1/models/none", "/r/1/api/v1/models/none", "/sparql/x"])
def test_the_interface_answers_with_problems_whatever_is_accepted(client: Client, address: str) -> None:
    assert problem_of(client.get(address, headers=HTML))["code"] == "not-found"


def test_a_form_sent_to_nowhere_is_answered_with_a_page(client: Client) -> None:
    page = client.post("/nope", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
