"""Models in a comparison, and observations: sorted dots, two columns as a scatter, reading against writing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.compare.analyses import on_front
from app.compare.charts import frame, scatter
from app.compare.charts.frame import Origin, Row, Spec
from app.compare.charts.scatter import Axis
from app.compare.choice import Looked
from app.compare.matrix import Matrix, property_json
from app.compare.measures import settings_told
from app.errors import BadParameter

_STEP = 17
_ROWS = 120
"""Rows of a panel."""
_PANELS = 6
_ARE_NUMBERS = (int, float)


def compared(found: Matrix, origin: Origin) -> Spec:
    """The page of a comparison: two columns of numbers as a scatter, one as sorted dots; BadParameter without any."""
    numeric = [place for place, one in enumerate(found.columns) if one.values.numbers is not None]
    if not numeric:
        raise BadParameter(
            "properties",
            "no column holds numbers, so there is nothing to draw",
            advice="Ask for a numeric column, such as parameters or accuracy(benchmark=mmlu;shots=5); two make a "
            "scatter.",
            pointer="/properties",
        )
    rows = frame.some(len(found.places), found.total, "models", f"from number {found.start + 1} on")
    chosen = _two(found, numeric)
    others = len(numeric) - len(chosen)
    more = f"{others} more column{'' if others == 1 else 's'} of numbers: name the two to draw" if others else ""
    notes = frame.present(rows, more, *(one for one in found.notes if _is_about(one, found, chosen)))
    if len(chosen) == 1:
        return _sorted(found, chosen[0], origin, notes)
    return _crossed(found, chosen, origin, notes)


def observed(answer: Mapping[str, Any], origin: Origin) -> Spec:
    """A page of observations: prefill against decode where both were observed in the same runs, else dots by metric."""
    items = [one for one in answer["items"] if one["value"] is not None]
    notes = frame.present(frame.some(len(answer["items"]), answer["total"], "observations", "in the order asked for"))
    if not items:
        return frame.nothing(origin, "Observations", notes, "Nothing to draw: no observation fits")
    for quantity in ("throughput", "latency"):
        if {one["metric"] for one in items} == {f"prefill-{quantity}", f"decode-{quantity}"}:
            pairs = _pairs(items, quantity)
            if pairs:
                return _against(pairs, len(items), quantity, origin, notes)
    return _by_metric(items, origin, notes)


def _is_about(note: str, found: Matrix, chosen: Sequence[int]) -> bool:
    return any(note.startswith(f"{found.columns[place].name}:") for place in chosen)


def _two(found: Matrix, numeric: Sequence[int]) -> list[int]:
    """The columns to draw: the first two of numbers, but a metric, if there is one, on the second axis.

    Where there is a choice, columns that were worked out by formula come last: they say again what others say.
    """
    if len(numeric) == 1:
        return list(numeric)
    own = [place for place in numeric if (prop := found.columns[place].prop) is None or prop.kind != "derived"]
    numeric = own if len(own) > 1 else numeric
    metrics = [place for place in numeric if found.columns[place].measure is not None]
    y = metrics[0] if metrics and (len(metrics) < 2 or numeric[0] not in metrics) else numeric[1]
    return [next(place for place in numeric if place != y), y]


def _cells(found: Matrix, place: int) -> list[Row]:
    """The cells of a column that hold a number, with their models and settings."""
    looked = found.columns[place]
    settings = settings_told(looked.measure, found.places) if looked.measure else [None] * len(found.places)
    names = found.view.models["label"]
    rows = []
    for model, cells, setting in zip(found.places, found.cells(), settings, strict=True):
        cell = cells[place]
        value = cell["value"]
        if isinstance(value, _ARE_NUMBERS) and not isinstance(value, bool):
            rows.append(
                {
                    "model": found.view.slugs[model],
                    "label": names[model],
                    "value": value,
                    "standing": cell["badge"],
                    "interval": cell["interval"],
                    "setting": setting,
                }
            )
    return rows


def _head(found: Matrix, place: int) -> tuple[dict[str, Any], str | None]:
    looked = found.columns[place]
    return property_json(looked), found.unit_of(looked)


def _sorted(found: Matrix, place: int, origin: Origin, notes: Sequence[str]) -> Spec:
    """One column: a dot for each model, the greatest first, with its interval where one is known."""
    head, symbol = _head(found, place)
    rows = sorted(_cells(found, place), key=lambda one: (-one["value"], one["label"]))
    title = frame.told(head["label"])
    if not rows:
        return frame.nothing(origin, title, notes, "Nothing to draw: no model has a value")
    labels = frame.labelled([(one["label"], one["model"]) for one in rows])
    mixed = (head["settings"] or 1) > 1
    drawn = [_bounded({**one, "label": label}, mixed=mixed) for one, label in zip(rows[:_ROWS], labels, strict=False)]
    missing = len(found.places) - len(rows)
    said = frame.present(
        *notes,
        frame.some(len(drawn), len(rows), "models", "the greatest first"),
        f"{missing} model{' has' if missing == 1 else 's have'} no value" if missing else "",
        _bases(drawn),
    )
    return frame.framed(origin, title, said, _dots(drawn, Axis(head["label"], symbol, None), mixed=mixed))


def _bounded(one: Row, *, mixed: bool) -> Row:
    bounds = one["interval"] or {}
    kept = {name: one[name] for name in ("model", "label", "value", "standing")}
    ends = {name: bounds.get(name) for name in ("lower", "upper", "basis")}
    return {**kept, **ends, **({"setting": one["setting"] or "conditions not told"} if mixed else {})}


def _bases(rows: Sequence[Row]) -> str:
    words = {
        "wilson": "95 % by the number of items",
        "standard-error": "1.96 standard errors",
        "bootstrap": "95 % by bootstrap over the samples",
        "rounding": "the source's digits",
    }
    there = [text for basis, text in words.items() if any(one["basis"] == basis for one in rows)]
    return f"Lines are intervals: {', '.join(there)}" if there else ""


def _dots(drawn: list[Row], axis: Axis, *, mixed: bool) -> Spec:
    title = axis.title
    scaled = frame.scale(
        number for one in drawn for number in (one["value"], one["lower"], one["upper"]) if number is not None
    )
    names = {"field": "label", "type": "nominal", "title": None, "sort": [one["label"] for one in drawn]}
    told = [("label", "Model"), ("value", title), ("lower", "from"), ("upper", "to"), ("standing", "How it is known")]
    colour: Spec = {"value": frame.ACCENT}
    if mixed:
        colour = frame.groups(drawn, "setting", "Setting; other colours are not comparable")
        told.append(("setting", "Setting"))
    y = {**names, "axis": {"grid": True, "labelOverlap": False}}
    values = frame.number("value", title, scaled, axis.symbol)
    return {
        "width": frame.WIDE,
        "height": {"step": _STEP},
        "data": {"values": drawn},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.lower)"}],
                "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
                "encoding": {
                    "x": {**values, "field": "lower"},
                    "x2": {"field": "upper"},
                    "y": y,
                    "color": colour,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {
                    "x": values,
                    "y": y,
                    "color": colour,
                    "shape": frame.standing(drawn),
                    "tooltip": frame.tooltip(*told),
                },
            },
        ],
    }


def _crossed(found: Matrix, chosen: Sequence[int], origin: Origin, notes: Sequence[str]) -> Spec:
    """Two columns: a point for each model that has both values."""
    first, second = (_cells(found, place) for place in chosen)
    looked = [found.columns[place] for place in chosen]
    heads = [_head(found, place) for place in chosen]
    bests = _bests(looked)
    mixed = any((one["settings"] or 1) > 1 for one, _ in heads)
    others = {one["model"]: one for one in second}
    rows = []
    for one in first:
        other = others.get(one["model"])
        if other is None:
            continue
        settings = [text for text in (one["setting"], other["setting"]) if text]
        rows.append(
            {
                "model": one["model"],
                "label": one["label"],
                "x": one["value"],
                "y": other["value"],
                "standing": frame.weakest(one["standing"], other["standing"]),
                **({"setting": "; ".join(settings) or "conditions not told"} if mixed else {}),
            }
        )
    rows.sort(key=lambda one: (one["x"], one["y"]))
    flags = on_front([(one["x"], one["y"]) for one in rows], low_x=bests[0] == "low", low_y=bests[1] == "low")
    drawn = [
        {**one, "front": front, "place": "not beaten" if front else "beaten"}
        for one, front in zip(rows, flags, strict=True)
    ]
    without = len(found.places) - len(rows)
    said = frame.present(
        *notes, f"{len(rows):,} models with both values" + (f", {without:,} without" if without else "")
    )
    axes = [Axis(head["label"], symbol, best) for (head, symbol), best in zip(heads, bests, strict=True)]
    return scatter.plotted(origin, drawn, axes[0], axes[1], said, mixed=mixed)


def _bests(looked: Sequence[Looked]) -> list[str | None]:
    """Which end of each axis is better: metrics say, and a property beside a metric is a cost. None where nobody says.

    Two properties have no better end, so no front is drawn.
    """
    told = [one.measure.higher_is_better if one.measure else None for one in looked]
    if all(one is None for one in told):
        return [None, None]
    return ["low" if one is not True else "high" for one in told]


def _settings(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """How each observation was made, in words; the protocol's name only where the words say too little."""
    words = [_words(one) for one in items]
    keys = [(text, one["benchmark"]) for text, one in zip(words, items, strict=True)]
    protocols: dict[tuple[str, str | None], set[str | None]] = {}
    for key, one in zip(keys, items, strict=True):
        protocols.setdefault(key, set()).add(one["protocol"])
    return [
        f"{key[0]}, protocol {(one['protocol'] or 'not told').rsplit('/', 1)[-1]}"
        if len(protocols[key]) > 1
        else key[0]
        for key, one in zip(keys, items, strict=True)
    ]


