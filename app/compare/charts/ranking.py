"""Rankings of one benchmark: points with intervals, one panel for each setting, never bars from a cut axis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.compare.charts import frame
from app.compare.charts.frame import Origin, Row, Spec

_STEP = 17
_PANELS = 6
_ROWS = 100
"""Models of a panel."""
_CLASSES = frame.COLOURS[:2]
"""Colours that take turns: neighbours of one colour are not separated by the data."""
_BASES = {
    "wilson": "95 % by the number of items (Wilson)",
    "standard-error": "1.96 standard errors",
    "bootstrap": "95 % by bootstrap over the samples",
    "rounding": "only the source's digits",
}


def ranked(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """The answer of a leaderboard as a chart."""
    benchmark, metric = answer["benchmark"]["label"], answer["metric"]
    title = f"{benchmark}: {metric}" if metric else benchmark
    rankings = [one for one in answer["rankings"] if one["entries"]]
    if not rankings:
        return frame.nothing(origin, title, (), "Nothing to draw: no result fits")
    shown = rankings[:_PANELS]
    scaled = frame.scale(_numbers(shown, answer["chance"]))
    panels = [_panel(one, answer, scaled) for one in shown]
    notes = frame.present(
        f"{'The smallest' if answer['best'] == 'low' else 'The largest'} is best. Lines are intervals. "
        "Colours take turns where the data separate classes of models",
        frame.some(len(shown), len(rankings), "rankings", "those with most models first"),
        "Each panel is another way of testing: numbers of different panels must not be compared"
        if len(shown) > 1
        else "",
        *answer["notes"],
    )
    resolve = {"scale": {"shape": "shared", "color": "shared"}}
    return frame.framed(origin, title, notes, {"vconcat": panels, "resolve": resolve})


def _numbers(rankings: list[Mapping[str, Any]], chance: float | None) -> list[float]:
    found = [] if chance is None else [chance]
    for one in rankings:
        for entry in one["entries"]:
            bounds = entry["interval"] or {}
            found += [entry["value"], *(bounds[end] for end in ("lower", "upper") if end in bounds)]
    return found


def _panel(ranking: Mapping[str, Any], answer: Mapping[str, Any], scaled: Spec) -> Spec:
    entries = ranking["entries"]
    labels = frame.labelled([(one["label"], one["model"]) for one in entries])
    classes = list(dict.fromkeys(one["class"] for one in entries))
    rows = [
        _row(one, label, odd=classes.index(one["class"]) % 2 == 0)
        for one, label in zip(entries[:_ROWS], labels, strict=False)
    ]
    hidden = ranking["models"] - len(entries)
    title = frame.titled(answer["metric"], answer["unit"])
    names = {
        "field": "label",
        "type": "nominal",
        "title": None,
        "sort": [one["label"] for one in rows],
        "axis": {"grid": True, "labelOverlap": False},
    }
    values = frame.number("value", title, scaled, answer["unit"])
    colour = {
        "field": "turn",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["odd", "even"], "range": list(_CLASSES)},
    }
    layers: list[Spec] = [
        {
            "transform": [{"filter": "isValid(datum.lower)"}],
            "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
            "encoding": {"x": {**values, "field": "lower"}, "x2": {"field": "upper"}, "y": names, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {
                "x": values,
                "y": names,
                "color": colour,
                "shape": frame.standing(rows),
                "tooltip": frame.tooltip(
                    *(("label", "Model"), ("rank", "Rank"), ("tied", "Models in its class"), ("value", title)),
                    *(("lower", "from"), ("upper", "to"), ("basis", "Interval"), ("standing", "How it is known")),
                ),
            },
        },
    ]
    if answer["chance"] is not None:
        layers.insert(0, _chance(answer["chance"], values))
    basis = ranking["basis"]
    said = frame.present(
        f"{ranking['models']} model{'' if ranking['models'] == 1 else 's'} in {ranking['classes']} "
        f"class{'' if ranking['classes'] == 1 else 'es'}",
        f"intervals: {_BASES.get(basis, basis)}" if basis else "without intervals",
        "dashed: a guess" if answer["chance"] is not None else "",
        frame.some(len(rows), len(entries), "models", "the best first"),
        f"{hidden} not shown: filtered out, or larger baselines" if hidden else "",
    )
    return {
        "title": {
            "text": frame.told(frame.conditions(ranking["conditions"], ("benchmark",))),
            "subtitle": frame.wrapped(["; ".join(said)]),
            "fontSize": 12,
        },
        "width": frame.WIDE,
        "height": {"step": _STEP},
        "data": {"values": rows},
        "layer": layers,
    }


def _row(entry: Mapping[str, Any], label: str, *, odd: bool) -> Row:
    bounds = entry["interval"] or {}
    return {
        "model": entry["model"],
        "label": f"{entry['rank']}. {label}",
        "rank": entry["rank"],
        "tied": entry["tied"],
        "class": entry["class"],
        "turn": "odd" if odd else "even",
        "value": entry["value"],
        **{name: bounds.get(name) for name in ("lower", "upper", "basis")},
        "standing": entry["badge"],
    }


def _chance(chance: float, values: Spec) -> Spec:
    return {
        "data": {"values": [{"value": chance, "told": "a guess"}]},
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": frame.QUIET},
        "encoding": {"x": values, "tooltip": frame.tooltip(("told", "Line"), ("value", "Value"))},
    }
