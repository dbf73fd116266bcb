"""A run as quads: artifacts, environments, cells with their samples, and the observations that sum them up. Pure.

The run itself is a source, since everything in it was said by one machine in one file; its graph never changes. What
exists whatever anyone says (weight files, machines, engine builds, configurations) stands in the registry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from app import vocab
from app.errors import BadValue
from app.measure.cost import Fit
from app.measure.fits import Distance, Setting, fitted, setting_of
from app.measure.records import key
from app.measure.values import (
    Artifact,
    Cell,
    CellResult,
    EngineBuild,
    Environment,
    Figure,
    RandomWeights,
    Run,
    Sample,
    Status,
)
from app.model.claims import Configuration, Source, concept, digest, resource
from app.model.graphs import REGISTRY
from app.model.quads import configuration_iri, configuration_quads, source_quads
from app.model.rdf import IRI, Quad, Term, describe, iri, literal, moment, text

Figures = Callable[[CellResult], Iterable[Figure]]
"""What the samples of a result come to."""

_STATUSES = {
    Status.OK: "Ok",
    Status.TIMEOUT: "Timeout",
    Status.MEMORY_LIMIT: "MemoryLimit",
    Status.OOM_KILLED: "OomKilled",
    Status.CRASHED: "Crashed",
    Status.FAILED: "Failed",
    Status.CANCELLED: "Cancelled",
}
_PRECISIONS = frozenset({"F32", "BF16"})
"""Variants that are number formats of weights that are not quantised."""


def source_of(run: Run) -> Source:
    """The run as a source of what it measured."""
    day = run.ended[:10]
    return Source(
        slug=f"run-{run.identity}",
        title=f"Measurement run {run.identity}",
        kind="RunLog",
        retrieved=day,
        dated=day,
        note=run.note,
    )


def run_quads(run: Run, figures: Figures, units: Mapping[str, str], *, agent: IRI) -> frozenset[Quad]:
    """Everything that a run says. `units` has the canonical unit of each metric; `agent` is who brought the run in.

    `BadValue` names the figure whose metric is not in the registry, or the result whose environment is missing.
    """
    source = source_of(run)
    told = [tuple(figures(result)) if result.status is Status.OK else () for result in run.results]
    costs = fitted(run, told)
    quads: set[Quad] = set(source_quads(source, agent))
    for environment in run.environments.values():
        quads.update(_environment(environment))
    for number, result in enumerate(run.results):
        if result.environment not in run.environments:
            raise BadValue(f"/results/{number}/environment", f"the run tells no environment {result.environment!r}")
        quads.update(_result(run, source, result, run.environments[result.environment]))
        for figure in told[number]:
            if figure.metric not in units:
                raise BadValue(f"/results/{number}", f"the registry has no metric {figure.metric!r}")
            distance = costs.distances.get((number, figure.metric))
            quads.update(_observation(run, source, result, figure, units[figure.metric], distance))
    for setting, fit in costs.fits.items():
        result = next(one for one in run.results if setting_of(one, setting.metric) == setting)
        quads.update(_cost_model(source, _run_iri(run, result), setting, fit))
    return frozenset(quads)


def artifact_iri(cell: Cell, artifact: Artifact) -> IRI:
    """A measured file: another content is another artifact."""
    variant = cell.variant.lower().replace("_", "-")
    return resource("artifact", f"{cell.subject.slug}-{variant}-{artifact.sha256[:12]}")


def _result(run: Run, source: Source, result: CellResult, environment: Environment) -> Iterator[Quad]:
    cell = result.cell
    if result.artifact is not None:
        yield from _artifact(cell, result.artifact)
    if result.build is not None:
        yield from _build(result.build)
    yield from configuration_quads(_configuration(cell))
    yield from describe(
        source.graph,
        _run_iri(run, result),
        [
            (vocab.rdfs.label, text(f"measurement run {run.identity}")),
            (vocab.slm.onDevice, _device_iri(environment)),
            (vocab.slm.withEngine, None if result.build is None else _build_iri(result.build)),
            (vocab.slm.inEnvironment, _environment_iri(environment)),
            (vocab.slm.environmentRecord, literal(_record(environment))),
            (vocab.prov.startedAtTime, moment(run.started)),
            (vocab.prov.endedAtTime, moment(run.ended)),
        ],
        kind=vocab.slm.MeasurementRun,
    )
    yield from describe(
        source.graph,
        _cell_iri(run, result),
        [
            (vocab.rdfs.label, text(_label(cell))),
            (vocab.prov.wasGeneratedBy, _run_iri(run, result)),
            (vocab.prov.wasDerivedFrom, None if result.artifact is None else artifact_iri(cell, result.artifact)),
            (vocab.slm.cellStatus, concept("cell-status", _STATUSES[result.status])),
            (vocab.slm.samples, literal(_json([_sample(one) for one in result.samples])) if result.samples else None),
            (vocab.slm.engineSettings, literal(_json(_settings(result)))),
            (vocab.rdfs.comment, text(result.message) if result.message else None),
        ],
        kind=vocab.slm.MeasuredCell,
    )


def _observation(
    run: Run, source: Source, result: CellResult, figure: Figure, unit: str, distance: Distance | None
) -> Iterator[Quad]:
    assert result.artifact is not None  # noqa: S101 - a result that is ok has its file
    cell = result.cell
    name = digest(source.graph.value, _cell_iri(run, result).value, figure.metric)
    observation, value = resource("observation", name), resource("value", name)
    random = isinstance(cell.weights, RandomWeights)
    yield from describe(
        source.graph,
        observation,
        [
            (vocab.sosa.hasFeatureOfInterest, artifact_iri(cell, result.artifact)),
            (vocab.slm.ofModel, resource("model", cell.subject.slug)),
            (vocab.sosa.observedProperty, resource("metric", figure.metric)),
            (vocab.sosa.hasResult, value),
            (vocab.sosa.hasSimpleResult, literal(figure.value)),
            (vocab.sosa.resultTime, moment(result.started)),
            (vocab.slm.statistic, concept("statistic", figure.statistic)),
            (vocab.slm.origin, concept("origin", "MeasuredRandomWeights" if random else "MeasuredRealWeights")),
            (vocab.slm.inRun, _run_iri(run, result)),
            (vocab.slm.inCell, _cell_iri(run, result)),
            (vocab.slm.underConfiguration, configuration_iri(_configuration(cell))),
            (vocab.slm.sampleSize, literal(figure.count)),
            (vocab.slm.cleanSamples, literal(figure.clean)),
            (vocab.slm.contended, literal(figure.contended)),
            (vocab.slm.medianAbsoluteDeviation, _number(figure.deviation)),
            (vocab.slm.percentile95, _number(figure.percentile95)),
            (vocab.slm.confidenceLower, _number(figure.lower)),
            (vocab.slm.confidenceUpper, _number(figure.upper)),
            (vocab.slm.ratioToPrediction, literal(Decimal(f"{distance.ratio:.4g}")) if distance else None),
            (vocab.slm.outlier, literal(distance.is_outlier) if distance else None),
            (vocab.dct.source, source.iri),
            (vocab.slm.locator, literal(f"{_label(cell)}, {figure.metric}")),
        ],
        kind=vocab.slm.RuntimeResult,
    )
    yield from describe(
        source.graph,
        value,
        [
            (vocab.qudt.numericValue, literal(figure.value)),
            (vocab.qudt.hasUnit, iri(unit)),
            (vocab.slm.valueAsReported, literal(str(figure.value))),
        ],
        kind=vocab.qudt.QuantityValue,
    )


def _cost_model(source: Source, run: IRI, setting: Setting, fit: Fit) -> list[Quad]:
    """What a unit of work costs in one setting of the run, which names machine and engine."""
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    name = digest(run.value, setting.metric, setting.variant, str(setting.threads))
    return describe(
        source.graph,
        resource("cost-model", name),
        [
            (vocab.rdfs.label, text(f"cost of {setting.phase.value}, {setting.variant}, {threads}")),
            (vocab.prov.wasGeneratedBy, run),
            (vocab.slm.fittedMetric, resource("metric", setting.metric)),
            (vocab.slm.fittedVariant, literal(setting.variant)),
            (vocab.slm.fittedThreads, literal(setting.threads)),
            (vocab.slm.secondsPerUnit, literal(_json(dict(fit.costs)))),
            (vocab.slm.unseenErrors, literal(_json(dict(zip(fit.models, fit.errors, strict=True))))),
            (vocab.slm.medianError, literal(Decimal(f"{fit.median_error:.4f}"))),
            (vocab.slm.largestError, literal(Decimal(f"{fit.largest_error:.4f}"))),
        ],
        kind=vocab.slm.CostModel,
    )


def _artifact(cell: Cell, artifact: Artifact) -> Iterator[Quad]:
    weights = cell.weights
    random = isinstance(weights, RandomWeights)
    told = f"random weights (seed {weights.seed})" if isinstance(weights, RandomWeights) else "released weights"
    quantisation = "None" if cell.variant in _PRECISIONS else cell.variant
    subject = artifact_iri(cell, artifact)
    yield from describe(REGISTRY, resource("model", cell.subject.slug), [(vocab.slm.hasArtifact, subject)])
    yield from describe(
        REGISTRY,
        subject,
        [
            (vocab.dct.title, text(f"{cell.subject.slug}, {told} in {cell.variant}")),
            (vocab.slm.quantisation, concept("quantisation", quantisation)),
            (vocab.slm.precision, concept("precision", cell.variant) if cell.variant in _PRECISIONS else None),
            (vocab.slm.sha256, literal(artifact.sha256)),
            (vocab.dcat.byteSize, literal(artifact.size)),
            (vocab.slm.bitsPerWeight, literal(Decimal(f"{artifact.bits_per_weight:.4f}"))),
            (vocab.slm.tensorTypes, literal(_json(dict(artifact.tensor_types)))),
            (vocab.slm.weightsOrigin, concept("weights-origin", "Random" if random else "Released")),
            (vocab.slm.randomSeed, literal(weights.seed) if isinstance(weights, RandomWeights) else None),
        ],
        kind=vocab.slm.ModelArtifact,
    )


def _build(build: EngineBuild) -> Iterator[Quad]:
    subject = _build_iri(build)
    commit = f" ({build.commit})" if build.commit else ""
    yield from describe(
        REGISTRY,
        subject,
        [
            (vocab.rdfs.label, text(f"{build.name} {build.version}{commit}")),
            (vocab.dct.hasVersion, literal(build.version)),
            (vocab.prov.specializationOf, resource("engine", build.name)),
            (vocab.slm.commit, literal(build.commit) if build.commit else None),
            (vocab.slm.buildFlags, literal(build.flags) if build.flags else None),
        ],
        kind=vocab.slm.InferenceEngine,
    )


def _environment(environment: Environment) -> Iterator[Quad]:
    hardware, software = environment.hardware, environment.software
    processors = hardware.get("logical_cpus")
    system = " ".join(
        str(software[name]) for name in ("distribution", "distribution_version", "kernel") if software.get(name)
    )
    yield from describe(
        REGISTRY,
        _device_iri(environment),
        [
            (vocab.rdfs.label, text(_machine(environment))),
            (vocab.slm.deviceClass, concept("device-class", "ServerCPU") if hardware.get("hypervisor") else None),
            (vocab.slm.memoryCapacity, _memory(environment)),
            (vocab.slm.notReported, iri(vocab.slm.memoryBandwidth)),
        ],
        kind=vocab.slm.Device,
    )
    yield from describe(
        REGISTRY,
        _environment_iri(environment),
        [
            (vocab.rdfs.label, text(", ".join(filter(None, [_machine(environment), system])))),
            (vocab.slm.fingerprint, literal(environment.fingerprint)),
            (vocab.slm.processor, literal(_processor(environment))),
            (vocab.slm.logicalProcessors, literal(processors) if isinstance(processors, int) else None),
            (vocab.slm.operatingSystem, literal(system) if system else None),
        ],
        kind=vocab.slm.Environment,
    )


def _record(environment: Environment) -> str:
    """All that the run captured. It is the run's: what changes from start to start is not said of the environment."""
    return _json({"hardware": environment.hardware, "software": environment.software})


