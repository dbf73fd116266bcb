"""CSV of comparisons: RFC 4180, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compare.cube import cube
from app.compare.export import plain_text, to_csv, to_markdown, to_parquet, to_tex
from app.compare.grid import Grid, GridColumn, Scalar
from app.compare.values import Plain
from app.model.rdf import IRI, Triple

SCORE = GridColumn(
    "score", "score", "https://example.org/score", "measure", "number", "http://qudt.org/vocab/unit/PERCENT", "%"
)
MODEL = GridColumn("model", "model", "https://example.org/model", "dimension", "model")
NOTE = GridColumn("note", "note", "https://example.org/note")


def table(value: object) -> Grid:
    return Grid("a table", (MODEL, SCORE, NOTE), [["m0", 1.5, value]], ("Mind the gap.",))


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


def test_a_row_for_each_model_below_a_header() -> None:
    assert to_csv(table("x")) == b"model,score,note\r\nm0,1.5,x\r\n"
    assert to_csv(table(None)) == b"model,score,note\r\nm0,1.5,\r\n"


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
    assert rows(to_csv(table(value)))[1][2] == shown


def test_several_values_stand_in_one_cell() -> None:
    assert rows(to_csv(table(["a", "b"])))[1][2] == "a; b"
    assert rows(to_csv(table(["=a", "b"])))[1][2] == "'=a; b"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_and_none_begins_a_formula(text: str) -> None:
    shown = rows(to_csv(table(text)))[1][2]
    assert shown in {text, f"'{text}"}
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_numbers_survive(number: Decimal) -> None:
    assert Decimal(plain_text(number)) == number


def test_markdown_says_units_and_notes_and_keeps_its_columns() -> None:
    text = to_markdown(table("a | b\n<script>")).decode()
    lines = text.splitlines()
    assert lines[0] == "| model | score [%] | note |"
    assert lines[1] == "| --- | ---: | --- |"
    assert lines[2] == "| m0 | 1.5 | a \\| b &lt;script> |"
    assert lines[-1] == "Mind the gap."


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
def test_latex_has_no_letter_that_latex_would_run(text: str) -> None:
    row = to_tex(table(text)).decode().split("\\midrule\n")[1].splitlines()[0]
    cell = row.removeprefix("m0 & 1.5 & ").removesuffix(" \\\\")
    for name in ("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"):
        cell = cell.replace(f"\\{name}{{}}", "")
    for letter in "&%$#_{}":
        cell = cell.replace(f"\\{letter}", "")
    assert not set(cell) & set("\\&%$#_{}~^<>")


def test_parquet_keeps_numbers_and_text() -> None:
    found = pl.read_parquet(to_parquet(table(["a", "b"])))
    assert found.to_dicts() == [{"model": "m0", "score": 1.5, "note": "a; b"}]


def test_a_cube_has_an_observation_for_each_measured_value() -> None:
    triples = list(cube(table("x"), "https://example.org/r/3/table", 3))
    node = IRI("https://example.org/r/3/table#row1")
    told = {
        triple.predicate.value.rsplit("/", 1)[-1].rsplit("#", 1)[-1]: triple.object
        for triple in triples
        if triple.subject == node
    }
    assert set(told) == {"type", "dataSet", "measureType", "score", "hasUnit", "model", "note"}
    assert told["model"] == IRI("https://w3id.org/slmkg/resource/model/m0")
    assert told["hasUnit"] == IRI("http://qudt.org/vocab/unit/PERCENT")
    whole = IRI("https://example.org/r/3/table")
    derived = IRI("http://www.w3.org/ns/prov#wasDerivedFrom")
    assert Triple(whole, derived, IRI("https://w3id.org/slmkg/resource/revision/3")) in triples


def test_a_value_that_is_missing_makes_no_observation() -> None:
    empty: list[list[Scalar]] = [["m0", None, "x"]]
    triples = cube(Grid("a table", (MODEL, SCORE, NOTE), empty), "https://example.org/r/3/table", 3)
    assert not any(triple.subject.value.endswith("#row1") for triple in triples if isinstance(triple.subject, IRI))
