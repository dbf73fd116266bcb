"""The SPARQL 1.1 Protocol for queries: one query by GET or POST, the answer in the format that the client accepts.

Updates are never served. Parameters that the protocol does not define are ignored, as common clients send some
(`format`, `output`). The engine works in threads of its own number, so that heavy queries leave room for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from starlette.responses import Response
from werkzeug.http import parse_options_header

from app import vocab
from app.errors import AppError, BadParameter, BadQuery, QueryRefused, UnsupportedMedia
from app.model.rdf import iri
from app.services import Services
from app.store import readers
from app.store.engine import names_a_dataset
from app.store.guard import known_form
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS, Query
from app.web import negotiation, problems
from app.web.answers import AnswerCache
from app.web.caching import NotModified, Use, etag, matches
from app.web.clients import Asking, Client
from app.web.parameters import pairs

PATH = "/sparql"
FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
THREADS = 8
_PREFIXES = tuple(vocab.PREFIXES.items())
_ENCODING_GROWTH = 3
"""Percent-encoding makes a byte three at most."""
_BODY_ROOM = 16_384
"""Bytes of a form besides the query: the names of graphs."""
_CHANGEABLE = re.compile(r"\b(?:NOW|RAND|UUID|STRUUID|BNODE)\s*\(|\\u", re.IGNORECASE)
"""Functions whose answer differs each time; also escapes, which could spell one. A false alarm only costs a tag."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one request asks: the query, its dataset, the accepted formats, and the tags that the client has."""

    query: Query
    accept: str | None
    if_none_match: str | None
    revision: int | None = None


def register(app: FastAPI) -> None:
    """Add the endpoint to an application."""
    app.state.sparql_threads = CapacityLimiter(THREADS)
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
        responses={**_ANSWER, **_NOT_MODIFIED, **problems.documented(*_CODES)},
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


async def by_get(request: Request, services: Use, client: Asking) -> Response:
    """Answers one query (`query`) over the union of all graphs, or over the graphs that the dataset parameters name.

    SELECT and ASK: JSON, XML and, for SELECT, CSV and TSV. CONSTRUCT and DESCRIBE: Turtle, N-Triples, JSON-LD, RDF/XML.
    SERVICE, LOAD and updates are refused.
    """
    query = _from_form(pairs(request.scope["query_string"]))
    return await _answer(request, services, client, query, request.headers.get("if-none-match"))


async def by_post(request: Request, services: Use, client: Asking) -> Response:
    """As by GET, with the query as a form field or as the whole body."""
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type not in {FORM, QUERY}:
        raise UnsupportedMedia(
            f"{media_type or 'a body without a type'} is not read here", advice=f"Send {FORM} or {QUERY}."
        )
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMedia("only UTF-8 is read here", advice="Send the query as UTF-8.")
    url_fields = pairs(request.scope["query_string"])
    body = await _body(request, services.settings.max_query_bytes * _ENCODING_GROWTH + _BODY_ROOM)
    if media_type == FORM:
        if any(name in {"query", "default-graph-uri", "named-graph-uri"} for name, _ in url_fields):
            raise BadParameter("query", "the address and the form both hold fields", advice="Put all in the form.")
        return await _answer(request, services, client, _from_form(pairs(body)), None)
    if any(name == "query" for name, _ in url_fields):
        raise BadParameter("query", "the address and the body both hold a query", advice="Send one query.")
    return await _answer(request, services, client, _from_form([("query", _text(body)), *url_fields]), None)


async def answered(request: Request, services: Services, operation: Operation, client: Client) -> Response:
    """Answer one operation in a reader process; from the cache, or with 304, where that will do."""
    assert services.public is not None  # noqa: S101 - asked by the caller
    query = operation.query
    form = known_form(query.text)
    if form is None:
        form = await to_thread.run_sync(services.form_of, query.text, limiter=request.app.state.sparql_threads)
    media_type, written_as = negotiation.choose(operation.accept, form)
    revision = operation.revision or services.public.revision
    key = (revision, query.text, query.default_graphs, query.named_graphs, media_type)
    headers = {"X-Revision": str(revision), "Vary": "Accept"}
    changeable = _CHANGEABLE.search(query.text) is not None
    if changeable:
        headers["Cache-Control"] = "no-store"
    else:
        tag = etag(revision, query.text, *query.default_graphs, "/", *query.named_graphs, media_type)
        headers |= {"ETag": tag, "Cache-Control": "public, no-cache"}
        if matches(operation.if_none_match, tag):
            raise NotModified(headers)
    answers: AnswerCache = request.app.state.answers
    body = None if changeable else answers.get(key)
    if body is None:
        chosen = bool(query.default_graphs or query.named_graphs)
        union = not (chosen or services.settings.scratch or names_a_dataset(query.text))
        body = await services.public.ask(
            readers.Request(query.text, written_as, union, query.default_graphs, query.named_graphs, _PREFIXES),
            revision=revision,
            limits=client.limits,
            client=client.name,
            share=client.share,
        )
        if not changeable:
            answers.put(key, body)
    left, reset = services.public.budget(client.name, client.share)
    headers |= {
        "RateLimit-Policy": f'"seconds";q={client.share.seconds_per_minute:g};w=60',
        "RateLimit": f'"seconds";r={int(left)};t={reset}',
        "Content-Type": negotiation.content_type(media_type),
    }
    return Response(body, headers=headers)


