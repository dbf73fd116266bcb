"""The comparison as a page: the same address as `/api/v1/compare`, with filters, choosers and the evidence of a cell.

All of it works without scripts: every control is a link or a field of a plain form, which `/compare/with` turns into
the address of a comparison. `static/compare.js` only saves the reading of whole pages anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response

from app.compare import analyses, as_sparql, spec
from app.compare.choice import Looked, look_up
from app.compare.matrix import Matrix, compare
from app.compare.projection.view import PARAMETERS, View
from app.compare.properties import DEFAULT
from app.compare.quantities import fitting
from app.compare.spec import Column, ComparisonSpec, Missing, OneOf, Range
from app.errors import BadParameter
from app.web import compare_links, revisions, words
from app.web.caching import Use
from app.web.compare_links import TRAY, Place
from app.web.descriptions import place_of
from app.web.evidence_page import evidence
from app.web.figures import figure
from app.web.parameters import pairs
from app.web.reading import Asked, asked, guarded, sent
from app.web.tables import CHART, FORMATS, PICTURES

WITH = "/compare/with"
CELL = "/compare/cell"
_NAMES = ("license", "attentionType", "family", "ffnType", "normalisation")
_NUMBERS = (PARAMETERS, "trainingTokens", "maxContextLength")
_VALUES_SHOWN = 12
_DECADES = 4
_ROUNDS = 4
_METRICS_OFFERED = 80
_MODELS_OFFERED = 500
_FIELDS = {
    "models": "Models",
    "properties": "Columns",
    "where": "Filters",
    "search": "Words in the name",
    "sort": "Sort by",
    "group": "Group by",
    "units": "Units",
    "limit": "Models on a page",
    "revision": "Revision",
}
"""Parameters that the form for the whole question shows."""
_TRUTH = {"yes": "true", "no": "false"}
_YES = ("baselines", "transpose", "different")


@dataclass(frozen=True, slots=True)
class Facet:
    """A column by which the form filters. `bars` are heights of a histogram, `edges` its ends as people type them.

    `quick` are round numbers within it, each with the address of the comparison up to there.
    """

    column: str
    label: str
    unit: str
    numeric: bool
    months: bool
    open: bool
    low: str
    high: str
    state: str
    values: tuple[tuple[str, int, bool], ...]
    others: int
    known: int
    missing: int
    bars: tuple[tuple[float, float], ...]
    edges: tuple[str, ...]
    ends: tuple[str, str]
    quick: tuple[tuple[str, str], ...]


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    for path, endpoint in ((compare_links.PAGE, table), (WITH, with_changes), (CELL, cell)):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False, response_class=HTMLResponse)


def table(request: Request, services: Use) -> Response:
    """Models by columns, as the address asks."""
    known = (*spec.PARAMETERS, TRAY)

    def make() -> Response:
        return _table(request, asked(request, services, known))

    return guarded(make, "Compare models", lambda: _mending(request))


def with_changes(request: Request, services: Use) -> Response:
    """Where a form of the page leads: the address of the comparison that it asks for."""

    def make() -> Response:
        told, tray = compare_links.changed(pairs(request.scope["query_string"]), tuple(map(Column, DEFAULT)))
        number = revisions.existing(services, revisions.revision_in(request.scope))
        place = Place(told, tray, revisions.prefix_of(request.scope))
        headers = {"Location": place.here(), "Cache-Control": "no-store", "X-Revision": str(number)}
        return Response(status_code=303, headers=headers)

    return guarded(make, "Compare models", lambda: _mending(request))


def cell(request: Request, services: Use) -> Response:
    """What stands behind one cell."""

    def make() -> Response:
        page = asked(request, services, ("model", "property"))
        return evidence(page, page.given.get("model", ""), page.given.get("property", ""))

    return guarded(make, "Evidence")


def _table(request: Request, page: Asked) -> Response:
    view = page.view()
    told = spec.parse({name: value for name, value in page.given.items() if name != TRAY})
    tray = compare_links.tray_of(page.given)
    for number, slug in enumerate(tray):
        if slug not in view.index:
            problem = f"no model named {slug!r}"
            raise BadParameter(TRAY, problem, advice=spec.nearest(slug, view.slugs), pointer=f"/{TRAY}/{number}")
    most = page.services.settings.max_page
    found = compare(view, told, most=most)
    place = Place(told, tray, page.root)
    shown = [one.column for one in found.columns]
    host = place_of(request, page.services).root
    query = replace(told, after="").address()
    bound = replace(told, after="", revision=page.revision).address()
    slugs = [view.slugs[one] for one in found.places]
    facets = [] if told.models else _facets(view, place, found)
    return page.page(
        "compare.html",
        place=place,
        spec=told,
        found=found,
        heads=[_head(view, place, found, one, shown) for one in found.columns],
        rows=_rows(view, place, found, told),
        transposed=told.transpose,
        groups=_groups(found),
        group_columns=[one for one in found.columns if one.values.numbers is not None],
        facets=facets,
        chips=[(str(one), place.without_filter(number)) for number, one in enumerate(told.where)],
        tray=[(slug, view.models["label"][view.index[slug]], place.with_tray(slug)) for slug in tray],
        hidden=_hidden(told, tray),
        chooser=_chooser(view, shown),
        metrics=_metrics(view, shown),
        offered=[(slug, label) for slug, label in zip(view.slugs, view.models["label"], strict=True)][:_MODELS_OFFERED],
        units=_units(view, place, found),
        fields=_whole(page.given),
        yes=[(name, page.given.get(name, "")) for name in _YES if page.given.get(name)],
        following=place.to(replace(told, after=found.next, revision=None)) if found.next else None,
        first=place.with_() if told.after else None,
        last=found.start + len(found.places),
        chart=figure(page, "compare", replace(told, revision=None).address(), "The columns of numbers as a chart")
        if slugs and any(one.values.numbers is not None for one in found.columns)
        else None,
        downloads=[
            (ending, f"{page.root}/api/v1/compare.{ending}{_query(query)}")
            for ending in FORMATS
            if ending not in (CHART, *PICTURES)
        ],
        permanent=f"{host}/r/{page.revision}{compare_links.PAGE}{_query(replace(told, revision=None).address())}",
        pandas=f"{host}/api/v1/compare.csv{_query(bound)}",
        sparql=f"{page.root}/sparql?"
        + urlencode({"query": as_sparql.text_of(view, found.columns, slugs)}, quote_via=quote),
    )


def _query(text: str) -> str:
    return f"?{text}" if text else ""


def _head(view: View, place: Place, found: Matrix, one: Looked, shown: Sequence[Column]) -> dict[str, Any]:
    assert one.prop is not None  # noqa: S101 - only columns with cells are shown
    return {
        "name": one.name,
        "label": one.prop.label[:1].upper() + one.prop.label[1:],
        "unit": words.unit_of(found.unit_of(one)),
        "definition": one.prop.definition,
        "numeric": one.values.numbers is not None,
        "sort": place.sorted_by(one.column, numeric=one.values.numbers is not None),
        "direction": place.direction(one.column),
        "without": place.without_column(one.column, shown) if len(shown) > 1 else None,
    }


def _rows(view: View, place: Place, found: Matrix, told: ComparisonSpec) -> list[dict[str, Any]]:
    labels, baselines = view.models["label"], view.models["baseline"]
    pinned = f"&revision={told.revision}" if told.revision else ""
    rows = []
    for number, cells in zip(found.places, found.cells(), strict=True):
        slug = view.slugs[number]
        rows.append(
            {
                "slug": slug,
                "label": labels[number],
                "baseline": baselines[number],
                "lying": slug in place.tray,
                "tray": place.with_tray(slug),
                "without": place.without_model(slug) if len(told.models) > 1 else None,
                "cells": [
                    (
                        words.cell(shown),
                        f"{place.root}{CELL}?model={quote(slug)}&property={quote(one.name, safe='')}{pinned}",
                        one.name,
                        one.values.numbers is not None,
                    )
                    for shown, one in zip(cells, found.columns, strict=True)
                ],
            }
        )
    return rows


def _groups(found: Matrix) -> list[tuple[str, int, list[str]]]:
    """Groups with the median of each column of numbers."""
    return [
        (
            one.value or "not known",
            one.models,
            [words.plain(one.columns[column.name]["median"]) for column in found.columns if column.name in one.columns],
        )
        for one in found.groups
    ]


def _facets(view: View, place: Place, found: Matrix) -> list[Facet]:
    """The columns by which the form filters: the usual ones, metrics that are shown, and whatever is filtered."""
    told = place.spec
    usual = [Column(name) for name in (*_NUMBERS, "releasedIn", *_NAMES) if name in view.properties or name == "family"]
    metrics = [one.column for one in found.columns if one.measure is not None]
    filtered = [one.column for one in told.where if one.column not in usual]
    wanted = tuple(dict.fromkeys((*usual, *metrics, *filtered)))
    held = [one for one in wanted if all(other.column != one for other in told.where) or _held(told, one)]
    counted = analyses.facets(view, held, told.where, search=told.search, baselines=told.baselines)
    return [_facet(view, place, column, one) for column, one in zip(held, counted.body["facets"], strict=True)]


def _held(told: ComparisonSpec, column: Column) -> bool:
    return compare_links.simple(told.where, column) is not None


def _facet(view: View, place: Place, column: Column, counted: Mapping[str, Any]) -> Facet:
    one = compare_links.simple(place.spec.where, column)
    test = one.test if one else None
    typed = (
        {_TRUTH.get(value.lower(), value.lower()): value for value in test.values} if isinstance(test, OneOf) else {}
    )
    prop = look_up(view, column, parameter="where", pointer="/where").prop
    months = prop is not None and prop.range == "xsd:gYearMonth"
    numeric = counted["kind"] == "number"
    label = counted["label"] if counted["label"] != counted["name"] else column.name
    values = [(str(row["value"]), row["models"]) for row in counted["values"]]
    bins = list(counted["bins"]) if numeric else _years(values) if months else []
    most = max((row["models"] for row in bins), default=1) or 1
    listed = [] if numeric or months else values
    there = {name.lower() for name, _ in listed}
    chosen = [(name, count, True) for name, count in listed if name.lower() in typed]
    chosen += [(value, 0, True) for name, value in typed.items() if name not in there]
    free = [(name, count, False) for name, count in listed if name.lower() not in typed]
    unit = words.unit_of(counted["unit"])
    edges = _edges(bins, unit, months=months)
    return Facet(
        column=str(column),
        label=label[:1].upper() + label[1:],
        unit=unit,
        numeric=numeric,
        months=months,
        open=one is not None or column.name in {PARAMETERS, "license"},
        low=(test.low or "") if isinstance(test, Range) else "",
        high=(test.high or "") if isinstance(test, Range) else "",
        state=("known" if one and one.negated else "missing") if isinstance(test, Missing) else "",
        values=(*chosen, *free[:_VALUES_SHOWN]),
        others=max(0, len(free) - _VALUES_SHOWN) + int(counted["others"]),
        known=counted["known"],
        missing=counted["missing"],
        bars=tuple((100 * number / len(bins), 24 * row["models"] / most) for number, row in enumerate(bins)),
        edges=edges,
        ends=(edges[0], edges[-1]) if edges else ("", ""),
        quick=tuple((text, place.at_most(column, text)) for text in _rounds(bins, unit)) if numeric else (),
    )


def _years(values: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Months counted by year, every year from the first to the last."""
    counts: dict[int, int] = {}
    for month, models in values:
        counts[int(month[:4])] = counts.get(int(month[:4]), 0) + models
    if not counts:
        return []
    return [
        {"from": str(year), "to": str(year), "models": counts.get(year, 0)}
        for year in range(min(counts), max(counts) + 1)
    ]


