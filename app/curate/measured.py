"""Measurement runs: what to measure by the facts of the graph, and how a run that was measured comes into it.

A run is one change: its cells, samples and figures are in the graph of their own source, or nothing is. A result that
cannot be right is kept as a cell that failed, with the reason, and gives no figure. Bringing the same run in twice
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from app import vocab
from app.curate.cases import read_shape, rows
from app.curate.derive import Shape
from app.curate.steps import Bench, Step, Taken, Work
from app.errors import BadParameter, BadValue, NotFound
from app.ingest.registry import Model
from app.measure.checks import impossible
from app.measure.graph import run_quads
from app.measure.records import read_run
from app.measure.statistics import figures
from app.measure.values import Run, Status, Subject
from app.model.agents import Agent, agent_of
from app.model.architecture import ArchitectureError
from app.model.claims import concept, resource
from app.model.graphs import META, REGISTRY
from app.model.quads import LOADER
from app.model.rdf import IRI, Quad
from app.store.port import Snapshot

FOLDER = "runs"
"""Folder of run files inside a data folder."""
_RUN_LOG = concept("source-type", "RunLog")


def subject_of(snapshot: Snapshot, slug: str) -> tuple[Subject, tuple[str, ...]]:
    """A model with its architecture facts as they are settled, and the names of those that nobody cited.

    NotFound for an unknown model; BadParameter while a question about its architecture is open.
    """
    model = Model(slug, slug, in_scope=True)
    if not rows(snapshot, "stated", node=[model.iri]):
        raise NotFound("model", slug, advice="/models lists those there are.")
    try:
        shape: Shape | None = read_shape(snapshot, model)
    except ArchitectureError as error:
        raise BadParameter("model", f"{slug}: {error}", advice="Correct the fact first: /curate.") from error
    if shape is None:
        raise BadParameter(
            "model",
            f"a question about the architecture of {slug} is open, so it cannot be measured",
            advice=f"Settle it first: `slmkg disagreements --open --model {slug}`, or the page /curate.",
        )
    return Subject(slug, shape.architecture), shape.proposed


def bringing_in(run: Run) -> Work:
    """The step that brings a run in. BadValue for a model or metric that the graph does not have."""

    def work(bench: Bench) -> Step:
        return Step(quads_of(run, bench.snapshot, bench.agent.iri), frozenset(), f"measurement run {run.identity}")

    return work


def taking_runs(take: Callable[[Work, Agent], Taken]) -> Callable[[Run], str]:
    """What the queue hands finished runs to: each is brought in by whoever asked for it.

    A run that is in the graph already changes nothing, so it can be handed over twice.
    """

    def taken(run: Run) -> str:
        if not run.results:
            return "nothing was measured"
        try:
            agent = agent_of(IRI(run.by))
        except ValueError as error:
            raise BadValue("/by", str(error), advice="Name who measured by the IRI of an agent.") from error
        return f"revision {take(bringing_in(run), agent).revision}"

    return taken


def quads_of(run: Run, snapshot: Snapshot, agent: IRI) -> frozenset[Quad]:
    """The quads of a run on a revision."""
    models = {result.cell.subject.slug for result in run.results}
    known = {row["node"].value for row in rows(snapshot, "stated", node=[resource("model", one) for one in models])}
    for number, result in enumerate(run.results):
        slug = result.cell.subject.slug
        if resource("model", slug).value not in known:
            raise BadValue(
                f"/results/{number}/cell/subject/slug",
                f"the graph has no model {slug!r}",
                advice="Add the model first.",
            )
    metrics = [quad for quad in snapshot.quads(REGISTRY) if quad.predicate.value == vocab.slm.canonicalUnit]
    return run_quads(judged(run), figures, units_in(metrics), agent=agent)


def judged(run: Run) -> Run:
    """The run with results that cannot be right turned into cells that failed."""
    results = []
    for result in run.results:
        reasons = impossible(result)
        if reasons:
            told = f"rejected: {'; '.join(reasons)}"
            results.append(replace(result, status=Status.FAILED, message=told))
        else:
            results.append(result)
    return replace(run, results=tuple(results))


def units_in(quads: Iterable[Quad]) -> Mapping[str, str]:
    """The canonical unit of each metric that these quads declare, by the metric's name."""
    prefix = resource("metric", "").value
    return {
        quad.subject.value.removeprefix(prefix): quad.object.value
        for quad in quads
        if quad.predicate.value == vocab.slm.canonicalUnit and isinstance(quad.subject, IRI)
        if isinstance(quad.object, IRI)
    }


def read_runs(folder: Path) -> tuple[Run, ...]:
    """The run files of a data folder, by name; BadFile names the line that does not fit."""
    return tuple(read_run(path) for path in sorted((folder / FOLDER).glob("*.jsonl")))


def folder_quads(runs: Sequence[Run], registry: Iterable[Quad]) -> frozenset[Quad]:
    """The quads of the runs of a data folder, whose registry is given."""
    units = units_in(registry)
    return frozenset(quad for run in runs for quad in run_quads(judged(run), figures, units, agent=LOADER))


def kept_runs(snapshot: Snapshot) -> frozenset[Quad]:
    """The quads of runs that people brought in, so that a load of a folder keeps them.

    These are the graphs of their sources, the records of these, and what the graphs name in the registry. Runs that the
    loader brought in come and go with the folder.
    """
    meta = list(snapshot.quads(META))
    logs = {quad.subject for quad in meta if quad.predicate.value == vocab.slm.sourceType and quad.object == _RUN_LOG}
    by_loader = {
        quad.subject for quad in meta if quad.predicate.value == vocab.prov.wasAssociatedWith and quad.object == LOADER
    }
    readings = {
        quad.subject
        for quad in meta
        if quad.predicate.value == vocab.prov.used and quad.object in logs and quad.subject not in by_loader
    }
    graphs = {
        quad.subject for quad in meta if quad.predicate.value == vocab.prov.wasGeneratedBy and quad.object in readings
    }
    sources = {
        quad.object for quad in meta if quad.subject in graphs and quad.predicate.value == vocab.prov.wasDerivedFrom
    }
    kept = {quad for quad in meta if quad.subject in readings | graphs | sources}
    named: set[object] = set()
    for graph in graphs:
        if isinstance(graph, IRI):
            for quad in snapshot.quads(graph):
                kept.add(quad)
                named.update((quad.subject, quad.object))
    if graphs:
        kept.update(_of_registry(snapshot, named))
    return frozenset(kept)


def _of_registry(snapshot: Snapshot, named: set[object]) -> Iterable[Quad]:
    """What the registry says of measured things: files, machines, engine builds and configurations."""
    kinds = tuple(resource(kind, "").value for kind in ("artifact", "device", "engine", "environment", "config"))
    for quad in snapshot.quads(REGISTRY):
        subject, value = quad.subject, quad.object
        if (subject in named and isinstance(subject, IRI) and subject.value.startswith(kinds)) or (
            quad.predicate.value == vocab.slm.hasArtifact and value in named
        ):
            yield quad
