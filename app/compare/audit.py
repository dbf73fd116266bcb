"""Who changed what: every revision with its agent, the key that was used, the kind of step and the reason. Reads only.

The kind is read off the reason, whose beginning the program itself writes for every step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

from app import vocab
from app.compare.reader import Reader, text
from app.errors import BadParameter
from app.model.agents import agent_named
from app.model.changes import Revision
from app.model.rdf import IRI, literal, python_value
from app.store.port import GraphStore


class Kind(StrEnum):
    """What kind of step a revision is."""

    LOAD = "load"
    PROPOSE = "propose"
    COMMENT = "comment"
    REVIEW = "review"
    WITHDRAW = "withdraw"
    COMMIT = "commit"
    DECIDE = "decide"
    REVERT = "revert"
    UPDATE = "update"
    GRAPH = "graph"
    OTHER = "other"


_BEGINNINGS = (
    (Kind.LOAD, re.compile(r"load of the data folder|begin\Z")),
    (Kind.COMMENT, re.compile(r"comment on proposal \d")),
    (Kind.REVIEW, re.compile(r"review of proposal \d")),
    (Kind.WITHDRAW, re.compile(r"proposal \d+ withdrawn\Z")),
    (Kind.COMMIT, re.compile(r"proposal \d+, \d+ of \d+ item\(s\): ")),
    (Kind.PROPOSE, re.compile(r"proposal \d+: ")),
    (Kind.DECIDE, re.compile(r"decision on ")),
    (Kind.REVERT, re.compile(r"revert of revisions? \d")),
    (Kind.UPDATE, re.compile(r"SPARQL update\Z")),
    (Kind.GRAPH, re.compile(r"change of (graph |the default graph\Z)")),
)


@dataclass(frozen=True, slots=True)
class Who:
    """Who acted: the agent's IRI, its name, and a person's ORCID iD where the graph knows it."""

    iri: str
    name: str
    orcid: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision as the audit tells it. `key` is the id of the key with which the agent acted, if it was one."""

    revision: Revision
    kind: Kind
    by: Who
    key: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which revisions to tell of: by an agent's slug, by kind, made at or after a moment."""

    agent: str | None = None
    kind: Kind | None = None
    since: datetime | None = None

    def fits(self, one: Revision) -> bool:
        """Whether a revision is chosen."""
        return (
            (self.agent is None or one.author.rsplit("/", 1)[-1] == self.agent)
            and (self.kind is None or kind_of(one.reason) is self.kind)
            and (self.since is None or one.made_at >= self.since)
        )


def chosen(agent: str | None, kind: str | None, since: str | None) -> Choice:
    """The choice that three texts make; BadParameter."""
    return Choice(_slug(agent), _kind(kind), _moment(since))


def kind_of(reason: str) -> Kind:
    """What kind of step gives this reason."""
    return next((kind for kind, beginning in _BEGINNINGS if beginning.match(reason)), Kind.OTHER)


def revisions(store: GraphStore, choice: Choice, *, revision: int) -> list[Revision]:
    """The chosen revisions up to one, the newest first."""
    return [one for one in reversed(store.revisions()) if one.number <= revision and choice.fits(one)]


def audit(store: GraphStore, found: Iterable[Revision], *, revision: int) -> list[Entry]:
    """These revisions with who made them, named as the graph names them at a revision."""
    wanted = list(found)
    if not wanted:
        return []
    reader = Reader(store.at(revision))
    keys = keys_used(reader, [one.number for one in wanted])
    agents = named(reader, {one.author for one in wanted})
    return [Entry(one, kind_of(one.reason), agents[one.author], keys.get(one.number)) for one in wanted]


def keys_used(reader: Reader, numbers: Iterable[int]) -> dict[int, str]:
    """The ids of the keys with which revisions were made, by revision; those made without a key are left out."""
    rows = reader.rows("audit", number=[literal(number) for number in numbers])
    return {int(python_value(row["number"])): row["key"].value for row in rows}


def named(reader: Reader, agents: Iterable[str]) -> dict[str, Who]:
    """The names of agents; one without a record bears the last part of its IRI."""
    wanted = sorted(set(agents))
    records = reader.records(IRI(iri) for iri in wanted if "/" in iri)
    found = {}
    for iri in wanted:
        record = records.get(iri, {})
        name = text(record, vocab.rdfs.label) or iri.rsplit("/", 1)[-1]
        found[iri] = Who(iri, name, text(record, vocab.slm.orcid))
    return found


def _slug(agent: str | None) -> str | None:
    if agent is None:
        return None
    prefix = vocab.agent.NS
    try:
        return agent_named(agent.removeprefix(prefix)).slug
    except ValueError as error:
        raise BadParameter("agent", str(error), advice="Write an ORCID iD, or the end of the agent's IRI.") from error


def _kind(kind: str | None) -> Kind | None:
    try:
        return None if kind is None else Kind(kind)
    except ValueError:
        raise BadParameter("kind", f"there is no kind {kind!r}", advice=f"Use one of {', '.join(Kind)}.") from None


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    advice = "Give a day (2026-11-21) or a moment with its zone (2026-11-21T12:00:00Z)."
    try:
        if len(since) == len("2026-11-21"):
            return datetime.combine(date.fromisoformat(since), time(), UTC)
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise BadParameter("since", f"{since!r} is no day and no moment", advice=advice) from None
    if moment.tzinfo is None:
        raise BadParameter("since", f"{since!r} names no time zone", advice=advice)
    return moment
