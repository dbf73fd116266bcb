"""The SPARQL protocol: ways to ask, formats, datasets, caching, refusals."""

from __future__ import annotations

import csv
import io
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest

from app.services import Services
from app.settings import Settings
from app.web.application import create_app
from app.wiring import build
from tests.web.conftest import Client, problem_of

PREFIX = "PREFIX slm: <https://w3id.org/slmkg/ontology#>\n"
COUNT = PREFIX + "SELECT (COUNT(DISTINCT ?m) AS ?n) WHERE { ?m a slm:LanguageModel }"
ASK = PREFIX + "ASK { ?m a slm:LanguageModel }"
CONSTRUCT = PREFIX + "CONSTRUCT { ?m a slm:LanguageModel } WHERE { ?m a slm:LanguageModel } LIMIT 3"
DESCRIBE = "DESCRIBE <https://w3id.org/slmkg/resource/model/opt-125m>"
FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"


def ask(client: Client, query: str, accept: str | None = None) -> httpx.Response:
    headers = {"Accept": accept} if accept is not None else {}
    return client.get("/sparql", params={"query": query}, headers=headers)


def number(response: httpx.Response) -> int:
    assert response.status_code == 200, response.text
    return int(response.json()["results"]["bindings"][0]["n"]["value"])


def test_three_ways_to_ask_give_one_answer(client: Client) -> None:
    answers = [
        ask(client, COUNT),
        client.post("/sparql", data={"query": COUNT}),
        client.post("/sparql", content=COUNT, headers={"Content-Type": QUERY}),
        client.post("/sparql", content=COUNT, headers={"Content-Type": "application/sparql-query; charset=UTF-8"}),
    ]
    assert {number(answer) for answer in answers} == {104}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        (COUNT, "*/*", "application/sparql-results+json"),
        (COUNT, "", "application/sparql-results+json"),
        (COUNT, "garbage;;q=x", "application/sparql-results+json"),
        (COUNT, "application/sparql-results+xml", "application/sparql-results+xml"),
        (COUNT, "application/json", "application/json"),
        (COUNT, "text/csv;q=0.5, text/tab-separated-values", "text/tab-separated-values; charset=utf-8"),
        (COUNT, "text/*", "text/csv; charset=utf-8"),
        (COUNT, "application/sparql-results+json;q=0, */*;q=0.1", "application/sparql-results+xml"),
        (COUNT, "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        (COUNT, "text/html;q=0.7,application/sparql-results+json;q=0.8", "application/sparql-results+json"),
        (ASK, "*/*", "application/sparql-results+json"),
        (ASK, "application/sparql-results+xml", "application/sparql-results+xml"),
        (CONSTRUCT, "*/*", "text/turtle; charset=utf-8"),
        (CONSTRUCT, "application/n-triples", "application/n-triples"),
        (CONSTRUCT, "application/ld+json", "application/ld+json"),
        (CONSTRUCT, "application/rdf+xml", "application/rdf+xml"),
        (CONSTRUCT, "application/n-quads", "application/n-quads"),
        (CONSTRUCT, "application/trig", "application/trig"),
        (DESCRIBE, "application/trig, text/turtle;q=0.9", "application/trig"),
    ],
)
def test_the_accept_header_chooses_the_format(client: Client, query: str, accept: str, media_type: str) -> None:
    response = ask(client, query, accept)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["vary"] == "Accept"


def test_no_accept_header_gets_the_preferred_format(client: Client) -> None:
    request = httpx.Request("GET", "http://slmkg.test/sparql")
    request.headers.pop("accept", None)
    response = client.get("/sparql", params={"query": COUNT}, headers={"Accept": ""})
    assert response.headers["content-type"] == "application/sparql-results+json"


@pytest.mark.parametrize(
    ("query", "accept", "offered"),
    [
        (COUNT, "text/turtle", "text/csv"),
        (ASK, "text/csv", "application/sparql-results+xml"),
        (CONSTRUCT, "text/csv", "text/turtle"),
        (COUNT, "*/*;q=0", "text/csv"),
    ],
)
def test_nothing_acceptable_lists_what_is_on_offer(client: Client, query: str, accept: str, offered: str) -> None:
    problem = problem_of(ask(client, query, accept))
    assert problem["status"] == 406
    assert offered in problem["advice"]


def test_all_formats_tell_the_same(client: Client) -> None:
    query = PREFIX + "SELECT ?m ?n WHERE { ?a slm:numLayers ?n . ?m slm:hasArchitecture ?a } ORDER BY ?m"
    rows = [(row["m"]["value"], row["n"]["value"]) for row in ask(client, query).json()["results"]["bindings"]]
    assert len(rows) > 90
    as_csv = list(csv.reader(io.StringIO(ask(client, query, "text/csv").text, newline="")))
    assert [tuple(row) for row in as_csv] == [("m", "n"), *rows]
    tree = ElementTree.fromstring(ask(client, query, "application/sparql-results+xml").content)
    space = "{http://www.w3.org/2005/sparql-results#}"
    texts = [element.text for element in tree.iter() if element.tag in {f"{space}uri", f"{space}literal"}]
    assert texts == [part for row in rows for part in row]
    tsv = ask(client, query, "text/tab-separated-values").text.splitlines()
    assert tsv[1:] == [f"<{model}>\t{layers}" for model, layers in rows]


