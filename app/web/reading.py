"""What every page about the graph needs before any work: its revision, its tag, its parameters; and how it fails.

A page that cannot be made is a page too: it says what does not fit and what to do, with the status of the error.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from app.compare import cursors
from app.compare.projection.view import View
from app.compare.spec import nearest
from app.errors import AppError, BadParameter
from app.outcomes import outcome
from app.services import Services
from app.web import revisions
from app.web.caching import NotModified, etag, matches
from app.web.pages import page
from app.web.parameters import pairs
from app.web.problems import headers_of
from app.web.tables import WORTH_IT, takes_gzip


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page. `root` is `/r/N` when it came that way, else empty: links of the page begin with it."""

    services: Services
    revision: int
    root: str
    given: Mapping[str, str]
    headers: Mapping[str, str]
    gzip: bool

    def view(self) -> View:
        """The columns of the revision."""
        return self.services.view(self.revision)

    def page(self, template: str, **context: Any) -> Response:
        """The page from its template, which gets `root` and `revision` besides; compressed for whoever takes that."""
        told = {"root": self.root, "revision": self.revision, **context}
        answer = page(template, 200, self.headers, **told)
        if self.gzip and len(answer.body) >= WORTH_IT:
            body = gzip.compress(bytes(answer.body), compresslevel=1, mtime=0)
            return HTMLResponse(body, headers={**self.headers, "Content-Encoding": "gzip"})
        return answer


def asked(request: Request, services: Services, known: Iterable[str]) -> Asked:
    """Read a request; BadParameter for a parameter that is not `known`, NotModified when the client has the page."""
    given = single(request.scope["query_string"], (*known, revisions.PARAMETER))
    named = given.get(revisions.PARAMETER, "")
    cursor = given.get("after", "")
    wanted = revisions.revision_in(request.scope, [named] if named else [])
    if cursor and (bound := cursors.revision_of(cursor)) != wanted:
        if wanted is not None:
            raise BadParameter(
                "after",
                f"the cursor belongs to revision {bound}",
                advice="Begin again without the cursor.",
                pointer="/after",
            )
        wanted = bound
    number = revisions.existing(services, wanted)
    query = "&".join(f"{name}={value}" for name, value in given.items() if name != revisions.PARAMETER or named)
    root = revisions.prefix_of(request.scope)
    compressed = takes_gzip(request.headers.get("accept-encoding"))
    parts = ("html", root, request.headers.get("host", ""), "gzip" if compressed else "", query)
    tag = etag(number, revisions.address_in(request.scope), *parts)
    headers = {
        "ETag": tag,
        "X-Revision": str(number),
        "Cache-Control": "public, no-cache",
        "Vary": "Accept-Encoding",
    }
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    return Asked(services, number, root, given, headers, compressed)


def single(encoded: bytes, known: Iterable[str]) -> dict[str, str]:
    """Parameters that may be given once each; BadParameter for others. Parameters that say nothing are left out."""
    names = tuple(dict.fromkeys(known))
    found: dict[str, str] = {}
    for name, value in pairs(encoded):
        if name not in names:
            raise BadParameter(name, "there is no such parameter here", advice=nearest(name, names))
        if name in found:
            raise BadParameter(name, "is given twice", advice="Give it once; lists have commas between their members.")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def guarded(make: Callable[[], Response], title: str, form: Callable[[], Mapping[str, Any]] = dict) -> Response:
    """A page, or the page that says why there is none; `form` gives what the reader sent, so that it can be mended."""
    try:
        return make()
    except AppError as error:
        return failed(error, title, form())


def failed(error: AppError, title: str, form: Mapping[str, Any]) -> Response:
    """The page that says why there is no page, with the status of the error."""
    found = outcome(error.code)
    context: dict[str, Any] = {"fields": (), "action": "", **form}
    wrong = error.name if isinstance(error, BadParameter) else None
    context["fields"] = [{**one, "wrong": one["name"] == wrong} for one in context["fields"]]
    return page(
        "problem.html",
        found.status,
        {**headers_of(error), "Cache-Control": "no-store"},
        heading=title,
        error=error,
        kind=found.title,
        pointer=getattr(error, "pointer", None),
        **context,
    )


def sent(request: Request, known: Iterable[str]) -> dict[str, str]:
    """What a request sent in fields of a form, as far as it can be read."""
    try:
        return {name: value for name, value in pairs(request.scope["query_string"]) if name in set(known)}
    except AppError:
        return {}
