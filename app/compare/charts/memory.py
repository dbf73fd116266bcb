"""What the memory of models is made of: weights, cache and buffers stacked from 0, beside what there is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.compare.charts import frame
from app.compare.charts.frame import Origin, Row, Spec

_PARTS = ("weights", "cache", "buffers")
_STEP = 18
_ROWS = 100
_FAR = 4.0
"""A limit this many times the largest model would squeeze all bars; it is told in words instead."""


def fitting(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """The answer about models that fit into a memory as a chart."""
    models = answer["models"]
    memory = size(answer["memory"])
    alone = models[0]["label"] if len(models) == 1 and answer["total"] == 1 else ""
    title = f"Memory of {alone}" if alone else f"What fits into {memory}"
    unknown = len(answer["unknown"])
    notes = frame.present(
        f"{answer['context']:,} tokens of context, {answer['bits']:g} bits a weight, {answer['cache_bits']:g} bits a "
        f"number of the cache, {answer['batch']:,} tokens at once",
        "" if alone else _left_out(answer, unknown),
        *answer["notes"],
    )
    if not models:
        why = "no model fits" if not unknown else f"none fits; an input is unknown of {unknown}"
        return frame.nothing(origin, title, notes, f"Nothing to draw: {why}")
    shown = models[:_ROWS]
    order = frame.labelled([(one["label"], one["model"]) for one in shown])
    rows: list[Row] = [
        {"model": one["model"], "label": label, "part": part, "bytes": one[part], "together": one["total"], "place": n}
        for label, one in zip(order, shown, strict=True)
        for n, part in enumerate(_PARTS)
    ]
    near = answer["memory"] <= _FAR * max(one["total"] for one in shown)
    far = "" if alone else f"The memory there is, {memory}, lies far outside"
    said = frame.present(
        *notes,
        frame.some(len(shown), answer["total"], "models", f"the best first by {answer['best']}"),
        f"The line is the memory there is, {memory}" if near else far,
    )
    return frame.framed(origin, title, said, _picture(rows, order, answer["memory"] if near else None))


def size(count: float) -> str:
    """Bytes in words."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def _left_out(answer: Mapping[str, Any], unknown: int) -> str:
    return (
        f"{answer['too_large']:,} models are too large, {answer['context_too_short']:,} were made for a shorter "
        f"context, of {unknown:,} an input is unknown"
    )


def _picture(rows: list[Row], order: list[str], limit: float | None) -> Spec:
    y: Spec = {"field": "label", "type": "nominal", "title": None, "sort": order, "axis": {"labelOverlap": False}}
    x: Spec = {
        "field": "bytes",
        "type": "quantitative",
        "title": "Memory (B)",
        "stack": "zero",
        "axis": {"tickCount": 6, **frame.short(1e9, "B")},
    }
    bars: Spec = {
        "mark": {"type": "bar", "height": {"band": 0.75}},
        "encoding": {
            "x": x,
            "y": y,
            "order": {"field": "place", "type": "quantitative"},
            "color": {
                "field": "part",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(_PARTS), "range": list(frame.COLOURS[: len(_PARTS)])},
                "legend": {"direction": "horizontal"},
            },
            "tooltip": frame.tooltip(
                ("label", "Model"), ("part", "Part"), ("bytes", "Bytes"), ("together", "Bytes of all parts")
            ),
        },
    }
    layers = [bars]
    if limit is not None:
        layers.append(
            {
                "data": {"values": [{"bytes": limit}]},
                "mark": {"type": "rule", "color": frame.TEXT, "strokeWidth": 1.5, "strokeDash": [5, 4]},
                "encoding": {"x": {"field": "bytes", "type": "quantitative"}},
            }
        )
    return {"width": frame.WIDE, "height": {"step": _STEP}, "data": {"values": rows}, "layer": layers}
