"""The pages of models and benchmarks: lists, one model with every claim, one benchmark with its rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response

from app.compare import leaderboard, models, spec
from app.compare.charts import size
from app.compare.predicted import Predictions
from app.compare.projection.view import PARAMETERS, View
from app.compare.spec import Column, Condition, Filter, Missing, OneOf
from app.compare.values import Property, PropertyRecord
from app.errors import BadParameter, NotFound
from app.web import comparison, words
from app.web.caching import Use
from app.web.evidence_page import READINGS, observed
from app.web.figures import Figure, figure
from app.web.reading import Asked, asked, guarded, sent

_ON_A_PAGE = 100
_CONTEXT = 4096
"""Tokens of context with which a model's memory is shown, or its own longest where that is less."""
_LONGEST = "maxContextLength"
_PLENTY = "1000GB"
"""More memory than any model needs."""
_PROMPT, _GENERATED = 256, 50
"""Tokens for which costs are predicted."""
_OBSERVATIONS_SHOWN = 400
_TRAINING = frozenset(
    {
        *("trainingTokens", "uniqueTrainingTokens", "fineTuningTokens", "trainedOn", "trainedWith", "trainingHardware"),
        *("trainingTime", "trainingNote", "openTrainingData", "learningRate", "tokenizerKind", "tuningState"),
    }
)
_GROUPS = ("Identity", "Architecture", "Training", "Worked out by formula")
_SORTS = {"label": "name", "-released": "newest first", "-parameters": "largest first", "parameters": "smallest first"}
_BOARD = ("metric", "with", "where", "search", "baselines")
_LIST = ("search", "sort", "page", "baselines")


@dataclass(frozen=True, slots=True)
class Fact:
    """One property on a model's page."""

    property: Property
    cell: words.ShownCell
    unit: str
    record: PropertyRecord
    open: bool
    """Sources differ, so the claims are shown at once."""


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    for path, endpoint in (
        ("/models", list_models),
        ("/models/{slug}", one_model),
        ("/benchmarks", list_benchmarks),
        ("/benchmarks/{slug}", one_benchmark),
    ):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False, response_class=HTMLResponse)


