"""How many models have which value: bars of names, histograms of numbers, months by year of the axis. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.compare.charts import frame
from app.compare.charts.frame import Origin, Row, Spec

_PANELS = 12
_BARS = 25
_MONTHS = 200
_STEP = 17
_MONTH = re.compile(r"\d{4}(-\d{2})?\Z")


def counted(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """The answer of facets as a chart: a panel for each column."""
    total = answer["total"]
    title = f"Values of {total:,} model{'' if total == 1 else 's'}"
    facets = answer["facets"]
    drawn = [one for one in facets if one["values"] or one["bins"]][:_PANELS]
    notes = frame.present(
        "Each column is counted under the filters of the other columns",
        frame.some(len(drawn), len(facets), "columns", "those without a value left out"),
    )
    if not drawn:
        return frame.nothing(origin, title, notes, "Nothing to draw: no model has a value")
    return frame.framed(origin, title, notes, {"vconcat": [_panel(one) for one in drawn]})


def _panel(facet: Mapping[str, Any]) -> Spec:
    label = facet["label"] if facet["label"] != facet["name"] else facet["name"]
    said = [f"{facet['known']:,} with a value, {facet['missing']:,} without"]
    title = frame.titled(label, facet["unit"])
    if facet["kind"] == "number":
        picture = _histogram(facet, title)
    elif all(_MONTH.match(one["value"]) for one in facet["values"]):
        picture = _months(facet, title)
    else:
        rows = [dict(one) for one in facet["values"][:_BARS]]
        said += frame.present(
            frame.some(len(rows), len(facet["values"]) + facet["others"], "values", "the most frequent first")
        )
        picture = _bars(rows, title)
    head = {"text": title, "subtitle": frame.wrapped(["; ".join(said)]), "fontSize": 12}
    return {"title": head, "width": frame.WIDE, **picture}


def _models() -> Spec:
    return {
        "field": "models",
        "type": "quantitative",
        "title": "Models",
        "axis": {"tickMinStep": 1, "format": "d"},
        "scale": {"zero": True, "nice": True},
    }


def _bars(rows: list[Row], title: str) -> Spec:
    order = [one["value"] for one in rows]
    return {
        "height": {"step": _STEP},
        "data": {"values": rows},
        "mark": {"type": "bar", "color": frame.ACCENT, "height": {"band": 0.75}},
        "encoding": {
            "x": _models(),
            "y": {"field": "value", "type": "nominal", "title": None, "sort": order},
            "tooltip": frame.tooltip(("value", title), ("models", "Models")),
        },
    }


def _months(facet: Mapping[str, Any], title: str) -> Spec:
    """Months on an axis of time."""
    rows = sorted((dict(one) for one in facet["values"][:_MONTHS]), key=lambda one: one["value"])
    return {
        "height": 120,
        "data": {"values": rows},
        "mark": {"type": "rule", "color": frame.ACCENT, "strokeWidth": 3},
        "encoding": {
            "x": {
                "field": "value",
                "type": "temporal",
                "title": None,
                "timeUnit": "utcyearmonth",
                "axis": {"format": "%Y-%m", "tickCount": 8},
                "scale": {"padding": 6},
            },
            "y": _models(),
            "y2": {"datum": 0},
            "tooltip": frame.tooltip(("value", title), ("models", "Models")),
        },
    }


def _histogram(facet: Mapping[str, Any], title: str) -> Spec:
    rows = [dict(one) for one in facet["bins"]]
    if len(rows) == 1 and rows[0]["from"] == rows[0]["to"]:
        return _bars([{"value": f"{rows[0]['from']:g}", "models": rows[0]["models"]}], title)
    ends = [rows[0]["from"], rows[-1]["to"]]
    scaled: Spec = {"type": facet["scale"], "domain": ends, "nice": False}
    scaled |= {} if facet["scale"] == "log" else {"zero": False}
    return {
        "height": 140,
        "data": {"values": rows},
        "mark": {"type": "rect", "color": frame.ACCENT, "stroke": frame.GROUND, "strokeWidth": 1},
        "encoding": {
            "x": frame.number("from", title, scaled, facet["unit"]),
            "x2": {"field": "to"},
            "y": _models(),
            "y2": {"datum": 0},
            "tooltip": frame.tooltip(("from", "from"), ("to", "to"), ("models", "Models")),
        },
    }
