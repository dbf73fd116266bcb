"""Rubbish of every kind is answered with an error of the 400s, never of the 500s, and always as problem details."""

from __future__ import annotations

import gc
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.store.engine import EngineAnswer
from tests.web.conftest import Client, problem_of

STRANGE = ["%00", "%FF%FE", "%ED%A0%80", "%0d%0aX-Evil: 1", "..%2f..%2fetc%2fpasswd", "' OR 1=1", "{{7*7}}", "🙂", "%"]
TYPES = ["application/x-www-form-urlencoded", "application/sparql-query"]


def acceptable(status: int) -> bool:
    return status in {200, 304} or 400 <= status < 500


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize(
    "template",
    [
        "/api/v1/models/{}",
        "/api/v1/models?search={}",
        "/api/v1/models?family={}",
        "/api/v1/models?{}=1",
        "/api/v1/models?page={}",
        "/api/v1/compare?models={}",
        "/api/v1/compare?models=opt-125m&properties={}",
        "/api/v1/compare.csv?models=opt-125m&properties={}",
        "/sparql?query={}",
        "/sparql?query=ASK%7B%7D&default-graph-uri={}",
        "/sparql?query=ASK%7B%7D&named-graph-uri={}",
        "/sparql?example={}",
        "/{}",
        "/static/{}",
    ],
)
def test_strange_text_anywhere(client: Client, template: str, text: str) -> None:
    response = client.get(template.format(text))
    assert acceptable(response.status_code), response.text
    assert "x-evil" not in response.headers
    if response.status_code >= 400:
        problem_of(response)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\xff\xfe\xfd",
        b"query=%FF",
        b"query=\xff",
        b"query",
        b"query=ASK%7B%7D&" * 300,
        b"&" * 5_000,
        b"=" * 5_000,
        b"SELECT * { ?s ?p '\xed\xa0\x80' }",
        b'SELECT * { ?s ?p "\\uD800" }',
        b"ASK { " + b"{ " * 400 + b"} " * 400 + b"}",
        b"SELECT (" + b"(" * 60 + b"1" + b")" * 60 + b" AS ?x) {}",
        b"ASK { FILTER(" + b"!" * 2_000 + b"true) }",
        b"# " + b"x" * 99_000,
        b"x" * 2_000_000,
    ],
)
@pytest.mark.parametrize("content_type", TYPES)
def test_strange_bodies(client: Client, body: bytes, content_type: str) -> None:
    response = client.post("/sparql", content=body, headers={"Content-Type": content_type})
    assert acceptable(response.status_code), response.text
    if response.status_code >= 400:
        problem_of(response)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * WHERE { SERVICE ?s { ?s ?p ?o } }",
        "SELECT (<urn:unknown-function>(1) AS ?x) WHERE {}",
        "SELECT (1/0 AS ?x) WHERE {}",
        "SELECT (REGEX('a', '(((((((((') AS ?x) WHERE {}",
        "SELECT (xsd:integer('x') AS ?x) WHERE {}",
        "SELECT ?x WHERE { BIND(STRDT('x', <relative>) AS ?x) }",
        "SELECT * FROM <relative> WHERE { ?s ?p ?o } LIMIT 1",
        "SELECT * WHERE { ?s ?p ?o } LIMIT 99999999999999999999999",
        "SELECT * WHERE { ?s ?p ?o } OFFSET 18446744073709551615",
        "DESCRIBE <urn:nothing>",
        "CONSTRUCT { ?s ?p [] } WHERE { ?s ?p 1.50 }",
        "SELECT ?s (COUNT(*) AS ?s) WHERE { ?s ?p ?o }",
        "SELECT * WHERE { ?s ?p ?o } GROUP BY ?s",
        "BASE <not absolute> SELECT * WHERE { <a> ?p ?o }",
        "SELECT * WHERE { << ?s ?p ?o >> ?q ?r }",
        "SELECT (STRLANG('x', '') AS ?x) WHERE {}",
        "\ufeffASK {}",
        "ASK {} # \u2028",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/csv, text/turtle", "application/sparql-results+xml"])
def test_strange_queries(client: Client, query: str, accept: str) -> None:
    response = client.get("/sparql", params={"query": query}, headers={"Accept": accept})
    assert acceptable(response.status_code), response.text
    if response.status_code >= 400:
        problem_of(response)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "," * 500},
        {"Accept": "text/csv;q=99999999999999999999"},
        {"Accept": "a/b;" * 200},
        {"If-None-Match": '"' * 500},
        {"If-None-Match": "*"},
        {"If-None-Match": "W/"},
        {"Origin": "null"},
        {"Content-Type": "application/json"},
    ],
)
def test_strange_headers(client: Client, headers: dict[str, str]) -> None:
    for url in ("/sparql?query=ASK%7B%7D", "/api/v1/models?limit=1", "/"):
        assert acceptable(client.get(url, headers=headers).status_code)


@settings(max_examples=150)
@given(text=st.text(max_size=60))
def test_any_text_as_a_query(client: Client, text: str) -> None:
    encoded = quote(text, errors="surrogatepass")
    response = client.get(f"/sparql?query={encoded}")
    assert acceptable(response.status_code), response.text


@settings(max_examples=100)
@given(body=st.binary(max_size=80))
def test_any_bytes_as_a_body(client: Client, body: bytes) -> None:
    for content_type in TYPES:
        response = client.post("/sparql", content=body, headers={"Content-Type": content_type})
        assert acceptable(response.status_code), response.text


@settings(max_examples=100)
@given(name=st.text(min_size=1, max_size=20), value=st.text(max_size=20))
def test_any_parameter(client: Client, name: str, value: str) -> None:
    query = f"{quote(name, safe='', errors='surrogatepass')}={quote(value, safe='', errors='surrogatepass')}"
    for path in ("/api/v1/models", "/api/v1/compare", "/api/v1/properties", "/sparql"):
        assert acceptable(client.get(f"{path}?{query}").status_code)


def test_the_engine_s_results_are_let_go_in_their_thread(client: Client) -> None:
    """The engine cannot free a result in another thread: one that waits for a collection elsewhere is lost memory."""
    gc.collect()
    gc.disable()
    try:
        for query in ("SELECT * WHERE { ?s a ?o } LIMIT 3", "CONSTRUCT WHERE { ?s a ?o } LIMIT 3", "ASK {}"):
            fresh = f"{query} # {id(query)}"
            assert client.get("/sparql", params={"query": fresh}).status_code == 200
            assert (
                client.get("/sparql", params={"query": f"{fresh} again"}, headers={"Accept": "text/html"}).status_code
                == 200
            )
        left = [one for one in gc.get_objects() if isinstance(one, EngineAnswer)]
    finally:
        gc.enable()
    assert left == []
