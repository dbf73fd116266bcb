"""Every example of every page runs, and prints what the page shows. How they are written stands in CONTRIBUTING.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.docs.examples import Example, MarkError, Step, fits, read, script, steps, wrong
from tests.docs.lab import PRINTED, Lab, command_line, lab
from tests.project.checkout import ROOT, files
from tests.web.conftest import browser

__all__ = ["browser"]

ELSEWHERE = {
    "CHANGELOG.md",  # shows nothing to be run
    "docs/reference/api.md",  # generated; tests/web/test_openapi.py asks the application each of its examples
}
PAGES = {
    name: path
    for path in files(".md")
    if (name := str(path.relative_to(ROOT))) not in ELSEWHERE and not name.startswith("tests/")
}
EXAMPLES = {name: read(path, name) for name, path in PAGES.items()}
TODO = {name: found for name, examples in EXAMPLES.items() if (found := list(steps(examples)))}

READING = {
    f"docs/how-to/{name}.md"
    for name in (
        "ask-sparql",
        "check-the-survey",
        "compare-models",
        "curate-in-the-browser",
        "draw-a-chart",
        "manage-keys",
        "measure-models",
        "read-a-claim",
        "travel-in-time",
        "use-from-other-languages",
        "use-the-python-client",
        "use-with-an-assistant",
        "watch-the-service",
        "write-a-dashboard",
    )
}
"""Pages that leave the graph as it is: they share one service."""
QUICK = READING | {"docs/tutorial.md"}

NOT_RUN = {
    "needs an inference engine": {
        "README.md": 1,
        "docs/how-to/measure-models.md": 3,
        "docs/how-to/run-measuring-workers.md": 3,
        "docs/measurements/index.md": 1,
    },
    "needs a SPARQL engine": {"README.md": 1, "docs/how-to/use-a-bigger-engine.md": 3},
    "needs the internet": {
        "docs/how-to/import-from-hugging-face.md": 1,
        "docs/how-to/import-measurements.md": 1,
        "docs/how-to/measure-models.md": 1,
        "docs/how-to/use-a-bigger-engine.md": 2,
        "docs/how-to/use-with-an-assistant.md": 1,
        "docs/how-to/watch-the-service.md": 1,
        "docs/orkg.md": 2,
        "docs/reference/orkg.md": 2,
    },
    "names another machine": {"docs/how-to/run-measuring-workers.md": 2, "docs/how-to/use-a-bigger-engine.md": 1},
    "takes minutes": {
        "CONTRIBUTING.md": 1,
        "docs/benchmarks.md": 5,
        "docs/how-to/load-your-own-data.md": 1,
        "docs/how-to/export-a-site.md": 1,
        "docs/how-to/make-a-release.md": 3,
        "docs/how-to/upgrade.md": 1,
        "docs/load.md": 1,
        "docs/scale.md": 1,
    },
    "the tests have a checkout and a service already": {
        "README.md": 1,
        "docs/how-to/back-up-and-restore.md": 1,
        "docs/how-to/load-your-own-data.md": 1,
        "docs/how-to/serve-many-readers.md": 1,
        "docs/reference/settings.md": 1,
        "docs/tutorial.md": 1,
    },
    "needs Docker": {"docs/how-to/deploy.md": 4},
    "changes the machine": {"docs/how-to/deploy.md": 2, "docs/how-to/upgrade.md": 1},
    "needs R": {"docs/how-to/use-from-other-languages.md": 1},
}
"""Every example that is not run, by its reason. Keep this short: what is not run goes wrong."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with command_line(tmp_path_factory.mktemp("zygote")) as found:
        yield found


