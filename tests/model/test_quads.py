"""How claims, sources and results look in the graph."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app import vocab
from app.model.claims import Configuration, Interval, Protocol, Source, concept, resource
from app.model.graphs import META, REGISTRY
from app.model.quads import (
    claim_quads,
    configuration_iri,
    configuration_quads,
    protocol_iri,
    protocol_quads,
    result_quads,
    source_quads,
)
from app.model.rdf import IRI, Quad, Term, date, iri, literal
from tests.model.test_claims import CLAIM, RESULT, SOURCE

PROTOCOL = Protocol(
    resource("benchmark", "mmlu"), resource("engine", "lm-evaluation-harness"), "acc", 5, untold=("split",)
)


def of(quads: list[Quad], subject: IRI) -> dict[str, set[Term]]:
    found: dict[str, set[Term]] = {}
    for quad in quads:
        if quad.subject == subject:
            assert not hasattr(quad.object, "subject")
            found.setdefault(quad.predicate.value, set()).add(quad.object)
    return found


def test_a_claim_lies_in_the_graph_of_its_source_and_says_everything_but_its_status() -> None:
    quads = claim_quads(CLAIM)
    assert {quad.graph_name for quad in quads} == {SOURCE.graph}
    facts = of(quads, CLAIM.iri)
    assert facts[vocab.rdf.subject] == {CLAIM.subject}
    assert facts[vocab.rdf.predicate] == {iri(vocab.slm.numLayers)}
    assert facts[vocab.rdf.object] == {literal(12)}
    assert facts[vocab.slm.valueAsReported] == {literal("12")}
    assert facts[vocab.slm.locator] == {literal("Table 1, row A")}
    assert facts[vocab.prov.wasDerivedFrom] == {SOURCE.iri}
    assert facts[vocab.slm.reading] == {concept("reading", "Transcribed")}
    assert facts[vocab.rdf.type] == {iri(vocab.slm.Claim)}
    assert vocab.slm.status not in facts
    assert vocab.slm.lowerBound not in facts
    assert vocab.rdfs.comment not in facts


def test_a_claim_asserts_nothing() -> None:
    assert all(quad.subject == CLAIM.iri for quad in claim_quads(CLAIM))


def test_a_rounded_claim_has_its_bounds() -> None:
    rounded = replace(CLAIM, interval=Interval(Decimal("11.5"), Decimal("12.5")), note="rounded")
    facts = of(claim_quads(rounded), rounded.iri)
    assert facts[vocab.slm.lowerBound] == {literal(Decimal("11.5"))}
    assert facts[vocab.slm.upperBound] == {literal(Decimal("12.5"))}
    assert {term.value for term in facts[vocab.rdfs.comment]} == {"rounded"}


def test_a_source_says_its_date_or_that_there_is_none() -> None:
    dated = replace(SOURCE, dated="2024-09-24", address="https://example.org/", parts=("one", "two"))
    facts = of(source_quads(dated), dated.iri)
    assert facts[vocab.dct.date] == {date("2024-09-24")}
    assert vocab.slm.notReported not in facts
    assert len(facts[vocab.prov.hadPrimarySource]) == 2
    assert facts[vocab.dct.source] == {iri("https://example.org/")}
    undated = of(source_quads(SOURCE), SOURCE.iri)
    assert undated[vocab.slm.notReported] == {iri(vocab.dct.date)}
    assert vocab.dct.date not in undated
    assert {quad.graph_name for quad in source_quads(dated)} == {META}


def test_a_sources_graph_is_described_with_the_run_that_read_it() -> None:
    quads = source_quads(SOURCE)
    graph = of(quads, SOURCE.graph)
    assert graph[vocab.rdf.type] == {iri(vocab.slm.SourceGraph)}
    (run,) = graph[vocab.prov.wasGeneratedBy]
    assert isinstance(run, IRI)
    assert of(quads, run)[vocab.prov.used] == {SOURCE.iri}
    assert of(claim_quads(CLAIM), CLAIM.iri)[vocab.prov.wasGeneratedBy] == {run}


@pytest.mark.parametrize("with_protocol", [True, False])
def test_a_result_is_an_observation_with_the_reported_and_the_canonical_number(with_protocol: bool) -> None:
    result = replace(RESULT, protocol=PROTOCOL) if with_protocol else replace(RESULT, configuration=Configuration())
    quads = result_quads(result)
    assert {quad.graph_name for quad in quads} == {SOURCE.graph}
    facts = of(quads, resource("observation", result.key))
    kind = vocab.slm.BenchmarkResult if with_protocol else vocab.slm.RuntimeResult
    assert facts[vocab.rdf.type] == {iri(kind)}
    assert facts[vocab.sosa.hasSimpleResult] == {literal(Decimal("0.459"))}
    assert facts[vocab.sosa.hasFeatureOfInterest] == {result.artifact}
    assert facts[vocab.slm.ofModel] == {result.model}
    assert (vocab.sosa.usedProcedure in facts) is with_protocol
    assert (vocab.slm.underConfiguration in facts) is not with_protocol
    value = of(quads, resource("value", result.key))
    assert value[vocab.qudt.numericValue] == {literal(Decimal("45.9"))}
    assert value[vocab.qudt.hasUnit] == {iri(vocab.unit.PERCENT)}
    assert value[vocab.slm.valueAsReported] == {literal("45.9")}


def test_runs_are_one_per_source_device_and_engine() -> None:
    def run(device: str | None, engine: str | None) -> Term:
        result = replace(
            RESULT,
            device=resource("device", device) if device else None,
            engine=resource("engine", engine) if engine else None,
        )
        (found,) = of(result_quads(result), resource("observation", result.key))[vocab.slm.inRun]
        return found

    runs = [run(None, None), run("orin", None), run("orin", "llama-cpp"), run("phone", "llama-cpp")]
    assert len(set(runs)) == 4
    assert run("orin", "llama-cpp") == runs[2]


def test_protocols_are_in_the_registry_and_say_what_was_not_told() -> None:
    quads = protocol_quads(PROTOCOL)
    assert {quad.graph_name for quad in quads} == {REGISTRY}
    facts = of(quads, protocol_iri(PROTOCOL))
    assert facts[vocab.slm.numShots] == {literal(5)}
    assert facts[vocab.slm.notReported] == {iri(vocab.expand("slm:split"))}
    zero = replace(PROTOCOL, shots=0)
    assert of(protocol_quads(zero), protocol_iri(zero))[vocab.slm.numShots] == {literal(0)}
    silent = replace(PROTOCOL, shots=None, scoring=None)
    assert vocab.slm.numShots not in of(protocol_quads(silent), protocol_iri(silent))
    assert len({protocol_iri(one) for one in (PROTOCOL, zero, silent)}) == 3


def test_equal_settings_are_one_configuration() -> None:
    one, same = Configuration(prompt_tokens=50), Configuration(prompt_tokens=50)
    other = Configuration(prompt_tokens=50, batch_size=0)
    assert configuration_iri(one) == configuration_iri(same) != configuration_iri(other)
    facts = of(configuration_quads(other), configuration_iri(other))
    assert facts[vocab.slm.promptTokens] == {literal(50)}
    assert facts[vocab.slm.batchSize] == {literal(0)}
    assert vocab.slm.contextTokens not in facts


def test_a_claims_quads_hang_on_nothing_but_its_values() -> None:
    again = replace(CLAIM, source=Source(**{name: getattr(SOURCE, name) for name in SOURCE.__slots__}))
    assert claim_quads(again) == claim_quads(CLAIM)
