"""A small graph with everything that a projection reads: three models, claims of all statuses, derivations, results."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from app import resources, vocab
from app.model.claims import Claim, Configuration, Protocol, Result, Source, concept, resource
from app.model.graphs import CURATED, DECISIONS, INFERRED, ONTOLOGY, REGISTRY, VOCABULARY
from app.model.quads import claim_quads, configuration_quads, protocol_quads, result_quads, source_quads
from app.model.rdf import IRI, Quad, Term, describe, iri, literal, text
from app.store.files import read_rdf

FIRST = Source("first", "First source", "TechnicalReport", "2026-11-20", dated="2024-01-01")
SECOND = Source("second", "Second source", "ModelCard", "2026-11-20", dated="2024-01-02")
GQA = concept("attention", "GQA")


@cache
def _terms() -> tuple[Quad, ...]:
    """The ontology's properties, a few concepts and the units."""
    folder: Path = resources.folder("ontology")
    units = read_rdf(folder / "units.ttl", VOCABULARY)
    return (*read_rdf(folder / "slmkg.ttl", ONTOLOGY), *units)


def small_graph(*, with_terms: bool = True) -> list[Quad]:
    """The graph's quads."""
    quads: list[Quad] = list(_terms()) if with_terms else []
    for source in (FIRST, SECOND):
        quads += source_quads(source)
    quads += describe(VOCABULARY, GQA, [(vocab.skos.notation, literal("GQA")), (vocab.skos.prefLabel, text("grouped"))])
    for slug, kind in (("a", vocab.slm.LanguageModel), ("b", vocab.slm.LanguageModel), ("c", vocab.slm.BaselineModel)):
        quads += _model(slug, kind)
    quads += _observed()
    return quads


def _model(slug: str, kind: str) -> list[Quad]:
    model, shape = resource("model", slug), resource("architecture", slug)
    layers = [
        _claim(shape, vocab.slm.numLayers, literal(12), FIRST),
        _claim(shape, vocab.slm.numLayers, literal(12), SECOND),
    ]
    widths = [
        _claim(shape, vocab.slm.hiddenSize, literal(64), FIRST),
        _claim(shape, vocab.slm.hiddenSize, literal(65), SECOND),
    ]
    kinds = [_claim(shape, vocab.slm.attentionType, GQA, SECOND)]
    base = _claim(model, vocab.slm.baseModel, resource("model", "b"), FIRST)
    note = _claim(model, vocab.slm.trainingNote, literal('with "quotes", a \\ and\na line'), FIRST)
    statuses = [
        *((claim, "Accepted") for claim in layers),
        *((claim, "Open") for claim in widths),
        *((claim, "Proposed") for claim in kinds),
        (base, "Accepted"),
        (note, "Accepted"),
    ]
    derivation = resource("derivation", slug)
    return [
        *describe(
            REGISTRY,
            model,
            [
                (vocab.rdfs.label, text(f"Model {slug}")),
                (vocab.skos.altLabel, text(f"{slug} the model")),
                (vocab.slm.hasArchitecture, shape),
            ],
            kind=kind,
        ),
        *(quad for claim, _ in statuses for quad in claim_quads(claim)),
        *(
            Quad(claim.iri, iri(vocab.slm.status), concept("claim-status", status), DECISIONS)
            for claim, status in statuses
        ),
        Quad(shape, iri(vocab.slm.numLayers), literal(12), CURATED),
        Quad(model, iri(vocab.slm.baseModel), resource("model", "b"), CURATED),
        Quad(model, iri(vocab.slm.trainingNote), note.value, CURATED),
        Quad(shape, iri(vocab.slm.notReported), iri(vocab.slm.headDimension), INFERRED),
        *describe(
            INFERRED,
            derivation,
            [
                (vocab.slm.aboutSubject, model),
                (vocab.slm.aboutProperty, iri(vocab.slm.computedParameterCount)),
                (vocab.slm.derivedValue, literal(1000)),
                (vocab.slm.formula, literal("tensor-table/1")),
                (vocab.slm.restsOnProposed, literal(slug == "b")),
                *((vocab.slm.usedClaim, claim.iri) for claim in layers),
            ],
            kind=vocab.slm.Derivation,
        ),
    ]


def _observed() -> list[Quad]:
    protocol = Protocol(resource("benchmark", "quiz"), resource("engine", "harness"), "acc", 5)
    configuration = Configuration(prompt_tokens=64, batch_size=1)
    result = Result(
        model=resource("model", "a"),
        artifact=resource("artifact", "a-released"),
        metric=resource("metric", "accuracy"),
        number=Decimal("43.2"),
        unit=vocab.unit.PERCENT,
        canonical=Decimal("0.432"),
        reported="43.2",
        source=FIRST,
        locator="Table 1",
        reading="Transcribed",
        protocol=protocol,
    )
    speed = replace(
        result,
        metric=resource("metric", "decode-latency"),
        protocol=None,
        configuration=configuration,
        device=resource("device", "box"),
        engine=resource("engine", "llama.cpp"),
        locator="Table 2",
    )
    return [
        *(
            quad
            for slug in ("a", "b")
            for quad in result_quads(replace(result, model=resource("model", slug), row=slug))
        ),
        *result_quads(speed),
        *protocol_quads(protocol),
        *configuration_quads(configuration),
        *describe(
            REGISTRY, resource("metric", "accuracy"), [(vocab.rdfs.label, text("accuracy"))], kind=vocab.slm.Metric
        ),
        *describe(REGISTRY, resource("metric", "decode-latency"), [], kind=vocab.slm.Metric),
        *describe(REGISTRY, resource("benchmark", "quiz"), [], kind=vocab.slm.Benchmark),
        Quad(result.artifact, iri(vocab.slm.quantisation), concept("quantisation", "None"), REGISTRY),
    ]


def _claim(subject: IRI, predicate: str, value: Term, source: Source) -> Claim:
    return Claim(subject, predicate, value, str(value), source, "Table 1")
