"""Small changes of a loaded graph, each one revision, for the tests of the history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from app import vocab
from app.curate.commit import Rules, commit_change
from app.model.claims import Claim, Source, concept, resource
from app.model.graphs import CURATED, DECISIONS
from app.model.quads import LOADER, claim_quads, source_quads
from app.model.rdf import IRI, TYPE, Literal, Quad, date, describe, iri, literal, text
from app.services import Services

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADA = resource("agent", "ada")
OPT = resource("architecture", "opt-125m")
LAYERS = vocab.slm.numLayers


def commit(
    services: Services,
    add: Iterable[Quad] = (),
    remove: Iterable[Quad] = (),
    reason: str = "test",
    *,
    days: int = 0,
    author: IRI = LOADER,
    rules: bool = False,
) -> int:
    """Commit a change with its record in the graph; without `rules` nothing is validated."""
    checked = Rules(services.set_validator, services.record_validator) if rules else None
    made = commit_change(
        services.store, add, remove, rules=checked, reason=reason, author=author, now=NOON + timedelta(days=days)
    )
    assert made.revision is not None
    return made.revision.number


def accepted(services: Services, subject: IRI, predicate: str) -> set[Quad]:
    """The accepted values of a cell."""
    return {
        quad
        for quad in services.store.at().quads(CURATED)
        if quad.subject == subject and quad.predicate.value == predicate
    }


def set_value(services: Services, value: int, *, subject: IRI = OPT, predicate: str = LAYERS, days: int = 0) -> int:
    """Give a cell another accepted value."""
    new = Quad(subject, IRI(predicate), Literal(value), CURATED)
    return commit(services, [new], accepted(services, subject, predicate), f"value {value}", author=ADA, days=days)


def new_claim(value: int, *, subject: IRI = OPT, predicate: str = LAYERS, slug: str = "blog") -> list[Quad]:
    """A rejected claim of a new source."""
    source = Source(
        slug, f"A {slug}", "WebPage", "2026-11-20", dated="2026-11-19", address=f"https://example.org/{slug}"
    )
    claim = Claim(subject, predicate, literal(value), str(value), source, "first line")
    return [
        *source_quads(source),
        *claim_quads(claim),
        Quad(claim.iri, IRI(vocab.slm.status), concept("claim-status", "Rejected"), DECISIONS),
    ]


def resolution(subject: IRI, predicate: str, note: str) -> list[Quad]:
    """A person's decision on a cell."""
    return describe(
        DECISIONS,
        resource("resolution", "test"),
        [
            (vocab.slm.aboutSubject, subject),
            (vocab.slm.aboutProperty, iri(predicate)),
            (vocab.slm.decisionRule, literal("manual")),
            (vocab.skos.note, text(note)),
            (vocab.prov.wasAttributedTo, ADA),
            (vocab.dct.date, date("2026-11-22")),
        ],
        kind=vocab.slm.Resolution,
    )


def is_kind(quad: Quad, kind: str) -> bool:
    """Whether a quad says that its subject is of a class."""
    return quad.predicate == TYPE and isinstance(quad.object, IRI) and quad.object.value == kind
