"""Clients of a double: as fast as it can answer, with pauses that nobody notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


def client(
    double: Steering,
    *,
    signed: bool = False,
    user: str = USER,
    password: str = PASSWORD,
    heard: Callable[[Exchange], None] | None = None,
    pace: Pace = QUICK,
    cache: Path | None = None,
    clock: Callable[[], float] | None = None,
) -> Orkg:
    """A client of a double; `signed` gives it an account."""
    more = {} if clock is None else {"clock": clock}
    return Orkg(
        double.address,
        contact="mailto:team@example.org",
        account=Account(user, SecretStr(password)) if signed else None,
        accounts_url=double.address,
        pace=pace,
        cache=cache,
        heard=heard,
        **more,
    )
