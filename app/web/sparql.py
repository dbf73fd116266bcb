"""The SPARQL 1.1 Protocol for queries: one query by GET or POST, the answer in the format that the client accepts.

Updates are never served. Parameters that the protocol does not define are ignored, as common clients send some
(`format`, `output`), but for `revision`, which asks an older state of the graph. A GET without any parameter asks for
the description of the service; a GET that likes HTML best asks for the editor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response
from werkzeug.http import parse_options_header

from app.errors import BadParameter, BadQuery, QueryRefused, UnsupportedMedia
from app.services import Services
from app.store.guard import Form
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS, Query
from app.web import descriptions, editor, evaluation, negotiation, problems
from app.web.answers import AnswerCache
from app.web.caching import etag, matches, services_of
from app.web.clients import Client, client_headers, client_of
from app.web.logs import seen
from app.web.operations import Operation, operation
from app.web.parameters import pairs
from app.web.routes import PlainRoute

PATH = "/sparql"
FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
_ENCODING_GROWTH = 3
"""Percent-encoding makes a byte three at most."""
_BODY_ROOM = 16_384
"""Bytes of a form besides the query: the names of graphs."""
_SHORT = 4096
"""Bytes up to which what was read from an address is kept."""
_CHANGEABLE = re.compile(r"(?<![?$:\w])(?:NOW|RAND|UUID|STRUUID|BNODE)(?![\w:])|\\u", re.IGNORECASE)
"""Functions whose answer differs each time; also escapes, which could spell one. A false alarm only costs a tag."""
_CHANGEABLE_LETTERS = ("NOW", "RAND", "UUID", "BNODE", "\\U")
"""What stands in any of these, to look for quickly."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is known of an answer before the engine is asked. `tag` is None where it differs each time."""

    query: Query
    revision: int
    media_type: str
    written_as: str
    tag: str | None

    @property
    def key(self) -> tuple[object, ...]:
        """What the answer depends on."""
        query = self.query
        return self.revision, query.text, query.default_graphs, query.named_graphs, self.written_as

    @property
    def headers(self) -> dict[str, str]:
        """Headers that say what the answer is; a 304 bears them too."""
        kept = {"Cache-Control": "no-store"}
        if self.tag is not None:
            kept = {"ETag": self.tag, "Cache-Control": "public, no-cache"}
        return {"X-Revision": str(self.revision), "Vary": "Accept", **kept}


def register(app: FastAPI) -> None:
    """Add the endpoint to an application.

    Plain routes answer, since FastAPI's own cost as much as a cached answer; its routes are there for the document.
    """
    evaluation.install(app)
    for method, endpoint in (("GET", by_get), ("POST", by_post)):
        app.router.routes.append(PlainRoute(PATH, endpoint, methods=[method], include_in_schema=False))
    shared: dict[str, Any] = {
        "tags": ["SPARQL"],
        "response_class": Response,
    }
    app.add_api_route(
        PATH,
        by_get,
        methods=["GET"],
        operation_id="sparqlGet",
        summary="Ask a SPARQL query",
        openapi_extra={"parameters": [_QUERY_PARAMETER, *_DATASET_PARAMETERS]},
        responses={**_ANSWER_OR_PAGE, **_NOT_MODIFIED, **problems.documented(*_CODES)},
        **shared,
    )
    app.add_api_route(
        PATH,
        by_post,
        methods=["POST"],
        operation_id="sparqlPost",
        summary="Ask a SPARQL query in the request's body",
        openapi_extra={"parameters": _DATASET_PARAMETERS, "requestBody": _BODY},
        responses={**_ANSWER, **problems.documented(*_CODES, "unsupported-media")},
        **shared,
    )


async def by_get(request: Request) -> Response:
    """Answers one query (`query`) over the union of all graphs, or over the graphs that the dataset parameters name.

    SELECT and ASK: JSON, XML and, for SELECT, CSV and TSV. CONSTRUCT and DESCRIBE: Turtle, N-Triples, JSON-LD, RDF/XML,
    N-Quads, TriG. SERVICE, LOAD and updates are refused. Relative IRIs are relative to the base of this graph. Without
    any parameter, the description of the service in one of the graph formats. Whoever likes HTML best gets the editor,
    with the query in it and the beginning of its answer.
    """
    services, client = await _parties(request)
    fields = _fields(request.scope["query_string"])
    if editor.wanted(negotiation.accept_of(request)):
        return await editor.show(request, services, client, fields)
    if all(name == "revision" for name, _ in fields):
        return await descriptions.of_endpoint(request, services, client)
    return await _answered(request, services, client, operation(request.scope, fields))


async def by_post(request: Request) -> Response:
    """As by GET, with the query as a form field or as the whole body."""
    services, client = await _parties(request)
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type not in {FORM, QUERY}:
        raise UnsupportedMedia(
            f"{media_type or 'a body without a type'} is not read here", advice=f"Send {FORM} or {QUERY}."
        )
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMedia("only UTF-8 is read here", advice="Send the query as UTF-8.")
    in_address = pairs(request.scope["query_string"])
    body = await body_of(request, services.settings.max_query_bytes * _ENCODING_GROWTH + _BODY_ROOM)
    if media_type == FORM:
        if any(name == "query" for name, _ in in_address):
            raise BadParameter("query", "the address holds a query beside the form", advice="Put all in the form.")
        fields = [*pairs(body), *in_address]
    else:
        if any(name == "query" for name, _ in in_address):
            raise BadParameter("query", "the address and the body both hold a query", advice="Send one query.")
        fields = [("query", text_of(body)), *in_address]
    return await _answered(request, services, client, operation(request.scope, fields))


