"""Differences, blame, changes and reverts over HTTP."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from app import vocab
from app.access import Scope
from app.compare import past
from app.model.graphs import REGISTRY
from app.model.rdf import IRI, Quad, text
from app.services import Services
from app.settings import Settings
from app.store import patch
from app.web import feed
from app.web.application import create_app
from app.web.history_schemas import CellCounts, Counts, Links, RevisionChange
from app.web.schemas import Thing
from app.wiring import build
from tests import edits
from tests.web.conftest import Client, problem_of

ATOM = "{http://www.w3.org/2005/Atom}"
COMMENT = IRI(vocab.rdfs.comment)


def note(words: str) -> Quad:
    return Quad(edits.OPT, COMMENT, text(words), REGISTRY)


@pytest.fixture(scope="module")
def services(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The seed with three revisions after it. Read-only."""
    folder = tmp_path_factory.mktemp("history") / "var"
    shutil.copytree(seed_folder, folder)
    services = build(Settings(data_dir=folder))
    edits.set_value(services, 13)
    edits.commit(services, edits.new_claim(13), reason="a <source> & more \x07", days=1)
    edits.commit(services, [note("A note.")], reason="only a note", days=2)
    yield services
    services.store.close()


@pytest.fixture(scope="module")
def told(services: Services) -> Client:
    return Client(create_app(services))


# --- differences -------------------------------------------------------------------------------------------------


def test_a_difference_in_cells(told: Client) -> None:
    found = told.json("/api/v1/diff?from=1&to=4")
    assert (found["old"], found["new"], found["revisions"], found["total"], found["listed"]) == (1, 4, 3, 1, "cells")
    assert found["cells"] == {"added": 0, "removed": 0, "changed": 1, "status": 0, "evidence": 0}
    assert found["sources"] == {"added": 1, "removed": 0}
    (cell,) = found["items"]
    assert (cell["model"], cell["property"], cell["kind"]) == ("opt-125m", "numLayers", "changed")
    assert (cell["old"]["value"], cell["new"]["value"]) == (12, 13)
    assert [step["revision"] for step in cell["why"]] == [2, 3]
    assert cell["why"][0]["author"]["name"] == "ada"
    assert cell["why"][0]["reason"] == "value 13"
    assert {count["graph"] for count in found["graphs"]} == {"curated", "decisions", "meta", "registry", "source"}


def test_a_comparison_tells_the_past_of_its_cells(told: Client) -> None:
    address = "/api/v1/compare?models=opt-125m,phi-2&properties=numLayers,hiddenSize&_extra=history"
    found = told.json(address)["history"]
    assert (found["since"], found["complete"]) == (1, True)
    assert [len(found["cells"][model]["hiddenSize"]) for model in ("opt-125m", "phi-2")] == [1, 1]
    steps = found["cells"]["opt-125m"]["numLayers"]
    assert [(step["revision"], step["kind"]) for step in steps] == [(3, "evidence"), (2, "changed"), (1, "added")]
    assert [(step["old"]["value"], step["new"]["value"]) for step in steps] == [(13, 13), (12, 13), (None, 12)]
    assert (steps[1]["author"]["name"], steps[1]["reason"]) == ("ada", "value 13")
    assert steps[1]["decision"] is None or steps[1]["decision"]["rule"]
    for step in steps:  # the same as the difference tells
        ends = f"from={step['revision'] - 1}&to={step['revision']}&model=opt-125m&property=numLayers"
        (cell,) = told.json(f"/api/v1/diff?{ends}")["items"]
        assert {name: cell[name] for name in ("kind", "old", "new", "decision")} == {
            name: step[name] for name in ("kind", "old", "new", "decision")
        }
    earlier = told.json(f"/r/2{address}")["history"]["cells"]["opt-125m"]["numLayers"]
    assert earlier == steps[1:]
    assert told.json(address)["spec"].endswith("&_extra=history")


def test_a_long_past_is_cut_and_says_so(told: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "CLOSELY", 2)
    found = told.json("/api/v1/compare?models=opt-125m&properties=numLayers,hiddenSize&_extra=history&limit=1")[
        "history"
    ]
    assert (found["since"], found["complete"]) == (3, False)
    assert {column: [one["revision"] for one in steps] for column, steps in found["cells"]["opt-125m"].items()} == {
        "numLayers": [3]
    }


