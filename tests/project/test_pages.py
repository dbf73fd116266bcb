"""What the pages for people show works: commands exist, queries run, numbers and answers are those of the seed."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import app as command_line
from app.curate.write import Author
from app.model.agents import Agent
from app.model.rdf import python_value
from app.services import Services
from app.store.port import Query
from app.store.readers import Limits, Share
from tests.ports import free_port
from tests.project.checkout import ROOT, files, text

SCRIPT = ROOT / "scripts" / "build_readme_examples.py"
PAGES = [path for path in files(".md") if "decisions" not in path.parts]
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[tuple[str, str]]:
    """Fenced blocks of a language on all pages: page and text."""
    found = []
    for path in PAGES:
        for _, name, body in _FENCE.findall(path.read_text(encoding="utf-8")):
            if name == language:
                found.append((str(path.relative_to(ROOT)), body))
    return found


def test_the_make_targets_on_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    used = {
        found
        for page in PAGES
        for found in re.findall(r"`?(?:^\$ |`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"serve", "test"} <= used
    assert used <= targets


def test_the_slmkg_commands_on_the_pages_exist() -> None:
    known = {command.name for command in command_line.registered_commands}
    known |= {group.name for group in command_line.registered_groups}
    written = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    used = set(re.findall(r"(?:`|\.venv/bin/)slmkg ([a-z]+)", written))
    assert {"load", "validate", "query"} <= used
    assert used <= known


def test_the_pictures_on_the_pages_exist_and_are_small() -> None:
    named = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 40
    assert [str(one) for one in named if not one.is_file() or not 1000 < one.stat().st_size < 250_000] == []
    pictures = {path.resolve() for path in files(".jpg", ".png", ".svg", under="docs")}
    assert pictures == named, "no picture that no page shows"


def test_the_scripts_on_the_pages_exist() -> None:
    written = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    used = set(re.findall(r"\bscripts/[a-z_/-]+\.(?:py|sh)", written))
    assert used
    assert [name for name in used if not (ROOT / name).exists()] == []


SPARQL = [block for block in blocks("sparql") if block[0] != "docs/reference/questions.md"]
UPDATES = [(page, text) for page, text in SPARQL if "INSERT" in text]
QUERIES = [block for block in SPARQL if block not in UPDATES]
"""Not the page of competency questions: tests/questions compares each answer, and some are rightly empty."""


@pytest.mark.parametrize(("page", "query"), QUERIES, ids=[page for page, _ in QUERIES])
def test_every_query_on_a_page_gives_an_answer(page: str, query: str, seed_services: Services) -> None:
    _, answer = seed_services.ask(Query(query))
    assert next(iter(answer.rows()), None) is not None, page


@pytest.mark.parametrize(("page", "update"), UPDATES, ids=[page for page, _ in UPDATES])
def test_every_update_on_a_page_is_good(page: str, update: str, own_services: Services) -> None:
    """It is sent by somebody who has no more than the page, and breaks no constraint."""
    settings = own_services.settings
    author = Author(
        Agent("slmkg-team", "slmkg team"),
        "a test",
        Limits(settings.key_query_seconds, settings.max_result_bytes, settings.max_result_rows),
        Share(settings.key_queries_at_once, settings.key_seconds_per_minute),
    )
    before = own_services.store.head().number
    written = asyncio.run(own_services.update(update, author, base="http://slmkg.test/update"))
    assert (written.revision, written.removed) == (before + 1, 0), page
    assert written.added > 0


COUNTS = {
    "models": "{ ?x a slm:LanguageModel }",
    "larger baselines": "{ ?x a slm:BaselineModel }",
    "claims": "{ ?x a slm:Claim }",
    "benchmark and runtime results": "{ ?o slm:inRun ?run BIND(?o AS ?x) }",
    "documents": "{ { ?c a slm:Claim ; prov:wasDerivedFrom ?x } UNION { ?o slm:inRun ?run ; dct:source ?x } }",
    "places": "{ ?x a slm:Disagreement }",
    "of the cases are open": "{ ?x a slm:Disagreement FILTER NOT EXISTS { ?x slm:settledBy ?r } }",
}


@pytest.mark.parametrize("what", list(COUNTS))
def test_the_numbers_of_the_readme(what: str, seed_services: Services) -> None:
    query = (
        "PREFIX slm: <https://w3id.org/slmkg/ontology#> PREFIX prov: <http://www.w3.org/ns/prov#> "
        f"PREFIX dct: <http://purl.org/dc/terms/> SELECT (COUNT(DISTINCT ?x) AS ?n) {COUNTS[what]}"
    )
    _, answer = seed_services.ask(Query(query))
    number = python_value(next(iter(answer.rows()))["n"])
    introduction = " ".join(text("README.md").split("## Two commands")[0].split())
    assert re.search(rf"(?<![\d,]){number:,} {what}", introduction), f"the graph has {number:,} {what}"


@pytest.fixture(scope="module")
def address(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service on the seed, started as `make serve` starts it."""
    port = free_port()
    environment = os.environ | {"SLMKG_PORT": str(port), "SLMKG_DATA_DIR": str(seed_folder)}
    environment.pop("SLMKG_HOST", None)
    log = tmp_path_factory.mktemp("service") / "log"
    with log.open("w") as output:
        service = subprocess.Popen(
            [str(Path(sys.executable).parent / "slmkg"), "serve"], env=environment, stdout=output, stderr=output
        )
    try:
        for _ in range(600):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert service.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        service.terminate()
        service.wait(timeout=20)


def test_the_answers_in_the_readme_are_those_of_the_service(address: str) -> None:
    command = [sys.executable, str(SCRIPT), "--check", "--base", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 examples" in done.stdout


def test_a_wrong_answer_in_the_readme_is_noticed(address: str, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / SCRIPT.name
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    page = text("README.md").replace("\nn\n104\n", "\nn\n103\n")
    assert page != text("README.md")
    (tmp_path / "README.md").write_text(page, encoding="utf-8")
    command = [sys.executable, str(script), "--check", "--base", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "-103" in done.stderr
    assert "+104" in done.stderr


def test_the_error_shown_for_a_bad_table_is_what_the_command_prints(tmp_path: Path) -> None:
    (_, shown) = next((page, body) for page, body in blocks("console") if "error: my-data/" in body)
    data = tmp_path / "my-data"
    subprocess.run(["cp", "-r", str(ROOT / "data"), str(data)], check=True)
    table = data / "claims" / "configurations.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    place = re.search(r"line (\d+), column (\d+) \((\w+)\): '(\w+)'", shown)
    assert place is not None
    line, column, word = int(place[1]) - 1, int(place[2]) - 1, place[4]
    cells = lines[line].split(",")
    cells[column] = word
    lines[line] = ",".join(cells)
    table.write_text("".join(lines), encoding="utf-8")
    environment = os.environ | {"SLMKG_DATA_DIR": str(tmp_path / "graph")}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "slmkg"), "load", "my-data"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    for printed in (found for found in shown.splitlines() if not found.startswith("$")):
        assert printed in done.stderr.splitlines()
