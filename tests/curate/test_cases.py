"""Cases read back from the graph are what was loaded, and settling them again changes nothing."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from app import vocab
from app.curate.assemble import Assembly
from app.curate.cases import read_cases, read_claims, settle_cases
from app.curate.derive import Key
from app.curate.resolve import Rule
from app.ingest.seed import Seed
from app.model.claims import Claim, resource
from app.model.rdf import IRI, Quad
from app.services import Services


@pytest.fixture(scope="module")
def read(seed_services: Services, seed: Seed) -> dict[Key, list[Claim]]:
    return read_claims(seed_services.store.at(), {claim.subject for claim in seed.evidence.claims.values()})


def test_every_claim_is_read_back_as_it_was(read: dict[Key, list[Claim]], seed: Seed) -> None:
    found = {claim.iri: claim for of_key in read.values() for claim in of_key}
    assert len(found) == 5302
    assert found == seed.evidence.claims


def test_every_case_is_settled_as_it_is(read: dict[Key, list[Claim]], seed_services: Services) -> None:
    difference = settle_cases(seed_services.store.at(), read)
    assert (difference.add, difference.remove) == (frozenset(), frozenset())


def test_single_cases_are_settled_as_they_are(read: dict[Key, list[Claim]], seed_services: Services) -> None:
    for key in random.Random(20261121).sample(sorted(read, key=str), 25):
        assert settle_cases(seed_services.store.at(), [key]).is_empty, key


def test_the_outcomes_are_those_of_the_load(
    read: dict[Key, list[Claim]], seed_services: Services, assembly: Assembly
) -> None:
    by_subject: dict[IRI, list[Key]] = defaultdict(list)
    for key in read:
        by_subject[key[0]].append(key)
    chosen = [key for subject in sorted(by_subject, key=str)[:20] for key in by_subject[subject]]
    for key, case in read_cases(seed_services.store.at(), chosen).items():
        expected = assembly.outcomes[key]
        assert dict(case.outcome.statuses) == dict(expected.statuses)
        assert set(case.outcome.values) == set(expected.values)
        assert (case.outcome.rule, case.outcome.disputed) == (expected.rule, expected.disputed)


def test_what_a_new_claim_changes_follows_it(read: dict[Key, list[Claim]], seed_services: Services) -> None:
    """A claim that disagrees on an equal rank opens the case, takes its fact away, and what was derived from it."""
    subject = resource("architecture", "phi-2")
    old = next(claim for claim in read[subject, vocab.slm.numLayers] if not claim.recalled)
    from dataclasses import replace

    from app.model.rdf import literal

    new = replace(old, value=literal(99), reported="99", locator="elsewhere")
    found = settle_cases(seed_services.store.at(), (), new=[new])
    gone = {(quad.subject, quad.predicate.value) for quad in found.remove}
    assert (subject, vocab.slm.numLayers) in gone
    assert (resource("model", "phi-2"), vocab.slm.computedParameterCount) in gone
    assert (subject, vocab.slm.kvCacheBytesPerToken) in gone
    opened = {quad.subject for quad in found.add if quad.object == IRI(vocab.cstat.Open)}
    assert new.iri in opened
    assert old.iri in opened


def test_without_a_claim_the_case_is_settled_by_the_others(
    read: dict[Key, list[Claim]], seed_services: Services
) -> None:
    key, of_key = next((key, of) for key, of in read.items() if len(of) == 1 and not of[0].recalled)
    found = settle_cases(seed_services.store.at(), [key], without=[of_key[0].iri])
    assert not found.add
    assert {quad.subject for quad in found.remove} >= {key[0], of_key[0].iri}


def test_decisions_of_the_folder_have_seen_the_folders_claims(seed_services: Services, seed: Seed) -> None:
    for decision in seed.evidence.decisions:
        key = (decision.subject, decision.predicate)
        case = read_cases(seed_services.store.at(), [key])[key]
        assert case.outcome.rule is Rule.MANUAL
        assert case.outcome.decision is not None
        assert case.outcome.decision.seen == {claim.iri for claim in case.claims if not claim.recalled}
        assert case.outcome.decision.reason == decision.reason


def test_quads_of_one_case_only(read: dict[Key, list[Claim]], seed_services: Services) -> None:
    """Nothing of another case moves with a new claim, apart from derived values."""
    subject = resource("model", "phi-2")
    from dataclasses import replace

    from app.model.rdf import literal

    old = read[subject, vocab.slm.trainingTime][0] if (subject, vocab.slm.trainingTime) in read else None
    first = old or next(claim for (node, _), of in read.items() if node == subject for claim in of)
    new = replace(first, predicate=vocab.slm.trainingHardware, value=literal("one abacus"), reported="one abacus")
    found = settle_cases(seed_services.store.at(), (), new=[new])
    facts = {quad for quad in found.add if quad.subject == subject}
    assert facts <= {
        Quad(subject, IRI(vocab.slm.trainingHardware), literal("one abacus"), quad.graph_name) for quad in facts
    }