@pytest.mark.parametrize("ending", ["csv", "ttl", "parquet"])
def test_a_table_has_no_place_for_the_past(told: Client, ending: str) -> None:
    problem = problem_of(told.get(f"/api/v1/compare.{ending}?models=opt-125m&_extra=history"))
    assert (problem["code"], problem["pointer"]) == ("bad-parameter", "/_extra")
    link = told.get("/api/v1/compare?models=opt-125m&_extra=history").headers["link"]
    assert f"compare.{ending}?models=opt-125m&revision=4>" in link


def test_the_other_way_round(told: Client) -> None:
    back = told.json("/api/v1/diff?from=4&to=1")
    assert (back["items"][0]["old"]["value"], back["items"][0]["new"]["value"]) == (13, 12)
    assert back["sources"] == {"added": 0, "removed": 1}
    assert told.json("/api/v1/diff?from=4&to=4")["graphs"] == []


def test_pages_of_cells_sources_and_observations(told: Client) -> None:
    whole = told.json("/api/v1/diff?from=0&to=1&limit=1000")
    assert len(whole["items"]) == 1000 < whole["total"]
    some = told.get("/api/v1/diff?from=0&to=1&limit=10&page=3")
    assert some.json()["items"] == whole["items"][20:30]
    assert 'page=4>; rel="next"' in some.headers["link"]
    last = -(-whole["total"] // 1000)
    assert len(told.json(f"/api/v1/diff?from=0&to=1&limit=1000&page={last}")["items"]) == whole["total"] % 1000
    assert told.json("/api/v1/diff?from=0&to=1&page=999999")["items"] == []
    for what in ("sources", "observations"):
        found = told.json(f"/api/v1/diff?from=0&to=1&list={what}&limit=5")
        assert found["total"] == found[what]["added"]
        assert len(found["items"]) == 5
        assert all(item["added"] for item in found["items"])
    (item,) = told.json("/api/v1/diff?from=1&to=3&list=sources")["items"]
    assert item == {
        "iri": "https://w3id.org/slmkg/resource/source/blog",
        "label": "A blog",
        "added": True,
        "model": None,
        "value": None,
    }


def test_cells_are_chosen_by_model_and_property(told: Client) -> None:
    found = told.json("/api/v1/diff?from=0&to=1&model=phi-2&property=numLayers")
    assert [(item["model"], item["property"]) for item in found["items"]] == [("phi-2", "numLayers")]
    assert told.json("/api/v1/diff?from=1&to=2&model=phi-2")["items"] == []


def test_an_answer_between_numbers_may_be_kept_for_ever(told: Client) -> None:
    fixed = told.get("/api/v1/diff?from=1&to=2")
    assert "immutable" in fixed.headers["cache-control"]
    for moving in ("from=1", "from=1&to=head", "from=1&to=2026-11-22", "from=head&to=1"):
        answer = told.get(f"/api/v1/diff?{moving}")
        assert answer.headers["cache-control"] == "public, no-cache", moving
    tags = {told.get(f"/api/v1/diff?from=1&to={to}").headers["etag"] for to in ("2", "3", "head")}
    assert len(tags) == 3
    again = told.get("/api/v1/diff?from=1&to=2", headers={"If-None-Match": fixed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert told.get("/r/2/api/v1/diff?from=1&to=head").json()["new"] == 2


def test_a_patch_turns_one_revision_into_the_other(told: Client, services: Services) -> None:
    for one, other in ((1, 4), (4, 1), (2, 3)):
        answer = told.get(f"/api/v1/diff.rdfp?from={one}&to={other}")
        assert answer.headers["content-type"] == patch.MEDIA_TYPE
        add, remove = patch.read(answer.content)
        assert (set(services.store.at(one).quads()) - remove) | add == set(services.store.at(other).quads())
        asked = told.get(f"/api/v1/diff?from={one}&to={other}", headers={"Accept": patch.MEDIA_TYPE})
        assert asked.content == answer.content
        assert "accept" in asked.headers["vary"].lower()
        assert f"H prev <https://w3id.org/slmkg/resource/revision/{one}> .".encode() in answer.content


def test_a_patch_that_is_too_large_is_refused(services: Services) -> None:
    small = build(services.settings.model_copy(update={"max_result_bytes": 1000}))
    problem = problem_of(Client(create_app(small)).get("/api/v1/diff.rdfp?from=0&to=1"))
    assert problem["code"] == "query-refused"
    assert problem["advice"]


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("", 400, "from"),
        ("from=", 404, None),
        ("from=5", 404, None),
        ("from=1&to=99", 404, None),
        ("from=-1", 404, None),
        ("from=winter", 404, None),
        ("from=2026-02-30", 400, "from"),
        ("from=1&to=2026-11-22T12:00:00", 400, "to"),
        (f"from={'x' * 201}", 400, "from"),
        ("from=1&from=2", 400, "from"),
        ("from=1&list=models", 400, "list"),
        ("from=1&page=0", 400, "page"),
        ("from=1&limit=1001", 400, "limit"),
        ("from=1&model=opt-125n", 400, "model"),
        ("from=1&property=layers", 400, "property"),
        ("from=1&list=sources&model=phi-2", 400, "model"),
        ("from=1&colour=red", 400, "colour"),
    ],
)
def test_bad_questions_about_differences(told: Client, query: str, status: int, parameter: str | None) -> None:
    problem = problem_of(told.get(f"/api/v1/diff?{query}"))
    assert (problem["status"], problem.get("parameter")) == (status, parameter)


# --- blame -------------------------------------------------------------------------------------------------------


def test_blame(told: Client) -> None:
    answer = told.get("/api/v1/blame?model=opt-125m&property=numLayers")
    found = answer.json()
    assert answer.headers["x-revision"] == "4"
    kinds = [(part["kind"], part["by"]["revision"]) for part in found["parts"]]
    assert kinds[:3] == [("claim", 3), ("status", 3), ("value", 2)]
    assert {number for _, number in kinds[3:]} == {1}
    assert found["parts"][2]["value"] == 13
    older = told.json("/r/1/api/v1/blame?model=opt-125m&property=numLayers")
    assert {part["by"]["revision"] for part in older["parts"]} == {1}


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("model=phi-2", 400), ("model=phi-3&property=numLayers", 404), ("model=phi-2&property=x", 400)],
)
def test_bad_questions_about_blame(told: Client, query: str, status: int) -> None:
    assert problem_of(told.get(f"/api/v1/blame?{query}"))["status"] == status