def _words(one: Mapping[str, Any]) -> str:
    parts = [one[name] for name in ("device", "engine") if one[name]]
    named = ("quantisation", "shots", "baselineShots", "scoring", "harness", "split")
    parts += [f"{name} {one[name]}" for name in named if one[name] is not None]
    if one["statistic"] not in {None, "SingleValue"}:
        parts.append(one["statistic"])
    return ", ".join(parts) or "conditions not told"


def _tokens(one: Mapping[str, Any]) -> str:
    names = ("promptTokens", "generatedTokens", "tokenPosition", "contextTokens", "batchSize")
    return ", ".join(f"{name} {one[name]}" for name in names if one[name] is not None)


def _pairs(items: Sequence[Mapping[str, Any]], quantity: str) -> list[Row]:
    """Observations of prefill and decode that were made once each for one file in one run."""
    found: dict[tuple[Any, ...], dict[str, list[Mapping[str, Any]]]] = {}
    settings = dict(zip((one["observation"] for one in items), _settings(items), strict=True))
    for one in items:
        key = tuple(one[name] for name in ("model", "artifact", "run", "statistic", "promptTokens", "batchSize"))
        found.setdefault(key, {}).setdefault(one["metric"], []).append(one)
    rows = []
    for metrics in found.values():
        sides = [metrics.get(f"{side}-{quantity}", []) for side in ("prefill", "decode")]
        if [len(side) for side in sides] == [1, 1]:
            prefill, decode = sides[0][0], sides[1][0]
            rows.append(
                {
                    "model": prefill["model"],
                    "prefill": prefill["value"],
                    "decode": decode["value"],
                    "unit": prefill["unit"],
                    "standing": frame.weakest(prefill["badge"], decode["badge"]),
                    "setting": settings[prefill["observation"]],
                    "tokens": _tokens(prefill),
                }
            )
    return rows