def test_the_dataset_of_the_protocol_wins(client: Client) -> None:
    curated = "https://w3id.org/slmkg/graph/curated"
    count = "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }"
    named = "SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } }"
    everything = number(ask(client, count))
    only = number(client.get("/sparql", params={"query": count, "default-graph-uri": curated}))
    assert 0 < only < everything
    in_query = count.replace("WHERE", f"FROM <{curated}> WHERE")
    assert number(ask(client, in_query)) == only
    overridden = client.get(
        "/sparql", params={"query": in_query, "default-graph-uri": "https://w3id.org/slmkg/graph/registry"}
    )
    assert number(overridden) not in {only, everything}
    assert number(client.get("/sparql", params={"query": named, "named-graph-uri": curated})) == only
    assert number(client.get("/sparql", params={"query": count, "named-graph-uri": curated})) == 0
    assert number(client.post("/sparql", data={"query": count, "default-graph-uri": curated})) == only
    posted = client.post(
        "/sparql", params={"default-graph-uri": curated}, content=count, headers={"Content-Type": QUERY}
    )
    assert number(posted) == only


def test_a_graph_that_is_no_iri_is_named(client: Client) -> None:
    problem = problem_of(client.get("/sparql", params={"query": COUNT, "default-graph-uri": "not an iri"}))
    assert problem["parameter"] == "default-graph-uri"


def test_parameters_that_clients_add_are_ignored(client: Client) -> None:
    assert number(client.get("/sparql", params={"query": COUNT, "format": "json", "output": "json"})) == 104


def test_a_tag_saves_the_work(client: Client, seed_services: Services) -> None:
    first = ask(client, COUNT)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert first.headers["x-revision"] == str(seed_services.store.head().number)
    again = client.get("/sparql", params={"query": COUNT}, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    weak = client.get("/sparql", params={"query": COUNT}, headers={"If-None-Match": f"W/{tag}"})
    assert weak.status_code == 304
    fresh = client.get("/sparql", params={"query": COUNT}, headers={"If-None-Match": '"other"'})
    assert fresh.status_code == 200


def test_tags_differ_by_query_format_and_dataset(client: Client) -> None:
    graph = "https://w3id.org/slmkg/graph/curated"
    tags = [
        ask(client, COUNT).headers["etag"],
        ask(client, COUNT + " ").headers["etag"],
        ask(client, COUNT, "text/csv").headers["etag"],
        client.get("/sparql", params={"query": COUNT, "default-graph-uri": graph}).headers["etag"],
        client.get("/sparql", params={"query": COUNT, "named-graph-uri": graph}).headers["etag"],
    ]
    assert len(set(tags)) == len(tags)


def test_an_unchanged_answer_does_not_touch_the_engine(seed_services: Services) -> None:
    asked: list[object] = []

    class Counting:
        def __getattr__(self, name: str) -> object:
            if name == "at":
                asked.append(name)
            return getattr(seed_services.store, name)

    client = Client(create_app(build(seed_services.settings, Counting())))  # type: ignore[arg-type]
    tag = ask(client, COUNT).headers["etag"]
    assert len(asked) == 1
    assert client.get("/sparql", params={"query": COUNT}, headers={"If-None-Match": tag}).status_code == 304
    assert len(asked) == 1


@pytest.mark.parametrize("function", ["NOW()", "RAND()", "UUID()", "struuid ()", '"\\u0041"'])
def test_an_answer_that_changes_by_itself_has_no_tag(client: Client, function: str) -> None:
    response = ask(client, f"SELECT ({function} AS ?x) WHERE {{}}")
    assert response.status_code == 200
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "no-store"


def test_a_query_that_does_not_parse_is_told_where(client: Client) -> None:
    problem = problem_of(ask(client, "SELECT *\nWHERE { ?s ?p }"))
    assert (problem["code"], problem["line"]) in {("bad-query", 1), ("bad-query", 2)}
    assert problem["column"] >= 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * WHERE { SERVICE SILENT <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * WHERE { \\u0053ERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "INSERT DATA { <urn:a> <urn:b> <urn:c> }",
        "LOAD <http://127.0.0.1:9/>",
        "DROP ALL",
    ],
)
def test_what_could_reach_out_or_write_is_refused(client: Client, query: str) -> None:
    assert problem_of(ask(client, query))["code"] == "query-refused"
    assert problem_of(client.post("/sparql", data={"query": query}))["code"] == "query-refused"


def test_updates_are_refused_whatever_their_clothes(client: Client) -> None:
    update = "DELETE WHERE { ?s ?p ?o }"
    assert problem_of(client.post("/sparql", data={"update": update}))["code"] == "query-refused"
    typed = client.post("/sparql", content=update, headers={"Content-Type": "application/sparql-update"})
    assert problem_of(typed)["status"] == 415


@pytest.mark.parametrize(
    "fields", [[], [("query", COUNT), ("query", COUNT)], [("format", "json")]], ids=["none", "two", "others only"]
)
def test_exactly_one_query_is_needed(client: Client, fields: list[tuple[str, str]]) -> None:
    problem = problem_of(client.get("/sparql", params=fields, headers={"Accept": "application/sparql-results+json"}))
    assert (problem["status"], problem["parameter"]) == (400, "query")
    posted = client.post("/sparql", content=urlencode(fields), headers={"Content-Type": FORM})
    assert problem_of(posted)["parameter"] == "query"


def test_a_query_in_two_places_is_refused(client: Client) -> None:
    url = f"/sparql?{urlencode({'query': COUNT})}"
    assert problem_of(client.post(url, data={"query": COUNT}))["status"] == 400
    assert problem_of(client.post(url, content=COUNT, headers={"Content-Type": QUERY}))["status"] == 400


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "", "multipart/form-data", f"{QUERY}; charset=latin-1"]
)
def test_other_bodies_are_not_read(client: Client, content_type: str) -> None:
    response = client.post("/sparql", content=COUNT, headers={"Content-Type": content_type})
    assert problem_of(response)["status"] == 415


