"""Turns the result tables into observations: benchmark scores and runtime figures, each with its conditions.

A printed metric is taken apart by stated patterns; what is no measurement of one model (ratios between models, ranges,
statements about families) is skipped and counted with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from app import vocab
from app.ingest import cells
from app.ingest.evidence import Evidence, how_read
from app.ingest.registry import Registry, artifact_quads
from app.ingest.sources import listed
from app.ingest.tables import Row, read_table
from app.model.claims import Configuration, Protocol, Result, Source, concept, resource

_BENCHMARK_COLUMNS = (
    "model",
    "model_as_printed",
    "benchmark",
    "metric",
    "shots",
    "value",
    "source",
    "locator",
    "confidence",
    "note",
)
_RUNTIME_COLUMNS = (
    "model",
    "model_as_printed",
    "device",
    "engine",
    "quantization",
    "prompt_tokens",
    "metric",
    "unit",
    "value",
    "source",
    "locator",
    "confidence",
    "note",
)
_RELEASED = concept("quantisation", "None")
_NOT_ONE_MODEL = "speaks of a family, a series or several models, not of one"
_RELATIVE = "a ratio or share over models, formats or contexts, not a measurement of one model"

UNITS: dict[str, tuple[str, Decimal]] = {
    "ms": (vocab.unit.MilliSEC, Decimal(1)),
    "ms/token": (vocab.slmu.MilliSEC_PER_TOKEN, Decimal(1)),
    "tokens/s": (vocab.slmu.TOKEN_PER_SEC, Decimal(1)),
    "MB": (vocab.unit.MegaBYTE, Decimal(10**6)),
    "GB": (vocab.unit.GigaBYTE, Decimal(10**9)),
    "fraction": (vocab.unit.FRACTION, Decimal(1)),
    "percent": (vocab.unit.PERCENT, Decimal("0.01")),
    "M": (vocab.slmu.MILLION, Decimal(10**6)),
}
"""Printed unit: the unit's IRI, and the factor to the canonical unit of the metrics that use it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A printed runtime metric: what it means, and whether it is given at one prompt length or one token."""

    printed: re.Pattern[str]
    metric: str
    generated: int | None = None


_PATTERNS = (
    _Pattern(
        re.compile(r"first token time \(prefill of the prompt\)|first token time vs prompt length"),
        "time-to-first-token",
    ),
    _Pattern(re.compile(r"decode latency per token \((?P<generated>\d+) tokens generated\)"), "decode-latency"),
    _Pattern(
        re.compile(r"decode latency per token(?: vs tokens generated)? \[n=(?P<position>\d+)\]"),
        "decode-latency",
    ),
    _Pattern(re.compile(r"prefill latency per token"), "prefill-latency"),
    _Pattern(re.compile(r"prefill speed"), "prefill-throughput"),
    _Pattern(re.compile(r"decode speed"), "decode-throughput"),
    _Pattern(
        re.compile(r"memory footprint \(context (?P<context>\d+)\)|memory: total \(context (?P<total>\d+)\)|memory"),
        "memory-footprint",
    ),
    _Pattern(re.compile(r"memory: model_parameter(?: \(context (?P<context>\d+)\))?"), "weights-memory"),
    _Pattern(re.compile(r"memory: kv_cache(?: \(context (?P<context>\d+)\))?"), "kv-cache-memory"),
    _Pattern(re.compile(r"memory: compute_buffer(?: \(context (?P<context>\d+)\))?"), "compute-buffer-memory"),
    _Pattern(re.compile(r"memory: other_memory(?: \(context (?P<context>\d+)\))?"), "other-memory"),
    _Pattern(re.compile(r"parameters \(llama\.cpp count\)"), "engine-parameter-count"),
    _Pattern(re.compile(r"(?P<phase>prefill|decode) latency share: (?P<part>.+) \((?:layer|operator)\)"), "share"),
)
_PARTS = {
    "Attention": "attention",
    "Embedding": "embedding",
    "FFN": "feed-forward",
    "LM Head": "lm-head",
    "other": "other-operators",
}


