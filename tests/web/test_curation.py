"""Curation over REST on the real store: proposals, reviews, decisions, conditions, scopes, bad input of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import vocab
from app.access import KeyRing, Scope
from app.model.graphs import HISTORY
from app.services import Services
from app.web.application import create_app
from app.web.curation_schemas import EXAMPLE
from tests.curate.statements import statements
from tests.web.conftest import Client, problem_of

ITEM: dict[str, Any] = EXAMPLE["items"][0]
DECISION = "/api/v1/cases/gpt-neo-1.3b/activation/decision"
ORCID = "0000-0002-1825-0097"


class Office:
    """A service with people in it, each with a key."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = Client(create_app(services))
        self.keys = {
            "ada": self._key("Ada", Scope.PROPOSE, orcid=ORCID),
            "bob": self._key("Bob", Scope.REVIEW, Scope.COMMIT),
            "eve": self._key("Eve", Scope.UPDATE),
            "all": self._key("Ada again", Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT, orcid=ORCID),
        }

    def _key(self, name: str, *scopes: Scope, orcid: str | None = None) -> str:
        return self.services.keys.create(name, scopes, self.services.now(), orcid=orcid)[1]

    def send(
        self, method: str, path: str, who: str | None = None, match: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.keys[who]}"
        if match is not None:
            headers["If-Match"] = match
        return self.client.request(method, path, headers=headers, **more)

    def propose(self, **changes: Any) -> httpx.Response:
        return self.send("POST", "/api/v1/proposals", "ada", json={"title": "t", "items": [ITEM | changes]})

    def accepted(self, **changes: Any) -> httpx.Response:
        made = self.propose(**changes)
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        body = {"rest": {"verdict": "accept", "reason": "it is so"}}
        judged = self.send("POST", f"{path}/review", "bob", made.headers["etag"], json=body)
        assert judged.status_code == 200, judged.text
        return self.send("POST", f"{path}/commit", "bob", judged.headers["etag"])


@pytest.fixture
def office(own_services: Services) -> Office:
    return Office(own_services)


def test_the_example_goes_the_whole_way(office: Office) -> None:
    made = office.send("POST", "/api/v1/proposals", "ada", json=EXAMPLE)
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/proposals/1")
    shown = office.send("GET", "/api/v1/proposals/1")
    assert shown.headers["etag"] == made.headers["etag"]
    body = shown.json()
    assert (body["state"], body["author"]["orcid"], body["validation"]["findings"]) == ("open", ORCID, [])
    said = office.send("POST", "/api/v1/proposals/1/comments", "bob", json={"text": "page 3 it is"})
    assert said.json()["comments"][0]["text"] == "page 3 it is"
    verdict = {"items": [{"item": 1, "verdict": "accept"}]}
    judged = office.send("POST", "/api/v1/proposals/1/review", "bob", said.headers["etag"], json=verdict)
    assert judged.json()["state"] == "accepted"
    done = office.send("POST", "/api/v1/proposals/1/commit", "bob", judged.headers["etag"])
    item = done.json()["items"][0]
    assert (done.status_code, item["state"], item["revision"]) == (200, "committed", int(done.headers["x-revision"]))
    case = office.client.json("/api/v1/claims?model=phi-2&property=vocabularySize")
    recorded = next(claim for claim in case["claims"] if claim["iri"] == item["recorded_as"])
    assert (recorded["quote"], recorded["reported"], recorded["status"]) == (ITEM["quote"], "51,200", "Accepted")
    page = office.client.json("/api/v1/models/phi-2")
    assert item["recorded_as"] in str(page)


def test_writes_need_keys_and_scopes(office: Office) -> None:
    office.propose()
    for method, path, body in (
        ("POST", "/api/v1/proposals", EXAMPLE),
        ("POST", "/api/v1/proposals/1/comments", {"text": "x"}),
        ("POST", "/api/v1/proposals/1/review", {"rest": {"verdict": "accept"}}),
        ("POST", "/api/v1/proposals/1/withdraw", {"reason": "x"}),
        ("POST", "/api/v1/proposals/1/commit", None),
        ("PUT", DECISION, {"choice": "none", "reason": "x"}),
        ("DELETE", f"{DECISION}?reason=x", None),
    ):
        assert problem_of(office.send(method, path, None, "*", json=body))["code"] == "unauthorized"
        assert problem_of(office.send(method, path, "eve", "*", json=body))["code"] == "forbidden"
    assert office.services.store.head().number == 2


