"""The pages of the history: what they say, in order, and that nothing of a stranger's text is markup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import vocab
from app.model.graphs import REGISTRY
from app.model.rdf import IRI, Quad, text
from app.settings import Settings
from app.web import revision_pages
from app.web.application import create_app
from app.wiring import build
from tests import edits
from tests.web.conftest import Client, problem_of
from tests.web.test_pages import elements

PAGES = ["/revisions", "/revisions/1", "/revisions/1?page=2", "/revisions/2", "/revisions/4"]


@pytest.fixture(scope="module")
def told(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("pages") / "var"
    shutil.copytree(seed_folder, folder)
    services = build(Settings(data_dir=folder))
    edits.set_value(services, 13)
    edits.commit(
        services,
        [*edits.new_claim(14), *edits.resolution(edits.OPT, edits.LAYERS, "<b>The paper</b> says so.")],
        days=1,
    )
    for number in range(4):
        note = Quad(edits.OPT, IRI(vocab.rdfs.comment), text(f"Note {number}."), REGISTRY)
        edits.commit(services, [note], reason=f"<script>note {number}</script>", days=number + 2)
    yield Client(create_app(services))
    services.store.close()


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision_pages, "_ON_A_PAGE", 4)


def test_the_list_names_author_time_and_reason_newest_first(told: Client) -> None:
    html = told.get("/revisions").text
    numbers = [attributes["value"] for tag, attributes in elements(html) if tag == "li" and "value" in attributes]
    assert numbers == [str(number) for number in range(7, 3, -1)]
    assert "&lt;script&gt;note 3&lt;/script&gt;" in html
    assert "no cell changed" in html
    older = told.get("/revisions?before=4").text
    assert "load of the data folder" in older
    assert "value 13" in older
    assert "4,105 cells added" in older
    assert "1 cell changed" in older
    assert "Older" not in older


def test_a_revision_shows_its_cells(told: Client) -> None:
    html = told.get("/revisions/2").text
    for shown in ("value 13", "ada", "number of layers", "changed", ">12 ", "<strong>13</strong>"):
        assert shown in html, shown
    evidence = told.get("/revisions/3").text
    assert "ada: &lt;b&gt;The paper&lt;/b&gt; says so." in evidence
    assert "A blog" in evidence
    assert "No cell changed." in told.get("/revisions/4").text
    first = told.get("/revisions/1").text
    assert "1 to 200 of" in first
    assert "201 to 400 of" in told.get("/revisions/1?page=2").text


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_well_made_and_load_nothing_from_elsewhere(told: Client, path: str) -> None:
    answer = told.get(path)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    found = elements(answer.text)
    tags = [tag for tag, _ in found]
    assert tags.count("main") == tags.count("title") == tags.count("h1") == 1
    for tag, attributes in found:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        if tag in {"link", "img", "form", "a"}:
            address = attributes.get("src") or attributes.get("href") or attributes.get("action") or ""
            assert address.startswith(("/", "#")), address
            assert not address.startswith("//")
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", ["/revisions", "/revisions/2"])
def test_links_lead_somewhere(told: Client, path: str) -> None:
    links = {attributes["href"] for tag, attributes in elements(told.get(path).text) if tag == "a"}
    for link in links:
        assert link is not None
        if not link.startswith("#"):
            assert told.get(link).status_code == 200, link


@pytest.mark.parametrize(
    ("path", "status"), [("/revisions/99", 404), ("/revisions/0", 400), ("/revisions?before=x", 400)]
)
def test_pages_that_are_not_there(told: Client, path: str, status: int) -> None:
    assert problem_of(told.get(path))["status"] == status


def test_before_the_first_load(empty_client: Client) -> None:
    assert "Nothing has been loaded yet" in empty_client.get("/revisions").text
    assert problem_of(empty_client.get("/revisions/1"))["code"] == "store-empty"
