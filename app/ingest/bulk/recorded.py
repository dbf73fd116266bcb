"""Claims and results as the graph holds them, turned back into values. Only reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from app import vocab
from app.model.claims import Claim, Configuration, Interval, Protocol, Result, Source
from app.model.graphs import REGISTRY
from app.model.quads import configuration_iri, protocol_iri
from app.model.rdf import IRI, Quad, Term
from app.store.port import Snapshot

_Facts = Mapping[str, list[Term]]


def recorded(snapshot: Snapshot, sources: Iterable[Source]) -> tuple[list[Claim], list[Result]]:
    """What these sources say, as read on their days: claims and results, in a stable order.

    Figures that were measured here are left out: a row cannot hold their file, cell and samples, and one that is read
    again would say of released weights what was measured on random ones. They travel as run files.
    """
    claims: list[Claim] = []
    results: list[Result] = []
    registry: Mapping[str, _Facts] | None = None
    for source in sources:
        facts = _facts(snapshot.quads(source.graph))
        for iri in sorted(facts):
            kinds = {term.value for term in facts[iri].get(vocab.rdf.type, ())}
            if vocab.slm.Claim in kinds:
                claims.append(_claim(facts[iri], source))
            elif kinds & {vocab.slm.BenchmarkResult, vocab.slm.RuntimeResult} and vocab.slm.inCell not in facts[iri]:
                registry = registry or _facts(snapshot.quads(REGISTRY))
                results.append(_result(facts[iri], facts, registry, source))
    return claims, results


def told(result: Result) -> tuple[object, ...]:
    """What a result says and under which conditions, apart from the place where it stands."""
    return (
        result.source.slug,
        result.artifact.value,
        result.metric.value,
        result.canonical.normalize(),
        protocol_iri(result.protocol).value if result.protocol else None,
        configuration_iri(result.configuration).value if result.configuration else None,
        result.device.value if result.device else None,
        result.engine.value if result.engine else None,
    )


def _facts(quads: Iterable[Quad]) -> dict[str, dict[str, list[Term]]]:
    found: dict[str, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for quad in quads:
        if isinstance(quad.subject, IRI) and not isinstance(quad.object, type(quad)):
            found[quad.subject.value][quad.predicate.value].append(quad.object)  # type: ignore[arg-type]
    return found


def _claim(facts: _Facts, source: Source) -> Claim:
    (subject,) = facts[vocab.rdf.subject]
    reading = _local(facts, vocab.slm.reading) or "Transcribed"
    lower, upper = _number(facts, vocab.slm.lowerBound), _number(facts, vocab.slm.upperBound)
    return Claim(
        subject=IRI(subject.value),
        predicate=facts[vocab.rdf.predicate][0].value,
        value=facts[vocab.rdf.object][0],
        reported=_text(facts, vocab.slm.valueAsReported) or "",
        source=source,
        locator=_text(facts, vocab.slm.locator) or "",
        reading=reading,
        recalled=reading == "Recalled",
        interval=None if lower is None or upper is None else Interval(lower, upper),
        note=_text(facts, vocab.rdfs.comment),
        quote=_text(facts, vocab.slm.quote),
    )


def _result(facts: _Facts, graph: Mapping[str, _Facts], registry: Mapping[str, _Facts], source: Source) -> Result:
    value = graph[facts[vocab.sosa.hasResult][0].value]
    run = graph.get(facts[vocab.slm.inRun][0].value, {}) if facts.get(vocab.slm.inRun) else {}
    protocol, configuration = facts.get(vocab.sosa.usedProcedure), facts.get(vocab.slm.underConfiguration)
    number = _number(value, vocab.qudt.numericValue)
    canonical = _number(facts, vocab.sosa.hasSimpleResult)
    return Result(
        model=_iri(facts, vocab.slm.ofModel),
        artifact=_iri(facts, vocab.sosa.hasFeatureOfInterest),
        metric=_iri(facts, vocab.sosa.observedProperty),
        number=Decimal(0) if number is None else number,
        unit=value[vocab.qudt.hasUnit][0].value,
        canonical=Decimal(0) if canonical is None else canonical,
        reported=_text(value, vocab.slm.valueAsReported) or "",
        source=source,
        locator=_text(facts, vocab.slm.locator) or "",
        reading=_local(facts, vocab.slm.reading) or "Transcribed",
        configuration=_configuration(registry[configuration[0].value]) if configuration else None,
        protocol=_protocol(registry[protocol[0].value]) if protocol else None,
        device=_iri(run, vocab.slm.onDevice) if run.get(vocab.slm.onDevice) else None,
        engine=_iri(run, vocab.slm.withEngine) if run.get(vocab.slm.withEngine) else None,
        note=_text(facts, vocab.rdfs.comment),
    )


def _protocol(facts: _Facts) -> Protocol:
    return Protocol(
        benchmark=_iri(facts, vocab.slm.onBenchmark),
        harness=_iri(facts, vocab.slm.usesHarness),
        scoring=_text(facts, vocab.slm.answerScoring),
        shots=_count(facts, vocab.slm.numShots),
        baseline_shots=_count(facts, vocab.slm.baselineShots),
        untold=_untold(facts),
    )


def _configuration(facts: _Facts) -> Configuration:
    return Configuration(
        prompt_tokens=_count(facts, vocab.slm.promptTokens),
        generated_tokens=_count(facts, vocab.slm.generatedTokens),
        batch_size=_count(facts, vocab.slm.batchSize),
        context_tokens=_count(facts, vocab.slm.contextTokens),
        token_position=_count(facts, vocab.slm.tokenPosition),
        threads=_count(facts, vocab.slm.threads),
        cache_depth=_count(facts, vocab.slm.cacheDepth),
        untold=_untold(facts),
    )


def _untold(facts: _Facts) -> tuple[str, ...]:
    return tuple(sorted(term.value.removeprefix(vocab.slm.NS) for term in facts.get(vocab.slm.notReported, ())))


def _text(facts: _Facts, name: str) -> str | None:
    return min(term.value for term in facts[name]) if facts.get(name) else None


def _iri(facts: _Facts, name: str) -> IRI:
    return IRI(facts[name][0].value)


def _local(facts: _Facts, name: str) -> str | None:
    found = _text(facts, name)
    return None if found is None else found.rsplit("/", 1)[-1]


def _number(facts: _Facts, name: str) -> Decimal | None:
    found = _text(facts, name)
    return None if found is None else Decimal(found)


def _count(facts: _Facts, name: str) -> int | None:
    found = _text(facts, name)
    return None if found is None else int(found)
