"""The quads that say how cases were settled: accepted facts, claim statuses, disagreements, resolutions, derivations.

Used for whole graphs (`assemble`) and for single cases (`cases`), so that both say the same. Pure: never reads a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app import vocab
from app.curate.derive import Derivation, Key
from app.curate.resolve import Outcome, Rule, Status
from app.model.claims import Claim, concept, digest, resource
from app.model.graphs import CURATED, DECISIONS, INFERRED
from app.model.quads import LOADER
from app.model.rdf import IRI, Quad, Term, date, describe, iri, literal, text

_NAMESPACE = vocab.BASE + "ontology#"


@dataclass(frozen=True, slots=True)
class Named:
    """What the evidence itself says about a disagreement: its kinds, and notes in its own words."""

    kinds: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def disagreement_iri(key: Key) -> IRI:
    """The IRI of the disagreement about a case."""
    return resource("disagreement", digest(key[0].value, key[1]))


def resolution_iri(key: Key) -> IRI:
    """The IRI of the resolution of a case."""
    return resource("resolution", digest(key[0].value, key[1]))


def settled_quads(outcomes: Mapping[Key, Outcome], named: Mapping[Key, Named]) -> Iterator[Quad]:
    """Everything that the outcomes of these cases say: in the curated graph and in the decisions graph."""
    yield from _curated(outcomes)
    yield from _statuses(outcomes)
    yield from _disagreements(outcomes, named)


def _curated(outcomes: Mapping[Key, Outcome]) -> Iterator[Quad]:
    """Accepted facts. "There is no single value" is a statement about the property, not a value of it."""
    for (subject, predicate), outcome in outcomes.items():
        for value in outcome.values:
            if isinstance(value, IRI) and value.value.startswith(_NAMESPACE):
                yield Quad(subject, value, iri(predicate), CURATED)
            else:
                yield Quad(subject, iri(predicate), value, CURATED)


def _statuses(outcomes: Mapping[Key, Outcome]) -> Iterator[Quad]:
    for outcome in outcomes.values():
        for claim, status in outcome.statuses.items():
            yield Quad(claim.iri, iri(vocab.slm.status), concept("claim-status", status.value), DECISIONS)


def _disagreements(outcomes: Mapping[Key, Outcome], named: Mapping[Key, Named]) -> Iterator[Quad]:
    """Every question on which cited sources differ, that the evidence names, or that a person decided."""
    for key, outcome in outcomes.items():
        if outcome.disputed or key in named or outcome.decision is not None:
            yield from _disagreement(key, outcome, named.get(key, Named()))
        if outcome.decision is not None:
            yield from _decided(key, outcome)
        elif (outcome.disputed or key in named) and not outcome.is_open:
            yield from _ruled(key, outcome)


def _disagreement(key: Key, outcome: Outcome, named: Named) -> Iterator[Quad]:
    subject, predicate = key
    yield from describe(
        DECISIONS,
        disagreement_iri(key),
        [
            (vocab.slm.aboutSubject, subject),
            (vocab.slm.aboutProperty, iri(predicate)),
            *((vocab.slm.involves, claim.iri) for claim in outcome.statuses if not claim.recalled),
            *((vocab.slm.disagreementKind, literal(kind)) for kind in named.kinds),
            *((vocab.skos.note, text(note)) for note in named.notes),
            (vocab.slm.settledBy, None if outcome.is_open else resolution_iri(key)),
        ],
        kind=vocab.slm.Disagreement,
    )


def _ruled(key: Key, outcome: Outcome) -> Iterator[Quad]:
    """The resolution of a case that the rules settle."""
    rule = literal((outcome.rule or Rule.AGREEMENT).value)
    yield from _resolution(
        key, outcome.statuses, [(vocab.slm.decisionRule, rule), (vocab.prov.wasAttributedTo, LOADER)]
    )


def _decided(key: Key, outcome: Outcome) -> Iterator[Quad]:
    """A person's decision. It stays on record when later claims have opened the case again."""
    decision = outcome.decision
    assert decision is not None  # noqa: S101 - asked for cases with a decision only
    cited = [claim for claim in outcome.statuses if not claim.recalled]
    statuses = {} if outcome.is_open else outcome.statuses
    yield from _resolution(
        key,
        statuses,
        [
            (vocab.slm.decisionRule, literal(Rule.MANUAL.value)),
            (vocab.slm.decisionKind, literal("open") if decision.reopens else None),
            (vocab.slm.keeps, None if decision.reported is None else literal(decision.reported)),
            *((vocab.slm.considered, claim.iri) for claim in cited if decision.saw(claim)),
            *((vocab.slm.reopenedBy, claim.iri) for claim in outcome.reopened_by),
            (vocab.skos.note, text(decision.reason)),
            (vocab.dct.date, date(decision.decided_on)),
            (vocab.prov.wasAttributedTo, resource("agent", decision.decided_by)),
        ],
    )


def _resolution(key: Key, statuses: Mapping[Claim, Status], more: list[tuple[str, Term | None]]) -> list[Quad]:
    subject, predicate = key
    accepting = {Status.ACCEPTED, Status.COMPATIBLE}
    return describe(
        DECISIONS,
        resolution_iri(key),
        [
            (vocab.slm.aboutSubject, subject),
            (vocab.slm.aboutProperty, iri(predicate)),
            *((vocab.slm.accepts, claim.iri) for claim, status in statuses.items() if status in accepting),
            *((vocab.slm.rejects, claim.iri) for claim, status in statuses.items() if status is Status.REJECTED),
            *more,
        ],
        kind=vocab.slm.Resolution,
    )


def derivation_quads(derivations: Iterable[Derivation]) -> Iterator[Quad]:
    """Derivations, and the values that rest on no proposed claim as plain facts of the inferred graph."""
    for derivation in derivations:
        if not derivation.rests_on_proposed:
            yield Quad(derivation.subject, iri(derivation.predicate), derivation.value, INFERRED)
        yield from describe(
            INFERRED,
            derivation.iri,
            [
                (vocab.slm.aboutSubject, derivation.subject),
                (vocab.slm.aboutProperty, iri(derivation.predicate)),
                (vocab.slm.derivedValue, derivation.value),
                (vocab.slm.formula, literal(derivation.formula)),
                (vocab.slm.restsOnProposed, literal(derivation.rests_on_proposed)),
                *((vocab.slm.usedClaim, claim.iri) for claim in derivation.inputs),
            ],
            kind=vocab.slm.Derivation,
        )
