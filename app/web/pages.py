"""The pages for people: the front page, a plain form to ask queries, and the API's documentation. All without a CDN.

They work without scripts, but for the documentation, which needs the browser package swagger-ui-dist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from app import vocab
from app.compare.questions import questions
from app.errors import AppError, NotFound, StoreEmpty
from app.model.rdf import IRI, Literal, Term
from app.outcomes import outcome
from app.services import Services
from app.store import port
from app.store.engine import written
from app.store.guard import Form
from app.web import evaluation
from app.web.caching import Use
from app.web.clients import Asking, Client
from app.web.parameters import strict
from app.web.problems import headers_of
from app.web.sparql import client_headers

ROWS_SHOWN = 500
"""Rows or triples of an answer that a page shows."""
BYTES_SHOWN = 5_000_000
"""Bytes of them, as the engine writes them."""
_IRI = re.compile(re.escape(vocab.BASE) + r"[\w#/.-]*\w", re.ASCII)
"""One of our own IRIs within a text."""
SWAGGER = Path(__file__).parent / "static" / "vendor" / "swagger-ui"

templates = Environment(
    loader=PackageLoader("app.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters["thousands"] = lambda number: f"{number:,}"


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    for path, endpoint in (("/", front), ("/query", ask), ("/docs", docs)):
        app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            dependencies=[Depends(strict)],
            include_in_schema=False,
            response_class=HTMLResponse,
        )


def front(services: Use) -> Response:
    """What this is, how much it holds, and where to go on."""
    try:
        head = services.store.head()
        counts = services.counts(revision=head.number)
    except StoreEmpty:
        head, counts = None, None
    return page("front.html", head=head, counts=counts, questions=questions(), sample=_SAMPLE)


async def ask(
    request: Request,
    services: Use,
    client: Asking,
    query: Annotated[str | None, Query()] = None,
    example: Annotated[str | None, Query()] = None,
) -> Response:
    """A text box for a query and, when there is one, the beginning of its answer.

    The query is a stranger's like any other: the guard reads it, a reader answers it, and the client's limits hold.
    """
    chosen = next((one for one in questions() if one.name == example), None)
    if example is not None and chosen is None:
        raise NotFound("example query", example, advice="GET /api/v1/queries lists them.")
    text = query if query is not None else (chosen.text if chosen else None)
    answer: dict[str, Any] = {}
    status = 200
    headers: dict[str, str] = {}
    if text is not None:
        try:
            answer = await _answer(request.app, services, client, text)
            headers = client_headers(services, client)
        except AppError as error:
            answer = {"error": error}
            status = outcome(error.code).status
            headers = headers_of(error)
    shown = text if text is not None else _SAMPLE
    return page(
        "query.html", status, headers, text=shown, chosen=chosen, questions=questions(), answer=answer, most=ROWS_SHOWN
    )


def docs() -> Response:
    """The API's documentation in the browser, from this address alone."""
    return page("docs.html", installed=(SWAGGER / "swagger-ui-bundle.js").is_file())


async def _answer(app: FastAPI, services: Services, client: Client, text: str) -> dict[str, Any]:
    """What the page shows of a query's answer: a truth value, a graph as text, or rows."""
    form = await evaluation.form_of(app, services, text)
    revision = await evaluation.revision_of(services)
    limits = replace(client.limits, max_bytes=min(client.limits.max_bytes, BYTES_SHOWN))
    patient = replace(client, limits=limits)
    found = await evaluation.beginning(app, services, patient, port.Query(text), form, revision, ROWS_SHOWN)
    shown: dict[str, Any] = {"revision": revision, "more": found.more}
    if form is Form.ASK:
        return shown | {"truth": found.truth}
    if form.gives_graph:
        return shown | {"graph": written(found.triples, "text/turtle").decode("utf-8"), "triples": len(found.triples)}
    rows = [[_shown(row.get(name)) for name in found.columns] for row in found.rows]
    return shown | {"columns": found.columns, "rows": rows}


def _shown(term: Term | None) -> dict[str, Any]:
    """A term for a table cell: IRIs in short form, numbers set to the right."""
    if term is None:
        return {"text": "", "address": None, "number": False}
    if isinstance(term, IRI):
        address = term.value if term.value.startswith(("https://", "http://")) else None
        own = term.value.startswith(vocab.BASE)
        return {"text": vocab.shrink(term.value), "address": None if own else address, "number": False}
    numeric = isinstance(term, Literal) and term.datatype.value in _NUMERIC
    return {"text": term.value, "address": None, "number": numeric}


def _code_marks(text: str) -> Markup:
    """Text whose parts between backticks are code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def _words_of(name: str) -> str:
    """A name such as TechnicalReport as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _sentence(text: str) -> str:
    """A message as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


templates.filters["code_marks"] = _code_marks
templates.filters["words_of"] = _words_of
templates.filters["sentence"] = _sentence
templates.filters["spaced"] = lambda text: text.replace("-", " ")
templates.filters["short_iris"] = lambda text: _IRI.sub(lambda found: vocab.shrink(found.group()), text)
templates.filters["shrunk"] = vocab.shrink


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, /, **context: Any) -> Response:
    """A page from its template."""
    html = templates.get_template(template).render(version=vocab.VERSION, **context)
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-cache", **(headers or {})})


_NUMERIC = frozenset({vocab.xsd.integer, vocab.xsd.decimal, vocab.xsd.double, vocab.xsd.float})
_SAMPLE = """PREFIX slm: <https://w3id.org/slmkg/ontology#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT ?model ?layers ?hidden WHERE {
  ?m a slm:LanguageModel ; rdfs:label ?model ; slm:hasArchitecture ?a .
  ?a slm:numLayers ?layers ; slm:hiddenSize ?hidden .
}
ORDER BY DESC(?layers)
LIMIT 10
"""
