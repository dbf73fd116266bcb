"""The double's answers against the examples: invented answers in the exact shape of the real ones."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.orkg_double.state import ADA
from tests.orkg_double.steering import Steering
from tests.orkg_double.synthetic import EXAMPLES

INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "index.json").read_text(encoding="utf-8"))
ANSWERS = [one for one in INDEX if one["method"] == "GET" and one["path"].startswith("/api/")]
REQUESTS = [one for one in INDEX if one["file"].startswith("request.")]
LOOSE_IN = {
    # the example of the list says UNKNOWN, and that Bo is its second element; that of a contribution has two classes
    "list-element-statement.json": ("index", "extraction_method"),
    "comparison.contents.no-paths.json": ("classes",),
}
LOOSE = {
    # the examples disagree among themselves about these, or they follow from how much there is
    "shared": "how many statements name a resource",
    "uri": "R900070 and P900002 have theirs in some examples only",
    "description": "of P900002, likewise",
}
PARTLY = {
    "statements.by-subject.page.json": "its last rows, and the research problem, are left out of the example",
    "subgraph.page.json": "the research problem is left out of the example",
    "statements.bundle.json": "the research problem is left out of the example",
    "content-types.page.json": "there are more comparisons and papers than in the example",
    "comparisons.page.json": "there are more comparisons than in the example",
    "timeline.page.json": "when something happened is invented anew",
}


def content(name: str) -> Any:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else text


def shape(value: Any) -> Any:
    """What kinds of values stand where; a list stands for the shapes of its elements."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(one), sort_keys=True) for one in value})
    return type(value).__name__


def without(value: Any, *keys: str) -> Any:
    if isinstance(value, dict):
        return {key: without(one, *keys) for key, one in value.items() if key not in keys}
    return [without(one, *keys) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("one", ANSWERS, ids=lambda one: one["file"])
def test_reading(orkg: Steering, one: dict[str, Any]) -> None:
    # the addresses of the examples, asked in Ada's name, since one of them needs a login
    accept = one.get("accept", "application/json")
    answer = orkg.ask("GET", one["path"], user=ADA, Accept=accept)
    assert answer.status_code == one["status"]
    for name, value in one.get("headers", {}).items():
        assert answer.headers[name] == value
    expected = content(one["file"])
    if not one["file"].endswith(".json"):
        assert answer.text.replace("\r\n", "\n") == expected
        return
    found = answer.json()
    if one["status"] >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert without(found, "timestamp") == without(expected, "timestamp")
        assert list(found) == list(expected)
        return
    assert answer.headers["Content-Type"].startswith(accept)
    if one["file"] not in PARTLY:
        loose = (*LOOSE, *LOOSE_IN.get(one["file"], ()))
        assert without(found, *loose) == without(expected, *loose)
        assert list(found) == list(expected)
        return
    if "page" in expected:
        assert set(found["page"]) == set(expected["page"])
    assert set(found) == set(expected)
    listed = "statements" if "statements" in expected else "content"
    there = [without(each, *LOOSE) for each in found[listed]]
    kinds = {json.dumps(shape(each), sort_keys=True) for each in there}
    for each in expected[listed]:
        if "id" in each:
            assert without(each, *LOOSE) in there
        else:
            assert json.dumps(shape(each), sort_keys=True) in kinds


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one["file"])
def test_writing(orkg: Steering, one: dict[str, Any]) -> None:
    path = one["path"]
    for name in ("R900300", "L900300"):  # what an earlier example made
        if name in path:
            path = path.replace(name, _made(orkg, name))
    body = content(one["file"])
    text = json.dumps(body)
    for name in ("R900301", "L900300"):
        if f'"{name}"' in text:
            text = text.replace(name, _made(orkg, name))
    answer = orkg.ask(
        one["method"],
        path,
        user=ADA,
        json=json.loads(text),
        Accept=one.get("accept", one["content_type"]),
        Content_Type=one["content_type"],
    )
    assert answer.status_code == one.get("status", 204), answer.text
    assert answer.content == b""
    if "headers" in one:
        there = urlsplit(answer.headers["Location"]).path.split("/")
        assert there[:3] == urlsplit(one["headers"]["Location"]).path.split("/")[:3]


