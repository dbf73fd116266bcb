"""Intervals and ties: Wilson's interval, rounding, and classes that the data cannot separate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compare.intervals import Interval, Z, apart, classes, rounding, wilson

SHARES = st.floats(0, 1)
ITEMS = st.integers(1, 20_000)


@given(st.integers(1, 20_000).flatmap(lambda items: st.tuples(st.integers(0, items), st.just(items))))
def test_the_ends_of_wilson_s_interval_solve_the_score_equation(counted: tuple[int, int]) -> None:
    """At both ends the share lies 1.96 standard errors of that end away (Wilson 1927)."""
    right, items = counted
    found = wilson(right / items, items)
    for end in (found.lower, found.upper):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(right / items - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / items), rel=1e-6)


@given(SHARES, ITEMS)
def test_an_interval_holds_its_share_and_stays_between_0_and_1(share: float, items: int) -> None:
    found = wilson(share, items)
    assert 0 <= found.lower <= share + 1e-12
    assert share - 1e-12 <= found.upper <= 1


@pytest.mark.parametrize(
    ("value", "reported", "half"),
    [(0.432, "0.432", 0.0005), (0.432, "43.2", 0.0005), (12.0, "12 ms", 0.5), (1500.0, "1,500", 0.5), (0.0, "0", 0.5)],
)
def test_digits_allow_half_a_unit_of_the_last_one(value: float, reported: str, half: float) -> None:
    found = rounding(value, reported)
    assert found is not None
    assert value - found.lower == pytest.approx(half)
    assert found.upper - value == pytest.approx(half)
    assert not found.is_sampling


def test_text_without_digits_has_no_interval() -> None:
    assert rounding(1.0, "one") is None


def test_two_shares_are_apart_as_newcombe_s_interval_says() -> None:
    """56/70 and 48/80: difference 0.2, 95 % interval 0.0524 to 0.3339 (Newcombe 1998, method 10)."""
    high, low = (56 / 70, wilson(56 / 70, 70)), (48 / 80, wilson(48 / 80, 80))
    assert apart(high, low)
    below = 0.2 - math.hypot(high[0] - high[1].lower, low[1].upper - low[0])
    assert below == pytest.approx(0.0524, abs=2e-4)
    assert not apart((0.70, wilson(0.70, 70)), (0.60, wilson(0.60, 80)))


def test_rounded_values_are_apart_when_their_intervals_do_not_touch() -> None:
    assert not apart((0.43, Interval(0.425, 0.435, "rounding")), (0.432, Interval(0.4315, 0.4325, "rounding")))
    assert apart((0.43, None), (0.431, None))
    assert not apart((0.43, None), (0.43, None))


@given(st.lists(st.tuples(SHARES, ITEMS), max_size=30))
def test_a_class_holds_what_is_not_apart_from_its_best(found: list[tuple[float, int]]) -> None:
    values = [(share, wilson(share, items)) for share, items in sorted(found, reverse=True)]
    numbers = classes(values)
    assert numbers == sorted(numbers)
    leaders: dict[int, tuple[float, Interval]] = {}
    for number, value in zip(numbers, values, strict=True):
        leader = leaders.setdefault(number, value)
        assert value is leader or not apart(leader, value)
