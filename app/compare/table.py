"""The comparison table: models by properties, each cell with its status and the claims behind it. Never writes."""

from __future__ import annotations

from collections.abc import Sequence

from app.compare.evidence import gather
from app.compare.reader import Reader
from app.compare.values import CompareTable, ModelSummary, Property
from app.model.rdf import IRI, Term


def compare(reader: Reader, chosen: Sequence[ModelSummary], columns: Sequence[Property]) -> CompareTable:
    """Compare these models in these properties, each once, in this order."""
    evidence = gather(reader, [node for one in chosen for node in subjects(one)], columns)
    return CompareTable(
        models=tuple(chosen),
        properties=tuple(columns),
        rows={
            one.slug: {column.name: evidence.cell(reader, column, subject_of(one, column.of)) for column in columns}
            for one in chosen
        },
    )


def subjects(model: ModelSummary) -> tuple[Term, Term]:
    """The things that claims about a model speak of: the model and its architecture."""
    return IRI(model.iri), IRI(subject_of(model, "architecture"))


def subject_of(model: ModelSummary, of: str) -> str:
    """The IRI of the thing that a property of the `model` or its `architecture` belongs to."""
    return model.iri if of == "model" else model.architecture
