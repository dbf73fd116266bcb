"""What a change is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.changes import ChangeSet
from app.model.rdf import IRI, Literal, Quad

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ME = "https://example.org/me"


def quad(number: int) -> Quad:
    name = IRI("https://example.org/x")
    return Quad(name, name, Literal(number), name)


SETS = st.frozensets(st.integers(0, 9).map(quad))


@given(SETS, SETS)
def test_between_turns_one_set_into_the_other(old: frozenset[Quad], new: frozenset[Quad]) -> None:
    change = ChangeSet.between(old, new, reason="r", author=ME, made_at=NOW)
    assert (old - change.remove) | change.add == new
    assert not change.add & change.remove
    assert not change.add & old
    assert change.remove <= old
    assert change.is_empty == (old == new)


@given(SETS, SETS)
def test_there_and_back_is_nothing(old: frozenset[Quad], new: frozenset[Quad]) -> None:
    there = ChangeSet.between(old, new, reason="r", author=ME, made_at=NOW)
    back = ChangeSet.between(new, old, reason="r", author=ME, made_at=NOW)
    assert (there.add, there.remove) == (back.remove, back.add)


def test_a_change_cannot_add_and_remove_one_quad() -> None:
    with pytest.raises(ValueError, match="same quad"):
        ChangeSet(frozenset([quad(1)]), frozenset([quad(1), quad(2)]), "r", ME, NOW)


def test_the_time_of_a_change_has_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ChangeSet(frozenset(), frozenset(), "r", ME, NOW.replace(tzinfo=None))


def test_a_change_never_changes() -> None:
    change = ChangeSet(frozenset(), frozenset(), "r", ME, NOW)
    with pytest.raises(AttributeError):
        change.reason = "other"  # type: ignore[misc]
    assert change.is_empty