def list_models(request: Request, services: Use) -> Response:
    """All models on lines, by name or age or size, in pages."""

    def make() -> Response:
        page = asked(request, services, _LIST)
        given = page.given
        number = spec.whole(given, "page") or 1
        baselines = spec.flag(given, "baselines")
        choice = models.Choice(search=given.get("search"), include_baselines=baselines, sort=given.get("sort", "label"))
        found = services.models(choice, page=number, limit=_ON_A_PAGE, revision=page.revision)
        kept = {name: value for name, value in given.items() if name != "page"}
        return page.page(
            "models.html",
            found=found,
            given=given,
            sorts=_SORTS,
            parameters={one.slug: words.plain(one.parameters) for one in found.items},
            pages=max(1, -(-found.total // _ON_A_PAGE)),
            number=number,
            address=lambda at: f"{page.root}/models?{urlencode({**kept, 'page': at})}",
        )

    return guarded(make, "Models", lambda: _mending(request, _LIST, "/models"))


def one_model(request: Request, slug: str, services: Use) -> Response:
    """One model: every fact with its sources, every result with its conditions; what is missing, and why."""

    def make() -> Response:
        page = asked(request, services, ())
        view = page.view()
        if slug not in view.index:
            raise NotFound("model", slug, advice=spec.nearest(slug, view.slugs) or "See the list of models.")
        found = services.model(slug, revision=page.revision)
        facts = _facts(view, slug, found.properties)
        rows = view.observations.filter(pl.col("model") == slug).sort("metric", "benchmark", "shots", "observation")
        benchmarks = rows.filter(pl.col("benchmark").is_not_null()).head(_OBSERVATIONS_SHOWN)
        runtime = rows.filter(pl.col("benchmark").is_null()).head(_OBSERVATIONS_SHOWN)
        return page.page(
            "model.html",
            model=found.model,
            parameters=words.plain(found.model.parameters),
            groups=[(title, [one for one in facts if _group(one.property) == title]) for title in _GROUPS],
            layers=[
                (
                    one,
                    [
                        Fact(record.property, _cell(record), _unit(record.property), record, False)
                        for record in one.properties
                    ],
                )
                for one in found.layer_groups
            ],
            results=observed(page, view, list(benchmarks.iter_rows(named=True))),
            runtime=observed(page, view, list(runtime.iter_rows(named=True))),
            total=rows.height,
            shown=benchmarks.height + runtime.height,
            memory=_memory(page, view, slug, found.model.label),
            speed=_speed(page, slug, rows, found.model.label),
            predictions=_predictions(page, slug),
            significant=words.significant,
            disputed=[one for one in facts if one.record.disagreement],
            readings=READINGS,
        )

    return guarded(make, "Model")


def list_benchmarks(request: Request, services: Use) -> Response:
    """All benchmarks with how much is known about each."""

    def make() -> Response:
        page = asked(request, services, ())
        view = page.view()
        counts = {
            row["benchmark"]: row
            for row in view.observations.group_by("benchmark")
            .agg(
                pl.len().alias("results"),
                pl.col("model").n_unique().alias("models"),
                pl.col("protocol").n_unique().alias("protocols"),
            )
            .iter_rows(named=True)
        }
        none = {"results": 0, "models": 0, "protocols": 0}
        rows = [(name, one, counts.get(name, none)) for name, one in view.terms.things["benchmark"].items()]
        return page.page("benchmarks.html", rows=rows, fact=words.plain)

    return guarded(make, "Benchmarks")


def one_benchmark(request: Request, slug: str, services: Use) -> Response:
    """The rankings of one benchmark, one for each setting, with classes of models that the data do not separate."""

    def make() -> Response:
        page = asked(request, services, _BOARD)
        view = page.view()
        given = page.given
        answer = leaderboard.leaderboard(
            view,
            slug,
            metric=given.get("metric", ""),
            conditions=[
                Condition(one.column.name, one.test, one.negated) for one in spec.filters(given.get("with", ""), "with")
            ],
            where=spec.filters(given.get("where", ""), "where"),
            search=given.get("search", ""),
            baselines=spec.flag(given, "baselines"),
        ).body
        query = urlencode(given, quote_via=quote)
        name = answer["benchmark"]["label"]
        rankings = enumerate(answer["rankings"], start=1)
        charts = [_ranking(page, slug, given, one, f"Ranking {number} on {name}") for number, one in rankings]
        return page.page(
            "benchmark.html",
            board=answer,
            given={
                "baselines": spec.flag(given, "baselines"),
                "filtered": bool(given.get("where") or given.get("search")),
            },
            whole=f"{page.root}/benchmarks/{quote(slug)}?{urlencode({**given, 'baselines': 'yes'}, quote_via=quote)}",
            charts=charts,
            fields=_fields(given, _BOARD[:-1]),
            metrics=_metrics(page, view, slug, answer["metric"]),
            plain=words.plain,
            sources=words.sources,
            interval=words.interval,
            api=f"{page.root}/api/v1/leaderboards/{quote(slug)}{f'?{query}' if query else ''}",
            chance=words.plain(answer["chance"]) if answer["chance"] is not None else "",
            column=lambda told: quote(_column(answer["metric"], told), safe="(=;)"),
        )

    return guarded(make, "Benchmark", lambda: _mending(request, _BOARD, f"/benchmarks/{quote(slug)}"))


def _memory(page: Asked, view: View, slug: str, label: str) -> tuple[Figure, int, str] | None:
    """The chart of what the model's memory is made of, with its context and its sum, where all inputs are known."""
    longest = view.values(_LONGEST).numbers if _LONGEST in view.properties else None
    made_for = longest[view.index[slug]] if longest is not None else None
    context = _CONTEXT if made_for is None else min(_CONTEXT, int(made_for))
    given = {"memory": _PLENTY, "context": str(context), "where": str(Filter(Column("slug"), OneOf((slug,))))}
    found = comparison.fitting(view, given, 1).body["models"]
    if not found:
        return None
    return figure(page, "fit", given, f"Memory of {label}"), context, size(found[0]["total"])


def _speed(page: Asked, slug: str, rows: pl.DataFrame, label: str) -> Figure | None:
    """The chart of prefill against decode, where both were observed."""
    there = set(rows["metric"].unique().to_list())
    for quantity in ("throughput", "latency"):
        metrics = (f"prefill-{quantity}", f"decode-{quantity}")
        if there.issuperset(metrics):
            where = (Filter(Column("model"), OneOf((slug,))), Filter(Column("metric"), OneOf(metrics)))
            most = str(page.services.settings.max_page)
            given = {"where": ",".join(map(str, where)), "limit": most}
            return figure(page, "observations", given, f"Prefill against decode {quantity} of {label}")
    return None


def _predictions(page: Asked, slug: str) -> Predictions | None:
    """What is predicted for a model whose facts are settled; None while they are not."""
    try:
        return page.services.predictions(slug, prompt=_PROMPT, generated=_GENERATED, revision=page.revision)
    except BadParameter:
        return None


def _ranking(page: Asked, slug: str, given: Mapping[str, str], ranking: Mapping[str, Any], title: str) -> Figure:
    """The chart of one ranking of a benchmark: the same question, with the setting of the ranking."""
    protocol = ranking["protocol"]
    setting = {"protocol": protocol.rsplit("/", 1)[-1] if protocol else None}
    setting |= {name: ranking["conditions"].get(name) for name in ("quantisation", "device", "engine")}
    tests = [Filter(Column(name), OneOf((str(one),)) if one else Missing()) for name, one in setting.items()]
    asked = [*spec.filters(given.get("with", ""), "with"), *tests]
    kept = {name: value for name, value in given.items() if name != "revision"}
    query = {**kept, "with": ",".join(dict.fromkeys(map(str, asked)))}
    return figure(page, f"leaderboards/{quote(slug)}", query, title)


def _facts(view: View, slug: str, records: Sequence[PropertyRecord]) -> list[Fact]:
    """Facts with a value first, the missing ones after them."""
    place = view.index[slug]
    found = []
    for record in records:
        prop = record.property
        if prop.name == PARAMETERS or prop.name not in view.properties:
            continue
        cell = words.cell(view.shown(prop.name)[place])
        found.append(Fact(prop, cell, _unit(prop), record, record.disagreement is not None))
    return found


def _cell(record: PropertyRecord) -> words.ShownCell:
    """A cell of a group of layers, which the columns do not hold."""
    cell = record.cell
    values = [one.plain for one in cell.values]
    return words.cell(
        {
            "value": values[0] if len(values) == 1 else values or None,
            "status": cell.status.value,
            "badge": "reported" if cell.status.value == "accepted" else cell.status.value,
            "reported": None,
            "interval": None,
            "reason": cell.reason.value if cell.reason else None,
            "candidates": [one.plain for one in cell.candidates],
            "sources": {"agreeing": cell.sources.agreeing, "disagreeing": cell.sources.disagreeing},
        }
    )


def _group(prop: Property) -> str:
    if prop.kind == "derived":
        return "Worked out by formula"
    if prop.name in _TRAINING:
        return "Training"
    return "Architecture" if prop.of == "architecture" else "Identity"


def _unit(prop: Property) -> str:
    return words.unit_of(prop.unit.symbol if prop.unit else None)


def _metrics(page: Asked, view: View, slug: str, now: str | None) -> list[tuple[str, str, bool]]:
    """The metrics under which a benchmark has results, each with its address."""
    names = view.observations.filter(pl.col("benchmark") == slug)["metric"].unique().sort().to_list()
    known = view.terms.things["metric"]
    return [
        (known[name].label, f"{page.root}/benchmarks/{quote(slug)}?metric={quote(name)}", name == now) for name in names
    ]


def _column(metric: str, conditions: Mapping[str, Any]) -> str:
    """The column of a comparison that shows what a ranking shows, by benchmark and shots."""
    inside = ";".join(f"{name}={conditions[name]}" for name in ("benchmark", "shots") if name in conditions)
    return f"{metric}({inside})"


_LABELS = {
    "metric": "Metric",
    "with": "Conditions on results, such as shots:5",
    "where": "Filters on models, such as parameters:..1B",
    "search": "Words in the name",
    "sort": "Sort",
    "page": "Page",
    "baselines": "Larger baselines (yes or no)",
}


def _fields(given: Mapping[str, str], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": name, "label": _LABELS[name], "value": given.get(name, "")} for name in names]


def _mending(request: Request, names: Sequence[str], action: str) -> dict[str, Any]:
    return {"fields": _fields(sent(request, names), names), "action": action}
