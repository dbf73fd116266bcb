"""Every page in a real browser: what axe finds (WCAG 2.2 AA), keys instead of a mouse, and no request elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from app.access import KeyRing, Scope
from app.jobs.queue import Queue
from app.jobs.values import Progress
from app.measure.values import Status
from app.services import Services
from app.settings import Settings
from app.web.negotiation import HTML
from app.wiring import build
from tests.jobs.making import ADA, claimed, measured, plan
from tests.release.conftest import released
from tests.web.orkg_pulled import PAGE, pull_into
from tests.web.serving import serving

__all__ = ["released"]

pytestmark = pytest.mark.heavy

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
DESK: ViewportSize = {"width": 1440, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCORE = "accuracy(benchmark=commonsense-average;shots=5)"
COUNT = "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT (COUNT(?m) AS ?models) { ?m a slm:LanguageModel }"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = (
    "/",
    "/models",
    "/models/phi-2",
    "/compare?limit=10",
    f"/compare?where=parameters:..1B,license:Apache-2.0&properties=parameters,license,{SCORE}&sort=-{SCORE}",
    "/compare?models=phi-2,gemma-2-2b,opt-125m&transpose=yes&tray=phi-2",
    "/compare?where=parameters:abc..",
    "/compare/cell?model=phi-2&property=numLayers",
    "/benchmarks",
    "/benchmarks/commonsense-average",
    "/trends",
    "/trends?property=trainingTokens",
    "/fit",
    "/insights",
    "/sparql",
    "/sparql?example=CQ01",
    "/r/1/sparql?query=ASK%20%7B%7D",
    "/revisions",
    "/revisions/1",
    "/jobs",
    "/jobs?runs=2",
    "/jobs/{over}",
    "/jobs/{running}",
    "/orkg",
    PAGE,
    f"{PAGE}?state=same",
    "/releases",
    "/releases/2026.11",
    "/resource/source/survey-leaderboard.html",
    "/resource/architecture/phi-2.html",
    "/curate",
    "/curate/sign-in",
    "/curate/disagreements",
    "/curate/cases/gpt-neo-1.3b/activation",
    "/curate/proposals",
    "/models/no-such-model",
    "/docs",
)
SIGNED_IN = ("/curate", "/curate/jobs", "/curate/jobs/{running}", "/curate/cases/gpt-neo-1.3b/activation")


@dataclass(frozen=True)
class Place:
    """A running service on the seed and two releases, the key of a curator, and jobs: one is over, one runs."""

    base: str
    key: str
    jobs: dict[str, str]


@dataclass
class Window:
    """A page with its context, and what went wrong: requests elsewhere, errors of scripts, what the policy refused."""

    page: Page
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def place(seed_folder: Path, released: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("pages") / "data"))
    shutil.copytree(released.settings.data_dir / "releases", data / "releases")
    pull_into(build(Settings(data_dir=data)))
    scopes = (Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT)
    _, key = KeyRing(data / "keys.json").create("Ada", scopes, datetime.now(UTC))
    with serving(data, jobs_worker="false") as base:
        yield Place(base, key, jobs_in(data))


def jobs_in(data: Path) -> dict[str, str]:
    """Make a job that is over, with good and bad cells, and one that runs; their ids."""
    jobs = Queue(data / "jobs.sqlite")
    over, _ = jobs.submit(plan(50, 128, 512), ADA)
    measured(jobs)
    measured(jobs, status=Status.MEMORY_LIMIT)
    measured(jobs, status=Status.CRASHED)
    jobs.not_delivered(over.id, "somebody else is writing")
    running, _ = jobs.submit(plan(50, 128, title="More tiny models"), ADA)
    jobs.beat(claimed(jobs).token, Progress("decode", 0.4, (("decode", 12.5),)))
    jobs.database.close()
    return {"over": over.id, "running": running.id}


@pytest.fixture
def window(browser: Browser, place: Place) -> Iterator[Window]:
    context = browser.new_context(base_url=place.base, viewport=DESK)
    context.set_default_navigation_timeout(120_000)  # a busy machine needs a while for a page that asks much
    opened = Window(context.new_page(), context)
    host = urlsplit(place.base).netloc
    context.on("request", lambda one: opened.wrong.append(one.url) if urlsplit(one.url).netloc != host else None)
    opened.page.on("pageerror", lambda error: opened.wrong.append(str(error)))
    opened.page.on("console", lambda one: opened.wrong.append(one.text) if "Security Policy" in one.text else None)
    yield opened
    context.close()
    assert opened.wrong == []


def found_by_axe(page: Page, *rules: str) -> list[str]:
    """What axe finds on the page as it is now; all rules of WCAG 2.2 A and AA unless some are named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": WCAG}
    told = page.evaluate("only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only)
    assert told["passes"], "axe looked at something"
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary']}"
        for one in told["violations"]
        for node in one["nodes"][:3]
    ]


