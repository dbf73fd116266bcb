"""A service that only reads refuses whatever might change something, before anything of it is read."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import WritesElsewhere
from app.web.problems import answered
from app.web.revisions import address_in

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ASKED_BY_POST = "/sparql"


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Lets through what reads: GET, HEAD, OPTIONS, and queries that are sent by POST. `where` is who writes."""

    app: ASGIApp
    where: str | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            method, address = scope["method"], address_in(scope)
            if method not in _READING and not (method == "POST" and address == _ASKED_BY_POST):
                await answered(Request(scope), WritesElsewhere(self.where))(scope, receive, send)
                return
        await self.app(scope, receive, send)
