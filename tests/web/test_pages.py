"""The pages for people: what they say, that they work without scripts, and that nothing comes from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from markupsafe import escape

from app.compare.questions import questions
from app.web import editor, pages
from tests.web.conftest import Client

STATIC = pages.STATIC
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
"""What browsers send."""


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(html)
    return parser.found


def test_the_front_page_says_what_it_holds(client: Client) -> None:
    html = client.get("/").text
    assert "<dd>104</dd>" in html
    assert "Revision 1" in html
    options = [attributes["value"] for tag, attributes in elements(html) if tag == "option"]
    assert options == [one.name for one in questions()]


@pytest.mark.parametrize("path", ["/", "/sparql", "/sparql?example=CQ01", "/docs"])
def test_pages_load_nothing_from_elsewhere_and_run_no_script_of_their_own(client: Client, path: str) -> None:
    found = elements(client.get(path, headers=HTML).text)
    for tag, attributes in found:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "style" not in attributes, tag
        if tag in {"script", "link", "img", "form"}:
            address = attributes.get("src") or attributes.get("href") or attributes.get("action")
            assert address is not None, "nothing inline"
            assert address.startswith("/"), address
            assert not address.startswith("//"), address


@pytest.mark.parametrize("path", ["/", "/sparql?example=CQ01", "/docs"])
def test_pages_are_well_made(client: Client, path: str) -> None:
    found = elements(client.get(path, headers=HTML).text)
    tags = [tag for tag, _ in found]
    assert tags.count("main") == tags.count("title") == 1
    assert ("html", {"lang": "en"}) in found
    labelled = {attributes["for"] for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        if tag in {"textarea", "select", "input"} and attributes.get("type") != "hidden":
            assert attributes["id"] in labelled
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_links_of_the_front_page_lead_somewhere(client: Client) -> None:
    links = {attributes["href"] for tag, attributes in elements(client.get("/").text) if tag in {"a", "link"}}
    for link in links:
        assert link is not None
        if not link.startswith("#"):
            assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("name", [one.name for one in questions()])
def test_every_example_question_is_answered_on_its_page(client: Client, name: str) -> None:
    response = client.get("/sparql", params={"example": name}, headers=HTML)
    assert response.status_code == 200
    assert "Answer</h2>" in response.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("ASK { ?s ?p ?o }", "Yes"),
        ("CONSTRUCT { ?s a ?o } WHERE { ?s a ?o } LIMIT 1", "<pre"),
        ("SELECT * WHERE { ?s ?p ?o }", "the\n    first of more"),
        ('SELECT ("<script>alert(1)</script>" AS ?x) WHERE {}', "&lt;script&gt;"),
        ("SELECT ?nothing WHERE { <urn:a> <urn:b> ?nothing }", "0 rows"),
    ],
)
def test_answers_are_shown_in_their_form(client: Client, query: str, shown: str) -> None:
    response = client.get("/sparql", params={"query": query}, headers=HTML)
    assert response.status_code == 200
    assert shown in response.text
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("query", ["SELECT", "</textarea><script>x</script>", "DROP ALL", ""])
def test_a_query_that_fails_is_shown_with_its_error(client: Client, query: str) -> None:
    response = client.get("/sparql", params={"query": query}, headers=HTML)
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert "<script>x" not in response.text


def test_an_unknown_example_is_not_found(client: Client) -> None:
    response = client.get("/sparql?example=CQ99", headers=HTML)
    assert (response.status_code, response.headers["vary"]) == (404, "Accept")
    assert "CQ99" in response.text


@pytest.mark.parametrize(
    ("accept", "without", "with_query"),
    [
        (HTML["Accept"], "text/html", "text/html"),
        ("text/html", "text/html", "text/html"),
        ("text/html;q=0.5, */*;q=0.1", "text/html", "text/html"),
        ("text/html;q=0.5, text/turtle", "text/turtle", "application/problem+json"),
        ("text/html;q=0.5, text/csv", "application/problem+json", "text/csv"),
        ("text/*", "text/turtle", "text/csv"),
        ("*/*", "text/turtle", "application/sparql-results+json"),
        ("", "text/turtle", "application/sparql-results+json"),
    ],
)
def test_the_editor_is_for_whoever_likes_it_best(client: Client, accept: str, without: str, with_query: str) -> None:
    for query, expected in ({}, without), ({"query": "SELECT * {}"}, with_query):
        response = client.get("/sparql", params=query, headers={"Accept": accept})
        assert response.headers["content-type"].startswith(expected)
        assert response.status_code >= 400 or "Accept" in response.headers["vary"]


def test_the_editor_keeps_the_query_the_graphs_and_the_revision(client: Client) -> None:
    graph = "https://w3id.org/slmkg/graph/meta"
    query = 'SELECT (COUNT(*) AS ?n) { ?s ?p ?o FILTER(STR(?s) != "a&<b") }'
    given = {"query": query, "default-graph-uri": graph, "format": "html"}
    answers = []
    for address, extra in (("/sparql", {}), ("/sparql", {"revision": "1"}), ("/r/1/sparql", {})):
        response = client.get(address, params={**given, **extra}, headers=HTML)
        assert (response.status_code, response.headers["x-revision"]) == (200, "1"), response.text
        found = elements(response.text)
        root = "/r/1" if extra or address != "/sparql" else ""
        (editor_,) = [one for _, one in found if one.get("id") == "editor"]
        assert editor_["data-endpoint"] == f"{root}/sparql?{urlencode({'default-graph-uri': graph})}"
        (form,) = [one for tag, one in found if tag == "form"]
        assert form["action"] == f"{root}/sparql"
        assert {"type": "hidden", "name": "default-graph-uri", "value": graph} in [one for _, one in found]
        assert f">{escape(query)}</textarea>" in response.text
        assert ("Ask the newest" in response.text) == bool(root)
        answers.append(re.findall(r'<td class="number">(\d+)</td>', response.text))
    told = client.json("/sparql", params={"query": query, "default-graph-uri": graph})
    assert answers == [[told["results"]["bindings"][0]["n"]["value"]]] * 3


def test_things_of_ours_lead_to_their_page(client: Client) -> None:
    query = "SELECT ?m WHERE { VALUES ?m { <https://w3id.org/slmkg/resource/model/phi-2> <https://w3id.org/slmkg/x> } }"
    for address, place in (("/sparql", "/resource/model/phi-2"), ("/r/1/sparql", "/r/1/resource/model/phi-2")):
        found = elements(client.get(address, params={"query": query}, headers=HTML).text)
        links = [one["href"] for tag, one in found if tag == "a" and "/resource/" in str(one["href"]).partition("?")[0]]
        assert links == [place]
        assert client.get(place).status_code == 303


def test_the_old_address_of_the_form_leads_to_the_new_one(client: Client) -> None:
    response = client.get("/query?query=ASK%20%7B%7D&example=a%2Bb")
    assert (response.status_code, response.headers["location"]) == (308, "/sparql?query=ASK%20%7B%7D&example=a%2Bb")
    assert client.get("/query").headers["location"] == "/sparql"


def test_without_the_editor_s_package_the_form_stands_alone(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor, "YASGUI", tmp_path)
    plain = client.get("/sparql", headers=HTML).text
    assert "<script" not in plain
    assert 'name="query"' in plain
    (tmp_path / "yasgui.min.js").touch()
    assert '<script src="/static/vendor/yasgui/build/yasgui.min.js" defer>' in client.get("/sparql", headers=HTML).text


def test_a_store_without_a_revision_has_the_form(empty_client: Client) -> None:
    assert empty_client.get("/sparql", headers=HTML).status_code == 200
    response = empty_client.get("/sparql?query=ASK%7B%7D", headers=HTML)
    assert response.status_code == 503
    assert 'role="alert"' in response.text


def test_the_documentation_says_how_to_install_its_viewer(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SWAGGER", tmp_path)
    missing = client.get("/docs").text
    assert "swagger-ui-dist" in missing
    assert "<script" not in missing
    (tmp_path / "swagger-ui-bundle.js").touch()
    assert '<script src="/static/vendor/swagger-ui/swagger-ui-bundle.js" defer>' in client.get("/docs").text


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_colours_have_enough_contrast_in_both_modes() -> None:
    css = (STATIC / "shell.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)) for block in _root_blocks(css))
    for mode in (light, dark):
        for text in ("text", "quiet", "accent", "error"):
            for ground in ("ground", "raised"):
                assert contrast(mode[text], mode[ground]) >= 4.5, (text, ground)
        assert contrast(mode["on-accent"], mode["accent"]) >= 4.5


def _root_blocks(css: str) -> list[Any]:
    return re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
