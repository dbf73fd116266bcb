"""CSV of comparisons: RFC 4180, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compare.export import plain_text, to_csv
from app.compare.values import Cell, CompareTable, Plain, Property, Reason, Status, Value
from tests.compare.test_models import PLAIN

NOTE = Property("note", "https://example.org/note", "note", "A note.", "model", "claimed", several=True)


def table(*cells: Cell) -> CompareTable:
    models = tuple(replace(PLAIN, slug=f"m{number}") for number, _ in enumerate(cells))
    rows = {model.slug: {"note": cell} for model, cell in zip(models, cells, strict=True)}
    return CompareTable(models, (NOTE,), rows)


def accepted(*values: Plain) -> Cell:
    return Cell(Status.ACCEPTED, tuple(Value(value) for value in values))


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_a_row_for_each_model_and_two_columns_for_each_property() -> None:
    text = to_csv(table(accepted("x"), Cell(Status.MISSING, reason=Reason.NOT_REPORTED), Cell(Status.DISPUTED)))
    assert text == (
        "model,label,note,note.status\r\n"
        "m0,Alpha,x,accepted\r\n"
        "m1,Alpha,,missing: not-reported\r\n"
        "m2,Alpha,,disputed\r\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (False, "false"),
        (-5, "-5"),
        (Decimal("-0.00001"), "-0.00001"),
        (Decimal("1E+3"), "1000"),
        (10**15, "1000000000000000"),
        ("plain", "plain"),
        ('say "yes", twice', 'say "yes", twice'),
        ("two\nlines", "two\nlines"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
    ],
)
def test_values(value: Plain, shown: str) -> None:
    assert rows(to_csv(table(accepted(value))))[1][2] == shown


def test_several_values_stand_in_one_cell() -> None:
    assert rows(to_csv(table(accepted("a", "b"))))[1][2] == "a; b"
    assert rows(to_csv(table(accepted("=a", "b"))))[1][2] == "'=a; b"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_and_none_begins_a_formula(text: str) -> None:
    shown = rows(to_csv(table(accepted(text))))[1][2]
    assert shown in {text, f"'{text}"}
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_numbers_survive(number: Decimal) -> None:
    assert Decimal(plain_text(number)) == number