# --- changes -----------------------------------------------------------------------------------------------------


def test_changes_are_followed_by_a_cursor(told: Client) -> None:
    seen: list[int] = []
    address: str | None = "/api/v1/changes.json?limit=3"
    pages = 0
    while address:
        found = told.json(address)
        seen += [item["revision"] for item in found["items"]]
        address, pages = found["next"], pages + 1
    assert (seen, pages, found["cursor"]) == ([1, 2, 3, 4], 2, 4)
    assert told.json("/api/v1/changes.json?after=4")["items"] == []
    (second, *_) = told.json("/api/v1/changes.json?after=1")["items"]
    assert (second["cells"]["changed"], second["models"], second["author"]["name"]) == (1, ["opt-125m"], "ada")
    assert (second["added"], second["removed"]) == (1, 1)
    for address in second["links"].values():
        assert told.get(address).status_code == 200, address
    assert told.json("/api/v1/revisions/2") == second


def test_the_list_of_changes_has_a_tag(told: Client) -> None:
    first = told.get("/api/v1/changes.json?after=1")
    assert told.get("/api/v1/changes.json?after=1", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert "immutable" in told.get("/r/2/api/v1/changes.json").headers["cache-control"]
    assert [item["revision"] for item in told.json("/r/2/api/v1/changes.json")["items"]] == [1, 2]


@pytest.mark.parametrize("query", ["after=5", "after=-1", "after=x", "limit=0", "limit=101", "before=1"])
def test_bad_cursors(told: Client, query: str) -> None:
    problem = problem_of(told.get(f"/api/v1/changes.json?{query}"))
    assert (problem["status"], problem["parameter"]) == (400, query.partition("=")[0])


def atom(client: Client, address: str) -> ElementTree.Element:
    """A feed, after the rules of RFC 4287 that a schema would check."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml"
    root = ElementTree.fromstring(answer.content)
    check_feed(root)
    return root


def check_feed(root: ElementTree.Element) -> None:
    assert root.tag == f"{ATOM}feed"
    known = {"id", "title", "updated", "link", "generator", "entry"}
    assert {child.tag.removeprefix(ATOM) for child in root} <= known
    for one in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{ATOM}{name}")) == 1, name
        check_construct(one)
    for entry in root.findall(f"{ATOM}entry"):
        assert len(entry.findall(f"{ATOM}author")) >= 1
        assert {child.tag.removeprefix(ATOM) for child in entry} <= known | {"published", "author", "summary"}
        assert len(entry.findall(f"{ATOM}summary")) <= 1
    ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))


def check_construct(one: ElementTree.Element) -> None:
    identity = one.findtext(f"{ATOM}id")
    assert identity is not None
    assert IRI(identity)
    for name in ("updated", "published"):
        for moment in one.findall(f"{ATOM}{name}"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", moment.text or "")
            assert datetime.fromisoformat(moment.text or "").tzinfo
    for author in one.findall(f"{ATOM}author"):
        assert author.findtext(f"{ATOM}name")
        assert {child.tag.removeprefix(ATOM) for child in author} <= {"name", "uri", "email"}
    links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in one.findall(f"{ATOM}link")]
    assert len(links) == len(set(links))
    for link in one.findall(f"{ATOM}link"):
        assert (link.get("href") or "").startswith("http")
        assert re.fullmatch(r"[\w.+-]+/[\w.+-]+", link.get("type") or "")


def test_the_atom_feed_is_valid_and_tells_the_same(told: Client) -> None:
    root = atom(told, "/api/v1/changes.atom")
    entries = root.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}id") for entry in entries] == [
        f"https://w3id.org/slmkg/resource/revision/{number}" for number in (4, 3, 2, 1)
    ]
    assert root.findtext(f"{ATOM}updated") == entries[0].findtext(f"{ATOM}updated")
    assert entries[1].findtext(f"{ATOM}title") == "Revision 3: a <source> & more \ufffd"
    assert entries[2].findtext(f"{ATOM}summary") == "1 cell changed; 1 triples came, 1 went. Models: opt-125m."
    assert (entries[0].findtext(f"{ATOM}summary") or "").startswith("No cell changed; 1 triples came, 0 went.")
    assert "and 103 more." in (entries[3].findtext(f"{ATOM}summary") or "")


def test_older_entries_follow_the_next_link(told: Client) -> None:
    seen: list[str | None] = []
    address: str | None = "/api/v1/changes.atom?limit=3"
    while address:
        root = atom(told, address)
        links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
        assert (links["self"] or "").endswith(address.removeprefix("http://slmkg.test"))
        seen += [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
        address = links.get("next")
    assert [one.rsplit("/", 1)[1] for one in seen if one] == ["4", "3", "2", "1"]
    first = told.get("/api/v1/changes.atom")
    assert told.get("/api/v1/changes.atom", headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_the_checks_of_the_feed_can_fail(told: Client) -> None:
    for broken in (f"{ATOM}id", f"{ATOM}updated", f"{ATOM}author"):
        root = atom(told, "/api/v1/changes.atom")
        entry = root.find(f"{ATOM}entry")
        assert entry is not None
        entry.remove(entry.find(broken))  # type: ignore[arg-type]
        with pytest.raises(AssertionError):
            check_feed(root)


def test_a_long_reason_is_cut_in_titles() -> None:
    change = RevisionChange(
        revision=1,
        made_at=edits.NOON,
        author=Thing(iri="urn:a", name="a", label="\x00Ada"),
        reason="long " * 100,
        iri="urn:r",
        added=0,
        removed=0,
        quads=0,
        cells=CellCounts(added=2, removed=1, changed=0, status=1, evidence=0),
        models=list("abcdef"),
        models_changed=9,
        sources=Counts(added=0, removed=0),
        observations=Counts(added=0, removed=0),
        links=Links(page="http://x/", diff="http://x/", patch="http://x/"),
    )
    document = feed.document([change], root="http://x", path="/f", query="", older=None, updated=edits.NOON)
    root = ElementTree.fromstring(document)
    check_feed(root)
    entry = root.find(f"{ATOM}entry")
    assert entry is not None
    assert len(entry.findtext(f"{ATOM}title") or "") < 140
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "\ufffdAda"
    assert entry.findtext(f"{ATOM}summary") == (
        "2 cells added, 1 cell removed, 1 cell with another standing; 0 triples came, 0 went."
        " Models: a, b, c, d, e and 4 more."
    )


@pytest.mark.parametrize(("path", "status"), [("/api/v1/revisions/9", 404), ("/api/v1/revisions/0", 400)])
def test_revisions_that_are_not_there(told: Client, path: str, status: int) -> None:
    assert problem_of(told.get(path))["status"] == status


def test_an_empty_store_has_no_history(empty_client: Client) -> None:
    for path in (
        "/api/v1/diff?from=0",
        "/api/v1/changes.json",
        "/api/v1/changes.atom",
        "/api/v1/revisions/1",
        "/api/v1/blame?model=a&property=b",
    ):
        assert problem_of(empty_client.get(path))["code"] == "store-empty"


# --- undoing -----------------------------------------------------------------------------------------------------


class Desk:
    """A service that a test may change, with keys."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = Client(create_app(services))
        self.keys = {
            scope: services.keys.create(scope.value, (scope,), edits.NOON)[1] for scope in (Scope.COMMIT, Scope.UPDATE)
        }

    def revert(self, number: int | str, body: Any = None, *, key: str | None = "", match: str | None = '"2"') -> Any:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.keys[Scope.COMMIT]}"
        if match is not None:
            headers["If-Match"] = match
        content = body if isinstance(body, bytes) else json.dumps({"reason": "misread"} if body is None else body)
        return self.client.post(f"/api/v1/revisions/{number}/revert", headers=headers, content=content)


