"""The quads of claims, sources and results: the only place that knows how these values look in the graph."""

from __future__ import annotations

from collections.abc import Iterable

from app import vocab
from app.model.claims import (
    Claim,
    Configuration,
    Interval,
    Protocol,
    Result,
    Source,
    concept,
    digest,
    resource,
)
from app.model.graphs import META, REGISTRY
from app.model.rdf import IRI, Quad, Term, date, describe, iri, literal, text

TEAM = resource("agent", "slmkg-team")
LOADER = resource("agent", "slmkg-loader")
IMPORTED_RUN = "ImportedRun"
"""Type of the sources whose results are imported runs."""


def source_quads(source: Source, reader: IRI = LOADER) -> list[Quad]:
    """A source's record, the ingestion run that read it and the description of its graph (all in the meta graph)."""
    run = resource("ingestion", f"{source.slug}-{source.retrieved}")
    documents = [resource("source", f"document-{digest(part)}") for part in source.parts]
    return [
        *describe(
            META,
            source.iri,
            [
                (vocab.dct.title, text(source.title)),
                (vocab.slm.sourceType, concept("source-type", source.kind)),
                (vocab.dct.date, date(source.dated) if source.dated else None),
                (vocab.slm.notReported, None if source.dated else iri(vocab.dct.date)),
                (vocab.slm.retrievedOn, date(source.retrieved)),
                (vocab.dct.source, iri(source.address) if source.address else None),
                (vocab.rdfs.comment, text(source.note) if source.note else None),
                *((vocab.prov.hadPrimarySource, document) for document in documents),
            ],
            kind=vocab.slm.SourceDocument,
        ),
        *describe(
            META,
            run,
            [(vocab.prov.used, source.iri), (vocab.prov.wasAssociatedWith, reader)],
            kind=vocab.slm.IngestionRun,
        ),
        *describe(
            META,
            source.graph,
            [(vocab.prov.wasDerivedFrom, source.iri), (vocab.prov.wasGeneratedBy, run)],
            kind=vocab.slm.SourceGraph,
        ),
    ]


def claim_quads(claim: Claim) -> list[Quad]:
    """A claim in the graph of its source. What became of it is said elsewhere: this graph never changes."""
    run = resource("ingestion", f"{claim.source.slug}-{claim.source.retrieved}")
    return describe(
        claim.source.graph,
        claim.iri,
        [
            (vocab.rdf.subject, claim.subject),
            (vocab.rdf.predicate, iri(claim.predicate)),
            (vocab.rdf.object, claim.value),
            (vocab.slm.valueAsReported, literal(claim.reported)),
            (vocab.slm.locator, literal(claim.locator)),
            (vocab.slm.quote, literal(claim.quote) if claim.quote else None),
            (vocab.slm.reading, concept("reading", claim.reading)),
            (vocab.prov.wasDerivedFrom, claim.source.iri),
            (vocab.prov.wasGeneratedBy, run),
            (vocab.rdfs.comment, text(claim.note) if claim.note else None),
            *_interval(claim.interval),
        ],
        kind=vocab.slm.Claim,
    )


