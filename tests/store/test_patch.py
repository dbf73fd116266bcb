"""RDF patches: what is written can be read again, and mistakes name their line."""

from __future__ import annotations

import pytest

from app.errors import BadFile
from app.model.rdf import Blank, Literal, Quad
from app.store import patch
from tests.store.quads import name, quad

TRICKY = frozenset(
    {
        quad("s", Literal('"quoted" \\ and\nbroken\r\tlines\u2028\u0085', language="en")),
        quad("s", "A <https://example.org/x> .\nTC ."),
        Quad(Blank("b1"), name("p"), Blank("b2"), name("g")),
        quad("s", 7),
    }
)


def test_a_patch_reads_back() -> None:
    gone = frozenset({quad("t", 1)})
    assert patch.read(patch.written(TRICKY, gone)) == (TRICKY, gone)
    assert patch.unpacked(patch.packed(TRICKY, gone), "x") == (TRICKY, gone)
    assert patch.read(patch.written([], [])) == (frozenset(), frozenset())


def test_a_patch_is_rows_of_one_transaction() -> None:
    text = patch.written([quad("s", 2), quad("a", 1)], [quad("s", 1)], [("id", "urn:b"), ("prev", "urn:a")]).decode()
    one = '"1"^^<http://www.w3.org/2001/XMLSchema#integer> <https://example.org/g> .'
    assert text.splitlines() == [
        "H id <urn:b> .",
        "H prev <urn:a> .",
        "TX .",
        f"D <https://example.org/s> <https://example.org/p> {one}",
        f"A <https://example.org/a> <https://example.org/p> {one}",
        f"A <https://example.org/s> <https://example.org/p> {one.replace('1', '2', 1)}",
        "TC .",
    ]
    assert text.endswith("TC .\n")


def test_the_last_row_about_a_quad_counts() -> None:
    row = f'<{name("s").value}> <{name("p").value}> "x" <{name("g").value}> .'
    assert patch.read(f"TX .\nA {row}\nD {row}\nTC .\n".encode()) == (frozenset(), frozenset({quad("s", "x")}))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("TX .\nX <urn:a> .\nTC .\n", 2),
        ("TX .\nA <urn:a> <urn:b> <urn:c> <urn:g>\nTC .\n", 2),
        ("hello\nTC .\n", 1),
        ("TX .\nA <urn:a> <urn:b> <urn:c> <urn:g> .\n", 3),
        ("", 1),
    ],
)
def test_a_mistake_names_its_line(text: str, line: int) -> None:
    with pytest.raises(BadFile) as found:
        patch.read(text.encode())
    assert found.value.line == line
    assert found.value.advice


def test_a_quad_that_is_none_is_a_mistake() -> None:
    with pytest.raises(BadFile, match="quad"):
        patch.read(b"TX .\nA nothing .\nTC .\n")