def _made(orkg: Steering, name: str) -> str:
    """Make what another example is about: a paper, a contribution or a literal."""
    file, path = {
        "R900300": ("request.create-paper.json", "/api/papers"),
        "R900301": ("request.create-contribution.json", "/api/papers/R900010/contributions"),
        "L900300": ("request.create-literal.json", "/api/literals"),
    }[name]
    answer = orkg.ask("POST", path, user=ADA, json=content(file))
    return urlsplit(answer.headers["Location"]).path.rpartition("/")[2]


def test_refusals(orkg: Steering, http: httpx.Client) -> None:
    media = "application/vnd.orkg.comparison.v3+json"
    whole = content("request.create-comparison.json")
    number = {"label": "32k", "datatype": "xsd:integer"}
    for file, method, path, kind, body in (
        ("error.400.json-field.json", "POST", "/api/comparisons", media, whole | {"sources": None}),
        ("error.400.unknown-json-field.json", "POST", "/api/comparisons", media, {"contributions": []}),
        ("error.400.validation.json", "POST", "/api/comparisons", media, whole | {"title": " "}),
        ("error.400.literal.json", "POST", "/api/literals", "application/json", number),
        ("error.403.published.json", "PUT", "/api/comparisons/R900101", media, {"title": "x"}),
        ("error.403.published-table.json", "PUT", "/api/comparisons/R900101/contents", media, {"selected_paths": []}),
        ("error.415.json", "DELETE", "/api/comparisons/R900001", "application/json", None),
    ):
        answer = orkg.ask(method, path, user=ADA, json=body, Accept=kind, Content_Type=kind)
        assert without(answer.json(), "timestamp") == without(content(file), "timestamp"), file
    anonymous = http.post("/api/statements", json=content("request.create-statement.json"))
    assert without(anonymous.json(), "timestamp") == without(content("error.403.anonymous.json"), "timestamp")
    paper = content("request.create-paper.json")
    orkg.ask("POST", "/api/papers", user=ADA, json=paper)
    again = orkg.ask("POST", "/api/papers", user=ADA, json=paper)
    assert without(again.json(), "timestamp") == without(content("error.400.paper-exists.json"), "timestamp")
    orkg.habits(doi_service="down")
    published = content("request.publish-comparison.json") | {"assign_doi": True}
    answer = orkg.ask("POST", "/api/comparisons/R900001/publish", user=ADA, json=published)
    assert without(answer.json(), "timestamp") == without(content("error.503.doi.json"), "timestamp")


def test_signing_in(http: httpx.Client) -> None:
    where = "/realms/orkg/protocol/openid-connect/token"
    form = (EXAMPLES / "token.request.txt").read_text(encoding="utf-8").strip()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    found = http.post(where, content=form, headers=kind)
    assert shape(found.json()) == shape(content("token.response.json"))
    wrong = http.post(where, content=form + "x", headers=kind)
    assert (wrong.status_code, wrong.json()) == (401, content("token.error.json"))


def test_the_dump_and_the_query(orkg: Steering, http: httpx.Client) -> None:
    lines = set(http.get("/files/rdf-dumps/rdf-export-orkg.nt").text.splitlines())
    # the first of the list is Ada, whom the example leaves out
    assert set(content("rdf-dump.nt").replace('_1> "Bo', '_2> "Bo').splitlines()) <= lines
    query = """
    PREFIX orkgp: <http://orkg.org/orkg/predicate/>  PREFIX orkgr: <http://orkg.org/orkg/resource/>
    PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
    SELECT ?contribution ?paperTitle ?property ?propertyLabel ?value ?valueLabel WHERE {
      orkgr:R900001 orkgp:compareContribution ?contribution .
      OPTIONAL { ?paper orkgp:P31 ?contribution ; rdfs:label ?paperTitle }
      ?contribution ?property ?value .  OPTIONAL { ?property rdfs:label ?propertyLabel }
      OPTIONAL { ?value rdfs:label ?valueLabel } }
    """
    expected = content("sparql.results.json")
    found = http.post("/triplestore/sparql", data={"query": query}).json()
    assert found["head"] == expected["head"]
    for row in expected["results"]["bindings"]:
        assert row in found["results"]["bindings"]
    orkg.ask("DELETE", "/api/statements/S900002")
    assert http.post("/triplestore/sparql", data={"query": query}).json() == found, "as fresh as the last dump"
    orkg.load_dump()
    assert http.post("/triplestore/sparql", data={"query": query}).json() != found


def test_the_retired_store(http: httpx.Client) -> None:
    found = http.get("/simcomp/thing/?thing_type=COMPARISON&thing_key=R900101", follow_redirects=True)
    assert found.json() == content("legacy.simcomp.thing.json")
