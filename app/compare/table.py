"""What claims about a model speak of: the model itself and its architecture."""

from __future__ import annotations

from app.compare.values import ModelSummary
from app.model.rdf import IRI, Term


def subjects(model: ModelSummary) -> tuple[Term, Term]:
    """The things that claims about a model speak of: the model and its architecture."""
    return IRI(model.iri), IRI(subject_of(model, "architecture"))


def subject_of(model: ModelSummary, of: str) -> str:
    """The IRI of the thing that a property of the `model` or its `architecture` belongs to."""
    return model.iri if of == "model" else model.architecture
