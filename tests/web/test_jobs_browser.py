"""The pages of jobs in a real browser: they keep themselves up to date, and can be read without scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.jobs.queue import Queue
from app.jobs.values import Progress
from tests.jobs.making import ADA, HERE, claimed, measured, plan, result
from tests.web.serving import serving

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def place(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Queue]]:
    """A service that measures nothing itself, and its jobs."""
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("jobs") / "data"))
    with serving(data, jobs_worker="false") as base:
        yield base, Queue(data / "jobs.sqlite")


def test_the_page_of_a_job_follows_it_to_its_end(browser: Browser, place: tuple[str, Queue]) -> None:
    base, jobs = place
    made, _ = jobs.submit(plan(50, 128), ADA)
    page = browser.new_page(base_url=base)
    page.goto(f"/jobs/{made.id}")
    first = page.locator("#cell-1")
    expect(first.locator(".badge")).to_have_text("queued")
    lease = claimed(jobs)
    expect(first.locator(".badge")).to_have_text("running")
    jobs.beat(lease.token, Progress("decode", 0.5, (("decode", 12.5),)))
    expect(first).to_contain_text("decode 50 %, decode 12.5")
    jobs.hand_in(lease.token, result(lease.cell), HERE)
    expect(first.locator(".badge")).to_have_text("ok")
    expect(page.locator("progress")).to_have_js_property("value", 1)
    measured(jobs)
    expect(page.get_by_role("link", name="Run file with all samples")).to_be_visible()
    expect(page.locator("#told")).to_have_text("done")
    assert page.locator("[data-events]").count() == 0
    page.close()


def test_the_list_renews_itself_while_something_runs(browser: Browser, place: tuple[str, Queue]) -> None:
    base, jobs = place
    made, _ = jobs.submit(plan(50, title="Soon over"), ADA)
    page = browser.new_page(base_url=base)
    page.goto("/jobs")
    row = page.locator("tr", has_text="Soon over")
    expect(row.locator(".badge")).to_have_text("queued")
    jobs.cancel(made.id)
    expect(row.locator(".badge")).to_have_text("cancelled", timeout=20_000)
    page.close()


def test_without_scripts_a_page_is_right_when_it_is_loaded(browser: Browser, place: tuple[str, Queue]) -> None:
    base, jobs = place
    made, _ = jobs.submit(plan(50), ADA)
    page = browser.new_page(base_url=base, java_script_enabled=False)
    page.goto(f"/jobs/{made.id}")
    expect(page.locator("#cell-1 .badge")).to_have_text("queued")
    measured(jobs)
    page.reload()
    expect(page.locator("#cell-1 .badge")).to_have_text("ok")
    page.close()
