"""Undoing revisions: the inverse as a new revision, or a list of conflicts; the record of revisions is never undone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import vocab
from app.curate.commit import commit_change
from app.curate.revert import reason_for, reverting
from app.errors import BadParameter, InvalidGraph, NotFound, RevertConflict
from app.model.agents import agent_quads
from app.model.changes import ChangeSet
from app.model.graphs import HISTORY, REGISTRY
from app.model.rdf import IRI, Quad, text
from app.services import Services
from app.store.engine import as_stored
from app.store.memory import MemoryStore
from tests import edits
from tests.curate.people import ADA
from tests.store.quads import NOON, change, content, name, quad

POOL = [quad(subject, value, graph) for subject in "ab" for value in (1, 2) for graph in ("g", "h")]
quads = st.frozensets(st.sampled_from(POOL))
courses = st.lists(st.tuples(quads, quads), min_size=1, max_size=5)
COMMENT = IRI(vocab.rdfs.comment)


def store_of(course: Iterable[tuple[frozenset[Quad], frozenset[Quad]]]) -> MemoryStore:
    """A store whose revisions keep their record in the history graph."""
    store = MemoryStore()
    store.apply(_recorded(frozenset(), frozenset(), 1), expect=0)
    for number, (add, remove) in enumerate(course, start=1):
        store.apply(_recorded(add, remove, number + 1), expect=number)
    return store


def _recorded(add: frozenset[Quad], remove: frozenset[Quad], number: int) -> ChangeSet:
    record = Quad(name(f"revision-{number}"), name("reason"), text("why"), HISTORY)
    return change(add | {record}, remove - add)


def facts(store: MemoryStore, number: int | None = None) -> set[Quad]:
    return {one for one in content(store, number) if one.graph_name != HISTORY}


@given(courses)
def test_the_last_revision_undone_is_the_one_before_it(course: list[tuple[frozenset[Quad], frozenset[Quad]]]) -> None:
    store = store_of(course)
    head = store.head().number
    try:
        add, remove = reverting(store, head, head, head=head)
    except BadParameter:
        assert facts(store, head) == facts(store, head - 1)
        return
    commit_change(store, add, remove, rules=None, reason="undo", author=name("me"), now=NOON)
    assert facts(store) == facts(store, head - 1)
    history = {one for one in content(store) if one.graph_name == HISTORY}
    assert history == {one for one in content(store, head) if one.graph_name == HISTORY}
    add, remove = reverting(store, head + 1, head + 1, head=head + 1)
    commit_change(store, add, remove, rules=None, reason="undo the undoing", author=name("me"), now=NOON)
    assert facts(store) == facts(store, head)


@given(courses, st.data())
def test_a_range_is_undone_exactly_or_not_at_all(
    course: list[tuple[frozenset[Quad], frozenset[Quad]]], data: st.DataObject
) -> None:
    store = store_of(course)
    head = store.head().number
    first = data.draw(st.integers(2, head))
    last = data.draw(st.integers(first, head))
    before, after, now = (facts(store, number) for number in (first - 1, last, head))
    try:
        add, remove = reverting(store, first, last, head=head)
    except BadParameter:
        assert before == after
        return
    except RevertConflict:
        assert ((before ^ after) & (after ^ now)) != set()
        return
    assert add == before - after
    assert remove == after - before
    assert not add & now
    assert remove <= now
    assert (now - remove) | add == (now - (after - before)) | (before - after)


def test_conflicts_name_the_revision_that_made_them() -> None:
    one, two, three = POOL[:3]
    store = store_of(
        [(frozenset({one}), frozenset()), (frozenset({two}), frozenset({one})), (frozenset({three}), frozenset())]
    )
    with pytest.raises(RevertConflict) as found:
        reverting(store, 2, 2, head=4)
    assert found.value.conflicts == (f"revision 3 removed {one}",)
    assert found.value.advice
    assert reverting(store, 2, 3, head=4) == (frozenset(), frozenset({two}))
    assert reverting(store, 4, 4, head=4) == (frozenset(), frozenset({three}))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 3), (2, 3), (-1, -1)])
def test_revisions_that_are_not_there_are_not_found(first: int, last: int) -> None:
    store = store_of([(frozenset(POOL), frozenset())])
    with pytest.raises(NotFound):
        reverting(store, first, last, head=2)


def test_a_range_that_is_none_and_a_revision_that_did_nothing_are_refused() -> None:
    store = store_of([(frozenset(POOL), frozenset())])
    with pytest.raises(BadParameter, match="to"):
        reverting(store, 2, 1, head=2)
    with pytest.raises(BadParameter, match="nothing to undo"):
        reverting(store, 1, 1, head=2)


def test_the_reason_names_what_was_undone() -> None:
    assert reason_for(3, 3, "misread") == "revert of revision 3: misread"
    assert reason_for(3, 5, "misread") == "revert of revisions 3 to 5: misread"


def test_on_the_seed_with_all_constraints(own_services: Services) -> None:
    note = Quad(edits.OPT, COMMENT, text("A note."), REGISTRY)
    edits.commit(own_services, [note], reason="a note", rules=True)
    before = content_of(own_services)
    made = own_services.revert_now(2, 2, reason="it says nothing", agent=ADA)
    assert made.revision is not None
    assert (made.revision.number, made.revision.reason) == (3, "revert of revision 2: it says nothing")
    assert content_of(own_services) == before - {note} | as_stored(agent_quads(ADA))
    assert len([one for one in own_services.store.at().quads(HISTORY) if edits.is_kind(one, vocab.slm.Revision)]) == 3
    with pytest.raises(RevertConflict):
        own_services.revert_now(2, 2, reason="again", agent=ADA)
    assert own_services.store.head().number == 3


def test_what_would_break_a_constraint_is_not_undone(own_services: Services) -> None:
    """Revision 2 is not valid (nobody checked it), 3 mends it: undoing 3 alone is refused."""
    layers = edits.accepted(own_services, edits.OPT, edits.LAYERS)
    edits.commit(own_services, [], layers, reason="spoil")
    edits.commit(own_services, layers, reason="mend", rules=True)
    before = content_of(own_services)
    with pytest.raises(InvalidGraph):
        own_services.revert_now(3, 3, reason="try", agent=ADA)
    assert own_services.store.head().number == 3
    assert content_of(own_services) == before


def content_of(services: Services) -> set[Quad]:
    return {one for one in services.store.at().quads() if one.graph_name != HISTORY}