def both_sizes_and_colours(page: Page) -> list[str]:
    """What axe finds on a wide and on a narrow screen, in light and in dark mode."""
    found = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        found += found_by_axe(page)
        if size is DESK:  # the colours are the same on both
            page.emulate_media(color_scheme="dark")
            found += found_by_axe(page, "color-contrast")
            page.emulate_media(color_scheme="light")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"scrolls sideways by {wider} at {size['width']}"] if wider else []
    page.set_viewport_size(DESK)
    return [f"{urlsplit(page.url).path}: {one}" for one in found]


def visit(page: Page, path: str) -> None:
    """Go to a page and wait for what its scripts draw."""
    page.goto(path)
    if path == "/docs":
        page.locator(".opblock-summary-method").first.wait_for()


def sign_in(window: Window, place: Place) -> None:
    window.page.goto("/curate/sign-in")
    window.page.get_by_label("Key").fill(place.key)
    window.page.get_by_role("button", name="Sign in").click()


def test_axe_would_find_something(window: Window) -> None:
    window.page.goto("/")
    window.page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"data:,\"><input>')")
    assert {one.partition(":")[0] for one in found_by_axe(window.page)} == {"image-alt", "label"}


@pytest.mark.parametrize("part", range(2))
def test_axe_finds_nothing_on_any_page(window: Window, place: Place, part: int) -> None:
    found = []
    for path in PAGES[part::2]:
        visit(window.page, path.format(**place.jobs))
        found += both_sizes_and_colours(window.page)
    assert found == []


def test_axe_finds_nothing_where_a_curator_works(window: Window, place: Place) -> None:
    sign_in(window, place)
    found = []
    for path in SIGNED_IN:
        window.page.goto(path.format(**place.jobs))
        assert window.page.get_by_text("Signed in as").count() == 1
        found += both_sizes_and_colours(window.page)
    window.page.get_by_label("Value", exact=True).fill("gelu")
    window.page.get_by_role("button", name="Propose").click()
    found += both_sizes_and_colours(window.page)
    assert found == []


def test_axe_finds_nothing_beside_open_evidence(window: Window) -> None:
    page = window.page
    page.goto(f"/compare?models=phi-2,opt-125m&properties=parameters,{SCORE}")
    page.locator("a.cell").last.click()
    page.locator("dialog[open]").wait_for()
    assert both_sizes_and_colours(page) == []
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert both_sizes_and_colours(page) == []


def test_axe_finds_nothing_in_the_editor_at_work(window: Window) -> None:
    page = window.page
    page.goto("/sparql")
    page.locator('[data-example="CQ05"]').click()
    page.locator(".yasr table.dataTable tbody tr").first.wait_for()
    assert both_sizes_and_colours(page) == []
    ask(page, "SELECT * {")
    page.locator(".yasr .redOutline").wait_for()
    assert both_sizes_and_colours(page) == []


# ---- the walk: the best commonsense score below 1B parameters with an Apache licence, and where it comes from


@dataclass
class Walk:
    """Somebody who only clicks."""

    page: Page
    clicks: int = 0

    def click(
        self, text: str | re.Pattern[str], *, role: Literal["link", "checkbox"] = "link", where: str = ""
    ) -> None:
        """Click what has this name, as one who reads the page does."""
        place = self.page.locator(where or "body")
        place.get_by_role(role, name=text).first.click()
        self.clicks += 1


