"""Answers as values: all examples can be read, and what has moved is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import OrkgChanged
from app.orkg import reading
from app.orkg.reading import Shape
from app.orkg.values import Method, instant
from app.orkg.values import Path as Row

EXAMPLES = Path(__file__).parents[1] / "orkg_double" / "examples"
SHAPES: dict[str, Shape[Any]] = {
    "comparison.head.json": reading.COMPARISON,
    "comparison.published.json": reading.COMPARISON,
    "comparisons.page.json": reading.COMPARISONS,
    "comparison.contents.json": reading.CONTENTS,
    "comparison.contents.empty.json": reading.CONTENTS,
    "comparison.contents.no-paths.json": reading.CONTENTS,
    "comparison.table-paths.json": reading.TABLE_PATHS,
    "paper.json": reading.PAPER,
    "papers.page.json": reading.PAPERS,
    "contribution.json": reading.CONTRIBUTION,
    "statement.json": reading.STATEMENT,
    "list-element-statement.json": reading.STATEMENT,
    "statements.by-subject.page.json": reading.STATEMENTS,
    "subgraph.page.json": reading.STATEMENTS,
    "statements.bundle.json": reading.BUNDLE,
    "resource.json": reading.THING,
    "literal.json": reading.THING,
    "predicate.json": reading.THING,
    "class.json": reading.THING,
    "resources.page.json": reading.THINGS,
    "predicates.page.json": reading.THINGS,
    "things.by-uri.page.json": reading.THINGS,
    "timeline.page.json": reading.TIMELINE,
    "contributor.json": reading.CONTRIBUTOR,
    "user.json": reading.USER,
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_examples_are_read_and_written_again(name: str) -> None:
    shape = SHAPES[name]
    value = shape.read((EXAMPLES / name).read_bytes(), name)
    assert shape.read(shape.write(value), name) == value


def _bent(name: str, *path: str | int, to: object = None, drop: bool = False, rename: str = "") -> bytes:
    record = json.loads((EXAMPLES / name).read_bytes())
    place = record
    for step in path[:-1]:
        place = place[step]
    if rename:
        place[rename] = place.pop(path[-1])
    elif drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(record).encode()


def test_a_member_that_has_moved_is_named_with_a_pointer() -> None:
    body = _bent("comparison.contents.json", "selected_paths", rename="rows")
    with pytest.raises(OrkgChanged) as caught:
        reading.CONTENTS.read(body, "/contents")
    assert caught.value.pointer == "/selected_paths"
    assert "/contents at /selected_paths: Field required" in caught.value.message
    assert "orkg check" in caught.value.advice


def test_a_member_of_another_type_is_no_value() -> None:
    with pytest.raises(OrkgChanged) as caught:
        reading.CONTENTS.read(
            _bent("comparison.contents.json", "values", "P900002", 0, "values", 0, "label", to=24), "x"
        )
    assert caught.value.pointer == "/values/P900002/0/values/0/label"


@pytest.mark.parametrize("name", ["../../etc/passwd", "R1;DROP", "", "R 1", "R1\n"])
def test_an_identifier_outside_the_pattern_is_none(name: str) -> None:
    with pytest.raises(OrkgChanged) as caught:
        reading.THING.read(_bent("resource.json", "id", to=name), "x")
    assert caught.value.pointer == "/id"


def test_a_method_that_is_new_is_not_guessed() -> None:
    with pytest.raises(OrkgChanged):
        reading.STATEMENT.read(_bent("statement.json", "extraction_method", to="CROWD"), "x")


def test_new_members_are_passed_over() -> None:
    body = _bent("comparison.head.json", "sponsor", to={"id": "R1"})
    assert reading.COMPARISON.read(body, "x").id == "R900001"


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b"null", b'{"id":'])
def test_what_is_no_json_or_no_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(OrkgChanged):
        reading.COMPARISON.read(body, "x")


def test_times_sort_to_the_nanosecond_across_offsets() -> None:
    early = "2026-09-02T08:00:00.000000001+02:00"
    late = "2026-09-02T06:00:00.000000002Z"
    assert instant(early) < instant(late) < instant("2026-09-02T05:00:01-01:00")
    with pytest.raises(ValueError, match="no time"):
        instant("2026-09-02")


def test_versions_are_sorted_whatever_their_order() -> None:
    body = _bent(
        "comparison.head.json",
        "versions",
        "published",
        to=[
            {"id": f"R{number}", "label": "x", "created_at": at, "created_by": "y"}
            for number, at in enumerate(
                [
                    "2026-09-02T08:00:00.000000001+02:00",
                    "2026-09-02T08:00:00.000000003+02:00",
                    "2026-09-02T07:00:00+01:00",
                ]
            )
        ],
    )
    found = reading.COMPARISON.read(body, "x").versions.newest_first
    assert [one.id for one in found] == ["R1", "R0", "R2"]


def test_the_method_is_that_of_the_statement_or_else_of_its_literal() -> None:
    said = reading.STATEMENT.read((EXAMPLES / "statement.json").read_bytes(), "x")
    assert said.method is Method.MANUAL
    silent = reading.STATEMENT.read(_bent("statement.json", "extraction_method", to="UNKNOWN"), "x")
    assert silent.extraction_method is Method.UNKNOWN
    assert silent.method is Method.MANUAL


def test_paths_are_walked_from_the_top_down() -> None:
    tree = Row("P1", "a", children=(Row("P2", "b", children=(Row("P3", "c"),)), Row("P4", "d")))
    assert ["/".join(one.id for one in chain) for chain in tree.walk()] == ["P1", "P1/P2", "P1/P2/P3", "P1/P4"]
    assert tree.depth == 3
