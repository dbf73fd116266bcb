"""Builds the whole graph from what was read and decided: every triple in its one home (`app.model.graphs`).

Pure apart from reading the ontology files that it is given. Never commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app import vocab
from app.curate.artifacts import contributed as contributed_artifacts
from app.curate.cases import cardinality
from app.curate.contributions import Contributions
from app.curate.decide import decision_of
from app.curate.derive import Derivation, Key, LayerGroup, derive
from app.curate.measured import folder_quads
from app.curate.outcomes import Named, derivation_quads, settled_quads
from app.curate.resolve import Outcome, resolve
from app.ingest.evidence import Decision, Evidence, KnownDisagreement
from app.ingest.registry import Registry
from app.ingest.seed import Seed
from app.ingest.sources import cited
from app.measure.values import Run
from app.model.claims import Claim, Source, concept, digest
from app.model.graphs import CURATED, DECISIONS, INFERRED, META, ONTOLOGY, PROPOSALS, REGISTRY, VOCABULARY
from app.model.quads import (
    LOADER,
    TEAM,
    claim_quads,
    configuration_quads,
    protocol_quads,
    result_quads,
    source_quads,
)
from app.model.rdf import IRI, Literal, Quad, describe, iri, text
from app.store.files import read_rdf

_ONTOLOGY_FILES = (("slmkg.ttl", ONTOLOGY), ("vocab.ttl", VOCABULARY), ("units.ttl", VOCABULARY))


@dataclass(frozen=True, slots=True)
class Assembly:
    """The graph's quads and what was settled on the way."""

    quads: frozenset[Quad]
    outcomes: Mapping[Key, Outcome]
    derivations: tuple[Derivation, ...]


def assemble(
    seed: Seed, ontology: Path, contributed: Contributions | None = None, runs: Sequence[Run] = ()
) -> Assembly:
    """Build the whole graph from a seed with its runs, the ontology folder, and what people contributed.

    A decision of the folder has seen the folder's claims; a person's decision goes before it.
    """
    quads: set[Quad] = set(seed.graphs)
    for name, graph in _ONTOLOGY_FILES:
        quads.update(read_rdf(ontology / name, graph))
    ranks = trust_ranks(quads)
    evidence = seed.evidence
    sources = {source.slug: source for source in all_sources(evidence, seed.sources)}
    given = (contributed or Contributions()).at_home(sources)
    claims = {claim.iri: claim for claim in given.claims} | evidence.claims
    results = {result.key: result for result in given.results} | evidence.results
    outcomes = settle(claims.values(), ranks, _decisions(evidence, given))
    derivations = tuple(_derivations(seed.registry, outcomes, evidence))
    quads.update(seed.registry.quads, evidence.registry)
    recorded = {quad.subject for quad in evidence.registry if isinstance(quad.subject, IRI)}
    quads.update(contributed_artifacts(given.results, recorded, seed.registry.models))
    for source in sources.values():
        quads.update(source_quads(source))
    quads.update(given.source_quads(sources), given.quads)
    for claim in claims.values():
        quads.update(claim_quads(claim))
    for result in results.values():
        quads.update(result_quads(result))
        if result.protocol is not None:
            quads.update(protocol_quads(result.protocol))
        if result.configuration is not None:
            quads.update(configuration_quads(result.configuration))
    quads.update(settled_quads(outcomes, _named(evidence.disagreements)))
    quads.update(derivation_quads(derivations))
    quads.update(_absences(evidence, outcomes))
    quads.update(folder_quads(runs, quads))
    quads.update(_meta())
    return Assembly(frozenset(quads), outcomes, derivations)


def trust_ranks(quads: Iterable[Quad]) -> dict[str, int]:
    """Trust rank of each source type by notation, as the concept scheme says."""
    prefix = concept("source-type", "").value
    return {
        quad.subject.value.removeprefix(prefix): int(quad.object.value)
        for quad in quads
        if quad.predicate.value == vocab.slm.trustRank
        and isinstance(quad.subject, IRI)
        and isinstance(quad.object, Literal)
    }


