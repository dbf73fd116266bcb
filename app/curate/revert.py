"""Undoes revisions: the inverse of what they did, as a new revision. The record of revisions itself is never undone."""

from __future__ import annotations

from collections.abc import Iterable

from app.curate.steps import unrecorded
from app.errors import BadParameter, NotFound, RevertConflict
from app.model.agents import Agent, agent_quads
from app.model.changes import Net
from app.model.graphs import HISTORY
from app.model.rdf import Quad
from app.store.engine import as_stored
from app.store.port import GraphStore, Snapshot
from app.store.span import difference, steps

Change = tuple[frozenset[Quad], frozenset[Quad]]
_TOLD = 100
"""Conflicts that an error tells of."""


def reverting(store: GraphStore, first: int, last: int, *, head: int) -> Change:
    """The quads to add and to remove at `head` so that revisions `first` to `last` are undone.

    Raises NotFound for revisions that are not there, BadParameter for a range that is none and for revisions that
    changed nothing, and RevertConflict when what they did is not there any more as they left it.
    """
    if first > last:
        raise BadParameter("to", f"{last} comes before {first}", advice="Name the first revision, then the last.")
    for number in (first, last):
        if not 1 <= number <= head:
            raise NotFound("revision", str(number), advice=f"The newest is {head}; revisions count from 1.")
    done = difference(store, first - 1, last)
    add, remove = _without_record(done.removed), _without_record(done.added)
    if not add and not remove:
        raise BadParameter("revision", "there is nothing to undo: it changed nothing but its own record")
    later = difference(store, last, head)
    undone, redone = remove & later.removed, add & later.added
    if undone or redone:
        raise RevertConflict(tuple(_told(store, undone, redone, last, head)), len(undone) + len(redone))
    return add, remove


def introducing(snapshot: Snapshot, agent: Agent, add: frozenset[Quad], remove: frozenset[Quad]) -> Change:
    """The same change, after which the graph knows who made it: names of agents are no part of what is undone."""
    return add.union(as_stored(unrecorded(snapshot, agent))), remove - as_stored(agent_quads(agent))


def reason_for(first: int, last: int, reason: str) -> str:
    """The reason of the new revision: what it undoes, and why."""
    what = f"revision {first}" if first == last else f"revisions {first} to {last}"
    return f"revert of {what}: {reason}"


def _without_record(quads: Iterable[Quad]) -> frozenset[Quad]:
    return frozenset(quad for quad in quads if quad.graph_name != HISTORY)


def _told(
    store: GraphStore, undone: frozenset[Quad] | set[Quad], redone: frozenset[Quad] | set[Quad], last: int, head: int
) -> Iterable[str]:
    """The conflicts in words, each with the last revision that made it."""
    net, who = Net(), dict[Quad, int]()
    for number, change in steps(store, last, head):
        net.then(change)
        for quad in (*(change.add & redone), *(change.remove & undone)):
            who[quad] = number
    conflicts = [(who[quad], f"revision {who[quad]} removed {quad}") for quad in undone]
    conflicts += [(who[quad], f"revision {who[quad]} added {quad} again") for quad in redone]
    return [text for _, text in sorted(conflicts)[:_TOLD]]
