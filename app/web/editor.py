"""The SPARQL endpoint as a page: an editor, the example questions, and the beginning of an answer.

Browsers get it at `/sparql`, also below `/r/N`. The page answers by itself, so it can be used without scripts; with
them `static/sparql.js` puts YASGUI in the place of the plain form. The query is a stranger's like any other: the guard
reads it, a reader answers it, and the client's limits hold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from app import vocab
from app.compare.questions import questions
from app.errors import AppError, NotFound, StoreEmpty
from app.model.rdf import IRI, Literal, Term
from app.outcomes import outcome
from app.services import Services
from app.store.engine import written
from app.store.guard import Form
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS
from app.web import evaluation, negotiation, pages
from app.web.clients import Client, client_headers
from app.web.evidence_page import local
from app.web.logs import seen
from app.web.operations import DATASET, Operation, operation
from app.web.problems import headers_of
from app.web.reading import error_page
from app.web.revisions import PARAMETER, revision_in
from app.web.routes import PlainRoute

ENDPOINT = "/sparql"
OLD = "/query"
"""Where the form stood before the endpoint had a page."""
ROWS_SHOWN = 500
"""Rows or triples of an answer that the page shows."""
BYTES_SHOWN = 5_000_000
"""Bytes of them, as the engine writes them."""
YASGUI = pages.STATIC / "vendor" / "yasgui" / "build"
_DATA = (*SELECT_FORMATS, "application/json", *GRAPH_FORMATS)
_NUMERIC = frozenset({vocab.xsd.integer, vocab.xsd.decimal, vocab.xsd.double, vocab.xsd.float})


def register(app: FastAPI) -> None:
    """Add the old address of the page; the new one belongs to the endpoint, which asks `wanted`."""
    app.router.routes.append(PlainRoute(OLD, moved, methods=["GET"], include_in_schema=False))


async def moved(request: Request) -> Response:
    """The old address leads to the new one, with its parameters."""
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{ENDPOINT}?{query}" if query else ENDPOINT, status_code=308)


@lru_cache(maxsize=256)
def wanted(accept: str | None) -> bool:
    """Whether a client likes the page better than any data."""
    return accept is not None and negotiation.preferred(accept, (*_DATA, negotiation.HTML)) == negotiation.HTML


async def show(request: Request, services: Services, client: Client, fields: Sequence[tuple[str, str]]) -> Response:
    """The page for the parameters `query` or `example`, the dataset's and `revision`; others are ignored here."""
    try:
        return await _page(request, services, client, fields)
    except AppError as error:
        answer = error_page(error, "Query")
        answer.headers["Vary"] = "Accept"
        return answer


async def _page(request: Request, services: Services, client: Client, fields: Sequence[tuple[str, str]]) -> Response:
    named = revision_in(request.scope, [value for name, value in fields if name == PARAMETER])
    chosen = None
    for wish in (value for name, value in fields if name == "example"):
        chosen = next((one for one in questions() if one.name == wish), None)
        if chosen is None:
            raise NotFound("example query", wish, advice="GET /api/v1/queries lists them.")
    given = [(name, value) for name, value in fields if name in ("query", *DATASET)]
    if chosen is not None and all(name != "query" for name, _ in given):
        given.append(("query", chosen.text))
    root = f"/r/{named}" if named else ""
    texts = [value for name, value in given if name == "query"]
    answer: dict[str, Any] = {}
    status, headers = 200, {"Vary": "Accept"}
    empty: StoreEmpty | None = None
    try:
        revision = await evaluation.revision_of(services, named)
        headers["X-Revision"] = str(revision)
    except StoreEmpty as error:
        revision, empty = 0, error
    if texts:
        headers["Cache-Control"] = "no-store"
        try:
            asked = operation(request.scope, given)
            seen(request.scope).asks(asked.query.text)
            if empty is not None:
                raise empty
            answer = await _answer(request.app, services, client, asked, revision, root)
            headers |= client_headers(services, client)
        except AppError as error:
            answer = {"error": error}
            status = outcome(error.code).status
            headers |= headers_of(error)
    dataset = [(name, value) for name, value in given if name in DATASET]
    return pages.page(
        "query.html",
        status,
        headers,
        root=root,
        pinned=named,
        text=texts[0] if texts else pages.SAMPLE,
        asked=bool(texts),
        chosen=chosen,
        questions=questions(),
        answer=answer,
        dataset=dataset,
        endpoint=f"{root}{ENDPOINT}" + (f"?{urlencode(dataset, quote_via=quote)}" if dataset else ""),
        prefixes=json.dumps(vocab.PREFIXES),
        base=f"{vocab.BASE}resource/",
        installed=(YASGUI / "yasgui.min.js").is_file(),
    )


async def _answer(
    app: FastAPI, services: Services, client: Client, asked: Operation, revision: int, root: str
) -> dict[str, Any]:
    """What the page shows of a query's answer: a truth value, a graph as text, or rows."""
    form = await evaluation.form_of(app, services, asked.query.text)
    limits = replace(client.limits, max_bytes=min(client.limits.max_bytes, BYTES_SHOWN))
    patient = replace(client, limits=limits)
    found = await evaluation.beginning(app, services, patient, asked.query, form, revision, ROWS_SHOWN)
    shown: dict[str, Any] = {"revision": revision, "more": found.more}
    if form is Form.ASK:
        return shown | {"truth": found.truth}
    if form.gives_graph:
        return shown | {"graph": written(found.triples, "text/turtle").decode("utf-8"), "triples": len(found.triples)}
    rows = [[_shown(row.get(name), root) for name in found.columns] for row in found.rows]
    return shown | {"columns": found.columns, "rows": rows}


def _shown(term: Term | None, root: str) -> dict[str, Any]:
    """A term for a table cell: IRIs in short form, things of ours with their page, numbers set to the right."""
    if term is None:
        return {"text": "", "address": None, "number": False}
    if isinstance(term, IRI):
        place = local(term.value)
        if place.startswith("/"):
            return {"text": vocab.shrink(term.value), "address": f"{root}{place}", "number": False}
        elsewhere = term.value.startswith(("https://", "http://")) and not term.value.startswith(vocab.BASE)
        return {"text": vocab.shrink(term.value), "address": term.value if elsewhere else None, "number": False}
    numeric = isinstance(term, Literal) and term.datatype.value in _NUMERIC
    return {"text": term.value, "address": None, "number": numeric}
