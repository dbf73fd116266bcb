"""The client against the double: every call, every trap of the API, what is tried again and what never is."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from app.errors import (
    OrkgChanged,
    OrkgMissing,
    OrkgRefused,
    OrkgSignIn,
    OrkgUnavailable,
    OrkgUncertain,
)
from app.orkg.client import Orkg
from app.orkg.http import Exchange, gentle
from app.orkg.pace import Gate
from app.orkg.values import (
    Author,
    Leaf,
    Method,
    NewComparison,
    NewContribution,
    NewLiteral,
    NewPaper,
    NewParts,
    NewPredicate,
    NewResource,
    Path,
    SourceRef,
)
from tests.orkg.clients import PASSWORD, QUICK, client
from tests.orkg_double.faults import Bend, Fault
from tests.orkg_double.state import BO
from tests.orkg_double.steering import Steering

ONE_ROW = (Path("P900002", ""),)


def test_a_comparison_and_its_version_are_read(reader: Orkg) -> None:
    head = reader.comparison("R900001")
    assert [one.id for one in head.sources] == ["R900011", "R900021", "R900031"]
    assert not head.published
    (version,) = head.versions.published
    frozen = reader.comparison(version.id)
    assert frozen.published
    assert frozen.doi == "10.99999/R900101"
    assert frozen.publication_info.published_month is None, "the defect of the service is passed on as it is"


def test_tables_paths_papers_and_contributions_are_read(reader: Orkg) -> None:
    contents = reader.contents("R900101")
    assert [one.label for one in contents.selected_paths][:2] == ["attention type", "layer number"]
    literal = contents.values["P900002"][0].values[0]
    assert literal is not None
    assert literal.literal
    assert literal.id is None
    assert reader.contents("R900199").empty
    assert {one.id: one.sources for one in reader.table_paths("R900001")}["P900001"] == 3
    assert reader.paper("R900010").doi == "10.99999/model-a"
    assert "P900002" in reader.contribution("R900011").properties


def test_a_paper_is_found_by_its_doi_in_any_case_and_by_its_title(reader: Orkg) -> None:
    found = reader.paper_with_doi("10.99999/MODEL-A")
    assert found is not None
    assert found.id == "R900010"
    assert reader.paper_with_doi("10.99999/nobody") is None
    assert [one.id for one in reader.papers_titled("Synthetic report on Model A")] == ["R900010"]


def test_statements_come_by_subject_by_subgraph_and_in_a_bundle(reader: Orkg) -> None:
    of_subject = {one.id for one in reader.statements(subject="R900011")}
    deep = {one.id for one in reader.subgraph("R900011", max_hops=2)}
    bundle = {one.id for one in reader.bundle("R900011", max_level=2).statements}
    assert "S900002" in of_subject
    assert "S900006" not in of_subject
    assert "S900006" in deep
    assert "S900006" in bundle
    assert reader.statement("S900002").triple == ("R900011", "P900002", "L900001")
    with pytest.raises(ValueError, match="whole ORKG"):
        reader.statements()


def test_things_labels_timelines_and_people_are_read(reader: Orkg) -> None:
    assert reader.thing("R900070").kind == "resource"
    assert reader.predicate("P900001").description == "Kind of attention."
    assert reader.class_("C70000").kind == "class"
    assert {one.id for one in reader.resources_labelled("GQA")} >= {"R900070", "R900072"}, "labels are not unique"
    assert [one.id for one in reader.predicates_labelled("layer number")] == ["P900002"]
    assert reader.timeline("R900010")
    assert reader.things_with_uri("https://example.org/nothing") == ()
    assert reader.comparisons(title="Synthetic comparison of one model")


def test_what_is_not_there_is_missing(reader: Orkg) -> None:
    with pytest.raises(OrkgMissing) as caught:
        reader.comparison("R900999")
    assert caught.value.kind == "comparison_not_found"
    assert caught.value.status == 404


def test_media_types_and_the_address_of_a_person_are_sent(orkg: Steering, reader: Orkg) -> None:
    reader.comparison("R900001")
    reader.paper("R900010")
    reader.thing("R900010")
    accepts = [one["accept"] for one in orkg.log()]
    assert accepts == [
        "application/vnd.orkg.comparison.v3+json",
        "application/vnd.orkg.paper.v2+json",
        "application/json",
    ]


def test_a_next_media_type_is_a_change_of_the_interface(orkg: Steering, reader: Orkg) -> None:
    orkg.habits(comparison_media="application/vnd.orkg.comparison.v4+json")
    with pytest.raises(OrkgChanged, match="406"):
        reader.comparison("R900001")
    assert len(orkg.log()) == 1, "it is not tried again"


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (Bend("media-type", to="application/hal+json"), "is application/hal\\+json, not"),
        (Bend("html"), "is text/html, not"),
        (Bend("redirect", to="https://elsewhere.example/api"), "sends on \\(302\\) to https://elsewhere.example"),
        (Bend("rename", key="sources", to="columns"), "/sources"),
        (Bend("truncated"), "JSON"),
        (Bend("empty-body"), "JSON"),
    ],
)
def test_an_answer_that_is_not_what_it_was_is_never_taken(orkg: Steering, reader: Orkg, bend: Bend, told: str) -> None:
    orkg.bend(bend)
    with pytest.raises(OrkgChanged, match=told):
        reader.comparison("R900001")


def test_a_page_that_is_too_long_and_a_list_without_end_are_refused(orkg: Steering, reader: Orkg) -> None:
    orkg.bend(Bend("oversized", to=10_000))
    with pytest.raises(OrkgChanged, match="10000 came for a page of 2500"):
        reader.statements(subject="R900011")
    orkg.bend(Bend("endless"))
    with pytest.raises(OrkgChanged):
        reader.statements(subject="R900011")


def test_an_answer_without_end_is_cut_off(orkg: Steering) -> None:
    with client(orkg, pace=replace(QUICK, max_bytes=500)) as short, pytest.raises(OrkgChanged, match="500 bytes"):
        short.contents("R900101")


def test_a_list_of_several_pages_is_whole(orkg: Steering, reader: Orkg, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {one.id for one in reader.statements(subject="R900011")}
    monkeypatch.setattr("app.orkg.client.PAGE", 3)
    orkg.forget_log()
    assert {one.id for one in reader.statements(subject="R900011")} == whole
    pages = [one["query"] for one in orkg.log()]
    assert len(pages) >= 4, "more than one page is read until two readings agree"


def test_a_list_that_moves_while_it_is_read_is_not_believed(
    orkg: Steering, reader: Orkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.orkg.client.PAGE", 3)
    orkg.habits(paging_shift=1)
    with pytest.raises((OrkgUnavailable, OrkgChanged)):
        reader.statements(subject="R900011")


@pytest.mark.parametrize("what", ["refused", "cut", "502", "504", "503", "429"])
def test_reading_is_tried_again_after_what_passes(orkg: Steering, reader: Orkg, what: str) -> None:
    orkg.faults([Fault(1, what, 0), Fault(2, what, 0)])
    assert reader.comparison("R900001").id == "R900001"


def test_reading_ends_when_nothing_passes(orkg: Steering, reader: Orkg) -> None:
    orkg.faults([Fault(number, "502") for number in range(1, 20)])
    with pytest.raises(OrkgUnavailable, match="502"):
        reader.comparison("R900001")
    assert len(orkg.log()) == QUICK.attempts


def test_a_wait_that_the_service_asks_for_is_kept_or_is_too_long(orkg: Steering, reader: Orkg) -> None:
    orkg.faults([Fault(1, "429", 10_000)])
    with pytest.raises(OrkgUnavailable, match="429"):
        reader.comparison("R900001")
    assert len(orkg.log()) == 1


def test_an_address_where_nobody_listens_is_unavailable(orkg: Steering) -> None:
    with Orkg("http://127.0.0.1:1", pace=QUICK) as nobody, pytest.raises(OrkgUnavailable, match="cannot be reached"):
        nobody.comparison("R1")


def test_every_answer_is_heard_as_it_came(orkg: Steering) -> None:
    heard: list[Exchange] = []
    with client(orkg, signed=True, heard=heard.append) as listening:
        listening.comparison("R900001")
        listening.user()
    assert [one.address.partition("/api/")[2] for one in heard] == ["comparisons/R900001", "user"]
    assert heard[0].media.startswith("application/vnd.orkg.comparison.v3+json")
    assert heard[0].body.startswith(b"{")
    assert not any("token" in one.address for one in heard), "nothing of signing in is heard"


# Writing


def test_things_are_made_and_named_by_the_last_part_of_location(orkg: Steering, writer: Orkg) -> None:
    resource = writer.create_resource("MLA", (), Method.MANUAL)
    literal = writer.create_literal(NewLiteral("28", "xsd:integer"), Method.MANUAL)
    predicate = writer.create_predicate("block number", Method.MANUAL)
    statement = writer.create_statement("R900021", predicate, literal, Method.MANUAL)
    assert writer.thing(resource).label == "MLA"
    assert writer.statement(statement).triple == ("R900021", predicate, literal)
    assert writer.statement(statement).method is Method.MANUAL
    writer.update_literal(literal, NewLiteral("29", "xsd:integer"), Method.MANUAL)
    writer.update_statement(statement, resource, Method.MANUAL)
    assert writer.statement(statement).object.id == resource
    with pytest.raises(OrkgMissing):
        writer.thing(literal)
    writer.delete_statement(statement)
    writer.delete_statement(statement)
    with pytest.raises(OrkgMissing):
        writer.statement(statement)


def test_an_iri_is_set_once(writer: Orkg) -> None:
    resource = writer.create_resource("MLA", (), Method.MANUAL)
    writer.set_uri(resource, "https://example.org/mla")
    assert [one.id for one in writer.things_with_uri("https://example.org/mla")] == [resource]
    with pytest.raises(OrkgRefused) as caught:
        writer.set_uri(resource, "https://example.org/other")
    assert caught.value.kind == "cannot_reset_uri"
    other = writer.create_resource("MLA 2", (), Method.MANUAL)
    with pytest.raises(OrkgRefused) as taken:
        writer.set_uri(other, "https://example.org/mla")
    assert taken.value.kind == "uri_already_in_use"
    with pytest.raises(OrkgRefused) as relative:
        writer.set_uri(other, "mla")
    assert relative.value.kind == "uri_not_absolute"


def test_papers_and_contributions_are_made_whole(writer: Orkg) -> None:
    leaves = {"P900002": (Leaf("#layers"),), "#width": (Leaf("#value"),), "P900001": (Leaf("#attention"),)}
    parts = NewParts(
        resources={"#attention": NewResource("MLA")},
        literals={"#layers": NewLiteral("28", "xsd:integer"), "#value": NewLiteral("1024", "xsd:integer")},
        predicates={"#width": NewPredicate("width", "Size of a hidden state.")},
    )
    contribution = NewContribution("Model D 0.6B", leaves, ("C70000",))
    paper = NewPaper(
        "Synthetic report on Model D",
        "R133",
        doi="10.99999/model-d",
        authors=(Author("Ada Example", identifiers={"orcid": ("0000-0002-1825-0097",)}),),
        published_year=2026,
        contributions=(contribution,),
        parts=parts,
    )
    made = writer.create_paper(paper, Method.MANUAL)
    (first,) = writer.paper(made).contributions
    assert {one.predicate.label for one in writer.statements(subject=first.id)} >= {"layer number", "width"}
    with pytest.raises(OrkgRefused) as caught:
        writer.create_paper(paper, Method.MANUAL)
    assert caught.value.kind == "paper_already_exists"
    second = writer.create_contribution(made, replace(contribution, label="Model D 1.7B"), parts, Method.AI_REVIEWED)
    assert writer.contribution(second).extraction_method is Method.AI_REVIEWED


def test_a_comparison_is_made_filled_published_and_cannot_be_changed_then(writer: Orkg) -> None:
    sources = (SourceRef("R900011"), SourceRef("R900021"))
    made = writer.create_comparison(
        NewComparison("Ours", "Invented.", sources, ("R133",), (Author("Ada Example"),), ("https://example.org",)),
        Method.MANUAL,
    )
    writer.set_contents(made, ONE_ROW)
    assert "P900002" in writer.contents(made).values
    writer.set_sources(made, (*sources, SourceRef("R900031")), Method.MANUAL)
    writer.set_references(made, ["https://example.org/two"], Method.MANUAL)
    head = writer.comparison(made)
    assert len(head.sources) == 3
    assert head.references == ("https://example.org/two",)
    version = writer.publish(
        made, subject="Artificial Intelligence", description="x", authors=[Author("Ada Example")], assign_doi=False
    )
    with pytest.raises(OrkgRefused) as caught:
        writer.set_contents(version, ONE_ROW)
    assert caught.value.kind == "comparison_already_published"
    with pytest.raises(OrkgRefused) as frozen:
        writer.set_sources(version, sources, Method.MANUAL)
    assert frozen.value.kind == "comparison_not_modifiable"


def test_a_draft_is_deleted_with_the_media_type_that_it_wants(writer: Orkg) -> None:
    made = writer.create_comparison(NewComparison("Ours", "Invented.", (SourceRef("R900011"),)), Method.MANUAL)
    writer.delete_draft(made)
    writer.delete_draft(made)
    with pytest.raises(OrkgMissing):
        writer.comparison(made)


def test_publishing_one_source_is_refused_and_a_failed_doi_leaves_doubt(orkg: Steering, writer: Orkg) -> None:
    def publish(comparison: str, *, doi: bool) -> str:
        return writer.publish(
            comparison, subject="AI", description="x", authors=[Author("Ada Example")], assign_doi=doi
        )

    with pytest.raises(OrkgRefused) as caught:
        publish("R900003", doi=False)
    assert caught.value.kind == "requires_at_least_two_sources"
    before = len(writer.comparison("R900001").versions.published)
    orkg.habits(doi_service="down")
    with pytest.raises(OrkgUncertain):
        publish("R900001", doi=True)
    assert len(writer.comparison("R900001").versions.published) == before + 1, "it was made once, and never again"


def test_a_literal_that_does_not_fit_is_refused_with_its_reason(writer: Orkg) -> None:
    with pytest.raises(OrkgRefused, match="32k") as caught:
        writer.create_literal(NewLiteral("32k", "xsd:integer"), Method.MANUAL)
    assert caught.value.pointer == "#/label"


@pytest.mark.parametrize("what", ["cut", "502-after", "504-after", "502", "504"])
def test_a_write_that_may_be_done_is_in_doubt_and_not_sent_again(orkg: Steering, writer: Orkg, what: str) -> None:
    writer.user()
    orkg.forget_log()
    orkg.faults([Fault(1, what)], counts="writes")
    with pytest.raises(OrkgUncertain):
        writer.create_resource("once", (), Method.MANUAL)
    assert sum(one["method"] == "POST" for one in orkg.log()) == 1
    assert len(writer.resources_labelled("once")) <= 1


def test_a_write_that_was_certainly_not_done_is_sent_again(orkg: Steering, writer: Orkg) -> None:
    orkg.faults([Fault(1, "429", 0)], counts="writes")
    made = writer.create_resource("once", (), Method.MANUAL)
    assert [one.id for one in writer.resources_labelled("once")] == [made]


@pytest.mark.parametrize("what", ["cut", "502-after", "504", "refused"])
def test_the_same_statement_may_be_sent_again(orkg: Steering, writer: Orkg, what: str) -> None:
    orkg.faults([Fault(1, what)], counts="writes")
    made = writer.create_statement("R900031", "P900002", "L900001", Method.MANUAL)
    found = writer.statements(subject="R900031", predicate="P900002")
    assert [one.id for one in found] == [made]


def test_without_an_account_nothing_is_written(orkg: Steering, reader: Orkg) -> None:
    with pytest.raises(OrkgRefused, match="needs an account"):
        reader.create_resource("x", (), Method.MANUAL)
    assert orkg.log() == []


def test_missing_rights_end_it_at_once(orkg: Steering) -> None:
    with client(orkg, signed=True, user="guest@example.org") as guest:
        with pytest.raises(OrkgRefused) as caught:
            guest.create_resource("x", (), Method.MANUAL)
        assert caught.value.status == 403
    assert sum(one["path"] == "/api/resources" for one in orkg.log()) == 1


# Signing in


def test_a_token_is_renewed_before_its_end_and_once_after_a_refusal(orkg: Steering) -> None:
    seconds = [0.0]
    with client(orkg, signed=True, clock=lambda: seconds[0]) as mine:
        assert mine.user().display_name
        seconds[0] = 200
        mine.user()
        assert _sign_ins(orkg) == 1
        seconds[0] = 245
        mine.user()
        assert _sign_ins(orkg) == 2, "60 seconds before its end it is renewed"
        orkg.expire()
        mine.user()
        assert _sign_ins(orkg) == 3
        orkg.expire(sessions=True)
        mine.user()
        assert _sign_ins(orkg) == 5, "a session that is over needs the password again"


def _sign_ins(orkg: Steering) -> int:
    return sum("openid-connect/token" in one["path"] for one in orkg.log())


def test_one_bad_password_is_the_last(orkg: Steering) -> None:
    with client(orkg, signed=True, password="wrong") as mine:
        for _ in range(3):
            with pytest.raises(OrkgSignIn, match="password"):
                mine.create_resource("x", (), Method.MANUAL)
    assert sum(orkg.bad_passwords().values()) == 1


def test_signing_in_outlives_a_proxy(orkg: Steering, writer: Orkg) -> None:
    orkg.faults([Fault(1, "502"), Fault(2, "refused")])
    assert writer.user().id


def test_secrets_are_never_told(orkg: Steering, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client(orkg, signed=True) as mine:
        token = mine._http._sign_in
        assert token is not None
        held = token.token()
        assert held not in repr(token._held)
        mine.create_resource("x", (), Method.MANUAL)
        orkg.expire(sessions=True)
        mine.user()
    assert held not in caplog.text
    assert PASSWORD not in caplog.text


# Pace


def test_requests_are_let_through_at_the_pace() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    gate = Gate(2, clock=lambda: now[0], sleep=sleep)
    for _ in range(4):
        gate.wait()
    assert slept == [0.5, 0.5, 0.5]
    now[0] += 10
    gate.wait()
    assert len(slept) == 3


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("https://orkg.org", 2.0),
        ("https://sandbox.orkg.org/", 2.0),
        ("https://notorkg.org", 50.0),
        ("http://127.0.0.1:99", 50.0),
    ],
)
def test_the_orkg_itself_gets_two_requests_a_second(address: str, most: float) -> None:
    assert gentle(address, 50) == most


def test_somebody_else_can_write_meanwhile(orkg: Steering, reader: Orkg) -> None:
    answer = orkg.ask("PUT", "/api/statements/S900002", user=BO, json={"object_id": "L900004"})
    assert answer.status_code == 204
    assert reader.statement("S900002").object.label == "22"
