"""A made-up test suite in a temporary folder, and a service of a few lines that can be told to answer wrongly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from scripts.conformance.targets import Engine, Reply, Service

PREFIXES = """
@prefix : <http://example.org/manifest#> .
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
@prefix qt: <http://www.w3.org/2001/sw/DataAccess/tests/test-query#> .
@prefix ut: <http://www.w3.org/2009/sparql/tests/test-update#> .
@prefix ht: <http://www.w3.org/2011/http#> .
@prefix hts: <http://www.w3.org/2011/http-statusCodes#> .
@prefix cnt: <http://www.w3.org/2011/content#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""

FILES = {
    "manifest.ttl": "",
    "manifest-sparql11-query.ttl": "<> mf:include ( <words/manifest.ttl> ) .",
    "manifest-sparql11-update.ttl": "<> mf:include ( <changes/manifest.ttl> ) .",
    "manifest-sparql11-results.ttl": "<> mf:entries () .",
    "words/manifest.ttl": """
        <> mf:entries ( :rows :graph :good :bad ) .
        :rows a mf:QueryEvaluationTest ; mf:name "rows" ; mf:result <rows.srj> ;
            mf:action [ qt:query <rows.rq> ; qt:data <data.ttl> ; qt:graphData <more.ttl> ] .
        :graph a mf:QueryEvaluationTest ; mf:name "graph" ; mf:result <graph.ttl> ;
            mf:action [ qt:query <graph.rq> ; qt:data <data.ttl> ] .
        :good a mf:PositiveSyntaxTest11 ; mf:name "good" ; mf:action <rows.rq> .
        :bad a mf:NegativeSyntaxTest11 ; mf:name "bad" ; mf:action <bad.rq> .""",
    "words/data.ttl": "<s> <p> 1 , 01 , [ ] .",
    "words/more.ttl": "<t> <p> 2 .",
    "words/rows.rq": "SELECT ?o ?g { { <s> <p> ?o } UNION { GRAPH ?g { ?x <p> ?o } } FILTER isLiteral(?o) }",
    "words/rows.srj": """{"head": {"vars": ["g", "o"]}, "results": {"bindings": [
        {"o": {"type": "literal", "value": "2", "datatype": "http://www.w3.org/2001/XMLSchema#integer"},
         "g": {"type": "uri", "value": "https://w3c.github.io/rdf-tests/sparql/sparql11/words/more.ttl"}},
        {"o": {"type": "literal", "value": "01", "datatype": "http://www.w3.org/2001/XMLSchema#integer"}}]}}""",
    "words/graph.rq": "CONSTRUCT { ?o <q> ?s } { ?s <p> ?o FILTER isBlank(?o) }",
    "words/graph.ttl": "_:anything <q> <s> .",
    "words/bad.rq": "SELECT {",
    "changes/manifest.ttl": """
        <> mf:entries ( :move :load ) .
        :move a mf:UpdateEvaluationTest ; mf:name "move" ;
            mf:action [ ut:request <move.ru> ;
                ut:graphData [ ut:graph <one.ttl> ; rdfs:label "http://example.org/g" ] ] ;
            mf:result [ ut:data <one.ttl> ] .
        :load a mf:PositiveUpdateSyntaxTest11 ; mf:name "load" ; mf:action <load.ru> .""",
    "changes/one.ttl": "<s> <p> [ <q> 1.0 ] .",
    "changes/move.ru": "MOVE <http://example.org/g> TO DEFAULT",
    "changes/load.ru": "LOAD <file:///nowhere>",
    "protocol/manifest.ttl": """
        <> mf:entries ( :ask :bad_update_type :utf16 ) .
        :ask a mf:ProtocolTest ; mf:name "ask" ;
            ut:graphData [ ut:graph <data.nt> ; rdfs:label "http://example.org/g" ] ;
            mf:action [ ht:requests ( [ ht:methodName "GET" ;
                ht:absolutePath "/sparql/?query=ASK%20%7B%20GRAPH%20%3Fg%20%7B%20%3Fs%20%3Fp%201%20%7D%20%7D" ;
                ht:resp [ mf:expectedStatus hts:StatusCode2xx, hts:StatusCode3xx ;
                          mf:expectedBoolean true ; mf:expectedFormat "boolean" ] ] ) ] .
        :bad_update_type a mf:ProtocolTest ; mf:name "type" ;
            mf:action [ ht:requests ( [ ht:methodName "POST" ; ht:absolutePath "/sparql/" ;
                ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/plain" ] ) ;
                ht:body [ cnt:chars "CLEAR ALL" ; cnt:characterEncoding "UTF-8" ] ;
                ht:resp [ mf:expectedStatus hts:StatusCode4xx ] ] ) ] .
        :utf16 a mf:ProtocolTest ; mf:name "utf16" ;
            mf:action [ ht:requests ( [ ht:methodName "POST" ; ht:absolutePath "/sparql/" ;
                ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "application/sparql-query" ] ) ;
                ht:body [ cnt:chars "ASK {}" ; cnt:characterEncoding "UTF-16" ] ;
                ht:resp [ mf:expectedStatus hts:StatusCode4xx ] ] ) ] .""",
    "protocol/data.nt": '<http://e/s> <http://e/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .',
    "graph-store-protocol/manifest.ttl": """
        <> mf:entries ( :put :post ) .
        :put a mf:GraphStoreProtocolTest ; mf:name "put" ; mf:action [ ht:requests (
            [ ht:methodName "PUT" ; ht:absolutePath "/gsp?graph=http://example.org/%2531" ;
              ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/turtle; charset=utf-8" ] ) ;
              ht:body [ cnt:chars "<http://e/s> <http://e/p> _:x ." ; cnt:characterEncoding "UTF-8" ] ;
              ht:resp [ mf:expectedStatus hts:Created ] ]
            [ ht:methodName "GET" ; ht:absolutePath "/gsp?graph=http://example.org/%2531" ;
              ht:resp [ mf:expectedStatus hts:OK ;
                ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/turtle; charset=utf-8" ] ) ;
                ht:body [ cnt:chars "<http://e/s> <http://e/p> _:x ." ; cnt:characterEncoding "UTF-8" ] ] ]
            [ ht:methodName "HEAD" ; ht:absolutePath "/gsp/missing" ;
              ht:resp [ mf:expectedStatus hts:NotFound ] ] ) ] .
        :post a mf:GraphStoreProtocolTest ; mf:name "post" ; mf:action [ ht:requests (
            [ ht:methodName "POST" ; ht:absolutePath "/gsp" ;
              ht:headers ( [ ht:fieldName "content-type" ; ht:fieldValue "text/turtle" ] ) ;
              ht:body [ cnt:chars "<http://e/s> <http://e/p> <http://e/o> ." ; cnt:characterEncoding "UTF-8" ] ;
              ht:resp [ mf:expectedStatus hts:Created ; mf:expectedLocation "$WHERE$" ] ]
            [ ht:methodName "GET" ; ht:absolutePath "/gsp?graph=$WHERE$" ;
              ht:resp [ mf:expectedStatus hts:OK ] ] ) ] .""",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder that looks like sparql/sparql11 of w3c/rdf-tests."""
    folder = tmp_path / "suite"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PREFIXES + text if "manifest" in name else text, encoding="utf-8")
    return folder


class Sample:
    """A service on loopback. `seen` holds methods and targets as they came; `spoil` may change an answer."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.seen: list[tuple[str, str, str]] = []
        self.spoil: Callable[[str, str, Reply], Reply] = lambda method, target, reply: reply
        self.body_after_head = False
        self.url = ""

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """What a service must do for the tests above, and no more."""
        self.seen.append((method, target, headers.get("authorization", "")))
        parts = urlsplit(target)
        fields = parse_qs(parts.query, keep_blank_values=True)
        if parts.path == "/graphs" or parts.path.startswith("/graphs/"):
            return self._graph(method, parts.path, fields, body)
        kind = headers.get("content-type", "")
        try:
            text = fields["query"][0] if "query" in fields else body.decode()
        except UnicodeDecodeError:
            return Reply(400)
        if method == "POST" and kind != f"application/sparql-{parts.path[1:]}":
            return Reply(415)
        if parts.path == "/update":
            return self.engine.update(text)
        accept = headers.get("accept", "*/*")
        kinds = ("application/sparql-results+json", "application/n-triples")
        return self.engine.query(text, *(kinds if accept == "*/*" else accept.split(", ")))

    def _graph(self, method: str, path: str, fields: dict[str, list[str]], body: bytes) -> Reply:
        name = fields.get("graph", [None if "default" in fields else self.url + path])[0]
        if method == "POST":
            name = "http://example.org/new?a=1&b=2"
        held = f"GRAPH <{name}> {{ ?s ?p ?o }}"
        there = b"true" in self.engine.query(f"ASK {{ {held} }}", "application/sparql-results+json").body
        if method in {"PUT", "POST"}:
            if name is not None:
                self.engine.update(f"DROP SILENT GRAPH <{name}>")
            self.engine.load(name, body)
            return Reply(204 if there else 201, headers={"location": name or ""})
        if not there:
            return Reply(404, b"no such graph")
        triples = self.engine.query(f"CONSTRUCT {{ ?s ?p ?o }} {{ {held} }}", "application/n-triples").body
        return Reply(200, triples, {"content-type": "text/turtle; charset=utf-8"})


@pytest.fixture
def sample() -> Iterator[Sample]:
    """The service, running in a thread."""
    sample = Sample()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = sample.spoil(self.command, self.path, sample.answer(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD" or sample.body_after_head:
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    sample.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield sample
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service(sample: Sample) -> Iterator[Service]:
    """The runner's side of the service."""
    service = Service(f"{sample.url}/query", f"{sample.url}/update", f"{sample.url}/graphs", key="secret")
    yield service
    service.close()