def read_benchmarks(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read benchmark scores; domain averages and in-context gains are benchmarks of their own."""
    for row in read_table(path, _BENCHMARK_COLUMNS):
        evidence.rows_read[path.name] += 1
        if not row["model"]:
            evidence.skip(row, row["model_as_printed"], _NOT_ONE_MODEL)
            continue
        model = registry.model(row)
        source = listed(sources, row)
        gain = "->" in row["shots"]
        value = _number(row)
        percent = _in_percent(row)
        evidence.registry.update(artifact_quads(model, _RELEASED))
        evidence.add_result(
            row,
            Result(
                model=model.iri,
                artifact=model.artifact(_RELEASED),
                metric=resource("metric", "accuracy-gain" if gain else "accuracy"),
                number=value,
                unit=vocab.unit.PERCENT if percent else vocab.unit.FRACTION,
                canonical=value / 100 if percent else value,
                reported=row["value"].strip(),
                source=source,
                locator=f"{row['locator']}, {row['model_as_printed']}, {row['benchmark']}",
                reading=how_read(row),
                protocol=_protocol(row, registry, source),
                note=row["note"] or None,
                row=_row_key(row),
            ),
        )


def _in_percent(row: Row) -> bool:
    """Whether a score is printed in percent; anything but a share or a percentage is no accuracy."""
    for word in ("percent", "fraction"):
        if f"({word}" in row["metric"]:
            return word == "percent"
    raise row.error(
        "metric", f"{row['metric']!r} is no accuracy", advice='Say its unit: "… (fraction)" or "… (percent)".'
    )


def _protocol(row: Row, registry: Registry, source: Source) -> Protocol:
    benchmark = registry.thing(row, "benchmark", "benchmark", row["benchmark"])
    baseline, _, shots = row["shots"].rpartition("->")
    untold = ["split"]
    if not shots:
        untold.append("numShots")
    harness, scoring = _harness(row, source)
    if scoring is None:
        untold.append("answerScoring")
    return Protocol(
        benchmark=benchmark,
        harness=resource("engine", harness),
        scoring=scoring,
        shots=_whole(row, "shots", shots) if shots else None,
        baseline_shots=_whole(row, "shots", baseline) if baseline else None,
        untold=tuple(sorted(untold)),
    )


def _harness(row: Row, source: Source) -> tuple[str, str | None]:
    """Evaluation software and answer scoring, as the survey describes its own method."""
    if source.slug == "phone-leaderboard":
        return "harness-not-reported", None
    if row["benchmark"].startswith("Math "):
        return "math-evaluation-harness", None
    if row["benchmark"].startswith("Needle"):
        return "opencompass", None
    return "lm-evaluation-harness", "acc"


def read_runtime(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read runtime figures: latency, throughput, memory and their parts."""
    for row in read_table(path, _RUNTIME_COLUMNS):
        evidence.rows_read[path.name] += 1
        if not row["model"]:
            evidence.skip(row, row["metric"], _NOT_ONE_MODEL)
            continue
        matched = _matched(row)
        if matched is None:
            evidence.skip(row, row["metric"], _RELATIVE)
            continue
        _read_runtime_row(row, matched, registry, evidence, sources)


def _read_runtime_row(
    row: Row,
    matched: tuple[str, re.Match[str]],
    registry: Registry,
    evidence: Evidence,
    sources: Mapping[str, Source],
) -> None:
    metric, parts = matched
    model = registry.model(row)
    value = _number(row)
    if row["unit"] not in UNITS:
        raise row.error("unit", f"{row['unit']!r} is unknown", advice=f"Use one of: {', '.join(UNITS)}.")
    unit, factor = UNITS[row["unit"]]
    quantisation = registry.concept(row, "quantization", "quantisation", row.required("quantization"))
    evidence.registry.update(artifact_quads(model, quantisation))
    evidence.add_result(
        row,
        Result(
            model=model.iri,
            artifact=model.artifact(quantisation),
            metric=resource("metric", metric),
            number=value,
            unit=unit,
            canonical=value * factor,
            reported=row["value"].strip(),
            source=listed(sources, row),
            locator=f"{row['locator']}, {row['model_as_printed']}, {row['metric']}",
            reading=how_read(row),
            configuration=_configuration(row, parts),
            device=registry.thing(row, "device", "device", row.required("device")),
            engine=registry.thing(row, "engine", "engine", row.required("engine")),
            note=row["note"] or None,
            row=_row_key(row),
        ),
    )


def _matched(row: Row) -> tuple[str, re.Match[str]] | None:
    """The metric's slug and the parts of its printed name, or None when no pattern fits."""
    for pattern in _PATTERNS:
        match = pattern.printed.fullmatch(row["metric"])
        if match is None:
            continue
        if pattern.metric != "share":
            return pattern.metric, match
        part = _PARTS.get(match["part"], match["part"].replace("_", "-"))
        return f"{match['phase']}-share-{part}", match
    return None


def _configuration(row: Row, match: re.Match[str]) -> Configuration:
    """Inference settings; what a timing should have told and did not is named."""
    parts = match.groupdict()
    context = parts.get("context") or parts.get("total")
    prompt = _whole(row, "prompt_tokens", row["prompt_tokens"]) if row["prompt_tokens"] else None
    generated = int(parts["generated"]) if parts.get("generated") else None
    untold = ["batchSize"]
    if prompt is None:
        untold.append("promptTokens")
    if generated is None:
        untold.append("generatedTokens")
    return Configuration(
        prompt_tokens=prompt,
        generated_tokens=generated,
        context_tokens=int(context) if context else None,
        token_position=int(parts["position"]) if parts.get("position") else None,
        untold=tuple(sorted(untold)),
    )


def _whole(row: Row, column: str, cell: str) -> int:
    try:
        return cells.whole_number(cell)
    except ValueError as error:
        raise row.error(column, str(error), advice="Write digits only (shots of a gain: 0->5).") from error


def _number(row: Row) -> Decimal:
    cell = row.required("value").strip()
    try:
        value = Decimal(cell)
    except InvalidOperation as error:
        raise row.error("value", f"{cell!r} is not a number", advice="Write one number, with a point.") from error
    if not value.is_finite():
        raise row.error("value", f"{cell!r} is not a finite number", advice="Leave the line out.")
    return value


def _row_key(row: Row) -> str:
    """What tells this row from every other one of its table: its conditions, without the value."""
    return "|".join(row[column] for column in row.columns if column not in {"value", "note", "confidence"})
