"""Rankings of one benchmark: one for each setting, never mixed, with ties that the data cannot separate. Pure.

Ranks and ties are worked out over all models, so a filter hides rows and never moves a rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from app import vocab
from app.compare.choice import mask
from app.compare.grid import Answer, Grid, GridColumn
from app.compare.intervals import apart, classes, interval_of
from app.compare.measures import BADGES, conditions_of, shown_interval, trusted
from app.compare.projection.view import PREFERRED, SETTING, View
from app.compare.spec import Condition, Filter, nearest
from app.errors import BadParameter, NotFound

_TOLD = ("benchmark", "shots", "baselineShots", "scoring", "harness", "split", "quantisation", "device", "engine")
NOTE = (
    "Items are the same for all models, so a test on paired answers would separate more; single answers are not in "
    "the graph."
)


def leaderboard(
    view: View,
    benchmark: str,
    *,
    metric: str,
    conditions: Sequence[Condition],
    where: Sequence[Filter],
    search: str,
    baselines: bool,
) -> Answer:
    """The rankings of a benchmark; NotFound for an unknown one. Settings with most models come first."""
    known = view.terms.things["benchmark"]
    if benchmark not in known:
        raise NotFound("benchmark", benchmark, advice=nearest(benchmark, known))
    observed = view.observations.filter(pl.col("benchmark") == benchmark)
    metric = metric or _usual_metric(observed)
    metrics = view.terms.things["metric"]
    if metric and metric not in metrics:
        raise BadParameter(
            "metric", f"there is no metric {metric!r}", advice=nearest(metric, metrics), pointer="/metric"
        )
    fits = trusted(view, conditions, parameter="with", pointer="/with")
    chosen = observed.filter((pl.col("metric") == metric) & fits)
    visible = mask(view, where, search=search, baselines=baselines)
    shown = {view.slugs[place] for place in visible.arg_true().to_list()}
    lower = metric != "" and metrics[metric].facts.get("higherIsBetter") is False
    groups = chosen.partition_by(list(SETTING), maintain_order=True)
    ranked = [_ranking(view, group, shown, lower_is_better=lower) for group in groups]
    rankings = sorted(ranked, key=lambda one: (-one["models"], str(one["conditions"])))
    unit = view.terms.unit_of(metric) if metric else None
    body = {
        "revision": view.revision,
        "benchmark": {"name": benchmark, "iri": known[benchmark].iri, "label": known[benchmark].label},
        "metric": metric or None,
        "unit": unit.symbol if unit else None,
        "best": "low" if lower else "high",
        "chance": known[benchmark].facts.get("chanceLevel"),
        "rankings": rankings,
        "notes": [NOTE] if any(one["basis"] == "wilson" for one in rankings) else [],
    }
    return Answer(body, _grid(view, benchmark, metric, rankings))


def _usual_metric(observed: pl.DataFrame) -> str:
    counts = observed.group_by("metric").agg(pl.len().alias("n")).sort(["n", "metric"], descending=[True, False])
    return str(counts["metric"][0]) if counts.height else ""


def _ranking(view: View, group: pl.DataFrame, shown: set[str], *, lower_is_better: bool) -> dict[str, Any]:
    preferred = pl.col("origin").replace_strict(PREFERRED, default=9, return_dtype=pl.Int32)
    best = group.sort(preferred, "observation").unique("model", keep="first", maintain_order=True)
    sources = (
        group.join(best.select("model", pl.col("value").alias("kept")), on="model")
        .group_by("model")
        .agg(
            pl.col("source").filter((pl.col("value") - pl.col("kept")).abs() <= 1e-9).n_unique().alias("agreeing"),
            pl.col("source").filter((pl.col("value") - pl.col("kept")).abs() > 1e-9).n_unique().alias("disagreeing"),
        )
    )
    rows = best.join(sources, on="model").sort(["value", "model"], descending=[not lower_is_better, False])
    entries = rows.to_dicts()
    benchmark = view.terms.things["benchmark"].get(entries[0]["benchmark"] or "")
    bounds = [interval_of(row, benchmark) for row in entries]
    values = [(row["value"], bound) for row, bound in zip(entries, bounds, strict=True)]
    ties = _classes(values, lower_is_better)
    first = {tie: place for place, tie in reversed(list(enumerate(ties, start=1)))}
    size = {tie: ties.count(tie) for tie in set(ties)}
    listed = [
        {
            "rank": first[tie],
            "tied": size[tie],
            "class": tie,
            "model": row["model"],
            "label": view.models["label"][view.index[row["model"]]],
            "value": row["value"],
            "reported": row["reported"],
            "interval": shown_interval(bound),
            "badge": BADGES.get(row["origin"] or "Reported", "reported"),
            "sources": {"agreeing": row["agreeing"], "disagreeing": row["disagreeing"]},
            "observation": row["observation"],
            "source": row["source"],
        }
        for row, bound, tie in zip(entries, bounds, ties, strict=True)
        if row["model"] in shown
    ]
    told = conditions_of(entries[0])
    bases = {bound.basis for bound in bounds if bound}
    return {
        "conditions": {name: told[name] for name in _TOLD if name in told},
        "protocol": entries[0]["protocol"],
        "models": len(entries),
        "classes": max(ties),
        "basis": "wilson" if "wilson" in bases else (sorted(bases)[-1] if bases else None),
        "entries": listed,
    }


def _classes(values: Sequence[tuple[float, Any]], lower_is_better: bool) -> list[int]:
    if not lower_is_better:
        return classes(values)
    found: list[int] = []
    leader = values[0]
    for one in values:
        if found and apart(leader, one):
            leader = one
            found.append(found[-1] + 1)
        else:
            found.append(found[-1] if found else 1)
    return found


def _grid(view: View, benchmark: str, metric: str, rankings: Sequence[dict[str, Any]]) -> Grid:
    unit = view.terms.unit_of(metric) if metric else None
    shown_in = (unit.iri, unit.symbol) if unit else (None, None)
    measured = view.terms.things["metric"][metric].iri if metric else vocab.rdf.value
    columns = (
        GridColumn("setting", "setting", vocab.sosa.usedProcedure, "dimension"),
        GridColumn("model", "model", vocab.slm.ofModel, "dimension", "model"),
        GridColumn("rank", "rank", vocab.rdf.value, "attribute", "number"),
        GridColumn("tied", "tied with", vocab.rdf.value, "attribute", "number"),
        GridColumn("value", metric, measured, "measure", "number", *shown_in),
        GridColumn("lower", "lower end", vocab.slm.lowerBound, "attribute", "number"),
        GridColumn("upper", "upper end", vocab.slm.upperBound, "attribute", "number"),
        GridColumn("basis", "basis of the interval", vocab.slm.statistic),
        GridColumn("badge", "badge", vocab.slm.origin),
        GridColumn("reported", "as reported", vocab.slm.valueAsReported),
        GridColumn("observation", "observation", vocab.prov.wasDerivedFrom, "attribute", "iri"),
    )
    rows = []
    for one in rankings:
        setting = ", ".join(f"{name}={value}" for name, value in one["conditions"].items())
        for entry in one["entries"]:
            bounds = entry["interval"] or {"lower": None, "upper": None, "basis": None}
            rows.append(
                [
                    setting,
                    *(entry[name] for name in ("model", "rank", "tied", "value")),
                    *(bounds[name] for name in ("lower", "upper", "basis")),
                    *(entry[name] for name in ("badge", "reported", "observation")),
                ]
            )
    return Grid(f"leaderboard of {benchmark}", columns, rows)
