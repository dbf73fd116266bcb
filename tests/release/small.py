"""A small data folder: the example graph with the ontology, in two revisions; the second changes one cell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from app import resources, vocab
from app.model.changes import ChangeSet
from app.model.graphs import CURATED, ONTOLOGY, VOCABULARY
from app.model.rdf import IRI, Literal, Quad
from app.services import Services
from app.settings import Settings
from app.store.files import read_rdf
from app.wiring import build

EXAMPLE = Path(__file__).parent.parent / "fixtures" / "example.trig"
AUTHOR = "https://w3id.org/slmkg/resource/agent/slmkg-team"
FIRST = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECOND = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def quads() -> frozenset[Quad]:
    """The example with the ontology, the concepts and the units."""
    folder = resources.folder("ontology")
    found = [
        *read_rdf(EXAMPLE),
        *read_rdf(folder / "slmkg.ttl", ONTOLOGY),
        *read_rdf(folder / "vocab.ttl", VOCABULARY),
        *read_rdf(folder / "units.ttl", VOCABULARY),
    ]
    return frozenset(found)


def services_in(folder: Path) -> Services:
    """Services on a data folder with both revisions."""
    services = build(Settings(data_dir=folder))
    services.store.apply(ChangeSet(quads(), frozenset(), "the example", AUTHOR, FIRST), expect=0)
    architecture = IRI(vocab.arch.NS + "examplelm-135m")
    old = next(
        quad
        for quad in services.store.at().quads(CURATED)
        if quad.subject == architecture and quad.predicate.value == vocab.slm.numLayers
    )
    new = Quad(old.subject, old.predicate, Literal(31), CURATED)
    change = ChangeSet(frozenset({new}), frozenset({old}), "a layer more | counted again", AUTHOR, SECOND)
    services.store.apply(change, expect=1)
    return services
