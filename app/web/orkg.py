"""The plan of each ORKG comparison that was pulled: over REST and as pages. Only turns values into HTTP.

Reads what lies in the data folder, and the graph; it never asks the ORKG, whoever asks us. What was worked out for a
revision and a pull is kept for the next one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from app.errors import NotFound, StoreEmpty
from app.ingest.bulk.fields import BY_NAME
from app.orkg.archive import Archive, archives
from app.orkg.live import FILE as LOOKED
from app.orkg.live import LiveTable, last_live_table
from app.orkg.mapping import FILE as MAPPING
from app.orkg.mapping import read_pinned
from app.orkg.plan import MEANING, Line, Plan, State, line_json
from app.services import Services
from app.web import case_pages, pages, problems
from app.web.caching import Use, etag, unless_known
from app.web.parameters import strict

LIST = "/api/v1/orkg"
ONE = "/api/v1/orkg/{host}/{comparison}"
PAGES = "/orkg"
PAGE = "/orkg/{host}/{comparison}"
_KEPT = 8
_MOST = 1_000
_ON_A_PAGE = 100

Host = Annotated[str, Path(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$", description="Host of the ORKG.")]
Id = Annotated[str, Path(pattern=r"^[a-zA-Z0-9_-]{1,255}$", description="Id of the comparison's head.")]
Wanted = Annotated[State | None, Query(description="Only cells in this state.")]
Model = Annotated[str | None, Query(max_length=200, description="Only cells of the model with this slug.")]
Number = Annotated[int, Query(ge=1, le=10**6, description="Number of the page, from 1.")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrkgComparison(_Answer):
    """A comparison that was pulled, with how its cells stand."""

    host: str
    comparison: str = Field(description="Id of its head.")
    title: str
    version: str = Field(description="Id of the version that the plan compares.")
    pulled_at: str = Field(description="When it was pulled last.")
    looked_at: str | None = Field(description="When somebody looked at it last, if that was after the pull.")
    counts: dict[str, int] = Field(description="How many cells are in each state.")
    href: str = Field(description="Where its cells are.")


class OrkgComparisons(_Answer):
    """Every comparison that was pulled."""

    revision: int
    comparisons: list[OrkgComparison]


class OrkgValue(_Answer):
    """A value as the ORKG has it."""

    label: str
    datatype: str | None
    id: str | None = Field(description="Identifier of a thing; none of a literal.")


class OurValue(_Answer):
    """A value as it would stand in the ORKG."""

    label: str
    datatype: str | None
    iri: str | None


class Ours(_Answer):
    """What we hold."""

    status: str
    values: list[OurValue]
    candidates: list[str] = Field(description="What sources say while nobody has decided.")


class OrkgColumn(_Answer):
    """A column of the comparison."""

    id: str
    label: str


class OrkgRow(_Answer):
    """A row of the comparison."""

    path: list[str] = Field(description="Identifiers of its predicates.")
    label: str


class OrkgCell(_Answer):
    """One cell: what the ORKG said at the last pull, what it says now, what we hold, and how these stand."""

    column: OrkgColumn
    row: OrkgRow
    model: str | None
    property: str | None
    last_pull: list[OrkgValue]
    theirs: list[OrkgValue]
    ours: Ours
    state: State
    why: str


class OrkgPlan(_Answer):
    """The cells of a comparison, a page of them."""

    revision: int
    host: str
    comparison: str
    title: str
    version: str
    pulled_at: str
    looked_at: str | None
    counts: dict[str, int]
    total: int = Field(description="How many cells fit.")
    page: int
    limit: int
    cells: list[OrkgCell]
    models_without_column: list[str] = Field(description="Slugs of our models that no column is about.")
    own_columns: list[str] = Field(description="Ids of columns that we made ourselves.")


@dataclass(frozen=True, slots=True)
class Found:
    """The plan of one comparison as it was worked out for a revision."""

    revision: int
    host: str
    plan: Plan
    looked_at: str | None
    tag: str


@dataclass(slots=True)
class Kept:
    """Plans that were worked out, the least recently used gone first; one is worked out at a time."""

    there: OrderedDict[tuple[object, ...], Found] = field(default_factory=OrderedDict)
    turn: threading.Lock = field(default_factory=threading.Lock)


def register(app: FastAPI) -> None:
    """Add the addresses and pages to an application."""
    app.state.orkg_plans = Kept()
    for path, endpoint, name, summary, shape, codes in (
        (LIST, list_plans, "listOrkgComparisons", "List ORKG comparisons", OrkgComparisons, ()),
        (ONE, show_plan, "showOrkgPlan", "Compare with an ORKG comparison", OrkgPlan, ("not-found",)),
    ):
        app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            operation_id=name,
            summary=summary,
            tags=["ORKG"],
            response_model=shape,
            response_class=JSONResponse,
            dependencies=[Depends(strict)],
            responses={
                304: {"description": "The client has this answer already."},
                **problems.documented("bad-parameter", "store-empty", "bad-file", *codes),
            },
        )
    pages.add(app, ("GET", PAGES, listed), ("GET", PAGE, one))


def list_plans(request: Request, services: Use) -> Response:
    """Every ORKG comparison that was pulled, with how many of its cells agree with us, differ, or wait."""
    found = _all(request, services)
    revision = services.store.head().number
    body = OrkgComparisons(revision=revision, comparisons=[_summary(one) for one in found])
    return _json(request, body, revision, *(one.tag for one in found))


def show_plan(
    request: Request,
    services: Use,
    host: Host,
    comparison: Id,
    state: Wanted = None,
    model: Model = None,
    page: Number = 1,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Cells of a page.")] = _ON_A_PAGE,
) -> Response:
    """The three-way plan of a comparison: each cell at the last pull, now, and with us.

    A cell changes here by review and there by a push; this answer changes nothing, and asks nobody.
    """
    found = _one(request, services, host, comparison)
    lines = _chosen(found.plan, state, model)
    part = lines[(page - 1) * limit : page * limit]
    body = OrkgPlan(
        revision=found.revision,
        host=found.host,
        comparison=found.plan.comparison,
        title=found.plan.title,
        version=found.plan.version,
        pulled_at=found.plan.pulled,
        looked_at=found.looked_at,
        counts=found.plan.counts,
        total=len(lines),
        page=page,
        limit=limit,
        cells=[OrkgCell.model_validate(line_json(line)) for line in part],
        models_without_column=list(found.plan.missing),
        own_columns=list(found.plan.own),
    )
    return _json(request, body, found.revision, found.tag, str(request.url.query))


def listed(request: Request, services: Use) -> Response:
    """The comparisons that were pulled."""
    try:
        found = _all(request, services)
    except StoreEmpty:
        found = []
    return pages.page("orkg.html", comparisons=[_shown(one) for one in found], states=list(State), meaning=MEANING)


def one(
    request: Request,
    services: Use,
    host: Host,
    comparison: Id,
    state: Wanted = None,
    model: Model = None,
    page: Number = 1,
) -> Response:
    """The plan of one comparison; without a choice, everything that differs or waits for somebody."""
    found = _one(request, services, host, comparison)
    lines = _chosen(found.plan, state, model)
    if state is None and model is None:
        lines = [line for line in lines if line.state not in {State.SAME, State.LEFT_OUT}]
    start = (page - 1) * _ON_A_PAGE
    return pages.page(
        "orkg-plan.html",
        found=_shown(found),
        rows=[_row(line) for line in lines[start : start + _ON_A_PAGE]],
        total=len(lines),
        start=start,
        page=page,
        pages=max(1, -(-len(lines) // _ON_A_PAGE)),
        states=[(each.value, found.plan.counts[each.value], MEANING[each]) for each in State],
        state=None if state is None else state.value,
        model=model,
        missing=len(found.plan.missing),
        own=len(found.plan.own),
    )


def _all(request: Request, services: Services) -> list[Found]:
    return [_one(request, services, host, comparison) for host, comparison in archives(services.settings.data_dir)]


def _one(request: Request, services: Services, host: str, comparison: str) -> Found:
    """The plan of one comparison: kept, or worked out now; NotFound."""
    try:
        archive = Archive(services.settings.data_dir, host, comparison)
    except ValueError as error:
        raise _missing(comparison) from error
    files = archive.pulls()
    if not files:
        raise _missing(comparison)
    revision = services.store.head().number
    changing = [archive.folder / name for name in (MAPPING, LOOKED)]
    marks = [str(path.stat().st_mtime_ns) if path.exists() else "" for path in changing]
    key = (revision, str(archive.folder), files[-1].name, *marks)
    kept: Kept = request.app.state.orkg_plans
    with kept.turn:
        found = kept.there.get(key)
        if found is None:
            found = kept.there[key] = _worked_out(services, archive, host, revision, "\x1f".join(map(str, key)))
            while len(kept.there) > _KEPT:
                kept.there.popitem(last=False)
        kept.there.move_to_end(key)
    return found


def _worked_out(services: Services, archive: Archive, host: str, revision: int, tag: str) -> Found:
    pulled = archive.last()
    if pulled is None:
        raise _missing(archive.folder.name)
    live: LiveTable | None = last_live_table(archive.folder)
    if live is not None and live.at <= pulled.at:
        live = None
    now = pulled.live if live is None else live.table
    prepared = services.plan_orkg(pulled, read_pinned(archive.folder), now, revision=revision)
    return Found(revision, host, prepared.plan, None if live is None else live.at, tag)


def _missing(comparison: str) -> NotFound:
    return NotFound("pulled comparison", comparison[:40], advice=f"GET {LIST} lists those that were pulled.")


def _chosen(plan: Plan, state: State | None, model: str | None) -> list[Line]:
    return [line for line in plan.lines if state in {None, line.state} and model in {None, line.model}]


def _summary(found: Found) -> OrkgComparison:
    plan = found.plan
    return OrkgComparison(
        host=found.host,
        comparison=plan.comparison,
        title=plan.title,
        version=plan.version,
        pulled_at=plan.pulled,
        looked_at=found.looked_at,
        counts=plan.counts,
        href=ONE.format(host=found.host, comparison=plan.comparison),
    )


def _shown(found: Found) -> dict[str, Any]:
    """A comparison for a page."""
    summary = _summary(found)
    return {
        **summary.model_dump(),
        "page": PAGE.format(host=found.host, comparison=found.plan.comparison),
        "address": f"{found.plan.base}/comparison/{found.plan.comparison}",
        "total": len(found.plan.lines),
        "agreeing": summary.counts[State.SAME],
        "conflicts": summary.counts[State.CONFLICT],
    }


def _row(line: Line) -> dict[str, Any]:
    """A cell for the page: words only."""
    ours = "; ".join(one.label for one in line.ours.values) or " or ".join(line.ours.candidates)
    known = BY_NAME.get((line.property or "").partition(" [")[0])
    return {
        "column": line.column_label,
        "id": line.column,
        "model": line.model,
        "row": line.row_label,
        "case": None if line.model is None or known is None else case_pages.address(line.model, known.local),
        "base": "; ".join(one.label for one in line.base),
        "theirs": "; ".join(one.label for one in line.theirs),
        "moved": line.base != line.theirs,
        "ours": ours,
        "status": line.ours.status,
        "state": line.state.value,
        "why": line.why or MEANING[line.state],
    }


def _json(request: Request, body: BaseModel, revision: int, *parts: str) -> Response:
    headers = {
        "ETag": etag(revision, *parts),
        "X-Revision": str(revision),
        "Cache-Control": "public, no-cache",
    }
    return unless_known(request, JSONResponse(body.model_dump(mode="json"), headers=headers))
