"""One known conflict from disagreement to release and back: over REST and by commands, on one store."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from app.services import Services
from tests.cli.run import slmkg
from tests.web.conftest import Client
from tests.web.test_curation import Office

MODEL, PROPERTY = "gpt-neo-1.3b", "activation"
CASE = f"/api/v1/cases/{MODEL}/{PROPERTY}/decision"
WHY = "the file that the model runs with says gelu_new"


def command(data: Path, *arguments: str) -> Any:
    run = slmkg(data, *arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def waiting(client: Client) -> list[str]:
    found = client.json(f"/api/v1/disagreements?state=open&model={MODEL}&property={PROPERTY}")
    return [one["subject"] for one in found["items"]]


def changed(data: Path, release: str) -> list[dict[str, str]]:
    """What the release's table of changes says of the cell."""
    with (data / "releases" / release / "changes.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if (row["model"], row["property"]) == (MODEL, PROPERTY)]


def decided_over_rest(office: Office) -> None:
    shown = office.send("GET", CASE)
    body = {"choice": "value", "reported": "gelu_new", "reason": WHY}
    done = office.send("PUT", CASE, "bob", shown.headers["etag"], json=body)
    assert (done.status_code, done.json()["state"], done.json()["rule"]) == (200, "settled", "manual"), done.text


def decided_by_command(data: Path) -> None:
    done = command(data, "decide", MODEL, PROPERTY, "--keep", "gelu_new", "--reason", WHY, "--as", "bob")
    assert (done["state"], done["rule"], done["decided_by"]["name"]) == ("settled", "manual", "bob")


def assert_told(office: Office, data: Path, revision: int, who: str) -> None:
    """The decision is told by diff, blame and both feeds, over REST and by commands."""
    span = f"from={revision - 1}&to={revision}&model={MODEL}&property={PROPERTY}"
    over_rest = office.client.json(f"/api/v1/diff?{span}")["items"]
    by_command = command(data, "diff", str(revision - 1), str(revision), "--model", MODEL, "--property", PROPERTY)
    for cell in (*over_rest, *by_command["items"]):
        assert (cell["model"], cell["old"]["status"], cell["new"]["status"]) == (MODEL, "disputed", "accepted")
        assert cell["why"][0]["revision"] == revision
    assert len(over_rest) == len(by_command["items"]) == 1
    for blamed in (
        office.client.json(f"/api/v1/blame?model={MODEL}&property={PROPERTY}")["parts"],
        command(data, "blame", MODEL, PROPERTY)["parts"],
    ):
        part = next(part for part in blamed if part["kind"] == "decision")
        assert WHY in (part["note"] or "")
        assert who in json.dumps(part)
    (item,) = office.client.json(f"/api/v1/changes.json?after={revision - 1}&limit=1")["items"]
    assert (item["revision"], item["author"]["label"]) == (revision, who)
    assert f"/revisions/{revision}" in office.client.get("/api/v1/changes.atom").text


@pytest.mark.heavy
def test_a_conflict_is_decided_told_and_undone(own_services: Services) -> None:
    """First over REST, undone by command; then by command, undone over REST."""
    office, data = Office(own_services), own_services.settings.data_dir
    (subject,) = waiting(office.client)
    decided_over_rest(office)
    assert waiting(office.client) == []
    assert_told(office, data, 2, "Bob")
    back = command(data, "revert", "2", "--reason", "too quick", "--as", "carol")
    assert (back["number"], back["author"].rsplit("/", 1)[-1]) == (3, "carol")
    assert waiting(office.client) == [subject]
    decided_by_command(data)
    assert waiting(office.client) == []
    assert_told(office, data, 4, "bob")
    undone = office.send("POST", "/api/v1/revisions/4/revert", "bob", '"4"', json={"reason": "too quick"})
    assert undone.status_code == 201, undone.text
    assert waiting(office.client) == [subject]
    assert own_services.validate().conforms


@pytest.mark.heavy
def test_a_decision_is_released_with_its_reason_and_its_end_in_the_next_release(own_services: Services) -> None:
    office, data = Office(own_services), own_services.settings.data_dir
    command(data, "release", "2026.11")
    (subject,) = waiting(office.client)
    decided_over_rest(office)
    command(data, "release", "2026.12")
    (row,) = changed(data, "2026.12")
    assert (row["old_status"], row["new_status"], row["revisions"]) == ("disputed", "accepted", "2")
    assert row["new"]
    assert "Bob" in row["why"]
    assert WHY in row["why"]
    told = (data / "releases" / "2026.12" / "CHANGES.md").read_text(encoding="utf-8")
    assert WHY in told
    undone = office.send("POST", "/api/v1/revisions/2/revert", "bob", '"2"', json={"reason": "too quick"})
    assert undone.status_code == 201, undone.text
    assert waiting(office.client) == [subject]
    command(data, "release", "2027.01")
    (row,) = changed(data, "2027.01")
    assert (row["old_status"], row["new_status"], row["new"]) == ("accepted", "disputed", "")
    assert "too quick" in (data / "releases" / "2027.01" / "CHANGES.md").read_text(encoding="utf-8")
    assert [one["name"] for one in office.client.json("/api/v1/releases")["releases"]] == [
        "2026.11",
        "2026.12",
        "2027.01",
    ]
    assert command(data, "release", "verify", "2026.12")["intact"]
    assert command(data, "release", "verify", "2027.01")["intact"]
