"""The pages in a real browser: sorting, filtering and the evidence of a cell, with no request to another host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.web.serving import serving

pytestmark = pytest.mark.heavy

SCORE = "accuracy(benchmark=commonsense-average;shots=5)"
PAGES = (
    "/compare",
    "/compare?models=phi-2,gemma-2-2b,opt-125m&transpose=yes",
    "/compare?where=parameters:abc..",
    "/compare/cell?model=phi-2&property=numLayers",
    "/models",
    "/models/phi-2",
    "/benchmarks",
    "/benchmarks/mmlu",
    "/resource/source/survey-leaderboard.html",
    "/trends",
    "/trends?property=trainingTokens",
    "/fit",
    "/insights",
)


@pytest.fixture(scope="module")
def address(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("browser") / "data"))
    with serving(data) as base:
        yield base


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that notes what goes wrong: requests to other hosts, errors of scripts, what the policy refuses."""
    wrong: list[str] = []
    opened = browser.new_page(base_url=address, viewport={"width": 1440, "height": 1000})
    host = urlsplit(address).netloc
    opened.on("request", lambda one: wrong.append(one.url) if urlsplit(one.url).netloc != host else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda one: wrong.append(one.text) if "Content Security Policy" in one.text else None)
    yield opened
    opened.close()
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [
        "/compare?properties=parameters,accuracy(benchmark=mmlu;shots=5)",
        "/models/qwen1.5-0.5b",
        "/benchmarks/winogrande",
        "/trends",
        "/fit",
    ],
)
def test_charts_are_seen(page: Page, path: str) -> None:
    page.goto(path)
    pictures = page.locator("figure img")
    assert pictures.count() > 0
    for place in range(pictures.count()):
        one = pictures.nth(place)
        one.scroll_into_view_if_needed()
        one.evaluate("one => one.decode()")
        wide, high = one.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        assert wide > 300
        assert high > 100


def test_a_chart_comes_to_life_when_asked_and_tells_its_values(page: Page) -> None:
    page.goto("/trends")
    page.get_by_role("button", name="Show values at the pointer").click()
    page.locator(".live svg g.mark-rect path").first.hover()
    told = page.locator(".vg-tooltip.visible")
    told.wait_for()
    assert "MHA" in told.inner_text()
    assert page.locator("figure img").count() == 0


def test_the_picture_stays_when_it_cannot_come_to_life(page: Page) -> None:
    page.route("**/vega.min.js", lambda route: route.abort())
    page.goto("/trends")
    page.get_by_role("button", name="Show values at the pointer").click()
    page.get_by_role("button", name="cannot be brought to life").wait_for()
    assert page.locator("figure img").is_visible()


def models(page: Page) -> list[str]:
    return page.locator("table.matrix tbody th > a").all_inner_texts()


def test_the_best_score_below_a_billion_with_an_apache_licence_and_where_it_comes_from(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator(".sheet summary", has_text="Columns").click()
    page.locator("#find").fill("layers")
    assert page.locator("[data-words]:visible").count() < 5
    page.locator("#metric").select_option(SCORE)
    page.get_by_role("button", name="Show these columns").click()
    page.get_by_label("Apache-2.0").check()
    page.wait_for_url("**license:Apache-2.0**")
    field = page.locator('input[name="to:parameters"]')
    field.fill("1B")
    field.press("Enter")
    page.wait_for_url("**parameters:..1B**")
    page.locator(f'th a[data-column="{SCORE}"]').click()
    page.wait_for_load_state()
    assert page.locator("th[aria-sort=descending]").count() == 1
    assert models(page)[0] == "Qwen2.5-0.5B"
    cell = page.locator(f'td[data-column="{SCORE}"] a.cell').first
    value = cell.inner_text()
    cell.click()
    panel = page.locator("dialog[open]")
    panel.wait_for()
    told = panel.inner_text()
    assert value in told
    assert "Leaderboard data of the survey" in told
    assert "/compare?" in page.url
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")


def test_a_slider_filters_at_once_and_the_page_can_be_read_again(page: Page) -> None:
    page.goto("/compare")
    before = page.locator("#found").inner_text()
    slider = page.get_by_label("Greatest Parameters")
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**where=parameters:..**")
    page.wait_for_function("before => document.getElementById('found').innerText !== before", arg=before)
    after = page.locator("#found").inner_text()
    page.reload()
    assert page.locator("#found").inner_text() == after
    page.locator('input[name="to:parameters"]').fill("many")
    page.locator('input[name="to:parameters"]').press("Enter")
    page.locator("#results [role=alert]").wait_for()
    assert "is not a number" in page.locator("#results [role=alert]").inner_text()


def test_without_scripts_everything_is_a_link_or_a_form(browser: Browser, address: str) -> None:
    page = browser.new_page(base_url=address, java_script_enabled=False)
    page.goto("/compare")
    page.get_by_label("Apache-2.0").check()
    page.locator('input[name="to:parameters"]').fill("1B")
    page.get_by_role("button", name="Filter", exact=True).click()
    assert "where=parameters:..1B,license:Apache-2.0" in page.url
    page.locator("a.cell").first.click()
    assert page.locator("#evidence h1").count() == 1
    page.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways(page: Page, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_of_insights_are_drawn_without_scripts(browser: Browser, address: str) -> None:
    """Six insights and the check of times: seven pictures from this address alone; contents lead to their sections."""
    context = browser.new_context(base_url=address, java_script_enabled=False)
    asked: list[str] = []
    opened = context.new_page()
    opened.on("request", lambda one: asked.append(one.url))
    opened.goto("/insights")
    pictures = opened.locator("figure img")
    assert pictures.count() == 7
    assert all(width is not None and width["width"] > 300 for width in (one.bounding_box() for one in pictures.all()))
    drawn = [one for one in asked if ".svg" in one and "/insights/" in one]
    assert len(drawn) == 7
    assert {urlsplit(one).netloc for one in asked} == {urlsplit(address).netloc}
    opened.get_by_role("navigation", name="Insights").get_by_role("link", name="Key-value cache and memory").click()
    assert opened.url.endswith("/insights#memory")
    opened.locator("#memory details", has_text="rows of numbers").locator("summary").click()
    assert opened.locator("#memory table.figures tbody tr:visible").count() == 22
    context.close()
