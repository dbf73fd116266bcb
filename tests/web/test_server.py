"""A real server on a real socket, asked by a client that somebody else wrote (SPARQLWrapper)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from SPARQLWrapper import CSV, JSON, POST, TSV, TURTLE, XML, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed

from tests.web.serving import serving

PREFIX = "PREFIX slm: <https://w3id.org/slmkg/ontology#>\n"
COUNT = PREFIX + "SELECT (COUNT(DISTINCT ?m) AS ?n) WHERE { ?m a slm:LanguageModel }"


@pytest.fixture(scope="module")
def address(seed_folder: Path) -> Iterator[str]:
    with serving(seed_folder) as base:
        yield base


def wrapper(address: str, query: str, return_format: str) -> Any:
    made = SPARQLWrapper(f"{address}/sparql")
    made.setQuery(query)
    made.setReturnFormat(return_format)
    return made


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_select_as_json(address: str, method: str) -> None:
    asked = wrapper(address, COUNT, JSON)
    asked.setMethod(method)
    answer = asked.queryAndConvert()
    assert answer["results"]["bindings"][0]["n"]["value"] == "104"


def test_select_in_the_other_formats(address: str) -> None:
    document = wrapper(address, COUNT, XML).queryAndConvert()
    assert document.getElementsByTagName("literal")[0].firstChild.data == "104"
    assert wrapper(address, COUNT, CSV).queryAndConvert() == b"n\r\n104\r\n"
    assert wrapper(address, COUNT, TSV).queryAndConvert() == b"?n\n104\n"


def test_ask_and_construct(address: str) -> None:
    assert wrapper(address, PREFIX + "ASK { ?m a slm:LanguageModel }", JSON).queryAndConvert()["boolean"] is True
    construct = PREFIX + "CONSTRUCT { ?m a slm:LanguageModel } WHERE { ?m a slm:LanguageModel }"
    assert len(wrapper(address, construct, XML).queryAndConvert()) == 104
    assert b"slm:LanguageModel" in wrapper(address, construct, TURTLE).queryAndConvert()


def test_the_direct_form_of_post(address: str) -> None:
    asked = wrapper(address, COUNT, JSON)
    asked.setMethod(POST)
    asked.setRequestMethod("postdirectly")
    assert asked.queryAndConvert()["results"]["bindings"][0]["n"]["value"] == "104"


def test_a_dataset(address: str) -> None:
    asked = wrapper(address, "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }", JSON)
    asked.addDefaultGraph("https://w3id.org/slmkg/graph/no-such-graph")
    assert asked.queryAndConvert()["results"]["bindings"][0]["n"]["value"] == "0"


def test_a_bad_query_is_told_in_the_client_s_own_way(address: str) -> None:
    with pytest.raises(QueryBadFormed):
        wrapper(address, "SELECT * WHERE {", JSON).query()


def test_head_and_caching_over_the_wire(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        got = client.get("/api/v1/models")
        head = client.head("/api/v1/models")
        assert head.headers["content-length"] == str(len(got.content))
        unchanged = client.get("/api/v1/models", headers={"If-None-Match": got.headers["etag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_raw_rubbish_over_the_wire(address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    for raw in (
        b"GET /sparql?query=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: \xff\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(raw)
            status = connection.recv(64).split(b" ", 2)
        assert status[:1] in ([b"HTTP/1.1"], [b""]), status
        assert len(status) < 2 or not status[1].startswith(b"5"), status
    assert httpx.get(f"{address}/livez").status_code == 200
