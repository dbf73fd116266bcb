"""Figure 7 against what the architectures cost: which times fit the work, and which do not. Works on answers only.

The work is exact; what a unit of it costs is fitted to the drawn times themselves, each model being predicted by a fit
to the others. So a systematic error of the survey cannot show here, and a single odd time does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import Row, comparable, listed, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table
from app.measure.cost import LEAST_DEVIATION, Fit, Point, Work, fit
from app.measure.values import Phase

QUERIES = ("cost",)
_PROMPT, _GENERATED = 50, 50
_BYTES_PER_WEIGHT = 4.5 / 8
"""Of the survey's four bits: llama.cpp stores 32 weights of 4 bits with a scale of 16 bits."""
_GIGA = 1e9


@dataclass(frozen=True, slots=True)
class _Phase:
    """The drawn times of one phase in seconds, the work behind those that have one, and a fit where one is possible."""

    seconds: Mapping[str, float]
    work: Mapping[str, Work]
    fit: Fit | None

    def predicted(self, model: str) -> float | None:
        """Seconds by a fit that had not seen the model."""
        if self.fit is None or model not in self.fit.models:
            return None
        return self.seconds[model] / self.ratio(model)

    def ratio(self, model: str) -> float:
        """Drawn over predicted time."""
        assert self.fit is not None  # noqa: S101 - asked for models of the fit only
        return exp(self.fit.errors[self.fit.models.index(model)])

    def odd(self) -> list[str]:
        """Models whose time does not follow their work."""
        points = {model: Point(model, self.work[model], self.seconds[model]) for model in self.work}
        return [] if self.fit is None else [model for model, one in points.items() if self.fit.is_outlier(one)]


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the drawn times against the work of each architecture."""
    chosen, others = comparable(answers["cost"], "run", "format")
    rows = {text(row, "model"): row for row in chosen}
    prefill = _phase(rows, "firstTokenMs", _prefill)
    decode = _phase(rows, "decodeMs", _decode)
    names = {model: text(row, "name") for model, row in rows.items()}
    every = sorted(rows, key=lambda one: (_bytes(rows[one]) or 0, one))
    table = Table(
        "Times at a prompt of 50 tokens and the work behind them, the least work first",
        (
            Column("model", "Model", numeric=False),
            Column("operations", "Work of the prompt", "10^9 operations"),
            Column("first", "Observed: first token", "ms"),
            Column("firstByWork", "By the work: first token", "ms"),
            Column("read", "Read for each token", "10^9 bytes"),
            Column("later", "Observed: further token", "ms"),
            Column("laterByWork", "By the work: further token", "ms"),
            Column("bandwidth", "Read per second in decoding", "GB/s"),
        ),
        tuple(
            (
                names[one],
                _scaled(_operations(rows[one]), 1 / _GIGA),
                _scaled(prefill.seconds.get(one), 1000),
                _scaled(prefill.predicted(one), 1000),
                _scaled(_bytes(rows[one]), 1 / _GIGA),
                _scaled(decode.seconds.get(one), 1000),
                _scaled(decode.predicted(one), 1000),
                _rate(rows[one], decode),
            )
            for one in every
        ),
    )
    printed = told.statements
    findings = {
        "first-token": _follows(printed["first-token"], prefill, names),
        "decoding": _follows(printed["decoding"], decode, names),
        "bandwidth": _possible(printed["bandwidth"], rows, decode, names),
    }
    return Found(
        findings,
        table,
        len(decode.work),
        len(prefill.seconds) + len(decode.seconds),
        _chart(table),
        "Observed time against the time by the work, by a fit that had not seen the model; on the line both are equal.",
        tuple(filter(None, [*_errors(prefill, "first token"), *_errors(decode, "further token"), others])),
    )


def _phase(rows: Mapping[str, Row], name: str, work_of: Callable[[Row], Work | None]) -> _Phase:
    seconds = {
        model: value / 1000 for model, row in rows.items() if (value := number(row, name)) is not None and value > 0
    }
    work = {model: found for model in seconds if (found := work_of(rows[model])) is not None}
    return _Phase(seconds, work, fit([Point(model, one, seconds[model]) for model, one in sorted(work.items())]))


def _prefill(row: Row) -> Work | None:
    operations, layers = _operations(row), number(row, "layers")
    if operations is None or layers is None:
        return None
    return Work(Phase.PREFILL, {"operations": operations, "layers": layers})


def _decode(row: Row) -> Work | None:
    read, layers, growth = _bytes(row), number(row, "layers"), number(row, "growth")
    if read is None or layers is None or growth is None:
        return None
    return Work(Phase.DECODE, {"bytes": read, "cache": growth * (_PROMPT + _GENERATED / 2), "layers": layers})


def _operations(row: Row) -> float | None:
    """Two for each weight and token; logits are made for the last token only."""
    matrices, output = number(row, "matrices"), number(row, "output")
    return None if matrices is None or output is None else 2 * ((matrices - output) * _PROMPT + output)


def _bytes(row: Row) -> float | None:
    matrices = number(row, "matrices")
    return None if matrices is None else matrices * _BYTES_PER_WEIGHT


def _rate(row: Row, decode: _Phase) -> float | None:
    read, spent = _bytes(row), decode.seconds.get(text(row, "model"))
    return None if read is None or spent is None else read / spent / _GIGA


def _follows(printed: Printed, phase: _Phase, names: Mapping[str, str]) -> Finding:
    rule = (
        "each time is near that of a fit to the work of all models: no further from it than three times what is usual, "
        f"or {shown(100 * (exp(LEAST_DEVIATION) - 1), 0)} %"
    )
    if phase.fit is None:
        return Finding(f"{len(printed.rows)} drawn times", "not known", "models", None, rule, len(phase.work))
    odd = phase.odd()
    told = [f"{names[one]} ({shown(phase.ratio(one), 2)} times what the others let expect)" for one in sorted(odd)]
    left = len(printed.rows) - len(phase.work)
    return Finding(
        f"{len(printed.rows)} drawn times",
        f"{len(phase.work) - len(odd)} of {len(phase.work)} follow the work",
        "models",
        not odd,
        rule,
        len(phase.work),
        (f"Not so: {listed(told)}. " if odd else "")
        + (f"The architectures of {left} are not known well enough." if left > 0 else ""),
    )


def _possible(printed: Printed, rows: Mapping[str, Row], decode: _Phase, names: Mapping[str, str]) -> Finding:
    rates = {one: rate for one in decode.work if (rate := _rate(rows[one], decode)) is not None}
    limits = {value for row in rows.values() if (value := number(row, "bandwidth")) is not None}
    rule = "no model reads its weights faster than the memory gives them"
    if not rates:
        return Finding(f"{len(printed.rows)} drawn times", "not known", "GB/s", None, rule, 0)
    fastest = max(rates, key=rates.__getitem__)
    limit = max(limits, default=None)
    return Finding(
        f"{len(printed.rows)} drawn times",
        f"at most {shown(rates[fastest], 1)} ({names[fastest]})",
        "GB/s",
        None if limit is None else rates[fastest] * _GIGA <= limit,
        rule,
        len(rates),
        "" if limit is not None else "The graph holds no memory bandwidth of the device.",
    )


def _errors(phase: _Phase, name: str) -> list[str]:
    if phase.fit is None:
        return []
    return [
        f"Time of the {name}: a fit to the other models is {shown(100 * phase.fit.median_error, 0)} % off in the "
        f"median and {shown(100 * phase.fit.largest_error, 0)} % at most."
    ]


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _chart(table: Table) -> Spec:
    kinds = (("first", "First token (prefill)"), ("later", "Each further token (decode)"))
    values = [
        {"model": one["model"], "observed": one[name], "byWork": one[f"{name}ByWork"], "kind": label}
        for one in table.records()
        for name, label in kinds
        if one[name] is not None and one[f"{name}ByWork"] is not None
    ]
    ends = [float(str(one[name])) for one in values for name in ("observed", "byWork")]
    line = [{"observed": end, "byWork": end} for end in (min(ends), max(ends))] if ends else []
    axes = {
        "x": drawing.logarithmic("byWork", "Time by the work [ms]"),
        "y": drawing.logarithmic("observed", "Observed time [ms]"),
    }
    return {
        "description": "Observed time against the time by the work",
        "data": {"values": values},
        "width": 520,
        "height": 300,
        "layer": [
            {
                "mark": {"type": "point", "filled": False, "size": 55, "strokeWidth": 1.5},
                "encoding": {
                    **axes,
                    "color": drawing.axis("kind", "", "nominal"),
                    "shape": drawing.axis("kind", "", "nominal"),
                },
            },
            {
                "data": {"values": line},
                "mark": {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1},
                "encoding": axes,
            },
        ],
    }
