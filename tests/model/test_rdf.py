"""Python values to RDF terms and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import vocab
from app.model.rdf import (
    TYPE,
    XSD,
    Blank,
    Literal,
    Quad,
    Value,
    date,
    describe,
    iri,
    literal,
    moment,
    python_value,
    text,
)
from app.store.engine import as_stored

GRAPH, THING = iri("https://example.org/g"), iri("https://example.org/s")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@pytest.mark.parametrize(
    ("value", "characters", "kind"),
    [
        ("abc", "abc", "string"),
        (7, "7", "integer"),
        (-(10**30), "-1" + "0" * 30, "integer"),
        (True, "true", "boolean"),
        (False, "false", "boolean"),
        (Decimal("0.30"), "0.3", "decimal"),
        (Decimal("100.0"), "100", "decimal"),
        (Decimal("-0.0"), "0", "decimal"),
        (Decimal("1E-7"), "0.0000001", "decimal"),
        (Decimal("1E+3"), "1000", "decimal"),
        (0.1, "0.1", "decimal"),
        (1e-05, "0.00001", "decimal"),
        (1e22, "10000000000000000000000", "decimal"),
    ],
)
def test_values_as_literals(value: Value, characters: str, kind: str) -> None:
    found = literal(value)
    assert (found.value, found.datatype.value) == (characters, XSD + kind)


@pytest.mark.parametrize(("cell", "kind"), [("2024-07", "gYearMonth"), ("2024-07-16", "date")])
def test_no_day_is_invented(cell: str, kind: str) -> None:
    assert (date(cell).value, date(cell).datatype.value) == (cell, XSD + kind)


def test_moments_and_text() -> None:
    assert moment("2026-11-21T12:00:00+00:00").datatype.value == XSD + "dateTime"
    assert (text("Größe", "de").value, text("size").language) == ("Größe", "en")


@pytest.mark.parametrize("name", ["relative", "", "https://example.org/a b", "https://example.org/<x>", "no scheme"])
def test_an_iri_must_be_absolute(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        iri(name)


@given(st.one_of(TEXT, st.integers(), st.booleans()))
def test_values_come_back_unchanged(value: str | int | bool) -> None:
    back = python_value(literal(value))
    assert back == value
    assert type(back) is type(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=3))
def test_decimals_come_back_equal_also_through_the_engine(value: Decimal) -> None:
    assert python_value(literal(value)) == value
    (stored,) = as_stored([Quad(THING, TYPE, literal(value), GRAPH)])
    assert isinstance(stored.object, Literal)
    assert python_value(stored.object) == value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_floats_become_the_decimal_that_they_print(value: float) -> None:
    back = python_value(literal(value))
    assert isinstance(back, Decimal)
    assert float(back) == value
    assert "e" not in literal(value).value.lower()


def test_other_terms_are_text() -> None:
    assert python_value(THING) == "https://example.org/s"
    assert python_value(Blank("b")) == "b"
    assert python_value(date("2024-07")) == "2024-07"
    assert python_value(text("a", "de")) == "a"


def test_describe_leaves_out_what_is_not_there() -> None:
    quads = describe(
        GRAPH,
        THING,
        [(vocab.rdfs.label, text("a")), (vocab.rdfs.comment, None), (vocab.rdfs.label, text("b"))],
        kind=vocab.slm.Claim,
    )
    assert set(quads) == {
        Quad(THING, iri(vocab.rdfs.label), text("a"), GRAPH),
        Quad(THING, iri(vocab.rdfs.label), text("b"), GRAPH),
        Quad(THING, TYPE, iri(vocab.slm.Claim), GRAPH),
    }
    assert describe(GRAPH, THING, []) == []


@given(st.lists(TEXT, max_size=5))
def test_the_stored_form_is_stable(values: list[str]) -> None:
    quads = [Quad(THING, TYPE, literal(value), GRAPH) for value in values]
    assert as_stored(as_stored(quads)) == as_stored(quads) == frozenset(quads)