def _configuration(cell: Cell) -> Configuration:
    return Configuration(
        prompt_tokens=cell.prompt_tokens,
        generated_tokens=cell.generated_tokens,
        batch_size=1,
        threads=cell.threads,
        cache_depth=cell.depth or None,
    )


def _run_iri(run: Run, result: CellResult) -> IRI:
    """One node per machine and engine build, since a run of several workers has several."""
    build = digest(repr(result.build)) if result.build is not None else "no-engine"
    return resource("run", f"{run.identity}-{result.environment[:8]}-{build}")


def _cell_iri(run: Run, result: CellResult) -> IRI:
    return resource("cell", f"{run.identity}-{key(result.cell)}-{result.environment[:8]}")


def _build_iri(build: EngineBuild) -> IRI:
    return resource("engine", f"{build.name}-{build.version}-{digest(repr(build))}")


def _environment_iri(environment: Environment) -> IRI:
    return resource("environment", environment.fingerprint)


def _device_iri(environment: Environment) -> IRI:
    """The machine without its software: what a person would call the same kind of machine is one device."""
    hardware = environment.hardware
    return resource("device", f"machine-{digest(_machine(environment), str(hardware.get('hypervisor')))}")


def _machine(environment: Environment) -> str:
    processors, memory = environment.hardware.get("logical_cpus"), environment.hardware.get("memory_gib")
    words = [
        _processor(environment),
        f"{processors} logical processors" if processors else "",
        f"{memory} GiB" if memory else "",
    ]
    return ", ".join(filter(None, words))


