"""Takes a picture of each page, wide and narrow, into `docs/pages/`, and writes `docs/pages.md` that shows them.

    .venv/bin/python scripts/docs/screenshots.py

It loads the seed into a folder of its own, makes a key and a release there, serves it on a free port, and ends that
service. No test compares pictures; take them anew when a page has changed. Needs Chromium.
"""

# `tests` is no installed package, so the root is put on the path before it is imported
from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from playwright.sync_api import Page, ViewportSize, sync_playwright

from app.access import KeyRing, Scope
from app.settings import Settings
from app.wiring import build
from tests.web.orkg_pulled import PAGE as ORKG
from tests.web.orkg_pulled import pull_into

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PICTURES = DOCS / "pages"
SIZES: dict[int, ViewportSize] = {1440: {"width": 1440, "height": 1000}, 390: {"width": 390, "height": 844}}
QUALITIES = (80, 65, 50)
LARGEST = 250_000
"""Bytes of a picture."""
RELEASE = "2026.11"
SCORE = "accuracy(benchmark=commonsense-average;shots=5)"
BEST = f"/compare?where=parameters:..1B,license:Apache-2.0&properties=parameters,license,{SCORE}&sort=-{SCORE}"


def _nothing(_: Page) -> None:
    return


def _evidence(page: Page) -> None:
    page.locator(f'td[data-column="{SCORE}"] a.cell').first.click()
    page.locator("dialog[open]").wait_for()


def _sorted(page: Page) -> None:
    page.locator(f'td[data-column="{SCORE}"]').first.scroll_into_view_if_needed()


def _asked(page: Page) -> None:
    page.locator('[data-example="CQ09"]').click()
    page.locator(".yasr table.dataTable tbody tr").first.wait_for()
    page.evaluate("window.scrollTo(0, 0)")


def _drawn(page: Page) -> None:
    page.locator(".opblock-summary-method").first.wait_for()


@dataclass(frozen=True, slots=True)
class Shot:
    """One page to take: its name, address, title and sentence, and what to do before."""

    name: str
    path: str
    title: str
    told: str
    before: Callable[[Page], None] = _nothing


SHOTS = (
    Shot("front", "/", "Front page", "What the graph holds, and where to go on."),
    Shot("compare", "/compare", "Compare", "One table of models by columns, with filters beside it."),
    Shot("best", BEST, "Filtered and sorted", "The best scores below 1B parameters, with an Apache licence.", _sorted),
    Shot(
        "evidence",
        BEST,
        "Evidence of a cell",
        "A click on a value opens where it comes from: claims, sources, and the place in each.",
        _evidence,
    ),
    Shot(
        "transposed",
        "/compare?models=phi-2,gemma-2-2b,opt-125m&transpose=yes&different=yes",
        "Side by side",
        "Chosen models in columns, only the rows that differ.",
    ),
    Shot("models", "/models", "Models", "All models, with search."),
    Shot("model", "/models/phi-2", "A model", "Everything known about one model, with the standing of each value."),
    Shot("benchmarks", "/benchmarks", "Benchmarks", "What was measured, and how often."),
    Shot(
        "benchmark",
        "/benchmarks/commonsense-average",
        "A benchmark",
        "One ranking for each way of testing; ties share a rank.",
    ),
    Shot("trends", "/trends", "Trends", "How a column moved with the time of release."),
    Shot("fit", "/fit", "What fits", "The best model for a given memory, with each part of what it needs."),
    Shot("insights", "/insights", "Insights", "The survey's insights, computed anew from the graph."),
    Shot("jobs", "/jobs", "Jobs", "What is measured and was, and what was read into the graph."),
    Shot("new-job", "/curate/jobs", "A new job", "What shall be measured, signed in."),
    Shot("sparql", "/sparql", "Query", "An editor for SPARQL with the example questions.", _asked),
    Shot("revisions", "/revisions", "Revisions", "What was committed, by whom and why."),
    Shot("releases", "/releases", "Releases", "Snapshots to download and to cite."),
    Shot("release", f"/releases/{RELEASE}", "A release", "Its files, with their sizes and hashes."),
    Shot("curate", "/curate", "Curate", "Where a curator begins, signed in."),
    Shot("disagreements", "/curate/disagreements", "Disagreements", "Where sources give different values."),
    Shot("case", "/curate/cases/gpt-neo-1.3b/activation", "A case", "What each source says, and the decision."),
    Shot("proposals", "/curate/proposals", "Proposals", "What somebody proposed, and what came of it."),
    Shot("proposal", "/curate/proposals/1", "A proposal", "Its claims, what each would change, and the verdict."),
    Shot("orkg", "/orkg", "ORKG", "Comparisons of the Open Research Knowledge Graph that were pulled."),
    Shot(
        "orkg-plan",
        ORKG,
        "What a push would do",
        "Each change with its reasons, before anything is sent. The comparison on this picture is a made-up one.",
    ),
    Shot("thing", "/resource/source/survey-leaderboard.html", "A thing", "Every IRI of the graph leads to a page."),
    Shot("docs", "/docs", "Documentation of the interface", "To be read and tried in the browser.", _drawn),
    Shot("error", "/compare?where=parameters:abc..", "An error", "What does not fit, where, and what to do."),
)


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, str]]:
    """A service on the seed with one release; its address, and the key of a curator."""
    data = folder / "data"
    services = build(Settings(data_dir=data))
    services.load()
    services.releases.make(RELEASE, 1)
    pull_into(services)
    scopes = (Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT)
    _, key = KeyRing(data / "keys.json").create("Ada", scopes, datetime.now(UTC))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app.asgi:app", "--log-level", "warning", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "SLMKG_DATA_DIR": str(data)},
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{base}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield base, key
    finally:
        process.terminate()
        process.wait(timeout=20)


