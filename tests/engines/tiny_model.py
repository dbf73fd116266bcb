"""A model of a hundred thousand weights in the graph, so that a whole measurement takes seconds."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

from app import vocab
from app.curate.cases import settle_cases
from app.curate.commit import commit_change
from app.model.architecture import Architecture
from app.model.claims import Claim, Source, concept, resource
from app.model.graphs import REGISTRY
from app.model.quads import LOADER, claim_quads, source_quads
from app.model.rdf import describe, literal, text
from app.services import Services
from tests.measure.tiny import TINY

SLUG = "tiny-llama"
SOURCE = Source("tiny-card", "Card of a tiny model", "ModelCard", "2026-11-21", dated="2026-11-20")


FACTS = replace(TINY, vocabulary_size=1024)
"""The graph takes no vocabulary below 1,000 pieces."""


def add_tiny_model(services: Services, architecture: Architecture = FACTS) -> None:
    """Record the model with one claim for each of its facts, and settle them."""
    model, shape = resource("model", SLUG), resource("architecture", SLUG)
    claims = [_claim(name, value) for name, value in _facts(architecture).items()]
    difference = settle_cases(services.store.at(), [], new=claims)
    known = [
        *describe(
            REGISTRY,
            model,
            [(vocab.rdfs.label, text("tiny llama")), (vocab.slm.hasArchitecture, shape)],
            kind=vocab.slm.LanguageModel,
        ),
        *describe(REGISTRY, shape, [], kind=vocab.slm.Architecture),
    ]
    quads = [*known, *source_quads(SOURCE), *(quad for claim in claims for quad in claim_quads(claim))]
    commit_change(
        services.store,
        quads,
        [],
        rules=None,
        reason="a tiny model",
        author=LOADER,
        now=datetime(2026, 11, 21, tzinfo=UTC),
    )
    commit_change(
        services.store,
        difference.add,
        difference.remove,
        rules=None,
        reason="its facts",
        author=LOADER,
        now=datetime(2026, 11, 21, tzinfo=UTC),
    )


def _facts(architecture: Architecture) -> dict[str, object]:
    values = {one.name: getattr(architecture, one.name) for one in fields(architecture)}
    return {name: value for name, value in values.items() if value is not None}


def _claim(name: str, value: object) -> Claim:
    first, *rest = name.split("_")
    predicate = vocab.expand("slm:" + first + "".join(word.capitalize() for word in rest))
    term = concept("attention", str(value)) if name == "attention_type" else literal(value)  # type: ignore[arg-type]
    return Claim(resource("architecture", SLUG), predicate, term, str(value), SOURCE, f"/{name}")
