"""Questions as pages with a form: how a column moved with time, and which models fit into a memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response

from app.compare import analyses, spec
from app.compare.projection.view import View
from app.web import comparison, words
from app.web.caching import Use
from app.web.figures import figure
from app.web.reading import Asked, asked, guarded, sent

TRENDS = "/trends"
FIT = "/fit"
_TRENDS = ("property", "by", "where", "search", "baselines")
_FIT = ("memory", "context", "bits", "quantisation", "cache_bits", "batch", "best", "where", "search", "limit")
_LABELS = {
    "property": "Column, such as attentionType or trainingTokens",
    "by": "Period: year, half, quarter or month",
    "where": "Filters, such as parameters:..1B or permissive:yes",
    "search": "Words in the name",
    "baselines": "Larger baselines (yes or no)",
    "memory": "Memory, such as 2GB",
    "context": "Tokens of context, such as 4k",
    "bits": "Bits of one weight",
    "quantisation": "or a quantisation, such as Q4_K_M",
    "cache_bits": "Bits of one number in the cache",
    "batch": "Tokens processed at once",
    "best": "Best by this column",
    "limit": "Models on the page",
}
_OFFERED = ("attentionType", "trainingTokens", "parameters", "maxContextLength", "license", "normalisation")
_BEST = "accuracy(benchmark=mmlu;shots=5)"
_SAMPLE = {"memory": "2GB", "context": "4k", "bits": "4", "best": _BEST, "where": "permissive:yes"}
"""The question of the page before anybody asks one."""
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_UNKNOWN_SHOWN = 30


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    for path, endpoint in ((TRENDS, trends), (FIT, fit)):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False, response_class=HTMLResponse)


def trends(request: Request, services: Use) -> Response:
    """How a column moved with the time of release, as a chart and as a table."""

    def make() -> Response:
        page = asked(request, services, _TRENDS)
        view = page.view()
        given = {"property": _OFFERED[0], "by": "half", **page.given}
        answer = analyses.trends(
            view,
            comparison.one_column(given["property"], "property"),
            given["by"],
            spec.filters(given.get("where", ""), "where"),
            search=given.get("search", ""),
            baselines=spec.flag(given, "baselines"),
        ).body
        label = answer["property"]["label"] if answer["property"] else given["property"]
        points = answer["points"]
        numeric = bool(points) and "median" in points[0]
        title = f"{label[:1].upper()}{label[1:]} by time of release"
        return page.page(
            "trends.html",
            answer=answer,
            title=title,
            numeric=numeric,
            unit=words.unit_of(answer["property"]["unit"]["symbol"]) if numeric and answer["property"]["unit"] else "",
            chart=figure(page, "trends", _parameters(given), title) if points else None,
            plain=words.plain,
            fields=_fields(given, _TRENDS),
            offered=[(one, _label(view, one), f"{page.root}{TRENDS}?property={one}") for one in _OFFERED],
            api=_api(page, "trends", given),
        )

    return guarded(make, "Trends", lambda: {"fields": _fields(sent(request, _TRENDS), _TRENDS), "action": TRENDS})


def fit(request: Request, services: Use) -> Response:
    """Which models fit into a memory, the best first, with each part of what they need."""

    def make() -> Response:
        page = asked(request, services, _FIT)
        given = page.given or _SAMPLE
        answer = comparison.fitting(page.view(), given, page.services.settings.max_page).body
        most = max((one["total"] for one in answer["models"]), default=1.0)
        return page.page(
            "fit.html",
            answer=answer,
            rows=[
                {
                    **one,
                    "sizes": [_bytes(one[part]) for part in ("weights", "cache", "buffers", "total")],
                    "bars": _parts(one, max(most, answer["memory"])),
                    "parameters": words.cell(one["parameters"]),
                    "score": words.cell(one["best"]) if one["best"] else None,
                    "cell": f"{page.root}/compare/cell?"
                    + urlencode({"model": one["model"], "property": answer["best"]}, quote_via=quote),
                }
                for one in answer["models"]
            ],
            memory=_bytes(answer["memory"]),
            line=100 * answer["memory"] / max(most, answer["memory"]),
            chart=figure(page, "fit", _parameters(given), "Memory of the models that fit"),
            unknown=answer["unknown"][:_UNKNOWN_SHOWN],
            plain=words.plain,
            fields=_fields(given, _FIT),
            api=_api(page, "fit", given),
        )

    return guarded(make, "What fits", lambda: {"fields": _fields(sent(request, _FIT), _FIT), "action": FIT})


def _parts(one: Mapping[str, Any], most: float) -> list[tuple[str, float, float, str]]:
    """The parts of a bar of 100: class, where it begins, how long it is, what it says."""
    found, start = [], 0.0
    for place, part in enumerate(("weights", "cache", "buffers")):
        width = 100 * one[part] / most
        found.append((f"s{place}", start, width, f"{part} {_bytes(one[part])}"))
        start += width
    return found


def _bytes(size: float) -> str:
    for factor, unit in _UNITS:
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"


def _label(view: View, name: str) -> str:
    prop = view.properties.get(name)
    return prop.label if prop else name


def _fields(given: Mapping[str, str], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": name, "label": _LABELS[name], "value": given.get(name, "")} for name in names]


def _parameters(given: Mapping[str, str]) -> dict[str, str]:
    """What a page was asked, for the answer behind it; the revision stands in its path."""
    return {name: value for name, value in given.items() if value and name != "revision"}


def _api(page: Asked, name: str, given: Mapping[str, str]) -> list[tuple[str, str]]:
    query = urlencode(_parameters(given), quote_via=quote)
    return [(ending, f"{page.root}/api/v1/{name}.{ending}?{query}") for ending in ("json", "csv", "md")]