def _processor(environment: Environment) -> str:
    return str((environment.hardware.get("cpu") or {}).get("model") or "processor not told")


def _memory(environment: Environment) -> Term | None:
    """The memory in whole GiB: what the kernel keeps for itself differs from start to start."""
    whole = environment.hardware.get("memory_gib")
    return literal(whole * 2**30) if isinstance(whole, int) else None


def _label(cell: Cell) -> str:
    depth = f", depth {cell.depth}" if cell.depth else ""
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads"
    return (
        f"{cell.subject.slug} {cell.variant} on {cell.engine.value}, prompt {cell.prompt_tokens}, "
        f"{cell.generated_tokens} generated{depth}, {threads}"
    )


def _settings(result: CellResult) -> dict[str, Any]:
    memory = asdict(result.memory) if result.memory is not None else {}
    return {
        "sampling": asdict(result.cell.sampling),
        "seconds": result.seconds,
        "finite_logits": result.finite_logits,
        **({"memory": memory} if memory else {}),
        **result.settings,
    }


def _sample(sample: Sample) -> dict[str, Any]:
    record = asdict(sample)
    if not sample.per_token_ns:
        del record["per_token_ns"]
    return record


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value)


def _number(value: Decimal | None) -> Term | None:
    return None if value is None else literal(value)
