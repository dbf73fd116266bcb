"""Results of MLPerf Inference: the log summary of one run, and the description of its system where there is one.

The summary does not name its model. A run that the rules call invalid, or that tested accuracy only, has no figures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.errors import BadFile
from app.ingest.runs.documents import Part, as_number, facts, parse, word
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

TITLE = "MLPerf Results Summary"
_LINE = re.compile(r"\s*(?P<key>[^:]+?)\s*:\s*(?P<value>.*?)\s*")
_LATENCY = re.compile(
    r"(?:(?P<which>Min|Max|Mean)|(?P<percent>[\d.]+) percentile) "
    r"(?P<what>first token latency|time (?:to|per) output token) \(ns\)",
    re.IGNORECASE,
)
_METRICS = {"first": ("time-to-first-token", "ms"), "time": ("decode-latency", "ms/token")}
_RATES = frozenset({"tokens per second", "tokens per second (inferred)", "completed tokens per second"})
_MEDIAN = "50.00"
_NANOSECONDS = Decimal(10**6)


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    value: str
    line: int


def is_summary(text: str) -> bool:
    """Whether a text is a log summary."""
    return TITLE in text[:2_000]


def is_system(part: Part) -> bool:
    """Whether a document describes a system under test."""
    return part.at("system_name") is not None and part.at("host_processor_model_name") is not None


def read(text: str, file: str, system: tuple[str, str] | None = None) -> ImportedRun:
    """The run in a log summary, with its system's description as text and name; BadFile."""
    if not is_summary(text):
        raise BadFile(file, f"has no title {TITLE!r}", line=1, advice="Give mlperf_log_summary.txt.")
    entries = _entries(text)
    told = {entry.key.lower(): entry for entry in entries}
    scenario, mode, result = (_needed(told, name, file) for name in ("scenario", "mode", "result is"))
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    reason = _no_figures(mode, result)
    conditions = Conditions(
        batch_size=1 if scenario.value == "SingleStream" else None,
        settings={"scenario": scenario.value, **_parameters(entries)},
    )
    for figure in [*_latencies(entries, file, conditions), *_rates(entries, file, conditions)]:
        if reason is None:
            figures.append(figure)
        else:
            left_out.append(LeftOut(figure.locator, figure.reported, reason, figure.line))
    described = None if system is None else parse(*system)
    if described is not None and not is_system(described):
        described.refuse("is no description of a system", "Give systems/<name>.json.")
    framework = None if described is None else word(described, "framework")
    return ImportedRun(
        identity=identity([text]),
        format=Format.MLPERF,
        file=file,
        tool=Tool("MLPerf Inference"),
        model=ModelFacts(label=_needed(told, "sut name", file).value),
        figures=tuple(figures),
        left_out=tuple(left_out),
        environment={
            **({"engine": framework} if framework else {}),
            **({} if described is None else facts(described)),
        },
    )


def _entries(text: str) -> list[_Entry]:
    found: list[_Entry] = []
    for number, line in enumerate(text.split("\n"), start=1):
        match = _LINE.fullmatch(line)
        if match is not None and match["value"]:
            found.append(_Entry(match["key"], match["value"], number))
    return found


def _needed(told: dict[str, _Entry], name: str, file: str) -> _Entry:
    if name not in told:
        raise BadFile(file, f"does not say {name!r}", advice="Give the whole summary that LoadGen wrote.")
    return told[name]


def _no_figures(mode: _Entry, result: _Entry) -> str | None:
    if result.value != "VALID":
        return f"the run is {result.value} by the rules of MLPerf"
    return None if mode.value == "PerformanceOnly" else f"the run's mode is {mode.value}"


def _latencies(entries: list[_Entry], file: str, conditions: Conditions) -> list[ImportedFigure]:
    """Time to first token and time per output token: the median where there is one, else the mean."""
    found: dict[str, dict[str, _Entry]] = {}
    for entry in entries:
        match = _LATENCY.fullmatch(entry.key)
        if match is not None:
            which = (match["which"] or match["percent"]).lower()
            found.setdefault(match["what"].split()[0].lower(), {})[which] = entry
    figures: list[ImportedFigure] = []
    for what, entries_of in found.items():
        metric, unit = _METRICS[what]
        numbers = {which: _number(entry, file) / _NANOSECONDS for which, entry in entries_of.items()}
        chosen = _MEDIAN if _MEDIAN in numbers else "mean"
        if chosen not in numbers:
            continue
        entry = entries_of[chosen]
        figures.append(
            ImportedFigure(
                metric=metric,
                value=numbers[chosen],
                reported=f"{entry.value} ns",
                unit=unit,
                locator=f"{file}, line {entry.line}",
                line=entry.line,
                statistic=Statistic.MEDIAN if chosen == _MEDIAN else Statistic.MEAN,
                conditions=conditions,
                others={which: number for which, number in numbers.items() if which != chosen},
            )
        )
    return figures


def _rates(entries: list[_Entry], file: str, conditions: Conditions) -> list[ImportedFigure]:
    """Tokens per second of the whole system; the summary may give them twice, the first counts."""
    entry = next((entry for entry in entries if entry.key.lower() in _RATES), None)
    if entry is None:
        return []
    return [
        ImportedFigure(
            metric="decode-throughput",
            value=_number(entry, file),
            reported=entry.value,
            unit="tokens/s",
            locator=f"{file}, line {entry.line}",
            line=entry.line,
            statistic=Statistic.MEAN,
            conditions=conditions,
            note="Output tokens of the whole system over the whole run, with as many sequences at once as it took.",
        )
    ]


def _number(entry: _Entry, file: str) -> Decimal:
    found = as_number(entry.value)
    if found is None or found <= 0:
        raise BadFile(
            file, f"{entry.value!r} is no measured value", line=entry.line, field=entry.key, advice="Run it again."
        )
    return found


def _parameters(entries: list[_Entry]) -> dict[str, str]:
    names = {"target_qps", "samples_per_query", "min_query_count", "performance_sample_count"}
    return {entry.key: entry.value for entry in entries if entry.key in names}
