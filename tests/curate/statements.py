"""Quads of an RDF 1.1 dataset with named graphs, in narrower types than the engine's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.model.rdf import IRI, Blank, Literal, Quad, Term


class Statement(NamedTuple):
    subject: Term
    predicate: IRI
    object: Term
    graph_name: IRI


def statements(quads: Iterable[Quad]) -> Iterator[Statement]:
    """The quads; one whose parts are no IRI, blank node or literal, or that has no named graph, fails the test."""
    for quad in quads:
        assert isinstance(quad.subject, IRI | Blank)
        assert isinstance(quad.object, IRI | Blank | Literal)
        assert isinstance(quad.graph_name, IRI)
        yield Statement(quad.subject, quad.predicate, quad.object, quad.graph_name)