def assert_at_the_source(page: Page) -> None:
    """The evidence of the score stands beside the table: value, source, and the place in it."""
    panel = page.locator("dialog[open]")
    panel.wait_for()
    told = panel.inner_text()
    assert "Qwen2.5-0.5B" in told
    assert "0.5075" in told
    assert "Leaderboard data of the survey" in told
    assert panel.get_by_role("link", name="Leaderboard data of the survey").count() == 1


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["wide", "narrow"])
def test_the_walk_by_the_front_page_takes_two_clicks(window: Window, size: ViewportSize) -> None:
    window.page.set_viewport_size(size)
    window.page.goto("/")
    walk = Walk(window.page)
    walk.click("Best commonsense scores below 1B parameters")
    score = window.page.locator(f'td[data-column="{SCORE}"] a.cell').first
    assert window.page.locator("table.matrix tbody th > a").first.inner_text() == "Qwen2.5-0.5B"
    score.click()
    assert_at_the_source(window.page)
    assert walk.clicks + 1 == 2


def test_the_walk_by_benchmarks_takes_six_clicks(window: Window) -> None:
    page = window.page
    page.goto("/")
    walk = Walk(page)
    walk.click("Benchmarks", where="nav")
    walk.click("Commonsense average of the survey")
    walk.click("Compare in a table")
    assert page.locator("th[aria-sort=descending]").count() == 1
    walk.click("Parameters at most 1B")
    walk.click("Apache-2.0", role="checkbox")
    page.wait_for_url("**license:Apache-2.0**")
    first = page.locator("table.matrix tbody th > a").first
    first.get_by_text("Qwen2.5-0.5B").wait_for()
    assert "14 models" in page.locator("#found").inner_text()
    walk.click("0.5075", where="table.matrix")
    assert_at_the_source(page)
    assert walk.clicks == 6


# ---- keys instead of a mouse


def focused(page: Page) -> str:
    """The text of the element that has the focus, which must be seen to have it."""
    told: dict[str, Any] = page.evaluate(
        """() => { const one = document.activeElement, style = getComputedStyle(one);
        return { text: one.innerText ?? "", line: style.outlineStyle, width: parseFloat(style.outlineWidth) }; }"""
    )
    assert told["line"] != "none", told
    assert told["width"] >= 2, told
    return str(told["text"])


