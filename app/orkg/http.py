"""Requests to the ORKG: paced, tried again where that is safe, refusals as typed errors.

Reading is tried again after what passes by itself: no connection, an answer that was cut off, a proxy that gave up.
So is a write that may be carried out twice. Any other write is tried again only when it was certainly not carried
out; otherwise OrkgUncertain says that nobody knows. Redirects are never followed, and no answer is believed that is
not of the media type that was asked for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import stamina

from app import __version__
from app.errors import OrkgChanged, OrkgError, OrkgMissing, OrkgRefused, OrkgUnavailable, OrkgUncertain
from app.orkg.kept import KEEP, Keeping, kept_at
from app.orkg.pace import Gate, Pace, Paced
from app.orkg.sign_in import Account, SignIn

ABOUT = "https://w3id.org/slmkg/"
"""Where somebody finds out what this program is."""
_THEIRS = "orkg.org"
_ID = re.compile(r"[a-zA-Z0-9:_-]{1,255}")
_PROBLEM = "application/problem+json"
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_DONE = frozenset({408, 425, 429})
"""Of these, the statuses that say that nothing was carried out."""
_NOT_THERE = frozenset({404, 405, 410, 501})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer as it came, and what it answers."""

    method: str
    address: str
    status: int
    media: str
    at: datetime
    body: bytes


def gentle(address: str, per_second: float) -> float:
    """How many requests in a second a service gets: what was asked for, but two at the most where others live."""
    host = httpx.URL(address).host
    return min(per_second, 2.0) if host == _THEIRS or host.endswith(f".{_THEIRS}") else per_second


def user_agent(contact: str | None) -> str:
    """How this program calls itself, with the address of somebody who can be asked about it."""
    return f"slmkg/{__version__} (+{ABOUT}{'; ' + contact if contact else ''})"


