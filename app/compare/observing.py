"""Observations with their conditions, filtered, sorted and cut into pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from app import vocab
from app.compare import cursors
from app.compare.grid import Answer, Grid, GridColumn
from app.compare.measures import BADGES, CONDITIONS, matching
from app.compare.projection.observations import ADDRESSES, SCHEMA
from app.compare.projection.view import View
from app.compare.spec import Column, Condition, Filter, SortKey, nearest
from app.errors import BadParameter

FIELDS = tuple(SCHEMA)
_IRIS = {
    "observation": vocab.rdf.subject,
    "model": vocab.slm.ofModel,
    "metric": vocab.sosa.observedProperty,
    "value": vocab.sosa.hasSimpleResult,
    "reported": vocab.slm.valueAsReported,
    "source": vocab.dct.source,
    "protocol": vocab.sosa.usedProcedure,
    "benchmark": vocab.slm.onBenchmark,
    "shots": vocab.slm.numShots,
    "scoring": vocab.slm.answerScoring,
    "harness": vocab.slm.usesHarness,
    "artifact": vocab.sosa.hasFeatureOfInterest,
    "configuration": vocab.slm.underConfiguration,
    "run": vocab.slm.inRun,
    "device": vocab.slm.onDevice,
    "engine": vocab.slm.withEngine,
    "unit": vocab.qudt.hasUnit,
    "note": vocab.rdfs.comment,
}


def observations(view: View, where: Sequence[Filter], sort: Sequence[SortKey], *, limit: int, after: str) -> Answer:
    """One page of the observations that fit all filters; names of fields are those of the answer."""
    conditions = [_condition(one, place) for place, one in enumerate(where)]
    fits = [matching(view, [one], parameter="where", pointer=f"/where/{place}") for place, one in enumerate(conditions)]
    chosen = view.observations.filter(pl.all_horizontal(fits)) if fits else view.observations
    keys = [_key(key, place) for place, key in enumerate(sort)]
    if keys:
        names, down = [name for name, _ in keys], [descending for _, descending in keys]
        chosen = chosen.sort(names, descending=down, nulls_last=True, maintain_order=True)
    question = f"observations?{','.join(map(str, where))}&{','.join(map(str, sort))}"
    start = cursors.read(after, question, view.revision) if after else 0
    page = chosen.slice(start, limit)
    more = start + limit < chosen.height
    following = cursors.written(question, view.revision, start + limit) if more else None
    rows = [_row(view, row) for row in page.iter_rows(named=True)]
    body = {"revision": view.revision, "total": chosen.height, "next": following, "items": rows}
    return Answer(body, _grid(rows), following)


def _condition(one: Filter, place: int) -> Condition:
    if one.column.conditions:
        raise BadParameter(
            "where",
            f"{one.column.name} takes no conditions here",
            advice="Write each as a filter of its own.",
            pointer=f"/where/{place}",
        )
    if one.column.name not in (*CONDITIONS, "model", "metric", "value", "observation"):
        raise BadParameter(
            "where",
            f"observations have no field {one.column.name!r}",
            advice=nearest(one.column.name, FIELDS),
            pointer=f"/where/{place}",
        )
    return Condition(one.column.name, one.test, one.negated)


def _key(key: SortKey, place: int) -> tuple[str, bool]:
    if key.column not in {Column(name) for name in FIELDS}:
        raise BadParameter(
            "sort",
            f"observations have no field {key.column}",
            advice=nearest(key.column.name, FIELDS),
            pointer=f"/sort/{place}",
        )
    return key.column.name, key.descending


def _row(view: View, row: dict[str, Any]) -> dict[str, Any]:
    unit = view.terms.unit_of(row["metric"]) if row["metric"] in view.terms.things["metric"] else None
    return {
        **{name: row[name] for name in FIELDS if name != "unit"},
        "unit": unit.symbol if unit else None,
        "reportedUnit": view.terms.units[row["unit"]].unit.symbol if row["unit"] in view.terms.units else None,
        "badge": BADGES.get(row["origin"] or "Reported", "reported"),
    }


def _grid(rows: Sequence[dict[str, Any]]) -> Grid:
    names = [*(name for name in FIELDS if name != "unit"), "unit", "reportedUnit", "badge"]
    columns = tuple(
        GridColumn(
            name,
            name,
            _IRIS.get(name, f"{vocab.BASE}ontology#{name}"),
            "measure"
            if name == "value"
            else ("dimension" if name in {"observation", "model", "metric"} else "attribute"),
            "iri"
            if name in ADDRESSES and name != "unit"
            else ("model" if name == "model" else ("text" if SCHEMA.get(name, pl.String) == pl.String else "number")),
        )
        for name in names
    )
    return Grid("observations", columns, [[row[name] for name in names] for row in rows])
