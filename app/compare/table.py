"""The comparison table: models by properties, each cell with its status and the claims behind it. Never writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.compare import models, properties
from app.compare.evidence import gather
from app.compare.reader import Reader
from app.compare.values import CompareTable, ModelSummary
from app.errors import BadParameter, NotFound
from app.model.rdf import IRI, Term


def compare(reader: Reader, slugs: Sequence[str], names: Iterable[str], *, limit: int) -> CompareTable:
    """Compare these models in these properties (the usual ones when none are named), each once, in this order.

    At most `limit` models; BadParameter names what is unknown.
    """
    wanted = tuple(dict.fromkeys(slugs))
    if not wanted:
        raise BadParameter("models", "no model is named", advice="Give slugs, with commas between them.")
    if len(wanted) > limit:
        raise BadParameter("models", f"{len(wanted)} models are too many", advice=f"Give at most {limit}.")
    chosen = _models(models.summaries(reader), wanted)
    columns = properties.choose(properties.properties(reader), names)
    evidence = gather(reader, [node for one in chosen for node in subjects(one)], columns)
    return CompareTable(
        models=chosen,
        properties=columns,
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


def _models(all_models: Sequence[ModelSummary], slugs: Iterable[str]) -> tuple[ModelSummary, ...]:
    try:
        return tuple(models.find(all_models, slug) for slug in slugs)
    except NotFound as error:
        raise BadParameter("models", error.message, advice=error.advice) from error