class _Passing(Exception):
    """A failure that passes by itself; `after` is when the service wants to be asked again, in seconds."""

    def __init__(self, error: OrkgError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


class Http:
    """Asks one ORKG; the parameters are those of `app.orkg.client.Orkg`."""

    def __init__(
        self,
        base_url: str,
        *,
        contact: str | None,
        account: Account | None,
        accounts_url: str,
        pace: Pace,
        cache: Path | None,
        heard: Callable[[Exchange], None] | None,
        clock: Callable[[], float],
        transport: httpx.BaseTransport | None,
    ) -> None:
        timeout = httpx.Timeout(pace.answer, connect=min(pace.answer, 20.0))
        paced = Paced(transport or httpx.HTTPTransport(), Gate(gentle(base_url, pace.per_second)))
        self._http = httpx.Client(
            headers={"User-Agent": user_agent(contact)},
            timeout=timeout,
            transport=paced if cache is None else Keeping(paced, cache),
        )
        self.base = base_url.rstrip("/")
        self._pace = pace
        self._heard = heard
        self._sign_in = None if account is None else SignIn(accounts_url, account, self._http, pace=pace, clock=clock)

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def get(
        self,
        path: str,
        accept: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        keep: bool = False,
        signed: bool = False,
    ) -> tuple[bytes, str]:
        """The body of an answer and its address. `keep` allows an answer that was kept for a while."""
        answer = self._send("GET", path, accept, parameters=parameters, again=True, signed=signed, keep=keep)
        return answer.body, answer.address

    def found(self, path: str, accept: str, parameters: Mapping[str, Any]) -> str | None:
        """The identifier that a HEAD request names in `Location`; None for 404."""
        try:
            answer = self._send("HEAD", path, accept, parameters=parameters, again=True)
        except OrkgMissing:
            return None
        if answer.located is None:
            raise OrkgChanged(answer.address, "it is there, but the answer does not name it")
        return answer.located

    def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        accept: str | None = None,
        again: bool,
    ) -> str | None:
        """Send a write; the identifier that `Location` names. `again`: carrying it out twice is as good as once."""
        answer = self._send(method, path, accept or media, body=json.dumps(body), media=media, again=again, signed=True)
        return answer.located

    def created(self, path: str, body: Any, *, media: str = "application/json", again: bool = False) -> str:
        """POST something new; its identifier, from the last segment of `Location`."""
        located = self.write("POST", path, body, media=media, again=again)
        if located is None:
            raise OrkgUncertain(f"{self.base}{path}: it was carried out, but the answer names nothing that was made")
        return located

    def _send(
        self,
        method: str,
        path: str,
        accept: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: str | None = None,
        media: str | None = None,
        again: bool,
        signed: bool = False,
        keep: bool = False,
    ) -> _Answer:
        headers = {"Accept": accept} | ({"Content-Type": media} if media is not None else {})
        request = self._http.build_request(
            method,
            self.base + path,
            params=parameters,
            content=body,
            headers=headers,
            extensions={KEEP: keep, "timeout": self._http.timeout.as_dict()},
        )
        pace = self._pace
        try:
            for attempt in stamina.retry_context(
                on=self._pause,
                attempts=pace.attempts,
                timeout=pace.patience,
                wait_initial=pace.first_pause,
                wait_max=pace.longest_pause,
                wait_jitter=pace.jitter,
            ):
                with attempt:
                    return self._signed(request, accept, again=again) if signed else self._once(request, accept, again)
        except _Passing as passing:
            raise passing.error from passing.__cause__
        raise AssertionError("the loop ends with an answer or an error")

    def _pause(self, error: Exception) -> bool | timedelta:
        """Whether to try again after an error, and when."""
        if not isinstance(error, _Passing) or isinstance(error.error, OrkgUncertain):
            return False
        if error.after is None:
            return True
        return timedelta(seconds=error.after) if error.after <= self._pace.patience else False

    def _signed(self, request: httpx.Request, accept: str, *, again: bool) -> _Answer:
        """A request with a token; with a new one if the first is not taken, once."""
        if self._sign_in is None:
            raise OrkgRefused(
                str(request.url),
                401,
                "access_denied",
                "writing needs an account",
                advice="Set SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD.",
            )
        token = self._sign_in.token()
        try:
            return self._once(_with_token(request, token), accept, again)
        except OrkgRefused as error:
            if error.status != httpx.codes.UNAUTHORIZED:
                raise
        return self._once(_with_token(request, self._sign_in.renewed(token)), accept, again)

    def _once(self, request: httpx.Request, accept: str, again: bool) -> _Answer:
        address = str(request.url)
        try:
            response = self._http.send(request, stream=True, follow_redirects=False)
            try:
                content = self._content(response, address)
            finally:
                response.close()
        except _NOT_SENT as error:
            raise _Passing(OrkgUnavailable(f"{address} cannot be reached: {_told(error)}")) from error
        except httpx.TransportError as error:
            raise _Passing(self._lost(address, f"the answer did not come: {_told(error)}", again)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OrkgChanged(address, f"the answer cannot be read: {_told(error)}") from error
        if self._heard is not None:
            media = response.headers.get("content-type", "")
            at = kept_at(response) or datetime.now(UTC)
            self._heard(Exchange(request.method, address, response.status_code, media, at, content))
        if response.is_success:
            return self._success(request, response, content, accept)
        raise self._failure(response, address, content, again)

    def _content(self, response: httpx.Response, address: str) -> bytes:
        content = bytearray()
        end = time.monotonic() + self._pace.patience
        for part in response.iter_bytes():
            content += part
            if len(content) > self._pace.max_bytes:
                raise OrkgChanged(address, f"the answer has more than {self._pace.max_bytes} bytes")
            if time.monotonic() > end:
                raise httpx.ReadTimeout("the answer does not end", request=response.request)
        return bytes(content)

    @staticmethod
    def _lost(address: str, problem: str, again: bool) -> OrkgUnavailable:
        """The error of a request whose answer is lost."""
        return OrkgUnavailable(f"{address}: {problem}") if again else OrkgUncertain(f"{address}: {problem}")

    def _success(self, request: httpx.Request, response: httpx.Response, content: bytes, accept: str) -> _Answer:
        address = str(request.url)
        if request.method == "GET":
            came, wanted = _media(response.headers.get("content-type", "")), _media(accept)
            if came != wanted:
                raise OrkgChanged(address, f"the answer is {came or 'of no type'}, not {wanted}")
        return _Answer(content, address, _located(response.headers.get("location")))

    def _failure(self, response: httpx.Response, address: str, content: bytes, again: bool) -> Exception:
        """What a status that is no success means."""
        status = response.status_code
        problem = _problem(response, content)
        if status in _PASSING:
            text = f"the service answers {status}{': ' + problem.detail if problem.detail else ''}"
            error = OrkgUnavailable(f"{address}: {text}") if status in _NOT_DONE else self._lost(address, text, again)
            return _Passing(error, _after(response.headers.get("retry-after")))
        if 300 <= status < 400:
            to = response.headers.get("location", "nowhere")
            return OrkgChanged(address, f"the service sends on ({status}) to {to[:200]}, which is not followed")
        if status == httpx.codes.NOT_ACCEPTABLE:
            return OrkgChanged(address, f"the service no longer answers {response.request.headers['accept']} (406)")
        if status == httpx.codes.UNSUPPORTED_MEDIA_TYPE:
            return OrkgChanged(address, f"the service no longer takes this request ({status}): {problem.detail}")
        kind = OrkgMissing if status in _NOT_THERE else OrkgRefused
        return kind(
            address, status, problem.kind, problem.detail, pointer=problem.pointer, advice=_ADVICE.get(status, "")
        )


_ADVICE = {
    401: "Sign in again: look at SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD.",
    403: "The account may not do this, or the thing is published and therefore frozen.",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A success. `located` is the identifier that `Location` names."""

    body: bytes
    address: str
    located: str | None


@dataclass(frozen=True, slots=True)
class _Problem:
    kind: str = ""
    detail: str = ""
    pointer: str | None = None


def _problem(response: httpx.Response, content: bytes) -> _Problem:
    """What a refusal says of itself: problem+json, or nothing that can be read."""
    record: Any = None
    if _media(response.headers.get("content-type", "")) in {_PROBLEM, "application/json"}:
        with suppress(ValueError):
            record = json.loads(content)
    if not isinstance(record, dict):
        return _Problem()
    errors = record.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    kind = str(record.get("type") or "").removeprefix("orkg:problem:")
    detail = first.get("detail") or record.get("detail") or record.get("message") or ""
    pointer = first.get("pointer") or record.get("pointer")
    return _Problem(
        "" if kind == "about:blank" else kind, str(detail)[:1000], str(pointer) if pointer is not None else None
    )


def _media(header: str) -> str:
    return header.split(";", 1)[0].strip().lower()


def _located(location: str | None) -> str | None:
    """The last segment of a `Location`, whatever host and port it names."""
    if location is None:
        return None
    segment = location.split("?", 1)[0].split("#", 1)[0].rstrip("/").rpartition("/")[2]
    return segment if _ID.fullmatch(segment) else None


def _after(header: str | None) -> float | None:
    """The seconds of a `Retry-After`, which is a number or a date."""
    if header is None:
        return None
    with suppress(ValueError):
        return max(float(header), 0.0)
    with suppress(ValueError, TypeError):
        when = parsedate_to_datetime(header)
        return max((when - datetime.now(UTC)).total_seconds(), 0.0)
    return None


def _with_token(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
