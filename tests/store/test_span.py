"""Between any two revisions: the difference, applied to one, gives the other; changes and their inverses cancel."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotFound
from app.model.changes import ChangeSet, Net
from app.model.rdf import Quad
from app.services import Services
from app.store import patch
from app.store.memory import MemoryStore
from app.store.span import difference, existing, snapshot, steps
from tests import edits
from tests.store.quads import change, content, quad

POOL = [quad(subject, value, graph) for subject in "ab" for value in (1, "x\n") for graph in ("g", "h")]
quads = st.frozensets(st.sampled_from(POOL))
courses = st.lists(st.tuples(quads, quads), min_size=1, max_size=6)


def store_of(course: list[tuple[frozenset[Quad], frozenset[Quad]]]) -> MemoryStore:
    store = MemoryStore()
    for number, (add, remove) in enumerate(course):
        store.apply(change(add, remove - add), expect=number)
    return store


def held(store: MemoryStore, number: int) -> set[Quad]:
    return set(snapshot(store, number).quads())


@given(courses)
def test_a_difference_applied_to_one_end_gives_the_other(course: list[tuple[frozenset[Quad], frozenset[Quad]]]) -> None:
    store = store_of(course)
    for one, other in product(range(len(course) + 1), repeat=2):
        net = difference(store, one, other)
        assert net.added == held(store, other) - held(store, one)
        assert net.removed == held(store, one) - held(store, other)
        add, remove = patch.read(patch.written(net.added, net.removed))
        assert (held(store, one) - remove) | add == held(store, other)


@given(courses)
def test_a_change_and_its_inverse_are_nothing(course: list[tuple[frozenset[Quad], frozenset[Quad]]]) -> None:
    store = store_of(course)
    for number in range(1, len(course) + 1):
        done = store.changes(number)
        assert done.inverse().inverse() == done
        net = Net()
        net.then(done)
        net.then(done.inverse())
        assert not net.added
        assert not net.removed
        newest = store.head().number
        before = content(store)
        store.apply(done.inverse(), expect=newest)
        store.apply(store.changes(newest + 1).inverse(), expect=newest + 1)
        assert content(store) == before


@given(courses)
def test_the_way_back_is_the_way_there_turned_round(course: list[tuple[frozenset[Quad], frozenset[Quad]]]) -> None:
    store = store_of(course)
    there, back = difference(store, 0, len(course)), difference(store, len(course), 0)
    assert (there.added, there.removed) == (back.removed, back.added)
    forward = [number for number, _ in steps(store, 0, len(course))]
    assert [number for number, _ in steps(store, len(course), 0)] == forward[::-1]


@pytest.mark.heavy
def test_the_seed_and_small_changes_of_it(own_services: Services) -> None:
    edits.set_value(own_services, 99)
    edits.commit(own_services, edits.new_claim(99))
    store = own_services.store
    whole = {number: set(snapshot(store, number).quads()) for number in range(4)}
    for one, other in product(range(4), repeat=2):
        net = difference(store, one, other)
        assert (whole[one] - net.removed) | net.added == whole[other]
        assert net.removed <= whole[one]
        assert not net.added & whole[one]
    net = difference(store, 0, 3)
    assert patch.unpacked(patch.packed(net.added, net.removed), "x") == (frozenset(net.added), frozenset(net.removed))


@pytest.mark.parametrize("number", [-1, 3, 10**9])
def test_a_revision_that_is_not_there_is_not_found(number: int) -> None:
    store = store_of([(frozenset(POOL), frozenset()), (frozenset(), frozenset(POOL))])
    assert [existing(store, one) for one in range(3)] == [0, 1, 2]
    with pytest.raises(NotFound):
        difference(store, 1, number)


def test_a_change_knows_its_size() -> None:
    made: ChangeSet = change(POOL[:3], POOL[3:5])
    assert made.size == 5
