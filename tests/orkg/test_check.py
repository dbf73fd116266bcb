"""The live check against the double: what holds, what is told, and that the double and the known forms are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import OrkgMissing, OrkgUnavailable
from app.orkg.check import Report, Weight, check
from app.orkg.forms import ByClass, Form, Keyed, Many, Maybe, Nested, differences
from tests.orkg.clients import client
from tests.orkg_double.faults import Bend, Fault
from tests.orkg_double.steering import Steering

CONTENTS = "/api/comparisons/.*/contents"


def checked(orkg: Steering, comparison: str = "R900001") -> Report:
    with client(orkg) as reader:
        return check(reader, comparison)


def told(report: Report, weight: Weight) -> list[tuple[str, str]]:
    return [(one.place, one.problem) for one in report.findings if one.weight is weight]


@pytest.mark.parametrize(
    ("world", "comparison"),
    [("synthetic", "R900001"), ("synthetic", "R900101"), ("r753434", "R753434"), ("r753434", "R753854")],
)
def test_the_double_keeps_the_contract_in_five_requests_that_only_read(
    orkg: Steering, world: str, comparison: str
) -> None:
    orkg.reset(world)
    before = orkg.dump()
    report = checked(orkg, comparison)
    assert (report.findings, report.holds, report.backend) == ((), True, "0.102.0")
    log = orkg.log()
    assert [one["method"] for one in log] == ["GET"] * 5
    assert [one["user"] for one in log] == [None] * 5
    assert len(report.requests) == 5
    assert orkg.dump() == before


@pytest.mark.parametrize("comparison", ["R900002", "R900199"])
def test_an_empty_table_is_told(orkg: Steering, comparison: str) -> None:
    report = checked(orkg, comparison)
    assert report.holds
    assert told(report, Weight.DIFFERENT) == [("", "the table is empty although there are 3 sources")]
    assert len(report.requests) == 5


def test_a_member_that_moved_breaks_where_we_need_it(orkg: Steering) -> None:
    orkg.bend(Bend("rename", CONTENTS, key="selected_paths", to="paths"))
    report = checked(orkg)
    assert not report.holds
    assert [place for place, _ in told(report, Weight.BROKEN)] == ["/selected_paths"]
    assert told(report, Weight.DIFFERENT) == [("/selected_paths", "is missing"), ("/paths", "is new")]


def test_a_member_that_we_do_not_need_only_differs(orkg: Steering) -> None:
    orkg.bend(Bend("drop", "/api/comparisons/[^/]*", key="is_anonymized"))
    report = checked(orkg)
    assert report.holds
    assert told(report, Weight.DIFFERENT) == [("/is_anonymized", "is missing")]


def test_a_value_of_another_type_is_told_with_how_often(orkg: Steering) -> None:
    orkg.bend(Bend("set", ".*/subgraph", key="created_by", to={"id": "x"}))
    report = checked(orkg)
    assert not report.holds
    places = {one.place: one.times for one in report.findings if one.weight is Weight.DIFFERENT}
    assert places["/content/*/created_by"] == 6
    assert "an object instead of a text" in {one.problem for one in report.findings}


def test_a_next_version_of_the_media_type_is_broken_and_named(orkg: Steering) -> None:
    orkg.habits(comparison_media="application/vnd.orkg.comparison.v4+json")
    report = checked(orkg)
    assert not report.holds
    assert [problem for _, problem in told(report, Weight.BROKEN)] == [
        "the service no longer answers application/vnd.orkg.comparison.v3+json (406)"
    ] * 2
    doubts = [problem for _, problem in told(report, Weight.DOUBTFUL)]
    assert any(
        one.startswith("PUT /api/comparisons/{} has the type application/vnd.orkg.comparison.v4") for one in doubts
    )
    assert len(report.requests) == 5


@pytest.mark.parametrize("what", ["html", "redirect", "truncated", "empty-body"])
def test_what_is_no_answer_is_broken(orkg: Steering, what: str) -> None:
    orkg.bend(Bend(what, CONTENTS, to="http://evil.example/"))
    report = checked(orkg)
    assert not report.holds
    assert {one.request for one in report.findings} == {"GET /api/comparisons/R900001/contents"}


def test_a_table_whose_columns_do_not_fit_is_broken(orkg: Steering) -> None:
    orkg.bend(Bend("set", CONTENTS, key="subtitles", to=[]))
    assert ("/subtitles", "0 for 3 titles") in told(checked(orkg), Weight.BROKEN)
    orkg.bend(Bend("set", CONTENTS, key="titles", to=[]))
    report = checked(orkg)
    assert ("/titles", "0 columns for 3 sources") in told(report, Weight.BROKEN)
    assert "GET /api/papers?size=1" in report.requests, "no title names a paper, so any paper does"


def test_behaviour_that_is_relied_on_is_watched(orkg: Steering) -> None:
    orkg.bend(Bend("set", ".*/subgraph", key="size", to=100))
    assert told(checked(orkg), Weight.DIFFERENT) == [("/page/size", "pages are lowered to 100 rows, not to 2500")]
    orkg.bend(Bend("set", CONTENTS, key="id", to="L1"))
    report = checked(orkg)
    assert ("/values/*/*/values/*/id", "literals have identifiers now") in told(report, Weight.DIFFERENT)
    broken = [one.request for one in report.findings if one.weight is Weight.BROKEN]
    assert broken == ["GET /api/papers/L1"], "the client itself does not mind identifiers"


def test_the_description_of_the_service_is_read(orkg: Steering) -> None:
    orkg.habits(backend="0.110.1")
    assert [place for place, _ in told(checked(orkg), Weight.DIFFERENT)] == ["/info/version"]
    orkg.bend(Bend("drop", "/api", key="/api/statements/{id}"))
    doubts = told(checked(orkg), Weight.DOUBTFUL)
    assert doubts == [
        ("/paths", "PUT /api/statements/{} is not described any more"),
        ("/paths", "DELETE /api/statements/{} is not described any more"),
    ]
    orkg.bend(Bend("html", "/api"))
    report = checked(orkg)
    assert (report.holds, report.backend) == (True, None)
    assert len(told(report, Weight.DIFFERENT)) == 1


def test_no_service_and_no_such_comparison_are_errors(orkg: Steering) -> None:
    with pytest.raises(OrkgMissing, match="R404"):
        checked(orkg, "R404")
    orkg.faults([Fault(at, "502") for at in range(1, 20)])
    with pytest.raises(OrkgUnavailable):
        checked(orkg)


def test_what_passes_by_itself_is_no_finding(orkg: Steering) -> None:
    orkg.faults([Fault(2, "502"), Fault(4, "cut")])
    assert checked(orkg).findings == ()


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("text", "x", []),
        ("text", None, [("", "null instead of a text")]),
        ("number", True, [("", "a truth instead of a number")]),
        ("number", 1.5, []),
        ("truth", 1, [("", "a number instead of a truth")]),
        (Maybe("text"), None, []),
        (Maybe("text"), 1, [("", "a number instead of a text")]),
        (Many("text"), {}, [("", "an object instead of a list")]),
        (Many("text"), ["a", 1], [("/*", "a number instead of a text")]),
        (Keyed("number"), {"a": 1, "b": "2"}, [("/*", "a text instead of a number")]),
        (Keyed("number"), [], [("", "a list instead of an object")]),
        ({"a": "text", "b?": "text"}, {"a": "x"}, []),
        ({"a": "text", "b?": "text"}, {"b": 1}, [("/a", "is missing"), ("/b", "a number instead of a text")]),
        ({"a?": "text"}, {"c": 2}, [("/c", "is new")]),
        (ByClass({"x": {"a": "text"}}), {"_class": "x", "a": "y"}, []),
        (ByClass({"x": {"a": "text"}}), {"_class": "z"}, [("/_class", "'z' is none of x")]),
        (Nested({"a": "text"}, "in"), {"a": "x", "in": [{"a": "y", "in": []}]}, []),
        (Nested({"a": "text"}, "in"), {"a": "x", "in": [{"in": []}]}, [("/in/*/a", "is missing")]),
        (Nested({}, "in", keyed=True), {"in": {"k": [{"in": {}}, {}]}}, [("/in/*/*/in", "is missing")]),
    ],
)
def test_forms(form: Form, value: Any, expected: list[tuple[str, str]]) -> None:
    assert list(differences(form, value)) == expected


def test_the_report_can_be_written_as_json(orkg: Steering) -> None:
    from dataclasses import asdict

    orkg.habits(backend="1.0.0")
    written = json.loads(json.dumps(asdict(checked(orkg))))
    assert written["findings"][0]["weight"] == "different"