def _against(rows: list[Row], items: int, quantity: str, origin: Origin, notes: Sequence[str]) -> Spec:
    scales = [frame.scale(one[name] for one in rows) for name in ("prefill", "decode")]
    titles = [frame.titled(f"{name} {quantity}", rows[0]["unit"]) for name in ("prefill", "decode")]
    drawn, left_out = frame.thinned(rows, [False] * len(rows))
    single = items - 2 * len(rows)
    models = {one["model"] for one in drawn}
    colour = frame.groups(drawn, "setting", "Device, engine and quantisation")
    encoding = {
        "x": frame.number("prefill", titles[0], scales[0], rows[0]["unit"]),
        "y": frame.number("decode", titles[1], scales[1], rows[0]["unit"]),
        "color": colour,
    }
    told = (
        ("model", "Model"),
        ("prefill", titles[0]),
        ("decode", titles[1]),
        ("setting", "Setting"),
        ("tokens", "Tokens"),
        ("standing", "How it is known"),
    )
    layers: list[Spec] = [
        {
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 0.85},
            "encoding": {**encoding, "shape": frame.standing(drawn), "tooltip": frame.tooltip(*told)},
        }
    ]
    what = f"Prefill against decode {quantity}"
    if len(models) == 1:
        what += f" of {models.pop()}"
    said = frame.present(
        *notes,
        left_out,
        f"Each point is one file of a model in one run on one device; {single} observations have no counterpart"
        if single
        else "Each point is one file of a model in one run on one device",
    )
    picture = {"width": frame.WIDE, "height": 340, "data": {"values": drawn}, "layer": layers}
    return frame.framed(origin, what, said, picture)


