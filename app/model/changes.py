"""What a change to the graph is: quads to add and remove with a reason and an author, and the revision it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from app.model.rdf import Quad


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """One atomic change. `add` and `remove` share no quad; `author` is an agent's IRI; `made_at` has a time zone."""

    add: frozenset[Quad]
    remove: frozenset[Quad]
    reason: str
    author: str
    made_at: datetime

    def __post_init__(self) -> None:
        if self.add & self.remove:
            raise ValueError("a change cannot add and remove the same quad")
        if self.made_at.tzinfo is None:
            raise ValueError("the time of a change needs a time zone")

    @classmethod
    def between(
        cls, old: Iterable[Quad], new: Iterable[Quad], *, reason: str, author: str, made_at: datetime
    ) -> ChangeSet:
        """Return the change that turns the quads `old` into `new`."""
        before, after = frozenset(old), frozenset(new)
        return cls(after - before, before - after, reason, author, made_at)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.add and not self.remove

    @property
    def size(self) -> int:
        """Number of quads that come and go."""
        return len(self.add) + len(self.remove)

    def inverse(self) -> ChangeSet:
        """The change that undoes this one, where this one added only what was missing and removed what was there."""
        return replace(self, add=self.remove, remove=self.add)


class Net:
    """What changes made one after another come to: a quad that comes and goes again is in neither set."""

    def __init__(self) -> None:
        self.added: set[Quad] = set()
        self.removed: set[Quad] = set()

    def then(self, change: ChangeSet) -> None:
        """Add a change, which adds only what is missing after those before and removes only what is there."""
        returning, leaving = change.add & self.removed, change.remove & self.added
        self.removed -= returning
        self.added -= leaving
        self.added |= change.add - returning
        self.removed |= change.remove - leaving


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed state of the graph. Numbers count from 1 without gaps; `quads` is the size of the whole graph."""

    number: int
    reason: str
    author: str
    made_at: datetime
    added: int
    removed: int
    quads: int
