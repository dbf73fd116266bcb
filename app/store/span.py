"""Everything between two revisions of a store: what they come to, and what each did. Never writes.

Revision 0 is the empty graph before the first revision, so that the first load has a difference too.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import NotFound
from app.model.changes import ChangeSet, Net, Revision
from app.model.rdf import IRI
from app.store.engine import nothing
from app.store.port import GraphStore, Snapshot


def snapshot(store: GraphStore, number: int) -> Snapshot:
    """The graph at a revision, 0 included."""
    return nothing() if number == 0 else store.at(number)


def existing(store: GraphStore, number: int) -> int:
    """The number of a revision that there is, 0 included; NotFound."""
    newest = store.head().number
    if not 0 <= number <= newest:
        raise NotFound("revision", str(number), advice=f"The newest is {newest}; 0 is the graph before the first.")
    return number


def steps(store: GraphStore, one: int, other: int) -> Iterator[tuple[int, ChangeSet]]:
    """The changes that lead from one revision to another, each with its revision's number.

    Where the way leads back, the last revision comes first and each change is turned round.
    """
    if one <= other:
        for number in range(one + 1, other + 1):
            yield number, store.changes(number)
    else:
        for number in range(one, other, -1):
            yield number, store.changes(number).inverse()


def difference(store: GraphStore, one: int, other: int) -> Net:
    """What turns one revision into another: applied to the first, it gives the second."""
    net = Net()
    for _, change in steps(store, existing(store, one), existing(store, other)):
        net.then(change)
    return net


def described(store: GraphStore) -> dict[int, Revision]:
    """Every revision by its number."""
    return {revision.number: revision for revision in store.revisions()}


def author(revision: Revision) -> IRI:
    """Who made a revision, as a term."""
    return IRI(revision.author)
