"""Entity tags from the revision: an unchanged graph gives unchanged answers, so a tag can be checked before any work.

A tag names the revision, the program's version and everything that shapes the answer. `If-None-Match: *` is not
answered with 304: whether there is something at an address is known only after the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Query, Request
from starlette.responses import Response
from werkzeug.http import parse_etags

from app import __version__
from app.errors import TooBusy
from app.services import Services
from app.web import revisions


@dataclass(frozen=True, slots=True)
class Representation:
    """One answer's identity: the revision that it is made from, and the headers that say so."""

    revision: int
    headers: Mapping[str, str]


class NotModified(Exception):
    """The client has this answer already."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = headers


async def services_of(request: Request) -> Services:
    """The use cases of the application."""
    services: Services = request.app.state.services
    return services


async def admitted(services: Annotated[Services, Depends(services_of)]) -> Services:
    """The use cases, for work that takes a thread. TooBusy when an external engine is so slow that too many wait."""
    if services.settings.store_url is not None:
        waiting = to_thread.current_default_thread_limiter().statistics().tasks_waiting
        if waiting > services.settings.max_waiting:
            raise TooBusy("too many requests are waiting for the engine", retry_after=5)
    return services


def etag(revision: int, *parts: str) -> str:
    """A strong entity tag for an answer made of these parts at a revision."""
    digest = hashlib.sha256("\x1f".join((__version__, *parts)).encode("utf-8", "surrogatepass")).hexdigest()
    return f'"{revision}-{digest[:24]}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the client's tags hold this one (weak comparison, RFC 9110)."""
    return if_none_match is not None and parse_etags(if_none_match).contains_weak(tag.strip('"'))


def identify(
    request: Request,
    services: Annotated[Services, Depends(admitted)],
    revision: Annotated[
        int | None, Query(ge=1, le=10**9, description="Number of the revision to ask; the newest one when left out.")
    ] = None,
) -> Representation:
    """Identify the answer to a request for JSON or CSV; NotModified when the client has it."""
    given = () if revision is None else request.query_params.getlist(revisions.PARAMETER)
    revision = revisions.existing(services, revisions.revision_in(request.scope, given))
    parts = request.scope["query_string"].decode("latin-1").split("&")
    query = "&".join(part for part in parts if not part.startswith("revision="))
    tag = etag(revision, revisions.address_in(request.scope), query)
    headers = {"ETag": tag, "X-Revision": str(revision), "Cache-Control": "public, no-cache"}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    return Representation(revision, headers)


def unless_known(request: Request, answer: Response) -> Response:
    """The answer, which says its own tag; NotModified when the client has it already."""
    if matches(request.headers.get("if-none-match"), answer.headers["etag"]):
        raise NotModified({name: answer.headers[name] for name in ("etag", "x-revision", "cache-control")})
    return answer


def not_modified(_: Request, error: Exception) -> Response:
    """The response for NotModified."""
    assert isinstance(error, NotModified)  # noqa: S101 - registered for this class only
    return Response(status_code=304, headers=dict(error.headers))


Use = Annotated[Services, Depends(admitted)]
Identity = Annotated[Representation, Depends(identify)]
