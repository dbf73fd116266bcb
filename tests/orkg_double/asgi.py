"""The double behind a socket: an ASGI application, and an HTTP protocol that can cut a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.orkg_double.double import Double
from tests.orkg_double.messages import Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_CUT = "orkg_double.cut"
SERVER = b"test double of ORKG"
"""Every answer says what it comes from."""


class CuttingProtocol(H11Protocol):
    """Tells the application how to cut the connection on which a request came."""

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None:  # the application runs after this, as a task of its own
            scope = cast("Scope", self.scope)
            scope.setdefault("extensions", {})[_CUT] = self.transport.abort


class Application:
    """One double as an ASGI application. Requests are carried out one after the other."""

    def __init__(self, double: Double) -> None:
        self.double = double

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        raw = scope.get("raw_path", b"").decode("ascii", "replace")
        request = Request(
            scope["method"],
            unquote(raw) if raw else scope["path"],
            tuple(parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)),
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body,
        )
        outcome = self.double.outcome(request)
        if outcome.delay:
            await asyncio.sleep(outcome.delay)
        if outcome.answer is None:
            scope["extensions"][_CUT]()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        headers = [(b"Server", SERVER)]
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in outcome.answer.headers]
        if outcome.answer.status != 204:
            headers.append((b"Content-Length", str(len(outcome.answer.body)).encode()))
        await send({"type": "http.response.start", "status": outcome.answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": outcome.answer.body})