def _fields(encoded: bytes) -> tuple[tuple[str, str], ...]:
    """Names and values in the address; short addresses are read once, since many ask the same."""
    return _read_once(encoded) if len(encoded) <= _SHORT else tuple(pairs(encoded))


@lru_cache(maxsize=1024)
def _read_once(encoded: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(pairs(encoded))


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body, read no further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise QueryRefused(f"the body is longer than {limit} bytes", advice="Send a shorter query.")
    return bytes(body)


def text_of(body: bytes) -> str:
    """A body as text; BadQuery with the place that is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise BadQuery("the query is not UTF-8", line=line, column=column) from error


async def _parties(request: Request) -> tuple[Services, Client]:
    """Who answers and who asks. Called here since FastAPI's own dependencies cost as much as a cached answer."""
    services = await services_of(request)
    return services, await client_of(request, services)


async def _answered(request: Request, services: Services, client: Client, asked: Operation) -> Response:
    """The answer to one operation; from the cache, or 304, where that will do."""
    app = request.app
    seen(request.scope).asks(asked.query.text)
    form = await evaluation.form_of(app, services, asked.query.text)
    prepared = _prepared(
        asked, form, negotiation.accept_of(request), await evaluation.revision_of(services, asked.revision)
    )
    headers = prepared.headers
    tag = prepared.tag
    if tag is not None and request.method == "GET" and matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    answers: AnswerCache = app.state.answers
    body = answers.get(prepared.key)
    if body is None:
        body = await evaluation.evaluate(
            app, services, client, prepared.query, form, prepared.written_as, prepared.revision
        )
        if tag is not None:
            answers.put(prepared.key, body)
    headers |= client_headers(services, client)
    headers["Content-Type"] = negotiation.content_type(prepared.media_type)
    return Response(body, headers=headers)


def _prepared(asked: Operation, form: Form, accept: str | None, revision: int) -> Prepared:
    """Choose the format and name the answer; NotAcceptable."""
    query = asked.query
    media_type, written_as = negotiation.choose(accept, form)
    tag = None
    if not _changes_by_itself(query.text):
        tag = etag(revision, query.text, *query.default_graphs, "/", *query.named_graphs, media_type)
    return Prepared(query, revision, media_type, written_as, tag)


@lru_cache(maxsize=512)
def _changes_by_itself(text: str) -> bool:
    letters = text.upper()
    return any(name in letters for name in _CHANGEABLE_LETTERS) and _CHANGEABLE.search(text) is not None


_EXAMPLE = (
    "PREFIX slm: <https://w3id.org/slmkg/ontology#>\nSELECT (COUNT(DISTINCT ?m) AS ?n) WHERE { ?m a slm:LanguageModel }"
)
_QUERY_PARAMETER = {
    "name": "query",
    "in": "query",
    "required": False,
    "description": "A SPARQL 1.1 query. Without any parameter, the service describes itself.",
    "schema": {"type": "string"},
    "example": _EXAMPLE,
}
_REVISION_PARAMETER = {
    "name": "revision",
    "in": "query",
    "required": False,
    "description": "Number of the revision to ask; the newest one when left out.",
    "schema": {"type": "integer", "minimum": 1},
}
_DATASET_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"IRI of a graph for the {role}; may be given several times.",
        "schema": {"type": "array", "items": {"type": "string", "format": "iri"}},
        "explode": True,
    }
    for name, role in (("default-graph-uri", "default graph"), ("named-graph-uri", "named graphs"))
] + [_REVISION_PARAMETER]
_BODY = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["query"],
                "properties": {
                    "query": {"type": "string"},
                    "default-graph-uri": {"type": "array", "items": {"type": "string"}},
                    "named-graph-uri": {"type": "array", "items": {"type": "string"}},
                },
            },
            "example": {"query": _EXAMPLE},
        },
        QUERY: {"schema": {"type": "string"}, "example": _EXAMPLE},
    },
}
_CODES = (
    "bad-parameter",
    "bad-query",
    "query-refused",
    "not-acceptable",
    "not-found",
    "too-many-requests",
    "too-busy",
    "query-timeout",
)
_TABLE: dict[str, Any] = {
    "type": "object",
    "required": ["head"],
    "properties": {
        "head": {"type": "object"},
        "boolean": {"type": "boolean", "description": "The answer to ASK."},
        "results": {
            "type": "object",
            "required": ["bindings"],
            "properties": {"bindings": {"type": "array", "items": {"type": "object"}}},
        },
    },
}
"""SPARQL 1.1 Query Results JSON."""
_SHAPES: dict[str, dict[str, Any]] = {
    **{name: {"type": "string"} for name in (*SELECT_FORMATS, *GRAPH_FORMATS)},
    "application/sparql-results+json": _TABLE,
    "application/json": _TABLE,
    "application/ld+json": {},
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer.",
        "headers": {
            "X-Revision": {"description": "Revision that was asked.", "schema": {"type": "integer"}},
            "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
        },
        "content": {name: {"schema": shape} for name, shape in _SHAPES.items()},
    },
}
_ANSWER_OR_PAGE: dict[int | str, dict[str, Any]] = {
    200: {**_ANSWER[200], "content": {**_ANSWER[200]["content"], negotiation.HTML: {"schema": {"type": "string"}}}},
}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this answer already."}}