def settle(claims: Iterable[Claim], ranks: Mapping[str, int], decisions: Mapping[Key, Decision]) -> dict[Key, Outcome]:
    """Settle every property of every thing."""
    by_key: dict[Key, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_key[claim.subject, claim.predicate].append(claim)
    return {key: resolve(of_key, ranks, cardinality(key[1]), decisions.get(key)) for key, of_key in by_key.items()}


def all_sources(evidence: Evidence, listed: Mapping[str, Source]) -> list[Source]:
    """Every source: the listed ones, those that claims name, and the single documents of composite readings."""
    found = dict(listed) | evidence.sources
    for source in list(found.values()):
        for part in source.parts:
            slug = f"document-{digest(part)}"
            if slug not in found:
                found[slug] = cited(part, source.retrieved, {})
    return list(found.values())


def _derivations(registry: Registry, outcomes: Mapping[Key, Outcome], evidence: Evidence) -> Iterator[Derivation]:
    groups = _layer_groups(evidence.registry)
    for model in registry.models.values():
        yield from derive(model, outcomes, groups.get(model.architecture, ()))


def _layer_groups(quads: Iterable[Quad]) -> dict[IRI, tuple[LayerGroup, ...]]:
    """Layer groups of each architecture, as the registry lists them."""
    owner: dict[IRI, IRI] = {}
    bounds: dict[IRI, dict[str, int]] = defaultdict(dict)
    for quad in quads:
        subject, predicate, value = quad.subject, quad.predicate.value, quad.object
        if not isinstance(subject, IRI):
            continue
        if predicate == vocab.slm.hasLayerGroup and isinstance(value, IRI):
            owner[value] = subject
        elif predicate in {vocab.slm.firstLayer, vocab.slm.lastLayer} and isinstance(value, Literal):
            bounds[subject][predicate] = int(value.value)
    groups: dict[IRI, tuple[LayerGroup, ...]] = defaultdict(tuple)
    for group, architecture in owner.items():
        ends = bounds[group]
        groups[architecture] += (LayerGroup(group, ends[vocab.slm.firstLayer], ends[vocab.slm.lastLayer]),)
    return groups


def _decisions(evidence: Evidence, given: Contributions) -> dict[Key, Decision]:
    """The decisions that stand: people's go before the folder's, and one for the rules takes the folder's away."""
    seen: dict[Key, set[IRI]] = defaultdict(set)
    for claim in evidence.claims.values():
        seen[claim.subject, claim.predicate].add(claim.iri)
    found: dict[Key, Decision] = {}
    for decision in evidence.decisions:
        key = (decision.subject, decision.predicate)
        found[key] = replace(decision, seen=frozenset(seen[key]))
    for key, judgement in given.judgements.items():
        found.pop(key, None)
        if (own := decision_of(judgement)) is not None:
            found[key] = own
    return found


def _named(known: Iterable[KnownDisagreement]) -> dict[Key, Named]:
    """What the evidence says about the disagreements that it names, each kind and note once."""
    found: dict[Key, Named] = defaultdict(Named)
    for one in known:
        before = found[one.subject, one.predicate]
        notes = (*before.notes, one.note) if one.note else before.notes
        found[one.subject, one.predicate] = Named(
            tuple(dict.fromkeys((*before.kinds, one.kind))), tuple(dict.fromkeys(notes))
        )
    return dict(found)


def _absences(evidence: Evidence, outcomes: Mapping[Key, Outcome]) -> Iterator[Quad]:
    """Why a value is missing, where no source gave one (a proposed or disputed value is not missing)."""
    told = {(absence.subject, absence.predicate) for absence in evidence.absences if absence.why == "notApplicable"}
    for absence in evidence.absences:
        key = (absence.subject, absence.predicate)
        if key in outcomes or (absence.why == "notReported" and key in told):
            continue
        yield Quad(absence.subject, iri(vocab.expand(f"slm:{absence.why}")), iri(absence.predicate), INFERRED)


def _meta() -> Iterator[Quad]:
    yield from describe(META, TEAM, [(vocab.rdfs.label, text("slmkg team"))], kind=vocab.prov.Agent)
    yield from describe(META, LOADER, [(vocab.rdfs.label, text("slmkg loader"))], kind=vocab.prov.SoftwareAgent)
    for graph, kind in (
        (CURATED, vocab.slm.CuratedGraph),
        (INFERRED, vocab.slm.InferredGraph),
        (ONTOLOGY, vocab.slm.Graph),
        (VOCABULARY, vocab.slm.Graph),
        (REGISTRY, vocab.slm.Graph),
        (DECISIONS, vocab.slm.Graph),
        (META, vocab.slm.Graph),
        (PROPOSALS, vocab.slm.Graph),
    ):
        yield from describe(META, graph, [(vocab.prov.wasAttributedTo, TEAM)], kind=kind)
