"""Decisions of people: they stand, they can be replaced, and only what disagrees with them opens a case again."""

from __future__ import annotations

import pytest

from app import vocab
from app.curate import decide
from app.curate.cases import Case, read_cases, settle_cases
from app.curate.decide import disputes, judgements
from app.curate.requests import SourceRequest
from app.curate.resolve import Rule
from app.errors import BadValue, Conflict, NotFound
from app.model.claims import resource
from app.model.proposals import Choice
from app.services import Services
from tests.curate.people import ADA, BOB, accepted, request, take

KEY = (resource("architecture", "gpt-neo-1.3b"), vocab.slm.activation)
CONFIG = SourceRequest(title="config.json of somebody", type="ConfigurationFile")


def case(services: Services) -> Case:
    assert settle_cases(services.store.at(), [KEY]).is_empty
    return read_cases(services.store.at(), [KEY])[KEY]


def test_a_person_settles_an_open_case_and_leaves_it_to_the_rules_again(own_services: Services) -> None:
    before = case(own_services)
    assert before.outcome.is_open
    take(own_services, decide.decide(KEY, Choice.VALUE, "the file says so", reported="gelu"), BOB)
    settled = case(own_services)
    assert (settled.outcome.rule, settled.outcome.values) == (
        Rule.MANUAL,
        tuple({claim.value for claim in settled.claims if claim.reported == "gelu"}),
    )
    (judgement,) = judgements(own_services.store.at(), KEY)
    assert (judgement.by, judgement.reason) == (BOB.iri, "the file says so")
    take(own_services, decide.decide(KEY, Choice.RULES, "not sure"), ADA)
    after = case(own_services)
    assert after.outcome == before.outcome
    first, last = judgements(own_services.store.at(), KEY)
    assert first.replaced_at == last.at
    assert last.replaced_at is None


def test_a_claim_can_be_named(own_services: Services) -> None:
    chosen = next(claim for claim in case(own_services).claims if claim.reported == "gelu_new")
    take(own_services, decide.decide(KEY, Choice.VALUE, "it is new", claim=chosen.iri), BOB)
    assert case(own_services).outcome.values == (chosen.value,)


def test_no_value_can_be_kept_and_the_case_opened_again(own_services: Services) -> None:
    take(own_services, decide.decide(KEY, Choice.NONE, "both are wrong"), BOB)
    assert (case(own_services).outcome.values, case(own_services).outcome.is_open) == ((), False)
    take(own_services, decide.decide(KEY, Choice.OPEN, "let us look again"), ADA)
    assert case(own_services).outcome.is_open


def test_a_new_source_that_agrees_leaves_a_decision_alone(own_services: Services) -> None:
    take(own_services, decide.decide(KEY, Choice.VALUE, "the file says so", reported="gelu"), BOB)
    accepted(own_services, request("gpt-neo-1.3b", "activation", "GELU", source=CONFIG))
    assert case(own_services).outcome.rule is Rule.MANUAL


def test_a_new_source_that_disagrees_opens_the_case_again(own_services: Services) -> None:
    take(own_services, decide.decide(KEY, Choice.VALUE, "the file says so", reported="gelu"), BOB)
    done = accepted(own_services, request("gpt-neo-1.3b", "activation", "ReLU", source=CONFIG), reason="it says so")
    opened = case(own_services)
    assert opened.outcome.is_open
    assert [claim.iri for claim in opened.outcome.reopened_by] == [done.items[0].recorded_as]
    assert opened.outcome.decision is not None
    assert opened.outcome.decision.reason == "the file says so"
    assert own_services.load().revision is None
    take(own_services, decide.decide(KEY, Choice.VALUE, "still", reported="gelu"), BOB)
    assert case(own_services).outcome.rule is Rule.MANUAL


def test_a_decision_of_the_folder_can_be_taken_back_for_good(own_services: Services) -> None:
    key = (resource("architecture", "phi-2"), vocab.slm.vocabularySize)
    take(own_services, decide.decide(key, Choice.RULES, "let the rules do it"), BOB)
    assert read_cases(own_services.store.at(), [key])[key].outcome.rule is not Rule.MANUAL
    assert own_services.load().revision is None


def test_bad_decisions(own_services: Services) -> None:
    for work, error in (
        (decide.decide(KEY, Choice.VALUE, "x", reported="swish"), BadValue),
        (decide.decide(KEY, Choice.VALUE, "x", claim=resource("claim", "0")), BadValue),
        (decide.decide(KEY, Choice.VALUE, "x"), BadValue),
        (decide.decide(KEY, Choice.RULES, "x"), Conflict),
        (decide.decide((KEY[0], vocab.slm.valueHeadDimension), Choice.NONE, "x"), NotFound),
        (decide.decide((resource("model", "phi-2"), vocab.slm.describedIn), Choice.NONE, "x"), (Conflict, NotFound)),
    ):
        with pytest.raises(error):
            take(own_services, work, BOB)
    with pytest.raises(BadValue):
        decide.decide(KEY, Choice.NONE, "  ")
    assert own_services.store.head().number == 1


def test_all_disagreements_are_in_the_queue(seed_services: Services) -> None:
    found = seed_services.curation.disputes(seed_services.weights())
    assert sum(one.rule is None for one in found) == 15
    assert len({one.key for one in found}) == len(found) >= 173
    assert [one.views for one in found] == sorted((one.views for one in found), reverse=True)
    assert all(one.models for one in found)


def test_views_count_what_waits(seed_services: Services) -> None:
    plain = {one.key: one.views for one in disputes(seed_services.store.at(), {})}
    assert plain[KEY] == 1
    layers = next(key for key in plain if key[1] == vocab.slm.hiddenSize)
    assert plain[layers] == 1 + 9
    weighed = {one.key: one.views for one in disputes(seed_services.store.at(), {KEY[1]: 3})}
    assert weighed[KEY] == 4