def propose(base: str, key: str) -> None:
    """A proposal to look at."""
    source = {"title": "A report on Phi-2", "type": "TechnicalReport", "dated": "2026-11"}
    item = {"model": "phi-2", "property": "vocabularySize", "value": 51200, "reported": "51,200"}
    body = {"title": "Vocabulary of Phi-2", "items": [{**item, "source": source, "locator": "page 3"}]}
    httpx.post(f"{base}/api/v1/proposals", json=body, headers={"Authorization": f"Bearer {key}"}).raise_for_status()


def take(page: Page, shot: Shot, width: int) -> bool:
    """Take one picture; False where the service has no such page."""
    page.set_viewport_size(SIZES[width])
    answer = page.goto(shot.path)
    if answer is None or answer.status == 404:
        return False
    page.wait_for_load_state("networkidle")
    shot.before(page)
    page.wait_for_timeout(300)
    target = PICTURES / f"{shot.name}-{width}.jpg"
    for quality in QUALITIES:
        page.screenshot(path=target, type="jpeg", quality=quality)
        if target.stat().st_size < LARGEST:
            break
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
    return True


def written(shots: list[Shot]) -> str:
    """The page that shows the pictures."""
    lines = [
        "# Pages",
        "",
        "<!-- Written by scripts/docs/screenshots.py, as are the pictures. Do not edit. -->",
        "",
        "Each page on a screen of 1440 and of 390 pixels, with the data that slmkg comes with. All are there in dark",
        "mode too, and can be read without scripts, but for the documentation of the interface.",
    ]
    for shot in shots:
        lines += ["", f"## {shot.title}", "", shot.told, ""]
        lines += [f"![{shot.title}, {width} pixels wide](pages/{shot.name}-{width}.jpg)" for width in SIZES]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Take all pictures."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("no Chromium here (apt-get install chromium)", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as (base, key), sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        launched = driver.chromium.launch(executable_path=browser, args=flags)
        page = launched.new_page(base_url=base, color_scheme="light")
        page.goto("/curate/sign-in")
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        propose(base, key)
        there = [shot for shot in SHOTS if all(take(page, shot, width) for width in SIZES)]
        launched.close()
    (DOCS / "pages.md").write_text(written(there), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
