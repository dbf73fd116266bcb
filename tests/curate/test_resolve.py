"""The rules that settle what sources say, one by one, and laws that hold for any claims."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.curate.resolve import Cardinality, Outcome, Rule, Status, agree, resolve
from app.ingest.evidence import Decision
from app.model.claims import Claim
from app.model.rdf import literal
from tests.curate.claims import RANKS, claim, decide

SINGLE, SET, ADDITIVE = Cardinality.SINGLE, Cardinality.COMPLETE_SET, Cardinality.ADDITIVE
CONFIG, REPORT, WEB = "ConfigurationFile", "TechnicalReport", "WebPage"


def settle(*claims: Claim, cardinality: Cardinality = SINGLE, decision: Decision | None = None) -> Outcome:
    return resolve(claims, RANKS, cardinality, decision)


def values(outcome: Outcome) -> set[str]:
    assert len(set(outcome.values)) == len(outcome.values)
    return {value.value for value in outcome.values}


# --- one value -----------------------------------------------------------------------------------------------------


def test_one_claim_is_accepted() -> None:
    only = claim(50257)
    outcome = settle(only)
    assert outcome.values == (literal(50257),)
    assert outcome.statuses == {only: Status.ACCEPTED}
    assert (outcome.disputed, outcome.rule, outcome.is_open) == (False, None, False)


def test_no_claim_gives_no_value() -> None:
    assert settle() == Outcome((), {}, disputed=False)


def test_claims_that_say_the_same_are_all_accepted() -> None:
    claims = [claim(50257, kind) for kind in RANKS]
    outcome = settle(*claims)
    assert values(outcome) == {"50257"}
    assert outcome.statuses == dict.fromkeys(claims, Status.ACCEPTED)
    assert not outcome.disputed


@pytest.mark.parametrize("order", [1, -1])
def test_an_exact_value_goes_before_the_rounded_ones_that_allow_it(order: int) -> None:
    exact, rounded = claim(50257, WEB), claim(50000, CONFIG, rounded=500)
    outcome = settle(*[exact, rounded][::order])
    assert values(outcome) == {"50257"}
    assert outcome.statuses == {exact: Status.ACCEPTED, rounded: Status.COMPATIBLE}
    assert not outcome.disputed


def test_the_narrower_of_two_rounded_values_is_kept() -> None:
    wide, narrow = claim(50000, CONFIG, rounded=500), claim(50300, WEB, rounded=50)
    outcome = settle(wide, narrow)
    assert values(outcome) == {"50300"}
    assert outcome.statuses[wide] is Status.COMPATIBLE


@pytest.mark.parametrize(("value", "is_allowed"), [(49500, True), (50500, True), (49499, False), (50501, False)])
def test_the_ends_of_an_interval_belong_to_it(value: int, is_allowed: bool) -> None:
    rounded, exact = claim(50000, rounded=500), claim(value)
    assert agree(rounded, exact) is agree(exact, rounded) is is_allowed


def test_rounded_text_or_truth_agrees_with_itself_only() -> None:
    assert agree(claim("GQA"), claim("GQA"))
    assert not agree(claim("GQA"), claim(50000, rounded=500))
    assert not agree(claim(literal(True)), claim(1, rounded=1))


def test_the_best_rank_decides() -> None:
    best, same, other = claim(1, CONFIG), claim(1, WEB), claim(2, REPORT)
    outcome = settle(other, same, best)
    assert values(outcome) == {"1"}
    assert outcome.statuses == {best: Status.ACCEPTED, same: Status.ACCEPTED, other: Status.REJECTED}
    assert (outcome.disputed, outcome.rule) == (True, Rule.TRUST_RANK)


def test_the_number_of_sources_does_not_outvote_a_better_rank() -> None:
    many = [claim(2, WEB, by=str(number)) for number in range(9)]
    assert values(settle(*many, claim(1, REPORT))) == {"1"}


def test_the_best_rank_must_agree_with_itself() -> None:
    claims = [claim(1, CONFIG, by="a"), claim(2, CONFIG, by="b"), claim(2, WEB)]
    outcome = settle(*claims)
    assert outcome.values == ()
    assert outcome.statuses == dict.fromkeys(claims, Status.OPEN)
    assert (outcome.is_open, outcome.disputed, outcome.rule) == (True, True, None)


def test_equal_ranks_that_differ_stay_open() -> None:
    assert settle(claim(1, "SurveyTable"), claim(2, "Leaderboard")).is_open


def test_one_source_that_says_two_things_stays_open() -> None:
    assert settle(claim(4096, locator="header"), claim(128000, locator="text")).is_open


def test_a_rounded_value_of_a_worse_rank_is_compatible_with_the_decided_one() -> None:
    best, rounded, wrong = claim(50257, CONFIG), claim(50000, WEB, rounded=500), claim(32000, WEB, by="two")
    outcome = settle(best, rounded, wrong)
    assert outcome.statuses == {best: Status.ACCEPTED, rounded: Status.COMPATIBLE, wrong: Status.REJECTED}


# --- decisions -----------------------------------------------------------------------------------------------------


def test_a_decision_goes_before_ranks() -> None:
    best, other = claim(1, CONFIG), claim(2, WEB)
    outcome = settle(best, other, decision=decide("2"))
    assert values(outcome) == {"2"}
    assert outcome.statuses == {best: Status.REJECTED, other: Status.ACCEPTED}
    assert (outcome.rule, outcome.is_open) == (Rule.MANUAL, False)
    assert outcome.decision == decide("2")


def test_a_decision_settles_an_open_case() -> None:
    outcome = settle(claim(1, by="a"), claim(2, by="b"), claim(2, by="c"), decision=decide("2"))
    assert values(outcome) == {"2"}
    assert sorted(status.value for status in outcome.statuses.values()) == ["Accepted", "Accepted", "Rejected"]


def test_a_decision_can_keep_nothing() -> None:
    claims = [claim(1, by="a"), claim(2, by="b")]
    outcome = settle(*claims, decision=decide(None))
    assert outcome.values == ()
    assert outcome.statuses == dict.fromkeys(claims, Status.REJECTED)
    assert not outcome.is_open


def test_a_decision_for_characters_that_mean_two_values_keeps_the_same_one_in_any_order() -> None:
    claims = [claim(24, reported="24/32", locator="a"), claim(32, reported="24/32", locator="b")]
    outcomes = [settle(*order, decision=decide("24/32")) for order in (claims, claims[::-1])]
    assert len(outcomes[0].values) == 1
    assert outcomes[0] == outcomes[1]


def test_a_decision_never_accepts_what_nobody_cited() -> None:
    recalled, cited = claim(1, recalled=True), claim(2, by="b")
    outcome = settle(recalled, cited, decision=decide("1"))
    assert outcome.values == ()
    assert outcome.statuses == {recalled: Status.PROPOSED, cited: Status.OPEN}


# --- several values ------------------------------------------------------------------------------------------------


def test_one_sources_values_are_its_answer() -> None:
    claims = [claim(name, by="a") for name in ("Pile", "C4")]
    outcome = settle(*claims, cardinality=SET)
    assert values(outcome) == {"Pile", "C4"}
    assert not outcome.disputed


def test_equal_answers_agree_and_a_shorter_one_does_not() -> None:
    full = [claim(name, kind) for name in ("Pile", "C4") for kind in (CONFIG, WEB)]
    assert not settle(*full, cardinality=SET).disputed
    outcome = settle(*full[:3], cardinality=SET)
    assert outcome.disputed
    assert outcome.rule is Rule.TRUST_RANK
    assert values(outcome) == {"Pile", "C4"}


def test_the_best_ranks_answer_is_taken_whole_and_nothing_is_added() -> None:
    best = [claim(name, CONFIG) for name in ("Pile", "C4")]
    other = [claim(name, WEB) for name in ("Pile", "Books")]
    outcome = settle(*best, *other, cardinality=SET)
    assert values(outcome) == {"Pile", "C4"}
    assert outcome.statuses[other[0]] is Status.ACCEPTED
    assert outcome.statuses[other[1]] is Status.REJECTED


def test_two_answers_of_one_rank_stay_open() -> None:
    outcome = settle(claim("Pile", by="a"), claim("C4", by="b"), cardinality=SET)
    assert outcome.is_open
    assert outcome.values == ()


def test_a_decision_about_a_set_keeps_every_value_of_those_characters() -> None:
    kept = [claim(name, by="a", reported="Pile, C4") for name in ("Pile", "C4")]
    other = claim("Books", by="b")
    outcome = settle(*kept, other, cardinality=SET, decision=decide("Pile, C4"))
    assert values(outcome) == {"Pile", "C4"}
    assert outcome.statuses[other] is Status.REJECTED


def test_values_that_add_up_are_all_accepted() -> None:
    claims = [claim("a", CONFIG), claim("b", WEB), claim("a", WEB, by="two")]
    outcome = settle(*claims, cardinality=ADDITIVE)
    assert values(outcome) == {"a", "b"}
    assert outcome.statuses == dict.fromkeys(claims, Status.ACCEPTED)
    assert not outcome.disputed


# --- recalled ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cardinality", Cardinality)
def test_what_nobody_cited_stays_proposed(cardinality: Cardinality) -> None:
    claims = [claim(value, CONFIG, by=str(value), recalled=True) for value in (1, 1, 2)]
    outcome = settle(*claims, cardinality=cardinality)
    assert outcome.values == ()
    assert set(outcome.statuses.values()) == {Status.PROPOSED}
    assert not outcome.disputed
    assert not outcome.is_open


# --- laws ----------------------------------------------------------------------------------------------------------

CLAIMS = st.builds(
    claim,
    st.sampled_from([49900, 50000, 50200, 50257, 50400, 32000]),
    st.sampled_from(sorted(RANKS)),
    by=st.sampled_from("abc"),
    rounded=st.sampled_from([None, None, 50, 500]),
    recalled=st.sampled_from([False, False, False, True]),
    locator=st.sampled_from(["here", "there"]),
)
MANY = st.lists(CLAIMS, max_size=7, unique_by=lambda one: one.iri)
CARDINALITIES = st.sampled_from(list(Cardinality))
DECISIONS = st.sampled_from([None, None, decide(None), decide("50257"), decide("50000")])


def same(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are equal up to the order of several values."""
    return replace(one, values=()) == replace(other, values=()) and set(one.values) == set(other.values)


