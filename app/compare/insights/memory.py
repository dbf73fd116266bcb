"""Figure 11b and section 4: memory at 2048 tokens and the part of the key-value cache. Works on answers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import Row, comparable, listed, near, number, shown, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table

QUERIES = ("memory",)
_MEGA, _BINARY = 1e6, float(2**20)
_PARTS = (("weights", "Weights"), ("cache", "Key-value cache"), ("buffers", "Compute buffer"), ("other", "Other"))


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the drawn cache against what the architecture needs, and the text's sizes against the observations."""
    chosen, others = comparable(answers["memory"], "run", "format")
    rows = {text(row, "model"): row for row in chosen}
    drawn = {row["model"]: row for row in told.statements["cache"].rows}
    names = {model: row["model_as_printed"] for model, row in drawn.items()}
    names |= {model: text(row, "name") for model, row in rows.items()}
    every = sorted({*rows, *drawn}, key=lambda one: (-(_mb(rows.get(one), "total") or 0), one))
    table = Table(
        "Memory at 2048 tokens of context, the most first",
        (
            Column("model", "Model", numeric=False),
            Column("expected", "Graph: cache by architecture", "2^20 bytes"),
            Column("surveyed", "Survey: cache", "printed MB"),
            Column("share", "Graph: cache in all memory", "%"),
            *(Column(name, f"Observed: {label.lower()}", "MB") for name, label in _PARTS),
            Column("total", "Observed: all", "MB"),
        ),
        tuple(
            (
                names[one],
                _expected(rows.get(one)),
                float(drawn[one]["value"]) if one in drawn else None,
                _share(rows.get(one)),
                *(_mb(rows.get(one), name) for name, _ in _PARTS),
                _mb(rows.get(one), "total"),
            )
            for one in every
        ),
    )
    findings = {key: _CHECKS.get(key, _long)(printed, rows) for key, printed in told.statements.items()}
    return Found(
        findings,
        table,
        len(rows),
        len(_PARTS) * len(rows),
        _chart(table),
        "The memory of each model at 2048 tokens of context, divided into weights, cache, compute buffer and the rest.",
        tuple(filter(None, [_unit(findings["cache"]), others])),
    )


def _unit(cache: Finding) -> str:
    """What follows for the survey's unit when its cache is what the architectures need."""
    if not cache.agrees:
        return ""
    short = shown(100 * (1 - _MEGA / _BINARY), 1)
    return (
        "The survey's MB of the cache are 2^20 bytes: read so, they are what the architectures need; read as 10^6 "
        f"bytes, as the graph keeps them, they fall {short} % short of it."
    )


def _mb(row: Row | None, name: str) -> float | None:
    value = None if row is None else number(row, name)
    return None if value is None else value / _MEGA


def _expected(row: Row | None) -> float | None:
    value = None if row is None else number(row, "expected")
    return None if value is None else value / _BINARY


def _share(row: Row | None) -> float | None:
    """The observed cache in all observed memory; a ratio, whatever the unit was."""
    if row is None:
        return None
    cache, total = number(row, "cache"), number(row, "total")
    return None if cache is None or not total else 100 * cache / total


def _cache(printed: Printed, rows: Mapping[str, Row]) -> Finding:
    drawn = {row["model"]: float(row["value"]) for row in printed.rows}
    known = {model: need for model in drawn if (need := _expected(rows.get(model))) is not None}
    off = [model for model, need in known.items() if not near(need, drawn[model], printed.slack)]
    notes = [f"Not equal: {listed(off)}."] if off else []
    if len(known) < len(drawn):
        notes.append(f"{len(drawn) - len(known)} of the architectures are not known well enough.")
    return Finding(
        f"{len(drawn)} drawn sizes",
        f"{len(known) - len(off)} of {len(known)} are equal",
        "2^20 bytes",
        not off if known else None,
        f"what the architecture needs at two bytes per element lies within {printed.allowance} of the drawn size",
        len(known),
        (f"Not equal: {listed(off)}. " if off else "")
        + (
            f"The architectures of {len(drawn) - len(known)} are not known well enough."
            if len(known) < len(drawn)
            else ""
        ),
    )


def _range(printed: Printed, rows: Mapping[str, Row]) -> Finding:
    least, most = (float(part) for part in printed.value.split("-"))
    sizes = {text(row, "name"): size for row in rows.values() if (size := _mb(row, "total")) is not None}
    if not sizes:
        return Finding(printed.value, "not known", "MB", None, f"they lie within {printed.allowance} of each other", 0)
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    return Finding(
        printed.value,
        f"{shown(sizes[low], 0)} ({low}) to {shown(sizes[high], 0)} ({high})",
        "MB",
        near(sizes[low], least, printed.slack) and near(sizes[high], most, printed.slack),
        f"both ends lie within {printed.allowance}",
        len(sizes),
    )


def _part(name: str, printed: Printed, rows: Mapping[str, Row]) -> Finding:
    size = _mb(rows.get(printed.models[0]), name)
    return Finding(
        printed.value,
        shown(size, 1),
        "MB",
        None if size is None else near(size, float(printed.value), printed.slack),
        f"they lie within {printed.allowance} of each other",
        int(size is not None),
    )


def _long(printed: Printed, _: Mapping[str, Row]) -> Finding:
    return Finding(
        printed.value,
        "not known",
        "%",
        None,
        "it lies within the printed range",
        0,
        "The graph holds no compute buffer at this context, so nothing is worked out.",
    )


_CHECKS: Mapping[str, Callable[[Printed, Mapping[str, Row]], Finding]] = {
    "cache": _cache,
    "range": _range,
    "openelm-3b-cache": partial(_part, "cache"),
    "bloom-560m-buffer": partial(_part, "buffers"),
    "bloom-1b1-buffer": partial(_part, "buffers"),
}


def _chart(table: Table) -> Spec:
    order = [one["model"] for one in table.records()]
    values = [
        {"model": one["model"], "part": label, "size": one[name], "place": place}
        for one in table.records()
        for place, (name, label) in enumerate(_PARTS)
        if one[name] is not None
    ]
    return drawing.chart(
        values,
        "Memory at 2048 tokens of context by its parts",
        width=420,
        height={"step": 18},
        mark={"type": "bar"},
        encoding={
            "x": drawing.axis("size", "Memory at 2048 tokens [MB, as printed]"),
            "y": drawing.axis("model", "", "nominal", sort=order),
            "color": drawing.axis("part", "", "nominal", sort=[label for _, label in _PARTS]),
            "order": {"field": "place", "type": "quantitative"},
        },
    )
