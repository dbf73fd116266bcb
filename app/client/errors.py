"""Errors of the client: one class for each way in which a caller goes on. Members are those of the problem details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of every error of this client."""


class Unreachable(ClientError):
    """The service could not be reached, or broke off, as often as was tried."""


class BadAnswer(ClientError):
    """What answered does not speak as the service does."""


class TooLarge(ClientError):
    """The answer is larger than `max_bytes`."""


class MissingLibrary(ClientError, ImportError):
    """A library that only this method needs is not installed."""


class ServiceError(ClientError):
    """The service refused: its problem details (RFC 9457), member by member."""

    def __init__(self, status: int, members: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.members = dict(members)
        self.retry_after = retry_after
        self.code = str(members.get("code", ""))
        self.title = str(members.get("title", ""))
        self.detail = str(members.get("detail", ""))
        self.advice: str | None = members.get("advice")
        self.parameter: str | None = members.get("parameter")
        self.pointer: str | None = members.get("pointer")
        super().__init__(". ".join(part.rstrip(".") for part in (self.detail or self.title, self.advice) if part))


class BadRequest(ServiceError):
    """What was asked does not fit: see `parameter`, `pointer` and `advice`."""


class NotFound(ServiceError):
    """There is no such thing."""


class NotAllowed(ServiceError):
    """The key is not known, or does not allow this."""


class Refused(ServiceError):
    """It collides with what stands, or breaks constraints."""


class QueryTimeout(ServiceError):
    """The query was stopped at the service's limit: ask for less, or, where `retry_after` says so, again later."""


class Busy(ServiceError):
    """The service is asked too much, or is not ready; `retry_after` is in seconds where it says so."""


class Failed(ServiceError):
    """Something went wrong inside the service."""
