"""Comparisons over HTTP on the shipped data: filters, columns, pages, formats, rankings, memory, errors."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from app.compare.fit import memory
from app.model.architecture import Architecture, kv_cache_bytes
from app.services import Services
from app.web import comparison_schemas as shapes
from app.web.revisions import FOR_EVER
from app.web.tables import FORMATS
from tests.web.conftest import Client, problem_of

COMPARE = "/api/v1/compare"
SCORE = "accuracy(benchmark=winogrande;quantisation=None;shots=5)"
QUESTIONS: dict[str, type[BaseModel]] = {
    f"{COMPARE}?models=phi-2,opt-125m&properties=numLayers,license,{SCORE}": shapes.Comparison,
    f"{COMPARE}?group=attentionType&properties=parameters&limit=5": shapes.Comparison,
    f"{COMPARE}?transpose=yes&different=yes&models=phi-2,opt-125m": shapes.Comparison,
    f"{COMPARE}?_extra=evidence&models=opt-125m&properties=numLayers": shapes.Comparison,
    "/api/v1/observations?where=metric:decode-latency,promptTokens:..64&limit=5": shapes.Observations,
    "/api/v1/leaderboards/winogrande?with=shots:5": shapes.Leaderboard,
    f"/api/v1/pareto?x=parameters&y={SCORE}": shapes.Pareto,
    "/api/v1/trends?property=attentionType&by=half": shapes.Trends,
    "/api/v1/trends?property=trainingTokens": shapes.Trends,
    "/api/v1/facets": shapes.Facets,
    f"/api/v1/fit?memory=2GB&context=2k&best={SCORE}": shapes.Fit,
}


def rows(client: Client, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.json(f"{COMPARE}?limit=200&{query}")["rows"]
    return found


def column(client: Client, query: str, name: str) -> list[Any]:
    return [row["cells"][name]["value"] for row in rows(client, query)]


@pytest.mark.parametrize("address", QUESTIONS)
def test_every_answer_fits_its_schema(client: Client, address: str) -> None:
    QUESTIONS[address].model_validate(client.json(address))


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("address", QUESTIONS)
def test_every_answer_comes_in_every_format(client: Client, address: str, ending: str) -> None:
    path, _, query = address.partition("?")
    response = client.get(f"{path}.{ending}?{query}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith(FORMATS[ending])
    head = client.request("HEAD", f"{path}.{ending}?{query}")
    assert (head.status_code, head.content) == (200, b"")
    assert {name: value for name, value in head.headers.items() if name != "x-request-id"} == {
        name: value for name, value in response.headers.items() if name != "x-request-id"
    }
    if ending == "json":
        json.loads(response.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    elif ending == "csv":
        lines = list(csv.reader(io.StringIO(response.text, newline=""), strict=True))
        assert len({len(line) for line in lines}) == 1
    elif ending == "parquet":
        assert pl.read_parquet(response.content).width > 1
    elif ending in {"ttl", "jsonld"}:
        kind = ox.RdfFormat.TURTLE if ending == "ttl" else ox.RdfFormat.JSON_LD
        assert len(list(ox.parse(response.content, format=kind))) > 10


def test_accept_chooses_the_format_and_a_file_s_ending_wins(client: Client) -> None:
    address = f"{COMPARE}?models=phi-2&properties=numLayers"
    assert client.get(address, headers={"Accept": "text/csv"}).text.startswith("model,label")
    browser = client.get(address, headers={"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert browser.headers["content-type"] == "application/json"
    assert "Accept" in browser.headers["vary"]
    assert problem_of(client.get(address, headers={"Accept": "video/mp4"}))["status"] == 406
    ended = client.get(f"{COMPARE}.md?models=phi-2&properties=numLayers", headers={"Accept": "text/csv"})
    assert ended.headers["content-type"].startswith("text/markdown")


@pytest.mark.parametrize(
    ("where", "name", "holds"),
    [
        ("parameters:..1B", "parameters", lambda value: value <= 1e9),
        ("parameters:<1B,parameters:>500M", "parameters", lambda value: 5e8 < value < 1e9),
        ("parameters:1..3 M", "parameters", lambda value: False),
        ("license:MIT|Apache-2.0", "license", lambda value: value in {"MIT", "Apache-2.0"}),
        ("license:apache-2.0", "license", lambda value: value == "Apache-2.0"),
        ("license:!MIT", "license", lambda value: value is not None and value != "MIT"),
        ("trainingTokens:missing", "trainingTokens", lambda value: value is None),
        ("trainingTokens:known", "trainingTokens", lambda value: value is not None),
        ("releasedIn:2023..2024-02", "releasedIn", lambda value: "2023" <= value <= "2024-02"),
        ("releasedIn:2023", "releasedIn", lambda value: value[:4] == "2023"),
        ("tiesEmbeddings:yes", "tiesEmbeddings", lambda value: value is True),
        (f"{SCORE}:0.6..", SCORE, lambda value: value >= 0.6),
        (f"{SCORE}:60 %..", SCORE, lambda value: value >= 0.6),
    ],
)
def test_a_filter_keeps_what_fits_and_nothing_else(client: Client, where: str, name: str, holds: Any) -> None:
    every = {row["model"]: row["cells"][name]["value"] for row in rows(client, f"properties={name}")}
    answer = client.get(COMPARE, params={"where": where, "properties": name, "limit": "200"}).json()
    expected = [slug for slug, value in every.items() if (value is not None or "missing" in where) and holds(value)]
    assert [row["model"] for row in answer["rows"]] == expected
    assert answer["total"] == len(expected)


def test_the_best_commonsense_score_below_a_billion_parameters_with_an_apache_licence(client: Client) -> None:
    name = "accuracy(benchmark=commonsense-average;shots=5)"
    query = f"where=parameters:..1B,license:Apache-2.0&sort=-{name}&properties=parameters,license,{name}"
    body = client.json(f"{COMPARE}?{query}&limit=1&_extra=evidence")
    (row,) = body["rows"]
    cell = row["cells"][name]
    assert cell["value"] == max(value for value in column(client, query, name) if value is not None)
    assert all(body["evidence"][one]["title"] for one in cell["claims"])


def test_models_without_a_value_come_last_either_way(client: Client) -> None:
    for sign in ("", "-"):
        values = column(client, f"properties=trainingTokens&sort={sign}trainingTokens", "trainingTokens")
        known = [value for value in values if value is not None]
        assert values == sorted(known, reverse=bool(sign)) + [None] * (len(values) - len(known))


def test_a_unit_is_changed_in_value_interval_and_candidates(client: Client) -> None:
    plain = client.json(f"{COMPARE}?models=phi-2&properties={SCORE}")["rows"][0]["cells"][SCORE]
    turned = client.get(COMPARE, params={"models": "phi-2", "properties": SCORE, "units": f"{SCORE}:PERCENT"}).json()[
        "rows"
    ][0]["cells"][SCORE]
    assert (plain["unit"], turned["unit"]) == ("÷", "%")
    assert turned["value"] == pytest.approx(plain["value"] * 100)
    assert turned["interval"]["upper"] == pytest.approx(plain["interval"]["upper"] * 100)
    assert turned["reported"] == plain["reported"]


def test_only_differences_and_a_turned_table(client: Client) -> None:
    body = client.json(f"{COMPARE}?models=opt-125m,opt-350m&different=yes&transpose=yes")
    names = [row["property"] for row in body["rows"]]
    assert "hiddenSize" in names
    assert "attentionType" not in names
    for row in body["rows"]:
        first, second = (row["cells"][slug]["value"] for slug in ("opt-125m", "opt-350m"))
        assert first != second


def test_groups_tell_how_many_and_what(client: Client) -> None:
    body = client.json(f"{COMPARE}?group=attentionType&properties=parameters,attentionType&limit=200")
    seen = [row["cells"]["attentionType"]["value"] for row in body["rows"]]
    assert sum(group["models"] for group in body["groups"]) == body["total"] == len(seen)
    for group in body["groups"]:
        values = [
            row["cells"]["parameters"]["value"]
            for row in body["rows"]
            if row["cells"]["attentionType"]["value"] == group["value"]
            or (group["value"] is None and row["cells"]["attentionType"]["value"] is None)
        ]
        known = [value for value in values if value is not None]
        assert (group["models"], group["columns"]["parameters"]["known"]) == (len(values), len(known))
        assert group["columns"]["parameters"]["max"] == max(known, default=None)


def test_pages_give_each_model_once_and_hold_to_one_revision(client: Client) -> None:
    address = f"{COMPARE}?properties=numLayers&sort=-numLayers&limit=30"
    seen: list[str] = []
    while address:
        response = client.get(address)
        seen += [row["model"] for row in response.json()["rows"]]
        links = [one.strip().split(">; ", 1) for one in response.headers["link"].split(", <")]
        following = [target.lstrip("<") for target, kind in links if kind.startswith('rel="next"')]
        address = following[0] if following else ""
        assert "revision=1" in address or not address
    assert len(seen) == len(set(seen)) == client.json(COMPARE)["total"] == 104


def test_a_cursor_is_bound_to_its_question(client: Client) -> None:
    cursor = client.json(f"{COMPARE}?properties=numLayers&limit=5")["next"]
    assert client.json(f"{COMPARE}?properties=numLayers&limit=7&after={cursor}")["rows"]
    for query in (f"properties=hiddenSize&after={cursor}", f"properties=numLayers&after={cursor}x", "after=%2B%2B"):
        assert problem_of(client.get(f"{COMPARE}?{query}"))["pointer"] == "/after"
    far = client.get(f"{COMPARE}?properties=numLayers&after=OTkuMC4wMTIzNDU2Nzg5YWJjZGVm")
    assert problem_of(far)["status"] == 404


def test_answers_are_tagged_compressed_and_kept_for_ever_below_a_revision(client: Client) -> None:
    address = f"{COMPARE}?properties=numLayers"
    first = client.get(address, headers={"Accept-Encoding": "identity"})
    packed = client.request("GET", address, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] != first.headers["etag"]
    assert packed.content == first.content
    assert len(gzip.compress(first.content)) < len(first.content) / 4
    again = client.get(address, headers={"Accept-Encoding": "identity", "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    kept = client.get(f"/r/1{address}", headers={"Accept-Encoding": "identity"})
    assert kept.headers["cache-control"] == FOR_EVER
    assert kept.content == first.content


@pytest.mark.parametrize(
    ("query", "pointer", "advice"),
    [
        ("where=license:Apache2", "/where/0", "'Apache-2.0'"),
        ("where=numLayers:1..,hiddensize:3", "/where/1", "'hiddenSize'"),
        ("where=parameters:3B..1B", "/where/0", "Swap"),
        ("where=parameters:3 GB", "/where/0", "'B'"),
        ("where=license:a..b", "/where/0", "Name"),
        ("properties=acuracy(benchmark=mmlu)", "/properties/0", "'accuracy'"),
        ("properties=numLayers(shots=5)", "/properties/0", ""),
        ("properties=accuracy(benchmark=mmul)", "/properties/0", "'mmlu'"),
        ("properties=accuracy(shot=5)", "/properties/0", "'shots'"),
        ("properties=label", "/properties/0", ""),
        ("sort=nothing", "/sort/0", ""),
        ("units=parameters:M", "/units/0", "properties"),
        ("units=numLayers:GB&properties=numLayers", "/units/0", "M"),
        ("limit=201", "/limit", ""),
        ("_extra=history", "/_extra/0", "evidence"),
    ],
)
def test_what_is_unknown_or_contradictory_is_pointed_to(client: Client, query: str, pointer: str, advice: str) -> None:
    problem = problem_of(client.get(f"{COMPARE}?{query}"))
    assert (problem["status"], problem["pointer"]) == (400, pointer)
    assert advice in problem.get("advice", "")


@pytest.mark.parametrize(
    ("address", "status", "parameter"),
    [
        ("/api/v1/leaderboards/winogrand", 404, None),
        ("/api/v1/leaderboards/winogrande?metric=acc", 400, "metric"),
        ("/api/v1/leaderboards/winogrande?with=shot:5", 400, "with"),
        ("/api/v1/pareto?x=parameters", 400, "y"),
        ("/api/v1/pareto?x=license&y=parameters", 400, "x"),
        ("/api/v1/pareto?x=parameters&y=parameters", 400, "y"),
        ("/api/v1/pareto?x=parameters&y=numLayers&x_best=middle", 400, "x_best"),
        ("/api/v1/trends?property=attentionType&by=week", 400, "by"),
        ("/api/v1/fit?memory=-1", 400, "memory"),
        ("/api/v1/fit?memory=2GB&bits=4&quantisation=Q4_K_M", 400, "bits"),
        ("/api/v1/fit?memory=2GB&quantisation=Q4", 400, "quantisation"),
        ("/api/v1/observations?where=device:nowhere", 400, "where"),
        ("/api/v1/observations?sort=speed", 400, "sort"),
        (f"{COMPARE}.xls", 404, None),
    ],
)
def test_other_questions_point_too(client: Client, address: str, status: int, parameter: str | None) -> None:
    problem = problem_of(client.get(address))
    assert (problem["status"], problem.get("parameter")) == (status, parameter)


def test_a_ranking_holds_one_setting_and_filters_move_no_rank(client: Client) -> None:
    whole = client.json("/api/v1/leaderboards/winogrande")
    settings_seen = [json.dumps(one["conditions"]) + str(one["protocol"]) for one in whole["rankings"]]
    assert len(settings_seen) == len(set(settings_seen)) > 1
    ranks = {
        (place, entry["model"]): (entry["rank"], entry["tied"], entry["class"])
        for place, one in enumerate(whole["rankings"])
        for entry in one["entries"]
    }
    small = client.json("/api/v1/leaderboards/winogrande?where=parameters:..500M")
    shown = 0
    for place, one in enumerate(small["rankings"]):
        for entry in one["entries"]:
            shown += 1
            assert ranks[place, entry["model"]] == (entry["rank"], entry["tied"], entry["class"])
    assert 0 < shown < len(ranks)


def test_ties_are_told_where_the_items_of_a_benchmark_are_known(client: Client) -> None:
    (ranking, *_) = client.json("/api/v1/leaderboards/winogrande?with=shots:5,quantisation:None")["rankings"]
    assert ranking["basis"] == "wilson"
    assert ranking["classes"] < ranking["models"]
    assert max(entry["tied"] for entry in ranking["entries"]) > 3


@pytest.mark.parametrize(
    "benchmark", ["winogrande", "hellaswag", "piqa", "arc-easy", "arc-challenge", "boolq", "commonsenseqa", "mmlu"]
)
def test_every_score_in_full_digits_is_a_whole_number_of_the_benchmark_s_items(
    seed_services: Services, benchmark: str
) -> None:
    view = seed_services.view()
    items = view.terms.things["benchmark"][benchmark].facts["testItems"]
    full = view.observations.filter(
        (pl.col("benchmark") == benchmark)
        & (pl.col("metric") == "accuracy")
        & (pl.col("reported").str.len_chars() > 12)
    )
    assert full.height > 40
    for value in full["value"]:
        assert value * items == pytest.approx(round(value * items), abs=1e-6)


def test_a_front_holds_what_no_model_beats(client: Client) -> None:
    points = client.json(f"/api/v1/pareto?x=parameters&y={SCORE}")["points"]
    for one in points:
        beaten = any(
            other["x"] <= one["x"] and other["y"] >= one["y"] and (other["x"] < one["x"] or other["y"] > one["y"])
            for other in points
        )
        assert one["front"] is not beaten


def test_facets_count_under_the_filters_of_the_other_columns(client: Client) -> None:
    body = client.json("/api/v1/facets?properties=license,attentionType&where=license:MIT,parameters:..3B")
    licences, attention = body["facets"]
    assert len(licences["values"]) > 1
    assert sum(one["models"] for one in attention["values"]) == attention["known"] <= body["total"]
    for one in licences["values"]:
        query = f"where=license:{one['value']},parameters:..3B&properties=license"
        assert client.json(f"{COMPARE}?{query}")["total"] == one["models"]


def test_bins_of_a_histogram_hold_all_values(client: Client) -> None:
    for facet in client.json("/api/v1/facets?properties=parameters,trainingTokens,numLayers")["facets"]:
        assert sum(one["models"] for one in facet["bins"]) == facet["known"]
        ends = [(one["from"], one["to"]) for one in facet["bins"]]
        assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]
        assert (ends[0][0], ends[-1][1]) == (facet["min"], facet["max"])


def test_the_parts_of_memory_add_up_and_nothing_larger_is_listed(client: Client) -> None:
    body = client.json("/api/v1/fit?memory=2GB&context=2k&bits=4&limit=200")
    assert body["models"]
    for one in body["models"]:
        assert one["weights"] + one["cache"] + one["buffers"] == pytest.approx(one["total"])
        assert one["total"] <= 2e9
        assert one["weights"] == one["parameters"]["value"] / 2
    assert {formula["part"] for formula in body["formulas"]} == {"weights", "cache", "buffers"}


@pytest.mark.parametrize("context", [1024, 8192, 100_000])
def test_the_cache_of_many_models_is_that_of_each(seed_services: Services, context: int) -> None:
    """The columns' formula against the one over single architectures, where all layers have the same heads."""
    view = seed_services.view()
    cache = memory(view, bits=4, context=context, cache_bits=16, batch=1)["cache"]
    names = {
        "num_layers": "numLayers",
        "num_attention_heads": "numAttentionHeads",
        "num_key_value_heads": "numKeyValueHeads",
        "head_dimension": "headDimension",
        "sliding_window_size": "slidingWindowSize",
        "max_context_length": "maxContextLength",
    }
    facts = {field: view.values(name).numbers for field, name in names.items()}
    compared = 0
    for place in range(len(view.slugs)):
        kind, pattern = view.values("attentionType").single[place], view.values("attentionPattern").single[place]
        numbers = {field: numbers[place] for field, numbers in facts.items() if numbers is not None}
        whole: dict[str, Any] = {field: int(number) for field, number in numbers.items() if number is not None}
        if kind not in {"MHA", "GQA", "MQA"} or cache[place] is None or len(whole) < 4 or pattern is not None:
            continue
        shape = Architecture(
            attention_type=kind, architecture_class=view.values("architectureClass").single[place], **whole
        )
        assert cache[place] == kv_cache_bytes(shape, context), view.slugs[place]
        compared += 1
    assert compared > 30


