"""Results of optimum-benchmark: its configuration and its report, as two files or as one document with both.

Time to first token, prefill and decode rates, latency per token, and memory are read. Energy, efficiency, and the parts
that no metric of the registry measures are left out with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.errors import BadFile
from app.ingest.runs.documents import Part, count, facts, parse, word
from app.ingest.runs.values import (
    Conditions,
    Format,
    ImportedFigure,
    ImportedRun,
    LeftOut,
    ModelFacts,
    Statistic,
    Tool,
    identity,
)

_SECTIONS = frozenset({"load", "load_model", "first_generate", "generate", "prefill", "decode", "per_token", "forward"})
_MEASURES = frozenset({"memory", "latency", "throughput", "energy", "efficiency"})
_LATENCIES = {"prefill": ("time-to-first-token", "s"), "per_token": ("decode-latency", "s")}
_RATES = {"prefill": "prefill-throughput", "decode": "decode-throughput"}
_WHOLE = ("generate", "decode", "prefill")
"""Sections whose memory is that of inference; the first that is there is read."""
_PRECISIONS = {"float32", "float16", "bfloat16"}
_THOUSAND = Decimal(1000)


def is_config(part: Part) -> bool:
    """Whether a document is a configuration of optimum-benchmark."""
    return all(part.at(name) is not None for name in ("backend", "scenario", "launcher"))


def is_report(part: Part) -> bool:
    """Whether a document is a report of optimum-benchmark."""
    if not isinstance(part.value, dict):
        return False
    measured = [member for key, member in part.members() if key in _SECTIONS and isinstance(member.value, dict)]
    return any(_MEASURES & set(member.value) for member in measured)


def is_both(part: Part) -> bool:
    """Whether a document holds configuration and report."""
    config, report = part.at("config"), part.at("report")
    return config is not None and report is not None and is_config(config) and is_report(report)


def read(config: tuple[str, str], report: tuple[str, str]) -> ImportedRun:
    """The run in a configuration and a report, each as text and name; BadFile."""
    told, measured = parse(*config), parse(*report)
    if not is_config(told):
        told.refuse("is no configuration of optimum-benchmark", "Give its benchmark_config.json.")
    if not is_report(measured):
        measured.refuse("is no report of optimum-benchmark", "Give its benchmark_report.json.")
    return _read(told, measured, identity([config[0], report[0]]), report[1])


def read_both(text: str, file: str) -> ImportedRun:
    """The run in one document with configuration and report; BadFile."""
    root = parse(text, file)
    return _read(root.need("config"), root.need("report"), identity([text]), file)


def _read(config: Part, report: Part, name: str, file: str) -> ImportedRun:
    conditions = _conditions(config)
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    whole = next((section for section in _WHOLE if report.at(section, "memory") is not None), None)
    for section, measures in report.members():
        if section not in _SECTIONS or not isinstance(measures.value, dict):
            continue
        for figure in _section(section, measures, conditions, left_out, memory=section == whole):
            figures.append(figure)
    if not figures and not left_out:
        raise BadFile(file, "holds no figure", advice="Give the benchmark_report.json of a finished run.")
    backend = config.need("backend")
    environment = config.at("environment")
    version = word(config, "environment", "optimum_benchmark_version")
    return ImportedRun(
        identity=name,
        format=Format.OPTIMUM,
        file=file,
        tool=Tool("optimum-benchmark", version, word(config, "environment", "optimum_benchmark_commit")),
        model=_model(backend),
        figures=tuple(figures),
        left_out=tuple(left_out),
        environment={"engine": word(backend, "name") or "", **facts(environment)},
    )


def _model(backend: Part) -> ModelFacts:
    random = backend.at("no_weights")
    quantised = word(backend, "quantization_scheme")
    precision = word(backend, "torch_dtype") or word(backend, "dtype")
    return ModelFacts(
        name=word(backend, "model"),
        revision=_revision(backend),
        quantisation=None if quantised else "None",
        precision=precision if precision in _PRECISIONS else None,
        random_weights=None if random is None else random.truth(),
    )


def _revision(backend: Part) -> str | None:
    found = word(backend, "model_kwargs", "revision") or word(backend, "hub_kwargs", "revision")
    return None if found == "main" else found


def _conditions(config: Part) -> Conditions:
    scenario = config.need("scenario")
    settings = facts(scenario, longest=100)
    return Conditions(
        prompt_tokens=count(scenario, "input_shapes", "sequence_length"),
        generated_tokens=count(scenario, "generate_kwargs", "max_new_tokens"),
        batch_size=count(scenario, "input_shapes", "batch_size"),
        threads=count(config, "backend", "intra_op_num_threads"),
        settings={**settings, "device": word(config, "backend", "device") or ""},
    )


def _section(
    section: str, measures: Part, conditions: Conditions, left_out: list[LeftOut], *, memory: bool
) -> Iterator[ImportedFigure]:
    for kind, member in measures.members():
        if kind not in _MEASURES or not isinstance(member.value, dict):
            continue
        if kind == "latency" and section in _LATENCIES:
            yield _latency(section, member, conditions)
        elif kind == "throughput" and section in _RATES and word(member, "unit") == "tokens/s":
            yield _rate(section, member, conditions, measures)
        elif kind == "memory" and memory and member.at("max_ram") is not None:
            yield _memory(member, conditions)
        else:
            shown = word(member, "value") or word(member, "mean") or word(member, "total") or kind
            left_out.append(LeftOut(member.locator, shown, f"no metric of the registry is {kind} of {section}"))


def _latency(section: str, latency: Part, conditions: Conditions) -> ImportedFigure:
    metric, wanted = _LATENCIES[section]
    unit = latency.need("unit")
    if unit.text() != wanted:
        unit.refuse(f"is in {unit.shown} and not in {wanted}", "Give the report as the tool wrote it.")
    mean = latency.need("mean")
    values = latency.at("values")
    per_token = metric == "decode-latency"
    factor = _THOUSAND if per_token else Decimal(1)
    others = {key: part.number() * factor for key, part in latency.members() if key in {"p50", "p90", "p95", "p99"}}
    deviation = latency.at("stdev")
    return ImportedFigure(
        metric=metric,
        value=_positive(mean) * factor,
        reported=f"{mean.value} {wanted}",
        unit="ms/token" if per_token else "s",
        locator=mean.locator,
        statistic=Statistic.MEAN,
        conditions=conditions,
        standard_deviation=None if deviation is None else deviation.number() * factor,
        count=count(latency, "count"),
        samples=tuple(one.number() * factor for one in values.items()) if values is not None else (),
        others=others,
    )


def _rate(section: str, throughput: Part, conditions: Conditions, measures: Part) -> ImportedFigure:
    value = throughput.need("value")
    return ImportedFigure(
        metric=_RATES[section],
        value=_positive(value),
        reported=str(value.value),
        unit="tokens/s",
        locator=value.locator,
        statistic=Statistic.MEAN,
        conditions=conditions,
        count=count(measures, "latency", "count"),
        note="Tokens of all sequences of the batch over the mean time.",
    )


def _memory(memory: Part, conditions: Conditions) -> ImportedFigure:
    ram, unit = memory.need("max_ram"), memory.need("unit")
    if unit.text() != "MB":
        unit.refuse(f"is in {unit.shown} and not in MB", "Give the report as the tool wrote it.")
    kinds = ("max_global_vram", "max_process_vram", "max_reserved", "max_allocated")
    found = {kind: memory.at(kind) for kind in kinds}
    return ImportedFigure(
        metric="memory-footprint",
        value=_positive(ram),
        reported=f"{ram.value} MB",
        unit="MB",
        locator=ram.locator,
        statistic=Statistic.MAXIMUM,
        conditions=conditions,
        others={kind: part.number() for kind, part in found.items() if part is not None},
        note="Main memory of the process; memory of an accelerator is not in it.",
    )


def _positive(part: Part) -> Decimal:
    found = part.number()
    if found <= 0:
        part.refuse(f"is no measured value: {part.shown}", "Run the benchmark again.")
    return found
