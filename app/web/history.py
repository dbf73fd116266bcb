"""REST answers about the history: differences, blame, changes as JSON and Atom, and undoing. Only HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import Depends, FastAPI, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from app.access import Scope
from app.compare.moment import HEAD, is_fixed
from app.errors import BadParameter, QueryRefused
from app.model.claims import resource
from app.services import Services
from app.store import patch
from app.web import feed, history_schemas, negotiation, problems, revisions
from app.web.caching import Identity, NotModified, Representation, Use, etag, matches
from app.web.catalogue import links
from app.web.clients import Asking
from app.web.descriptions import place_of
from app.web.history_schemas import What
from app.web.parameters import strict
from app.web.writing import author_of, json_of, needed_revision, result_headers

DIFF = "/api/v1/diff"
PATCH = "/api/v1/diff.rdfp"
BLAME = "/api/v1/blame"
CHANGES = "/api/v1/changes.json"
ATOM = "/api/v1/changes.atom"
REVISION = "/api/v1/revisions/{number}"
REVERT = "/api/v1/revisions/{number}/revert"

_MOST = 100
"""Changes on one page of a feed."""

Number = Annotated[int, Path(ge=1, le=10**9, description="Number of the revision.")]
From = Annotated[
    str,
    Query(
        alias="from",
        max_length=200,
        description="The revision to compare: a number (0 is before the first), head, a day or moment, or a release.",
        examples=["0"],
    ),
]
To = Annotated[
    str, Query(max_length=200, description="The revision to compare with; it may be the older one.", examples=["head"])
]


class Revert(BaseModel):
    """What to undo, and why."""

    model_config = ConfigDict(extra="forbid", title="Revert")

    reason: str = Field(
        min_length=1, max_length=1000, pattern=r"\S", description="Why; it becomes part of the history."
    )
    to: int | None = Field(None, ge=1, le=10**9, description="Last revision to undo, where several are undone.")


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    shapes = history_schemas
    _add(app, DIFF, show_diff, shapes.Diff, "diff", "Compare two revisions cell by cell")
    as_patch = "Compare two revisions as an RDF patch"
    _add(app, PATCH, show_patch, patch.MEDIA_TYPE, "diffPatch", as_patch, "query-refused")
    _add(app, BLAME, show_blame, shapes.Blame, "blame", "Who put what into a cell")
    _add(app, CHANGES, list_changes, shapes.Changes, "changes", "Follow what is committed")
    _add(app, ATOM, atom, feed.MEDIA_TYPE, "changesAtom", "Follow what is committed, as an Atom feed")
    _add(app, REVISION, show_revision, shapes.RevisionChange, "showRevision", "What one revision did")
    app.add_api_route(
        REVERT,
        revert,
        methods=["POST"],
        dependencies=[Depends(strict)],
        operation_id="revertRevision",
        summary="Undo a revision, or several",
        tags=["History"],
        status_code=201,
        response_model=shapes.Reverted,
        response_class=JSONResponse,
        responses={
            201: {"description": "Undone, as a new revision.", "headers": _REVERT_HEADERS},
            **problems.documented(*_REVERT_CODES),
        },
        openapi_extra={
            "parameters": [_IF_MATCH],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": Revert.model_json_schema(),
                        "example": {"reason": "the source was misread"},
                    }
                },
            },
        },
    )


def show_diff(
    request: Request,
    services: Use,
    from_: From,
    to: To = HEAD,
    *,
    model: Annotated[str | None, Query(max_length=200, description="Slug of the only model to look at.")] = None,
    property: Annotated[str | None, Query(max_length=200, description="The only property to look at.")] = None,
    list: Annotated[What, Query(description="What to list.")] = "cells",
    page: Annotated[int, Query(ge=1, le=10**6, description="Page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=1000, description="Items on a page.")] = 100,
) -> Response:
    """What differs between two revisions: cells with old and new answer and why; sources; observations; counts.

    `from` may be the newer one: the difference is then the way back. An answer between two numbers may be kept for
    ever. With `Accept: application/rdf-patch` it is the patch that `/api/v1/diff.rdfp` gives.
    """
    offered = ("application/json", patch.MEDIA_TYPE)
    if negotiation.preferred(negotiation.accept_of(request), offered) == patch.MEDIA_TYPE:
        return _patch(services, *_ends(request, services, from_, to))
    old, new, identity = _ends(request, services, from_, to)
    if list != "cells" and (model is not None or property is not None):
        raise BadParameter("model" if model is not None else "property", "chooses cells only", advice="Use list=cells.")
    found = services.history.diff(old, new)
    start = (page - 1) * limit
    items: Any
    if list == "cells":
        cells = services.history.cells(found, model=model, prop=property)
        total, items = len(cells), [history_schemas.cell_change(one) for one in cells[start : start + limit]]
    else:
        things = found.sources if list == "sources" else found.observations
        total, items = len(things), [history_schemas.item_change(one) for one in things[start : start + limit]]
    answer = history_schemas.page(found, items, list, total, (page, limit))
    return _json(answer, identity, Link=links(request, page, limit, total))


def show_patch(request: Request, services: Use, from_: From, to: To = HEAD) -> Response:
    """Every triple that differs between two revisions, as an RDF patch: applied to `from`, it gives `to`."""
    return _patch(services, *_ends(request, services, from_, to))


def _patch(services: Services, old: int, new: int, identity: Representation) -> Response:
    body = services.history.patch(old, new)
    if len(body) > services.settings.max_result_bytes:
        raise QueryRefused(
            f"the patch has {len(body)} bytes, more than the {services.settings.max_result_bytes} that are sent",
            advice="Compare revisions that lie nearer to each other.",
        )
    return Response(body, media_type=patch.MEDIA_TYPE, headers=dict(identity.headers))


def show_blame(
    services: Use,
    identity: Identity,
    model: Annotated[str, Query(max_length=200, description="Slug of the model.", examples=["opt-125m"])],
    property: Annotated[str, Query(max_length=200, description="Name of the property.", examples=["numLayers"])],
) -> Response:
    """Which revision, author and reason put each value, claim and decision into a cell; what came last first."""
    found = services.history.blame(model, property, revision=identity.revision)
    return _json(history_schemas.blamed(found), identity)


def list_changes(
    request: Request,
    services: Use,
    identity: Identity,
    after: Annotated[
        int, Query(ge=0, le=10**9, description="Number of the last revision that you know: a cursor.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Changes on a page.")] = 20,
) -> Response:
    """What was committed after a revision, oldest first. Ask again with the `cursor` of the answer."""
    if after > identity.revision:
        raise BadParameter(
            "after",
            f"{after} is not a cursor of this graph: the newest revision is {identity.revision}",
            advice="Begin again with after=0.",
        )
    root = place_of(request, services).root
    numbers = range(after + 1, min(after + limit, identity.revision) + 1)
    cursor = numbers[-1] if numbers else after
    answer = history_schemas.Changes(
        revision=identity.revision,
        after=after,
        cursor=cursor,
        next=f"{root}{CHANGES}?{urlencode({'after': cursor, 'limit': limit})}" if cursor < identity.revision else None,
        items=[change_of(services, number, root) for number in numbers],
    )
    link = {"Link": f'<{answer.next}>; rel="next"'} if answer.next else {}
    return _json(answer, identity, **link)


def atom(
    request: Request,
    services: Use,
    identity: Identity,
    before: Annotated[
        int | None,
        Query(ge=2, le=10**9, description="Tell of the revisions before this one; the newest when left out."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Changes on a page.")] = 20,
) -> Response:
    """What was committed, newest first, as an Atom feed (RFC 4287); older changes follow the link `next`."""
    end = identity.revision + 1 if before is None else min(before, identity.revision + 1)
    numbers = range(end - 1, max(end - 1 - limit, 0), -1)
    root = place_of(request, services).root
    document = feed.document(
        [change_of(services, number, root) for number in numbers],
        root=root,
        path=ATOM,
        query=request.scope["query_string"].decode("latin-1"),
        older=urlencode({"before": numbers[-1], "limit": limit}) if numbers and numbers[-1] > 1 else None,
        updated=services.history.summary(identity.revision).step.revision.made_at,
    )
    return Response(document, media_type=feed.MEDIA_TYPE, headers=dict(identity.headers))


def show_revision(request: Request, services: Use, number: Number) -> Response:
    """Who made a revision, when and why, and what it did, in numbers. Never changes."""
    revisions.existing(services, number)
    identity = _identity(request, number, fixed=True)
    return _json(change_of(services, number, place_of(request, services).root), identity)


async def revert(request: Request, services: Use, client: Asking, number: Number) -> Response:
    """Makes a new revision that undoes this one, or all from this one to `to`. Nothing of the history is lost.

    Needs a key with the scope `commit`, and `If-Match` with the newest revision that the client has seen. Refused with
    the list of conflicts when later revisions changed the same triples; the result must satisfy the constraints.
    """
    author = author_of(client, Scope.COMMIT)
    expect = needed_revision(request)
    wanted = await json_of(request, Revert)
    await to_thread.run_sync(revisions.existing, services, number)
    last = number if wanted.to is None else wanted.to
    written = await services.revert(number, last, author, reason=wanted.reason.strip(), expect=expect)
    answer = history_schemas.Reverted(revision=written.revision, added=written.added, removed=written.removed)
    location = f"{place_of(request, services).root}/api/v1/revisions/{written.revision}"
    return Response(
        answer.model_dump_json(),
        status_code=201,
        media_type="application/json",
        headers={**result_headers(written), "Location": location},
    )


def change_of(services: Services, number: int, root: str) -> history_schemas.RevisionChange:
    """What one revision did, as JSON."""
    return history_schemas.change(services.history.summary(number), root, resource("revision", str(number)).value)


def _ends(request: Request, services: Services, from_: str, to: str) -> tuple[int, int, Representation]:
    """The numbers of two revisions, and the identity of an answer about them; NotModified, NotFound, BadParameter."""
    asked = revisions.revision_in(request.scope)
    old, new = (
        asked if asked is not None and text == HEAD else services.history.revision_of(text, parameter=name)
        for name, text in (("from", from_), ("to", to))
    )
    return old, new, _identity(request, new, f"{old}", fixed=is_fixed(from_) and is_fixed(to))


def _identity(request: Request, revision: int, *parts: str, fixed: bool) -> Representation:
    query = request.scope["query_string"].decode("latin-1")
    accept = negotiation.accept_of(request) or ""
    tag = etag(revision, revisions.address_in(request.scope), query, accept, *parts)
    kept = revisions.FOR_EVER if fixed else "public, no-cache"
    headers = {"ETag": tag, "X-Revision": str(revision), "Cache-Control": kept, "Vary": "Accept"}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    return Representation(revision, headers)


def _json(answer: BaseModel, identity: Representation, **headers: str) -> Response:
    return Response(answer.model_dump_json(), headers={**identity.headers, **headers}, media_type="application/json")


def _add(
    app: FastAPI, path: str, endpoint: Any, shape: type[BaseModel] | str, name: str, summary: str, *codes: str
) -> None:
    is_json = not isinstance(shape, str)
    content: dict[str, Any] = {"application/json": {}}
    if isinstance(shape, str):
        content = {shape: {"schema": {"type": "string"}}}
    app.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        dependencies=[Depends(strict)],
        operation_id=name,
        summary=summary,
        tags=["History"],
        response_model=shape if is_json else None,
        response_class=JSONResponse if is_json else Response,
        responses={
            200: {"description": "The answer.", "headers": _HEADERS, "content": content},
            304: {"description": "The client has this answer already."},
            **problems.documented("bad-parameter", "not-found", *codes, "too-busy"),
        },
    )


_HEADERS = {
    "X-Revision": {"description": "Revision that the answer is made from.", "schema": {"type": "integer"}},
    "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
}
_REVERT_HEADERS = {
    "X-Revision": {"description": "The new revision.", "schema": {"type": "integer"}},
    "Location": {"description": "Address of the new revision.", "schema": {"type": "string"}},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "Number of the newest revision that the client has seen, in quotation marks.",
    "schema": {"type": "string"},
    "example": '"7"',
}
_REVERT_CODES = (
    "bad-parameter",
    "bad-value",
    "query-refused",
    "unauthorized",
    "forbidden",
    "not-found",
    "revert-conflict",
    "stale-revision",
    "condition-failed",
    "unsupported-media",
    "invalid-graph",
    "precondition-needed",
    "too-busy",
    "store-busy",
)
