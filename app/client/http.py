"""Requests over HTTP: tried again when the service is busy, answers kept by their tags, refusals as typed errors."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import stamina

from app import __version__
from app.client.errors import (
    BadAnswer,
    BadRequest,
    Busy,
    Failed,
    NotAllowed,
    NotFound,
    QueryTimeout,
    Refused,
    ServiceError,
    TooLarge,
    Unreachable,
)

_IMMUTABLE = "immutable"
_PASSING = frozenset({"store-busy", "engine-unavailable", "too-busy", "too-many-requests"})
"""Kinds of errors that go away by themselves."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came."""

    body: bytes
    headers: httpx.Headers


class Http:
    """Asks one service; the parameters are those of `app.client.Client`."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        attempts: int,
        patience: float,
        cache_bytes: int,
        max_bytes: int,
        transport: httpx.BaseTransport | None,
    ) -> None:
        address = httpx.URL(base_url.rstrip("/"))
        if address.scheme not in {"http", "https"} or not address.host:
            raise ValueError(f"{base_url!r} is no address of a service: write e.g. http://127.0.0.1:8000")
        headers = {"User-Agent": f"slmkg-client/{__version__}"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.base = str(address)
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout, transport=transport)
        self._attempts = attempts
        self._patience = patience
        self._max_bytes = max_bytes
        self._kept = _Kept(cache_bytes)

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def get(self, address: str, accept: str) -> Received:
        """The answer at an address: the kept one, if it is still right."""
        key = (address, accept)
        kept = self._kept.get(key)
        if kept is not None and _IMMUTABLE in kept.headers.get("cache-control", ""):
            return kept
        tag = {} if kept is None else {"If-None-Match": kept.headers["etag"]}
        received = self.send("GET", address, accept, headers=tag)
        if received is _UNCHANGED and kept is not None:
            return kept
        if "etag" in received.headers:
            self._kept.put(key, received)
        return received

    def send(
        self, method: str, address: str, accept: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Received:
        """One request that may be sent again. Raises typed errors."""
        try:
            for attempt in stamina.retry_context(
                on=self._pause, attempts=self._attempts, timeout=self._patience, wait_initial=0.2, wait_max=10.0
            ):
                with attempt:
                    return self._once(method, address, {"Accept": accept, **(headers or {})}, body)
        except httpx.TransportError as error:
            raise Unreachable(f"{self.base} cannot be reached: {error or type(error).__name__}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise BadAnswer(f"{self.base}: {error or type(error).__name__}") from error
        raise AssertionError("the loop ends with an answer or an error")

    def _once(self, method: str, address: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Received:
        with self._http.stream(method, address, headers=headers, **body) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return _UNCHANGED
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > self._max_bytes:
                    raise TooLarge(f"the answer has more than {self._max_bytes} bytes: ask for less")
            if response.status_code != httpx.codes.OK:
                raise _error(response, bytes(content))
            return Received(bytes(content), response.headers)

    def _pause(self, error: Exception) -> bool | timedelta:
        """Whether to try again after an error, and when."""
        if isinstance(error, httpx.TransportError):
            return True
        if not isinstance(error, Busy | QueryTimeout):
            return False
        if error.retry_after is None:
            return error.code in _PASSING
        return timedelta(seconds=error.retry_after) if error.retry_after <= self._patience else False


class _Kept:
    """The answers that were used last, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._answers: OrderedDict[tuple[str, str], Received] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: tuple[str, str]) -> Received | None:
        with self._guard:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: tuple[str, str], received: Received) -> None:
        if len(received.body) > self._most:
            return
        with self._guard:
            before = self._answers.pop(key, None)
            self._size += len(received.body) - (len(before.body) if before else 0)
            self._answers[key] = received
            while self._size > self._most:
                _, oldest = self._answers.popitem(last=False)
                self._size -= len(oldest.body)


_UNCHANGED = Received(b"", httpx.Headers())


def _error(response: httpx.Response, body: bytes) -> ServiceError | BadAnswer:
    """The error that an answer tells of."""
    status = response.status_code
    members: Any = None
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        with suppress(ValueError):
            members = json.loads(body)
    if not isinstance(members, dict):
        if status not in {429, 502, 503, 504}:
            return BadAnswer(f"{response.url.host} answered with status {status} and no problem details")
        members = {"code": "too-busy", "title": response.reason_phrase, "detail": f"status {status}"}
    return _kind_of(status, members.get("code"))(status, members, _retry_after(response.headers.get("retry-after")))


def _kind_of(status: int, code: Any) -> type[ServiceError]:
    if code == "query-timeout":
        return QueryTimeout
    if status in {429, 502, 503, 504}:
        return Busy
    if status >= 500:
        return Failed
    return {401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Refused, 412: Refused, 422: Refused}.get(
        status, BadRequest
    )


def _retry_after(text: str | None) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    with suppress(ValueError):
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    return None
