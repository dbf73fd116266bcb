"""Two columns against each other, with the models that no other beats. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.compare.charts import frame
from app.compare.charts.frame import Origin, Row, Spec

_HIGH = 380
_NAMED = 25
"""Models of the front that may bear their names in the picture."""
_LETTER, _LINE, _AWAY = 5.6, 13.0, 7
"""Width of a letter, height of a line, and how far from its point a name stands."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its name, the symbol of its unit, and which end is better (`low`, `high`), if either."""

    label: str
    symbol: str | None
    best: str | None

    @classmethod
    def of(cls, head: Mapping[str, Any]) -> Axis:
        """The axis of a column's head."""
        return cls(head["label"], head["unit"]["symbol"] if head["unit"] else None, head.get("best"))

    @property
    def title(self) -> str:
        """The name with the unit."""
        return frame.titled(self.label, self.symbol)


def traded(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """The answer of a Pareto front as a chart."""
    x, y = answer["x"], answer["y"]
    mixed = [one for one in (x, y) if (one["settings"] or 1) > 1]
    rows = [
        {
            "model": one["model"],
            "label": one["label"],
            "x": one["x"],
            "y": one["y"],
            "front": one["front"],
            "place": "not beaten" if one["front"] else "beaten",
            "standing": frame.weakest(one["x_badge"], one["y_badge"]),
            **({"setting": one["setting"] or "conditions not told"} if mixed else {}),
        }
        for one in answer["points"]
    ]
    left = answer["left_out"]
    notes = frame.present(
        f"{answer['total']:,} models with both values" + (f", {left:,} without" if left else ""), *answer["notes"]
    )
    return plotted(origin, rows, Axis.of(x), Axis.of(y), notes, mixed=bool(mixed))


def plotted(origin: Origin, rows: list[Row], x: Axis, y: Axis, notes: Sequence[str], *, mixed: bool) -> Spec:
    """Points with `model`, `label`, `x`, `y`, `front`, `place`, `standing`, and `setting` where settings are mixed.

    Where settings are mixed, colours are for settings and no line is drawn: it would compare what is not comparable.
    """
    title = f"{frame.told(y.label)} by {x.label}"
    if not rows:
        return frame.nothing(origin, title, notes, "Nothing to draw: no model has both values")
    drawn, left_out = frame.thinned(rows, [one["front"] for one in rows])
    has_front = x.best is not None and y.best is not None and not mixed
    scales = [frame.scale(one[name] for one in rows) for name in ("x", "y")]
    encoding = {
        "x": frame.number("x", x.title, scales[0], x.symbol),
        "y": frame.number("y", y.title, scales[1], y.symbol),
    }
    said = frame.present(*notes, left_out, _best(x, y) if has_front else "")
    layers = [*_front(drawn, x, encoding)] if has_front else []
    layers.insert(0 if not has_front else 1, _points(drawn, encoding, x, y, has_front=has_front, mixed=mixed))
    return frame.framed(
        origin,
        title,
        said,
        {"width": frame.WIDE, "height": _HIGH, "data": {"values": drawn}, "layer": layers},
    )


def _best(x: Axis, y: Axis) -> str:
    words = {"low": "less", "high": "more"}
    return f"Line: models that no other beats, {words[x.best or '']} {x.label} and {words[y.best or '']} {y.label}"


def _points(drawn: Sequence[Row], encoding: Spec, x: Axis, y: Axis, *, has_front: bool, mixed: bool) -> Spec:
    told = [("label", "Model"), ("x", x.title), ("y", y.title), ("standing", "How it is known")]
    colour: Spec = {}
    if mixed:
        rows = list(drawn)
        colour = {"color": frame.groups(rows, "setting", "Setting; other colours are not comparable")}
        told.append(("setting", "Setting"))
    elif has_front:
        there = [one for one in ("not beaten", "beaten") if any(row["place"] == one for row in drawn)]
        colours = {"not beaten": frame.ACCENT, "beaten": frame.BEATEN}
        colour = {
            "color": {
                "field": "place",
                "type": "nominal",
                "title": "Both values together",
                "scale": {"domain": there, "range": [colours[one] for one in there]},
            }
        }
    mark: Spec = {"type": "point", "filled": True, "size": 70, "opacity": 0.85}
    if not colour:
        mark["color"] = frame.ACCENT
    title = "How the less sure of the two values is known"
    return {
        "mark": mark,
        "encoding": {
            **encoding,
            **colour,
            "shape": frame.standing(drawn, title=title),
            "tooltip": frame.tooltip(*told),
        },
    }


def _front(drawn: Sequence[Row], x: Axis, encoding: Spec) -> list[Spec]:
    """The line of the models that no other beats, and the names of those that have room for one."""
    front = [one for one in drawn if one["front"]]
    steps = "step-after" if x.best == "low" else "step-before"
    line = {"type": "line", "interpolate": steps, "color": frame.ACCENT, "opacity": 0.6, "strokeWidth": 1.5}
    found: list[Spec] = [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": line,
            "encoding": {**encoding, "order": {"field": "x", "type": "quantitative"}},
        }
    ]
    names = _named(front, encoding["x"]["scale"], encoding["y"]["scale"], leftwards=x.best == "low")
    for leftwards, here in ((True, names[0]), (False, names[1])):
        if here:
            found.append(_names(here, encoding, leftwards=leftwards))
    return found


def _named(front: Sequence[Row], x: Spec, y: Spec, *, leftwards: bool) -> tuple[list[Row], list[Row]]:
    """Points whose names fit without covering each other: those with the name to the left, and to the right."""
    taken: list[tuple[float, float, float]] = []
    sides: tuple[list[Row], list[Row]] = ([], [])
    for one in sorted(front, key=lambda one: -one["y"])[:_NAMED]:
        across, down = frame.place(one["x"], x, frame.WIDE), _HIGH - frame.place(one["y"], y, _HIGH)
        long = _LETTER * len(one["label"]) + _AWAY
        outside = across - long < 0 if leftwards else across + long > frame.WIDE
        left = leftwards != outside
        start = across - long if left else across
        box = (start, start + long, down)
        if all(box[1] < other[0] or box[0] > other[1] or abs(box[2] - other[2]) > _LINE for other in taken):
            taken.append(box)
            sides[0 if left else 1].append(one)
    return sides


def _names(rows: Sequence[Row], encoding: Spec, *, leftwards: bool) -> Spec:
    return {
        "data": {"values": [{name: one[name] for name in ("label", "x", "y")} for one in rows]},
        "mark": {
            "type": "text",
            "align": "right" if leftwards else "left",
            "dx": -_AWAY if leftwards else _AWAY,
            "dy": -_AWAY,
            "fontSize": 10,
            "color": frame.TEXT,
        },
        "encoding": {**encoding, "text": {"field": "label", "type": "nominal"}},
    }
