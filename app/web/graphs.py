"""The SPARQL 1.1 Graph Store HTTP Protocol: whole graphs by name. Reading is open, writing needs a key.

    /graphs?graph=IRI     a named graph (the IRI is decoded once)
    /graphs?default       the default graph: the union of all others (only a throw-away service lets it be written)
    /graphs/some/path     the graph whose IRI is the address itself

A graph exists while it has a triple: the store keeps no empty ones. So PUT of an empty graph removes the graph.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import FastAPI, Request
from starlette.responses import Response
from werkzeug.datastructures import ETags
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from app.curate.write import Author, Condition, Content, Written
from app.errors import BadFile, BadParameter, ConditionFailed, NotAcceptable, NotFound, UnsupportedMedia
from app.model.rdf import IRI
from app.services import Services
from app.store import documents
from app.store.documents import GraphName
from app.store.guard import Form
from app.store.port import GRAPH_FORMATS, Query
from app.web import evaluation, negotiation, problems
from app.web.answers import AnswerCache
from app.web.caching import NotModified, Use, etag, matches
from app.web.clients import Asking, Client
from app.web.parameters import pairs
from app.web.revisions import address_in, prefix_of, revision_in
from app.web.writing import (
    UPDATE,
    author_of,
    body_of,
    graph_iri,
    media_type_of,
    read_media_type,
    result_headers,
    revision_of_tag,
    tags,
    text_of,
)

PATH = "/graphs"
MULTIPART = "multipart/form-data"
_ALL = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"
_PARTS = 100


@dataclass(frozen=True, slots=True)
class Target:
    """The graph that a request is about; `name` is None for the default graph. `address` is where it can be had."""

    name: GraphName
    address: str

    @property
    def key(self) -> str:
        """The graph's name as a part of entity tags."""
        return "default" if self.name is None else self.name.value


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    for method, endpoint, summary, more in (
        ("GET", read, "Read a graph", {}),
        ("PUT", replace_graph, "Replace a graph", {"requestBody": _document_body()}),
        ("POST", add_to_graph, "Add to a graph, or make a new one", {"requestBody": _document_body(MULTIPART)}),
        ("DELETE", delete_graph, "Remove a graph", {}),
        ("PATCH", patch_graph, "Change a graph by a SPARQL update", {"requestBody": _update_body()}),
    ):
        for path, by in ((PATH, "ByName"), (PATH + "/{path:path}", "ByAddress")):
            parameters = _PARAMETERS if by == "ByName" else [_PATH_PARAMETER]
            app.add_api_route(
                path,
                endpoint,
                methods=[method],
                operation_id=f"{method.lower()}Graph{by}",
                summary=summary,
                tags=["Graphs"],
                response_class=Response,
                status_code=200 if method == "GET" else 204,
                responses=_responses(method),
                openapi_extra={"parameters": parameters, **more},
            )


async def read(request: Request, services: Use, client: Asking) -> Response:
    """The triples of one graph, in the format that the client accepts. The default graph is the union of all graphs."""
    target = _target(request)
    revision = await evaluation.revision_of(services, revision_in(request.scope))
    media_type = _chosen(request)
    headers = {
        "ETag": _tag(revision, target, media_type),
        "X-Revision": str(revision),
        "Vary": "Accept",
        "Cache-Control": "public, no-cache",
    }
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        raise NotModified(headers)
    if target.name is not None and not await to_thread.run_sync(_exists, services, target.name, revision):
        raise NotFound("graph", target.name.value, advice="A graph exists while it has a triple.")
    default_graphs = () if target.name is None else (target.name.value,)
    query = Query(_ALL, default_graphs=default_graphs)
    answers: AnswerCache = request.app.state.answers
    key = (revision, _ALL, default_graphs, (), media_type)
    body = answers.get(key)
    if body is None:
        generous = replace(client, limits=replace(client.limits, max_rows=client.limits.max_bytes))
        body = await evaluation.evaluate(request.app, services, generous, query, Form.CONSTRUCT, media_type, revision)
        answers.put(key, body)
    return Response(body, headers={**headers, "Content-Type": negotiation.content_type(media_type)})


async def replace_graph(request: Request, services: Use, client: Asking) -> Response:
    """Makes a graph hold exactly what the body says. An empty body, or one without triples, removes the graph."""
    author, target = _authorised(request, services, client)
    content = await _content(request, services, target)
    written = await services.change_graph(
        target.name, lambda _: content, author, condition=_condition(request, services, target)
    )
    return _done(written, target, created=not written.existed and bool(content))


async def add_to_graph(request: Request, services: Use, client: Asking) -> Response:
    """Adds the body's triples to a graph. Without a graph's name a new graph is made; `Location` tells its IRI."""
    is_new = address_in(request.scope) == PATH and not request.scope["query_string"]
    author, target = _authorised(request, services, client, new=is_new)
    content = await _content(request, services, target)
    if is_new and not content:
        raise BadParameter("body", "an empty graph is not kept", advice="Send a triple at least.")
    written = await services.change_graph(
        target.name, lambda before: before | content, author, condition=_condition(request, services, target)
    )
    return _done(written, target, created=not written.existed and bool(content))