def test_conditions_are_needed_and_a_stale_one_says_what_changed(office: Office) -> None:
    made = office.propose()
    for path, body in (("review", {"rest": {"verdict": "accept"}}), ("commit", None), ("withdraw", {"reason": "x"})):
        who = "ada" if path == "withdraw" else "bob"
        answer = problem_of(office.send("POST", f"/api/v1/proposals/1/{path}", who, json=body))
        assert (answer["status"], answer["code"]) == (428, "precondition-needed")
    office.send("POST", "/api/v1/proposals/1/comments", "ada", json={"text": "look again"})
    body = {"rest": {"verdict": "accept"}}
    stale = problem_of(office.send("POST", "/api/v1/proposals/1/review", "bob", made.headers["etag"], json=body))
    assert (stale["status"], stale["changes"]) == (412, [f"orcid-{ORCID} commented: look again"])
    assert office.services.store.head().number == 3


@pytest.mark.parametrize("tag", ['"' + "9" * 5000 + '-a"', '"99-a"', '"0-a"', '"-"', '"x"'])
def test_tags_that_were_never_given_are_stale(office: Office, tag: str) -> None:
    body = {"choice": "none", "reason": "x"}
    assert problem_of(office.send("PUT", DECISION, "bob", tag, json=body))["status"] == 412


def test_a_tag_stands_while_nobody_touches_the_thing(office: Office) -> None:
    """Commits of others move the revision, not the proposal."""
    first = office.propose()
    office.propose(value=7, reported="7")
    body = {"rest": {"verdict": "reject", "reason": "no"}}
    assert office.send("POST", "/api/v1/proposals/1/review", "bob", first.headers["etag"], json=body).status_code == 200


def test_nobody_reviews_their_own_proposal_with_another_key(office: Office) -> None:
    made = office.propose()
    body = {"rest": {"verdict": "accept"}}
    answer = problem_of(office.send("POST", "/api/v1/proposals/1/review", "all", made.headers["etag"], json=body))
    assert (answer["status"], answer["code"]) == (403, "self-review")


def test_a_rejected_value_does_not_come_back(office: Office) -> None:
    made = office.propose(value=7, reported="7")
    body = {"items": [{"item": 1, "verdict": "reject", "reason": "it counts sheep"}]}
    office.send("POST", "/api/v1/proposals/1/review", "bob", made.headers["etag"], json=body)
    refused = problem_of(office.propose(value=7, reported="7", locator="page 9"))
    assert (refused["status"], refused["code"], refused["pointer"]) == (409, "conflict", "/items/0")
    assert "it counts sheep" in refused["detail"]
    proposal = {"title": "t", "items": [ITEM | {"value": 7, "reported": "7"}], "again": "they count tokens"}
    again = office.send("POST", "/api/v1/proposals", "ada", json=proposal)
    assert again.json()["items"][0]["again"] == "they count tokens"


def test_verdicts_go_item_by_item(office: Office) -> None:
    items = [ITEM | {"value": value, "reported": str(value)} for value in (1, 2, 3)]
    made = office.send("POST", "/api/v1/proposals", "ada", json={"title": "three", "items": items})
    body = {"items": [{"item": 2, "verdict": "reject", "reason": "no"}]}
    once = office.send("POST", "/api/v1/proposals/1/review", "bob", made.headers["etag"], json=body)
    assert [item["state"] for item in once.json()["items"]] == ["pending", "rejected", "pending"]
    rest = {"rest": {"verdict": "reject", "reason": "neither"}}
    last = office.send("POST", "/api/v1/proposals/1/review", "bob", once.headers["etag"], json=rest)
    assert last.json()["state"] == "rejected"
    twice = problem_of(office.send("POST", "/api/v1/proposals/1/review", "bob", last.headers["etag"], json=rest))
    assert twice["status"] == 409


def test_violations_cannot_be_accepted_and_are_shown_before(office: Office) -> None:
    made = office.propose(property="tokenizerKind", value="None", reported="None", quote=None)
    shown = office.client.json("/api/v1/proposals/1")["validation"]["findings"]
    assert {"C43"} == {finding["constraint"] for finding in shown if finding["severity"] == "violation"}
    body = {"rest": {"verdict": "accept", "reason": "so what"}}
    refused = problem_of(office.send("POST", "/api/v1/proposals/1/review", "bob", made.headers["etag"], json=body))
    assert (refused["status"], refused["code"]) == (422, "invalid-graph")
    assert "C43" in refused["findings"][0]


