"""The SPARQL 1.1 Protocol for updates: one request is one revision, or changes nothing.

Off for everybody without a key of scope `update`. A request may hold several operations; they are committed together.
Parameters that the protocol does not define are ignored, as they are for queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.errors import BadParameter, UnsupportedMedia
from app.web import problems
from app.web.caching import Use
from app.web.clients import Asking
from app.web.logs import seen
from app.web.metrics import Metrics
from app.web.parameters import pairs
from app.web.writing import (
    UPDATE,
    author_of,
    body_of,
    expected_revision,
    graph_iri,
    media_type_of,
    result_headers,
    text_of,
)

PATH = "/update"
FORM = "application/x-www-form-urlencoded"
_ENCODING_GROWTH = 3
"""Percent-encoding makes a byte three at most."""
_BODY_ROOM = 16_384
"""Bytes of a form besides the update: the names of graphs."""


class Change(BaseModel):
    """What a write did."""

    model_config = ConfigDict(title="Change")

    revision: int = Field(description="The newest revision: the one that was made, or the old one if nothing changed.")
    added: int = Field(description="Triples that the change added.")
    removed: int = Field(description="Triples that the change removed.")


def register(app: FastAPI) -> None:
    """Add the endpoint to an application."""
    app.add_api_route(
        PATH,
        by_post,
        methods=["POST"],
        operation_id="sparqlUpdate",
        summary="Change the graph by a SPARQL update",
        tags=["SPARQL"],
        response_model=Change,
        response_class=Response,
        responses={**_ANSWER, **problems.documented(*_CODES)},
        openapi_extra={"parameters": _PARAMETERS, "requestBody": _BODY},
    )


async def by_post(request: Request, services: Use, client: Asking) -> Response:
    """Runs one update, as a form field or as the whole body, and commits what it changes as one revision.

    Needs a key with the scope `update`. The result must satisfy the constraints, and every triple needs a named graph:
    use GRAPH, WITH or the parameters. `If-Match` with a revision's number makes sure that nobody else wrote since.
    """
    author = author_of(client)
    media_type, _ = media_type_of(request)
    if media_type not in {FORM, UPDATE}:
        raise UnsupportedMedia(
            f"{media_type or 'a body without a type'} is not read here", advice=f"Send {FORM} or {UPDATE}."
        )
    limit = services.settings.max_update_bytes
    in_address = pairs(request.scope["query_string"])
    if any(name in {"update", "query"} for name, _ in in_address):
        raise BadParameter("update", "an update stands in the body, not in the address", advice="Send it as the body.")
    if media_type == FORM:
        fields = [*pairs(await body_of(request, limit * _ENCODING_GROWTH + _BODY_ROOM)), *in_address]
    else:
        fields = [("update", text_of(await body_of(request, limit))), *in_address]
    update, using, using_named = _read(fields)
    seen(request.scope).asks(update)
    base = f"{str(request.base_url).rstrip('/')}{PATH}"
    metrics: Metrics = request.app.state.metrics
    with metrics.evaluating("update"):
        written = await services.update(
            update, author, base=base, using=using, using_named=using_named, expect=expected_revision(request)
        )
    change = Change(revision=written.revision, added=written.added, removed=written.removed)
    return Response(change.model_dump_json(), media_type="application/json", headers=result_headers(written))


def _read(fields: Iterable[tuple[str, str]]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The update and its dataset; BadParameter unless there is exactly one update and no query."""
    by_name: dict[str, list[str]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    if "query" in by_name:
        raise BadParameter("query", "queries are not answered here", advice="Ask /sparql.")
    updates = by_name.get("update", [])
    if len(updates) != 1:
        found = "there are several" if updates else "there is none"
        raise BadParameter("update", f"exactly one update is needed, {found}", advice="Join operations with `;`.")
    using, using_named = (
        tuple(graph_iri(name, graph).value for graph in by_name.get(name, ()))
        for name in ("using-graph-uri", "using-named-graph-uri")
    )
    return updates[0], using, using_named


_EXAMPLE = (
    "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n"
    "INSERT DATA { GRAPH <https://w3id.org/slmkg/graph/registry> {\n"
    '  <https://w3id.org/slmkg/resource/device/my-board> rdfs:label "My board"@en } }'
)
_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"IRI of a graph for the {role} of WHERE clauses; may be given several times.",
        "schema": {"type": "array", "items": {"type": "string", "format": "iri"}},
        "explode": True,
    }
    for name, role in (("using-graph-uri", "default graph"), ("using-named-graph-uri", "named graphs"))
] + [
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "Number of the revision that the change was made against, in quotation marks.",
        "schema": {"type": "string"},
        "example": '"7"',
    }
]
_BODY = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["update"],
                "properties": {
                    "update": {"type": "string"},
                    "using-graph-uri": {"type": "array", "items": {"type": "string"}},
                    "using-named-graph-uri": {"type": "array", "items": {"type": "string"}},
                },
            },
            "example": {"update": _EXAMPLE},
        },
        UPDATE: {"schema": {"type": "string"}, "example": _EXAMPLE},
    },
}
_CODES = (
    "bad-parameter",
    "bad-query",
    "query-refused",
    "unauthorized",
    "forbidden",
    "stale-revision",
    "condition-failed",
    "unsupported-media",
    "invalid-graph",
    "too-many-requests",
    "too-busy",
    "query-timeout",
    "store-busy",
    "store-full",
)
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The change is committed.",
        "headers": {"X-Revision": {"description": "The newest revision.", "schema": {"type": "integer"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}},
    },
}