@given(MANY, CARDINALITIES, DECISIONS, st.randoms())
def test_the_order_of_claims_does_not_matter(
    claims: list[Claim], cardinality: Cardinality, decision: Decision | None, chance: random.Random
) -> None:
    shuffled = list(claims)
    chance.shuffle(shuffled)
    assert same(resolve(claims, RANKS, cardinality, decision), resolve(shuffled, RANKS, cardinality, decision))


@given(MANY, CARDINALITIES, DECISIONS)
def test_every_claim_has_a_status_and_every_value_an_accepted_claim(
    claims: list[Claim], cardinality: Cardinality, decision: Decision | None
) -> None:
    outcome = resolve(claims, RANKS, cardinality, decision)
    assert set(outcome.statuses) == set(claims)
    accepted = {one.value for one, status in outcome.statuses.items() if status is Status.ACCEPTED}
    assert set(outcome.values) == accepted
    for one, status in outcome.statuses.items():
        assert (status is Status.PROPOSED) == one.recalled
    if outcome.is_open:
        assert outcome.values == ()
        assert outcome.disputed
        assert {status for one, status in outcome.statuses.items() if not one.recalled} == {Status.OPEN}
    if cardinality is SINGLE:
        assert len(outcome.values) <= 1
    if decision is None and any(not one.recalled for one in claims):
        assert bool(outcome.values) != outcome.is_open


