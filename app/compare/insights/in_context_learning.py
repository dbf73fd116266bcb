"""Figure 6b: what five examples in the prompt add, against size. Works on answers only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Record, Told
from app.compare.insights.terms import comparable, correlation, listed, near, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table

QUERIES = ("in-context-learning",)
_SIZE = re.compile(r"plotted at size (?P<size>[\d.]+)B")
_GIGA = 1e9


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the drawn gains against the mean gain over the single tasks."""
    printed = told.statements["gains"]
    drawn = {row["model"]: float(row["value"]) for row in printed.rows}
    sizes = {row["model"]: size for row in printed.rows if (size := _size(row)) is not None}
    chosen, others = comparable(answers["in-context-learning"], "source")
    rows = {text(row, "model"): row for row in chosen}
    found = {model: value for model, row in rows.items() if (value := number(row, "gain")) is not None}
    counts = {model: value / _GIGA for model, row in rows.items() if (value := number(row, "parameters")) is not None}
    names = {row["model"]: row["model_as_printed"] for row in printed.rows}
    names |= {model: text(row, "name") for model, row in rows.items()}
    every = sorted({*drawn, *found}, key=lambda one: (counts.get(one) or sizes.get(one) or 0, one))
    table = Table(
        "Gain of accuracy from no examples to five, the smallest model first",
        (
            Column("model", "Model", numeric=False),
            Column("parameters", "Graph: size", "10^9 parameters"),
            Column("found", "Graph: gain", "fraction"),
            Column("size", "Survey: size", "10^9 parameters"),
            Column("surveyed", "Survey: gain", "fraction"),
        ),
        tuple((names[one], counts.get(one), found.get(one), sizes.get(one), drawn.get(one)) for one in every),
    )
    theirs = correlation((sizes[one], gain) for one, gain in drawn.items() if one in sizes)
    ours = correlation((counts[one], gain) for one, gain in found.items() if one in counts)
    both = len(counts.keys() & found.keys())
    misplaced = [names[row["model"]] for row in printed.rows if "mis-parsed" in row["note"]]
    notes = [f"The figure plots {listed(misplaced)} at a size that its name does not mean."] if misplaced else []
    return Found(
        {
            "gains": _gains(printed, drawn, found),
            "grows-with-size": Finding(
                f"{shown(theirs, 2)} over {len(sizes)} models",
                f"{shown(ours, 2)} over {both} models",
                "Spearman's rank correlation",
                None if theirs is None or ours is None else (theirs > 0) == (ours > 0),
                "both have the same sign",
                both,
            ),
            "mostly-positive": Finding(
                _positive(drawn),
                _positive(found),
                "models",
                _mostly(drawn) == _mostly(found) if found else None,
                "it is most of the models in both, or in neither",
                len(found),
            ),
        },
        table,
        len(found),
        sum(int(number(row, "tasks") or 0) * 2 for row in rows.values()),
        _chart(table),
        "Gain of accuracy by five examples against size, one point for each model.",
        (*notes, *filter(None, [others])),
    )


def _size(row: Record) -> float | None:
    """The size at which the figure plots a model, in thousand millions of parameters."""
    match = _SIZE.search(row["note"])
    return float(match["size"]) if match else None


def _gains(printed: Printed, drawn: Mapping[str, float], found: Mapping[str, float]) -> Finding:
    both = [model for model in drawn if model in found]
    off = [model for model in both if not near(found[model], drawn[model], printed.slack)]
    return Finding(
        f"{len(drawn)} drawn gains",
        f"{len(both) - len(off)} of {len(both)} are equal",
        "fraction",
        not off if both else None,
        f"each lies within {printed.allowance} of the drawn one: points are read to about 0.0001, here twice",
        len(both),
        f"Not equal: {listed(off)}." if off else "",
    )


def _positive(gains: Mapping[str, float]) -> str:
    return f"{sum(gain > 0 for gain in gains.values())} of {len(gains)}"


def _mostly(gains: Mapping[str, float]) -> bool:
    return 2 * sum(gain > 0 for gain in gains.values()) > len(gains)


def _chart(table: Table) -> Spec:
    values = [
        {"model": one["model"], "size": one[size], "gain": one[gain], "who": label}
        for one in table.records()
        for size, gain, label in (("parameters", "found", "Graph"), ("size", "surveyed", "Survey, Figure 6b"))
        if one[size] is not None and one[gain] is not None
    ]
    return drawing.chart(
        values,
        "Gain of accuracy by five examples in the prompt against size: graph and survey",
        width=520,
        height=300,
        mark={"type": "point", "filled": False, "size": 55, "strokeWidth": 1.5},
        encoding={
            "x": drawing.logarithmic("size", "Size [10^9 parameters]"),
            "y": drawing.axis("gain", "Accuracy at 5 examples less at none [fraction]"),
            "color": drawing.axis("who", "", "nominal"),
            "shape": drawing.axis("who", "", "nominal"),
        },
    )
