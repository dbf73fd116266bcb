"""How a test steers a double, wherever it runs: over its control routes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import httpx

from tests.orkg_double.content import Content, content
from tests.orkg_double.faults import Bend, Fault
from tests.orkg_double.state import BO, Json


class Steering:
    """Steers one double. Nothing it does is logged by the double, counted for faults, or slowed down."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @property
    def address(self) -> str:
        """Where the double listens, without a path."""
        return str(self._client.base_url).rstrip("/")

    def _do(self, name: str, /, **body: Any) -> Any:
        answer = self._client.post(f"/_control/{name}", json=body)
        if answer.status_code != 200:
            raise ValueError(answer.text)
        return answer.json()

    def reset(self, world: str = "synthetic", **options: Any) -> None:
        """A world as it is at the start: `synthetic`, `r753434` or `hostile`, with its options; everything else too."""
        self._do("reset", world=world, options=options)

    def save(self, name: str = "saved") -> None:
        """Keep the world of now."""
        self._do("save", name=name)

    def restore(self, name: str = "saved") -> None:
        """Go back to a kept world; tokens, faults, bends, habits and the log stay."""
        self._do("restore", name=name)

    def faults(self, faults: Iterable[Fault] = (), *, counts: str = "all") -> None:
        """Plan faults for requests to come, in place of what was planned; none to have peace."""
        self._do("faults", faults=[asdict(one) for one in faults], counts=counts)

    def random_faults(self, seed: int, **how: Any) -> list[Fault]:
        """Plan faults drawn from a seed (`rate`, `length`, `most`, `kinds`, `counts`); returns the plan."""
        return [Fault(**one) for one in self._do("faults", seed=seed, **how)["faults"]]

    def bend(self, *bends: Bend) -> None:
        """Bend answers so, in place of how they were bent; none to have them straight."""
        self._do("bends", bends=[asdict(one) for one in bends])

    def habits(self, **habits: Any) -> None:
        """Set habits of the double (see `call.Habits`), or `token_seconds`, `idle_seconds`, `session_seconds`."""
        self._do("habits", **habits)

    def advance(self, seconds: float) -> None:
        """Let the double's clock run on: tokens expire by it."""
        self._do("advance", seconds=seconds)

    def expire(self, *, sessions: bool = False) -> None:
        """Let all access tokens expire now; with `sessions` nobody can renew theirs either."""
        self._do("expire", sessions=sessions)

    def token(self, user: str) -> str:
        """A valid access token of a user (an id of `state`)."""
        return str(self._do("token", user=user)["access_token"])

    def load_dump(self) -> None:
        """Load the dump of now into the SPARQL endpoint, which knows nothing newer than the last one."""
        self._do("load-dump")

    def withdraw(self, comparison: str) -> None:
        """Mark a comparison deleted; it stays readable."""
        self._do("withdraw", comparison=comparison)

    def log(self) -> list[dict[str, Any]]:
        """All requests since the reset, as `double.Logged`."""
        return list(self._do("log")["log"])

    def forget_log(self) -> None:
        """Start the log anew."""
        self._do("forget-log")

    def bad_passwords(self) -> dict[str, int]:
        """How many bad passwords came for whom since the last good one."""
        return dict(self._do("log")["bad_passwords"])

    def dump(self) -> Json:
        """The whole world as JSON, ids and all."""
        return self._do("dump")

    def content(self, base: Json) -> Content:
        """What the world says, with new things named by what they are: see `content.content`."""
        return content(self.dump(), base)

    def ask(self, method: str, path: str, *, user: str = BO, json: Any = None, **headers: str) -> httpx.Response:
        """One request of the API in somebody else's name. Types of content are those that ORKG wants, if left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.request(
            method, f"/_control/as/{user}{path}", json=json, headers={**_usual(path, method), **named}
        )


def _usual(path: str, method: str) -> dict[str, str]:
    kinds = (
        ("/contributions", "application/vnd.orkg.contribution.v2+json"),
        ("/api/papers", "application/vnd.orkg.paper.v2+json"),
        ("/api/comparisons", "application/vnd.orkg.comparison.v3+json"),
        ("/api/contributions", "application/vnd.orkg.contribution.v2+json"),
    )
    plain = path.partition("?")[0]
    media = next((media for key, media in kinds if plain.startswith(key) or plain.endswith(key)), "application/json")
    given = accepted = media
    if plain.endswith("/publish"):
        given = accepted = "application/json"
    elif method == "DELETE":
        accepted = "application/json"
    return {"Accept": accepted} | ({} if method in ("GET", "HEAD") else {"Content-Type": given})