def test_a_body_that_is_not_utf_8_is_told_where(client: Client) -> None:
    body = b"SELECT *\nWHERE { ?s ?p '\xff' }"
    problem = problem_of(client.post("/sparql", content=body, headers={"Content-Type": QUERY}))
    assert (problem["code"], problem["line"], problem["column"]) == ("bad-query", 2, 16)


def test_answers_and_queries_have_a_largest_size(seed_services: Services) -> None:
    settings = Settings(data_dir=seed_services.settings.data_dir, max_result_bytes=2_000, max_query_bytes=1_000)
    client = Client(create_app(build(settings)))
    assert problem_of(ask(client, "SELECT * WHERE { ?s ?p ?o }"))["code"] == "query-refused"
    assert problem_of(ask(client, "CONSTRUCT WHERE { ?s ?p ?o }"))["code"] == "query-refused"
    assert number(ask(client, COUNT)) == 104
    long = COUNT + " " * 1_000
    assert problem_of(ask(client, long))["code"] == "query-refused"
    huge = client.post("/sparql", content=b"#" * 100_000, headers={"Content-Type": QUERY})
    assert problem_of(huge)["code"] == "query-refused"


def test_a_query_by_get_may_have_a_body_that_nobody_reads(client: Client) -> None:
    body = urlencode({"query": "SELECT * WHERE { ?s ?p ?o }"})
    response = client.request("GET", "/sparql", params={"query": COUNT}, content=body, headers={"Content-Type": FORM})
    assert number(response) == 104


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-8"])
@pytest.mark.parametrize("media_type", [QUERY, FORM])
def test_a_body_in_utf_16_is_an_error(client: Client, charset: str, media_type: str) -> None:
    text = "ASK {}" if media_type == QUERY else "query=ASK%20%7B%7D"
    headers = {"Content-Type": f"{media_type}; charset={charset}"}
    response = client.post("/sparql", content=text.encode("utf-16"), headers=headers)
    assert problem_of(response)["status"] in {400, 415}


def test_relative_iris_are_relative_to_the_base_of_the_graph(client: Client) -> None:
    relative = "ASK { <resource/model/opt-125m> a <ontology#LanguageModel> }"
    assert ask(client, relative).json() == {"head": {}, "boolean": True}
    assert ask(client, "BASE <http://example.org/> " + relative).json()["boolean"] is False


def test_a_graph_that_is_not_there_is_empty(client: Client) -> None:
    count = "SELECT (COUNT(*) AS ?n) WHERE { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
    for name in ("default-graph-uri", "named-graph-uri"):
        assert number(client.get("/sparql", params={"query": count, name: "http://example.org/nowhere"})) == 0


def test_options_say_what_is_served_and_browsers_may_send_keys(client: Client) -> None:
    plain = client.request("OPTIONS", "/sparql")
    assert (plain.status_code, plain.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    preflight = client.request("OPTIONS", "/sparql", headers=asked)
    assert preflight.status_code == 204
    assert {"Authorization", "If-Match"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    exposed = set(preflight.headers["access-control-expose-headers"].split(", "))
    assert {"ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Revision"} <= exposed


def test_before_the_first_load_there_is_nothing_to_ask(empty_client: Client) -> None:
    assert problem_of(ask(empty_client, COUNT))["code"] == "store-empty"


def test_the_engine_does_not_block_the_loop(client: Client) -> None:
    """A heavy query and a light request at the same time: the light one does not wait."""
    import asyncio

    heavy = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?p ?b . ?b ?q ?c . ?c ?r ?d }"

    async def race() -> list[str]:
        order: list[str] = []
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=client.app), base_url="http://slmkg.test"
        ) as session:

            async def one(name: str, url: str, params: dict[str, str]) -> None:
                response = await session.get(url, params=params)
                assert response.status_code == 200
                order.append(name)

            slow = asyncio.create_task(one("heavy", "/sparql", {"query": heavy}))
            await asyncio.sleep(0.01)
            await one("light", "/livez", {})
            await slow
        return order

    assert asyncio.run(race()) == ["light", "heavy"]
