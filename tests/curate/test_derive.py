"""Derived values: exact, by formula, with their inputs; and nothing plain that rests on what nobody cited."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest

from app import vocab
from app.curate.assemble import Assembly
from app.curate.derive import Derivation, Key, LayerGroup, derive
from app.curate.resolve import Outcome, Status
from app.ingest.registry import Model
from app.ingest.seed import Seed
from app.model.claims import resource
from app.model.rdf import IRI, literal
from app.resources import folder
from app.services import Services
from app.store.port import Query
from tests.curate.claims import claim

INFERRED = f"{vocab.BASE}graph/inferred"
PREFIXES = "".join(f"PREFIX {name}: <{address}> " for name, address in vocab.PREFIXES.items())
DERIVED = (
    "computedParameterCount",
    "computedNonEmbeddingParameterCount",
    "embeddingShare",
    "kvCacheBytesPerToken",
    "kvCacheBytesPerTokenBeyondWindow",
    "tokensPerParameter",
    "computedFfnRatio",
)


def reference() -> dict[str, dict[str, str]]:
    path = folder("data") / "reference" / "parameter-check.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["model"]: row for row in csv.DictReader(handle)}


# --- through the graph -----------------------------------------------------------------------------------------------


def test_all_parameter_counts_are_exact(seed: Seed, seed_services: Services) -> None:
    """Each of the 93 counts of the reference, read from the graph; plain only where no input is proposed."""
    query = f"""{PREFIXES} SELECT ?m ?p ?value ?rests ?plain {{
      VALUES ?p {{ slm:computedParameterCount slm:computedNonEmbeddingParameterCount }}
      ?d a slm:Derivation ; slm:aboutSubject ?m ; slm:aboutProperty ?p ; slm:derivedValue ?value ;
         slm:restsOnProposed ?rests
      OPTIONAL {{ GRAPH <{INFERRED}> {{ ?m ?p ?plain }} }} }}"""
    found: dict[tuple[str, str], tuple[str, bool, str | None]] = {}
    for row in seed_services.store.at().query(Query(query)).rows():
        key = (row["m"].value, row["p"].value)
        assert key not in found
        plain_term = row.get("plain")
        found[key] = (row["value"].value, row["rests"].value == "true", plain_term.value if plain_term else None)
    table = reference()
    assert len(table) == 93
    proposed = 0
    for name, reference_row in table.items():
        model = seed.registry.names["model"][name].value
        value, rests, plain = found[model, vocab.slm.computedParameterCount]
        assert value == reference_row["computed_parameters"], name
        assert plain == (None if rests else value), name
        proposed += rests
        less, rests, plain = found[model, vocab.slm.computedNonEmbeddingParameterCount]
        assert 0 < int(less) < int(value), name
        assert plain == (None if rests else less), name
    assert 0 < proposed < 93
    assert len([key for key in found if key[1] == vocab.slm.computedParameterCount]) == 93


def test_no_plain_value_without_a_derivation_and_its_inputs(seed_services: Services) -> None:
    kinds = " ".join(f"slm:{name}" for name in DERIVED)
    query = f"""{PREFIXES} SELECT ?s ?p ?o (COUNT(DISTINCT ?c) AS ?n) {{ VALUES ?p {{ {kinds} }}
      GRAPH <{INFERRED}> {{ ?s ?p ?o }}
      OPTIONAL {{ ?d a slm:Derivation ; slm:aboutSubject ?s ; slm:aboutProperty ?p ; slm:derivedValue ?o ;
        slm:formula ?formula ; slm:restsOnProposed false ; slm:usedClaim ?c .
        ?c slm:status <{vocab.cstat.Accepted}> }} }} GROUP BY ?s ?p ?o"""
    rows = list(seed_services.store.at().query(Query(query)).rows())
    assert len(rows) > 300
    assert [row["s"].value for row in rows if int(row["n"].value) == 0] == []


def test_derived_values_have_no_other_home(seed_services: Services) -> None:
    kinds = " ".join(f"slm:{name}" for name in DERIVED)
    query = f"{PREFIXES} SELECT DISTINCT ?g {{ VALUES ?p {{ {kinds} }} GRAPH ?g {{ ?s ?p ?o }} }}"
    assert [row["g"].value for row in seed_services.store.at().query(Query(query)).rows()] == [INFERRED]


# --- through the values ----------------------------------------------------------------------------------------------


def _groups(seed: Seed) -> dict[IRI, tuple[LayerGroup, ...]]:
    from app.curate.assemble import _layer_groups

    return _layer_groups(seed.evidence.registry)


def _without_proposed(outcomes: dict[Key, Outcome]) -> dict[Key, Outcome]:
    return {
        key: replace(
            outcome,
            statuses={one: status for one, status in outcome.statuses.items() if status is not Status.PROPOSED},
        )
        for key, outcome in outcomes.items()
    }


def test_plain_values_follow_from_accepted_claims_alone(seed: Seed, assembly: Assembly) -> None:
    """Take every proposed claim away: each plain value must come out again, the same."""
    groups = _groups(seed)
    cited = _without_proposed(dict(assembly.outcomes))
    again = {
        (one.subject, one.predicate): one.value
        for model in seed.registry.models.values()
        for one in derive(model, cited, groups.get(model.architecture, ()))
    }
    plain = [one for one in assembly.derivations if not one.rests_on_proposed]
    assert len(plain) > 300
    lost = [
        f"{one.subject.value.rsplit('/', 1)[-1]} {one.predicate.rsplit('#', 1)[-1]} {one.value.value}"
        for one in plain
        if again.get((one.subject, one.predicate)) != one.value
    ]
    assert lost == []


def test_inputs_of_derivations_are_accepted_or_proposed_claims_with_their_value(assembly: Assembly) -> None:
    statuses = {one: status for outcome in assembly.outcomes.values() for one, status in outcome.statuses.items()}
    seen: dict[tuple[IRI, str], Derivation] = {}
    for one in assembly.derivations:
        assert (one.subject, one.predicate) not in seen
        seen[one.subject, one.predicate] = one
        assert one.inputs
        assert one.formula
        for used in one.inputs:
            assert statuses[used] in {Status.ACCEPTED, Status.PROPOSED}
            assert (statuses[used] is Status.PROPOSED) == used.recalled


def test_tokens_per_parameter_are_their_quotient(assembly: Assembly) -> None:
    counts: dict[IRI, Decimal] = {}
    ratios: dict[IRI, Derivation] = {}
    for one in assembly.derivations:
        if one.predicate == vocab.slm.computedParameterCount:
            counts[one.subject] = Decimal(one.value.value)
        if one.predicate == vocab.slm.tokensPerParameter:
            ratios[one.subject] = one
    assert len(ratios) > 60
    for subject, ratio in ratios.items():
        (tokens,) = {used.value.value for used in ratio.inputs if used.predicate == vocab.slm.trainingTokens}
        exact = Decimal(tokens) / counts[subject]
        assert abs(Decimal(ratio.value.value) - exact) <= exact * Decimal("1e-5")


def test_cache_growth_of_known_models(assembly: Assembly, seed: Seed) -> None:
    """By hand: 2 (keys and values) x layers x key-value heads x head width x 2 bytes."""
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for one in assembly.derivations:
        found[one.subject.value.rsplit("/", 1)[-1]][one.predicate] = Decimal(one.value.value)
    grows = vocab.slm.kvCacheBytesPerToken
    beyond = vocab.slm.kvCacheBytesPerTokenBeyondWindow
    assert found["opt-125m"][grows] == 2 * 12 * 12 * 64 * 2
    assert found["qwen2.5-0.5b"][grows] == 2 * 24 * 2 * 64 * 2
    assert found["llama-3.2-1b"][grows] == 2 * 16 * 8 * 64 * 2
    assert found["minicpm3-4b"][grows] == 62 * (256 + 32) * 2, "a latent of 256 and a rotary key of 32 per layer"
    assert found["gemma-2-2b"][grows] == 2 * 26 * 4 * 256 * 2
    assert found["gemma-2-2b"][beyond] == 2 * 13 * 4 * 256 * 2, "every second layer slides"


MODEL = Model("test-1b", "Test 1B", in_scope=True)


def _outcomes(status: Status = Status.ACCEPTED, **facts: int | str) -> dict[Key, Outcome]:
    outcomes: dict[Key, Outcome] = {}
    for predicate, value in facts.items():
        one = replace(
            claim(value, "ConfigurationFile", recalled=status is Status.PROPOSED),
            subject=MODEL.architecture,
            predicate=vocab.expand(f"slm:{predicate}"),
        )
        values = (one.value,) if status is Status.ACCEPTED else ()
        outcomes[MODEL.architecture, one.predicate] = Outcome(values, {one: status}, disputed=status is Status.OPEN)
    return outcomes


FACTS: dict[str, int | str] = {"hiddenSize": 1024, "intermediateSize": 4096}


def _ratio(outcomes: dict[Key, Outcome]) -> Derivation | None:
    found = [one for one in derive(MODEL, outcomes, ()) if one.predicate == vocab.slm.computedFfnRatio]
    return found[0] if found else None


def test_a_derivation_names_its_formula_and_inputs() -> None:
    ratio = _ratio(_outcomes(Status.ACCEPTED, **FACTS))
    assert ratio is not None
    assert (ratio.value, ratio.subject) == (literal(Decimal(4)), MODEL.architecture)
    assert {used.value.value for used in ratio.inputs} == {"1024", "4096"}
    assert ratio.formula == "intermediate-over-hidden/1"
    assert not ratio.rests_on_proposed


def test_one_proposed_input_is_enough_to_rest_on_it() -> None:
    mixed = _outcomes(hiddenSize=1024) | _outcomes(Status.PROPOSED, intermediateSize=4096)
    ratio = _ratio(mixed)
    assert ratio is not None
    assert ratio.rests_on_proposed


def test_an_open_question_gives_no_value() -> None:
    assert _ratio(_outcomes(hiddenSize=1024) | _outcomes(Status.OPEN, intermediateSize=4096)) is None


def test_two_proposed_values_that_differ_give_none() -> None:
    outcomes = _outcomes(hiddenSize=1024)
    key = (MODEL.architecture, vocab.slm.intermediateSize)
    claims = [replace(claim(value, recalled=True), subject=key[0], predicate=key[1]) for value in (4096, 2048)]
    outcomes[key] = Outcome((), dict.fromkeys(claims, Status.PROPOSED), disputed=False)
    assert _ratio(outcomes) is None


@pytest.mark.parametrize("missing", ["hiddenSize", "intermediateSize"])
def test_a_missing_input_gives_no_value(missing: str) -> None:
    assert (
        _ratio(_outcomes(Status.ACCEPTED, **{name: value for name, value in FACTS.items() if name != missing})) is None
    )


def test_each_derivation_has_an_iri_of_its_own(assembly: Assembly) -> None:
    assert len({one.iri for one in assembly.derivations}) == len(assembly.derivations)
    assert all(one.iri.value.startswith(resource("derivation", "").value) for one in assembly.derivations)
