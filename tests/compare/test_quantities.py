"""Numbers as people type them, with units from the graph."""

from __future__ import annotations

import pytest

from app.compare.quantities import conversion, factor, number
from app.compare.values import Unit
from app.errors import BadParameter
from app.services import Services


@pytest.mark.parametrize(
    ("text", "symbol", "expected"),
    [
        ("1500", None, 1500),
        ("1.5B", None, 1.5e9),
        ("4k", "tok", 4000),
        ("4K tok", None, None),
        ("1e9", None, 1e9),
        ("1 000 000", None, 1e6),
        ("2GB", "B", 2e9),
        ("2 GiB", "B", 2 * 2**30),
        ("8 b", "B", 1),
        ("5B", "B", 5),
        ("1 s", "ms", 1000),
        ("50 %", "÷", 0.5),
        ("-3", None, -3),
        ("2 parsecs", "B", None),
        ("two", None, None),
        ("1e999", None, None),
        ("", None, None),
    ],
)
def test_a_typed_number(seed_services: Services, text: str, symbol: str | None, expected: float | None) -> None:
    units = seed_services.view().terms.units
    unit = next((one.unit for one in units.values() if one.unit.symbol == symbol), None)
    if expected is None:
        with pytest.raises(BadParameter) as caught:
            number(text, unit, units, parameter="where", pointer="/where/0")
        assert caught.value.pointer == "/where/0"
    else:
        assert number(text, unit, units, parameter="where", pointer="/where/0") == pytest.approx(expected)


def test_every_two_units_of_a_kind_turn_into_each_other(seed_services: Services) -> None:
    units = seed_services.view().terms.units
    for one in units.values():
        for other in units.values():
            if one.kind == other.kind and one.multiplier and other.multiplier:
                there, back = factor(one.unit, other.unit, units), factor(other.unit, one.unit, units)
                assert there * back == pytest.approx(1)


def test_a_unit_of_another_kind_is_refused_with_those_that_fit(seed_services: Services) -> None:
    units = seed_services.view().terms.units
    byte = next(one.unit for one in units.values() if one.unit.symbol == "B")
    with pytest.raises(BadParameter) as caught:
        conversion("GiP", byte, units, parameter="units", pointer="/units/0")
    assert "GiB" in caught.value.advice
    with pytest.raises(BadParameter):
        conversion("GB", Unit("https://example.org/x", "x", "x"), units, parameter="units", pointer="/units/0")