async def delete_graph(request: Request, services: Use, client: Asking) -> Response:
    """Removes a graph with all its triples."""
    author, target = _authorised(request, services, client)
    condition = _condition(request, services, target)

    def there(head: int, before: Content) -> None:
        if target.name is not None and not before:
            raise NotFound("graph", target.name.value)
        condition(head, before)

    written = await services.change_graph(target.name, lambda _: frozenset(), author, condition=there)
    return _done(written, target, created=False)


async def patch_graph(request: Request, services: Use, client: Asking) -> Response:
    """Runs a SPARQL update on one graph, which the update sees as its default graph; it can reach no other."""
    author, target = _authorised(request, services, client)
    if target.name is None:
        raise BadParameter("default", "the default graph cannot be patched", advice="Send the update to /update.")
    media_type, _ = media_type_of(request)
    if media_type != UPDATE:
        raise UnsupportedMedia(
            f"{media_type or 'a body without a type'} is not read here",
            advice=f"Send {UPDATE}.",
        )
    text = text_of(await body_of(request, services.settings.max_update_bytes))
    written = await services.patch_graph(
        target.name, text, author, base=target.name.value, condition=_condition(request, services, target)
    )
    return _done(written, target, created=not written.existed and written.added > 0)


def _target(request: Request, *, new: bool = False) -> Target:
    """The graph that a request names; BadParameter unless it names exactly one."""
    fields = pairs(request.scope["query_string"])
    address = _address(request)
    if address_in(request.scope) != PATH:
        if fields:
            raise BadParameter(fields[0][0], "the address names a graph already", advice="Leave the parameters out.")
        return Target(graph_iri("address", address), address)
    if new:
        address = f"{address}/{uuid.uuid4()}"
        return Target(graph_iri("address", address), address)
    names = [name for name, _ in fields]
    if names == ["graph"]:
        name = graph_iri("graph", fields[0][1])
        return Target(name, f"{address}?graph={quote(name.value, safe='')}")
    if names == ["default"] and not fields[0][1]:
        return Target(None, f"{address}?default")
    unknown = next((name for name in names if name not in {"graph", "default"}), None)
    problem = "there is no such parameter here" if unknown else "exactly one graph is needed"
    raise BadParameter(unknown or "graph", problem, advice="Give `graph` with an IRI, or `default`.")


def _address(request: Request) -> str:
    """The request's own address as it was sent, without parameters and without `/r/N`."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    path = raw.split(b"?")[0].decode("latin-1").replace(prefix_of(request.scope), "", 1)
    return f"{request.url.scheme}://{request.url.netloc}{path}"


def _authorised(request: Request, services: Services, client: Client, *, new: bool = False) -> tuple[Author, Target]:
    """Who writes, and to which graph. The default graph belongs to throw-away services: elsewhere it is the union."""
    author, target = author_of(client), _target(request, new=new)
    if target.name is None and not services.settings.scratch:
        raise BadParameter(
            "default", "the default graph is the union of all graphs", advice="Write to one of them: ?graph=IRI."
        )
    return author, target


async def _content(request: Request, services: Services, target: Target) -> Content:
    """The triples of the request's body, in the target graph."""
    media_type, options = media_type_of(request)
    body = await body_of(request, services.settings.max_update_bytes)
    if not body:
        return frozenset()
    return await to_thread.run_sync(_read_body, body, media_type, options.get("boundary"), request.method, target)


def _read_body(body: bytes, media_type: str, boundary: str | None, method: str, target: Target) -> Content:
    base = target.address if target.name is None else target.name.value
    if media_type != MULTIPART or method != "POST":
        return documents.read(body, media_type, base=base, graph=target.name)
    content: Content = frozenset()
    for part_type, part in _parts(body, boundary):
        content |= documents.read(part, part_type, base=base, graph=target.name)
    return content


def _parts(body: bytes, boundary: str | None) -> list[tuple[str, bytes]]:
    """Media type and bytes of each part of a form with files; BadFile."""
    found: list[tuple[str, bytearray]] = []
    try:
        decoder = MultipartDecoder((boundary or "").encode("ascii"), max_parts=_PARTS)
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                found.append((read_media_type(event.headers.get("content-type"))[0], bytearray()))
            elif isinstance(event, Data):
                found[-1][1].extend(event.data)
    except (ValueError, RuntimeError, HTTPException) as error:
        raise BadFile("the body", "is no multipart/form-data", advice="Send parts with a boundary.") from error
    if isinstance(event, NeedData):
        raise BadFile("the body", "is cut off", advice="End it with the closing boundary.")
    return [(media_type, bytes(data)) for media_type, data in found]


