"""Clients that others wrote ask a real server with readers: each in the way that it always does."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import httpx
import pandas as pd
import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore, SPARQLUpdateStore
from SPARQLWrapper import JSON, POSTDIRECTLY, SPARQLWrapper

from tests.store.servers import oxigraph
from tests.web.scratch import scratch
from tests.web.serving import serving

PREFIX = "PREFIX slm: <https://w3id.org/slmkg/ontology#>\n"
COUNT = PREFIX + "SELECT (COUNT(DISTINCT ?m) AS ?n) WHERE { ?m a slm:LanguageModel }"
LAYERS = PREFIX + "SELECT ?m ?layers WHERE { ?m slm:hasArchitecture/slm:numLayers ?layers } ORDER BY ?m"
CONSTRUCT = PREFIX + "CONSTRUCT { ?m a slm:LanguageModel } WHERE { ?m a slm:LanguageModel }"
ORIGIN = "https://yasgui.example"


@pytest.fixture(scope="module")
def address(seed_folder: Path) -> Iterator[str]:
    with serving(seed_folder) as base:
        yield base


def test_sparqlwrapper(address: str) -> None:
    asked = SPARQLWrapper(f"{address}/sparql")
    asked.setQuery(COUNT)
    asked.setReturnFormat(JSON)
    asked.setMethod("POST")
    asked.setRequestMethod(POSTDIRECTLY)
    response = asked.query()
    answer: Any = response.convert()
    assert answer["results"]["bindings"][0]["n"]["value"] == "104"
    assert response.info()["x-revision"] == "1"


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
def test_rdflib_sparqlstore(address: str, method: str) -> None:
    store = SPARQLStore(f"{address}/sparql", method=method)
    graph = Graph(store)
    rows: Any = graph.query(COUNT)
    assert [int(row[0]) for row in rows] == [104]
    model = URIRef("https://w3id.org/slmkg/resource/model/opt-125m")
    assert len(list(graph.triples((model, None, None)))) > 5
    answer = graph.query("ASK { ?s ?p ?o }")
    assert answer.askAnswer is True
    assert len(store.query(CONSTRUCT).graph or ()) == 104


def test_rdflib_sparqlupdatestore(tmp_path: Path) -> None:
    """Reads and writes through rdflib, with a key; without one it only reads."""
    graph = URIRef("https://example.org/graph")
    told = (URIRef("https://example.org/me"), URIRef("https://example.org/says"), Literal("a 'word'\n\\", lang="en"))
    with scratch(tmp_path) as service:
        addresses: dict[str, Any] = {
            "query_endpoint": f"{service.base}/sparql",
            "update_endpoint": f"{service.base}/update",
        }
        store = SPARQLUpdateStore(**addresses, headers={"Authorization": f"Bearer {service.token}"})
        mine = Graph(store, identifier=graph)
        mine.add(told)
        assert list(mine) == [told]
        mine.update("INSERT { ?s <https://example.org/again> ?o } WHERE { ?s <https://example.org/says> ?o }")
        assert len(mine) == 2
        mine.remove((None, None, None))
        assert list(mine) == []
        strange = Graph(SPARQLUpdateStore(**addresses), identifier=graph)
        with pytest.raises(HTTPError) as caught:
            strange.add(told)
        assert caught.value.code == 401
        assert list(strange) == []


def test_pandas(address: str) -> None:
    answer = httpx.get(f"{address}/sparql", params={"query": LAYERS}, headers={"Accept": "text/csv"})
    table = pd.read_csv(io.BytesIO(answer.content), index_col="m")
    assert len(table) > 90
    assert table["layers"].dtype.kind == "i"
    assert table.at["https://w3id.org/slmkg/resource/model/opt-125m", "layers"] == 12


def test_curl(address: str, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    assert curl is not None
    question = tmp_path / "question.rq"
    question.write_text(COUNT, encoding="utf-8")

    def asked(*options: str) -> str:
        done = subprocess.run([curl, "-sS", "--fail", *options], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    csv = "Accept: text/csv"
    assert asked("-G", f"{address}/sparql", "-H", csv, "--data-urlencode", f"query={COUNT}") == "n\n104\n"
    assert asked(f"{address}/sparql", "-H", csv, "--data-urlencode", f"query={COUNT}") == "n\n104\n"
    typed = ("-H", "Content-Type: application/sparql-query", "--data-binary", f"@{question}")
    assert asked(f"{address}/sparql", "-H", csv, *typed) == "n\n104\n"
    head = asked("-I", "-G", f"{address}/sparql", "--data-urlencode", f"query={COUNT}")
    assert re.search(r"^HTTP/1.1 200 .*^x-revision: 1$", head, re.DOTALL | re.MULTILINE)


def test_another_engine_s_service_clause(address: str) -> None:
    """Oxigraph in a process of its own joins its data with ours."""
    script = """
