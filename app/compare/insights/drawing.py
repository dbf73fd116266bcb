"""Charts in Vega-Lite: what all of them share, and their picture. Looks nothing up and needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.compare.insights.values import Cell, Spec

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SURVEY, GRAPH = "survey", "graph"
_VERSION = "v6.1"
_COLOURS = {
    False: ["#175d69", "#c4622d", "#6a51a3", "#5b8c2a", "#b0305c", "#8a8f98"],
    True: ["#7fcbd8", "#f0a070", "#b8a4f0", "#a5d46a", "#f08bb0", "#9aa3ad"],
}
"""The colours of the pages, for light and for dark ones."""
_ROOM = {"left": 28, "top": 8, "right": 36, "bottom": 8}
"""Letters of the reader's own font may be wider than those that the picture was laid out with."""
_INKS = {False: ("#1c2427", "#55636a", "#d5dbdc"), True: ("#e4eaeb", "#a3b1b6", "#354146")}


def chart(values: Sequence[dict[str, Cell]], description: str, **parts: Any) -> Spec:
    """A specification with its data inside."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "data": {"values": list(values)},
        **parts,
    }


def axis(name: str, title: str, kind: str = "quantitative", **more: Any) -> Spec:
    """The encoding of one field with its title, which names the unit."""
    return {"field": name, "type": kind, "title": title, **more}


def logarithmic(name: str, title: str) -> Spec:
    """A logarithmic axis."""
    return axis(name, title, scale={"type": "log", "nice": True})


def dressed(spec: Spec, *, dark: bool = False) -> Spec:
    """The chart in the colours of a light or a dark page."""
    ink, quiet, line = _INKS[dark]
    config = {
        "background": "transparent",
        "padding": _ROOM,
        "font": "system-ui, sans-serif",
        "range": {"category": _COLOURS[dark]},
        "axis": {"labelColor": ink, "titleColor": ink, "domainColor": quiet, "tickColor": quiet, "gridColor": line},
        "legend": {"labelColor": ink, "titleColor": ink},
        "header": {"labelColor": ink, "titleColor": ink},
        "title": {"color": ink},
        "view": {"stroke": line},
        "point": {"filled": True},
        "rule": {"color": quiet},
        "text": {"color": ink},
    }
    return {**spec, "config": config}


def picture(spec: Spec) -> str:
    """The chart as SVG. Loads no address."""
    import vl_convert  # noqa: PLC0415 - 90 MB that only pictures need

    return vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])
