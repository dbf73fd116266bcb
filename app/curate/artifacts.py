"""The weight-file sets that results speak of: a model's weights in a format get their record with the first result."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from app import vocab
from app.curate.cases import rows
from app.ingest.registry import Model, artifact_quads, notations
from app.model.claims import Result, concept
from app.model.rdf import IRI, Quad, Term
from app.store.port import Snapshot


def follows(result: Result) -> bool:
    """Whether the result's weights are a model's own in a format of the vocabulary, so that they need no record yet."""
    return _format(result) is not None


def unrecorded(snapshot: Snapshot, results: Iterable[Result]) -> list[Quad]:
    """The records of weights that the graph does not have yet."""
    wanted = {result.artifact: result for result in results}
    known = {row["node"] for row in rows(snapshot, "stated", node=wanted)} if wanted else set()
    quads: list[Quad] = []
    for artifact, result in wanted.items():
        quantisation = _format(result)
        if artifact in known or quantisation is None:
            continue
        labels = [
            row["value"].value
            for row in rows(snapshot, "stated", node=[result.model])
            if row["property"].value == vocab.rdfs.label
        ]
        slug = result.model.value.rsplit("/", 1)[-1]
        quads += artifact_quads(Model(slug, min(labels, default=slug), in_scope=True), quantisation)
    return quads


def contributed(results: Iterable[Result], known: Collection[Term], models: Mapping[str, Model]) -> list[Quad]:
    """The records of weights that results of people speak of and a folder does not have."""
    quads: list[Quad] = []
    for artifact, result in {result.artifact: result for result in results}.items():
        quantisation = _format(result)
        model = models.get(result.model.value.rsplit("/", 1)[-1])
        if artifact not in known and quantisation is not None and model is not None:
            quads += artifact_quads(model, quantisation)
    return quads


def _format(result: Result) -> IRI | None:
    slug = result.model.value.rsplit("/", 1)[-1]
    model = Model(slug, slug, in_scope=True)
    for notation in notations("quantisation"):
        quantisation = concept("quantisation", notation)
        if model.artifact(quantisation) == result.artifact:
            return quantisation
    return None
