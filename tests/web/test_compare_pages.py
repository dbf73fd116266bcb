"""The comparison as a page: links and forms end in one address, and nothing that is typed becomes HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
import pytest

from app.compare import spec
from app.compare.spec import Column
from app.web import compare_links
from app.web.compare_links import Place
from tests.web.conftest import Client
from tests.web.test_pages import elements

SCORE = "accuracy(benchmark=commonsense-average;shots=5)"
ADDRESSES = (
    "/compare",
    f"/compare?where=parameters:..1B,license:Apache-2.0&properties=parameters,license,{SCORE}&sort=-{SCORE}",
    "/compare?models=phi-2,gemma-2-2b,opt-125m&transpose=yes&different=yes",
    "/compare?group=attentionType&properties=parameters,trainedOn&limit=5",
    "/compare?tray=phi-2,opt-125m&search=phi",
    "/compare?units=kvCacheBytesPerToken:kB/tok&properties=kvCacheBytesPerToken&revision=1",
    "/compare?baselines=yes&where=trainingTokens:missing",
    "/compare/cell?model=phi-2&property=numLayers",
    f"/compare/cell?model=phi-2&property={SCORE}",
)


def hrefs(html: str) -> list[str]:
    return [str(attributes["href"]) for tag, attributes in elements(html) if tag == "a" and attributes.get("href")]


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def rows(html: str) -> list[str]:
    """Slugs of the models in the rows of the table, in order."""
    body = html.split('class="matrix"')[1].split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    return [unquote(one) for one in re.findall(r'<th scope="row"><a href="[^"]*/models/([^"]+)"', body)]


@pytest.mark.parametrize("address", [one for one in ADDRESSES if "units" not in one])
def test_pages_are_well_made_and_load_nothing_from_elsewhere(client: Client, address: str) -> None:
    found = elements(client.get(address).text)
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "style" not in attributes, tag
        if tag in {"textarea", "select", "input"} and attributes.get("type") != "hidden":
            assert attributes.get("aria-label") or attributes["id"] in labelled
        if tag == "script":
            assert str(attributes["src"]).startswith("/static/")
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}


@pytest.mark.parametrize("address", ADDRESSES[:1] + ADDRESSES[2:5] + ADDRESSES[6:])
def test_every_link_of_a_page_leads_somewhere(client: Client, address: str) -> None:
    seen = set()
    for link in hrefs(client.get(address).text):
        parts = urlsplit(link)
        if parts.netloc not in {"", "slmkg.test"} or link.startswith("#"):
            continue
        kind = re.sub(r"=[^&]*", "", f"{parts.path}?{parts.query}")
        kind = re.sub(r"/(models|resource/\w+)/[^/?]+", r"/\1/x", kind)
        if kind not in seen:
            seen.add(kind)
            response = client.get(link)
            assert response.status_code in {200, 303}, (link, response.text[:300])
    assert len(seen) > 8


def test_the_page_shows_what_the_api_answers(client: Client) -> None:
    query = f"where=parameters:..1B,license:Apache-2.0&properties=parameters,license,{SCORE}&sort=-{SCORE}"
    told = client.json(f"/api/v1/compare?{query}")
    html = client.get(f"/compare?{query}").text
    assert rows(html) == [one["slug"] for one in told["models"]]
    shown = text_of(html)
    assert f"{told['total']} models" in shown
    best = told["rows"][0]["cells"]
    assert f"{best['parameters']['value']:,}" in shown
    assert f"{best[SCORE]['value']:.4g}" in shown


@pytest.mark.parametrize("column", ["parameterCount", "releasedIn", "attentionType"])
def test_columns_are_sorted_by_links_that_turn(client: Client, column: str) -> None:
    def link(html: str) -> str:
        (found,) = [a["href"] for tag, a in elements(html) if tag == "a" and a.get("data-column") == column]
        return str(found)

    def direction(html: str) -> str | None:
        found = [str(a["aria-sort"]) for tag, a in elements(html) if tag == "th" and "aria-sort" in a]
        return found[0] if found else None

    plain = client.get("/compare").text
    assert direction(plain) is None
    once = client.get(link(plain)).text
    twice = client.get(link(once)).text
    assert {direction(once), direction(twice)} == {"ascending", "descending"}
    assert direction(once) == ("descending" if column == "parameterCount" else "ascending")
    told = client.json(link(plain).replace("/compare", "/api/v1/compare"))
    assert rows(once) == [one["slug"] for one in told["models"]]
    assert rows(once) != rows(twice)


def form(client: Client, address: str, **changes: str) -> httpx.Response:
    """What the filters' form leads to, filled in as a browser does, with some fields changed."""
    html = client.get(address).text.split("<form", 1)[1].split("</form>")[0]
    fields: list[tuple[str, str]] = []
    select = ""
    for tag, attributes in elements(f"<form{html}"):
        name = attributes.get("name") or ""
        if tag == "input" and name and (attributes.get("type") != "checkbox" or "checked" in attributes):
            fields.append((name, attributes.get("value") or ""))
        elif tag == "select":
            select = name
        elif tag == "option" and "selected" in attributes:
            fields.append((select, attributes.get("value") or ""))
    for name, value in changes.items():
        fields = [field for field in fields if field[0] != name]
        fields.append((name, value))
    response = client.get("/compare/with", params=fields)
    assert response.status_code == 303, response.text
    return response