@pytest.mark.parametrize("path", ["/", "/compare?limit=5", "/sparql", "/curate", "/docs"])
def test_the_first_key_skips_to_the_content(window: Window, path: str) -> None:
    page = window.page
    visit(page, path)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    box = page.locator("a.skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_table_is_sorted_and_its_evidence_read_by_keys(window: Window) -> None:
    page = window.page
    page.goto("/compare?models=phi-2,opt-125m,gemma-2-2b&properties=parameters,numLayers")
    head = page.locator('th a[data-column="parameters"]')
    head.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=**")
    assert page.locator("th[aria-sort]").count() == 1
    cell = page.locator("a.cell").first
    cell.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    shown = focused(page)
    page.keyboard.press("Enter")
    panel = page.locator("dialog[open]")
    panel.wait_for()
    assert shown in panel.inner_text()
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert focused(page) == shown, "back where it was"


# ---- the editor


def rows(page: Page) -> list[list[str]]:
    """The cells that YASGUI shows."""
    page.locator(".tabPanel.active table.dataTable tbody tr").first.wait_for()
    found = page.locator(".tabPanel.active table.dataTable tbody tr").all()
    return [one.locator("td").all_inner_texts() for one in found]


def typed(page: Page) -> str:
    page.locator(".tabPanel.active .CodeMirror").wait_for()
    return str(page.evaluate("slmkgEditor.getTab().getQuery()"))


def write(page: Page, query: str) -> None:
    page.locator(".tabPanel.active .CodeMirror").wait_for()
    page.evaluate("query => { slmkgEditor.getTab().setQuery(query); }", query)


def ask(page: Page, query: str) -> None:
    write(page, query)
    page.get_by_role("button", name="Run query").click()


def test_an_example_is_put_into_a_tab_and_asked(window: Window) -> None:
    page = window.page
    page.goto("/sparql")
    assert page.locator("#plain").is_hidden()
    assert "slm:LanguageModel" in typed(page)
    page.locator('[data-example="CQ09"]').click()
    assert len(rows(page)) > 3
    assert page.locator(".yasgui [role=tab][aria-selected=true]").inner_text().startswith("CQ09")
    assert "asked" in page.locator("#said").inner_text()
    page.locator('[data-example="CQ09"]').click()
    assert page.locator(".yasgui [role=tab]").count() == 2, "no second tab for the same query"
    page.reload()
    assert page.locator(".yasgui [role=tab]").count() == 2, "tabs stay in the browser"
    page.get_by_role("button", name="New tab").click()
    assert page.locator(".yasgui [role=tab]").count() == 3


def test_queries_are_written_run_and_completed_by_keys(window: Window) -> None:
    page = window.page
    page.goto("/sparql")
    write(page, COUNT)
    field_ = page.get_by_role("textbox", name="SPARQL query")
    field_.focus()
    page.keyboard.press("Tab")
    assert not field_.evaluate("one => one === document.activeElement"), "no trap for the keyboard"
    field_.focus()
    page.keyboard.press("Control+Enter")
    assert rows(page) == [["104"]]
    beginning = "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT * { ?m slm:numLay"
    write(page, beginning)
    field_.focus()
    page.keyboard.press("Control+End")
    page.keyboard.press("Control+Space")
    page.locator(".CodeMirror-hint", has_text=re.compile("^slm:numLayers$")).wait_for()
    page.keyboard.press("Enter")
    assert "slm:numLayers" in typed(page)


def test_a_link_fills_the_editor_and_its_answer_is_there_at_once(window: Window) -> None:
    page = window.page
    page.goto("/compare?models=phi-2,opt-125m&properties=numLayers")
    page.get_by_role("link", name="SPARQL").first.click()
    assert urlsplit(page.url).path == "/sparql"
    assert "numLayers" in typed(page)
    answer = page.locator("[data-answer]")
    assert "2 rows" in answer.inner_text()
    page.get_by_role("button", name="Run query").click()
    assert len(rows(page)) == 2
    assert answer.is_hidden()
    link = page.locator(".yasr a.iri").first
    with window.context.expect_page() as opened:
        link.click()
    assert urlsplit(opened.value.url).path.startswith("/models/")


@pytest.mark.parametrize("path", ["/r/1/sparql", "/sparql?revision=1"])
def test_an_older_revision_is_asked(window: Window, path: str) -> None:
    page = window.page
    page.goto(path)
    with page.expect_request("**/sparql") as sent:
        page.get_by_role("button", name="Run query").click()
    assert (urlsplit(sent.value.url).path, sent.value.method) == ("/r/1/sparql", "POST")
    assert len(rows(page)) == 10


def test_an_error_is_shown_in_words(window: Window) -> None:
    page = window.page
    page.goto("/sparql")
    ask(page, "SELECT * { SERVICE <urn:x> {} }")
    shown = page.locator(".yasr .redOutline")
    shown.wait_for()
    assert "SERVICE" in shown.inner_text()
    assert "{" not in shown.inner_text()


def test_an_address_cannot_make_the_editor_ask_elsewhere(window: Window) -> None:
    page = window.page
    page.goto(f"/sparql#query={COUNT}&endpoint=https%3A%2F%2Fexample.org%2Fsparql&requestMethod=POST")
    page.wait_for_load_state("networkidle")
    assert "https://example.org" not in page.content()
    with page.expect_request("**/sparql") as sent:
        page.get_by_role("button", name="Run query").click()
    assert sent.value.url == page.url.partition("#")[0]


def test_without_scripts_a_form_asks(browser: Browser, place: Place) -> None:
    page = browser.new_page(base_url=place.base, java_script_enabled=False)
    page.goto("/sparql")
    page.get_by_label("SPARQL query").fill(COUNT)
    page.get_by_role("button", name="Run the query").click()
    assert page.locator("[data-answer] td").all_inner_texts() == ["104"]
    page.get_by_role("link", name="Which datasets are used most").click()
    assert page.locator("[data-answer] tbody tr").count() > 3
    with page.expect_response("**/sparql") as given:
        page.get_by_role("button", name="Whole answer as data").click()
    assert given.value.status == 200
    assert HTML not in (given.value.header_value("content-type") or "")
    page.close()
