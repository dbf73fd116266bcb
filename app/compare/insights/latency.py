"""Figure 7 and section 4: time to the first token and time of each further one, against size. Works on answers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import comparable, correlation, listed, near, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table

QUERIES = ("latency", "operators")
_MEGA, _GIGA = 1e6, 1e9
_PER_CENT = 100

Times = Mapping[str, float]


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the drawn times and the compared pairs against the graph's observations and counts."""
    chosen, others = comparable(answers["latency"], "run", "format")
    rows = {text(row, "model"): row for row in chosen}

    def column(name: str) -> dict[str, float]:
        return {model: value for model, row in rows.items() if (value := number(row, name)) is not None}

    first, later = column("firstTokenMs"), column("decodeMs")
    counts = column("parameters") | column("engineParameters")
    stated = column("parameters")
    printed = told.statements
    drawn_first, drawn_later = _drawn(printed["first-token-grows"]), _drawn(printed["decoding-grows"])
    names = {row["model"]: row["model_as_printed"] for row in printed["first-token-grows"].rows}
    names |= {model: text(row, "name") for model, row in rows.items()}
    every = sorted({*first, *drawn_first}, key=lambda one: (counts.get(one, 0), one))
    table = Table(
        "Times at a prompt of 50 tokens, the smallest model first",
        (
            Column("model", "Model", numeric=False),
            Column("device", "Device and format", numeric=False),
            Column("parameters", "Graph: size", "10^9 parameters"),
            Column("first", "Graph: first token", "ms"),
            Column("later", "Graph: further token", "ms"),
            Column("drawnFirst", "Survey: first token", "ms"),
            Column("drawnLater", "Survey: further token", "ms"),
        ),
        tuple(
            (
                names[one],
                f"{text(rows[one], 'device')}, {text(rows[one], 'format')}" if one in rows else "",
                counts[one] / _GIGA if one in counts else None,
                first.get(one),
                later.get(one),
                drawn_first.get(one),
                drawn_later.get(one),
            )
            for one in every
        ),
    )
    sizes = _drawn(printed["sizes"])
    findings = {
        "sizes": _counted(printed["sizes"], sizes, stated),
        "first-token-grows": _grows(printed["first-token-grows"], sizes, drawn_first, stated, first),
        "decoding-grows": _grows(printed["decoding-grows"], sizes, drawn_later, stated, later),
        "qwen2-first-token": _pair(printed["qwen2-first-token"], first, "times", lambda a, b: a / b),
        "qwen1.5-speed-up": _pair(printed["qwen1.5-speed-up"], first, "%", lambda a, b: _PER_CENT * (1 - a / b)),
        "openelm-size": _pair(printed["openelm-size"], stated, "times", lambda a, b: a / b),
        "phi-2-latency": _pair(printed["phi-2-latency"], first, "times", lambda a, b: a / b),
        "operator-share": _operator(printed["operator-share"], answers["operators"]),
    }
    return Found(
        findings,
        table,
        len(first),
        len(first) + len(later) + len(answers["operators"]),
        _chart(table),
        "Time to the first token and time of each further token against size, one point of each kind for each model.",
        tuple(filter(None, [others])),
    )


def _drawn(printed: Printed) -> dict[str, float]:
    return {row["model"]: float(row["value"]) for row in printed.rows}


def _counted(printed: Printed, sizes: Times, stated: Times) -> Finding:
    """The engine's count, in millions, against the model's own."""
    both = [model for model in sizes if model in stated]
    most = 1 + float(printed.allowance.rstrip(" %")) / _PER_CENT
    off = [model for model in both if not 1 / most < _MEGA * sizes[model] / stated[model] < most]
    return Finding(
        f"{len(sizes)} models",
        f"{len(both) - len(off)} of {len(both)} are equal",
        "10^6 parameters",
        not off if both else None,
        "neither is more than a hundredth above the other",
        len(both),
        f"Not equal: {listed(off)}. An engine may count tied embeddings twice." if off else "",
    )


def _grows(printed: Printed, sizes: Times, drawn: Times, counts: Times, found: Times) -> Finding:
    theirs = correlation((sizes[one], value) for one, value in drawn.items() if one in sizes)
    both = [one for one in found if one in counts]
    ours = correlation((counts[one], found[one]) for one in both)
    return Finding(
        f"{shown(theirs, 2)} over {len(drawn)} models",
        f"{shown(ours, 2)} over {len(both)} models",
        "Spearman's rank correlation",
        None if theirs is None or ours is None else near(theirs, ours, printed.slack),
        f"they lie within {printed.allowance} of each other; the survey's is over the engine's count of parameters, "
        "the graph's over the stated or computed one",
        len(both),
    )


def _pair(printed: Printed, found: Times, unit: str, compared: Callable[[float, float], float]) -> Finding:
    """Two models of which the survey tells a ratio."""
    one, other = (found.get(model) for model in printed.models)
    value = None if one is None or not other else compared(one, other)
    return Finding(
        printed.value,
        shown(value, 3),
        unit,
        None if value is None else near(value, float(printed.value), printed.slack),
        f"they lie within {printed.allowance} of each other, one unit of the last printed digit: "
        "the survey rounds or cuts",
        sum(model in found for model in printed.models),
    )


def _operator(printed: Printed, rows: Rows) -> Finding:
    """The text has more than one number for it, and each is a lower limit: the first is the section's."""
    limits = [(float(part.split()[0].lstrip(">")), part.strip()) for part in printed.value.split("/")]
    shares = [_PER_CENT * share for row in rows if (share := number(row, "share")) is not None]
    return Finding(
        printed.value,
        f"{shown(min(shares), 1)} to {shown(max(shares), 1)}" if shares else "not known",
        "%",
        all(min(shares) > limit for limit, _ in limits) if shares else None,
        "every share in the graph is above every limit that the text states",
        len({text(row, "model") for row in rows}),
        " ".join(f"{part}: {'holds' if min(shares) > limit else 'does not hold'}." for limit, part in limits)
        if shares
        else "",
    )


def _chart(table: Table) -> Spec:
    values = [
        {"model": one["model"], "size": one["parameters"], "time": one[name], "kind": label}
        for one in table.records()
        for name, label in (("first", "First token (prefill)"), ("later", "Each further token (decode)"))
        if one["parameters"] is not None and one[name] is not None
    ]
    return drawing.chart(
        values,
        "Time to the first token and time of each further token against size",
        width=520,
        height=300,
        mark={"type": "point", "filled": False, "size": 55, "strokeWidth": 1.5},
        encoding={
            "x": drawing.logarithmic("size", "Size [10^9 parameters]"),
            "y": drawing.logarithmic("time", "Time at a prompt of 50 tokens [ms]"),
            "color": drawing.axis("kind", "", "nominal"),
            "shape": drawing.axis("kind", "", "nominal"),
        },
    )
