"""The audit: who changed what, with which key, by what kind of step; and the names of those who write graphs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from app import vocab
from app.access import Scope
from app.compare.audit import Kind, kind_of
from app.services import Services
from app.web.application import create_app
from tests.release.small import services_in
from tests.web.conftest import Client, problem_of

ORCID = "0000-0002-1825-0097"
ADA = f"{vocab.agent.NS}orcid-{ORCID}"
GRAPH = "https://example.org/graph/notes"
AUDIT = "/api/v1/audit"


class Office:
    """A small service with two keys: Ada's, with her ORCID iD, and Bob's. Four steps over HTTP were made."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = Client(create_app(services))
        keys = services.keys
        self.ada, self._ada = keys.create("Ada", (Scope.UPDATE, Scope.COMMIT), services.now(), orcid=ORCID)
        self.bob, self.bobs_token = keys.create("Bob", (Scope.UPDATE,), services.now())
        self.update("first", self._ada)
        self.put("<urn:a> <urn:b> 1 .", self.bobs_token)
        self.update("second", self.bobs_token)
        self.client.post(
            f"/api/v1/revisions/{services.store.head().number}/revert",
            json={"reason": "no"},
            headers={"Authorization": f"Bearer {self._ada}", "If-Match": f'"{services.store.head().number}"'},
        ).raise_for_status()

    def update(self, word: str, key: str) -> Any:
        return self.send(f'INSERT DATA {{ GRAPH <{GRAPH}> {{ <urn:x> <urn:y> "{word}" }} }}', key)

    def send(self, text: str, key: str) -> Any:
        headers = {"Content-Type": "application/sparql-update", "Authorization": f"Bearer {key}"}
        return self.client.post("/update", content=text, headers=headers).raise_for_status().json()

    def put(self, text: str, key: str) -> None:
        headers = {"Content-Type": "text/turtle", "Authorization": f"Bearer {key}"}
        self.client.request("PUT", f"/graphs?graph={GRAPH}2", content=text, headers=headers).raise_for_status()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Read-only, but for the last test."""
    return Office(services_in(tmp_path_factory.mktemp("audit") / "var"))


def test_every_step_is_told_with_who_made_it(office: Office) -> None:
    found = office.client.json(AUDIT)
    assert (found["revision"], found["total"], found["next"]) == (6, 6, None)
    assert [(one["revision"], one["kind"], one["by"]["name"], one["key"]) for one in found["items"]] == [
        (6, "revert", "Ada", office.ada.id),
        (5, "update", "Bob", office.bob.id),
        (4, "graph", "Bob", office.bob.id),
        (3, "update", "Ada", office.ada.id),
        (2, "other", "The slmkg team", None),
        (1, "other", "The slmkg team", None),
    ]
    assert found["items"][0]["by"] == {"iri": ADA, "name": "Ada", "orcid": ORCID}
    assert (found["items"][0]["reason"], found["items"][1]["reason"]) == ("revert of revision 5: no", "SPARQL update")
    old = office.client.json(f"{AUDIT}?revision=2")
    assert [one["revision"] for one in old["items"]] == [2, 1]
    assert office.client.json(f"/r/2{AUDIT}") == old


def test_updates_and_graphs_record_who_wrote_them_once(office: Office) -> None:
    query = f"SELECT * {{ GRAPH <{vocab.graph.NS}meta> {{ <{ADA}> ?p ?o }} }}"
    rows = office.client.json(f"/sparql?query={query}", headers={"Accept": "application/json"})["results"]["bindings"]
    assert {(row["p"]["value"], row["o"]["value"]) for row in rows} == {
        (vocab.rdf.type, vocab.prov.Person),
        (vocab.rdfs.label, "Ada"),
        (vocab.slm.orcid, ORCID),
        (vocab.owl.sameAs, f"https://orcid.org/{ORCID}"),
    }
    first, second = (office.services.store.changes(number).add for number in (4, 5))
    recorded = {quad for quad in first if quad.predicate.value == vocab.rdfs.label and "Bob" in str(quad.object)}
    assert len(recorded) == 1
    assert not recorded & second


def test_nobody_else_says_which_key_was_used(tmp_path: Path) -> None:
    """What others write of a revision, before or after it is made, is no part of its record."""
    office = Office(services_in(tmp_path / "var"))
    triples = "".join(f'<{vocab.BASE}resource/revision/{n}> <{vocab.slm.usedKey}> "false" . ' for n in (1, 7))
    office.send(f"INSERT DATA {{ GRAPH <{vocab.graph.NS}curated> {{ {triples} }} }}", office.bobs_token)
    keys = {one["revision"]: one["key"] for one in office.client.json(AUDIT)["items"]}
    assert (keys[1], keys[7]) == (None, office.bob.id)
    assert [office.client.json(f"/api/v1/revisions/{number}")["key"] for number in (1, 7)] == [None, office.bob.id]


@pytest.mark.parametrize(
    ("query", "revisions"),
    [
        (f"agent={ORCID}", [6, 3]),
        (f"agent={ADA}", [6, 3]),
        ("agent=slmkg-team", [2, 1]),
        ("agent=nobody", []),
        ("kind=update", [5, 3]),
        ("kind=graph", [4]),
        (f"kind=update&agent={ORCID}", [3]),
        ("since=2026-12-01&agent=slmkg-team", [2]),
        ("since=2026-12-01T12:00:01Z&agent=slmkg-team", []),
        ("since=2026-12-01T13:00:00%2B01:00&agent=slmkg-team", [2]),
        ("since=2100-01-01", []),
    ],
)
def test_steps_are_chosen(office: Office, query: str, revisions: list[int]) -> None:
    found = office.client.json(f"{AUDIT}?{query}")
    assert [one["revision"] for one in found["items"]] == revisions
    assert found["total"] == len(revisions)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("agent=A%20B", "agent"),
        ("kind=edit", "kind"),
        ("since=yesterday", "since"),
        ("since=2026-13-01", "since"),
        ("since=2026-12-01T12:00:00", "since"),
        ("limit=0", "limit"),
        ("limit=900", "limit"),
        ("after=x", "after"),
        ("who=me", "who"),
    ],
)
def test_what_does_not_fit_is_named(office: Office, query: str, parameter: str) -> None:
    for address in (AUDIT, f"{AUDIT}.csv"):
        problem = problem_of(office.client.get(f"{address}?{query}"))
        assert (problem["status"], problem["parameter"]) == (400, parameter)


def test_the_table_says_the_same(office: Office) -> None:
    answer = office.client.get(f"{AUDIT}.csv?limit=4")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    items = office.client.json(f"{AUDIT}?limit=4")["items"]
    assert [(row["kind"], row["agent"], row["name"], row["reason"]) for row in rows] == [
        (one["kind"], one["by"]["iri"], one["by"]["name"], one["reason"]) for one in items
    ]
    assert [(row["revision"], row["orcid"], row["key"]) for row in rows] == [
        (str(one["revision"]), one["by"]["orcid"] or "", one["key"]) for one in items
    ]
    following = office.client.get(answer.headers["link"].partition(">")[0].strip("<"))
    assert [row["revision"] for row in csv.DictReader(io.StringIO(following.text))] == ["2", "1"]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("load of the data folder", Kind.LOAD),
        ("proposal 7: layers of phi-2", Kind.PROPOSE),
        ("proposal 7, 2 of 3 item(s): layers", Kind.COMMIT),
        ("proposal 7 withdrawn", Kind.WITHDRAW),
        ("comment on proposal 7", Kind.COMMENT),
        ("review of proposal 7: 2 accepted", Kind.REVIEW),
        ("decision on slm:numLayers of arch:x: it is so", Kind.DECIDE),
        ("revert of revisions 2 to 4: wrong", Kind.REVERT),
        ("change of the default graph", Kind.GRAPH),
        ("counted again", Kind.OTHER),
    ],
)
def test_a_reason_tells_the_kind_of_step(reason: str, kind: Kind) -> None:
    assert kind_of(reason) is kind


def test_pages_stay_with_the_revision_of_the_first(office: Office, tmp_path: Path) -> None:
    own = Office(services_in(tmp_path / "var"))
    first = own.client.get(f"{AUDIT}?limit=2")
    assert [one["revision"] for one in first.json()["items"]] == [6, 5]
    own.update("third", own._ada)
    second = own.client.get(first.headers["link"].partition(">")[0].strip("<"))
    assert [one["revision"] for one in second.json()["items"]] == [4, 3]
    assert (second.json()["revision"], second.headers["x-revision"], second.json()["total"]) == (6, "6", 6)
    cursor = first.json()["next"]
    assert problem_of(own.client.get(f"{AUDIT}?limit=2&revision=7&after={cursor}"))["parameter"] == "after"
    assert problem_of(own.client.get(f"{AUDIT}?kind=update&after={cursor}"))["parameter"] == "after"
    assert own.client.json(f"{AUDIT}?limit=1")["items"][0]["revision"] == 7
    known = own.client.get(AUDIT)
    assert own.client.get(AUDIT, headers={"If-None-Match": known.headers["etag"]}).status_code == 304
