"""Travel in time: which revision a request asks, and `/r/N/…`, under which every read address answers for ever.

An answer below `/r/N` may be kept for ever, since a revision never changes. What does not depend on a revision has no
address there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import quote, unquote_plus

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, BadParameter, NotFound
from app.services import Services
from app.web.problems import answered, problem_response

FOR_EVER = "public, max-age=31536000, immutable"
PARAMETER = "revision"
_PLACE = re.compile(r"/r/(?P<number>[1-9][0-9]{0,8})(?=/)")
_RELEASE_PLACE = re.compile(r"/r/(?P<name>[^/]{1,100})(?=/)")
_RELEASE = re.compile(r"[0-9]{4}\.[0-9][0-9a-z.-]{0,30}", re.ASCII)
"""What can only be meant as the name of a release."""
_READING = ("GET", "HEAD", "OPTIONS")
_ASKED_BY_POST = "/sparql"
_KEY = "slmkg.revision"
_REFUSED = 400


def revision_in(scope: Scope, given: Iterable[str] = ()) -> int | None:
    """The revision that a request names, by its address or by parameters; BadParameter when they disagree."""
    named = {_number(scope, text) for text in given}
    if 0 in named:
        raise BadParameter(PARAMETER, "is not the number of a revision", advice="Revisions are numbered from 1.")
    if _KEY in scope:
        named.add(scope[_KEY])
    if len(named) > 1:
        raise BadParameter(PARAMETER, "several revisions are named", advice="Name one.")
    return next(iter(named), None)


def _number(scope: Scope, text: str) -> int:
    """The revision that a text names by its number or as a release; 0 where it can be neither."""
    if _RELEASE.fullmatch(text):
        return _released(scope, text)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def existing(services: Services, wanted: int | None) -> int:
    """The number of a revision that there is, the newest for None; NotFound."""
    newest = services.store.head().number
    if wanted is not None and not 1 <= wanted <= newest:
        raise NotFound("revision", str(wanted), advice=f"The newest is {newest}.")
    if wanted is not None and wanted < (oldest := services.store.oldest()):
        raise NotFound("revision", str(wanted), advice=f"The oldest whose graph is kept is {oldest}.")
    return newest if wanted is None else wanted


def prefix_of(scope: Scope) -> str:
    """`/r/N` when the request came that way."""
    return f"/r/{scope[_KEY]}" if _KEY in scope else ""


def address_in(scope: Scope) -> str:
    """The path of a request without the prefixes under which it is served."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


@dataclass(frozen=True, slots=True)
class TimeTravel:
    """Takes `/r/N` from the address, and makes the answer one that may be kept for ever.

    The name of a release may stand for its revision: `/r/NAME` leads to `/r/N`, and `?revision=NAME` means it.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        found = _PLACE.match(address_in(scope))
        try:
            if found is None and (named := _RELEASE_PLACE.match(address_in(scope))) is not None:
                number = await to_thread.run_sync(_released, scope, named["name"])
                await _moved(scope, named.end(), number)(scope, receive, send)
                return
            scope = await _numbered(scope)
        except AppError as error:
            await answered(Request(scope), error)(scope, receive, send)
            return
        if found is None:
            await self.app(scope, receive, send)
            return
        address = address_in(scope)[found.end() :]
        method = scope["method"]
        if method not in _READING and not (method == "POST" and address == _ASKED_BY_POST):
            refusal = problem_response(
                "method-not-allowed",
                "a revision that was made is never changed",
                advice="Write to the address without `/r/N`.",
                headers={"Allow": ", ".join(_READING)},
            )
            await refusal(scope, receive, send)
            return
        inner = {**scope, "root_path": scope.get("root_path", "") + found.group(), _KEY: int(found["number"])}
        answer = _Kept(found["number"], inner, receive, send)
        await self.app(inner, receive, send if method == "OPTIONS" else answer.pass_on)


async def _numbered(scope: Scope) -> Scope:
    """The same request, with the number of a revision where its parameters name a release; NotFound."""
    encoded: bytes = scope["query_string"]
    if PARAMETER.encode() not in encoded:
        return scope
    parts = encoded.split(b"&")
    for place, part in enumerate(parts):
        name, _, value = part.partition(b"=")
        text = unquote_plus(value.decode("latin-1"))
        if name == PARAMETER.encode() and _RELEASE.fullmatch(text):
            number = await to_thread.run_sync(_released, scope, text)
            parts[place] = name + b"=" + str(number).encode()
    return {**scope, "query_string": b"&".join(parts)}


def _released(scope: Scope, name: str) -> int:
    """The revision that a release holds; NotFound, with the names that are nearest."""
    services: Services = scope["app"].state.services
    try:
        return services.releases.find(name).revision
    except (NotFound, BadParameter):
        known = [one.name for one in services.releases.list()]
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        there = f"Releases: {', '.join(known[-10:]) or 'none yet'}."
        advice = f"Did you mean {' or '.join(close)}?" if close else there
        raise NotFound("release", name, advice=advice) from None


def _moved(scope: Scope, end: int, number: int) -> Response:
    """Where the answer for a release is: at its revision. A release is never changed, so this may be kept."""
    rest = quote(address_in(scope)[end:], safe="/:@!$&'()*+,;=~-._")
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    location = f"{scope.get('root_path', '')}/r/{number}{rest}{query}"
    return Response(status_code=307, headers={"Location": location, "Cache-Control": "public, max-age=86400"})


class _Kept:
    """The answer to one request below `/r/N`, on its way out."""

    def __init__(self, number: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._number = number
        self._scope = scope
        self._receive = receive
        self._send = send
        self._replaced = False

    async def pass_on(self, message: Message) -> None:
        """Send the answer on with its new headers; an answer that is of no revision becomes an error."""
        if self._replaced:
            return
        if message["type"] == "http.response.start" and message["status"] < _REFUSED:
            headers = MutableHeaders(scope=message)
            if headers.get("x-revision") != self._number:
                self._replaced = True
                missing = NotFound("page", self._scope["path"], advice="Its answer does not depend on a revision.")
                await answered(Request(self._scope), missing)(self._scope, self._receive, self._send)
                return
            if headers.get("cache-control") != "no-store":
                headers["Cache-Control"] = FOR_EVER
        await self._send(message)
