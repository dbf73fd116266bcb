"""The log: one JSON object on each line of standard error, from whichever part of the program it comes.

Parts log with the standard library; structlog makes the line, and adds what is known of the request in whose course it
is written. Only the fields below are ever written, so that nothing slips out which nobody thought of. An exception is
told by its kind and its places, never by its words: engines and parsers like to quote the query that they fail on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

FIELDS = {
    "time": "When, in UTC.",
    "level": "`debug`, `info`, `warning`, `error` or `critical`.",
    "event": "What happened, in words. `request` for the line that ends each request.",
    "logger": "The part of the program that says so.",
    "request": "Id of the request; the answer bears it too, as `X-Request-Id`.",
    "trace": "Id of the trace that the request belongs to, from its `traceparent` or from our own telemetry.",
    "span": "Id of the span in it: the caller's, or ours when telemetry is on.",
    "method": "Method of the request.",
    "path": "The path, up to the first character that could be part of a parameter, and no longer than 120.",
    "route": "The address as the interface describes it: `/api/v1/models/{slug}`. Missing where nothing is served.",
    "status": "Status of the answer; `gone` where the client was, before there was one.",
    "milliseconds": "From the first byte of the request that the application saw to the last of the answer.",
    "bytes": "Length of the answer's body.",
    "actor": "Who asked: `key` with the id of the key, which is not secret. Missing where nobody said.",
    "revision": "Number of the revision that was answered from, or made.",
    "query": "The first 16 hexadecimal digits of the SHA-256 of the query or update. Never its text.",
    "error": "Kind of an exception, and where it arose: files, lines and functions, without its words.",
    "job": "Id of the job.",
    "webhook": "Id of the webhook.",
}
"""Every field that a line may have, in this order, with what it means."""

_known: ContextVar[Mapping[str, Any]] = ContextVar("known", default=MappingProxyType({}))
"""What is known of the request. One variable for all of it: structlog's own are one for each field, and cost more."""
_DEEPEST = 60
"""Frames of a traceback that are told, the innermost ones."""
_THEIRS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "fastapi")
"""Loggers of the server that have handlers of their own when it is started by its own command."""


def configure(level: str) -> None:
    """Write messages of this level and above to standard error; of packages that are not ours, warnings and above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(level.upper())
    logging.captureWarnings(True)
    for name in _THEIRS:
        theirs = logging.getLogger(name)
        if theirs.handlers:  # those without pass their lines on, or were told to be silent
            theirs.handlers[:] = [handler]


@contextmanager
def context(**known: Any) -> Iterator[None]:
    """Add what is known to every line that is written in this block, by this task and by the threads it waits for."""
    token = _known.set({**_known.get(), **{name: value for name, value in known.items() if value is not None}})
    try:
        yield
    finally:
        _known.reset(token)


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


def formatter() -> logging.Formatter:
    """What makes the line of a record."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _with_context,
            structlog.stdlib.ExtraAdder(allow=list(FIELDS)),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[_places_instead_of_words, _known_fields, structlog.processors.JSONRenderer(serializer=_text)],
    )


def _with_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**_known.get(), **event}


def _places_instead_of_words(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """What the standard library would print as a traceback, which ends in the exception's words."""
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["error"] = places(error)
    return event


def _known_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: event[name] for name in FIELDS if event.get(name) is not None}


def _text(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode("utf-8", "replace")
