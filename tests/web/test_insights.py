"""The page of insights and its data: they say the same, every number is there, and every query can be run."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from app.web.insights import Kept
from tests.web.conftest import Client, problem_of
from tests.web.test_compare_pages import hrefs, text_of
from tests.web.test_pages import elements

LIST = "/api/v1/insights"
SLUGS = ("architecture", "accuracy", "training-tokens", "in-context-learning", "latency", "memory", "cost")


@pytest.fixture(scope="module")
def told(client: Client) -> dict[str, Any]:
    return {slug: client.json(f"{LIST}/{slug}") for slug in SLUGS}


def test_the_list_names_every_insight_with_its_verdict(client: Client, told: dict[str, Any]) -> None:
    listed = client.json(LIST)
    assert [one["slug"] for one in listed["insights"]] == list(SLUGS)
    for one in listed["insights"]:
        full = client.json(one["href"])
        words = [line["verdict"] for line in full["statements"]]
        assert one["verdict"] == full["verdict"]
        assert (one["agree"], one["differ"]) == (words.count("agrees"), words.count("differs"))
        assert one["unknown"] == words.count("cannot be told")
        assert full["rule"] == listed["rule"]


def test_the_page_shows_what_the_data_say(client: Client, told: dict[str, Any]) -> None:
    html = client.get("/insights").text
    shown = text_of(html)
    for one in told.values():
        for text in (one["title"], one["claim"], one["wording"], one["table"]["caption"], *one["notes"]):
            assert " ".join(text.split()) in shown, text
        for line in one["statements"]:
            for text in (line["text"], line["surveyed"], line["found"], line["note"], line["locator"], line["rule"]):
                assert text in shown, text
        for row in one["table"]["rows"]:
            assert str(row[0]) in shown
    tables = [tag for tag, attributes in elements(html) if tag == "table" and attributes.get("class") == "figures"]
    rows = html.count('<tr><th scope="row">') - sum(len(one["statements"]) for one in told.values())
    assert len(tables) == len(SLUGS)
    assert rows == sum(len(one["table"]["rows"]) for one in told.values())
    assert "1,620" in shown, "the weights of Phi-2 in MB"


def test_the_page_is_well_made_and_its_links_lead_somewhere(client: Client) -> None:
    html = client.get("/insights").text
    found = elements(html)
    ids = [str(attributes["id"]) for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(SLUGS) <= set(ids)
    for tag, attributes in found:
        assert "style" not in attributes, tag
        assert tag != "script"
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}
        if tag == "img":
            assert len(str(attributes["alt"])) > 40
    links = hrefs(html)
    assert all(one[1:] in ids for one in links if one.startswith("#"))
    assert len([one for one in links if one.startswith("/sparql?")]) == 8
    own = {one for one in links if "insights" in one or one.startswith(("/sparql?", "/r/", "/resource/"))}
    assert len(own) > 30
    for link in own:
        assert client.get(link).status_code in {200, 303}, link


def test_every_query_can_be_run_and_gives_the_rows(client: Client, told: dict[str, Any]) -> None:
    for one in told.values():
        for query in one["queries"]:
            assert client.json(query["run"])["results"]["bindings"], query["name"]
            assert query["text"].startswith(f"# {query['title']}")
    (tokens,) = told["training-tokens"]["queries"]
    assert tokens["text"] == next(q["text"] for q in client.json("/api/v1/queries")["queries"] if q["name"] == "CQ07")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_chart_has_its_data_inside_and_titles_with_units(client: Client, slug: str, told: dict[str, Any]) -> None:
    answer = client.get(f"{LIST}/{slug}.vl.json")
    assert answer.headers["content-type"] == "application/vnd.vegalite.v6+json"
    spec = answer.json()
    assert spec["data"]["values"]
    encoding = spec.get("encoding") or spec["layer"][0]["encoding"]
    assert any("[" in encoding[axis]["title"] for axis in ("x", "y"))
    fields = {one["field"] for one in encoding.values()}
    assert all(fields <= one.keys() for one in spec["data"]["values"])
    assert client.get(told[slug]["chart"]).content == answer.content


def test_a_picture_is_drawn_for_light_and_for_dark(client: Client, told: dict[str, Any]) -> None:
    one = client.get(told["latency"]["picture"])
    assert one.headers["content-type"] == "image/svg+xml"
    assert one.headers["cache-control"].endswith("immutable")
    assert "sandbox" in one.headers["content-security-policy"]
    assert ElementTree.fromstring(one.text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "[ms]" in one.text
    assert told["latency"]["title"] in " ".join(ElementTree.fromstring(one.text).itertext())
    assert "prefers-color-scheme:dark" in one.text
    assert client.get(f"{LIST}/latency.svg").text == one.text
    assert problem_of(client.get(f"{LIST}/latency.svg?theme=dark"))["parameter"] == "theme"


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/latnecy", 404, "Did you mean 'latency'?"),
        ("/latnecy.svg", 404, "Did you mean 'latency'?"),
        ("/memroy.vl.json", 404, "Did you mean 'memory'?"),
        ("/latency.csv", 404, "Did you mean 'latency'?"),
        ("/%00%ff", 404, "Known are:"),
        ("/" + "x" * 5000, 404, "Known are:"),
        ("/latency?nonsense=1", 400, ""),
        ("/latency?revision=99", 404, "The newest is"),
        ("/latency?revision=0", 400, ""),
    ],
)
def test_what_does_not_fit_is_a_problem(client: Client, address: str, status: int, told: str) -> None:
    response = client.get(LIST + address)
    assert response.status_code == status
    problem = problem_of(response)
    assert told in problem.get("advice", "")
    assert len(response.content) < 1500


def test_the_page_says_what_does_not_fit(client: Client) -> None:
    assert client.get("/insights?nonsense=1").status_code == 400
    missing = client.get("/insights?revision=99")
    assert missing.status_code == 404
    assert 'role="alert"' in missing.text


def test_answers_have_tags_and_stand_for_ever_below_their_revision(client: Client) -> None:
    for address in ("/insights", LIST, f"{LIST}/memory", f"{LIST}/memory.vl.json", f"{LIST}/memory.svg"):
        answer = client.get(address)
        assert answer.headers["x-revision"] == "1"
        again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), address
        head = client.request("HEAD", address)
        assert (head.status_code, head.content) == (200, b"")
        assert client.get(f"{address}?revision=1").status_code == 200
        older = client.get(f"/r/1{address}")
        assert older.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert 'href="/r/1/api/v1/insights/memory"' in client.get("/r/1/insights").text


def test_only_so_much_is_kept() -> None:
    kept = Kept()
    for place in range(100):
        kept.put((place,), str(place))
        assert kept.get((0,)) == "0", "what is used stays"
    assert kept.get((99,)) == "99"
    assert kept.get((1,)) is None