def _by_metric(items: Sequence[Mapping[str, Any]], origin: Origin, notes: Sequence[str]) -> Spec:
    """A panel of dots for each metric and benchmark, since these share no axis."""
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for one, setting in zip(items, _settings(items), strict=True):
        row = {
            "model": one["model"],
            "value": one["value"],
            "unit": one["unit"],
            "standing": one["badge"],
            "setting": setting,
            "tokens": _tokens(one),
        }
        groups.setdefault((one["metric"], one["benchmark"]), []).append(row)
    panels = sorted(groups.items(), key=lambda pair: (-len(pair[1]), str(pair[0])))
    shown = panels[:_PANELS]
    said = frame.present(
        *notes,
        frame.some(len(shown), len(panels), "groups of metric and benchmark", "the largest first"),
        "Other colours are other ways of measuring: they are not comparable",
        "Points of one colour may differ in tokens of prompt or position"
        if any(len({row["tokens"] for row in rows}) > 1 for _, rows in shown)
        else "",
    )
    drawn = [_strip(metric, benchmark, rows) for (metric, benchmark), rows in shown]
    resolve = {"scale": {"color": "independent", "shape": "independent"}}
    title = "Observations" if len(panels) > 1 else frame.told(_name(*panels[0][0]))
    return frame.framed(origin, title, said, {"vconcat": drawn, "resolve": resolve})


def _name(metric: str, benchmark: str | None) -> str:
    return f"{metric} on {benchmark}" if benchmark else metric


def _strip(metric: str, benchmark: str | None, rows: list[Row]) -> Spec:
    models = list(dict.fromkeys(one["model"] for one in sorted(rows, key=lambda one: -one["value"])))[:_ROWS]
    names = set(models)
    inside = [one for one in rows if one["model"] in names]
    drawn, _ = frame.thinned(inside, [False] * len(inside), frame.MOST_POINTS // _PANELS)
    title = frame.titled(_name(metric, benchmark), rows[0]["unit"])
    scaled = frame.scale(one["value"] for one in drawn)
    told = (
        *(("model", "Model"), ("value", title), ("setting", "Setting"), ("tokens", "Tokens")),
        ("standing", "How it is known"),
    )
    left = frame.some(len(drawn), len(rows), "observations", "those of the models with the greatest values")
    return {
        **({"title": {"text": "", "subtitle": left}} if left else {}),
        "width": frame.WIDE,
        "height": {"step": _STEP},
        "data": {"values": drawn},
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.8},
        "encoding": {
            "x": frame.number("value", title, scaled, rows[0]["unit"]),
            "y": {"field": "model", "type": "nominal", "title": None, "sort": models, "axis": {"grid": True}},
            "color": frame.groups(drawn, "setting", "Setting"),
            "shape": frame.standing(drawn),
            "tooltip": frame.tooltip(*told),
        },
    }