import json, sys
import pyoxigraph as ox
store = ox.Store()
mine, seen = (ox.NamedNode("http://example.org/" + name) for name in ("me", "seen"))
model = ox.NamedNode("https://w3id.org/slmkg/resource/model/opt-125m")
store.add(ox.Quad(mine, seen, model))
answer = store.query(
    "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT ?model ?layers {"
    " ?me <http://example.org/seen> ?model"
    " SERVICE <" + sys.argv[1] + "> { ?model slm:hasArchitecture ?a . ?a slm:numLayers ?layers } }"
)
print(json.dumps([[row["model"].value, row["layers"].value] for row in answer]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, f"{address}/sparql"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["https://w3id.org/slmkg/resource/model/opt-125m", "12"]]


def test_oxigraph_s_server_calls_us(address: str, tmp_path: Path) -> None:
    """A query that somebody sends to another engine's server, whose SERVICE clause asks us."""
    mine = "<http://example.org/me> <http://example.org/seen> <https://w3id.org/slmkg/resource/model/opt-125m>"
    query = (
        "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT ?model ?layers WHERE {"
        f" ?me <http://example.org/seen> ?model SERVICE SILENT <{address}/nowhere> {{ ?model slm:nothing ?n }}"
        f" SERVICE <{address}/sparql> {{ ?model slm:hasArchitecture/slm:numLayers ?layers }} }}"
    )
    with oxigraph(tmp_path) as other:
        typed = {"Content-Type": "application/sparql-update"}
        assert httpx.post(other.update, content=f"INSERT DATA {{ {mine} }}", headers=typed).status_code == 204
        answer = httpx.get(other.query, params={"query": query}, headers={"Accept": "text/csv"}, timeout=60)
    assert answer.text == "model,layers\r\nhttps://w3id.org/slmkg/resource/model/opt-125m,12\r\n"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        (COUNT, "application/sparql-results+json,*/*;q=0.9", "application/sparql-results+json"),
        (PREFIX + "ASK { ?m a slm:LanguageModel }", "application/sparql-results+json,*/*;q=0.9", None),
        (CONSTRUCT, "application/n-triples,*/*;q=0.9", "application/n-triples"),
    ],
)
def test_yasgui(address: str, method: str, query: str, accept: str, media_type: str | None) -> None:
    """What Yasqe sends from a page elsewhere: a form, or an address, with this Accept header, cross-origin."""
    headers = {"Accept": accept, "Origin": ORIGIN}
    fields = {"query": query}
    if method == "POST":
        response = httpx.post(f"{address}/sparql", data=fields, headers=headers)
    else:
        response = httpx.get(f"{address}/sparql", params=fields, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type or media_type is None
    assert response.headers["access-control-allow-origin"] == "*"
    assert "RateLimit" in response.headers["access-control-expose-headers"]
    if media_type == "application/n-triples":
        assert len(response.text.splitlines()) == 104
    else:
        assert response.json()["head"] is not None


def test_yasgui_with_a_key_may_ask_first(address: str) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    response = httpx.options(f"{address}/sparql", headers=asked)
    assert response.status_code == 204
    assert "Authorization" in response.headers["access-control-allow-headers"]
