"""REST: the audit, open to all: who changed the graph, when, with which key, by what kind of step and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from app import vocab
from app.compare import audit as told
from app.compare import cursors
from app.compare.export import to_csv
from app.compare.grid import Grid, GridColumn
from app.errors import BadParameter
from app.services import Services
from app.web import problems, revisions
from app.web.caching import Identity, Representation, Use
from app.web.parameters import strict

PATH = "/api/v1/audit"
CSV = f"{PATH}.csv"

Agent = Annotated[
    str | None, Query(max_length=200, description="Whose steps: an ORCID iD, or the agent's IRI or its last part.")
]
Step = Annotated[told.Kind | None, Query(description="Which kind of step.")]
Since = Annotated[
    str | None,
    Query(max_length=50, description="Steps from this day or moment (with its zone) on.", examples=["2026-01-01"]),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Steps on a page.")]
After = Annotated[str | None, Query(max_length=200, description="Cursor of a page, from the page before.")]


class Who(BaseModel):
    """Who acted."""

    model_config = ConfigDict(extra="forbid", title="Who")

    iri: str
    name: str
    orcid: str | None = Field(description="The person's ORCID iD, where the graph knows it.")


class Audited(BaseModel):
    """One step: a revision with who made it."""

    model_config = ConfigDict(extra="forbid", title="Audited")

    revision: int
    made_at: datetime
    kind: told.Kind
    by: Who
    key: str | None = Field(description="Id of the key that was used, if it was one. The key itself is kept nowhere.")
    reason: str
    added: int = Field(description="Triples that came.")
    removed: int = Field(description="Triples that went.")


class Audit(BaseModel):
    """One page of the audit, the newest step first."""

    model_config = ConfigDict(extra="forbid", title="Audit")

    revision: int = Field(description="The newest revision when the first page was asked for.")
    total: int = Field(description="Steps that fit, on all pages.")
    next: str | None = Field(description="Cursor of the next page: the parameter `after`.")
    items: list[Audited]


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    for path, endpoint, name, summary, media in (
        (PATH, as_json, "audit", "Who changed what", "application/json"),
        (CSV, as_csv, "auditAsCsv", "Who changed what, as a table", "text/csv"),
    ):
        shape: dict[str, Any] = {} if media == "application/json" else {"schema": {"type": "string"}}
        app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            dependencies=[Depends(strict)],
            operation_id=name,
            summary=summary,
            tags=["History"],
            response_model=Audit if media == "application/json" else None,
            response_class=JSONResponse if media == "application/json" else Response,
            responses={
                200: {"description": "The answer.", "headers": _HEADERS, "content": {media: shape}},
                304: {"description": "The client has this answer already."},
                **problems.documented("bad-parameter", "not-found"),
            },
        )


def as_json(
    request: Request,
    services: Use,
    identity: Identity,
    agent: Agent = None,
    kind: Step = None,
    since: Since = None,
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """Every step that changed the graph, the newest first: agent with name and ORCID iD, key, kind and reason.

    Pages are bound to the revision that was the newest when the first one was asked for.
    """
    page = _page(request, services, identity.revision, (agent, kind, since), limit, after)
    return Response(
        page.model_dump_json(), media_type="application/json", headers=_headers(page, PATH, request, identity)
    )


def as_csv(
    request: Request,
    services: Use,
    identity: Identity,
    agent: Agent = None,
    kind: Step = None,
    since: Since = None,
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """The same as a table; the header `Link` leads to the next page."""
    page = _page(request, services, identity.revision, (agent, kind, since), limit, after)
    headers = {**_headers(page, CSV, request, identity), "Content-Type": "text/csv; charset=utf-8; header=present"}
    return Response(to_csv(_grid(page)), headers=headers)


def _page(
    request: Request,
    services: Services,
    revision: int,
    wanted: tuple[str | None, str | None, str | None],
    limit: int,
    after: str | None,
) -> Audit:
    if limit > services.settings.max_page:
        raise BadParameter("limit", f"at most {services.settings.max_page} items fit on a page")
    if after and (bound := cursors.revision_of(after)) != revision:
        if revisions.PARAMETER in request.query_params or revisions.prefix_of(request.scope):
            raise BadParameter("after", f"the cursor belongs to revision {bound}", advice="Begin again without it.")
        revision = revisions.existing(services, bound)
    choice = told.chosen(*wanted)
    question = f"audit\x1f{choice}"
    start = cursors.read(after, question, revision) if after else 0
    found = told.revisions(services.store, choice, revision=revision)
    more = start + limit < len(found)
    entries = told.audit(services.store, found[start : start + limit], revision=revision)
    return Audit(
        revision=revision,
        total=len(found),
        next=cursors.written(question, revision, start + limit) if more else None,
        items=[
            Audited(
                revision=one.revision.number,
                made_at=one.revision.made_at,
                kind=one.kind,
                by=Who(iri=one.by.iri, name=one.by.name, orcid=one.by.orcid),
                key=one.key,
                reason=one.revision.reason,
                added=one.revision.added,
                removed=one.revision.removed,
            )
            for one in entries
        ],
    )


def _headers(page: Audit, path: str, request: Request, identity: Representation) -> dict[str, str]:
    headers = {**identity.headers, "X-Revision": str(page.revision)}
    if page.next:
        kept = [(name, value) for name, value in request.query_params.items() if name != "after"]
        root = revisions.prefix_of(request.scope)
        headers["Link"] = f'<{root}{path}?{urlencode([*kept, ("after", page.next)])}>; rel="next"'
    return headers


def _grid(page: Audit) -> Grid:
    rows = [
        [
            *(
                one.revision,
                one.model_dump(mode="json")["made_at"],
                one.kind.value,
                one.by.iri,
                one.by.name,
                one.by.orcid,
                one.key,
            ),
            *(one.reason, one.added, one.removed),
        ]
        for one in page.items
    ]
    return Grid("audit", tuple(GridColumn(name, name, iri) for name, iri in _COLUMNS), rows)


_COLUMNS = (
    ("revision", vocab.slm.revisionNumber),
    ("made_at", vocab.prov.startedAtTime),
    ("kind", vocab.dct.type),
    ("agent", vocab.prov.wasAssociatedWith),
    ("name", vocab.rdfs.label),
    ("orcid", vocab.slm.orcid),
    ("key", vocab.slm.usedKey),
    ("reason", vocab.slm.reason),
    ("added", vocab.slm.addedCount),
    ("removed", vocab.slm.removedCount),
)
_HEADERS = {
    "X-Revision": {"description": "Revision to which the pages are bound.", "schema": {"type": "integer"}},
    "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
    "Link": {"description": "The next page, where there is one.", "schema": {"type": "string"}},
}