@pytest.mark.parametrize(
    "address",
    [
        "/compare?where=parameters:500M..1B,license:MIT|Apache-2.0,trainingTokens:known",
        f"/compare?where={SCORE}:0.4..&sort=-{SCORE},label&properties=parameters,{SCORE}",
        "/compare?where=releasedIn:2023..2024&search=phi&baselines=yes&different=yes&limit=7",
        "/compare?where=attentionType:!MHA,parameters:>1B,family:missing&group=license",
        "/compare?where=license:!known&tray=phi-2,opt-125m",
        "/compare?where=license:MIT|Apache-2.0,parameters:..10M,permissive:true",
    ],
)
def test_a_form_that_is_sent_unchanged_asks_the_same(client: Client, address: str) -> None:
    def asks(where: str) -> tuple[object, ...]:
        given = dict(parse_qsl(urlsplit(where).query))
        lying = given.pop("tray", "")
        told = spec.parse(given)
        return replace(told, where=()), {str(one.column): tested(one.test) for one in told.where}, lying

    def tested(test: spec.Test) -> object:
        return frozenset(test.values) if isinstance(test, spec.OneOf) else test

    assert asks(form(client, address).headers["location"]) == asks(address)


def test_filters_of_the_form(client: Client) -> None:
    changes = {"from:parameters": "100M", "to:parameters": "1B", "any:license": "MIT", "state:trainingTokens": "known"}
    location = form(client, "/compare", **changes).headers["location"]
    told = spec.parse(dict(parse_qsl(urlsplit(location).query)))
    assert {str(one) for one in told.where} == {"parameters:100M..1B", "license:MIT", "trainingTokens:known"}
    assert rows(client.get(location).text)


def test_columns_are_chosen_and_added(client: Client) -> None:
    fields = [("columns", "yes"), ("column", "hiddenSize"), ("column", "numLayers"), ("column", "learningRate")]
    location = client.get("/compare/with", params=[*fields, ("metric", SCORE), ("models", "phi-2")]).headers["location"]
    told = spec.parse(dict(parse_qsl(urlsplit(location).query)))
    assert [str(one) for one in told.properties] == ["numLayers", "hiddenSize", "learningRate", SCORE]
    assert told.models == ("phi-2",)


def test_the_tray_is_kept_in_the_address_and_compared(client: Client) -> None:
    html = client.get("/compare?limit=5").text
    added = next(link for link in hrefs(html) if "tray=" in link)
    html = client.get(added).text
    again = next(link for link in hrefs(html) if link.count(",") == 1 and "tray=" in link)
    lying = dict(parse_qsl(urlsplit(again).query))["tray"].split(",")
    assert len(lying) == 2
    together = next(link for link in hrefs(client.get(again).text) if f"models={','.join(lying)}" in link)
    assert rows(client.get(together).text) == lying
    assert "Compare these 2" in client.get(again).text


def test_pages_follow_one_another_at_one_revision(client: Client) -> None:
    seen: list[str] = []
    address: str | None = "/compare?limit=40&sort=-parameters"
    while address:
        html = client.get(address).text
        seen += rows(html)
        following = [a["href"] for tag, a in elements(html) if tag == "a" and a.get("rel") == "next"]
        address = following[0] if following else None
    assert len(seen) == len(set(seen)) == client.json("/api/v1/compare?limit=1")["total"]


def test_a_cell_without_value_says_why_and_badges_have_words(client: Client) -> None:
    shown = text_of(client.get("/compare?models=phi-2,opt-125m&properties=parameterCount,computedParameterCount").text)
    assert "nobody has looked" in shown
    assert "disputed 3 sources differ" in shown
    assert "derived" in shown


