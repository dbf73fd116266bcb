"""What people ask to have recorded, and what became of it: proposals, their items, verdicts, comments, decisions.

Values only. A proposal asserts nothing: its items become claims or results when they are accepted and committed. Never
reads a store or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from app.model.claims import Claim, Result, digest, resource
from app.model.rdf import IRI

Content: TypeAlias = Claim | Result
"""What one item proposes."""


class State(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    """Some item waits for a verdict."""
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly-accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class ItemState(StrEnum):
    """Where one item stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    COMMITTED = "committed"
    """Accepted, and recorded in the graph."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer said of one item: why, who and when. An acceptance may have no reason; a rejection has one."""

    accepted: bool
    reason: str
    by: IRI
    at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark on a proposal."""

    by: IRI
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Why and when a proposal was withdrawn, and by whom."""

    reason: str
    by: IRI
    at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One statement of a proposal, counted from 1. The last verdict counts; `revision` is where it was committed.

    `again` says why it is proposed once more after a rejection.
    """

    number: int
    content: Content
    verdicts: tuple[Verdict, ...] = ()
    revision: int | None = None
    again: str | None = None

    @property
    def state(self) -> ItemState:
        """Where the item stands."""
        if self.revision is not None:
            return ItemState.COMMITTED
        if not self.verdicts:
            return ItemState.PENDING
        return ItemState.ACCEPTED if self.verdicts[-1].accepted else ItemState.REJECTED

    @property
    def recorded_as(self) -> IRI:
        """The claim or observation that the item becomes."""
        return iri_of(self.content)

    def judged(self, verdict: Verdict) -> Item:
        """The item with one more verdict."""
        return replace(self, verdicts=(*self.verdicts, verdict))


@dataclass(frozen=True, slots=True)
class Proposal:
    """One or more statements that somebody asks to have recorded. `author` is an agent; `made_at` has a time zone."""

    number: int
    title: str
    author: IRI
    made_at: datetime
    items: tuple[Item, ...]
    comments: tuple[Comment, ...] = ()
    withdrawal: Withdrawal | None = None

    @property
    def iri(self) -> IRI:
        """The proposal's own IRI."""
        return resource("proposal", str(self.number))

    @property
    def state(self) -> State:
        """Where the proposal stands."""
        if self.withdrawal is not None:
            return State.WITHDRAWN
        states = {item.state for item in self.items}
        if ItemState.PENDING in states:
            return State.OPEN
        if states == {ItemState.REJECTED}:
            return State.REJECTED
        return State.PARTLY_ACCEPTED if ItemState.REJECTED in states else State.ACCEPTED

    @property
    def to_commit(self) -> tuple[Item, ...]:
        """The accepted items that are not committed yet."""
        return tuple(item for item in self.items if item.state is ItemState.ACCEPTED)


class Choice(StrEnum):
    """What a person can decide about a case."""

    VALUE = "value"
    """Keep a reported value."""
    NONE = "none"
    """Keep no value."""
    RULES = "rules"
    """Leave it to the rules."""
    OPEN = "open"
    """Open the case again."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A person's decision about one property of one thing, as it stands in the proposals graph.

    `keeps` are the kept value's characters as reported (for VALUE only); `seen` are the claims that were there;
    `replaced_at` is when another decision took its place.
    """

    subject: IRI
    predicate: str
    choice: Choice
    reason: str
    by: IRI
    at: datetime
    keeps: str | None = None
    seen: frozenset[IRI] = frozenset()
    replaced_at: datetime | None = None

    @property
    def iri(self) -> IRI:
        """The decision's own IRI: a case may be decided several times."""
        return resource("decision", digest(self.subject.value, self.predicate, self.at.isoformat()))


def iri_of(content: Content) -> IRI:
    """The IRI of a claim, or of a result's observation."""
    return content.iri if isinstance(content, Claim) else resource("observation", content.key)


def sameness(content: Content) -> str:
    """A key that is equal for contents that say the same of the same thing in the name of the same source."""
    if isinstance(content, Claim):
        value = str(content.value)
        return digest("claim", content.source.slug, content.subject.value, content.predicate, value)
    return digest("result", content.key)