@given(MANY, CLAIMS, CARDINALITIES, DECISIONS)
def test_a_proposed_claim_never_changes_values(
    claims: list[Claim], extra: Claim, cardinality: Cardinality, decision: Decision | None
) -> None:
    proposed = replace(extra, recalled=True, locator="elsewhere")
    before, after = (resolve(some, RANKS, cardinality, decision) for some in (claims, [*claims, proposed]))
    assert set(before.values) == set(after.values)
    assert before.disputed == after.disputed
    assert {one: after.statuses[one] for one in claims} == before.statuses


@given(MANY, st.sampled_from(sorted(RANKS)), DECISIONS)
def test_another_source_that_says_the_same_never_changes_a_value(
    claims: list[Claim], kind: str, decision: Decision | None
) -> None:
    before = resolve(claims, RANKS, SINGLE, decision)
    accepted = [one for one, status in before.statuses.items() if status is Status.ACCEPTED]
    assume(accepted)
    source = replace(accepted[0].source, slug="newcomer", kind=kind)
    for one in accepted:
        after = resolve([*claims, replace(one, source=source)], RANKS, SINGLE, decision)
        assert after.values == before.values


@given(MANY, st.sampled_from(sorted(RANKS)))
def test_another_source_with_the_same_list_never_changes_a_set(claims: list[Claim], kind: str) -> None:
    before = resolve(claims, RANKS, SET)
    assume(before.values)
    kept = [one for one, status in before.statuses.items() if status is Status.ACCEPTED]
    by_value: dict[str, Claim] = {str(one.value): one for one in kept}
    source = replace(kept[0].source, slug="newcomer", kind=kind)
    copies = [replace(one, source=source) for one in by_value.values()]
    assert set(resolve([*claims, *copies], RANKS, SET).values) == set(before.values)


@given(st.tuples(CLAIMS, CLAIMS))
def test_agreement_is_mutual(pair: tuple[Claim, Claim]) -> None:
    one, other = pair
    assert agree(one, other) == agree(other, one)
    assert agree(one, one)


def test_statuses_are_those_of_the_ontology() -> None:
    from app import vocab
    from app.model.claims import concept

    known: Sequence[str] = [value for name, value in vars(vocab.cstat).items() if not name.startswith("_")]
    assert {concept("claim-status", status.value).value for status in Status} <= set(known)
