"""What the service notes of each request: who answered what and how fast; and what a path may show in the log.

Never what was asked: no parameters, no bodies, no headers, no words of an exception. Of a query there is a hash, by
which equal ones can be found.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import context
from app.web.metrics import Metrics

log = logging.getLogger(__name__)

_PLAIN = re.compile(r"[!-<>@-~]*")
"""The part of a path before anything that could be a parameter, or that is no printable ASCII."""
_LONGEST = 120
_HASH = 16
_SEEN = "slmkg.seen"
_PARENTS = TraceContextTextMapPropagator()
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
"""Stands for what a stranger may choose freely, so that nobody can make up time series without end."""


@dataclass(slots=True)
class Seen:
    """What is known of one request so far; parts add to it what they find out."""

    request: str
    route: str | None = None
    actor: str | None = None
    revision: int | None = None
    query: str | None = None
    status: int | None = None
    size: int = 0

    def asks(self, text: str) -> None:
        """Note a query or an update, without its words."""
        self.query = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


def seen(scope: Scope) -> Seen:
    """What is known of a request; where nobody watches, a place for it that nobody reads."""
    found = scope.get(_SEEN)
    return found if isinstance(found, Seen) else Seen("")


@dataclass(frozen=True, slots=True)
class Watching:
    """Names each request, counts and times it, and writes one line about it at its end.

    The outermost of all. Lines that others write in the course of a request bear its id and its trace.
    """

    app: ASGIApp
    new_id: Callable[[], str]
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        known = Seen(self.new_id())
        span = trace.get_current_span()
        place = _place_of(span, scope)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                known.status = message["status"]
                known.revision = _revision_in(message)
                _tell(span, known)
            else:
                known.size += len(message.get("body", b""))
            await send(message)

        self.metrics.begun()
        with context(request=known.request, trace=place[0], span=place[1]):
            try:
                await self.app({**scope, _SEEN: known, "slmkg.request_id": known.request}, receive, noted)
            finally:
                self.metrics.ended()
                self._end(scope, known, time.perf_counter() - begun)

    def _end(self, scope: Scope, known: Seen, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = known.route or _OTHER
        status = "gone" if known.status is None else str(known.status)
        self.metrics.answered(method, route, status, seconds)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "request",
                extra={
                    "method": scope["method"][:_LONGEST],
                    "path": path_of(scope),
                    "route": known.route,
                    "status": known.status or "gone",
                    "milliseconds": round(1000 * seconds, 1),
                    "bytes": known.size,
                    "actor": known.actor,
                    "revision": known.revision,
                    "query": known.query,
                },
            )


@dataclass(frozen=True, slots=True)
class Named:
    """Notes which route answers. The innermost of all: what the router writes into the scope is seen only here."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                template = getattr(scope.get("route"), "path", None)
                seen(scope).route = template if isinstance(template, str) else None


def hide_parameters() -> None:
    """Keep parameters out of uvicorn's own lines about requests, for those who run it by themselves."""
    access = logging.getLogger("uvicorn.access")
    if _without_parameters not in access.filters:
        access.addFilter(_without_parameters)


def path_of(scope: Scope) -> str:
    """The path of a request as the log may show it."""
    return _plain(scope["path"])


def _place_of(span: Span, scope: Scope) -> tuple[str | None, str | None]:
    """Ids of the trace and the span: our own where telemetry is on, else those that the request brings, if any."""
    found = span.get_span_context()
    if not found.is_valid:
        found = _brought(scope)
    if not found.is_valid:
        return None, None
    return f"{found.trace_id:032x}", f"{found.span_id:016x}"


def _brought(scope: Scope) -> SpanContext:
    """The place in a trace that the header `traceparent` names; one that is not valid where it names none."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            carried = _PARENTS.extract({"traceparent": value.decode("latin-1")}, Context())
            return trace.get_current_span(carried).get_span_context()
    return trace.INVALID_SPAN_CONTEXT


def _tell(span: Span, known: Seen) -> None:
    """Say in the span, if there is one, what the log says: so that one can be found from the other."""
    if span.is_recording():
        told = {"request": known.request, "actor": known.actor, "revision": known.revision, "query": known.query}
        span.set_attributes({f"slmkg.{name}": value for name, value in told.items() if value is not None})


def _revision_in(message: Message) -> int | None:
    """The revision that an answer says it is of."""
    for name, value in message["headers"]:
        if name.lower() == b"x-revision" and value.isdigit():
            return int(value)
    return None


def _plain(path: str) -> str:
    found = _PLAIN.match(path)
    return found.group()[:_LONGEST] if found is not None else ""


def _without_parameters(record: logging.LogRecord) -> bool:
    """Leave of the address in a line of uvicorn's what the log may show."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _plain(unquote(part)) if isinstance(part, str) and part.startswith("/") else part for part in record.args
        )
    return True
