"""What surrounds every request, as plain ASGI: headers of safety and sharing, HEAD, and the last net for errors.

Plain ASGI because Starlette's `BaseHTTPMiddleware` costs a third of the throughput.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import places
from app.web.logs import path_of
from app.web.metrics import Metrics
from app.web.problems import problem_response

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
BY_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")
"""For answers that went out by TLS, here or at a proxy: the browser asks by nothing else for a year."""
EXPOSED = (
    "Allow, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id, X-Revision"
)
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
    ),
    "Access-Control-Max-Age": "86400",
}
_ALWAYS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED.encode()),
]
_OWN = (b"cross-origin-resource-policy", b"same-origin")
_UNLESS_SET = [
    (name.lower().encode(), value.encode()) for name, value in {**SECURITY_HEADERS, "Cache-Control": "no-cache"}.items()
]
"""Encoded once: these go out with every answer."""


@dataclass(frozen=True, slots=True)
class CommonHeaders:
    """Adds the headers of every response, and answers the questions that browsers ask before a cross-origin request.

    Anybody may read, and pages of other origins can send no cookie, so sharing with all of them gives nothing away.
    What knows who looks at it (its resource policy is `same-origin`) is not shared.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id: str = scope["slmkg.request_id"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = list(message["headers"])
                there = {name for name, _ in headers}
                headers += [header for header in _UNLESS_SET if header[0] not in there]
                if _OWN not in headers:
                    headers += _ALWAYS
                if scope.get("scheme") == "https":
                    headers.append(BY_TLS_ONLY)
                headers.append((b"x-request-id", request_id.encode()))
                message["headers"] = headers
            await send(message)

        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            await Response(status_code=204, headers=PREFLIGHT_HEADERS)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)


@dataclass(frozen=True, slots=True)
class HeadAsGet:
    """Answers HEAD with the headers of GET, wherever GET works."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET", "slmkg.head": True}, receive, send_without_body)


class CutOffError(Exception):
    """An answer failed when its status had gone out: the server must hang up, so that nobody takes it for whole."""


@dataclass(frozen=True, slots=True)
class LastNet:
    """Turns an unexpected exception into problem details without internal text; logs its place with the request's id.

    Neither the answer nor the log has the exception's words: they may quote what was asked.
    """

    app: ASGIApp
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:
            request_id = scope.get("slmkg.request_id", "")
            self.metrics.errors.inc()
            log.error(  # noqa: TRY400 - a traceback would end in the exception's words
                "the request failed",
                extra={
                    "request": request_id,
                    "method": scope["method"],
                    "path": path_of(scope),
                    "error": places(error),
                },
            )
            if started:
                raise CutOffError("the answer failed after its beginning was sent") from None
            response = problem_response(
                "internal",
                "the request could not be answered",
                advice="Report it with the request's id.",
                request=request_id,
            )
            await response(scope, receive, send)
