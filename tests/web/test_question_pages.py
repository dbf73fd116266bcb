"""The pages for trends and for what fits: forms that keep what was typed, charts that repeat their tables."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import Client
from tests.web.test_compare_pages import hrefs, text_of
from tests.web.test_pages import elements


@pytest.mark.parametrize(
    "address", ["/trends", "/trends?property=trainingTokens&by=year", "/fit", "/fit?memory=1GB&where=permissive:yes"]
)
def test_pages_are_well_made_and_their_links_lead_somewhere(client: Client, address: str) -> None:
    html = client.get(address).text
    found = elements(html)
    labelled = {attributes["for"] for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        assert "style" not in attributes, tag
        if tag == "input":
            assert attributes["id"] in labelled
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}
    for link in {one for one in hrefs(html) if not one.startswith("#")}:
        assert client.get(link).status_code == 200, link


def test_shares_are_listed_as_the_api_says(client: Client) -> None:
    told = client.json("/api/v1/trends?property=attentionType&by=half")
    shown = text_of(client.get("/trends").text)
    for one in told["points"]:
        assert f"{one['period']} {one['value']} {one['models']}" in shown


def test_what_fits_is_what_the_api_says(client: Client) -> None:
    query = "memory=2GB&context=4k&bits=4&where=permissive:yes&best=accuracy(benchmark=mmlu;shots=5)"
    told = client.json(f"/api/v1/fit?{query}")
    html = client.get(f"/fit?{query}").text
    assert f"{told['total']} models fit into 2 GB" in text_of(html)
    assert re.findall(r'scope="row"><a href="/models/([^"]+)"', html) == [one["model"] for one in told["models"]]
    for formula in told["formulas"]:
        assert formula["text"] in text_of(html)
    assert text_of(client.get("/fit").text) == text_of(html)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/fit?memory=many", "is not a number"),
        ("/fit?bits=4", "memory: is required"),
        ("/fit?memory=2GB&bits=4&quantisation=Q4_K_M", "says it already"),
        ("/fit?memory=2GB&best=nonsense", "no property or metric"),
        ("/trends?by=week", "is no period"),
        ("/trends?property=a,b", "give one column"),
        ("/trends?nonsense=1", "no such parameter"),
        ('/trends?where="><script>alert(1)</script>', "not"),
    ],
)
def test_what_does_not_fit_is_told_with_a_form_to_mend_it(client: Client, address: str, told: str) -> None:
    response = client.get(address)
    assert response.status_code == 400
    assert told in text_of(response.text)
    assert "<script>" not in response.text
    sent = {a["name"]: a["value"] for tag, a in elements(response.text) if tag == "input"}
    assert sent
    for name, value in re.findall(r"[?&]([a-z]+)=([^&]*)", address):
        assert name == "nonsense" or sent[name] == value
