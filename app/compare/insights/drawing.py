"""Charts in Vega-Lite: what all of them share. Looks nothing up and draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.compare.charts.frame import Spec
from app.compare.insights.values import Cell


def chart(values: Sequence[dict[str, Cell]], description: str, **parts: Any) -> Spec:
    """The inner part of a specification, with its data inside; who shows it puts title, source and colours around."""
    return {
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
