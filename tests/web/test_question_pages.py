"""The pages for trends and for what fits: forms that keep what was typed, charts that repeat their tables."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from app.web import svg
from tests.web.conftest import Client
from tests.web.test_compare_pages import hrefs, text_of
from tests.web.test_pages import elements


def drawing(html: str) -> ElementTree.Element:
    found = re.search(r'<svg class="chart" .*?</svg>', html, re.DOTALL)
    assert found
    return ElementTree.fromstring(found.group())


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


def test_shares_are_drawn_as_they_are_listed(client: Client) -> None:
    told = client.json("/api/v1/trends?property=attentionType&by=half")
    html = client.get("/trends").text
    bars = [one.text or "" for one in drawing(html).iter("title")]
    assert sorted(bars) == sorted(
        f"{one['period']}, {one['value']}: {one['models']} of {total(told, one['period'])}" for one in told["points"]
    )
    shown = text_of(html)
    for one in told["points"]:
        assert f"{one['period']} {one['value']} {one['models']}" in shown


def total(told: dict[str, list[dict[str, object]]], period: object) -> int:
    return sum(int(str(one["models"])) for one in told["points"] if one["period"] == period)


def test_quartiles_are_drawn_within_the_picture(client: Client) -> None:
    told = client.json("/api/v1/trends?property=trainingTokens&by=year")
    chart = drawing(client.get("/trends?property=trainingTokens&by=year").text)
    dots = list(chart.iter("circle"))
    assert len(dots) == len(told["points"])
    heights = [float(one.attrib["cy"]) for one in dots]
    assert all(0 < one < 320 for one in heights)
    medians = [one["median"] for one in told["points"]]
    assert sorted(range(len(medians)), key=medians.__getitem__) == sorted(
        range(len(medians)), key=lambda place: -heights[place]
    )


def test_a_chart_of_one_number_and_of_numbers_below_zero() -> None:
    for numbers in ((5.0,) * 5, (-3.0, -2.0, -1.0, 0.0, 2.0), (0.0,) * 5):
        point = dict(zip(("min", "q1", "median", "q3", "max"), numbers, strict=True)) | {"period": "2024<", "models": 1}
        chart = ElementTree.fromstring(svg.quartiles([point], 'a "title" & more'))
        (dot,) = chart.iter("circle")
        assert 0 < float(dot.attrib["cy"]) < 320
        assert chart.attrib["aria-label"] == 'a "title" & more'


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