def test_lists_are_filtered_and_paged(office: Office) -> None:
    office.propose()
    office.propose(value=7, reported="7")
    office.propose(model="opt-125m", value=9, reported="9")
    found = office.client.json("/api/v1/proposals?limit=2")
    assert ([one["number"] for one in found["items"]], found["total"]) == ([3, 2], 3)
    for query, numbers in (
        ("model=opt-125m", [3]),
        (f"author={ORCID}&state=open", [3, 2, 1]),
        ("author=bob", []),
        ("property=hiddenSize", []),
        ("state=rejected", []),
        (f"source={office.client.json('/api/v1/proposals/1')['items'][0]['source']['slug']}&page=2&limit=1", [2]),
    ):
        assert [one["number"] for one in office.client.json(f"/api/v1/proposals?{query}")["items"]] == numbers, query
    answer = office.send("GET", "/api/v1/proposals?limit=1&page=2")
    assert 'rel="prev"' in answer.headers["link"]


def test_disagreements_are_listed_filtered_and_ranked(client: Client) -> None:
    everything = client.json("/api/v1/disagreements?limit=200")
    assert everything["total"] >= 173
    views = [one["views"] for one in everything["items"]]
    assert views == sorted(views, reverse=True)
    waiting = client.json("/api/v1/disagreements?state=open")
    assert waiting["total"] == 15
    assert all(one["rule"] is None and len(one["candidates"]) > 1 for one in waiting["items"])
    by_rule = {
        rule: client.json(f"/api/v1/disagreements?state=settled&rule={rule}")["total"]
        for rule in ("agreement", "trust-rank", "manual")
    }
    assert sum(by_rule.values()) + 15 == everything["total"]
    assert min(by_rule.values()) > 0
    one = waiting["items"][0]
    model, name, kind = one["models"][0], one["property"].rsplit("#", 1)[-1], one["kinds"][0]
    narrow = client.json(f"/api/v1/disagreements?state=open&model={model}&property={name}&kind={kind}")
    assert [found["subject"] for found in narrow["items"]] == [one["subject"]]
    known = [found for found in everything["items"] if found["kinds"]]
    assert len(known) >= 150


def test_a_case_is_decided_and_left_to_the_rules_again(office: Office) -> None:
    before = office.send("GET", DECISION)
    assert before.json()["state"] == "open"
    body = {"choice": "value", "reported": "gelu", "reason": "the file says so"}
    decided = office.send("PUT", DECISION, "bob", before.headers["etag"], json=body)
    assert (decided.status_code, decided.json()["rule"], decided.json()["reason"]) == (
        200,
        "manual",
        "the file says so",
    )
    assert office.client.json("/api/v1/disagreements?state=open")["total"] == 14
    stale = problem_of(office.send("DELETE", f"{DECISION}?reason=no", "bob", before.headers["etag"]))
    assert (stale["status"], len(stale["changes"])) == (412, 2)
    back = office.send("DELETE", f"{DECISION}?reason=no", "bob", decided.headers["etag"])
    assert back.json()["state"] == "open"
    assert [one["choice"] for one in back.json()["decisions"]] == ["value", "rules"]
    assert {claim["status"] for claim in back.json()["claims"]} == {"Open"}
    again = problem_of(office.send("DELETE", f"{DECISION}?reason=no", "bob", "*"))
    assert again["status"] == 409


@pytest.mark.heavy
def test_every_open_case_can_be_decided(office: Office) -> None:
    for one in office.client.json("/api/v1/disagreements?state=open&limit=100")["items"]:
        name = one["property"].rsplit("#", 1)[-1]
        path = f"/api/v1/cases/{one['models'][0]}/{name}/decision"
        shown = office.send("GET", path)
        claim = next(claim for claim in shown.json()["claims"] if claim["status"] == "Open")
        body = {"choice": "value", "claim": claim["iri"], "reason": "a person looked"}
        done = office.send("PUT", path, "bob", shown.headers["etag"], json=body)
        assert (done.status_code, done.json()["state"]) in {(200, "settled"), (422, None)}, done.text
    assert office.client.json("/api/v1/disagreements?state=open")["total"] == 0


BAD: list[tuple[Any, str]] = [
    ([], ""),
    ({}, "/title"),
    ({"title": "t"}, "/items"),
    ({"title": " ", "items": [ITEM]}, "/title"),
    ({"title": "t", "items": [ITEM], "sender": "me"}, "/sender"),
    ({"title": "t", "items": {}}, "/items"),
    ({"title": "t", "items": [ITEM | {"value": [1]}]}, "/items/0/value"),
    ({"title": "t", "items": [{**ITEM, "source": "a paper"}]}, "/items/0/source"),
    ({"title": "t", "items": [ITEM, ITEM]}, "/items/1"),
    ({"title": "t", "items": [ITEM, ITEM | {"model": "phi-0"}]}, "/items/1/model"),
    ({"title": "t", "items": [ITEM | {"value": None, "reported": "24*"}]}, "/items/0/reported"),
    (
        {"title": "t", "items": [ITEM | {"value": None, "reported": "Base = 110M, Large = 340M"}]},
        "/items/0/reported",
    ),
    ({"title": "t", "items": [ITEM | {"unit": "km"}]}, "/items/0/unit"),
    ({"title": "t", "items": [ITEM | {"missing": "lost"}]}, "/items/0/missing"),
    (
        {
            "title": "t",
            "items": [ITEM],
            "results": [{"model": "phi-2", "metric": "x", "number": 1, "unit": "s", "source": {}, "locator": "p"}],
        },
        "/results/0/source/title",
    ),
]