def result_quads(result: Result) -> list[Quad]:
    """An observation with its value, run, configuration or protocol, in the graph of its source."""
    graph = result.source.graph
    observation = resource("observation", result.key)
    value = resource("value", result.key)
    run = _run(result)
    shared: list[tuple[str, Term | None]] = [
        (vocab.sosa.hasFeatureOfInterest, result.artifact),
        (vocab.slm.ofModel, result.model),
        (vocab.sosa.observedProperty, result.metric),
        (vocab.sosa.hasResult, value),
        (vocab.sosa.hasSimpleResult, literal(result.canonical)),
        (vocab.slm.statistic, concept("statistic", "SingleValue")),
        (vocab.slm.origin, concept("origin", "Imported" if result.source.kind == IMPORTED_RUN else "Reported")),
        (vocab.slm.reading, concept("reading", result.reading)),
        (vocab.slm.inRun, run),
        (vocab.dct.source, result.source.iri),
        (vocab.slm.locator, literal(result.locator)),
        (vocab.rdfs.comment, text(result.note) if result.note else None),
    ]
    if result.protocol is not None:
        shared.append((vocab.sosa.usedProcedure, protocol_iri(result.protocol)))
    if result.configuration is not None:
        shared.append((vocab.slm.underConfiguration, configuration_iri(result.configuration)))
    kind = vocab.slm.RuntimeResult if result.protocol is None else vocab.slm.BenchmarkResult
    return [
        *describe(graph, observation, shared, kind=kind),
        *describe(
            graph,
            value,
            [
                (vocab.qudt.numericValue, literal(result.number)),
                (vocab.qudt.hasUnit, iri(result.unit)),
                (vocab.slm.valueAsReported, literal(result.reported)),
            ],
            kind=vocab.qudt.QuantityValue,
        ),
        *describe(
            graph,
            run,
            [
                (vocab.rdfs.label, text(f"run reported in: {result.source.title}")),
                (vocab.slm.onDevice, result.device),
                (vocab.slm.withEngine, result.engine),
            ],
            kind=vocab.slm.MeasurementRun,
        ),
    ]


def protocol_quads(protocol: Protocol) -> list[Quad]:
    """An evaluation protocol in the registry; what its source should have told and did not is said."""
    shots = "shots not reported" if protocol.shots is None else f"{protocol.shots}-shot"
    return describe(
        REGISTRY,
        protocol_iri(protocol),
        [
            (vocab.rdfs.label, text(f"{protocol.benchmark.value.rsplit('/', 1)[-1]}, {shots}")),
            (vocab.slm.onBenchmark, protocol.benchmark),
            (vocab.slm.usesHarness, protocol.harness),
            (vocab.slm.answerScoring, literal(protocol.scoring) if protocol.scoring else None),
            (vocab.slm.numShots, _count(protocol.shots)),
            (vocab.slm.baselineShots, _count(protocol.baseline_shots)),
            *_untold(protocol.untold),
        ],
        kind=vocab.slm.EvaluationProtocol,
    )


def configuration_quads(configuration: Configuration) -> list[Quad]:
    """A run configuration in the registry; equal settings are one thing."""
    return describe(
        REGISTRY,
        configuration_iri(configuration),
        [
            (vocab.slm.promptTokens, _count(configuration.prompt_tokens)),
            (vocab.slm.generatedTokens, _count(configuration.generated_tokens)),
            (vocab.slm.batchSize, _count(configuration.batch_size)),
            (vocab.slm.contextTokens, _count(configuration.context_tokens)),
            (vocab.slm.tokenPosition, _count(configuration.token_position)),
            (vocab.slm.threads, _count(configuration.threads)),
            (vocab.slm.cacheDepth, _count(configuration.cache_depth)),
            *_untold(configuration.untold),
        ],
        kind=vocab.slm.RunConfiguration,
    )


def protocol_iri(protocol: Protocol) -> IRI:
    """The protocol's IRI: a hash of its settings."""
    name = protocol.benchmark.value.rsplit("/", 1)[-1]
    return resource("protocol", f"{name}-{digest(repr(protocol))}")


def configuration_iri(configuration: Configuration) -> IRI:
    """The configuration's IRI: a hash of its settings."""
    return resource("config", digest(configuration.settings))


def _run(result: Result) -> IRI:
    """One run per source, device and engine: sources report no finer division."""
    where = [term.value.rsplit("/", 1)[-1] for term in (result.device, result.engine) if term is not None]
    return resource("run", "-".join([result.source.slug, *where] if where else [result.source.slug, "evaluation"]))


def _interval(interval: Interval | None) -> Iterable[tuple[str, Term | None]]:
    if interval is None:
        return ()
    return (
        (vocab.slm.lowerBound, literal(interval.lower)),
        (vocab.slm.upperBound, literal(interval.upper)),
    )


def _count(number: int | None) -> Term | None:
    return None if number is None else literal(number)


def _untold(names: Iterable[str]) -> list[tuple[str, Term | None]]:
    return [(vocab.slm.notReported, iri(vocab.expand(f"slm:{name}"))) for name in names]
