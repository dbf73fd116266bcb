"""Requests and answers as values, and ORKG's error body; what every other module of the double speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names of headers are in small letters; `query` keeps order and repetitions."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def one(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next((value for key, value in self.query if key == name), None)

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a parameter; one value may name several, with commas between them."""
        return tuple(part for key, value in self.query if key == name for part in value.split(",") if part)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header by its name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to a request: an answer after `delay` seconds, or none, because the connection is cut.

    `crash` asks a transport in the client's own process to let the client die, before or after it has its answer.
    """

    answer: Answer | None
    delay: float = 0.0
    crash: bool = False


class Problem(Exception):
    """A request that is refused. `kind` is the part of ORKG's type after `orkg:problem:`; None gives `about:blank`."""

    def __init__(
        self,
        status: int,
        kind: str | None,
        detail: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        **extras: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.extras = extras

    def answer(self, request: Request, timestamp: str) -> Answer:
        """The body of RFC 9457 together with the keys that ORKG had before."""
        title = HTTPStatus(self.status).phrase
        body = {
            "type": f"orkg:problem:{self.kind}" if self.kind else "about:blank",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "instance": request.path,
            **self.extras,
            "error": title,
            "message": self.detail,
            "path": request.path,
            "timestamp": timestamp,
        }
        return Answer(self.status, (("Content-Type", PROBLEM_TYPE), *self.headers), encoded(body))


def encoded(value: Any) -> bytes:
    """JSON as bytes."""
    return json.dumps(value, ensure_ascii=False).encode()


def as_json(value: Any, media: str = JSON_TYPE, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A JSON answer of some media type."""
    return Answer(status, (("Content-Type", media), *headers), encoded(value))


def invalid(detail: str, pointer: str, kind: str, *, status: int = 400) -> Problem:
    """A value that does not fit: its problem says nothing, and the list of errors that ORKG sends along says it."""
    errors = [{"detail": detail, "pointer": pointer, "message": detail, "field": pointer}]
    return Problem(status, kind, HTTPStatus(status).phrase, errors=errors)


def not_valid(detail: str, field: str) -> Problem:
    """A value that fails before ORKG's own code sees it, which is told in another way."""
    errors = [{"detail": detail, "pointer": f"#/{field}", "message": detail, "field": field}]
    return Problem(400, "invalid_argument", "Invalid request content.", errors=errors)


def not_found(kind: str, what: str, identity: str) -> Problem:
    """404 for a thing of some kind (`comparison`, `paper`, `thing`, …), named in the answer as ORKG names it."""
    extras: dict[str, Any] = {f"{kind}_id": identity}
    return Problem(404, f"{kind}_not_found", f'{what} "{identity}" not found.', **extras)
