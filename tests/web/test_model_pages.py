"""The pages of models, benchmarks and things: they say what the API says, and every IRI of ours leads to a document."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from app import vocab
from app.model.rdf import IRI
from app.services import Services
from tests.web.conftest import Client, problem_of
from tests.web.test_compare_pages import hrefs, text_of
from tests.web.test_pages import elements

RDF = {"ttl": "text/turtle", "jsonld": "application/ld+json", "nt": "application/n-triples"}


@pytest.mark.parametrize(
    "address",
    ["/models", "/models/phi-2", "/models/openelm-1-1b", "/benchmarks", "/benchmarks/mmlu", "/benchmarks/gsm8k"],
)
def test_pages_are_well_made_and_their_links_lead_somewhere(client: Client, address: str) -> None:
    html = client.get(address).text
    found = elements(html)
    ids = {str(attributes["id"]) for _, attributes in found if "id" in attributes}
    assert len(ids) == len([1 for _, attributes in found if "id" in attributes])
    labelled = {attributes["for"] for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        if tag in {"input", "select"}:
            assert attributes["id"] in labelled
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}
    seen = set()
    for link in hrefs(html):
        if link.startswith("#"):
            assert link[1:] in ids, link
            continue
        kind = re.sub(r"/(models|benchmarks|resource/\w+)/[^/?.]+", r"/\1/x", re.sub(r"=[^&]*", "", link))
        if urlsplit(link).netloc == "" and kind not in seen:
            seen.add(kind)
            assert client.get(link).status_code in {200, 303}, link


def test_the_list_of_models_is_searched_sorted_and_cut(client: Client) -> None:
    told = client.json("/api/v1/models?search=phi&sort=-parameters")
    html = client.get("/models?search=phi&sort=-parameters").text
    assert re.findall(r'scope="row"><a href="/models/([^"]+)"', html) == [one["slug"] for one in told["items"]]
    everything = client.get("/models?baselines=yes").text
    following = [str(a["href"]) for tag, a in elements(everything) if tag == "a" and a.get("rel") == "next"]
    assert "larger baseline" in everything + client.get(following[0]).text
    assert "No model fits" in client.get("/models?search=zzz").text


@pytest.mark.parametrize("query", ["sort=size", "page=0", "page=x", "baselines=perhaps", "nonsense=1", "page=1&page=2"])
def test_a_list_that_cannot_be_made_is_told_with_its_form(client: Client, query: str) -> None:
    response = client.get(f"/models?{query}")
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert 'name="search"' in response.text


def test_a_model_has_all_its_facts_with_all_their_sources(client: Client) -> None:
    told = client.json("/api/v1/models/phi-2")
    shown = text_of(client.get("/models/phi-2").text)
    for one in told["properties"]:
        assert one["property"]["label"].lower() in shown.lower()
        for claim in one["claims"]:
            assert claim["locator"] in shown
            assert claim["source"]["title"] in shown
    assert "Where sources differ" in shown
    assert "settled" in shown


def test_an_open_conflict_is_shown_openly(client: Client) -> None:
    shown = text_of(client.get("/models/opt-125m").text)
    assert "Parameter count : open, 125,237,760 or 125,239,296" in shown
    assert "nobody has decided yet" in shown


def test_layers_that_differ_have_their_own_facts(client: Client) -> None:
    shown = text_of(client.get("/models/openelm-1-1b").text)
    assert "Layers 0 to" in shown
    assert "varies by layer" in shown


def test_a_benchmark_has_one_ranking_for_each_setting(client: Client) -> None:
    told = client.json("/api/v1/leaderboards/mmlu")
    html = client.get("/benchmarks/mmlu").text
    shown = text_of(html)
    assert f"There are {len(told['rankings'])} rankings" in shown
    assert html.count("<table") == len(told["rankings"])
    first = told["rankings"][0]["entries"]
    listed = re.findall(r'scope="row"><a href="/models/([^"]+)"', html)
    assert listed[: len(first)] == [one["model"] for one in first]
    tied = next(one["tied"] for one in first if one["tied"] > 1)
    assert f"tied, {tied} models" in shown
    fewer = client.get("/benchmarks/mmlu?with=shots:5&where=parameters:..1B").text
    assert "larger baselines and what does not fit the filters are left out" in text_of(fewer)
    short = client.get("/benchmarks/commonsense-average?with=shots:5").text
    assert "Ranks count all 72, so some are missing here: larger baselines are left out" in text_of(short)
    (whole,) = [one for one in hrefs(short) if "baselines=yes" in one]
    assert "Ranking with 72 of 72 models Rank" in text_of(client.get(whole).text)
    assert 0 < fewer.count('scope="row"') < html.count('scope="row"')


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/models/phi-22", 404, "phi-2"),
        ("/models/phi-2?x=1", 400, "no such parameter"),
        ("/benchmarks/mmluu", 404, "mmlu"),
        ("/benchmarks/mmlu?with=shots:many", 400, "is not a number"),
        ("/benchmarks/mmlu?metric=nonsense", 400, "no metric"),
        ("/models/%3Cscript%3Ealert(1)", 404, "alert(1)"),
        ("/benchmarks/%3Cscript%3E", 404, "Not found"),
    ],
)
def test_what_there_is_not(client: Client, address: str, status: int, told: str) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert told in text_of(response.text)
    assert "<script>" not in response.text


@pytest.mark.parametrize("prefix", ["/id", "/resource"])
@pytest.mark.parametrize(
    ("accept", "place"),
    [
        (None, "/models/phi-2"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "/models/phi-2"),
        ("text/turtle", "/resource/model/phi-2.ttl"),
        ("application/ld+json", "/resource/model/phi-2.jsonld"),
        ("application/n-triples", "/resource/model/phi-2.nt"),
        ("application/json", "/api/v1/models/phi-2"),
    ],
)
def test_a_name_leads_to_what_the_client_likes(client: Client, prefix: str, accept: str | None, place: str) -> None:
    headers = {"Accept": accept} if accept else {"Accept": ""}
    response = client.get(f"{prefix}/model/phi-2", headers=headers)
    assert (response.status_code, response.headers["location"]) == (303, place)
    assert response.headers["vary"] == "Accept"
    assert client.get(place).status_code == 200


def test_names_below_a_revision_stay_there(client: Client) -> None:
    response = client.get("/r/1/id/benchmark/mmlu", headers={"Accept": "text/html"})
    assert response.headers["location"] == "/r/1/benchmarks/mmlu"
    kept = client.get("/r/1/benchmarks/mmlu")
    assert "immutable" in kept.headers["cache-control"]
    assert 'href="/r/1/models/' in kept.text
    named = client.get("/id/source/survey-leaderboard?revision=1", headers={"Accept": "text/turtle"})
    assert named.headers["location"] == "/resource/source/survey-leaderboard.ttl?revision=1"
    assert client.get(named.headers["location"]).status_code == 200


def test_a_name_that_the_graph_does_not_know(client: Client) -> None:
    for address in ("/id/model/nope", "/resource/model/nope.ttl", "/id/nope/phi-2", "/resource/claim/nope.html"):
        assert problem_of(client.get(address))["status"] == 404
    assert problem_of(client.get("/id/model/phi-2", headers={"Accept": "image/png"}))["status"] == 406
    assert problem_of(client.get("/id/model/%3E%20a"))["status"] == 404


@pytest.mark.parametrize("ending", list(RDF))
def test_documents_hold_what_the_graph_says_of_a_thing(client: Client, ending: str) -> None:
    iri = f"{vocab.BASE}resource/family/phi"
    response = client.get(f"/resource/family/phi.{ending}")
    assert response.headers["content-type"].split(";")[0] == RDF[ending]
    query = f"SELECT (COUNT(*) AS ?n) WHERE {{ <{iri}> ?p ?o }}"
    (row,) = client.json("/sparql", params={"query": query})["results"]["bindings"]
    if ending == "nt":
        assert len(response.text.splitlines()) == int(row["n"]["value"])
    told = client.json("/resource/family/phi.json")
    assert sum(map(len, told[iri].values())) == int(row["n"]["value"])


def test_a_page_of_a_thing_bears_its_name_and_tells_who_speaks_of_it(client: Client) -> None:
    html = client.get("/resource/family/phi.html").text
    assert "<h1>Phi</h1>" in html
    assert 'href="/resource/model/phi-2"' in html


def test_every_kind_of_thing_has_a_page(client: Client, seed_services: Services) -> None:
    first: dict[str, str] = {}
    prefix = f"{vocab.BASE}resource/"
    for quad in seed_services.store.at().quads():
        if isinstance(quad.subject, IRI) and quad.subject.value.startswith(prefix):
            kind, _, slug = quad.subject.value.removeprefix(prefix).partition("/")
            assert "/" not in slug
            first.setdefault(kind, slug)
    assert len(first) > 15
    for kind, slug in first.items():
        response = client.get(f"/resource/{kind}/{slug}.html")
        assert response.status_code == 200, (kind, slug)
        assert f"<code>{prefix}{kind}/{slug}</code>" in response.text
        for link in {one for one in hrefs(response.text) if one.startswith("/resource/")}:
            assert client.get(link).status_code in {200, 303}, link
            break


def test_a_model_that_was_not_measured_is_predicted_apart_from_its_observations(client: Client) -> None:
    html = client.get("/models/qwen2.5-1.5b").text
    assert "Predicted, not measured" in html
    assert "None of it enters a comparison or a ranking" in html
    told = client.json("/api/v1/models/qwen2.5-1.5b/predictions?prompt=256")["outlooks"][0]
    assert told["place"]["machine"] in html
    assert "Predicted, not measured" not in client.get("/models/smollm-360m").text