def _edges(bins: Sequence[Mapping[str, Any]], unit: str, *, months: bool) -> tuple[str, ...]:
    """What the two ends of the slider stand for: of years the years, of numbers the edges between bins."""
    if months:
        return tuple(str(row["from"]) for row in bins)
    numbers = [*(row["from"] for row in bins), bins[-1]["to"]] if bins else []
    return tuple(words.edge(one, unit) for one in numbers)


def _rounds(bins: Sequence[Mapping[str, Any]], unit: str) -> list[str]:
    """The largest few round numbers (1 or 3 and zeros) inside a histogram, as people type them."""
    if not bins or bins[-1]["to"] <= 0:
        return []
    low, high = bins[0]["from"], bins[-1]["to"]
    greatest = math.floor(math.log10(high))
    numbers = [first * 10.0**power for power in range(greatest, greatest - _DECADES, -1) for first in (3, 1)]
    return [words.edge(one, unit) for one in reversed(numbers) if low < one < high][-_ROUNDS:]


def _chooser(view: View, shown: Sequence[Column]) -> list[dict[str, Any]]:
    """All properties by group, those that are shown marked."""
    names = {str(one) for one in shown}
    groups: dict[str, list[Any]] = {"Model": [], "Architecture": [], "Worked out by formula": []}
    for one in view.properties.values():
        group = "Worked out by formula" if one.kind == "derived" else one.of.capitalize()
        groups[group].append((one.name, one.label, one.definition, one.name in names))
    found = [{"title": title, "columns": columns} for title, columns in groups.items()]
    metrics = [(str(one), str(one), "", True) for one in shown if one.name not in view.properties]
    return [*([{"title": "Metrics", "columns": metrics}] if metrics else []), *found]