def test_the_formula_of_buffers_is_near_what_llama_cpp_reports(seed_services: Services) -> None:
    """Reported megabytes are taken for mebibytes, as llama.cpp prints them: then most lie within a tenth."""
    view = seed_services.view()
    told = view.observations.filter((pl.col("metric") == "compute-buffer-memory") & (pl.col("contextTokens") == 2048))
    computed = memory(view, bits=4, context=2048, cache_bits=16, batch=512)["buffers"]
    ratios = sorted(
        computed[view.index[row["model"]]] / (row["value"] / 1e6 * 2**20)
        for row in told.iter_rows(named=True)
        if computed[view.index[row["model"]]] is not None
    )
    assert len(ratios) > 15
    assert 0.95 < ratios[len(ratios) // 2] < 1.05
    assert sum(0.9 < ratio < 1.1 for ratio in ratios) >= 0.8 * len(ratios)


PIECES = st.sampled_from(
    [
        "accuracy",
        "license",
        "parameters",
        "(",
        ")",
        ":",
        ";",
        "=",
        "|",
        "!",
        "..",
        ",",
        '"',
        "<",
        ">",
        "-",
        "1B",
        "MIT",
        "missing",
        "benchmark",
        "mmlu",
        "shots",
        "5",
        " ",
        "%",
        "é",
        "\x00",
    ]
)


@given(
    st.sampled_from(
        ["compare", "observations", "leaderboards/mmlu", "pareto", "trends", "facets", "fit", "compare.csv"]
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "models",
                "properties",
                "where",
                "search",
                "sort",
                "group",
                "units",
                "limit",
                "after",
                "with",
                "metric",
                "x",
                "y",
                "by",
                "property",
                "memory",
                "context",
                "bits",
                "best",
                "revision",
            ]
        ),
        st.lists(PIECES, max_size=8).map("".join),
        max_size=3,
    ),
)
@settings(max_examples=150)
def test_no_question_breaks_the_service(client: Client, path: str, query: dict[str, str]) -> None:
    response = client.get(f"/api/v1/{path}", params=query)
    assert response.status_code in {200, 400, 404}, (urlsplit(str(response.url)), response.text)
    if response.status_code != 200:
        problem_of(response)
