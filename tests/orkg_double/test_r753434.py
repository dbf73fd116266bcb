"""The fictional R753434: it says what Table 1 says, in all its forms."""

from __future__ import annotations

import csv
from collections import Counter
from typing import Any

import pytest

from tests.orkg_double import r753434, table
from tests.orkg_double.inside import inside
from tests.orkg_double.r753434 import COMPARISON, DATA, HEAD_OF_VERSIONS, LEFT_OUT, OTHER_VERSION, PROPERTIES
from tests.orkg_double.state import State


def rows() -> list[dict[str, str]]:
    with (DATA / "survey-table-1.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cells(state: State, comparison: str) -> list[dict[str, list[str]]]:
    """The labels of each column by path."""
    found = table.contents(state, comparison)
    return [
        {
            path: [row["values"][column]["label"] for row in values if row["values"][column]]
            for path, values in found["values"].items()
        }
        for column in range(len(found["titles"]))
    ]


def test_its_53_columns_hold_what_table_1_prints() -> None:
    printed = [one for one in rows() if one["among_october_2024_models"] == "yes" and one["model"] not in LEFT_OUT]
    assert len(printed) == 53
    found = cells(r753434.world(edited=False), COMPARISON)
    assert len(found) == 53
    for row, column in zip(printed, found, strict=True):
        for one in PROPERTIES:
            assert column[one.id] == ([row[one.column]] if row[one.column] else []), row["model"]


def test_its_literals_are_all_text_and_nothing_says_how_it_was_found() -> None:
    state = r753434.world(edited=False)
    mine = [one for one in state.statements.values() if one.subject in {s.object for s in state.sources(COMPARISON)}]
    assert {one.method for one in mine} == {"UNKNOWN"}
    assert {state.things[one.object].datatype for one in mine} == {None, "xsd:string"}


def test_known_errors_of_the_table_are_in_it() -> None:
    columns = cells(r753434.world(later_rows=True), COMPARISON)
    found = {(one["HAS_MODEL"][0], *one["P103002"]): one for one in columns}
    assert found[("Phi-3.5-mini*", "2.7B")]
    assert found[("DCLM", "1.4B")]["P990008"] == ["50k"]
    assert found[("OLMo", "1.18B")]["P990008"] == ["50k"]
    smol = found[("SmolLM2", "360M")]
    assert (smol["P990002"], smol["P990003"], smol["P990004"]) == (["30"], ["576"], ["9"])
    assert len(columns) == 57


def test_head_and_version_differ_in_three_cells() -> None:
    state = r753434.world()
    head, version = cells(state, COMPARISON), cells(state, OTHER_VERSION)
    differing = {
        (now["HAS_MODEL"][0], path): (then[path], now[path])
        for now, then in zip(head, version, strict=True)
        for path in now
        if now[path] != then[path]
    }
    assert differing == {
        ("TinyLlama", "P990006"): (["32k"], ["32,000"]),
        ("Qwen 2", "P990001"): ([], ["GQA"]),
        ("Pythia", "P990007"): (["yes"], []),
    }


def test_it_may_be_a_version_or_have_lost_its_table() -> None:
    state = r753434.world(id_is="version")
    assert state.comparisons[COMPARISON].head == HEAD_OF_VERSIONS
    assert state.versions(HEAD_OF_VERSIONS) == [OTHER_VERSION, COMPARISON]
    assert len(cells(state, COMPARISON)) == len(cells(state, HEAD_OF_VERSIONS)) == 53
    lost = r753434.world(version_table="empty")
    assert lost.tables[OTHER_VERSION]["titles"] == []
    assert len(lost.sources(OTHER_VERSION)) == 53
    with pytest.raises(ValueError, match="no such world"):
        r753434.world(id_is="both")


def test_papers_carry_dois_or_none() -> None:
    state = r753434.world()
    papers = [state.paper_of(one.object) for one in state.sources(COMPARISON)]
    assert sum(1 for one in papers if one is None) == 3
    known = Counter(bool(state.papers[one].identifiers) for one in papers if one)
    assert known[True] > 35
    assert known[False] > 5
    opt = state.papers[next(one for one in papers if one)]
    assert opt.identifiers == {"doi": ["10.48550/arXiv.2205.01068"]}
    assert (opt.publication_info["published_month"], opt.publication_info["published_year"]) == (5, 2022)
    assert len(state.about(opt.id, "P31")) == 4


def test_nested_and_multiple_values() -> None:
    found = table.contents(r753434.world(), COMPARISON)
    rows = found["values"]["P990009"]
    assert len(rows) > 2
    labels = [row["values"][0]["label"] for row in rows if row["values"][0]]
    assert labels == sorted(labels, key=str.lower)
    assert len(labels) == 3
    sizes: list[Any] = [
        (row["values"][column]["label"], child["values"][column]["label"])
        for row in rows
        for child in row["children"].get("P990010", [])
        for column in range(53)
        if child["values"][column]
    ]
    assert ("The Pile", "825B tokens") in sizes


def test_with_dirt_cells_are_as_people_type_them() -> None:
    clean, dirty = r753434.world(edited=False), r753434.world(dirt=True, edited=False)
    found = cells(dirty, COMPARISON)
    labels = Counter(label for column in found for values in column.values() for label in values)
    for label in (
        "2,048",
        "24*",
        "Base = 256M, Large = 590M",
        "Same as Phi-1",
        "RoBERTa, The Pile, PushShift.io Reddit",
    ):
        assert labels[label] >= 1, label
    attention = [dirty.things[one.object] for one in dirty.statements.values() if one.predicate == "P990001"]
    assert {one.kind for one in attention} == {"resource", "literal"}
    assert {one.label for one in attention if one.kind == "literal"} <= {"gqa", "mha", "mqa", "mla"}
    assert len({one.id for one in attention if one.label == "MHA"}) == 2
    assert cells(clean, COMPARISON) != found
    assert [len(one) for one in found] == [len(one) for one in cells(clean, COMPARISON)]


def test_the_same_world_each_time() -> None:
    _, first = inside("r753434")
    _, second = inside("r753434")
    assert first.dump() == second.dump()
    assert r753434.world().canonical() == r753434.world().canonical()
