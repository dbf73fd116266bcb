"""The survey's insights as a page, as JSON and as charts. Only turns values into HTTP: `app.compare.insights` compares.

The queries are asked like a stranger's, under the limits of whoever asks first; what was worked out at a revision is
kept for the next one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.compare import insights
from app.compare.charts.frame import Origin, Spec, framed
from app.compare.insights.terms import shown
from app.compare.insights.values import Cell
from app.errors import AppError
from app.services import Services
from app.store import port
from app.store.guard import Form
from app.store.rq import QueryFile
from app.web import evaluation, problems, reading
from app.web import insight_schemas as shapes
from app.web.caching import Identity, Representation, Use
from app.web.clients import Asking, Client
from app.web.drawing import Picture
from app.web.parameters import strict

PAGE = "/insights"
LIST = "/api/v1/insights"
ONE = "/api/v1/insights/{slug}"
CHART = "/api/v1/insights/{slug}.vl.json"
PICTURE = "/api/v1/insights/{slug}.svg"
_CHART_TYPE = "application/vnd.vegalite.v6+json"
_ROWS = 10_000
"""Rows of a query's answer that are read at most; our queries have one for each model."""
_KEPT = 60
"""Insights that are kept."""
_LARGE, _MIDDLE = 100, 1
"""From these sizes on a number is shown with no places, and with two."""

T = TypeVar("T")


class Kept:
    """What was worked out, the least recently used gone first. For one event loop; revisions never change."""

    def __init__(self) -> None:
        self._there: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Any:
        """What is kept under a key, or None."""
        if key in self._there:
            self._there.move_to_end(key)
        return self._there.get(key)

    def put(self, key: tuple[object, ...], value: T) -> T:
        """Keep a value."""
        self._there[key] = value
        while len(self._there) > _KEPT:
            self._there.popitem(last=False)
        return value


def register(app: FastAPI) -> None:
    """Add the page and the addresses to an application."""
    app.state.insights = Kept()
    app.add_api_route(PAGE, show, methods=["GET"], include_in_schema=False, response_class=HTMLResponse)
    _add(app, LIST, list_insights, "listInsights", "List the survey's insights", shapes.Insights)
    for path, endpoint, name, summary, media in (
        (CHART, show_chart, "showInsightChart", "Show the chart of an insight in Vega-Lite", _CHART_TYPE),
        (PICTURE, show_picture, "showInsightPicture", "Show the chart of an insight as a picture", "image/svg+xml"),
    ):
        _add(app, path, endpoint, name, summary, None, media)
    _add(app, ONE, show_insight, "showInsight", "Show one of the survey's insights", shapes.Insight)