def test_what_does_not_fit_is_told_with_a_form_to_mend_it(client: Client) -> None:
    for query, told in (
        ("where=parameters:abc..", "is not a number"),
        ("properties=nonsense", "there is no property or metric"),
        ("sort=-numLayer", "numLayers"),
        ("nonsense=1", "there is no such parameter here"),
        ("models=phi-22", "phi-2"),
        ("tray=phi-22", "phi-2"),
        ("group=license&transpose=yes", "cannot be turned"),
        ("limit=5&limit=6", "is given twice"),
        ("after=xyz", "after"),
        ("limit=100000", "at most"),
    ):
        response = client.get(f"/compare?{query}")
        assert response.status_code == 400, query
        assert 'role="alert"' in response.text
        assert told in text_of(response.text), query
        assert response.headers["cache-control"] == "no-store"
        sent = {a["name"]: a["value"] for tag, a in elements(response.text) if tag == "input"}
        name, _, value = query.partition("=")
        assert set(spec.PARAMETERS) & {name} <= set(sent) | {"tray", "after", "transpose"}
        wrong = [a["name"] for tag, a in elements(response.text) if tag == "input" and a.get("aria-invalid")]
        if name in sent and "&" not in value:
            assert sent[name] == value
            assert wrong == [name]
    assert client.get("/compare?revision=999").status_code == 404


@pytest.mark.parametrize("name", [*spec.PARAMETERS, "tray", "nonsense"])
def test_nothing_that_is_typed_becomes_html(client: Client, name: str) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    for address in ("/compare", "/compare/with", "/compare/cell"):
        response = client.get(address, params={name: evil}, follow_redirects=True)
        assert "<script>alert" not in response.text
        assert "<img src=x" not in response.text
        assert not [a for tag, a in elements(response.text) if any(name.startswith("on") for name in a)]
        assert response.status_code < 500


@pytest.mark.parametrize("field", ["any:license", "from:parameters", "facet", "column", "metric", "add"])
def test_no_field_of_a_form_breaks_the_page(client: Client, field: str) -> None:
    for value in ("<b>", '"', "a,b", "(", "!", "x" * 3000, "\x00", "🦙"):
        fields = [("facet", "license"), ("facet", "parameters"), ("columns", "yes"), (field, value)]
        response = client.get("/compare/with", params=fields, follow_redirects=True)
        assert response.status_code in {200, 400, 303}, (value, response.text[:200])
        if response.status_code == 303:
            assert client.get(response.headers["location"]).status_code in {200, 400}
        assert "<b>" not in response.text


def test_a_form_with_an_unknown_field_is_refused(client: Client) -> None:
    response = client.get("/compare/with?colum=numLayers")
    assert response.status_code == 400
    assert "column" in text_of(response.text)


def test_values_that_need_quotes_survive_the_form() -> None:
    value = 'a "b", c|d..e'
    fields = [("facet", "license"), ("any:license", value)]
    told, _ = compare_links.changed(fields, ())
    again = spec.parse(dict(parse_qsl(urlsplit(Place(told).here()).query)))
    assert again == told
    (one,) = again.where
    assert one.test == spec.OneOf((value,))


def test_the_evidence_of_a_cell(client: Client) -> None:
    shown = text_of(client.get("/compare/cell?model=phi-2&property=numLayers").text)
    model = client.json("/api/v1/models/phi-2")
    (found,) = [one for one in model["properties"] if one["property"]["name"] == "numLayers"]
    for claim in found["claims"]:
        assert claim["source"]["title"] in shown
        assert claim["locator"] in shown
    assert "Revision 1" in shown
    score = text_of(client.get(f"/compare/cell?model=phi-2&property={SCORE}").text)
    cell = client.json(f"/api/v1/compare?models=phi-2&properties={SCORE}")["rows"][0]["cells"][SCORE]
    assert cell["reported"] in score
    assert "Leaderboard data of the survey" in score
    parameters = text_of(client.get("/compare/cell?model=phi-2&property=parameters").text)
    assert "Computed parameter count" in parameters


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("model=phi-22&property=numLayers", 404),
        ("model=phi-2&property=nonsense", 400),
        ("model=phi-2", 400),
        ("property=numLayers", 400),
        ("model=phi-2&property=numLayers,hiddenSize", 400),
        ("model=phi-2&property=label", 400),
        ("model=phi-2&property=numLayers&x=1", 400),
    ],
)
def test_cells_that_there_are_not(client: Client, query: str, status: int) -> None:
    response = client.get(f"/compare/cell?{query}")
    assert response.status_code == status
    assert 'role="alert"' in response.text


