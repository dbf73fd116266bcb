"""The seventeen points in which a double of ORKG must be like ORKG, one section each, over a real socket.

The numbers are those of the specification that the double was written from.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.orkg_double.call import COMPARISON, COMPARISON_V2, CONTRIBUTION, PAPER
from tests.orkg_double.faults import Bend, Fault
from tests.orkg_double.hostile import BAD_IDS, LABELS
from tests.orkg_double.messages import JSON_TYPE
from tests.orkg_double.state import ADA, BO, CY, GUEST
from tests.orkg_double.steering import Steering

V3 = {"Accept": COMPARISON}
PLAIN = {"Accept": JSON_TYPE}
DELETE = {"Accept": JSON_TYPE, "Content-Type": COMPARISON}
WRITE = {"Accept": COMPARISON, "Content-Type": COMPARISON}
HEAD, VERSION = "/api/comparisons/R900001", "/api/comparisons/R900101"
PATHS = [{"id": "P900001", "type": "PREDICATE", "children": []}]
PUBLISH = {"subject": "AI", "description": "d", "authors": [{"name": "Ada Example"}], "assign_doi": False}


def located(answer: httpx.Response) -> str:
    """The id of what was made."""
    assert answer.status_code in (201, 204), answer.text
    assert answer.content == b""
    return urlsplit(answer.headers["Location"]).path.rpartition("/")[2]


def refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem of a refusal of some kind, which says the same in the old keys."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"orkg:problem:{kind}"), problem
    assert (problem["status"], problem["message"], problem["path"]) == (status, problem["detail"], problem["instance"])
    return problem


def sources(*ids: str) -> list[dict[str, str]]:
    return [{"id": one, "type": "THING"} for one in ids]


def source_statements(http: httpx.Client, comparison: str) -> dict[str, str]:
    found = http.get(
        "/api/statements",
        params={"subject_id": comparison, "predicate_id": "compareContribution", "sort": "created_at,asc"},
        headers=PLAIN,
    ).json()
    return {one["object"]["id"]: one["id"] for one in found["content"]}


# 1: media types


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*", COMPARISON.replace("v3", "v1")])
def test_1_only_the_exact_type_is_accepted(http: httpx.Client, accept: str) -> None:
    problem = refused(http.get(HEAD, headers={"Accept": accept}), 406, "http_media_type_not_acceptable")
    assert problem["title"] == "Not Acceptable"
    assert http.get(HEAD, headers=V3).headers["Content-Type"] == COMPARISON


def test_1_the_type_of_version_2_gives_406_without_a_body(http: httpx.Client) -> None:
    answer = http.get(HEAD, headers={"Accept": COMPARISON_V2})
    assert (answer.status_code, answer.content) == (406, b"")


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/api/papers/R900010", PAPER),
        ("/api/contributions/R900011", CONTRIBUTION),
        ("/api/templates/R900200", "application/vnd.orkg.template.v1+json"),
        ("/api/visualizations/R900060", "application/vnd.orkg.visualization.v2+json"),
    ],
)
def test_1_other_types_of_their_own_are_exact_too(http: httpx.Client, path: str, media: str) -> None:
    assert http.get(path, headers={"Accept": media}).status_code == 200
    assert http.get(path, headers=PLAIN).status_code == 406


def test_1_plain_json_is_plain(http: httpx.Client) -> None:
    for accept in ("application/json", "*/*", "application/json;formatted-labels=V1"):
        assert http.get("/api/statements/S900001", headers={"Accept": accept}).status_code == 200
    assert http.get("/api/statements/S900001", headers={"Accept": COMPARISON}).status_code == 406


def test_1_writes_answer_in_types_too(ada: httpx.Client) -> None:
    """Spring looks at Accept even where there will be no body."""
    draft = "/api/comparisons/R900003"
    refused(ada.delete(draft, headers=WRITE), 406, "http_media_type_not_acceptable")
    refused(ada.post(f"{HEAD}/publish", json=PUBLISH, headers=V3), 406, "http_media_type_not_acceptable")
    given = {"Accept": JSON_TYPE, "Content-Type": COMPARISON}
    refused(ada.put(HEAD, json={}, headers=given), 406, "http_media_type_not_acceptable")
    answer = ada.put(f"{HEAD}/contents", json={"selected_paths": PATHS}, headers=given)
    refused(answer, 406, "http_media_type_not_acceptable")
    answer = ada.post("/api/papers", json={}, headers={"Accept": JSON_TYPE, "Content-Type": PAPER})
    refused(answer, 406, "http_media_type_not_acceptable")
    assert ada.delete(draft, headers=DELETE).status_code == 204


def test_1_wildcards_do_where_there_is_one_version(http: httpx.Client) -> None:
    assert http.get("/api/papers/R900010").headers["Content-Type"] == PAPER
    assert http.get(HEAD).status_code == 406


def test_1_delete_without_the_type_gives_415(ada: httpx.Client) -> None:
    refused(ada.delete(HEAD, headers=V3), 415, "http_media_type_not_supported")
    refused(ada.delete(HEAD, headers=V3 | {"Content-Type": JSON_TYPE}), 415, "http_media_type_not_supported")
    answer = ada.post("/api/comparisons", headers={"Accept": COMPARISON, "Content-Type": JSON_TYPE}, json={})
    refused(answer, 415, "http_media_type_not_supported")


# 2: trailing slash


def test_2_a_trailing_slash_is_redirected_for_good(http: httpx.Client) -> None:
    answer = http.get("/api/comparisons/R900001/?a=1", headers=V3)
    assert (answer.status_code, answer.headers["Location"]) == (308, "/api/comparisons/R900001?a=1")


# 3: paging


def test_3_pages_are_nested_and_never_larger_than_2500(http: httpx.Client) -> None:
    found = http.get("/api/statements", params={"size": 5000}, headers=PLAIN).json()
    assert found["page"]["size"] == 2500
    assert found["page"]["total_elements"] == len(found["content"]) > 20
    assert set(found) == {"content", "page"}
    usual = http.get("/api/statements", headers=PLAIN).json()
    assert usual["page"] == {
        "size": 20,
        "number": 0,
        "total_elements": found["page"]["total_elements"],
        "total_pages": -(-found["page"]["total_elements"] // 20),
    }


def test_3_pages_together_are_the_whole_and_in_the_order_that_was_asked_for(http: httpx.Client) -> None:
    def page(number: int) -> list[dict[str, Any]]:
        asked: dict[str, str | int] = {"subject_id": "R900011", "size": 2, "page": number, "sort": "id,desc"}
        return list(http.get("/api/statements", params=asked, headers=PLAIN).json()["content"])

    ids = [one["id"] for number in range(4) for one in page(number)]
    assert ids == ["S900007", "S900005", "S900004", "S900003", "S900002", "S900001"]


def test_3_an_unknown_property_to_sort_by_is_refused(http: httpx.Client) -> None:
    refused(http.get("/api/resources?sort=colour,asc", headers=PLAIN), 400, "unknown_sorting_property")


# 4: validators


def test_4_there_are_no_validators(http: httpx.Client) -> None:
    first = http.get(HEAD, headers=V3)
    assert not {"etag", "last-modified", "cache-control"} & set(first.headers)
    again = http.get(HEAD, headers=V3 | {"If-None-Match": "*", "If-Modified-Since": "Sat, 21 Nov 2099 10:00:00 GMT"})
    assert (again.status_code, again.content) == (200, first.content)


# 5: tables


def test_5_literals_have_no_id_and_values_are_sorted_as_text(ada: httpx.Client) -> None:
    for label in ("9", "100"):
        literal = located(ada.post("/api/literals", json={"label": label, "datatype": "xsd:integer"}))
        body = {"subject_id": "R900011", "predicate_id": "P900002", "object_id": literal}
        located(ada.post("/api/statements", json=body))
    rows = ada.get(f"{HEAD}/contents", headers=V3).json()["values"]["P900002"]
    columns = list(zip(*([one and one["label"] for one in row["values"]] for row in rows), strict=True))
    assert columns == [("100", "24", "9"), ("22", "24 (large)", None), (None, None, None)]
    assert all(one is None or one["id"] is None for row in rows for one in row["values"])
    assert [one["id"] for one in ada.get(f"{HEAD}/contents", headers=V3).json()["titles"]] == [
        "R900010",
        "R900020",
        "R900030",
    ]


def test_5_children_stand_by_their_value_and_empty_rows_of_children_are_dropped(http: httpx.Client) -> None:
    code, crawl = http.get(f"{HEAD}/contents", headers=V3).json()["values"]["P900005"]
    # the second column takes the first free row, next to another value than its own
    assert [one and one["label"] for one in code["values"]] == ["Synthetic Code", "Synthetic Crawl", None]
    assert [one["values"] for one in code["children"]["P900006"]] == [
        [None, {"_class": "literal_ref", "id": None, "label": "1.5T", "datatype": "xsd:string"}, None]
    ]
    assert [one and one["label"] for one in crawl["values"]] == ["Synthetic Crawl", None, None]
    assert len(crawl["children"]["P900006"]) == 1


def test_5_a_chosen_row_that_nobody_has_is_all_null(ada: httpx.Client) -> None:
    chosen = {"selected_paths": [{"id": "SAME_AS", "type": "PREDICATE", "children": [*PATHS]}]}
    assert ada.put(f"{HEAD}/contents", json=chosen, headers=WRITE).status_code == 204
    values = ada.get(f"{HEAD}/contents", headers=V3).json()["values"]
    assert values == {"SAME_AS": [{"values": [None, None, None], "children": {}}]}
    assert ada.put(HEAD, json={"sources": []}, headers=WRITE).status_code == 204
    found = ada.get(f"{HEAD}/contents", headers=V3).json()
    assert (found["titles"], found["values"]) == ([], {"SAME_AS": [{"values": [], "children": {}}]})


def test_5_a_source_without_a_paper_is_its_own_title(orkg: Steering, http: httpx.Client) -> None:
    orkg.reset("r753434")
    found = http.get("/api/comparisons/R753434/contents", headers=V3).json()
    alone = [title["label"] for title, sub in zip(found["titles"], found["subtitles"], strict=True) if sub is None]
    assert alone == ["StableLM-2-zephyr* 1.6B", "recurrentGemma 2B", "MiniCPM 2B"]


# 6: tables that are not there


def test_6_a_lost_table_is_empty_and_its_comparison_is_not(http: httpx.Client) -> None:
    answer = http.get("/api/comparisons/R900199/contents", headers=V3)
    assert answer.status_code == 200
    assert answer.json() == {"selected_paths": [], "titles": [], "subtitles": [], "values": {}}
    assert len(http.get("/api/comparisons/R900199", headers=V3).json()["sources"]) == 3


def test_6_sources_without_chosen_rows_have_titles_and_no_values(http: httpx.Client) -> None:
    found = http.get("/api/comparisons/R900002/contents", headers=V3).json()
    assert (len(found["titles"]), found["selected_paths"], found["values"]) == (3, [], {})


# 7: versions


def test_7_a_version_keeps_its_cells_when_the_head_moves_on(ada: httpx.Client) -> None:
    frozen = ada.get(f"{VERSION}/contents", headers=V3).json()
    assert frozen != ada.get(f"{HEAD}/contents", headers=V3).json()
    ada.put("/api/literals/L900001", json={"label": "25", "datatype": "xsd:integer"})
    assert ada.get(f"{VERSION}/contents", headers=V3).json() == frozen
    moved = ada.get(f"{HEAD}/contents", headers=V3).json()
    assert moved["values"]["P900002"][0]["values"][0]["label"] == "25"


def test_7_heads_list_versions_newest_first_and_versions_in_any_order(orkg: Steering, ada: httpx.Client) -> None:
    made = []
    for _ in range(3):
        orkg.advance(60)
        made.append(located(ada.post(f"{HEAD}/publish", json=PUBLISH)))
    newest_first = [*reversed(made), "R900101"]
    head = ada.get(HEAD, headers=V3).json()
    assert [one["id"] for one in head["versions"]["published"]] == newest_first
    version = ada.get(f"/api/comparisons/{made[0]}", headers=V3).json()
    ids = [one["id"] for one in version["versions"]["published"]]
    assert sorted(ids) == sorted(newest_first)
    assert ids not in (newest_first, newest_first[::-1])
    assert version["versions"]["head"]["id"] == "R900001"
    assert {one["changelog"] for one in version["versions"]["published"]} == {head["description"]}


@pytest.mark.parametrize(("habit", "expected"), [("defect", (None, 11)), ("right", (11, 2026))])
def test_7_the_month_may_stand_for_the_year(
    orkg: Steering, ada: httpx.Client, habit: str, expected: tuple[int | None, int]
) -> None:
    orkg.habits(publication_date=habit)
    version = located(ada.post(f"{HEAD}/publish", json=PUBLISH))
    found = ada.get(f"/api/comparisons/{version}", headers=V3).json()["publication_info"]
    assert (found["published_month"], found["published_year"]) == expected
    dates = ada.get("/api/statements", params={"subject_id": version, "predicate_id": "P29"}, headers=PLAIN).json()
    assert len(dates["content"]) == (2 if habit == "defect" else 1)


# 8: who may


def test_8_no_token_gives_403_and_a_bad_one_401(http: httpx.Client) -> None:
    body = {"label": "x"}
    refused(http.post("/api/resources", json=body), 403, "access_denied")
    answer = http.post("/api/resources", json=body, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert http.get(HEAD, headers=V3 | {"Authorization": "Bearer nonsense"}).status_code == 401
    refused(http.get("/api/user", headers=PLAIN), 403, "access_denied")


def test_8_a_token_ends_after_300_seconds_and_is_renewed(orkg: Steering, http: httpx.Client) -> None:
    form = {"grant_type": "password", "client_id": "orkg-client", "username": "ada@example.org", "password": "secret"}
    where = http.get("/realms/orkg/.well-known/openid-configuration").json()["token_endpoint"]
    first = http.post(where, data=form).json()
    assert (first["expires_in"], first["refresh_expires_in"], first["token_type"]) == (300, 1800, "Bearer")

    def status(token: str) -> int:
        return http.get("/api/user", headers=PLAIN | {"Authorization": f"Bearer {token}"}).status_code

    assert status(first["access_token"]) == 200
    orkg.advance(299)
    assert status(first["access_token"]) == 200
    orkg.advance(2)
    assert status(first["access_token"]) == 401
    again = {"grant_type": "refresh_token", "client_id": "orkg-client", "refresh_token": first["refresh_token"]}
    second = http.post(where, data=again).json()
    assert status(second["access_token"]) == 200
    orkg.advance(1801)
    answer = http.post(where, data=again | {"refresh_token": second["refresh_token"]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_8_bad_passwords_lock_the_account(orkg: Steering, http: httpx.Client) -> None:
    form = {"grant_type": "password", "client_id": "orkg-client", "username": "ada@example.org", "password": "wrong"}
    where = "/realms/orkg/protocol/openid-connect/token"
    for expected in (1, 2):
        answer = http.post(where, data=form)
        assert (answer.status_code, answer.json()["error_description"]) == (401, "Invalid user credentials")
        assert orkg.bad_passwords() == {"ada@example.org": expected}
    assert http.post(where, data=form | {"password": "secret"}).status_code == 401
    assert http.post(where, data=form | {"client_id": "other"}).json()["error"] == "invalid_client"


def test_8_rights(orkg: Steering) -> None:
    refused(orkg.ask("POST", "/api/resources", user=GUEST, json={"label": "x"}), 403, "access_denied")
    mine = located(orkg.ask("POST", "/api/resources", user=ADA, json={"label": "x"}))
    refused(orkg.ask("DELETE", f"/api/resources/{mine}", user=BO), 403, "neither_owner_nor_curator")
    assert orkg.ask("DELETE", f"/api/resources/{mine}", user=CY).status_code == 204
    # but everybody may delete any statement
    assert orkg.ask("DELETE", "/api/statements/S900001", user=BO).status_code == 204


# 9: what was made


def test_9_location_names_a_port_where_nobody_listens_and_there_is_no_body(ada: httpx.Client) -> None:
    answer = ada.post("/api/resources", json={"label": "GQA", "classes": [], "extraction_method": "MANUAL"})
    made = located(answer)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"https://127.0.0.1:80/api/resources/{made}"
    changed = ada.put(f"/api/resources/{made}", json={"label": "GQA 2"})
    assert (changed.status_code, located(changed)) == (204, made)
    assert ada.get(f"/api/resources/{made}", headers=PLAIN).json()["label"] == "GQA 2"


# 10: twice


def test_10_the_same_statement_is_the_same_and_nothing_else_is(ada: httpx.Client) -> None:
    literal = [located(ada.post("/api/literals", json={"label": "7", "datatype": "xsd:integer"})) for _ in range(2)]
    assert literal[0] != literal[1]
    body = {"subject_id": "R900031", "predicate_id": "P900002", "object_id": literal[0]}
    assert len({located(ada.post("/api/statements", json=body)) for _ in range(3)}) == 1
    assert len({located(ada.post("/api/resources", json={"label": "same"})) for _ in range(2)}) == 2


def test_10_the_same_paper_is_refused_by_doi_and_by_title(ada: httpx.Client) -> None:
    paper: dict[str, Any] = {
        "title": "Synthetic report on Model D",
        "research_fields": ["R133"],
        "identifiers": {"doi": ["10.99999/model-d"]},
        "authors": [],
        "observatories": [],
        "organizations": [],
    }
    media = {"Content-Type": PAPER}
    made = located(ada.post("/api/papers", json=paper, headers=media))
    other = paper | {"title": "Another title", "identifiers": {"doi": ["10.99999/MODEL-D"]}}
    problem = refused(ada.post("/api/papers", json=other, headers=media), 400, "paper_already_exists")
    assert problem["paper_identifier"] == "10.99999/MODEL-D"
    untold = paper | {"identifiers": {}}
    problem = refused(ada.post("/api/papers", json=untold, headers=media), 400, "paper_already_exists")
    assert problem["paper_title"] == paper["title"]
    found = ada.head("/api/papers", params={"doi": "10.99999/Model-D"}, headers={"Accept": PAPER})
    assert found.headers["Location"].endswith(f"/api/papers/{made}")
    assert ada.head("/api/papers", params={"doi": "10.99999/none"}, headers={"Accept": PAPER}).status_code == 404


# 11: external IRIs


@pytest.mark.parametrize("kind", ["resources", "predicates"])
def test_11_an_iri_is_lost_on_creation_and_set_once(ada: httpx.Client, kind: str) -> None:
    iri = "https://example.org/slm/attention/mla"
    made = located(ada.post(f"/api/{kind}", json={"label": "MLA", "uri": iri}))
    path = f"/api/{kind}/{made}"
    assert ada.get(path, headers=PLAIN).json()["uri"] is None
    assert ada.get("/api/things", params={"uri": iri}, headers=PLAIN).json()["content"] == []
    refused(ada.put(path, json={"uri": "attention/mla"}), 400, "uri_not_absolute")
    assert ada.put(path, json={"uri": iri}).status_code == 204
    assert [one["id"] for one in ada.get("/api/things", params={"uri": iri}, headers=PLAIN).json()["content"]] == [made]
    refused(ada.put(path, json={"uri": iri + "2"}), 403, "cannot_reset_uri")
    assert ada.put(path, json={"uri": iri}).status_code == 204
    second = located(ada.post(f"/api/{kind}", json={"label": "MLA"}))
    refused(ada.put(f"/api/{kind}/{second}", json={"uri": iri}), 400, "uri_already_in_use")


# 12: sources


def test_12_the_list_of_sources_is_replaced_whole(ada: httpx.Client) -> None:
    before = source_statements(ada, "R900001")
    assert ada.put(HEAD, json={"sources": sources("R900011", "R900031")}, headers=WRITE).status_code == 204
    after = source_statements(ada, "R900001")
    assert after == {one: before[one] for one in ("R900011", "R900031")}
    added = ("R900011", "R900031", "R900012")
    assert ada.put(HEAD, json={"sources": sources(*added)}, headers=WRITE).status_code == 204
    assert {one: source_statements(ada, "R900001")[one] for one in after} == after
    assert [one["id"] for one in ada.get(HEAD, headers=V3).json()["sources"]] == [*added]


def test_12_a_new_order_makes_statements_anew_with_the_method_of_the_request(ada: httpx.Client) -> None:
    before = source_statements(ada, "R900001")
    assert ada.put(HEAD, json={"sources": sources("R900031", "R900011", "R900021")}, headers=WRITE).status_code == 204
    after = source_statements(ada, "R900001")
    assert list(after) == ["R900031", "R900011", "R900021"]
    # what comes first in the new list keeps its statement; all that it skipped is made anew
    assert set(before.values()) & set(after.values()) == {before["R900031"]}
    told = ada.get(f"/api/statements/{after['R900011']}", headers=PLAIN).json()
    assert (told["extraction_method"], told["created_by"]) == ("UNKNOWN", ADA)


def test_12_a_source_in_front_makes_all_others_anew(ada: httpx.Client) -> None:
    before = source_statements(ada, "R900001")
    wanted = sources("R900012", "R900011", "R900021", "R900031")
    assert ada.put(HEAD, json={"sources": wanted, "extraction_method": "MANUAL"}, headers=WRITE).status_code == 204
    after = source_statements(ada, "R900001")
    assert list(after) == ["R900012", "R900011", "R900021", "R900031"]
    assert not set(before.values()) & set(after.values())


def test_12_a_source_twice_or_that_is_not_there_is_refused(ada: httpx.Client) -> None:
    before = source_statements(ada, "R900001")
    answer = ada.put(HEAD, json={"sources": sources("R900011", "R900021", "R900011")}, headers=WRITE)
    assert refused(answer, 400, "duplicate_data_sources")["duplicate_data_sources"] == {"(id=R900011,type=THING)": 2}
    refused(ada.put(HEAD, json={"sources": sources("R404")}, headers=WRITE), 404, "resource_not_found")
    assert source_statements(ada, "R900001") == before


def test_12_sources_add_no_rows_and_contents_take_nothing_but_ids(ada: httpx.Client) -> None:
    before = ada.get(f"{HEAD}/contents", headers=V3).json()["selected_paths"]
    ada.put(HEAD, json={"sources": sources("R900011", "R900021", "R900031", "R900012")}, headers=WRITE)
    assert ada.get(f"{HEAD}/contents", headers=V3).json()["selected_paths"] == before
    problem = refused(
        ada.put(f"{HEAD}/contents", json={"selected_paths": before}, headers=WRITE), 400, "unknown_json_field"
    )
    assert problem["pointer"] == "#/selected_paths/0/label"


def test_12_a_new_comparison_chooses_what_two_sources_have(ada: httpx.Client) -> None:
    body = {
        "title": "Two of them",
        "description": "d",
        "research_fields": ["R133"],
        "authors": [],
        "sources": sources("R900011", "R900021"),
        "references": ["https://orkg.org/comparison/R900001"],
        "observatories": [],
        "organizations": [],
        "is_anonymized": False,
    }
    made = located(ada.post("/api/comparisons", json=body, headers=WRITE))
    found = ada.get(f"/api/comparisons/{made}/contents", headers=V3).json()
    assert [one["label"] for one in found["selected_paths"]] == [
        "attention type",
        "hidden size",
        "layer number",
        "research problem",
        "training data",
    ]
    assert [one["label"] for one in found["selected_paths"][4]["children"]] == ["size in tokens"]
    assert ada.get(f"/api/comparisons/{made}", headers=V3).json()["references"] == body["references"]


# 13: frozen


def test_13_a_version_cannot_be_changed(ada: httpx.Client) -> None:
    refused(ada.put(VERSION, json={"title": "x"}, headers=WRITE), 403, "comparison_not_modifiable")
    answer = ada.put(f"{VERSION}/contents", json={"selected_paths": PATHS}, headers=WRITE)
    refused(answer, 403, "comparison_already_published")
    refused(ada.post(f"{VERSION}/publish", json=PUBLISH), 403, "comparison_already_published")
    refused(ada.delete(VERSION, headers=DELETE), 403, "comparison_already_published")


def test_13_only_drafts_can_be_deleted_and_only_by_their_maker(orkg: Steering) -> None:
    refused(orkg.ask("DELETE", HEAD, user=ADA), 403, "comparison_already_published")
    refused(orkg.ask("DELETE", "/api/comparisons/R900003", user=BO), 403, "neither_owner_nor_curator")
    assert orkg.ask("DELETE", "/api/comparisons/R900003", user=ADA).status_code == 204
    refused(orkg.ask("GET", "/api/comparisons/R900003"), 404, "comparison_not_found")
    assert orkg.ask("DELETE", "/api/comparisons/R900003", user=BO).status_code == 204, "what is gone is no error"


# 14: publishing


def test_14_one_source_is_not_enough(ada: httpx.Client) -> None:
    answer = ada.post("/api/comparisons/R900003/publish", json=PUBLISH)
    refused(answer, 400, "requires_at_least_two_sources")


def test_14_a_version_may_be_there_although_its_doi_failed(orkg: Steering, ada: httpx.Client) -> None:
    orkg.habits(doi_service="down")
    refused(ada.post(f"{HEAD}/publish", json=PUBLISH | {"assign_doi": True}), 503, "service_unavailable")
    published = ada.get(HEAD, headers=V3).json()["versions"]["published"]
    assert len(published) == 2
    left = ada.get(f"/api/comparisons/{published[0]['id']}", headers=V3).json()
    assert (left["published"], left["identifiers"]) == (True, {})
    orkg.habits(doi_service="up")
    version = located(ada.post(f"{HEAD}/publish", json=PUBLISH | {"assign_doi": True}))
    doi = ada.get(f"/api/comparisons/{version}", headers=V3).json()["identifiers"]
    assert doi == {"doi": [f"10.99999/{version}"]}


# 15: bodies


def test_15_unknown_and_missing_keys_are_refused(ada: httpx.Client) -> None:
    answer = ada.post("/api/comparisons", json={"contributions": []}, headers=WRITE)
    assert refused(answer, 400, "unknown_json_field")["pointer"] == "#/contributions"
    answer = ada.post("/api/comparisons", json={"title": "x"}, headers=WRITE)
    assert refused(answer, 400, "mismatched_json_input")["pointer"] == "#/description"
    answer = ada.put(HEAD, json={"sources": [{"id": "R900011", "type": None}]}, headers=WRITE)
    refused(answer, 400, "mismatched_json_input")


def test_15_the_key_of_the_datatype_differs(ada: httpx.Client) -> None:
    answer = ada.post("/api/literals", json={"label": "1", "data_type": "xsd:integer"})
    assert refused(answer, 400, "unknown_json_field")["pointer"] == "#/data_type"
    body = {
        "literals": {"#l": {"label": "1", "datatype": "xsd:integer"}},
        "contribution": {"label": "x", "statements": {}},
    }
    answer = ada.post("/api/papers/R900010/contributions", json=body, headers={"Content-Type": CONTRIBUTION})
    assert refused(answer, 400, "unknown_json_field")["pointer"] == "#/literals/#l/datatype"


def test_15_values_must_fit(ada: httpx.Client) -> None:
    answer = ada.post("/api/literals", json={"label": "32k", "datatype": "xsd:integer"})
    errors = refused(answer, 400, "invalid_literal_label")["errors"]
    assert errors[0]["detail"] == 'Literal value "32k" is not a valid "xsd:integer".'
    refused(ada.post("/api/resources", json={"label": "two\nlines"}), 400, "invalid_label")
    refused(ada.post("/api/resources", json={"label": "x" * 8165}), 400, "invalid_label")
    assert ada.post("/api/resources", json={"label": "x" * 8164}).status_code == 201
    guessed = {"label": "x", "extraction_method": "GUESSED"}
    refused(ada.post("/api/resources", json=guessed), 400, "mismatched_json_input")
    refused(ada.post("/api/resources", json={"label": "x", "classes": ["List"]}), 400, "reserved_class_id")
    refused(ada.put(HEAD, json={"description": " "}, headers=WRITE), 400, "invalid_description")
    assert ada.put(HEAD, json={"description": ""}, headers=WRITE).status_code == 204
    refused(ada.post("/api/resources", json={"label": "x", "classes": ["C404"]}), 400, "invalid_class_collection")
    missing = {"subject_id": "R900011", "predicate_id": "P900002", "object_id": "L404"}
    refused(ada.post("/api/statements", json=missing), 400, "statement_object_not_found")
    deep: dict[str, Any] = {"id": "P900002", "type": "PREDICATE", "children": []}
    for _ in range(10):
        deep = {"id": "P900002", "type": "PREDICATE", "children": [deep]}
    answer = ada.put(f"{HEAD}/contents", json={"selected_paths": [deep]}, headers=WRITE)
    refused(answer, 400, "invalid_comparison_path")
    gone = {"selected_paths": [{"id": "P404", "type": "PREDICATE", "children": []}]}
    refused(ada.put(f"{HEAD}/contents", json=gone, headers=WRITE), 404, "comparison_path_not_found")


def test_15_nothing_is_left_of_a_refused_paper(orkg: Steering, ada: httpx.Client) -> None:
    before = orkg.dump()
    body = {
        "title": "Half a paper",
        "research_fields": ["R133"],
        "authors": [],
        "observatories": [],
        "organizations": [],
        "contents": {
            "literals": {"#l": {"label": "1"}},
            "contributions": [{"label": "one", "statements": {"P900002": [{"id": "#l"}], "P404": [{"id": "#l"}]}}],
        },
    }
    refused(ada.post("/api/papers", json=body, headers={"Content-Type": PAPER}), 404, "predicate_not_found")
    assert orkg.dump() == before


def test_15_machine_values_become_reviewed_ones_only_and_a_new_label_is_a_persons(ada: httpx.Client) -> None:
    machine = {"label": "24", "datatype": "xsd:integer", "extraction_method": "AI_GENERATED"}
    literal = located(ada.post("/api/literals", json=machine))
    path = f"/api/literals/{literal}"
    refused(ada.put(path, json={"extraction_method": "MANUAL"}), 403, "invalid_extraction_method_change")
    assert ada.put(path, json={"extraction_method": "AI_GENERATED_WITH_MANUAL_REVIEW"}).status_code == 204
    assert ada.put(path, json={"label": "25"}).status_code == 204
    assert ada.get(path, headers=PLAIN).json()["extraction_method"] == "MANUAL"


# 16: what goes wrong on the way


def test_16_the_proxy_answers_html(orkg: Steering, http: httpx.Client) -> None:
    orkg.faults([Fault(1, "502"), Fault(2, "504"), Fault(3, "503", seconds=7), Fault(4, "429", seconds=7)])
    for status, again in ((502, None), (504, None), (503, "7"), (429, "7")):
        answer = http.get(HEAD, headers=V3)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
        assert answer.headers.get("Retry-After") == again
    assert http.get(HEAD, headers=V3).status_code == 200


@pytest.mark.parametrize(
    ("what", "carried_out"), [("cut", True), ("refused", False), ("504-after", True), ("504", False)]
)
def test_16_a_lost_answer_says_nothing_about_the_write(
    orkg: Steering, ada: httpx.Client, what: str, carried_out: bool
) -> None:
    orkg.faults([Fault(1, what)], counts="writes")
    assert ada.get(HEAD, headers=V3).status_code == 200
    if what in ("cut", "refused"):
        with pytest.raises(httpx.TransportError):
            ada.post("/api/resources", json={"label": "lost"})
    else:
        assert ada.post("/api/resources", json={"label": "lost"}).status_code == 504
    found = ada.get("/api/resources", params={"q": "lost", "exact": "true"}, headers=PLAIN).json()
    assert len(found["content"]) == int(carried_out)
    assert [one["fault"] for one in orkg.log() if one["method"] == "POST"] == [what]


def test_16_a_slow_answer_comes_after_the_client_has_gone(orkg: Steering, ada: httpx.Client) -> None:
    orkg.faults([Fault(1, "slow", seconds=0.5)])
    with pytest.raises(httpx.ReadTimeout):
        ada.post("/api/resources", json={"label": "late"}, timeout=0.1)
    found = ada.get("/api/resources", params={"q": "late", "exact": "true"}, headers=PLAIN).json()
    assert len(found["content"]) == 1


# 17: data of somebody who means harm


def test_17_labels_come_as_they_are(orkg: Steering, http: httpx.Client) -> None:
    orkg.reset("hostile")
    found = http.get("/api/comparisons/R666001/contents", headers=V3).json()
    labels = {one["label"] for row in found["values"]["P666002"] for one in row["values"] if one}
    assert labels == set(LABELS)
    assert any(one.startswith("=") for one in labels)
    assert max(len(one) for one in labels) == 8164
    assert any("\u202e" in one for one in labels)
    assert [one["id"] for one in found["subtitles"]] == [*BAD_IDS, "R666020"]
    text = http.get("/api/comparisons/R666001/contents", headers={"Accept": "text/csv"}).text
    assert '"=HYPERLINK(' in text


def test_17_a_redirect_leads_to_another_host(orkg: Steering, http: httpx.Client) -> None:
    orkg.bend(Bend("redirect", "/api/comparisons/.*", to="http://evil.example/api/comparisons/R1"))
    answer = http.get(HEAD, headers=V3)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://evil.example/api/comparisons/R1")


def test_17_a_list_never_ends_or_is_too_large(orkg: Steering, http: httpx.Client) -> None:
    orkg.bend(Bend("endless", "/api/statements"))
    for number in (0, 1, 999):
        found = http.get("/api/statements", params={"page": number, "subject_id": "R900011"}, headers=PLAIN).json()
        assert found["page"]["total_pages"] == number + 2
        assert found["content"]
    orkg.bend(Bend("oversized", "/api/statements", to=10_000))
    found = http.get("/api/statements", params={"subject_id": "R900011"}, headers=PLAIN).json()
    assert len(found["content"]) == found["page"]["size"] == 10_000


def test_17_answers_are_bent(orkg: Steering, http: httpx.Client) -> None:
    path = f"{HEAD}/contents"
    whole = http.get(path, headers=V3).json()
    orkg.bend(Bend("rename", path, key="selected_paths", to="paths"))
    assert set(http.get(path, headers=V3).json()) == {"paths", "titles", "subtitles", "values"}
    orkg.bend(Bend("half-empty", path))
    found = http.get(path, headers=V3).json()
    assert set(found["values"]) < set(whole["values"])
    assert found["titles"] == whole["titles"]
    orkg.bend(Bend("media-type", path, to="application/vnd.orkg.comparison.v4+json"))
    assert http.get(path, headers=V3).headers["Content-Type"] == "application/vnd.orkg.comparison.v4+json"
    orkg.bend(Bend("truncated", path))
    assert not http.get(path, headers=V3).text.endswith("}")
    orkg.bend()
    assert http.get(path, headers=V3).json() == whole


def test_17_a_list_moves_while_it_is_paged(orkg: Steering, http: httpx.Client) -> None:
    def ids() -> list[str]:
        asked: dict[str, str | int] = {"subject_id": "R900011", "size": 2}
        pages = [http.get("/api/statements", params=asked | {"page": n}, headers=PLAIN).json() for n in range(3)]
        return [one["id"] for page in pages for one in page["content"]]

    whole = ids()
    orkg.habits(paging_shift=1)
    assert ids() == [*whole[:2], *whole[1:3], *whole[2:4]]
    orkg.habits(paging_shift=-1)
    assert ids() == [*whole[:2], *whole[3:5]]


def test_17_a_next_version_of_the_api_takes_another_type(orkg: Steering, http: httpx.Client) -> None:
    orkg.habits(comparison_media="application/vnd.orkg.comparison.v4+json")
    refused(http.get(HEAD, headers=V3), 406, "http_media_type_not_acceptable")
    assert http.get(HEAD, headers={"Accept": "application/vnd.orkg.comparison.v4+json"}).status_code == 200
    found = http.get("/api/content-types", params={"classes": "COMPARISON"}, headers=PLAIN).json()["content"]
    assert "R900001" in [one["id"] for one in found]
