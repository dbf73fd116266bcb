"""The double as a whole: its own process, its rules, and that the service never knows of it."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx

from tests.orkg_double.call import COMPARISON, Habits
from tests.orkg_double.double import Double
from tests.orkg_double.faults import BENDS, KINDS
from tests.orkg_double.messages import Request
from tests.orkg_double.process import ROOT
from tests.orkg_double.sign_in import USERS
from tests.orkg_double.steering import Steering
from tests.orkg_double.worlds import WORLDS


def test_nothing_of_the_service_imports_it_nor_it_the_service() -> None:
    for folder, foreign in ((ROOT / "app", "tests"), (ROOT / "tests" / "orkg_double", "app")):
        imports = re.compile(rf"^\s*(?:from|import)\s+{foreign}\b", re.MULTILINE)
        found = [path for path in folder.rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))]
        assert found == []
        assert imports.search(f"x = 1\n    from {foreign}.double import Double")


def test_it_listens_on_the_loopback_and_says_that_it_is_a_double() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.orkg_double", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "double" in told.stdout
    assert "loopback" in told.stdout
    assert "--host" not in told.stdout


def test_the_readme_names_all_there_is() -> None:
    text = (ROOT / "tests" / "orkg_double" / "README.md").read_text(encoding="utf-8")
    for name in (*WORLDS, *BENDS, *(user.email for user in USERS.values()), "faults.KINDS"):
        assert f"`{name}`" in text, name
    for name in Habits.__slots__:
        assert name in text or name in ("location", "backend"), name
    assert len(KINDS) == len(set(KINDS))


def test_every_answer_says_that_it_is_of_a_double(http: httpx.Client) -> None:
    for path in ("/api", "/api/comparisons/R404", "/elsewhere"):
        assert http.get(path).headers["Server"] == "test double of ORKG"


def test_its_description_names_addresses_methods_and_types(http: httpx.Client) -> None:
    found = http.get("/api").json()
    assert found["openapi"].startswith("3.")
    assert found["info"]["version"] == "0.102.0"
    one = found["paths"]["/api/comparisons/{id}"]
    assert set(one) == {"get", "put", "delete"}
    assert set(one["get"]["responses"]["200"]["content"]) == {COMPARISON}


def test_every_address_of_the_api_answers(orkg: Steering) -> None:
    for path, methods in Double()._described()["paths"].items():
        if "get" not in methods:
            continue
        media = next(iter(methods["get"]["responses"]["200"]["content"]))
        identity = {
            "comparisons": "R900001",
            "papers": "R900010",
            "contributions": "R900011",
            "statements": "R900011" if path.endswith("bundle") else "S900001",
            "things": "R900011",
            "resources": "R900011",
            "predicates": "P900001",
            "classes": "Paper",
            "literals": "L900001",
            "lists": "R900040",
            "contributors": next(iter(USERS)),
            "templates": "R900200",
            "visualizations": "R900060",
        }.get(path.split("/")[2], "")
        answer = orkg.ask("GET", path.replace("{id}", identity), Accept=media)
        assert answer.status_code == 200, (path, answer.text)


def test_unknown_addresses_and_things(orkg: Steering, http: httpx.Client) -> None:
    assert http.get("/api/contribution-comparisons").status_code == 404
    assert http.get("/other").headers["Content-Type"] == "text/html"
    for path, kind in (
        ("/api/statements/S1", "statement"),
        ("/api/things/R1", "thing"),
        ("/api/things/R1/subgraph", "thing"),
        ("/api/literals/R900011", "literal"),
        ("/api/papers/R900011", "paper"),
        ("/api/contributions/R900010", "contribution"),
        ("/api/comparisons/R900101/table-paths", "comparison"),
        ("/api/visualizations/R1", "visualization"),
        ("/api/contributors/nobody", "contributor"),
    ):
        found = orkg.ask("GET", path, Accept=_media(path))
        assert (found.status_code, found.json()["type"]) == (404, f"orkg:problem:{kind}_not_found"), path


def _media(path: str) -> str:
    found = Double()._described()["paths"]
    parts = path.split("/")
    place = "/".join("{id}" if number == 3 else part for number, part in enumerate(parts))
    return str(next(iter(found[place]["get"]["responses"]["200"]["content"])))


def test_subgraphs_and_filters(orkg: Steering) -> None:
    def ids(path: str) -> list[str]:
        found = orkg.ask("GET", path).json()
        return [one["id"] for one in found.get("content", found.get("statements"))]

    first = ["S900001", "S900002", "S900003", "S900004", "S900005", "S900007"]
    assert ids("/api/things/R900011/subgraph?max_hops=1") == first
    assert ids("/api/things/R900011/subgraph") == [f"S90000{number}" for number in range(1, 8)], "by time, then id"
    whole_paths = ["S900004", "S900006"]
    assert ids("/api/things/R900011/subgraph?min_hops=2&max_hops=3") == whole_paths
    assert ids("/api/things/R900011/subgraph?deny_classes=Dataset,Problem") == first[:3]
    assert ids("/api/things/R900011/subgraph?termination_classes=Dataset") == ["S900004", "S900005"]
    assert ids("/api/things/R900011/subgraph?termination_classes=Literal") == ["S900002", "S900003", *whole_paths]
    assert ids("/api/things/R900011/subgraph?allow_classes=Dataset") == ["S900004", "S900005"]
    assert ids("/api/statements/R900011/bundle?max_level=1") == first
    assert orkg.ask("GET", "/api/things/R900011/subgraph?max_hops=11").status_code == 400
    assert orkg.ask("GET", "/api/things/R900011/subgraph?max_hops=x").status_code == 400
    assert ids("/api/statements?subject_id=R900011&predicate_id=P900005") == ["S900004", "S900005"]
    assert ids("/api/statements?object_id=R900071") == ["S900009"]
    assert ids("/api/statements?subject_id=R900011&object_classes=Dataset") == ["S900004", "S900005"]
    assert ids("/api/statements?subject_id=R900011&object_label=24") == ["S900002"]
    late = "/api/statements?subject_id=R900011&created_at_start=2026-09-02T00:00:00%2B02:00"
    assert ids(late) == []
    orkg.ask("POST", "/api/statements", json={"subject_id": "R900011", "predicate_id": "P32", "object_id": "R900071"})
    assert len(ids(late)) == 1


def test_a_deleted_statement_takes_its_literal_along_unless_others_use_it(orkg: Steering) -> None:
    orkg.ask(
        "POST", "/api/statements", json={"subject_id": "R900012", "predicate_id": "P900003", "object_id": "L900001"}
    )
    orkg.ask("DELETE", "/api/statements/S900002")
    assert orkg.ask("GET", "/api/literals/L900001").status_code == 200
    (left,) = orkg.ask("GET", "/api/statements?object_id=L900001").json()["content"]
    orkg.ask("DELETE", f"/api/statements/{left['id']}")
    assert orkg.ask("GET", "/api/literals/L900001").status_code == 404


def test_a_repointed_statement_keeps_who_and_when(orkg: Steering) -> None:
    before = orkg.ask("GET", "/api/statements/S900001").json()
    orkg.ask("PUT", "/api/statements/S900001", json={"object_id": "R900071", "extraction_method": "MANUAL"})
    after = orkg.ask("GET", "/api/statements/S900001").json()
    assert after["object"]["id"] == "R900071"
    assert (after["created_at"], after["created_by"]) == (before["created_at"], before["created_by"])
    assert orkg.ask("GET", "/api/statements?object_id=R900070").json()["content"] == []


def test_repointing_a_statement_forgets_the_literal_that_nobody_uses_then(orkg: Steering) -> None:
    orkg.ask("PUT", "/api/statements/S900002", json={"object_id": "L900004"})
    assert orkg.ask("GET", "/api/literals/L900001").status_code == 404
    orkg.ask("PUT", "/api/statements/S900010", json={"object_id": "L900009"})
    assert orkg.ask("GET", "/api/literals/L900004").status_code == 200


def test_elements_of_lists_are_not_managed_as_statements(orkg: Steering) -> None:
    body = {"subject_id": "R900040", "predicate_id": "hasListElement", "object_id": "R900050"}
    answers = [
        orkg.ask("POST", "/api/statements", json=body),
        orkg.ask("PUT", "/api/statements/S900020", json={"object_id": "R900050"}),
        orkg.ask("DELETE", "/api/statements/S900020"),
    ]
    kinds = ["invalid_statement", "invalid_statement", "statement_in_use"]
    assert [one.json()["type"].rpartition(":")[2] for one in answers] == kinds


def test_observatories_are_read_as_the_zero_id_and_must_not_be_sent_so(orkg: Steering) -> None:
    found = orkg.ask("GET", "/api/comparisons/R900001").json()
    answer = orkg.ask("PUT", "/api/comparisons/R900001", json={"observatories": found["observatories"]})
    assert (answer.status_code, answer.json()["type"]) == (404, "orkg:problem:observatory_not_found")
    assert orkg.ask("PUT", "/api/comparisons/R900001", json={"observatories": []}).status_code == 204


def test_the_same_requests_make_the_same_world() -> None:
    worlds = []
    for _ in range(2):
        double = Double()
        token = double.signed_in.token(next(iter(USERS)), double.state.now)["access_token"]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        for label in ("a", "b"):
            double.outcome(Request("POST", "/api/resources", (), headers, f'{{"label":"{label}"}}'.encode()))
        worlds.append(double.state.canonical())
    assert worlds[0] == worlds[1]