@pytest.fixture
def desk(own_services: Services) -> Desk:
    edits.commit(own_services, [note("One.")], reason="a note")
    return Desk(own_services)


def test_a_revision_is_undone_as_a_new_one(desk: Desk) -> None:
    answer = desk.revert(2)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"revision": 3, "added": 2, "removed": 1}, "what was undone, and who did it"
    assert (answer.headers["x-revision"], answer.headers["location"]) == ("3", "http://slmkg.test/api/v1/revisions/3")
    made = desk.client.json("/api/v1/revisions/3")
    assert made["reason"] == "revert of revision 2: misread"
    assert made["author"]["name"].startswith("key-")
    assert note("One.") not in set(desk.services.store.at().quads())
    conflict = problem_of(desk.revert(2, match='"3"'))
    assert (conflict["status"], conflict["code"]) == (409, "revert-conflict")
    assert conflict["conflicts"] == [f"revision 3 removed {note('One.')}"]
    assert desk.services.store.head().number == 3


def test_who_may_undo_and_on_what_condition(desk: Desk) -> None:
    assert problem_of(desk.revert(2, key=None))["status"] == 401
    assert problem_of(desk.revert(2, key="slmkg_00000000_x"))["status"] == 401
    assert problem_of(desk.revert(2, key=desk.keys[Scope.UPDATE]))["status"] == 403
    missing = problem_of(desk.revert(2, match=None))
    assert (missing["status"], missing["code"]) == (428, "precondition-needed")
    assert missing["advice"]
    stale = problem_of(desk.revert(2, match='"1"'))
    assert (stale["status"], stale["code"]) == (412, "stale-revision")
    assert problem_of(desk.revert(2, match='"x"'))["code"] == "condition-failed"
    assert desk.services.store.head().number == 2
    tag = desk.client.get("/api/v1/changes.json").headers["etag"]
    assert desk.revert(2, match=tag).status_code == 201