def run(services: Services, operation: Operation) -> Response:
    """Answer one operation, errors included; NotModified before the engine is asked, when the client has the answer.

    An error never leaves the thread: its traceback would take the engine's result along, and the engine cannot let go
    of a result in a thread other than the one that asked.
    """
    try:
        return _run(services, operation)
    except AppError as error:
        return problems.problem(error)


def _run(services: Services, operation: Operation) -> Response:
    query = operation.query
    form = services.form_of(query.text)
    media_type, written_as = negotiation.choose(operation.accept, form)
    revision = services.store.head().number
    headers = {"X-Revision": str(revision), "Vary": "Accept"}
    if _CHANGEABLE.search(query.text):
        headers["Cache-Control"] = "no-store"
    else:
        tag = etag(revision, query.text, *query.default_graphs, "/", *query.named_graphs, media_type)
        headers |= {"ETag": tag, "Cache-Control": "public, no-cache"}
        if matches(operation.if_none_match, tag):
            raise NotModified(headers)
    body = _serialized(services, query, written_as, revision)
    return Response(body, headers={**headers, "Content-Type": negotiation.content_type(media_type)})


def _serialized(services: Services, query: Query, media_type: str, revision: int) -> bytes:
    """The answer's bytes. The engine's result is let go here: the parser's errors can keep frames alive for long."""
    _, answer = services.ask(query, revision=revision)
    try:
        return answer.serialize(media_type, limit=services.settings.max_result_bytes)
    finally:
        del answer


async def _answer(
    request: Request, services: Services, client: Client, query: Query, if_none_match: str | None
) -> Response:
    accept = ", ".join(request.headers.getlist("accept")) or None
    operation = Operation(query, accept, if_none_match)
    if services.public is not None and services.public.running:
        return await answered(request, services, operation, client)
    return await to_thread.run_sync(run, services, operation, limiter=request.app.state.sparql_threads)


def _from_form(fields: Iterable[tuple[str, str]]) -> Query:
    """The query and its dataset; BadParameter unless there is exactly one query."""
    by_name: dict[str, list[str]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    if "update" in by_name:
        raise QueryRefused("updates are not served", advice="Only queries are answered here.")
    queries = by_name.get("query", [])
    if len(queries) != 1:
        found = "there are several" if queries else "there is none"
        raise BadParameter("query", f"exactly one query is needed, {found}", advice="Send one parameter `query`.")
    return Query(
        queries[0],
        default_graphs=_graphs("default-graph-uri", by_name),
        named_graphs=_graphs("named-graph-uri", by_name),
    )


def _graphs(name: str, fields: dict[str, list[str]]) -> tuple[str, ...]:
    graphs = tuple(fields.get(name, ()))
    for graph in graphs:
        try:
            iri(graph)
        except ValueError as error:
            raise BadParameter(name, "is not an absolute IRI") from error
    return graphs


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, read no further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise QueryRefused(f"the body is longer than {limit} bytes", advice="Send a shorter query.")
    return bytes(body)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise BadQuery("the query is not UTF-8", line=line, column=column) from error


_EXAMPLE = (
    "PREFIX slm: <https://w3id.org/slmkg/ontology#>\nSELECT (COUNT(DISTINCT ?m) AS ?n) WHERE { ?m a slm:LanguageModel }"
)
_QUERY_PARAMETER = {
    "name": "query",
    "in": "query",
    "required": True,
    "description": "A SPARQL 1.1 query.",
    "schema": {"type": "string"},
    "example": _EXAMPLE,
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
]
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
_CODES = ("bad-parameter", "bad-query", "query-refused", "not-acceptable")
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer.",
        "headers": {
            "X-Revision": {"description": "Revision that was asked.", "schema": {"type": "integer"}},
            "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
        },
        "content": {name: {"schema": {"type": "string"}} for name in (*SELECT_FORMATS, *GRAPH_FORMATS)},
    },
}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this answer already."}}
