"""What the service writes about requests: who answered what and how fast, and where an unexpected error arose.

Never what was asked: no parameters, no bodies, no headers, and no words of an exception, since engines and parsers
like to quote the query that they fail on.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_PLAIN = re.compile(r"[!-<>@-~]*")
"""The part of a path before anything that could be a parameter, or that is no printable ASCII."""
_LONGEST = 120
_DEEPEST = 60
"""Frames of a traceback that are told, the innermost ones."""
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def configure(level: str) -> None:
    """Write the application's messages of this level and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    ours = logging.getLogger("app")
    ours.handlers[:] = [handler]
    ours.setLevel(level.upper())


def hide_parameters() -> None:
    """Keep parameters out of uvicorn's own lines about requests, for those who run it by themselves."""
    access = logging.getLogger("uvicorn.access")
    if _without_parameters not in access.filters:
        access.addFilter(_without_parameters)


def path_of(scope: Scope) -> str:
    """The path of a request as the log may show it."""
    return _plain(scope["path"])


def places(error: BaseException) -> str:
    """An error's kind and where it arose, and so for what led to it; words only where the system chose them."""
    told: list[str] = []
    seen: set[int] = set()
    ahead: list[BaseException] = [error]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        words = f": {one.strerror}" if isinstance(one, OSError) and isinstance(one.strerror, str) else ""
        frames = traceback.extract_tb(one.__traceback__)[-_DEEPEST:]
        where = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        told.append("\n".join([f"{type(one).__module__}.{type(one).__qualname__}{words}", *where]))
        if isinstance(one, BaseExceptionGroup):
            ahead.extend(reversed(one.exceptions))
        before = one.__cause__ if one.__suppress_context__ else one.__cause__ or one.__context__
        if before is not None:
            ahead.append(before)
    return "\nwhich followed on ".join(told)


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Writes one line about each request: id, method, path, status, milliseconds, bytes."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status, size = "gone", 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = str(message["status"])
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            log.info(
                "request %s: %s %s %s, %.1f ms, %d bytes",
                scope.get("slmkg.request_id", "-"),
                scope["method"],
                path_of(scope),
                status,
                1000 * (time.perf_counter() - begun),
                size,
            )


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