@pytest.mark.parametrize(
    ("number", "body", "status", "place"),
    [
        (2, b"", 400, ""),
        (2, b"{", 400, ""),
        (2, b"\xff", 400, ""),
        (2, [], 400, ""),
        (2, {}, 400, "/reason"),
        (2, {"reason": ""}, 400, "/reason"),
        (2, {"reason": "  \n"}, 400, "/reason"),
        (2, {"reason": 7}, 400, "/reason"),
        (2, {"reason": "x" * 1001}, 400, "/reason"),
        (2, {"reason": "x", "to": "3"}, 400, "/to"),
        (2, {"reason": "x", "to": 0}, 400, "/to"),
        (2, {"reason": "x", "colour": "red"}, 400, "/colour"),
        (2, {"reason": "x", "to": 1}, 400, None),
        (2, {"reason": "x", "to": 3}, 404, None),
        (9, {"reason": "x"}, 404, None),
        (0, {"reason": "x"}, 400, None),
        ("x", {"reason": "x"}, 400, None),
    ],
)
def test_bad_requests_to_undo_change_nothing(
    desk: Desk, number: int | str, body: Any, status: int, place: str | None
) -> None:
    problem = problem_of(desk.revert(number, body))
    assert problem["status"] == status
    if place is not None:
        assert (problem["code"], problem["pointer"]) == ("bad-value", place)
    assert desk.services.store.head().number == 2


def test_what_is_no_json_or_too_long_is_refused(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.keys[Scope.COMMIT]}", "If-Match": "*", "Content-Type": "text/plain"}
    answer = desk.client.post("/api/v1/revisions/2/revert", headers=headers, content="{}")
    assert problem_of(answer)["status"] == 415
    assert problem_of(desk.revert(2, b'{"reason": "' + b"x" * 200_000 + b'"}'))["code"] == "query-refused"
    assert problem_of(desk.client.post("/r/1/api/v1/revisions/2/revert"))["code"] == "method-not-allowed"
    assert desk.services.store.head().number == 2
