"""The pages for people: what they say, that they work without scripts, and that nothing comes from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.compare.questions import questions
from app.web import pages
from tests.web.conftest import Client, problem_of

STATIC = Path(pages.__file__).parent / "static"


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


@pytest.mark.parametrize("path", ["/", "/query", "/query?example=CQ01", "/docs"])
def test_pages_load_nothing_from_elsewhere_and_run_no_script_of_their_own(client: Client, path: str) -> None:
    found = elements(client.get(path).text)
    for tag, attributes in found:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "style" not in attributes, tag
        if tag in {"script", "link", "img", "form"}:
            address = attributes.get("src") or attributes.get("href") or attributes.get("action")
            assert address is not None, "nothing inline"
            assert address.startswith("/"), address
            assert not address.startswith("//"), address


@pytest.mark.parametrize("path", ["/", "/query?example=CQ01", "/docs"])
def test_pages_are_well_made(client: Client, path: str) -> None:
    found = elements(client.get(path).text)
    tags = [tag for tag, _ in found]
    assert tags.count("main") == tags.count("title") == 1
    assert ("html", {"lang": "en"}) in found
    labelled = {attributes["for"] for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        if tag in {"textarea", "select", "input"}:
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
    response = client.get("/query", params={"example": name})
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
    response = client.get("/query", params={"query": query})
    assert response.status_code == 200
    assert shown in response.text
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("query", ["SELECT", "</textarea><script>x</script>", "DROP ALL", ""])
def test_a_query_that_fails_is_shown_with_its_error(client: Client, query: str) -> None:
    response = client.get("/query", params={"query": query})
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert "<script>x" not in response.text


def test_an_unknown_example_is_not_found(client: Client) -> None:
    assert problem_of(client.get("/query?example=CQ99"))["status"] == 404


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
