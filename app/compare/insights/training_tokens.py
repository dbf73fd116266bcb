"""Tokens per parameter against Chinchilla: the survey's spreadsheet against the graph. Works on answers only."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import Row, listed, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table
from app.ingest import cells

QUERIES = ("CQ07",)
CHINCHILLA = 20
_NEARLY = 21
"""Ratios up to here count as Chinchilla's: sizes are rounded."""
_ONE: Spec = {"values": [{}]}
"""Data of a mark that is drawn once."""


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the spreadsheet's tokens over its sizes against the graph's tokens over its counts."""
    printed = told.statements["ratios"]
    surveyed = {row["model"]: ratio for row in printed.rows if (ratio := _ratio(row)) is not None}
    months = {row["model"]: row["release_date"].replace(".", "-") for row in printed.rows}
    rows = {text(row, "model"): row for row in answers["CQ07"]}
    found = {model: value for model, row in rows.items() if (value := number(row, "tokensPerParameter")) is not None}
    names = {row["model"]: row["row"] for row in printed.rows} | {one: text(row, "name") for one, row in rows.items()}
    released = months | {model: text(row, "released") for model, row in rows.items() if "released" in row}
    every = sorted({*surveyed, *found}, key=lambda one: (-(found.get(one) or surveyed.get(one) or 0), one))
    table = Table(
        "Tokens per parameter, the most first",
        (
            Column("model", "Model", numeric=False),
            Column("released", "Released", numeric=False),
            Column("found", "Graph", "tokens per parameter"),
            Column("times", "Graph over Chinchilla's 20", "times"),
            Column("surveyed", "Survey", "tokens per parameter"),
        ),
        tuple(
            (
                names[one],
                released.get(one, ""),
                found.get(one),
                found[one] / CHINCHILLA if one in found else None,
                surveyed.get(one),
            )
            for one in every
        ),
    )
    return Found(
        {
            "ratios": _ratios(printed, surveyed, found),
            "at-chinchilla": _at_chinchilla(surveyed, found, names),
            "growth": _growth(surveyed, months, found, rows),
            "most": _most(surveyed, found, names),
        },
        table,
        len(found),
        len(found),
        _chart(table),
        "Tokens per parameter of each model by its month of release, with a line at the 20 of Chinchilla.",
    )


def _ratio(row: Mapping[str, str]) -> float | None:
    """Tokens seen over the size, both as printed; None where one of them is missing."""
    if cells.is_placeholder(row["training_tokens"]) or cells.is_placeholder(row["parameters"]):
        return None
    return float(cells.count(row["training_tokens"]).value / cells.count(row["parameters"]).value)


def _ratios(printed: Printed, surveyed: Mapping[str, float], found: Mapping[str, float]) -> Finding:
    both = [model for model in surveyed if model in found]
    most = 1 + float(printed.allowance.rstrip(" %")) / 100
    off = [model for model in both if not 1 / most < surveyed[model] / found[model] < most]
    note = f"Not equal: {listed(off, 8)}. " if off else ""
    missing = [model for model in surveyed if model not in found]
    note += f"Without a ratio in the graph: {listed(missing)}." if missing else ""
    return Finding(
        f"{len(surveyed)} models",
        f"{len(both) - len(off)} of {len(both)} are equal",
        "tokens per parameter",
        not off if both else None,
        "neither is more than a quarter above the other",
        len(both),
        note,
    )


def _at_chinchilla(surveyed: Mapping[str, float], found: Mapping[str, float], names: Mapping[str, str]) -> Finding:
    """Told only when the graph knows the ratio of every model that the survey has there."""
    theirs = sorted(model for model, value in surveyed.items() if value <= _NEARLY)
    ours = sorted(model for model, value in found.items() if value <= _NEARLY)
    unknown = [model for model in theirs if model not in found]
    strangers = [model for model in ours if model not in theirs]
    contradicted = strangers or [model for model in theirs if model in found and found[model] > _NEARLY]
    note = f"The survey's are {listed(names[one] for one in theirs)}. " if theirs else ""
    if unknown:
        note += f"The graph has no curated count of the parameters of {len(unknown)} of them. "
    others = [value for model, value in found.items() if model not in theirs]
    if others:
        note += f"The least of all others in the graph is {shown(min(others), 1)}."
    return Finding(
        f"{len(theirs)} of {len(surveyed)}",
        f"{len(ours)} of {len(found)}",
        "models",
        None if not found else False if contradicted else None if unknown else True,
        "they are the same models",
        len(found),
        note.strip(),
    )


def _growth(
    surveyed: Mapping[str, float], months: Mapping[str, str], found: Mapping[str, float], rows: Mapping[str, Row]
) -> Finding:
    theirs = _medians(surveyed, months)
    ours = _medians(found, {model: text(row, "released") for model, row in rows.items()})
    return Finding(
        _told(theirs),
        _told(ours),
        "tokens per parameter",
        None if theirs is None or ours is None else (theirs[1] > theirs[0]) == (ours[1] > ours[0]),
        "both grow, or neither does",
        len(found),
    )


def _medians(ratios: Mapping[str, float], months: Mapping[str, str]) -> tuple[float, float] | None:
    by_year = [
        [value for model, value in ratios.items() if months.get(model, "").startswith(year)]
        for year in ("2022", "2024")
    ]
    return (median(by_year[0]), median(by_year[1])) if all(by_year) else None


def _told(medians: tuple[float, float] | None) -> str:
    return "not known" if medians is None else f"{shown(medians[0], 0)}, then {shown(medians[1], 0)}"


def _most(surveyed: Mapping[str, float], found: Mapping[str, float], names: Mapping[str, str]) -> Finding:
    theirs = max(surveyed, key=surveyed.__getitem__)
    ours = max((model for model in found if model in surveyed), key=found.__getitem__, default="")
    return Finding(
        f"{shown(surveyed[theirs], 0)} ({names[theirs]})",
        f"{shown(found[ours], 0)} ({names[ours]})" if ours else "not known",
        "tokens per parameter",
        ours == theirs if ours else None,
        "it is the same model, among those of the survey's spreadsheet",
        len(found),
    )


def _chart(table: Table) -> Spec:
    values = [
        {"model": one["model"], "released": one["released"], "ratio": one[who], "who": label}
        for one in table.records()
        for who, label in (("found", "Graph"), ("surveyed", "Survey's spreadsheet"))
        if one[who] is not None and one["released"]
    ]
    return drawing.chart(
        values,
        "Tokens per parameter by month of release, with Chinchilla's 20",
        width=520,
        height=320,
        layer=[
            {
                "mark": {"type": "point", "filled": False, "size": 55, "strokeWidth": 1.5},
                "encoding": {
                    "x": drawing.axis("released", "Month of release", "temporal"),
                    "y": drawing.logarithmic("ratio", "Training tokens per parameter [tokens]"),
                    "color": drawing.axis("who", "", "nominal"),
                    "shape": drawing.axis("who", "", "nominal"),
                },
            },
            {
                "data": _ONE,
                "mark": {"type": "rule", "strokeDash": [6, 4]},
                "encoding": {"y": {"datum": CHINCHILLA}},
            },
            {
                "data": _ONE,
                "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -3},
                "encoding": {
                    "y": {"datum": CHINCHILLA},
                    "x": {"value": "width"},
                    "text": {"value": "Chinchilla: 20 tokens per parameter"},
                },
            },
        ],
    )