def test_the_same_as_sparql_gives_the_same_values(client: Client) -> None:
    columns = f"numLayers,trainingTokens,parameters,{SCORE}"
    html = client.get(f"/compare?models=phi-2,opt-125m&properties={columns}").text
    link = next(one for one in hrefs(html) if one.startswith("/sparql?query="))
    query = dict(parse_qsl(urlsplit(link).query))["query"]
    answer = client.get("/sparql", params={"query": query}).json()
    told = client.json(f"/api/v1/compare?models=phi-2,opt-125m&properties={columns}")
    by_label = {row["label"]["value"]: row for row in answer["results"]["bindings"]}
    for model, row in zip(told["models"], told["rows"], strict=True):
        found = by_label[model["label"]]
        for name, cell in row["cells"].items():
            if cell["status"] in {"accepted", "derived"}:
                assert float(found[name.partition("(")[0]]["value"]) == pytest.approx(cell["value"])
    assert client.get(link).status_code == 200


def test_downloads_and_the_link_for_ever(client: Client) -> None:
    html = client.get("/compare?models=phi-2&properties=numLayers").text
    links = hrefs(html)
    for ending in ("json", "csv", "parquet", "ttl", "jsonld", "tex", "md"):
        (address,) = [one for one in links if one.startswith(f"/api/v1/compare.{ending}?")]
        assert client.get(address).status_code == 200
    permanent = next(one for one in links if "/r/1/compare?" in one)
    kept = client.get(permanent)
    assert "immutable" in kept.headers["cache-control"]
    assert all(one.startswith(("/r/1/", "#", "http")) or one.split("?")[0] in OUTSIDE for one in hrefs(kept.text))
    pandas = re.search(r'read_csv\(["](.*?)["]\)', html)
    assert pandas
    assert client.get(unescape(pandas.group(1))).text.startswith("model,label,numLayers")


OUTSIDE = {
    "/",
    "/compare",
    "/models",
    "/benchmarks",
    "/trends",
    "/fit",
    "/insights",
    "/sparql",
    "/docs",
    "/jobs",
    "/revisions",
    "/curate",
    "/releases",
}
"""Pages in the header of every page, and those of no revision."""


def test_a_page_is_not_made_again_for_whoever_has_it(client: Client) -> None:
    first = client.get("/compare?models=phi-2", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    tag = first.headers["etag"]
    headers = {"If-None-Match": tag, "Accept-Encoding": "gzip"}
    assert client.get("/compare?models=phi-2", headers=headers).status_code == 304
    assert client.get("/compare?models=opt-125m", headers=headers).status_code == 200
    plain = client.get("/compare?models=phi-2", headers={"Accept-Encoding": "identity"})
    assert plain.text == first.text
    assert plain.headers["etag"] != tag
    head = client.request("HEAD", "/compare?models=phi-2", headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", plain.headers["etag"])


def test_before_anything_was_loaded(empty_client: Client) -> None:
    for address in (
        "/compare",
        "/models",
        "/benchmarks/mmlu",
        "/models/phi-2",
        "/compare/cell?model=a&property=b",
        "/fit",
        "/insights",
    ):
        response = empty_client.get(address)
        assert response.status_code == 503, address
        assert 'role="alert"' in response.text


def test_links_change_one_thing() -> None:
    told = spec.parse({"sort": "-parameters", "where": "parameters:..1B,license:MIT", "units": "memory:GB"})
    place = Place(told, ("a", "b"))
    assert place.without_filter(0) == "/compare?where=license:MIT&sort=-parameters&units=memory:GB&tray=a,b"
    assert place.sorted_by(Column("parameters"), numeric=True).count("sort=parameters") == 1
    assert place.in_unit(Column("memory"), None) == place.with_(units=())
    assert place.with_tray("a") == place.to(told, ("b",))
    assert quote(",") not in place.here()


def test_round_numbers_filter_at_once(client: Client) -> None:
    html = client.get("/compare?where=parameters:200M..,license:Apache-2.0&sort=-parameters&limit=5").text
    links = [one for one in hrefs(html) if "parameters:.." in one]
    assert [parse_qsl(urlsplit(one).query)[0][1] for one in links] == [
        f"license:Apache-2.0,parameters:..{most}" for most in ("300M", "1B", "3B")
    ]
    assert all("sort=-parameters" in one for one in links)
    chosen = client.get(links[1]).text
    assert re.search(r'aria-current=true aria-label="Parameters at most 1B"', chosen)
