"""The front page and the API's documentation, and what all pages are made with. All without a CDN.

They work without scripts, but for the documentation, which needs the browser package swagger-ui-dist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from app import vocab
from app.compare.questions import questions
from app.errors import StoreEmpty
from app.web.caching import Use
from app.web.parameters import strict

_IRI = re.compile(re.escape(vocab.BASE) + r"[\w#/.-]*\w", re.ASCII)
"""One of our own IRIs within a text."""
STATIC = Path(__file__).parent / "static"
SWAGGER = STATIC / "vendor" / "swagger-ui"

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
    add(app, ("GET", "/", front), ("GET", "/docs", docs))


def add(app: FastAPI, *routes: tuple[str, str, Callable[..., Any]]) -> None:
    """Add pages by method, path and endpoint; they take no unknown parameter and are not in the API's documentation."""
    for method, path, endpoint in routes:
        app.add_api_route(
            path,
            endpoint,
            methods=[method],
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
    return page("front.html", head=head, counts=counts, questions=questions(), sample=SAMPLE)


def docs() -> Response:
    """The API's documentation in the browser, from this address alone."""
    return page("docs.html", installed=(SWAGGER / "swagger-ui-bundle.js").is_file())


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


SAMPLE = """PREFIX slm: <https://w3id.org/slmkg/ontology#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT ?model ?layers ?hidden WHERE {
  ?m a slm:LanguageModel ; rdfs:label ?model ; slm:hasArchitecture ?a .
  ?a slm:numLayers ?layers ; slm:hiddenSize ?hidden .
}
ORDER BY DESC(?layers)
LIMIT 10
"""
