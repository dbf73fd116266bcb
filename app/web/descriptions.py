"""The service and its graph describe themselves: at `/sparql` without a query, at `/.well-known/void` and at `/dcat`.

The counts are asked like any stranger's query, in readers and on the client's account, once per revision.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from app.access import Scope
from app.compare import description
from app.compare.description import Place, Statistics
from app.errors import BadParameter, NotAcceptable
from app.model.changes import Revision
from app.model.rdf import Triple
from app.services import Services
from app.store.engine import rows_of, written
from app.store.guard import Form
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS, Query
from app.store.readers import Limits
from app.web import evaluation, negotiation, problems, releases
from app.web.answers import AnswerCache
from app.web.caching import Identity, NotModified, Use, etag, matches
from app.web.clients import Asking, Client
from app.web.parameters import pairs, strict
from app.web.revisions import PARAMETER, prefix_of, revision_in

VOID = "/.well-known/void"
DCAT = "/dcat"
UPDATE = "/update"
_JSON = SELECT_FORMATS[0]
_MOST_ROWS = 10_000_000
_KEPT = 4
"""Revisions whose statistics are kept: a description in another format or for another address needs no new count."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(slots=True)
class Counted:
    """Statistics of a few revisions; one count at a time."""

    kept: OrderedDict[int, Statistics] = field(default_factory=OrderedDict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Document:
    """One description: its name, where it is served, and what makes its triples."""

    name: str
    place: Place
    build: Callable[[Statistics, Revision], Iterable[Triple]]
    parts: tuple[str, ...] = ()


def register(app: FastAPI) -> None:
    """Add the descriptions to an application."""
    app.state.counted = Counted()
    for path, endpoint, name, summary in (
        (VOID, void, "void", "Describe the dataset (VoID)"),
        (DCAT, dcat, "dcat", "Describe the dataset for catalogues (DCAT)"),
    ):
        app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            dependencies=[Depends(strict)],
            operation_id=name,
            summary=summary,
            tags=["Descriptions"],
            response_class=Response,
            responses={
                200: {"description": "The description.", "content": {one: {} for one in GRAPH_FORMATS}},
                304: {"description": "The client has this answer already."},
                **problems.documented("bad-parameter", "not-found", "not-acceptable", "too-many-requests"),
            },
        )


async def void(request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """How much the graph holds, by class and by property; the prefixes; the example queries, each ready to be run."""
    place = place_of(request, services)
    formats = (*SELECT_FORMATS, *GRAPH_FORMATS)
    released = () if place.prefix else await to_thread.run_sync(services.releases.list)

    def build(found: Statistics, made: Revision) -> Iterable[Triple]:
        return [*description.dataset(place, found, formats, made), *releases.dumps(place, released, made.number)]

    document = Document("void", place, build, parts=tuple(one.name for one in released))
    return await _answer(request, services, client, document, identity.revision)


async def dcat(request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """The dataset and the services that answer from it, as catalogues collect it."""
    place = place_of(request, services)
    released = () if place.prefix else await to_thread.run_sync(services.releases.list)

    def build(_: Statistics, made: Revision) -> Iterable[Triple]:
        return [*description.catalogue(place, made), *releases.listing(place, released)]

    document = Document("dcat", place, build, parts=tuple(one.name for one in released))
    return await _answer(request, services, client, document, identity.revision)


async def of_endpoint(request: Request, services: Services, client: Client) -> Response:
    """The SPARQL 1.1 Service Description."""
    given = (value for name, value in pairs(request.scope["query_string"]) if name == PARAMETER)
    revision = await evaluation.revision_of(services, revision_in(request.scope, given))
    place = place_of(request, services)
    if negotiation.preferred(negotiation.accept_of(request), GRAPH_FORMATS) is None:
        raise BadParameter("query", "exactly one query is needed, there is none", advice="Send one parameter `query`.")
    scratch = services.settings.scratch
    formats = (*SELECT_FORMATS, *GRAPH_FORMATS)
    reads = GRAPH_FORMATS if _updates(request.app, services) and not place.prefix else ()

    def build(found: Statistics, _: Revision) -> Iterable[Triple]:
        return description.service(place, found, formats, union=not scratch, reads=reads)

    document = Document("service", place, build, parts=("updates",) if reads else ())
    return await _answer(request, services, client, document, revision)


async def _answer(request: Request, services: Services, client: Client, document: Document, revision: int) -> Response:
    """A description in the format that the client likes best."""
    media_type = negotiation.preferred(negotiation.accept_of(request), GRAPH_FORMATS)
    if media_type is None:
        raise NotAcceptable(GRAPH_FORMATS)
    place = document.place
    parts = (document.name, place.root, place.prefix, *document.parts, media_type)
    tag = etag(revision, *parts)
    headers = {"ETag": tag, "X-Revision": str(revision), "Cache-Control": "public, no-cache", "Vary": "Accept"}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    answers: AnswerCache = request.app.state.answers
    key = (revision, parts)
    body = answers.get(key)
    if body is None:
        found = await _statistics(request.app, services, client, revision)
        body = await to_thread.run_sync(_written, services, document, found, revision, media_type)
        answers.put(key, body)
    return Response(body, headers={**headers, "Content-Type": negotiation.content_type(media_type)})


async def _statistics(app: FastAPI, services: Services, client: Client, revision: int) -> Statistics:
    """The counts of a revision, with the limits of a client who has a key: they are the same for everybody."""
    settings = services.settings
    patient = replace(client, limits=Limits(settings.key_query_seconds, settings.max_result_bytes, _MOST_ROWS))
    counted: Counted = app.state.counted
    async with counted.turn:
        if revision not in counted.kept:
            rows: dict[str, Any] = {}
            for one in description.statistics_queries():
                body = await evaluation.evaluate(app, services, patient, Query(one.text), Form.SELECT, _JSON, revision)
                rows[one.name] = await to_thread.run_sync(rows_of, body)
            counted.kept[revision] = description.statistics(rows)
            while len(counted.kept) > _KEPT:
                counted.kept.popitem(last=False)
        counted.kept.move_to_end(revision)
        return counted.kept[revision]


def _written(services: Services, document: Document, found: Statistics, revision: int, media_type: str) -> bytes:
    made = next(one for one in services.store.revisions() if one.number == revision)
    return written(document.build(found, made), media_type)


def place_of(request: Request, services: Services) -> Place:
    """Where the client reaches us: as the settings say, or as its request says."""
    prefix = prefix_of(request.scope)
    if services.settings.public_url:
        return Place(services.settings.public_url.rstrip("/"), prefix)
    host = request.headers.get("host", f"{services.settings.host}:{services.settings.port}")
    if not _HOST.fullmatch(host):
        raise BadParameter("Host", "is not the name of a host")
    outer = request.scope.get("root_path", "").removesuffix(prefix)
    return Place(f"{request.scope['scheme']}://{host}{outer}", prefix)


def _updates(app: FastAPI, services: Services) -> bool:
    """Whether somebody may send updates."""
    served = any(getattr(route, "path", None) == UPDATE for route in app.routes)
    return served and any(key.allows(Scope.UPDATE) for key in services.keys.list())
