"""One call of the API: the world it works on, who calls, and which of the addresses was meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tests.orkg_double.messages import JSON_TYPE, Answer, Problem, Request, as_json, not_found
from tests.orkg_double.sign_in import User
from tests.orkg_double.state import Json, State, Thing

PAPER = "application/vnd.orkg.paper.v2+json"
CONTRIBUTION = "application/vnd.orkg.contribution.v2+json"
TEMPLATE = "application/vnd.orkg.template.v1+json"
VISUALIZATION = "application/vnd.orkg.visualization.v2+json"
COMPARISON = "application/vnd.orkg.comparison.v3+json"
COMPARISON_V2 = "application/vnd.orkg.comparison.v2+json"
CSV = "text/csv"
CSV_TRANSPOSED = "text/csv;transposed=true"


@dataclass(slots=True)
class Habits:
    """What a test may set about how the double behaves; `reset` brings these back."""

    doi_service: Literal["up", "down"] = "up"
    publication_date: Literal["defect", "right"] = "defect"
    """Versions have the month where the year belongs, as ORKG 0.102 writes them; or rightly."""
    comparison_media: str = COMPARISON
    """Another type here is what a next version of ORKG would do to us: 406 for everything else."""
    location: Literal["port80", "plain"] = "port80"
    paging_shift: int = 0
    """Rows that come (negative: go) before each further page of every list."""
    backend: str = "0.102.0"


@dataclass(slots=True)
class Call:
    """One call."""

    state: State
    request: Request
    habits: Habits
    ids: tuple[str, ...] = ()
    user: User | None = None
    media: str = JSON_TYPE

    @property
    def id(self) -> str:
        """The thing in the address."""
        return self.ids[0]

    @property
    def by(self) -> str:
        """Who writes."""
        assert self.user is not None
        return self.user.id

    def answer(self, value: Json) -> Answer:
        """A JSON answer of the type that was asked for."""
        return as_json(value, self.media)

    def location(self, path: str) -> str:
        """An address as the live hosts name it: with a scheme and port under which nobody listens."""
        host = self.request.headers.get("host", "localhost")
        if self.habits.location == "plain":
            return f"http://{host}{path}"
        return f"https://{host.partition(':')[0]}:80{path}"

    def created(self, path: str) -> Answer:
        """201 without a body."""
        return Answer(201, (("Location", self.location(path)),))

    def changed(self, path: str) -> Answer:
        """204 with the address of what was changed."""
        return Answer(204, (("Location", self.location(path)),))

    def thing(self, identity: str, kind: str = "thing") -> Thing:
        """A thing that must be there, of some kind."""
        found = self.state.things.get(identity)
        right = found is not None and (kind in ("thing", found.kind) or (kind == "list" and "List" in found.classes))
        if found is None or not right:
            raise not_found(kind, kind.capitalize(), identity)
        return found

    def own(self, thing: Thing) -> None:
        """Refuse those who neither made a thing nor are curators."""
        assert self.user is not None
        if thing.created_by != self.user.id and not self.user.curator:
            detail = f"Contributor <{self.user.id}> does not own the entity to be deleted and is not a curator."
            people: dict[str, Any] = {"owner_id": thing.created_by, "contributor_id": self.user.id}
            raise Problem(403, "neither_owner_nor_curator", detail, **people, thing_id=thing.id)


@dataclass(frozen=True, slots=True)
class Route:
    """One address: how it is spelled (`{}` for an id), who answers, and which types it takes and gives.

    `produces` and `consumes` name a type, or `comparison` for whatever the habits say it is; None takes anything.
    """

    method: str
    path: str
    answers: Callable[[Call], Answer]
    produces: tuple[str, ...] | None = (JSON_TYPE,)
    consumes: str | None = None
    login: bool = False
