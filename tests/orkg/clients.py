"""Clients of a double: as fast as it can answer, with pauses that nobody notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
from pydantic import SecretStr

from app.orkg.client import Orkg
from app.orkg.http import Exchange
from app.orkg.pace import Pace
from app.orkg.sign_in import Account
from tests.orkg_double.steering import Steering

QUICK = Pace(
    per_second=100_000,
    attempts=4,
    patience=20,
    first_pause=0.001,
    longest_pause=0.01,
    jitter=0.001,
    answer=5,
    max_bytes=20_000_000,
)
USER = "ada@example.org"
PASSWORD = "secret"


class Without(httpx.BaseTransport):
    """The network, beyond which some endpoints are not there any more: those whose path ends so."""

    def __init__(self, *ends: str) -> None:
        self._inner = httpx.HTTPTransport()
        self._ends = ends

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._ends):
            headers = {"Content-Type": "application/problem+json"}
            return httpx.Response(404, headers=headers, json={"type": "about:blank", "detail": "Not Found"})
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def client(
    double: Steering,
    *,
    signed: bool = False,
    user: str = USER,
    password: str = PASSWORD,
    heard: Callable[[Exchange], None] | None = None,
    pace: Pace = QUICK,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
    without: tuple[str, ...] = (),
) -> Orkg:
    """A client of a double; `signed` gives it an account. Endpoints whose path ends as in `without` are gone."""
    return Orkg(
        double.address,
        contact="mailto:team@example.org",
        account=Account(user, SecretStr(password)) if signed else None,
        accounts_url=double.address,
        pace=pace,
        cache=cache,
        heard=heard,
        clock=clock,
        transport=Without(*without) if without else None,
    )
