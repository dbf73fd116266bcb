"""Signing in at the ORKG's identity service (Keycloak): name and password once, then tokens that are renewed in time.

Passwords and tokens are never logged and never part of an error or a `repr`. One refusal of the password ends it: each
further try brings the account closer to being locked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
import stamina
from pydantic import SecretStr, TypeAdapter, ValidationError

from app.errors import OrkgChanged, OrkgSignIn, OrkgUnavailable
from app.orkg.pace import Pace

CLIENT = "orkg-client"
"""The public client under which the password grant is open."""
TOKEN_PATH = "/realms/orkg/protocol/openid-connect/token"  # noqa: S105 - an address
_SPARE = 60.0
"""Seconds before its end at which a token is renewed."""
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account."""

    user: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class _Given:
    """What the identity service answers."""

    access_token: str = field(repr=False)
    expires_in: float
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in: float = 0.0


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    until: float
    refresh: str | None = field(repr=False)
    refresh_until: float


_GIVEN: TypeAdapter[_Given] = TypeAdapter(_Given)


class _Refused(Exception):
    """The grant was not taken."""


class SignIn:
    """Gives tokens of one account. `http` reaches the identity service at `address`; `clock` counts seconds."""

    def __init__(
        self,
        address: str,
        account: Account,
        http: httpx.Client,
        *,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address.rstrip("/") + TOKEN_PATH
        self._account = account
        self._http = http
        self._pace = pace
        self._clock = clock
        self._held: _Held | None = None
        self._over = False
        self._guard = threading.Lock()

    def token(self) -> str:
        """A token that is good for a while yet; OrkgSignIn, OrkgUnavailable."""
        with self._guard:
            held = self._held
            if held is None or self._clock() >= held.until:
                held = self._held = self._renewed(held)
            return held.token

    def renewed(self, refused: str) -> str:
        """A token other than one that was refused although its time was not over."""
        with self._guard:
            held = self._held
            if held is None or held.token == refused:
                held = self._held = self._renewed(held)
            return held.token

    def _renewed(self, held: _Held | None) -> _Held:
        if self._over:
            raise OrkgSignIn("the ORKG refused the password before; it is not tried again")
        if held is not None and held.refresh is not None and self._clock() < held.refresh_until:
            try:
                return self._ask({"grant_type": "refresh_token", "refresh_token": held.refresh})
            except _Refused:
                self._held = None  # the session is over; the password opens another
        account = self._account
        try:
            return self._ask(
                {
                    "grant_type": "password",
                    "username": account.user,
                    "password": account.password.get_secret_value(),
                }
            )
        except _Refused:
            self._over = True
            raise OrkgSignIn(f"the ORKG does not take the password of {account.user}") from None

    def _ask(self, form: Mapping[str, str]) -> _Held:
        """One grant, sent again only while the service cannot be reached: a refusal is final."""
        pace = self._pace
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, OrkgUnavailable),
                attempts=pace.attempts,
                timeout=pace.patience,
                wait_initial=pace.first_pause,
                wait_max=pace.longest_pause,
                wait_jitter=pace.jitter,
            ):
                with attempt:
                    return self._ask_once({"client_id": CLIENT, **form})
        except httpx.TransportError as error:
            raise OrkgUnavailable(
                f"{self._address} cannot be reached: {type(error).__name__}", advice="Try again later."
            ) from None
        raise AssertionError("the loop ends with an answer or an error")

    def _ask_once(self, form: Mapping[str, str]) -> _Held:
        asked = self._clock()
        answer = self._http.post(self._address, data=form, headers={"Accept": "application/json"})
        if answer.status_code in {400, 401}:
            raise _Refused
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.status_code >= 500:
            raise OrkgUnavailable(f"{self._address}: the identity service answers {answer.status_code}")
        if answer.status_code != httpx.codes.OK or len(answer.content) > _MAX_BYTES:
            raise OrkgChanged(self._address, f"the identity service answers {answer.status_code}")
        try:
            given = _GIVEN.validate_json(answer.content)
        except ValidationError:
            raise OrkgChanged(self._address, "the answer holds no token") from None
        return _Held(
            given.access_token,
            asked + given.expires_in - min(_SPARE, given.expires_in / 2),
            given.refresh_token,
            asked + given.refresh_expires_in,
        )
