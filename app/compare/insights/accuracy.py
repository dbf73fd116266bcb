"""Table 2 and section 3.2: mean accuracy over two domains, worked out from single scores. Works on answers only."""

from __future__ import annotations

from collections.abc import Mapping

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import Row, comparable, listed, near, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table

QUERIES = ("accuracy",)
_SINGLE = "single scores"
_DOMAINS = {"Commonsense reasoning": "commonsense", "Problem solving": "problemSolving"}


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the printed means against the graph's: from single scores where there are all, else from averages."""
    best: dict[str, Row] = {}
    chosen, others = comparable(answers["accuracy"], "source")
    for row in chosen:
        model = text(row, "model")
        if model not in best or (text(row, "basis") == _SINGLE and text(best[model], "basis") != _SINGLE):
            best[model] = row
    printed = {row["model"]: row for row in told.statements["table-2"].rows}
    rows = [
        (
            text(best[model], "name") if model in best else row["model_as_printed"],
            number(best[model], "mean") if model in best else None,
            float(row["value"]),
            text(best[model], "basis") if model in best else "",
        )
        for model, row in printed.items()
    ]
    table = Table(
        "Mean of the averages in commonsense and in problem solving, in the order of Table 2",
        (
            Column("model", "Model", numeric=False),
            Column("found", "Graph", "fraction"),
            Column("surveyed", "Survey", "fraction"),
            Column("basis", "Worked out from", numeric=False),
        ),
        tuple(rows),
    )
    findings = {
        key: _means(one, best) if key == "table-2" else _best(one, best) for key, one in told.statements.items()
    }
    corrected = [f"{row['model_as_printed']}: {row['note']}" for row in printed.values() if row["note"]]
    return Found(
        findings,
        table,
        len(best),
        len(chosen),
        _chart(table),
        "Each model of Table 2 with the graph's mean and the printed one, from the highest down.",
        (*((f"Corrected at the source: {'; '.join(corrected)}.",) if corrected else ()), *filter(None, [others])),
    )


def _means(printed: Printed, best: Mapping[str, Row]) -> Finding:
    pairs = {row["model"]: float(row["value"]) for row in printed.rows}
    known = {model: number(best[model], "mean") for model in pairs if model in best}
    off = [model for model, mean in known.items() if not near(mean or 0, pairs[model], printed.slack)]
    return Finding(
        f"{len(pairs)} printed means",
        f"{len(known) - len(off)} of {len(known)} are equal",
        "fraction",
        not off if known else None,
        f"each lies within {printed.allowance} of the printed one: half a unit of its last digit",
        len(known),
        f"Not equal: {listed(off)}." if off else "",
    )


def _best(printed: Printed, best: Mapping[str, Row]) -> Finding:
    """The best of some families in one domain, in percent."""
    domain = _DOMAINS[printed.rows[0]["benchmark"]]
    scores = {
        text(row, "name"): 100 * (number(row, domain) or 0)
        for row in best.values()
        if text(row, "family") in printed.models
    }
    top = max(scores, key=scores.__getitem__, default="")
    return Finding(
        printed.value,
        f"{shown(scores[top], 1)} ({top})" if scores else "not known",
        "%",
        near(round(scores[top], 1), float(printed.value), printed.slack) if scores else None,
        f"they lie within {printed.allowance} of each other",
        len(scores),
    )


def _chart(table: Table) -> Spec:
    order = [one["model"] for one in sorted(table.records(), key=lambda one: -float(one["surveyed"] or 0))]
    values = [
        {"model": one["model"], "accuracy": one[who], "who": label}
        for one in table.records()
        for who, label in (("surveyed", "Survey, Table 2"), ("found", "Graph"))
        if one[who] is not None
    ]
    return drawing.chart(
        values,
        "Mean accuracy of the models of Table 2: graph and survey",
        width=420,
        height={"step": 16},
        mark={"type": "point", "filled": False, "size": 70, "strokeWidth": 2},
        encoding={
            "x": drawing.axis(
                "accuracy", "Mean accuracy over two domains [fraction]", scale={"zero": False}, axis={"tickCount": 6}
            ),
            "y": drawing.axis("model", "", "nominal", sort=order),
            "color": drawing.axis("who", "", "nominal"),
            "shape": drawing.axis("who", "", "nominal"),
        },
    )
