"""How a store without copies of its own shows what a change would make: it begins a commit and abandons it."""

from __future__ import annotations

from collections.abc import Callable

from app.model.changes import ChangeSet
from app.store.port import GraphStore, Snapshot


class _EnoughError(Exception):
    """The candidate was looked at, and is not wanted."""


def abandoned(store: GraphStore, change: ChangeSet, *, on: int, check: Callable[[Snapshot], None]) -> None:
    """Show the candidate to `check`; StaleRevision and StoreBusy as for a commit."""

    def look(candidate: Snapshot) -> None:
        check(candidate)
        raise _EnoughError

    try:
        store.apply(change, expect=on, check=look)
    except _EnoughError:
        return
