"""What the tests are run against: a service over HTTP, or the engine in this process.

Both take the same few orders and answer with a `Reply`, so that one judge serves both. The service is emptied by its
own update and filled by its own graph store; nothing goes round its front door.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote

import httpx
from pyoxigraph import (
    DefaultGraph,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Store,
    parse,
    serialize,
)

from .answers import read_graph
from .manifest import Graphs

ALL_QUADS: Final = "SELECT ?s ?p ?o ?g WHERE { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
ANY_QUAD: Final = "ASK { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
BUSY: Final = frozenset({429, 503})
PATIENCE_S: Final = 5.0
TRIES: Final = 4


class Unusable(Exception):
    """The service cannot be tested: no answer, no right to write, or data that would be lost."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of HTTP, or what the engine would have answered. Names of headers are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def shown(self) -> str:
        """The status and the beginning of the body on one line."""
        text = " ".join(self.body.decode(errors="replace").split())
        return f"{self.status} {text[:160]}".strip()


class Target(Protocol):
    """What an evaluation test needs."""

    def empty(self) -> Reply:
        """Drop all graphs."""

    def load(self, name: str | None, triples: bytes) -> Reply:
        """Put N-Triples into a named graph, or into the default graph."""

    def query(self, text: str, *accept: str) -> Reply:
        """Answer a query in one of the media types."""

    def update(self, text: str) -> Reply:
        """Run an update."""


def prepare(target: Target, graphs: Graphs) -> None:
    """Leave a target with exactly these graphs. Files are read here, so that the service is given N-Triples only."""
    _done(target.empty(), "it cannot be emptied by DROP ALL")
    names: list[str | None] = [None] if graphs.default else []
    for name in [*names, *dict.fromkeys(name for name, _ in graphs.named)]:
        sources = graphs.default if name is None else [source for graph, source in graphs.named if graph == name]
        quads = [quad.triple for source in sources for quad in read_graph(source)]
        triples = serialize(quads, format=RdfFormat.N_TRIPLES) or b""
        _done(target.load(name, triples), f"it does not take the data of {name or 'the default graph'}")


def _done(reply: Reply, problem: str) -> None:
    if not reply.ok:
        raise Unusable(f"{problem}: {reply.shown()}")


class Service:
    """A running service, spoken to by the SPARQL protocol and the graph store protocol."""

    def __init__(
        self, query_url: str, update_url: str, graph_store_url: str, *, key: str | None = None, timeout_s: float = 60.0
    ) -> None:
        self.query_url, self.update_url, self.graph_store_url = query_url, update_url, graph_store_url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout_s, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request exactly as it is given. A service that says it is busy is asked again, a few times."""
        for attempt in range(1, TRIES + 1):
            try:
                response = self._client.request(method, url, headers=dict(headers), content=body)
            except httpx.HTTPError as error:
                raise Unusable(f"no answer to {method} {url}: {error or type(error).__name__}") from error
            reply = Reply(response.status_code, response.content, dict(response.headers))
            if reply.status not in BUSY or "retry-after" not in reply.headers or attempt == TRIES:
                break
            wait = reply.headers["retry-after"]
            time.sleep(min(float(wait), PATIENCE_S) if wait.isdigit() else 1.0)
        return reply

    def empty(self) -> Reply:
        """Drop all graphs."""
        return self.update("DROP ALL")

    def load(self, name: str | None, triples: bytes) -> Reply:
        """PUT a graph."""
        where = "default" if name is None else "graph=" + quote(name, safe="")
        url = with_query(self.graph_store_url, where)
        return self.send("PUT", url, {"Content-Type": RdfFormat.N_TRIPLES.media_type}, triples)

    def query(self, text: str, *accept: str) -> Reply:
        """POST a query directly."""
        headers = {"Content-Type": "application/sparql-query", "Accept": ", ".join(accept)}
        return self.send("POST", self.query_url, headers, text.encode())

    def update(self, text: str) -> Reply:
        """POST an update directly."""
        return self.send("POST", self.update_url, {"Content-Type": "application/sparql-update"}, text.encode())

    def check(self, *, wipe: bool) -> None:
        """Raise Unusable where the tests would destroy data, or cannot write."""
        found = self.query(ANY_QUAD, QueryResultsFormat.JSON.media_type)
        _done(found, f"{self.query_url} does not answer a query")
        if b"true" in found.body and not wipe:
            raise Unusable("the service holds data and every test drops all graphs; use a scratch instance, or --wipe")
        _done(self.empty(), f"{self.update_url} does not run DROP ALL")


def with_query(url: str, query: str) -> str:
    """A URL with one more piece of query string."""
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


class Engine:
    """pyoxigraph in this process. LOAD makes it look for the address, as the tests ask; it has no HTTP of its own."""

    def __init__(self) -> None:
        self._store = Store()

    def empty(self) -> Reply:
        """Start again with a new store."""
        self._store = Store()
        return Reply(204)

    def load(self, name: str | None, triples: bytes) -> Reply:
        """Add a graph to the store."""
        graph = DefaultGraph() if name is None else NamedNode(name)
        if isinstance(graph, NamedNode):
            self._store.add_graph(graph)
        self._store.extend(
            Quad(quad.subject, quad.predicate, quad.object, graph)
            for quad in parse(triples, format=RdfFormat.N_TRIPLES)
        )
        return Reply(204)

    def query(self, text: str, *accept: str) -> Reply:
        """Answer a query with the engine's own writers, in the first media type that fits."""
        try:
            results = self._store.query(text)
            for media_type in accept:
                body = _written(results, media_type)
                if body is not None:
                    return Reply(200, body, {"content-type": media_type})
        except SyntaxError as error:
            return Reply(400, str(error).encode())
        except (OSError, RuntimeError, ValueError) as error:
            return Reply(500, str(error).encode())
        return Reply(406)

    def update(self, text: str) -> Reply:
        """Run an update."""
        try:
            self._store.update(text)
        except SyntaxError as error:
            return Reply(400, str(error).encode())
        except (OSError, RuntimeError, ValueError) as error:
            return Reply(500, str(error).encode())
        return Reply(204)


def _written(results: QuerySolutions | QueryBoolean | QueryTriples, media_type: str) -> bytes | None:
    rows, graph = QueryResultsFormat.from_media_type(media_type), RdfFormat.from_media_type(media_type)
    if isinstance(results, QueryTriples):
        return results.serialize(format=graph) if graph else None
    return results.serialize(format=rows) if rows else None
