"""Validation of the records that a change touches: only they are judged, and with enough context."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from app.model.rdf import IRI, Literal, Quad, Term
from app.validation.findings import Severity
from app.validation.records import (
    Edge,
    RecordValidator,
    edges_of,
    neighbourhood,
    referrers,
    validate_records,
)
from app.validation.shapes import Shapes
from tests.validation.graphs import Data
from tests.validation.mutants import drop, swap

EX = "http://example.org/"
RESOURCE = "https://w3id.org/slmkg/resource/"
MODEL = IRI(f"{RESOURCE}model/examplelm-135m")
SCORE = IRI(f"{RESOURCE}observation/card-hellaswag")
PROTOCOL = IRI(f"{RESOURCE}protocol/hellaswag-0shot-harness-x")


def ex(name: str) -> IRI:
    return IRI(EX + name)


def chain(length: int) -> list[Quad]:
    return [Quad(ex(f"n{step}"), ex("p"), ex(f"n{step + 1}")) for step in range(length)]


def names(edges: Iterable[Edge]) -> set[tuple[str, str]]:
    return {(edge[0].value.removeprefix(EX), edge[2].value.removeprefix(EX)) for edge in edges}


def test_only_the_focus_is_judged(flat: Data, records: RecordValidator) -> None:
    data = flat.changed(drop("obs:rt-0001-decode", "slm:ofModel"))
    assert records.validate(data.store, [SCORE, MODEL]).findings == ()
    broken = records.validate(data.store, [IRI(f"{RESOURCE}observation/rt-0001-decode")])
    assert broken.by_constraint == {"C24": 1}


def test_a_bare_record_is_judged_without_its_incomplete_context(flat: Data, records: RecordValidator) -> None:
    wanted = {SCORE.value, f"{RESOURCE}value/card-hellaswag"}
    alone = [quad for quad in flat.store if quad.subject.value in wanted]
    report = records.validate(alone, [SCORE])
    assert {finding.focus for finding in report.findings} == {SCORE.value}


def test_values_inside_nested_shapes_are_judged_though_they_are_not_in_focus(
    flat: Data, records: RecordValidator
) -> None:
    data = flat.changed(drop("val:card-hellaswag", "qudt:hasUnit"))
    report = records.validate(data.store, [SCORE])
    assert [(finding.constraint, finding.focus) for finding in report.findings] == [("C24", SCORE.value)]
    assert report.findings[0].path == "<http://www.w3.org/ns/sosa/hasResult>"
    assert report.findings[0].value == f"{RESOURCE}value/card-hellaswag"


def test_a_focus_that_is_not_in_the_data_or_no_target_gives_nothing(flat: Data, records: RecordValidator) -> None:
    assert records.validate(flat.store, [ex("nobody"), PROTOCOL]).findings == ()
    assert records.validate(flat.store, []).findings == ()
    assert records.validate([], [MODEL]).findings == ()


def test_records_that_point_at_a_change_can_be_asked_for(flat: Data, records: RecordValidator) -> None:
    data = flat.changed(drop("proto:hellaswag-0shot-harness-x", "slm:numShots"))
    find = edges_of(data.store)
    assert records.validate_slice(find, [PROTOCOL]).findings == ()
    assert referrers(find, [PROTOCOL]) == {SCORE}
    assert records.validate_slice(find, referrers(find, [PROTOCOL])).by_constraint == {"C30": 1}


def test_the_one_off_form_says_the_same(flat: Data, shapes: Shapes, records: RecordValidator) -> None:
    data = flat.changed(swap("model:examplelm-135m", "slm:nominalSize", '"135 million"'))
    report = validate_records(data.store, [MODEL], shapes)
    assert report == records.validate(data.store, [MODEL])
    (finding,) = report.findings
    assert finding.constraint == "C10"
    assert finding.severity is Severity.VIOLATION
    assert finding.path == "<https://w3id.org/slmkg/ontology#nominalSize>"
    assert finding.value == "135 million"
    assert finding.message.endswith("Found: '135 million'.")


def test_quads_with_graph_names_are_taken_as_one_graph(example: Data, records: RecordValidator) -> None:
    data = example.changed("INSERT DATA { GRAPH <https://w3id.org/slmkg/graph/x> { " + swap_in + " } }")
    assert records.validate(data.store, [MODEL]).by_constraint == {"C07": 1, "C16": 1}


swap_in = "model:examplelm-135m slm:parameterCount 360000000 ; slm:trainingTokens 900000000000"


def test_values_with_regular_expression_signs_are_worded_as_they_are(flat: Data, records: RecordValidator) -> None:
    data = flat.changed(swap("claim:survey-attn", "rdf:object", r'"\\g<0> {?here} \\1"')).changed(
        swap("claim:survey-attn", "slm:status", "cstat:Accepted")
    )
    report = records.validate(data.store, [IRI(f"{RESOURCE}claim/survey-attn")])
    assert r"gives \g<0> {?here} \1 for" in report.findings[0].message


class TestNeighbourhood:
    """What a slice holds."""

    def test_it_follows_links_out_of_the_record_to_its_reach(self) -> None:
        found = neighbourhood(edges_of(chain(9)), [ex("n2")])
        # n1 points at the record, so the reach counts from there too
        assert names(found) == {("n1", "n2"), *((f"n{i}", f"n{i + 1}") for i in range(2, 7))}

    def test_it_takes_what_points_at_the_record_but_not_at_its_context(self) -> None:
        data = [
            Quad(ex("record"), ex("p"), ex("hub")),
            Quad(ex("other"), ex("p"), ex("hub")),
            Quad(ex("user"), ex("q"), ex("record")),
        ]
        assert names(neighbourhood(edges_of(data), [ex("record")])) == {("record", "hub"), ("user", "record")}

    @pytest.mark.parametrize(
        "link",
        [
            "http://www.w3.org/1999/02/22-rdf-syntax-ns#subject",
            "https://w3id.org/slmkg/ontology#aboutSubject",
        ],
    )
    def test_it_takes_claims_and_decisions_about_the_same_subject(self, link: str) -> None:
        subject = IRI("http://www.w3.org/1999/02/22-rdf-syntax-ns#subject")
        data = [
            Quad(ex("claim"), subject, ex("model")),
            Quad(ex("other"), IRI(link), ex("model")),
            Quad(ex("other"), ex("value"), Literal(3)),
            Quad(ex("family"), ex("member"), ex("model")),
        ]
        found = neighbourhood(edges_of(data), [ex("claim")])
        assert names(found) == {("claim", "model"), ("other", "model"), ("other", "3")}

    def test_it_takes_what_is_said_about_the_properties_in_use(self) -> None:
        data = [
            Quad(ex("record"), ex("absent"), ex("thing")),
            Quad(ex("absent"), ex("subPropertyOf"), ex("noValue")),
            Quad(ex("unused"), ex("subPropertyOf"), ex("noValue")),
        ]
        assert ("absent", "noValue") in names(neighbourhood(edges_of(data), [ex("record")]))
        assert ("unused", "noValue") not in names(neighbourhood(edges_of(data), [ex("record")]))

    def test_it_ends_in_a_loop(self) -> None:
        data = [Quad(ex("a"), ex("p"), ex("b")), Quad(ex("b"), ex("p"), ex("a"))]
        assert names(neighbourhood(edges_of(data), [ex("a")])) == {("a", "b"), ("b", "a")}

    def test_it_looks_up_only_what_it_needs(self) -> None:
        asked: list[tuple[Term | None, Term | None]] = []
        inner = edges_of(chain(50))

        def find(subject: Term | None, value: Term | None) -> Iterable[Edge]:
            asked.append((subject, value))
            return inner(subject, value)

        neighbourhood(find, [ex("n20")])
        assert len(asked) < 20
