"""The sign-in service (Keycloak): password and refresh grant, tokens that expire, and a lock after bad passwords."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.orkg_double import clock
from tests.orkg_double.messages import Answer, Problem, Request, as_json
from tests.orkg_double.state import ADA, BO, CY, GUEST, Json

REALM = "/realms/orkg"
TOKEN_PATH = f"{REALM}/protocol/openid-connect/token"
DISCOVERY_PATH = f"{REALM}/.well-known/openid-configuration"
CLIENT = "orkg-client"
PASSWORD = "secret"
BAD_PASSWORDS = 2
"""So many bad passwords lock an account: from then on the right one is refused too."""


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    id: str
    email: str
    name: str
    curator: bool = False
    writes: bool = True


USERS = {
    user.id: user
    for user in (
        User(ADA, "ada@example.org", "Ada Example"),
        User(BO, "bo@example.org", "Bo Example"),
        User(CY, "cy@example.org", "Cy Example", curator=True),
        User(GUEST, "guest@example.org", "Guest Example", writes=False),
    )
}


@dataclass(frozen=True, slots=True)
class Token:
    """Whose it is and until when; times in nanoseconds of the double's clock. `session_ends` for refresh tokens."""

    user: str
    expires: int
    session_ends: int = 0


@dataclass(slots=True)
class SignIn:
    """Who is signed in. Its times are the double's clock, which a test moves."""

    token_seconds: int = 300
    idle_seconds: int = 1800
    session_seconds: int = 36000
    access: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def user(self, request: Request, now: int) -> User | None:
        """Who sends the request; None without a token. Raises Problem (401) for a token that is not valid."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        scheme, _, value = header.partition(" ")
        token = self.access.get(value) if scheme.lower() == "bearer" else None
        if token is None or token.expires <= now:
            detail = "An error occurred while attempting to decode the Jwt: Jwt expired or invalid"
            challenge = f'Bearer error="invalid_token", error_description="{detail}"'
            raise Problem(401, None, "Unauthorized", headers=(("WWW-Authenticate", challenge),))
        return USERS[token.user]

    def token(self, user: str, now: int) -> Json:
        """Sign somebody in."""
        return self._issue(user, now, now + self.session_seconds * clock.SECOND)

    def expire(self, *, sessions: bool = False) -> None:
        """Let all access tokens expire; with `sessions` also what would renew them."""
        self.access.clear()
        if sessions:
            self.refresh.clear()

    def answer(self, request: Request, now: int) -> Answer:
        """The token endpoint."""
        form = {key: values[0] for key, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("client_id") != CLIENT:
            return _refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        grant = form.get("grant_type")
        if grant == "password":
            return self._by_password(form, now)
        if grant == "refresh_token":
            return self._by_refresh(form, now)
        return _refused(400, "unsupported_grant_type", "Unsupported grant_type")

    def _by_password(self, form: dict[str, str], now: int) -> Answer:
        name = form.get("username", "")
        name = "ada@example.org" if name == "user@example.org" else name
        user = next((one for one in USERS.values() if one.email == name), None)
        if user is None or form.get("password") != PASSWORD or self.bad.get(name, 0) >= BAD_PASSWORDS:
            self.bad[name] = self.bad.get(name, 0) + 1
            return _refused(401, "invalid_grant", "Invalid user credentials")
        self.bad.pop(name, None)
        return as_json(self.token(user.id, now))

    def _by_refresh(self, form: dict[str, str], now: int) -> Answer:
        token = self.refresh.get(form.get("refresh_token", ""))
        if token is None or token.expires <= now:
            return _refused(400, "invalid_grant", "Token is not active")
        return as_json(self._issue(token.user, now, token.session_ends))

    def _issue(self, user: str, now: int, session_ends: int) -> Json:
        self.made += 1
        access, refresh = f"eyJhbGciOi.DOUBLE.{self.made}", f"eyJhbGciOi.DOUBLE.REFRESH.{self.made}"
        idle = min(self.idle_seconds, (session_ends - now) // clock.SECOND)
        self.access[access] = Token(user, min(now + self.token_seconds * clock.SECOND, session_ends))
        self.refresh[refresh] = Token(user, now + idle * clock.SECOND, session_ends)
        return {
            "access_token": access,
            "expires_in": self.token_seconds,
            "refresh_expires_in": idle,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": f"5f0c6f3e-0000-4000-8000-{self.made:012d}",
            "scope": "profile email",
        }


def discovery(base: str) -> Answer:
    """Where the sign-in service says its endpoints are."""
    realm = base + REALM
    return as_json(
        {
            "issuer": realm,
            "token_endpoint": base + TOKEN_PATH,
            "authorization_endpoint": f"{realm}/protocol/openid-connect/auth",
            "grant_types_supported": ["authorization_code", "refresh_token", "password"],
        }
    )


def _refused(status: int, error: str, description: str) -> Answer:
    """Keycloak's own error body, which is no problem+json."""
    return as_json({"error": error, "error_description": description}, status=status)