async def list_insights(request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """The survey's insights, each with its verdict: whether the graph says the same.

    The verdict of each is worked out from the numbers, by the rule that the answer states.
    """
    found = [await _worked_out(request.app, services, client, identity.revision, slug) for slug in insights.slugs()]
    listed = [_summary(one) for one in found]
    return _json(shapes.Insights(revision=identity.revision, rule=insights.RULE, insights=listed), identity)


async def show_insight(slug: str, request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """One insight: what the survey states, with its numbers as printed, and what the graph says at this revision.

    With the queries behind it, a table of all numbers, and the addresses of its chart.
    """
    one = await _worked_out(request.app, services, client, identity.revision, slug)
    return _json(_described(one, identity.revision), identity)


async def show_chart(slug: str, request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """The chart of an insight as a Vega-Lite specification with its data inside."""
    one = await _worked_out(request.app, services, client, identity.revision, slug)
    return JSONResponse(_chart(one, identity.revision), headers=dict(identity.headers), media_type=_CHART_TYPE)


async def show_picture(slug: str, request: Request, services: Use, client: Asking, identity: Identity) -> Response:
    """The chart of an insight as SVG."""
    one = await _worked_out(request.app, services, client, identity.revision, slug)
    headers = {**identity.headers, "Content-Type": "image/svg+xml"}
    return Picture(_chart(one, identity.revision), "svg", headers, compressed=False)


async def show(request: Request, services: Use, client: Asking) -> Response:
    """All insights on one page."""
    try:
        asked = await to_thread.run_sync(reading.asked, request, services, ())
        found = [await _worked_out(request.app, services, client, asked.revision, slug) for slug in insights.slugs()]
    except AppError as error:
        return reading.error_page(error, "Insights")
    return asked.page(
        "insights.html",
        found=[_described(one, asked.revision) for one in found],
        summaries=[_summary(one) for one in found],
        rule=insights.RULE,
        cell=_cell,
        asked=_asked,
    )


async def _worked_out(app: FastAPI, services: Services, client: Client, revision: int, slug: str) -> insights.Insight:
    """One insight at a revision; any AppError."""
    key = (revision, insights.existing(slug))
    kept: Kept = app.state.insights
    found: insights.Insight | None = kept.get(key)
    if found is not None:
        return found
    answers = {
        query.name: (
            await evaluation.beginning(app, services, client, port.Query(query.text), Form.SELECT, revision, _ROWS)
        ).rows
        for query in insights.queries_of(slug)
    }
    return kept.put(key, insights.worked_out(slug, services.seed_folder, answers))


def _summary(one: insights.Insight) -> shapes.InsightSummary:
    counts = Counter(statement.verdict for statement in one.statements)
    return shapes.InsightSummary(
        slug=one.slug,
        title=one.title,
        verdict=one.verdict.value,
        agree=counts[insights.Verdict.AGREES],
        differ=counts[insights.Verdict.DIFFERS],
        unknown=counts[insights.Verdict.UNKNOWN],
        href=f"{LIST}/{one.slug}",
    )


def _described(one: insights.Insight, revision: int) -> shapes.Insight:
    at = f"/r/{revision}"
    return shapes.Insight(
        revision=revision,
        slug=one.slug,
        title=one.title,
        claim=one.claim,
        source=one.source,
        locator=one.locator,
        wording=one.wording,
        verdict=one.verdict.value,
        rule=insights.RULE,
        models=one.models,
        observations=one.observations,
        statements=[shapes.InsightStatement.model_validate(asdict(statement)) for statement in one.statements],
        table=shapes.InsightTable.model_validate(one.table),
        queries=[
            shapes.InsightQuery(name=query.name, title=query.title, text=query.text, run=_run(query, at))
            for query in one.queries
        ],
        notes=list(one.notes),
        told=one.told,
        chart=f"{at}{CHART.format(slug=one.slug)}",
        picture=f"{at}{PICTURE.format(slug=one.slug)}",
    )


def _chart(one: insights.Insight, revision: int) -> Spec:
    """The chart with its title, and where its numbers come from."""
    origin = Origin(f"/r/{revision}{ONE.format(slug=one.slug)}", revision)
    return framed(origin, one.title, (), one.chart)


def _run(query: QueryFile, at: str) -> str:
    return f"{at}/sparql?{urlencode({'query': query.text})}"


def _asked(text: str) -> str:
    """The query page with a query in it."""
    return f"/sparql?{urlencode({'query': text})}"


def _cell(value: Cell) -> str:
    """A number for people: three digits that count, or all before the point."""
    if value is None or isinstance(value, str):
        return value or ""
    size = abs(value)
    return shown(float(value), 0 if size >= _LARGE else 2 if size >= _MIDDLE else 4)


def _json(answer: BaseModel, identity: Representation) -> Response:
    return Response(answer.model_dump_json(), headers=dict(identity.headers), media_type="application/json")


def _add(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Any],
    name: str,
    summary: str,
    model: type[BaseModel] | None,
    media: str = "application/json",
) -> None:
    app.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        dependencies=[Depends(strict)],
        operation_id=name,
        summary=summary,
        tags=["Insights"],
        response_model=model,
        response_class=JSONResponse if model else Response,
        responses={
            200: {"description": "The answer.", "headers": _HEADERS, "content": {media: {}}},
            304: {"description": "The client has this answer already."},
            **problems.documented(*_CODES, *(("drawing-timeout",) if media == "image/svg+xml" else ())),
        },
    )


_CODES = ("bad-parameter", "not-found", "too-many-requests", "too-busy", "query-timeout")
_HEADERS = {
    "X-Revision": {"description": "Revision that the answer is made from.", "schema": {"type": "integer"}},
    "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
}