@pytest.mark.parametrize(("body", "pointer"), BAD, ids=[pointer + str(n) for n, (_, pointer) in enumerate(BAD)])
def test_bad_bodies_are_told_with_pointer_and_advice(
    seed_services: Services, tmp_path: Path, body: Any, pointer: str
) -> None:
    before = seed_services.store.head().number
    office = Office(replace(seed_services, keys=KeyRing(tmp_path / "keys.json")))
    problem = problem_of(office.send("POST", "/api/v1/proposals", "ada", json=body))
    assert (problem["status"], problem["pointer"]) == (400, pointer)
    assert problem["advice"]
    assert seed_services.store.head().number == before


def test_other_bad_requests(seed_services: Services, tmp_path: Path) -> None:
    office = Office(replace(seed_services, keys=KeyRing(tmp_path / "keys.json")))
    for method, path, content, kind, code in (
        ("POST", "/api/v1/proposals", b"{", "application/json", "bad-value"),
        ("POST", "/api/v1/proposals", b"\xff", "application/json", "bad-value"),
        ("POST", "/api/v1/proposals", b"a,b", "text/csv", "unsupported-media"),
        ("GET", "/api/v1/proposals/1", b"", "", "not-found"),
        ("GET", "/api/v1/proposals/x", b"", "", "not-found"),
        ("GET", "/api/v1/proposals?state=lost", b"", "", "bad-parameter"),
        ("GET", "/api/v1/proposals?property=lost", b"", "", "not-found"),
        ("GET", "/api/v1/proposals?who=me", b"", "", "bad-parameter"),
        ("GET", "/api/v1/proposals?limit=1000", b"", "", "bad-parameter"),
        ("GET", "/api/v1/claims?model=phi-0&property=maker", b"", "", "not-found"),
        ("GET", "/api/v1/claims?model=phi-2&property=makers", b"", "", "not-found"),
        ("GET", "/api/v1/claims?model=phi-2", b"", "", "bad-parameter"),
        ("GET", "/api/v1/disagreements?state=maybe", b"", "", "bad-parameter"),
    ):
        headers = {"Content-Type": kind} if kind else {}
        problem = problem_of(office.send(method, path, "ada", content=content, headers=headers))
        assert problem["code"] == code, path
    body = {"choice": "value", "reported": "swish", "reason": "x"}
    problem = problem_of(office.send("PUT", DECISION, "bob", "*", json=body))
    assert (problem["pointer"], problem["advice"]) == ("/reported", "The sources say: 'gelu', 'gelu_new'.")
    problem = problem_of(office.send("PUT", DECISION, "bob", "*", json={"choice": "rules", "reason": "x"}))
    assert problem["pointer"] == "/choice"


def test_earlier_revisions_answer_as_they_did(office: Office) -> None:
    before = office.client.json("/r/1/api/v1/claims?model=phi-2&property=vocabularySize")
    office.accepted()
    assert office.client.json("/r/1/api/v1/claims?model=phi-2&property=vocabularySize") == before
    assert office.client.json("/r/1/api/v1/proposals")["total"] == 0


def test_every_step_is_a_revision_with_its_author(office: Office) -> None:
    office.accepted()
    revisions = office.services.store.revisions()
    assert [revision.author.rsplit("/", 1)[-1].split("-")[0] for revision in revisions[1:]] == ["orcid", "key", "key"]
    record = list(office.services.store.at().quads(HISTORY))
    keys = [str(quad.object).strip('"') for quad in statements(record) if quad.predicate.value == vocab.slm.usedKey]
    assert len(record) == 8 * len(revisions) + len(keys)
    ids = {key.name: key.id for key in office.services.keys.list()}
    assert sorted(keys) == sorted([ids["Ada"], ids["Bob"], ids["Bob"]])
    for number, who in ((1, None), (2, "Ada"), (4, "Bob")):
        shown = office.client.json(f"/api/v1/revisions/{number}")
        assert shown["key"] == (ids[who] if who else None)
