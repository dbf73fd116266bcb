"""REST: comparisons, observations, leaderboards, Pareto fronts, trends, facets, and what fits into a memory.

All are answered from columns (`app.compare.projection`), in every format of `app.web.tables`. Only turns values into
HTTP: the questions stand in `app.compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.compare import analyses, charts, fit, leaderboard, observing, spec
from app.compare.charts import Origin, Spec
from app.compare.evidence import told
from app.compare.grid import Answer
from app.compare.matrix import Matrix, compare
from app.compare.projection.view import View, encoded
from app.compare.quantities import number
from app.compare.reader import Reader
from app.compare.spec import Column, Condition, Filter
from app.errors import BadParameter
from app.model.rdf import IRI
from app.web import comparison_schemas as shapes
from app.web import problems
from app.web.parameters import members, strict
from app.web.tables import CHART, FORMATS, Ask, Asked

COMPARE = "/api/v1/compare"
OBSERVATIONS = "/api/v1/observations"
LEADERBOARD = "/api/v1/leaderboards/{benchmark}"
PARETO = "/api/v1/pareto"
TRENDS = "/api/v1/trends"
FACETS = "/api/v1/facets"
FIT = "/api/v1/fit"
EXTRAS = ("evidence",)

Text: TypeAlias = str | None


def _text(description: str, *examples: str) -> Any:
    return Query(max_length=20_000, description=description, examples=list(examples) or None)


Models = Annotated[Text, _text("Slugs of models, with commas between them; all that fit when left out.")]
Columns = Annotated[
    Text,
    _text(
        "Properties and metrics, with commas between them; the usual ones when left out.",
        "parameterCount,accuracy(benchmark=mmlu;shots=5)",
    ),
]
Where = Annotated[
    Text, _text("Filters, with commas between them.", "parameters:..1B,license:MIT|Apache-2.0,trainingTokens:known")
]
Search = Annotated[Text, _text("Words that must all stand in a name of the model.")]
YesNo: TypeAlias = Text
Baselines = Annotated[YesNo, _text("yes: also larger models kept for comparison.")]
Limit = Annotated[Text, _text("Rows on a page.")]
After = Annotated[Text, _text("Cursor of a page, from the page before.")]


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    for path, endpoint, model, name, summary, codes in (
        (COMPARE, compare_models, shapes.Comparison, "compare", "Compare models", ()),
        (OBSERVATIONS, list_observations, shapes.Observations, "observations", "List observations", ()),
        (LEADERBOARD, rank, shapes.Leaderboard, "leaderboard", "Rank models on a benchmark", ()),
        (PARETO, trade_off, shapes.Pareto, "pareto", "Find the models that no other beats in two columns", ()),
        (TRENDS, follow, shapes.Trends, "trends", "Follow a column over time", ()),
        (FACETS, count, shapes.Facets, "facets", "Count values", ()),
        (FIT, find_fitting, shapes.Fit, "fit", "Find models that fit into a memory", ()),
    ):
        _add(app, path, endpoint, model, name, summary, *codes)


def compare_models(
    ask: Ask,
    *,
    models: Models = None,
    properties: Columns = None,
    where: Where = None,
    search: Search = None,
    baselines: Baselines = None,
    sort: Annotated[Text, _text("Columns to sort by; a hyphen before one sorts the largest first.")] = None,
    group: Annotated[Text, _text("A column: its values group the models.", "attentionType")] = None,
    units: Annotated[Text, _text("Columns with the units to show them in.", "kvCacheBytesPerToken:B/tok")] = None,
    transpose: Annotated[YesNo, _text("yes: a row for each column.")] = None,
    different: Annotated[YesNo, _text("yes: only columns in which the models differ.")] = None,
    limit: Limit = None,
    after: After = None,
    extra: Annotated[Text, Query(alias="_extra", description="evidence: tell every claim that a cell names.")] = None,
) -> Response:
    """Models by properties and metrics. Each cell says how far its value can be relied on, and what stands behind it.

    How to write columns, filters and units: see the grammar of addresses in the reference.
    """
    table = ask()
    given = {name: value for name, value in table.given.items() if name != "_extra"}
    if "models" in given and not members(given["models"]):
        raise BadParameter("models", "no model is named", advice="Give slugs, or leave it out.", pointer="/models")
    extras = _extras(extra)
    view = table.services.view(table.revision)
    found = compare(view, spec.parse(given), most=table.services.settings.max_page)
    return table.answer(
        json=lambda: _with_evidence(table.services.store.at(table.revision), found, extras),
        grid=found.grid,
        chart=lambda origin: charts.compared(found, origin),
        name="comparison",
        following=found.next,
    )


def list_observations(
    ask: Ask,
    *,
    where: Annotated[
        Text,
        _text(
            "Filters on fields of observations.", "metric:decode-latency,device:jetson-orin-nx-16gb,promptTokens:..64"
        ),
    ] = None,
    sort: Annotated[Text, _text("Fields to sort by; a hyphen before one sorts the largest first.", "-value")] = None,
    limit: Limit = None,
    after: After = None,
) -> Response:
    """Observations with all their conditions: metric, protocol, device, engine, settings, source, raw text."""
    table = ask()
    settings = table.services.settings
    answer = observing.observations(
        table.services.view(table.revision),
        spec.filters(where or "", "where"),
        spec.parse({"sort": sort or ""}).sort,
        limit=_limit(table.given, settings.max_page, 50),
        after=after or "",
    )
    return _told(table, answer, charts.observed, "observations")


def rank(
    benchmark: str,
    ask: Ask,
    *,
    metric: Annotated[Text, _text("Metric; the one with most observations when left out.", "accuracy")] = None,
    conditions: Annotated[
        Text, Query(alias="with", max_length=20_000, description="Conditions on observations, such as shots:5.")
    ] = None,
    where: Where = None,
    search: Search = None,
    baselines: Baselines = None,
) -> Response:
    """The rankings of a benchmark, one for each setting: scores under different protocols never share a ranking.

    Models that the data cannot separate share a rank. Ranks count all models: filters hide rows and move no rank.
    """
    table = ask()
    answer = leaderboard.leaderboard(
        table.services.view(table.revision),
        benchmark,
        metric=metric or "",
        conditions=[_as_condition(one) for one in spec.filters(conditions or "", "with")],
        where=_where(where),
        search=search or "",
        baselines=spec.flag(table.given, "baselines"),
    )
    return _told(table, answer, charts.ranked, f"leaderboard-{benchmark}")


def trade_off(
    ask: Ask,
    *,
    x: Annotated[str, _text("Column of the first axis.", "parameters")],
    y: Annotated[str, _text("Column of the second axis.", "accuracy(benchmark=mmlu;shots=5)")],
    x_best: Annotated[
        Text, _text("low or high; when left out the metric says, and a property is better when low.")
    ] = None,
    y_best: Annotated[
        Text, _text("low or high; when left out the metric says, and a property is better when high.")
    ] = None,
    where: Where = None,
    search: Search = None,
    baselines: Baselines = None,
) -> Response:
    """Models by two columns, and which of them no other model beats in both."""
    table = ask()
    answer = analyses.pareto(
        table.services.view(table.revision),
        one_column(x, "x"),
        one_column(y, "y"),
        x_best=x_best or "",
        y_best=y_best or "",
        where=_where(where),
        search=search or "",
        baselines=spec.flag(table.given, "baselines"),
    )
    return _told(table, answer, charts.traded, "pareto")


def follow(
    ask: Ask,
    *,
    column: Annotated[
        str, Query(alias="property", max_length=20_000, description="Column to follow.", examples=["attentionType"])
    ],
    by: Annotated[Text, _text("year, half, quarter or month of release; year when left out.")] = None,
    where: Where = None,
    search: Search = None,
    baselines: Baselines = None,
) -> Response:
    """How a column moved with the time of release: shares of names, quartiles of numbers."""
    table = ask()
    answer = analyses.trends(
        table.services.view(table.revision),
        one_column(column, "property"),
        by or "year",
        _where(where),
        search=search or "",
        baselines=spec.flag(table.given, "baselines"),
    )
    return _told(table, answer, charts.followed, "trends")


def count(
    ask: Ask,
    *,
    properties: Annotated[Text, _text("Columns to count; the usual ones when left out.", "license,parameters")] = None,
    where: Where = None,
    search: Search = None,
    baselines: Baselines = None,
) -> Response:
    """How many models have which value: counts of names, histograms of numbers.

    Each column is counted under the filters of all other columns, so that its other values stay in sight.
    """
    table = ask()
    answer = analyses.facets(
        table.services.view(table.revision),
        spec.columns(properties or "", "properties"),
        _where(where),
        search=search or "",
        baselines=spec.flag(table.given, "baselines"),
    )
    return _told(table, answer, charts.counted, "facets")


def find_fitting(
    ask: Ask,
    *,
    memory: Annotated[str, _text("Memory that there is, with its unit; bytes without one.", "2GB")],
    context: Annotated[Text, _text("Tokens of context; 4096 when left out.", "4k")] = None,
    bits: Annotated[Text, _text("Bits of one weight; 4 when left out.", "4.5")] = None,
    quantisation: Annotated[Text, _text("A quantisation, in place of bits.", "Q4_K_M")] = None,
    cache_bits: Annotated[Text, _text("Bits of one number in the cache; 16 when left out.")] = None,
    batch: Annotated[Text, _text("Tokens processed at once; 512 when left out.")] = None,
    best: Annotated[
        Text, _text("Column to order by; the largest models first when left out.", "accuracy(benchmark=mmlu;shots=5)")
    ] = None,
    where: Where = None,
    search: Search = None,
    limit: Limit = None,
) -> Response:
    """Which models fit into a memory, the best first: weights, cache and working memory by formula, each shown.

    Models that lack an input of a formula are listed as unknown; nothing is guessed.
    """
    table = ask()
    named = {
        **{"memory": memory, "context": context, "bits": bits, "quantisation": quantisation, "cache_bits": cache_bits},
        **{"batch": batch, "best": best, "where": where, "search": search, "limit": limit},
    }
    given = {name: value for name, value in named.items() if value is not None}
    answer = fitting(table.services.view(table.revision), given, table.services.settings.max_page)
    return _told(table, answer, charts.fitting, "fit")


def fitting(view: View, given: Mapping[str, str], most: int) -> Answer:
    """What fits, as the parameters of `/api/v1/fit` ask."""
    if "memory" not in given:
        raise BadParameter("memory", "is required", advice="Give it with its unit, such as 2GB.", pointer="/memory")
    return fit.fit(
        view,
        budget=_memory(view, given["memory"]),
        context=int(_amount(view, given.get("context"), "context", 4096, most=10**8)),
        bits=_bits(view, given.get("bits"), given.get("quantisation")),
        cache_bits=_amount(view, given.get("cache_bits"), "cache_bits", 16, most=64),
        batch=int(_amount(view, given.get("batch"), "batch", 512, most=10**6)),
        best=one_column(given["best"], "best") if given.get("best") else None,
        where=_where(given.get("where")),
        search=given.get("search", ""),
        limit=_limit(given, most, 20),
    )


def _told(table: Asked, answer: Answer, chart: Callable[[Mapping[str, Any], Origin], Spec], name: str) -> Response:
    return table.answer(
        json=lambda: encoded(answer.body),
        grid=lambda: answer.grid,
        chart=lambda origin: chart(answer.body, origin),
        name=name,
        following=answer.next,
    )


def _with_evidence(snapshot: Any, found: Matrix, extras: Iterable[str]) -> str:
    text = found.json()
    if "evidence" not in extras:
        return text
    claims = {claim for row in found.cells() for cell in row for claim in cell["claims"]}
    return f'{text[:-1]},"evidence":{encoded(told(Reader(snapshot), [IRI(one) for one in sorted(claims)]))}}}'


def _extras(text: str | None) -> list[str]:
    found = members(text)
    for place, one in enumerate(found):
        if one not in EXTRAS:
            raise BadParameter(
                "_extra", f"there is no {one!r}", advice=spec.nearest(one, EXTRAS), pointer=f"/_extra/{place}"
            )
    return found


def _where(text: str | None) -> tuple[Filter, ...]:
    return spec.filters(text or "", "where")


def one_column(text: str, parameter: str) -> Column:
    """The one column that a parameter names."""
    found = spec.columns(text, parameter)
    if len(found) != 1:
        raise BadParameter(parameter, "give one column", pointer=f"/{parameter}")
    return found[0]


def _as_condition(one: Filter) -> Condition:
    return Condition(one.column.name, one.test, one.negated)


def _limit(given: Mapping[str, str], most: int, usual: int) -> int:
    wanted = spec.whole(given, "limit")
    if wanted is not None and wanted > most:
        raise BadParameter("limit", f"at most {most} rows fit on a page", pointer="/limit")
    return wanted or min(usual, most)


def _amount(view: View, text: str | None, parameter: str, usual: float, *, most: float) -> float:
    """A number above 0 without a unit."""
    if not text:
        return usual
    value = number(text, None, view.terms.units, parameter=parameter, pointer=f"/{parameter}")
    if not 0 < value <= most:
        raise BadParameter(parameter, f"must lie above 0 and not above {most:g}", pointer=f"/{parameter}")
    return value


def _memory(view: View, text: str) -> float:
    byte = next((scale.unit for scale in view.terms.units.values() if scale.unit.symbol == "B"), None)
    value = number(text, byte, view.terms.units, parameter="memory", pointer="/memory")
    if value <= 0:
        raise BadParameter("memory", "must lie above 0", pointer="/memory")
    return value


def _bits(view: View, bits: str | None, quantisation: str | None) -> float:
    if bits and quantisation:
        raise BadParameter("bits", "the quantisation says it already", advice="Give one of the two.", pointer="/bits")
    if not quantisation:
        return _amount(view, bits, "bits", 4, most=64)
    known = view.terms.things["quantisation"]
    with_bits = {name: one.facts["bitsPerWeight"] for name, one in known.items() if "bitsPerWeight" in one.facts}
    if quantisation not in with_bits:
        raise BadParameter(
            "quantisation",
            f"the bits of {quantisation!r} are not known",
            advice=spec.nearest(quantisation, with_bits) or "Give bits instead.",
            pointer="/quantisation",
        )
    return float(with_bits[quantisation])


def _add(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Response],
    model: type[BaseModel],
    name: str,
    summary: str,
    *codes: str,
) -> None:
    """Serve one question at its address, and in every format at the address with an ending."""
    limits = ("too-many-requests", "too-busy", "drawing-timeout")
    errors = problems.documented("bad-parameter", "not-found", "not-acceptable", *limits, *codes)
    others: dict[str, dict[str, str]] = {media: {} for ending, media in FORMATS.items() if ending != "json"}
    if path.endswith("}"):  # else the name in the address would take the first half of the ending
        app.add_api_route(
            f"{path}.{CHART}", endpoint, methods=["GET"], dependencies=[Depends(strict)], include_in_schema=False
        )
    for address, operation, title in (
        (f"{path}.{{ending}}", f"{name}As", f"{summary}, as a file"),
        (path, name, summary),
    ):
        app.add_api_route(
            address,
            endpoint,
            methods=["GET"],
            dependencies=[Depends(strict)],
            operation_id=operation,
            summary=title,
            tags=["Comparison"],
            response_model=model,
            response_class=JSONResponse,
            responses={
                200: {"description": "The answer.", "headers": _HEADERS, "content": {"application/json": {}, **others}},
                304: {"description": "The client has this answer already."},
                **errors,
            },
            openapi_extra={"parameters": [_ENDING]} if address != path else None,
        )


_ENDING = {
    "name": "ending",
    "in": "path",
    "required": True,
    "description": "Format of the answer.",
    "schema": {"type": "string", "enum": list(FORMATS)},
}
_HEADERS = {
    "X-Revision": {"description": "Revision that the answer is made from.", "schema": {"type": "integer"}},
    "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
    "Link": {"description": "Canonical address, first and next page, other formats.", "schema": {"type": "string"}},
}
