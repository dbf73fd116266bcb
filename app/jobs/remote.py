"""The queue of a service elsewhere, over HTTP, for workers on other machines. Needs a key with the scope `measure`.

Each request may be sent again: a claim gives the same lease to the same worker, a result is written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import stamina

from app import __version__
from app.errors import (
    AppError,
    BadParameter,
    BadValue,
    Conflict,
    Forbidden,
    NotFound,
    QueryRefused,
    ServiceUnavailable,
    TooBusy,
    Unauthorized,
)
from app.jobs.values import Beat, Lease, Machine, Progress
from app.jobs.wire import environment_record, lease_of, machine_record
from app.measure.records import to_json
from app.measure.values import CellResult, Environment

WORKER = "/api/v1/worker"
_LONGEST_ANSWER = 32 * 1024 * 1024
_LONGEST_PAUSE = 30.0

_KINDS: dict[str, Callable[[str, str, str], AppError]] = {
    "conflict": lambda detail, advice, _: Conflict(detail, advice=advice),
    "bad-value": lambda detail, advice, pointer: BadValue(pointer, detail, advice=advice),
    "query-refused": lambda detail, advice, _: QueryRefused(detail, advice=advice),
    "unauthorized": lambda detail, _advice, _: Unauthorized(detail),
    "not-found": lambda detail, advice, _: NotFound("service at this address", detail, advice=advice),
}


class RemoteQueue:
    """Claims and hands in at a service. `patience` are the seconds for which one request is tried again."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30.0,
        patience: float = 45.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            address = httpx.URL(url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise BadParameter("URL", f"is no address: {error}") from error
        if address.scheme not in {"http", "https"} or not address.host:
            raise BadParameter("URL", f"{url!r} is no address of a service", advice="Write e.g. https://example.org.")
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"slmkg-worker/{__version__}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout, transport=transport)
        self._patience = patience
        self.address = str(address)

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def claim(self, machine: Machine) -> Lease | None:
        """Take the next cell, if there is one and the machine's slot is free."""
        answer = self._send("claim", {"machine": machine_record(machine)})
        return None if answer is None else lease_of(answer)

    def beat(self, token: str, progress: Progress | None = None) -> Beat:
        """Keep a lease; Conflict when it is lost."""
        told = (
            None
            if progress is None
            else {"step": progress.step, "share": progress.share, "rates": dict(progress.rates)}
        )
        answer = self._send("heartbeat", {"token": token, "progress": told})
        if answer is None or not isinstance(answer.get("seconds"), int | float):
            raise self._strange("a heartbeat")
        return Beat(bool(answer.get("cancel")), float(answer["seconds"]))

    def hand_in(self, token: str, result: CellResult, environment: Environment) -> None:
        """Write the result of a cell; Conflict when the lease is lost."""
        body = {"token": token, "result": to_json(result), "environment": environment_record(environment)}
        self._send("result", body)

    def give_back(self, token: str) -> None:
        """Let go of a cell that was not measured to its end."""
        self._send("release", {"token": token})

    def _send(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """One request, tried again while the service is away or busy; its answer, None for an empty one."""
        try:
            for attempt in stamina.retry_context(
                on=_pause, attempts=None, timeout=self._patience, wait_initial=0.2, wait_max=_LONGEST_PAUSE
            ):
                with attempt:
                    return self._once(what, body)
        except _Passing as error:
            raise error.error from error
        except httpx.HTTPError as error:
            raise ServiceUnavailable(
                f"{self.address} cannot be reached: {error or type(error).__name__}",
                advice="Check the address and the net; a worker goes on trying.",
            ) from error
        raise AssertionError("the loop ends with an answer or an error")

    def _once(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        with self._http.stream("POST", f"{WORKER}/{what}", json=body) as response:
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > _LONGEST_ANSWER:
                    raise self._strange(what)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        record: Any = None
        with suppress(ValueError):
            record = json.loads(content)
        if not isinstance(record, dict):
            raise _Passing(self._strange(what)) if response.status_code >= 500 else self._strange(what)
        if response.status_code == httpx.codes.OK:
            return record
        error = _error(response.status_code, record)
        if response.status_code in {429, 502, 503, 504, 507}:
            raise _Passing(error, _seconds(response.headers.get("retry-after")))
        raise error

    def _strange(self, what: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"{self.address} does not answer {what} as a service of slmkg does", advice="Check the address."
        )


class _Passing(Exception):
    """An error that goes away by itself."""

    def __init__(self, error: AppError, seconds: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.seconds = seconds


def _pause(error: Exception) -> bool | timedelta:
    """Whether to send a request again, and when."""
    if isinstance(error, _Passing):
        return True if error.seconds is None else timedelta(seconds=min(error.seconds, _LONGEST_PAUSE))
    return isinstance(error, httpx.TransportError)


def _error(status: int, members: dict[str, Any]) -> AppError:
    """The error that problem details tell of."""
    code, detail, advice = (str(members.get(name) or "") for name in ("code", "detail", "advice"))
    if code == "forbidden":
        return Forbidden("measure")
    if code in _KINDS:
        return _KINDS[code](detail, advice, str(members.get("pointer") or ""))
    if code in {"too-busy", "too-many-requests"}:
        return TooBusy(detail, retry_after=5)
    return ServiceUnavailable(f"the service answered with status {status}: {detail or code}", advice=advice)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.strip().isdecimal() else None
