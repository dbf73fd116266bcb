"""Names of claims, sources and results: the same for the same, and different for the different."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import vocab
from app.model.claims import Claim, Interval, Result, Source, concept, digest, resource
from app.model.rdf import literal

SOURCE = Source("survey", "A survey", "SurveyTable", "2026-11-20")
CLAIM = Claim(
    subject=resource("architecture", "a-1b"),
    predicate=vocab.slm.numLayers,
    value=literal(12),
    reported="12",
    source=SOURCE,
    locator="Table 1, row A",
)
RESULT = Result(
    model=resource("model", "a-1b"),
    artifact=resource("artifact", "a-1b-released"),
    metric=resource("metric", "accuracy"),
    number=Decimal("45.9"),
    unit=vocab.unit.PERCENT,
    canonical=Decimal("0.459"),
    reported="45.9",
    source=SOURCE,
    locator="Table 2",
    reading="Transcribed",
    row="a|b",
)


def test_iris_are_those_of_the_contract() -> None:
    assert resource("model", "opt-125m").value == "https://w3id.org/slmkg/resource/model/opt-125m"
    assert concept("attention", "GQA").value == vocab.attn.GQA
    assert SOURCE.iri.value == "https://w3id.org/slmkg/resource/source/survey"
    assert SOURCE.graph.value == "https://w3id.org/slmkg/graph/source/survey/2026-11-20"
    assert CLAIM.iri.value.startswith("https://w3id.org/slmkg/resource/claim/")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_digests_are_short_and_stable(parts: list[str]) -> None:
    assert digest(*parts) == digest(*parts)
    assert len(digest(*parts)) == 16
    assert int(digest(*parts), 16) >= 0


def test_the_digest_of_this_text_never_changes() -> None:
    """IRIs of published claims hang on it."""
    assert digest("a", "b") == "f04cdced9736a69d"
    assert digest("a", "b") != digest("ab")
    assert digest("a", "", "b") != digest("a", "b")


@pytest.mark.parametrize(
    "other",
    [
        replace(CLAIM, subject=resource("architecture", "b")),
        replace(CLAIM, predicate=vocab.slm.hiddenSize),
        replace(CLAIM, value=literal(13)),
        replace(CLAIM, value=literal("12")),
        replace(CLAIM, reported="twelve"),
        replace(CLAIM, locator="Table 1, row B"),
        replace(CLAIM, source=replace(SOURCE, slug="other")),
        replace(CLAIM, source=replace(SOURCE, retrieved="2026-11-21")),
    ],
)
def test_another_statement_has_another_iri(other: Claim) -> None:
    assert other.iri != CLAIM.iri


def test_how_a_claim_was_read_is_no_part_of_its_name() -> None:
    same = replace(CLAIM, reading="Cited", note="x", interval=Interval(Decimal(11), Decimal(13)))
    assert same.iri == CLAIM.iri


@pytest.mark.parametrize(
    ("number", "inside"), [("1", True), ("2", True), ("1.5", True), ("0.99", False), ("2.01", False)]
)
def test_an_interval_has_its_ends(number: str, inside: bool) -> None:
    assert Interval(Decimal(1), Decimal(2)).holds(Decimal(number)) is inside


@pytest.mark.parametrize(
    "other",
    [
        replace(RESULT, row="a|c"),
        replace(RESULT, reported="45.90"),
        replace(RESULT, metric=resource("metric", "f1")),
        replace(RESULT, artifact=resource("artifact", "a-1b-q4-0")),
        replace(RESULT, locator="Table 3"),
        replace(RESULT, source=replace(SOURCE, slug="other")),
    ],
)
def test_another_result_has_another_key(other: Result) -> None:
    assert other.key != RESULT.key
    assert replace(other).key == other.key
