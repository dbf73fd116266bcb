"""Every way to write ends in one function: each path commits in `app.curate.commit`, with rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.access import Scope
from app.model.graphs import HISTORY
from app.services import Services
from app.store.embedded import EmbeddedStore
from app.web.curation_schemas import EXAMPLE
from tests.web.test_curation import Office

TABLE = "model,layers\nphi-2,77\n"
GRAPH = "https%3A%2F%2Fexample.org%2Fnotes"
NOTE = "<http://www.w3.org/2000/01/rdf-schema#comment>"
UPDATE = f"INSERT DATA {{ GRAPH <https://example.org/notes> {{ <urn:x:a> {NOTE} 'a' }} }}"


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Modules that had a store apply a change that was committed, one for each commit."""
    found: list[str] = []
    apply = EmbeddedStore.apply

    def spied(store: EmbeddedStore, change: Any, **options: Any) -> Any:
        module = str(sys._getframe(1).f_globals["__name__"])
        made = apply(store, change, **options)
        found.append(module)
        assert options["check"] is not None, "nothing is committed without rules"
        return made

    monkeypatch.setattr(EmbeddedStore, "apply", spied)
    return found


def command(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> None:
    """A command in this process."""
    monkeypatch.setenv("SLMKG_DATA_DIR", str(data))
    monkeypatch.setattr(sys, "argv", ["slmkg", *arguments])
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert done.value.code in {0, None}, arguments


@pytest.mark.heavy
def test_every_path_commits_in_one_place(
    own_services: Services, callers: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office, data = Office(own_services), own_services.settings.data_dir
    key = own_services.keys.create("All", (Scope.ADMIN,), own_services.now())
    bearer = {"Authorization": f"Bearer {key[1]}"}
    table, seed = tmp_path / "mine.csv", tmp_path / "proposal.json"
    table.write_text(TABLE, encoding="utf-8")
    seed.write_text(json.dumps(EXAMPLE | {"again": "again"}), encoding="utf-8")
    head = own_services.store.head().number

    def made(what: str) -> None:
        nonlocal head
        now = own_services.store.head().number
        assert now > head, f"{what} made no revision"
        assert callers == ["app.curate.commit"] * (now - head), what
        head = now
        callers.clear()

    assert office.accepted().status_code == 200
    made("a proposal, its review and its commit over REST")
    answer = office.client.post(
        "/api/v1/proposals/import?source=survey-v3", content=TABLE, headers={**bearer, "Content-Type": "text/csv"}
    )
    assert answer.status_code == 201, answer.text
    made("a table over REST")
    case = "/api/v1/cases/gpt-neo-1.3b/activation/decision"
    body = {"choice": "none", "reason": "x"}
    assert office.send("PUT", case, "bob", "*", json=body).status_code == 200
    made("a decision over REST")
    headers = {**bearer, "Content-Type": "application/sparql-update"}
    assert office.client.post("/update", content=UPDATE, headers=headers).status_code < 300
    made("a SPARQL update")
    turtle = {**bearer, "Content-Type": "text/turtle"}
    for method in ("PUT", "POST"):
        note = f"<urn:x:{method}> {NOTE} '{method}' ."
        sent = office.client.request(method, f"/graphs?graph={GRAPH}", content=note, headers=turtle)
        assert sent.status_code < 300, sent.text
        made(f"{method} of a graph")
    assert office.client.request("DELETE", f"/graphs?graph={GRAPH}", headers=bearer).status_code < 300
    made("DELETE of a graph")
    undone = office.send("POST", f"/api/v1/revisions/{head}/revert", "bob", f'"{head}"', json={"reason": "back"})
    assert undone.status_code == 201, undone.text
    made("a revert over REST")
    for arguments in (
        ("propose", "phi-2", "numLayers", "99", "--source", "survey-v3", "--locator", "page 3"),
        ("proposals", "comment", "1", "a word"),
        ("proposals", "review", "3", "--reject-rest", "--reason", "no", "--as", "bob"),
        ("decide", "gpt-neo-1.3b", "activation", "--rules", "--reason", "x"),
        ("revert", str(head), "--reason", "forth"),
    ):
        command(monkeypatch, data, *arguments)
        made(" ".join(arguments))
    assert office.client.post("/update", content=UPDATE, headers=headers).status_code < 300
    made("a SPARQL update of what the data folder does not say")
    command(monkeypatch, data, "load")
    made("a load")
    table.write_text("model,layers\nphi-2,78\n", encoding="utf-8")
    command(monkeypatch, data, "import", str(table), "--source", "survey-v3")
    made("import of a table by command")
    records = {quad.subject for quad in own_services.store.at().quads(HISTORY)}
    assert len(records) == head, "each revision has its record"