def _condition(request: Request, services: Services, target: Target) -> Condition:
    """What `If-Match` and `If-None-Match` ask, to be looked at on the revision that the write is made on."""
    wanted, unwanted = tags(request, "if-match"), tags(request, "if-none-match")

    def check(head: int, before: Content) -> None:
        current = _current(services, target, head, before)
        if wanted is not None and not _any_stands(wanted, before, current):
            raise ConditionFailed(
                "the graph is not as If-Match says", advice="Read it again, make the change again, and send it again."
            )
        if unwanted is not None and _any_stands(unwanted, before, current):
            raise ConditionFailed("the graph is as If-None-Match says it must not be", advice="Read it first.")

    return check


def _any_stands(given: ETags, before: Content, current: Callable[[str], bool]) -> bool:
    return bool(before) if given.star_tag else any(map(current, given.as_set()))


def _current(services: Services, target: Target, head: int, before: Content) -> Callable[[str], bool]:
    """Whether a tag still stands for what a graph holds: a tag of an older revision does, if nothing changed since."""

    def stands(tag: str) -> bool:
        revision = revision_of_tag(tag)
        if revision is None or not 1 <= revision <= head or not before:
            return False
        if all(f'"{tag}"' != _tag(revision, target, media_type) for media_type in GRAPH_FORMATS):
            return False
        return revision == head or services.content(target.name, revision) == before

    return stands


def _done(written: Written, target: Target, *, created: bool) -> Response:
    headers = result_headers(written)
    if created:
        headers["Location"] = target.address
    return Response(status_code=201 if created else 204, headers=headers)


def _chosen(request: Request) -> str:
    """The format to answer with. A parameter of the accepted type, such as charset, does not matter."""
    accept = ", ".join(request.headers.getlist("accept"))
    plain = [_without_charset(part) for part in accept.split(",")]
    best = negotiation.preferred(", ".join(plain), GRAPH_FORMATS)
    if best is None:
        raise NotAcceptable(GRAPH_FORMATS)
    return best


def _without_charset(accepted: str) -> str:
    media_type, options = parse_options_header(accepted)
    return media_type + (f";q={options['q']}" if "q" in options else "")


def _tag(revision: int, target: Target, media_type: str) -> str:
    return etag(revision, "graph", target.key, media_type)


def _exists(services: Services, graph: IRI, revision: int) -> bool:
    return next(iter(services.store.at(revision).quads(graph)), None) is not None


def _document_body(*more: str) -> dict[str, Any]:
    return {
        "required": False,
        "content": {name: _body_shape(name) for name in (*documents.FORMATS, *more)},
    }


def _body_shape(media_type: str) -> dict[str, Any]:
    """What a document is in OpenAPI: JSON of any kind, or text."""
    return {} if media_type.endswith("json") else {"schema": {"type": "string"}}


def _update_body() -> dict[str, Any]:
    return {"required": True, "content": {UPDATE: {"schema": {"type": "string"}}}}


def _responses(method: str) -> dict[int | str, dict[str, Any]]:
    revision = {"X-Revision": {"description": "The newest revision.", "schema": {"type": "integer"}}}
    if method == "GET":
        content = {name: _body_shape(name) for name in GRAPH_FORMATS}
        tag = {"ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}}}
        return {
            200: {"description": "The graph.", "headers": {**revision, **tag}, "content": content},
            304: {"description": "The client has this answer already."},
            **problems.documented("bad-parameter", "not-found", "not-acceptable", "query-refused", "query-timeout"),
        }
    done: dict[int | str, dict[str, Any]] = {204: {"description": "Done; nothing to tell.", "headers": revision}}
    if method != "DELETE":
        location = {"Location": {"description": "Address of the new graph.", "schema": {"type": "string"}}}
        done[201] = {"description": "The graph is new.", "headers": {**revision, **location}}
    return {**done, **problems.documented(*_WRITE_CODES, *(["not-found"] if method == "DELETE" else []))}


_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "graph",
        "in": "query",
        "required": False,
        "description": "IRI of a named graph.",
        "schema": {"type": "string", "format": "iri"},
    },
    {
        "name": "default",
        "in": "query",
        "required": False,
        "description": "The default graph, which is the union of all named graphs.",
        "allowEmptyValue": True,
        "schema": {"type": "string", "maxLength": 0},
    },
]
_PATH_PARAMETER: dict[str, Any] = {
    "name": "path",
    "in": "path",
    "required": True,
    "description": "The rest of the address, which as a whole is the graph's IRI.",
    "schema": {"type": "string"},
}
_WRITE_CODES = (
    "bad-parameter",
    "bad-file",
    "bad-query",
    "query-refused",
    "unauthorized",
    "forbidden",
    "condition-failed",
    "unsupported-media",
    "invalid-graph",
    "too-many-requests",
    "too-busy",
    "store-busy",
    "store-full",
)
