"""The REST answers on the real data: list, filters, pages, one model, comparison, CSV, properties, example queries."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.web import examples
from scripts import build_api
from tests.web.conftest import Client, problem_of

ALL = "/api/v1/models?limit=200"
TABLE = "/api/v1/compare"


def slugs(client: Client, query: str) -> list[str]:
    return [item["slug"] for item in client.json(f"{ALL}&{query}")["items"]]


def test_the_list_holds_the_models_in_scope(client: Client) -> None:
    body = client.json(ALL)
    assert body["total"] == len(body["items"]) == 104
    assert not any(item["baseline"] for item in body["items"])
    labels = [item["label"].casefold() for item in body["items"]]
    assert labels == sorted(labels)
    assert client.json(f"{ALL}&include_baselines=true")["total"] == 126


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("family=opt", lambda one: one["family"]["name"] == "opt"),
        ("maker=apple", lambda one: "apple" in [maker["name"] for maker in one["makers"]]),
        ("license=Apache-2.0", lambda one: "Apache-2.0" in [licence["name"] for licence in one["licenses"]]),
        ("attention=GQA", lambda one: one["attention"]["name"] == "GQA"),
        ("architecture_class=LlamaForCausalLM", lambda one: one["architecture_class"] == "LlamaForCausalLM"),
        ("released_from=2024-01", lambda one: one["released"] >= "2024-01"),
        ("released_to=2022-12", lambda one: one["released"] <= "2022-12"),
        ("min_parameters=2000000000", lambda one: one["parameters"] >= 2_000_000_000),
        ("max_parameters=300000000", lambda one: one["parameters"] <= 300_000_000),
        ("has_open_data=true", lambda one: one["open_training_data"] is True),
        ("has_open_data=false", lambda one: one["open_training_data"] is False),
        ("attention=GQA&released_from=2024-06&max_parameters=1000000000", lambda one: one["released"] >= "2024-06"),
    ],
)
def test_a_filter_keeps_what_fits_and_only_that(client: Client, query: str, holds: Any) -> None:
    everything = client.json(ALL)["items"]
    kept = client.json(f"{ALL}&{query}")["items"]
    assert 0 < len(kept) < len(everything)
    assert all(holds(one) for one in kept)
    if "&" not in query:
        left_out = [one for one in everything if one not in kept]

        def fits(one: Any) -> bool:
            try:
                return bool(holds(one))
            except (TypeError, KeyError):
                return False

        assert not any(fits(one) for one in left_out)


def test_search_looks_into_every_name(client: Client) -> None:
    assert "opt-125m" in slugs(client, "search=OPT 125M")
    assert "openelm-1-1b" in slugs(client, "search=apple/OpenELM")
    assert "openelm-1-1b" in slugs(client, "search=OpenELM-1.1B"), "another printed name"
    assert set(slugs(client, "search=openelm")) == set(slugs(client, "family=openelm"))
    assert slugs(client, "search=no-such-model-at-all") == []
    assert slugs(client, "search=%22.*") == []


@pytest.mark.parametrize("name", ["released", "parameters", "slug"])
def test_sorting_puts_the_unknown_last(client: Client, name: str) -> None:
    for sort in (name, f"-{name}"):
        found = [item[name] for item in client.json(f"{ALL}&sort={sort}")["items"]]
        known = [value for value in found if value is not None]
        assert found == known + [None] * (len(found) - len(known))
        assert known == sorted(known, reverse=sort.startswith("-"))


def test_pages_make_up_the_whole_list(client: Client) -> None:
    url: str | None = "/api/v1/models?attention=MHA&limit=17&sort=-released"
    found: list[str] = []
    pages = 0
    while url is not None:
        response = client.get(url)
        body = response.json()
        found += [item["slug"] for item in body["items"]]
        links = {rel: link for link, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers["link"])}
        assert parse_qs(urlsplit(links["last"]).query)["page"] == [str(-(-body["total"] // 17))]
        assert ("prev" in links) == (pages > 0)
        url = links.get("next")
        pages += 1
    assert pages > 2
    assert found == slugs(client, "attention=MHA&sort=-released")
    assert client.json("/api/v1/models?page=9999")["items"] == []


@pytest.mark.parametrize(
    ("query", "parameter", "advice"),
    [
        ("familly=opt", "familly", "'family'"),
        ("family=optt", "family", "'opt'"),
        ("attention=gqa", "attention", "'GQA'"),
        ("license=apache", "license", None),
        ("sort=size", "sort", "parameters"),
        ("released_from=2024", "released_from", None),
        ("released_from=2024-13", "released_from", None),
        ("min_parameters=many", "min_parameters", None),
        ("min_parameters=-1", "min_parameters", None),
        ("has_open_data=perhaps", "has_open_data", None),
        ("page=0", "page", None),
        ("limit=201", "limit", None),
        ("limit=1&limit=2", "limit", None),
        (f"search={'x' * 201}", "search", None),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(client: Client, query: str, parameter: str, advice: str | None) -> None:
    problem = problem_of(client.get(f"/api/v1/models?{query}"))
    assert (problem["status"], problem["code"], problem["parameter"]) == (400, "bad-parameter", parameter)
    assert advice is None or advice in problem["advice"]


def test_a_model_shows_every_claim_with_its_source(client: Client) -> None:
    body = client.json("/api/v1/models/phi-3.5-mini-instruct")
    by_name = {one["property"]["name"]: one for one in body["properties"]}
    assert set(by_name) == {one["name"] for one in client.json("/api/v1/properties")["properties"]}
    context = by_name["maxContextLength"]
    assert (context["cell"]["value"], context["cell"]["unit"], context["cell"]["status"]) == (131072, "tok", "accepted")
    assert context["disagreement"]["kinds"] == ["value"]
    resolution = context["disagreement"]["resolution"]
    assert (resolution["rule"], resolution["by"]["name"]) == ("trust-rank", "slmkg-loader")
    iris = {claim["iri"] for claim in context["claims"]}
    assert iris == set(context["cell"]["claims"])
    assert set(resolution["accepts"]) | set(resolution["rejects"]) <= iris
    for one in body["properties"]:
        for claim in one["claims"]:
            assert claim["source"]["title"]
            assert claim["locator"]
            assert claim["reading"]
            assert claim["reported"] is not None
            assert 1 <= claim["source"]["trust_rank"] <= 5
    ranks = [claim["source"]["trust_rank"] for claim in context["claims"]]
    assert ranks == sorted(ranks)


def test_a_person_s_decision_says_who_when_and_why(client: Client) -> None:
    body = client.json("/api/v1/models/qwen1.5-1.8b")
    (tied,) = [one for one in body["properties"] if one["property"]["name"] == "tiesEmbeddings"]
    resolution = tied["disagreement"]["resolution"]
    assert (resolution["rule"], resolution["by"]["label"]) == ("manual", "slmkg team")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", resolution["date"])
    assert "tied" in resolution["note"]


def test_a_derived_value_names_formula_and_inputs(client: Client) -> None:
    body = client.json("/api/v1/models/openelm-1-1b")
    by_name = {one["property"]["name"]: one for one in body["properties"]}
    computed = by_name["computedParameterCount"]
    assert computed["cell"]["value"] == 1079891456
    assert computed["cell"]["status"] == "derived"
    assert computed["derivation"]["formula"]
    assert computed["derivation"]["inputs"] == computed["cell"]["claims"] != []
    assert computed["derivation"]["rests_on_proposed"] is False


def test_layers_that_differ_are_listed(client: Client) -> None:
    body = client.json("/api/v1/models/openelm-1-1b")
    groups = body["layer_groups"]
    assert groups[0]["first"] == 0
    assert [group["first"] for group in groups[1:]] == [group["last"] + 1 for group in groups[:-1]]
    assert groups[-1]["last"] == 27
    names = {one["property"]["name"] for one in groups[0]["properties"]}
    assert names == {"numAttentionHeads", "numKeyValueHeads", "intermediateSize"}
    heads = next(one for one in body["properties"] if one["property"]["name"] == "numKeyValueHeads")
    assert (heads["cell"]["status"], heads["cell"]["reason"]) == ("missing", "varies-by-layer")


def test_an_unknown_model_is_not_found(client: Client) -> None:
    problem = problem_of(client.get("/api/v1/models/opt125m"))
    assert (problem["status"], problem["code"]) == (404, "not-found")
    assert "'opt-125m'" in problem["advice"]


def test_a_comparison_keeps_the_order_asked_for(client: Client) -> None:
    body = client.json(f"{TABLE}?models=openelm-1-1b, opt-125m,openelm-1-1b&properties=hiddenSize,numLayers,hiddenSize")
    assert [one["slug"] for one in body["models"]] == ["openelm-1-1b", "opt-125m"]
    assert [one["name"] for one in body["properties"]] == ["hiddenSize", "numLayers"]
    assert [row["model"] for row in body["rows"]] == ["openelm-1-1b", "opt-125m"]
    assert [row["cells"]["numLayers"]["value"] for row in body["rows"]] == [28, 12]


def test_each_status_has_a_cell_that_shows_it(client: Client) -> None:
    body = client.json(
        f"{TABLE}?models=opt-125m,openelm-1-1b"
        "&properties=numLayers,parameterCount,license,computedParameterCount,numKeyValueHeads,trainedOn,attentionType"
    )
    opt, openelm = (row["cells"] for row in body["rows"])
    assert (opt["numLayers"]["status"], opt["numLayers"]["value"]) == ("accepted", 12)
    assert opt["numLayers"]["sources"] == {"agreeing": 3, "disagreeing": 0}
    assert (opt["parameterCount"]["status"], opt["parameterCount"]["value"]) == ("disputed", None)
    assert len(opt["parameterCount"]["candidates"]) == 2
    assert opt["parameterCount"]["sources"] == {"agreeing": 0, "disagreeing": 3}
    assert (openelm["license"]["status"], openelm["license"]["value"]) == ("proposed", "apple-sample-code")
    assert openelm["computedParameterCount"]["status"] == "derived"
    assert openelm["numKeyValueHeads"]["reason"] == "varies-by-layer"
    assert isinstance(opt["trainedOn"]["value"], list)
    assert opt["attentionType"]["value"] == "MHA"
    assert opt["attentionType"]["things"][0]["label"] == "multi-head attention"


def test_without_properties_the_usual_ones_are_compared(client: Client) -> None:
    assert len(client.json(f"{TABLE}?models=opt-125m")["properties"]) > 10


@pytest.mark.parametrize(
    ("query", "parameter", "advice"),
    [
        ("models=", "models", ""),
        ("models=%20,%20", "models", ""),
        ("models=opt125m", "models", "'opt-125m'"),
        ("models=opt-125m&properties=numlayer", "properties", "'numLayers'"),
        ("model=opt-125m", "model", "'models'"),
        (f"models={','.join(f'm{number}' for number in range(201))}", "models", "200"),
    ],
)
@pytest.mark.parametrize("path", [TABLE, f"{TABLE}.csv"])
def test_a_comparison_names_what_it_does_not_know(
    client: Client, path: str, query: str, parameter: str, advice: str
) -> None:
    problem = problem_of(client.get(f"{path}?{query}"))
    assert (problem["status"], problem["parameter"]) == (400, parameter)
    assert advice in problem.get("advice", "")


def test_the_csv_tells_what_the_json_tells(client: Client) -> None:
    everything = ",".join(item["slug"] for item in client.json(ALL)["items"][:40])
    query = f"models={everything}&properties=numLayers,releasedIn,license,trainedOn,ropeTheta,tiesEmbeddings"
    table = client.json(f"{TABLE}?{query}")
    response = client.get(f"{TABLE}.csv?{query}")
    assert response.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert response.text.count("\r\n") == response.text.count("\n") == 41
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert [row["model"] for row in rows] == [row["model"] for row in table["rows"]]
    for row, expected in zip(rows, table["rows"], strict=True):
        for name, cell in expected["cells"].items():
            assert row[f"{name}.status"].split(":")[0] == cell["status"]
            value = cell["value"]
            if value is None:
                assert row[name] == ""
            elif isinstance(value, list):
                assert row[name].split("; ") == value
            elif isinstance(value, bool):
                assert row[name] == str(value).lower()
            elif isinstance(value, str):
                assert row[name] == value
            else:
                assert float(row[name]) == value


def test_properties_come_with_meaning_and_unit(client: Client) -> None:
    found = {one["name"]: one for one in client.json("/api/v1/properties")["properties"]}
    assert found["maxContextLength"]["unit"]["symbol"] == "tok"
    assert found["kvCacheBytesPerToken"]["kind"] == "derived"
    assert (found["trainedOn"]["several"], found["numLayers"]["several"]) == (True, False)
    assert (found["trainedOn"]["of"], found["numLayers"]["of"]) == ("model", "architecture")
    assert "tokenCount" not in found, "a property of datasets"
    assert all(one["label"] and one["definition"] for one in found.values())


def test_example_queries_can_be_run_at_their_address(client: Client) -> None:
    found = client.json("/api/v1/queries")["queries"]
    assert [one["name"] for one in found][:2] == ["CQ01", "CQ02"]
    for one in found:
        assert one["title"]
        assert one["text"] in parse_qs(urlsplit(one["run"]).query)["query"]
    assert client.get(found[0]["run"]).status_code == 200


def test_tags_change_with_the_address_and_save_the_work(client: Client) -> None:
    tags = set()
    for url in ("/api/v1/models", "/api/v1/models?page=2", "/api/v1/models/opt-125m", "/api/v1/queries"):
        response = client.get(url)
        tag = response.headers["etag"]
        tags.add(tag)
        assert response.headers["x-revision"] == "1"
        unchanged = client.get(url, headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
        assert client.get(url, headers={"If-None-Match": '"1-other"'}).status_code == 200
    assert len(tags) == 4


def test_the_examples_in_openapi_are_real(client: Client, seed_services: Any) -> None:
    real = build_api.answers(seed_services)
    kept = json.loads(build_api.ANSWERS.read_text(encoding="utf-8"))
    read = {operation: answer for operation, answer in kept.items() if operation in examples.REQUESTS}
    assert build_api.without_times(read) == build_api.without_times(real), "run: python scripts/build_api.py --examples"
    document = client.app.openapi()
    shown = {
        operation["operationId"]: content["example"]
        for path in document["paths"].values()
        for operation in path.values()
        for status in ("200", "201", "202")
        for content in operation["responses"].get(status, {}).get("content", {}).values()
        if "example" in content
    }
    assert shown == kept
    assert set(kept) == {*examples.REQUESTS, *examples.WRITES, *examples.AFTERWARDS}


# --- predictions ------------------------------------------------------------------------------------------------------


def test_predictions_tell_where_from_and_how_sure(client: Client) -> None:
    body = client.json("/api/v1/models/qwen2.5-1.5b/predictions?prompt=256")
    assert (body["origin"], body["model"], body["prompt"], body["depth"]) == ("predicted", "qwen2.5-1.5b", 256, 0)
    assert {one["place"]["variant"] for one in body["outlooks"]} == {"F16", "Q8_0", "Q4_K_M"}
    for one in body["outlooks"]:
        assert (one["measured"], one["reason"], one["place"]["engine"]) == (False, None, "llama.cpp")
        prefill, decode = one["predicted"]
        assert (prefill["phase"], decode["phase"]) == ("prefill", "decode")
        for phase in (prefill, decode):
            rate = phase["rate"]
            assert rate["lower"] < rate["value"] < rate["upper"]
            assert phase["models"] >= 12
            assert 0 < phase["median_error"] < 0.3
        assert prefill["rate"]["value"] == pytest.approx(256 / prefill["seconds"]["value"])
        assert prefill["rate"]["value"] > decode["rate"]["value"]
    longer = client.json("/api/v1/models/qwen2.5-1.5b/predictions?prompt=256&depth=2000")
    for here, there in zip(body["outlooks"], longer["outlooks"], strict=True):
        assert here["predicted"][1]["seconds"]["value"] < there["predicted"][1]["seconds"]["value"]


def test_a_model_that_was_measured_says_so_and_is_near_its_prediction(client: Client) -> None:
    body = client.json("/api/v1/models/smollm-360m/predictions?prompt=256")
    assert all(one["measured"] for one in body["outlooks"])
    seen = client.json("/api/v1/observations?where=model:smollm-360m,metric:decode-throughput,weights:Random")
    rates = {(one["quantisation"], one["promptTokens"]): one["value"] for one in seen["items"]}
    for one in body["outlooks"]:
        variant = one["place"]["variant"]
        assert one["predicted"][1]["rate"]["value"] == pytest.approx(rates[variant, 256], rel=0.5)


def test_a_model_that_the_engine_cannot_run_is_not_predicted(client: Client) -> None:
    body = client.json("/api/v1/models/opt-1.3b/predictions")
    assert all(one["predicted"] == [] and "llama.cpp has no architecture" in one["reason"] for one in body["outlooks"])


@pytest.mark.parametrize("query", ["prompt=0", "prompt=x", "depth=-1", "generated=0", "prompt=10000000", "seed=1"])
def test_predictions_for_impossible_tokens_are_refused(client: Client, query: str) -> None:
    assert problem_of(client.get(f"/api/v1/models/phi-2/predictions?{query}"))["status"] == 400


def test_predictions_of_no_model_are_not_found(client: Client) -> None:
    assert problem_of(client.get("/api/v1/models/phi-9/predictions"))["status"] == 404