@pytest.fixture(scope="module")
def reading(program: Path, seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A checkout with a service, for pages that change nothing."""
    with lab(tmp_path_factory.mktemp("reading") / "checkout", seed_folder, program, serve=True) as found:
        yield found


@pytest.mark.parametrize("page", sorted(READING))
def test_the_examples_of_a_page_that_reads(page: str, reading: Lab) -> None:
    assert reading.run(TODO[page]) == []


@pytest.mark.parametrize(
    "page",
    [page if page in QUICK else pytest.param(page, marks=pytest.mark.heavy) for page in TODO if page not in READING],
)
def test_the_examples_of_a_page_that_changes_something(
    page: str, program: Path, seed_folder: Path, tmp_path: Path
) -> None:
    asks = any(PRINTED in step.command for step in TODO[page])
    with lab(tmp_path / "checkout", seed_folder, program, serve=asks) as found:
        assert found.run(TODO[page]) == []


def test_what_is_not_run_is_listed_here_with_its_reason() -> None:
    found: dict[str, Counter[str]] = {}
    for name, examples in EXAMPLES.items():
        for example in examples:
            if example.not_run:
                found.setdefault(example.not_run, Counter())[name] += 1
    assert {reason: dict(pages) for reason, pages in found.items()} == NOT_RUN


def test_every_example_is_run_saved_or_marked() -> None:
    """Queries in SPARQL are all asked by tests/project/test_pages.py; the other languages show what others say."""
    known = {"console", "python", "sparql", "json", "yaml", "text"}
    idle = [
        f"{one.place}: {one.language}"
        for examples in EXAMPLES.values()
        for one in examples
        if one.language not in known and not one.saved_as and not one.not_run
    ]
    assert idle == []


def test_every_address_on_a_page_is_answered(reading: Lab) -> None:
    """Links to the service that the reader has started."""
    found = {
        (name, address)
        for name, path in PAGES.items()
        for address in re.findall(rf"<({re.escape(PRINTED)}[^>…]*)>", path.read_text(encoding="utf-8"))
    }
    assert len(found) > 5
    wanted = {address for _, address in found}
    with httpx.Client(base_url=reading.base, follow_redirects=True) as client:
        statuses = {
            address: client.get(address.removeprefix(PRINTED) or "/", headers={"Accept": "text/html"}).status_code
            for address in wanted
        }
    assert {address for address, status in statuses.items() if status != 200} == set()


def test_the_dashboard_shows_what_the_service_says(reading: Lab, browser: Browser, tmp_path: Path) -> None:
    (page,) = (
        one for one in EXAMPLES["docs/how-to/write-a-dashboard.md"] if one.saved_as and one.saved_as.endswith(".html")
    )
    (tmp_path / "dashboard.html").write_text(page.body.replace(PRINTED, reading.base), encoding="utf-8")
    window = browser.new_page()
    window.goto((tmp_path / "dashboard.html").as_uri())
    window.wait_for_selector("tbody tr:nth-child(3)")
    assert window.inner_text("tbody tr").split() == ["Qwen2.5-0.5B", "0.5075411932713384", "reported"]
    assert window.inner_text("#state") == "revision 1"


# ---- the reader of examples ----


def page(tmp_path: Path, text: str) -> list[Example]:
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    return read(tmp_path / "page.md", "page.md")


def test_commands_go_on_and_have_answers(tmp_path: Path) -> None:
    (example,) = page(tmp_path, "1. x\n\n   ```console\n   $ a \\\n       b 'c\n   d'\n   one\n   $ e\n   ```\n")
    first, second = steps([example])
    assert (first.command, first.shown) == ("a \\\n    b 'c\nd'", "one")
    assert (second.command, second.shown) == ("e", None)
    assert first.place == "page.md:3"


def test_marks_are_read(tmp_path: Path) -> None:
    text = "<!-- example: after true -->\n<!-- example: instead of 7, echo 8 -->\n<!-- example: fails with 3 -->\n"
    hidden, step = steps(page(tmp_path, text + "```console\n$ x 7\n```\n"))
    assert hidden.command == "true"
    assert (step.command, step.code) == ("x $(echo 8)", 3)


@pytest.mark.parametrize(
    "text", ["<!-- example: never run -->\n```console\n$ x\n```\n", "```console\nno prompt\n```\n"]
)
def test_a_mark_without_meaning_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(MarkError):
        list(steps(page(tmp_path, text)))


@pytest.mark.parametrize(
    "command",
    [
        "sudo useradd slmkg",
        "SLMKG_PORT=8001 .venv/bin/slmkg serve",
        "cd x && pip install y",
        "docker compose up",
        "slmkg orkg push R753434",
    ],
)
def test_what_must_not_be_run_wants_a_mark(tmp_path: Path, command: str) -> None:
    with pytest.raises(MarkError, match="mark it"):
        list(steps(page(tmp_path, f"```console\n$ {command}\n```\n")))


@pytest.mark.parametrize(
    ("shown", "printed", "numbers_differ", "good"),
    [
        ("a\n", "a", False, True),
        ("a", "b", False, False),
        ("a … c", "a b c", False, True),
        ("a\n…\nd", "a\nb\nc\nd", False, True),
        ("…\nd", "d", False, True),
        ("a\nd", "a\nb\nd", False, False),
        ("a.c", "abc", False, False),
        ("12 MB", "13,5 MB", False, False),
        ("12 MB", "13,5 MB", True, True),
        ("key 5a22491d", "key deadbeef", True, True),
        ("key 5a22491d", "no key", True, False),
    ],
)
def test_what_fits(shown: str, printed: str, numbers_differ: bool, good: bool) -> None:
    assert fits(shown, printed, numbers_differ) is good


def test_a_wrong_answer_and_a_failure_are_noticed(program: Path, seed_folder: Path, tmp_path: Path) -> None:
    todo = [
        Step("p:1", "echo one", "one"),
        Step("p:2", "echo two", "three"),
        Step("p:3", "slmkg compare --models no-such-model", None),
        Step("p:4", "false | cat", None),
        Step("p:5", "echo five; exit 0", None),
        Step("p:6", "echo never", None),
    ]
    with lab(tmp_path / "checkout", seed_folder, program, serve=False) as found:
        told = found.run(todo)
    assert [one.partition(":")[0] + one.partition(":")[2][:1] for one in told[1:]] == ["p2", "p3", "p4"]
    assert told[0].startswith("only 4 of 6 steps came to an end")


def test_every_step_of_a_script_tells_its_end() -> None:
    todo = [Step("p:1", "a", None), Step("p:2", "b", "x")]
    assert script(todo).count("printf") == 2
    assert wrong(todo, "\n\x010\nx\n\n\x010\n") == []


def test_pages_that_read_have_examples() -> None:
    assert set(TODO) >= READING
