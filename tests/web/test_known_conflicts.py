"""The known conflicts of the seed: listed, filtered, settled by rules or by people, over REST and by commands."""

from __future__ import annotations

import json
from collections import Counter
from csv import DictReader
from pathlib import Path
from typing import Any

import pytest

from app.ingest.seed import Seed
from app.services import Services
from tests.cli.run import slmkg
from tests.web.conftest import Client
from tests.web.test_curation import Office

KNOWN = 165
"""Rows of the list of known disagreements; a row may hold several questions, and a question may have several rows."""
Row = dict[str, Any]
Key = tuple[str, str]


def key_of(row: Row) -> Key:
    return row["subject"], row["property"]


def name_of(row: Row) -> str:
    return str(row["property"]).rsplit("#", 1)[-1]


def listed_over_rest(client: Client, query: str = "") -> list[Row]:
    """Every page of the list."""
    found: list[Row] = []
    while True:
        page = client.json(f"/api/v1/disagreements?limit=100&page={len(found) // 100 + 1}{query}")
        found += page["items"]
        if len(found) == page["total"]:
            return found


def by_command(data: Path, *arguments: str) -> Any:
    run = slmkg(data, *arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def known(seed: Seed) -> set[Key]:
    """The questions of the list."""
    with (Path(__file__).parents[2] / "data" / "claims" / "disagreements.csv").open(encoding="utf-8") as file:
        assert sum(1 for _ in DictReader(file)) == KNOWN
    assert {one.line for one in seed.evidence.disagreements} == set(range(2, KNOWN + 2)), "every row became a question"
    return {(one.subject.value, one.predicate) for one in seed.evidence.disagreements}


@pytest.fixture(scope="module")
def everything(client: Client) -> list[Row]:
    return listed_over_rest(client)


def test_each_known_conflict_is_listed_with_what_its_sources_say(known: set[Key], everything: list[Row]) -> None:
    by_key = {key_of(row): row for row in everything}
    assert len(by_key) == len(everything)
    assert known <= set(by_key)
    for key in known:
        row = by_key[key]
        assert row["kinds"], key
        assert row["models"], key
        assert len(row["candidates"]) > 1, key
        assert row["rule"] in {None, "agreement", "trust-rank", "manual"}


def test_a_command_lists_the_same(seed_folder: Path, everything: list[Row]) -> None:
    assert by_command(seed_folder, "disagreements") == everything


def test_the_list_is_filtered_by_state_rule_kind_model_and_property(client: Client, everything: list[Row]) -> None:
    kinds = Counter(kind for row in everything for kind in row["kinds"])
    models = Counter(model for row in everything for model in row["models"])
    names = Counter(name_of(row) for row in everything)
    filters: list[tuple[str, list[Row]]] = [
        ("state=open", [row for row in everything if row["rule"] is None]),
        ("state=settled", [row for row in everything if row["rule"] is not None]),
    ]
    for rule in ("agreement", "trust-rank", "manual"):
        filters.append((f"rule={rule}", [row for row in everything if row["rule"] == rule]))
    for kind in kinds:
        filters.append((f"kind={kind}", [row for row in everything if kind in row["kinds"]]))
    for model, _ in models.most_common(3):
        filters.append((f"model={model}", [row for row in everything if model in row["models"]]))
    for name, _ in names.most_common(3):
        filters.append((f"property={name}", [row for row in everything if name_of(row) == name]))
    for query, fitting in filters:
        expected = [key_of(row) for row in fitting]
        assert 0 < len(expected) < len(everything), query
        assert [key_of(row) for row in listed_over_rest(client, f"&{query}")] == expected, query


def test_commands_filter_alike(seed_folder: Path, everything: list[Row]) -> None:
    row = next(row for row in everything if row["rule"] == "trust-rank" and row["kinds"])
    model, name, kind = row["models"][0], name_of(row), row["kinds"][0]
    filters = ("--settled", "--rule", "trust-rank", "--model", model, "--property", name, "--kind", kind)
    found = by_command(seed_folder, "disagreements", *filters)
    assert [key_of(one) for one in found] == [key_of(row)]
    waiting = by_command(seed_folder, "disagreements", "--open")
    assert waiting == [one for one in everything if one["rule"] is None]


def of_each_rule(everything: list[Row], known: set[Key]) -> list[Row]:
    """A known conflict of each state: open, and settled by each rule; where a cited source's value can be kept."""
    return [
        next(row for row in everything if row["rule"] == rule and key_of(row) in known)
        for rule in (None, "agreement", "trust-rank", "manual")
    ]


@pytest.mark.heavy
def test_over_rest_a_person_overrules_and_the_rules_come_back(
    own_services: Services, everything: list[Row], known: set[Key]
) -> None:
    office = Office(own_services)
    for row in of_each_rule(everything, known):
        path = f"/api/v1/cases/{row['models'][0]}/{name_of(row)}/decision"
        before = office.send("GET", path)
        assert before.json()["rule"] == row["rule"]
        body = {"choice": "none", "reason": "neither can be right"}
        none = office.send("PUT", path, "bob", before.headers["etag"], json=body)
        assert (none.status_code, none.json()["rule"], none.json()["values"]) == (200, "manual", []), none.text
        body = {"choice": "open", "reason": "look again"}
        opened = office.send("PUT", path, "bob", none.headers["etag"], json=body)
        assert (opened.json()["state"], opened.json()["rule"]) == ("open", None)
        assert key_of(row) in {key_of(one) for one in listed_over_rest(office.client, "&state=open")}
        ruled = office.send("DELETE", f"{path}?reason=leave%20it", "bob", opened.headers["etag"])
        assert ruled.json()["rule"] in {row["rule"], None, "agreement", "trust-rank"} - {"manual"}, ruled.text
        if row["rule"] != "manual":
            assert (ruled.json()["rule"], ruled.json()["values"]) == (before.json()["rule"], before.json()["values"])
        assert [one["choice"] for one in ruled.json()["decisions"]][-3:] == ["none", "open", "rules"]


@pytest.mark.heavy
def test_by_command_a_person_overrules_and_the_rules_come_back(
    own_services: Services, everything: list[Row], known: set[Key]
) -> None:
    data = own_services.settings.data_dir
    for row in of_each_rule(everything, known)[1:3]:
        case = (row["models"][0], name_of(row))
        before = by_command(data, "claims", *case)
        said = ("--as", "bob", "--reason")
        none = by_command(data, "decide", *case, "--none", *said, "neither can be right")
        assert (none["rule"], none["values"], none["decided_by"]["name"]) == ("manual", [], "bob")
        opened = by_command(data, "decide", *case, "--reopen", *said, "look again")
        assert key_of(row) in {key_of(one) for one in by_command(data, "disagreements", "--open")}
        assert opened["state"] == "open"
        ruled = by_command(data, "decide", *case, "--rules", *said, "leave it")
        assert (ruled["rule"], ruled["values"]) == (before["rule"], before["values"])