def _metrics(view: View, shown: Sequence[Column]) -> list[tuple[str, str]]:
    """Metrics with the benchmark and number of shots under which most models were observed."""
    names = {str(one) for one in shown}
    counts = (
        view.observations.group_by("metric", "benchmark", "shots")
        .agg(pl.col("model").n_unique().alias("models"))
        .sort(["models", "metric", "benchmark", "shots"], descending=[True, False, False, False], nulls_last=True)
    )
    found = []
    for row in counts.head(_METRICS_OFFERED).iter_rows(named=True):
        inside = [f"{name}={row[name]}" for name in ("benchmark", "shots") if row[name] is not None]
        column = f"{row['metric']}({';'.join(inside)})" if inside else row["metric"]
        if column not in names:
            found.append((column, f"{column}: {row['models']} models"))
    return found


def _units(view: View, place: Place, found: Matrix) -> list[dict[str, Any]]:
    """Columns that can be shown in several units, each with links."""
    offered = []
    for one in found.columns:
        unit = one.prop.unit if one.prop else None
        others = fitting(unit, view.terms.units) if one.values.numbers is not None else []
        if len(others) < 2 or unit is None or one.prop is None:
            continue
        now = found.unit_of(one)
        links = [
            (
                scale.unit.symbol,
                scale.unit.label,
                place.in_unit(one.column, None if scale.unit.symbol == unit.symbol else scale.unit.symbol),
                scale.unit.symbol == now,
            )
            for scale in others
        ]
        offered.append({"label": one.prop.label, "links": links})
    return offered


def _hidden(told: ComparisonSpec, tray: Sequence[str]) -> list[tuple[str, str]]:
    """The comparison as hidden fields of a form."""
    parts = pairs(replace(told, after="").address().encode())
    return [*parts, *([(TRAY, ",".join(tray))] if tray else [])]


def _whole(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """The fields of the form that shows the whole question as text."""
    return [{"name": name, "label": label, "value": given.get(name, "")} for name, label in _FIELDS.items()]


def _mending(request: Request) -> dict[str, Any]:
    given = sent(request, (*spec.PARAMETERS, TRAY))
    return {"fields": _whole(given), "action": compare_links.PAGE}
