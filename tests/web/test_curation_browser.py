"""A curator in a real browser: signs in with a key, decides a disagreement, sees it. No other host is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from app.access import KeyRing, Scope
from tests.web.serving import serving

pytestmark = pytest.mark.heavy

PHONE, DESK = 390, 1440


@dataclass(frozen=True)
class Office:
    """A running service and the key of somebody who may do everything in curation."""

    base: str
    key: str


@pytest.fixture(scope="module")
def office(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("curation") / "data"))
    scopes = (Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT)
    _, key = KeyRing(data / "keys.json").create("Ada", scopes, datetime.now(UTC))
    with serving(data) as base:
        yield Office(base, key)


@dataclass(frozen=True)
class Watched:
    """A window, with every address that it asked for and every complaint of the browser."""

    context: BrowserContext
    page: Page
    asked: list[str]
    complaints: list[str]

    def hosts(self) -> set[str]:
        return {urlsplit(address).netloc for address in self.asked if not address.startswith("data:")}


def window(browser: Browser, *, width: int = DESK, scripts: bool = True) -> Watched:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
    page = context.new_page()
    found = Watched(context, page, [], [])
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    return found


def sign_in(office: Office, watched: Watched) -> None:
    watched.page.get_by_label("Key").fill(office.key)
    watched.page.get_by_role("button", name="Sign in").click()


def test_from_the_key_to_the_decision_without_scripts(office: Office, browser: Browser) -> None:
    watched = window(browser, scripts=False)
    page = watched.page
    page.goto(f"{office.base}/")
    page.get_by_role("link", name="Curate").click()
    page.get_by_role("link", name="Disagreements", exact=True).click()
    page.get_by_role("link", name="gpt-neo-1.3B: attention pattern").click()
    assert page.get_by_role("button", name="Decide").count() == 0
    page.get_by_role("link", name="Sign in").last.click()
    sign_in(office, watched)
    assert urlsplit(page.url).path == "/curate/cases/gpt-neo-1.3b/attentionPattern", "back where the way began"
    (cookie,) = watched.context.cookies(f"{office.base}/curate")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["expires"]) == (
        True,
        "Strict",
        "/curate",
        -1,
    )
    assert watched.context.cookies(f"{office.base}/") == []

    page.get_by_role("radio").first.check()
    page.get_by_label("Why").first.fill("The configuration file says <b>so</b>.")
    page.get_by_role("button", name="Decide").click()
    assert "Decided by Ada" in page.inner_text("main")
    assert "The configuration file says <b>so</b>." in page.inner_text("main")
    assert page.locator(".badge.settled").count() == 1
    page.get_by_role("link", name="Disagreements", exact=True).click()
    assert page.get_by_role("link", name="gpt-neo-1.3B: attention pattern").count() == 0
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_text("Signed in as").count() == 0
    assert watched.context.cookies(f"{office.base}/curate") == []
    assert watched.hosts() == {urlsplit(office.base).netloc}
    assert watched.complaints == []
    watched.context.close()


def test_a_second_window_that_is_too_late_is_told_and_loses_nothing(office: Office, browser: Browser) -> None:
    case = f"{office.base}/curate/cases/gpt-neo-1.3b/activation"
    watched = window(browser)
    page = watched.page
    page.goto(f"{office.base}/curate/sign-in")
    sign_in(office, watched)
    page.goto(case)
    other = watched.context.new_page()
    other.goto(case)
    for one, words in ((other, "first"), (page, "second")):
        one.get_by_role("radio").nth(1).check()
        one.get_by_label("Why").first.fill(words)
        one.get_by_role("button", name="Decide").click()
    assert "Decided by Ada" in other.inner_text("main")
    assert "decided: first" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Why").first.input_value() == "second"
    page.get_by_role("button", name="Decide").click()
    assert "second" in page.locator("section", has=page.locator("#settled")).inner_text()
    assert watched.hosts() == {urlsplit(office.base).netloc}
    watched.context.close()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_scrolls_sideways_and_the_browser_has_nothing_to_complain_of(
    office: Office, browser: Browser, width: int
) -> None:
    watched = window(browser, width=width)
    page = watched.page
    page.goto(f"{office.base}/curate/sign-in")
    sign_in(office, watched)
    page.goto(f"{office.base}/curate/cases/phi-2/vocabularySize")
    page.get_by_label("Value", exact=True).fill(str(width))
    page.get_by_label("Or a new one: title").fill("A report with a name_that_is_long_" * 8)
    page.get_by_label("Its type").select_option("TechnicalReport")
    page.get_by_label("Where in the source").fill("x" * 300)
    page.get_by_label("What this is about").fill("y" * 400)
    page.get_by_role("button", name="Propose").click()
    proposal = urlsplit(page.url).path
    assert proposal.startswith("/curate/proposals/")
    for path in (
        "/curate",
        "/curate/sign-in",
        "/curate/disagreements",
        "/curate/cases/opt-125m/parameterCount",
        "/curate/cases/phi-2/vocabularySize",
        "/curate/proposals",
        proposal,
    ):
        page.goto(office.base + path)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, path
    assert watched.complaints == []
    assert watched.hosts() == {urlsplit(office.base).netloc}
    watched.context.close()
