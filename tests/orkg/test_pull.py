"""What a pull brings, and what it does when the service gives less than it should."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadFile, OrkgChanged, OrkgMissing, OrkgUnavailable
from app.orkg.archive import Archive, Look, find_archive, read_pull
from app.orkg.client import Orkg
from app.orkg.losses import check_losses
from app.orkg.mapping import ColumnMeaning, Pinned, RowMeaning, place_of, read_pinned, write_pinned, written
from app.orkg.pull import PULLED, Pulled, glance, glance_of, pull
from app.orkg.sparql import Endpoint
from app.orkg.table import Cell, Origin, Table
from app.orkg.values import Method
from tests.orkg.clients import QUICK, client
from tests.orkg_double.faults import KINDS, Bend, Fault
from tests.orkg_double.inside import ADDRESS, inside
from tests.orkg_double.state import ADA, BO, CY
from tests.orkg_double.steering import Steering

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COMPARISON = "R753434"
VERSION = "R753854"
PASSING = [kind for kind in KINDS if "crash" not in kind and kind not in {"429", "503", "slow"}]
"""Faults for which nobody has to wait."""


@pytest.fixture(scope="module")
def whole(orkg_process: Steering) -> Pulled:
    """The survey's comparison as it is pulled when all goes well."""
    orkg_process.reset("r753434")
    with client(orkg_process) as reader:
        return pull(reader, COMPARISON, now=NOW)


def _endpoint(orkg: Steering) -> Endpoint:
    return Endpoint(orkg.address, contact="mailto:team@example.org", pace=QUICK)


def _of(table: Table, label: str, row: str) -> list[Cell]:
    (column,) = [one.source for one in table.columns if one.label == label]
    return [one for one in table.cells if one.column == column and one.path[-1] == row]


def test_head_and_version_are_kept_apart(whole: Pulled) -> None:
    live, frozen = whole.live, whole.frozen
    assert frozen is not None
    assert (live.version, live.published, frozen.version, frozen.published) == (COMPARISON, False, VERSION, True)
    assert len(live.columns) == len(frozen.columns) == 53
    assert len(live.places) == len(frozen.places) == 14
    (now,) = _of(live, "TinyLlama 1.1B", "P990006")
    (then,) = _of(frozen, "TinyLlama 1.1B", "P990006")
    assert (now.value.label, then.value.label) == ("32,000", "32k")


def test_each_cell_of_the_head_has_its_statement(whole: Pulled) -> None:
    assert all(one.statements for one in whole.live.cells)
    (changed,) = _of(whole.live, "TinyLlama 1.1B", "P990006")
    (statement,) = changed.statements
    assert statement.method is Method.MANUAL
    (layers,) = _of(whole.live, "TinyLlama 1.1B", "P990002")
    (old,) = layers.statements
    assert (old.method, old.creator) == (Method.UNKNOWN, BO)
    assert old.created_at.startswith("2024-10-")
    (generated,) = [one for one in whole.live.cells if one.statements[0].method is Method.AI_REVIEWED]
    assert generated.statements[0].created_by == ADA


def test_a_frozen_cell_may_have_no_statement_any_more_and_a_statement_no_cell(whole: Pulled) -> None:
    frozen = whole.frozen
    assert frozen is not None
    gone = [one for one in frozen.cells if not one.statements]
    assert {(one.path[-1], one.value.label) for one in gone} == {("P990006", "32k"), ("P990007", "yes")}
    assert {(one.path[-1], one.value.label) for one in frozen.since} == {("P990006", "32,000"), ("P990001", "GQA")}


def test_several_values_are_read_down_their_column_with_what_belongs_to_them(whole: Pulled) -> None:
    corpora = [one for one in whole.live.cells if one.path == ("P990009",)]
    below = [one for one in whole.live.cells if one.path == ("P990009", "P990010")]
    assert len(corpora) > 53
    assert below
    assert {(one.above[0].label, one.value.label) for one in below} == {
        ("The Pile", "825B tokens"),
        ("RefinedWeb", "600B tokens"),
        ("FineWeb-Edu", "1.3T tokens"),
    }
    for one in below:
        assert any(above.column == one.column and above.value.id == one.above[0].id for above in corpora)


def test_papers_give_the_columns_their_doi(whole: Pulled) -> None:
    (column,) = [one for one in whole.live.columns if one.label == "OPT 125M"]
    assert column.doi == "10.48550/arXiv.2205.01068"
    assert column.paper in whole.papers
    assert {one.source for one in whole.live.columns if one.paper is None}, "some have no paper"
    assert whole.predicates["P990002"].label == "layer number"


def test_a_version_that_is_asked_for_leads_to_its_head(orkg_process: Steering) -> None:
    orkg_process.reset("r753434", id_is="version")
    with client(orkg_process) as reader:
        found = pull(reader, COMPARISON, now=NOW)
    assert found.head.id == "R753400"
    assert [one.version for one in found.tables] == ["R753400", COMPARISON, VERSION]
    assert found.frozen is not None
    assert found.frozen.version == VERSION, "the newest by the time it was made, whatever year it says"


def test_a_pull_is_the_same_again_and_after_writing_it_down(orkg: Steering, whole: Pulled) -> None:
    orkg.reset("r753434")
    with client(orkg) as reader:
        again = pull(reader, COMPARISON, now=NOW.replace(hour=13))
    assert again.fingerprint == whole.fingerprint
    assert PULLED.read(PULLED.write(whole), "x") == whole


def test_requests_are_as_many_as_they_must(orkg: Steering, reader: Orkg) -> None:
    orkg.reset("r753434")
    found = pull(reader, COMPARISON, now=NOW)
    paths = [one["path"] for one in orkg.log()]
    assert len(paths) == len(set(paths)), "nothing is asked for twice"
    assert len(paths) == 4 + 53 + len(found.papers) + len(found.predicates)


@pytest.mark.parametrize(
    ("gone", "way"),
    [
        (("subgraph",), "/api/statements"),
        (("subgraph", "statements"), "/bundle"),
    ],
)
def test_statements_are_found_in_other_ways(orkg: Steering, whole: Pulled, gone: tuple[str, ...], way: str) -> None:
    orkg.reset("r753434")
    with client(orkg, without=gone) as reader:
        found = pull(reader, COMPARISON, now=NOW)
    assert found.fingerprint == whole.fingerprint
    assert any(way in one["path"] for one in orkg.log())
    assert len([note for note in found.notes if "another way" in note]) == len(gone)


def test_the_sparql_endpoint_is_the_last_way_and_knows_no_people(orkg: Steering, whole: Pulled) -> None:
    orkg.reset("r753434")
    with client(orkg, without=("subgraph", "statements", "bundle")) as reader:
        found = pull(reader, COMPARISON, now=NOW, endpoint=_endpoint(orkg))
        assert {one.key for one in found.live.cells} == {one.key for one in whole.live.cells}
        assert not any(one.statements for one in found.live.cells)
        with pytest.raises(OrkgMissing):
            pull(reader, COMPARISON, now=NOW)


def test_a_table_that_was_lost_is_put_together_and_says_so(orkg: Steering) -> None:
    orkg.reset("r753434", version_table="empty")
    with client(orkg) as reader:
        found = pull(reader, COMPARISON, now=NOW)
    frozen = found.frozen
    assert frozen is not None
    assert (frozen.origin, frozen.reconstructed) == (Origin.STATEMENTS, True)
    assert {one.key for one in frozen.cells} == {one.key for one in found.live.cells}
    assert [one.label for one in frozen.columns] == [one.label for one in found.live.columns]
    assert any("without values" in note for note in found.notes)


def test_a_table_that_was_lost_may_come_from_the_sparql_endpoint(orkg: Steering) -> None:
    orkg.reset("r753434", version_table="empty")
    with client(orkg, without=("subgraph", "statements", "bundle")) as reader:
        found = pull(reader, COMPARISON, now=NOW, endpoint=_endpoint(orkg))
    assert found.frozen is not None
    assert found.frozen.origin is Origin.SPARQL
    assert len(found.frozen.cells) == len(found.live.cells)


def test_an_empty_table_without_any_hint_of_rows_is_never_taken(reader: Orkg) -> None:
    with pytest.raises(OrkgChanged, match="no hint which rows"):
        pull(reader, "R900002", now=NOW)


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (Bend("half-empty", path=f"/api/comparisons/{COMPARISON}/contents"), "leaves out"),
        (Bend("half-empty", path=f"/api/comparisons/{VERSION}/contents"), "leaves out"),
        (Bend("rename", path=f"/api/comparisons/{COMPARISON}/contents", key="values", to="cells"), "/values"),
        (Bend("rename", path="/api/things/.*", key="object", to="objekt"), "/object"),
        (Bend("set", path=f"/api/comparisons/{COMPARISON}/contents", key="titles", to=[]), "/subtitles"),
        (Bend("html", path="/api/papers/.*"), "text/html"),
    ],
)
def test_a_broken_answer_ends_the_pull(orkg: Steering, bend: Bend, told: str) -> None:
    orkg.reset("r753434")
    orkg.bend(bend)
    with client(orkg) as reader, pytest.raises(OrkgChanged, match=told):
        pull(reader, COMPARISON, now=NOW)


def test_somebody_who_edits_meanwhile_is_waited_for(orkg: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    orkg.reset("r753434")
    contents = Orkg.contents
    edited: list[bool] = []

    def once_edited(self: Orkg, comparison: str) -> object:
        found = contents(self, comparison)
        if comparison == COMPARISON and not edited:
            edited.append(True)
            (column, *_) = [one.source for one in whole_columns]
            orkg.ask("POST", "/api/literals", json={"label": "999", "datatype": "xsd:string"})
            made = orkg.ask("POST", "/api/literals", json={"label": "998", "datatype": "xsd:string"})
            literal = made.headers["location"].rsplit("/", 1)[-1]
            answer = orkg.ask(
                "POST",
                "/api/statements",
                json={"subject_id": column, "predicate_id": "P990003", "object_id": literal},
            )
            assert answer.status_code == 201
        return found

    with client(orkg) as reader:
        whole_columns = pull(reader, COMPARISON, now=NOW).live.columns
        monkeypatch.setattr(Orkg, "contents", once_edited)
        found = pull(reader, COMPARISON, now=NOW)
    assert edited
    assert "998" in {one.value.label for one in found.live.cells}
    assert all(one.statements for one in found.live.cells)


@given(seed=st.integers(0, 10**9))
@settings(max_examples=60)
def test_a_pull_under_random_faults_is_whole_or_nothing(seed: int) -> None:
    """A crash of the client is no matter here: nothing is kept before everything was read."""
    transport, double = inside()
    with Orkg(ADDRESS, pace=QUICK, transport=transport) as reader:
        whole = pull(reader, "R900001", now=NOW)
        double.random_faults(seed, rate=0.4, most=12, kinds=PASSING)
        try:
            found = pull(reader, "R900001", now=NOW)
        except OrkgUnavailable:
            return
    assert found.fingerprint == whole.fingerprint


@pytest.mark.parametrize("what", ["502", "cut", "503", "429", "504-after"])
def test_a_pull_outlives_what_passes(orkg: Steering, whole: Pulled, what: str) -> None:
    orkg.reset("r753434")
    orkg.faults([Fault(number, what, 0) for number in (1, 2, 5, 20, 60, 80)])
    with client(orkg) as reader:
        assert pull(reader, COMPARISON, now=NOW).fingerprint == whole.fingerprint


def test_a_service_that_is_down_is_unavailable(orkg: Steering) -> None:
    orkg.reset("r753434")
    orkg.faults([Fault(number, "502") for number in range(1, 200)])
    with client(orkg) as reader, pytest.raises(OrkgUnavailable):
        pull(reader, COMPARISON, now=NOW)


def test_a_withdrawn_comparison_stays_readable_and_says_so(orkg: Steering) -> None:
    orkg.reset("r753434")
    orkg.withdraw(COMPARISON)
    with client(orkg) as reader:
        found = pull(reader, COMPARISON, now=NOW)
    assert found.live.withdrawn
    assert any("withdrawn" in note for note in found.notes)


def test_identifiers_that_are_none_end_the_pull(orkg: Steering) -> None:
    orkg.reset("hostile")
    with client(orkg) as reader, pytest.raises(OrkgChanged) as caught:
        pull(reader, "R666001", now=NOW)
    assert caught.value.pointer is not None
    assert caught.value.pointer.startswith("/sources/0/id")


# What a look costs, and what it sees


def test_a_look_of_two_requests_sees_what_changed(orkg: Steering, reader: Orkg) -> None:
    orkg.reset("r753434")
    last = pull(reader, COMPARISON, now=NOW)
    orkg.forget_log()
    assert glance(reader, last) == glance_of(last)
    assert len(orkg.log()) == 2
    statement = last.live.cells[5].statements[0].statement
    assert orkg.ask("DELETE", f"/api/statements/{statement}", user=CY).status_code == 204
    assert glance(reader, last) != glance_of(last)


# The archive


def _edited(pulled: Pulled, change: Callable[[Table], Table], *, version: str = COMPARISON) -> Pulled:
    tables = tuple(change(one) if one.version == version else one for one in pulled.tables)
    return replace(pulled, tables=tables, at="2026-11-22T12:00:00+00:00")


def test_raw_answers_are_kept_with_hash_and_time(orkg: Steering, tmp_path: Path) -> None:
    orkg.reset("r753434")
    archive = find_archive(tmp_path, orkg.address, COMPARISON)
    with client(orkg, heard=archive.hear) as reader:
        pulled = pull(reader, COMPARISON, now=NOW)
    assert archive.keep(pulled)
    (file,) = archive.pulls()
    record = json.loads(file.read_text())
    assert len(record["requests"]) == len(orkg.log())
    for asked in record["requests"]:
        assert (archive.folder / "payloads" / asked["sha256"]).stat().st_size == asked["bytes"]
        assert asked["at"].endswith("+00:00")
    assert archive.last() == pulled
    assert not archive.keep(replace(pulled, at="2026-11-22T12:00:00+00:00")), "nothing new is no new pull"
    assert archive.pulls() == (file,)
    assert [(one.kind, one.changed) for one in archive.looks()] == [("full", True), ("full", False)]
    changed = _edited(pulled, lambda table: replace(table, cells=table.cells[1:]))
    assert archive.keep(changed)
    assert archive.last() == changed


def test_an_archive_is_found_by_any_version(whole: Pulled, tmp_path: Path) -> None:
    Archive(tmp_path, "orkg.org", COMPARISON).keep(whole)
    assert find_archive(tmp_path, "https://orkg.org", VERSION).folder.name == COMPARISON
    assert find_archive(tmp_path, "https://sandbox.orkg.org", COMPARISON).last() is None
    version_first = find_archive(tmp_path, "https://orkg.org", "R1")
    assert version_first.of(whole).folder.name == COMPARISON


@pytest.mark.parametrize("name", ["../R1", "R1/..", "..", ".", "", "R 1", "R1\n"])
def test_no_name_leads_out_of_the_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        find_archive(tmp_path, "https://orkg.org", name)


def test_a_damaged_pull_is_told(whole: Pulled, tmp_path: Path) -> None:
    archive = Archive(tmp_path, "orkg.org", COMPARISON)
    archive.keep(whole)
    archive.pulls()[0].write_text('{"pulled": 3}')
    with pytest.raises((BadFile, OrkgChanged)):
        read_pull(archive.pulls()[0])
    archive.note(Look("2026-11-21T12:00:00+00:00", "cheap", "x", False))
    (archive.folder / "log.jsonl").open("a").write("half a li")
    with pytest.raises(BadFile, match="cannot be read"):
        archive.looks()


def test_lost_cells_are_not_believed_at_once(whole: Pulled) -> None:
    check_losses(None, whole)
    check_losses(whole, whole)
    check_losses(whole, _edited(whole, lambda table: replace(table, cells=table.cells[:-20])))
    with pytest.raises(OrkgChanged, match="cells of the last pull are gone") as caught:
        check_losses(whole, _edited(whole, lambda table: replace(table, cells=table.cells[:100])))
    assert "--accept-losses" in caught.value.advice
    with pytest.raises(OrkgChanged, match="frozen version"):
        check_losses(whole, _edited(whole, lambda table: replace(table, cells=table.cells[1:]), version=VERSION))


# The pinned mapping


def test_a_mapping_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_pinned(tmp_path) == Pinned()
    pinned = Pinned().with_rows(RowMeaning("P1/P2", "a / b", "num_layers", "ada", "2026-11-21"))
    pinned = pinned.with_columns(ColumnMeaning("R1", "OPT", "opt-125m", "ada", "2026-11-21"))
    write_pinned(tmp_path, pinned)
    assert read_pinned(tmp_path) == pinned
    assert pinned.row(place_of("P1/P2")) is not None
    assert written(("P1", "P2")) == "P1/P2"
    assert pinned.with_rows(replace(pinned.rows["P1/P2"], means="-")).rows["P1/P2"].means == "-"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "mapping.json"),
        ('{"rows": [{"path": "P1"}]}', "rows/0/labels"),
        (
            json.dumps({"columns": [{"source": "R1", "label": "x", "means": "y", "by": "z", "on": "w"}] * 2}),
            "R1 stands in it twice",
        ),
    ],
)
def test_a_mapping_that_cannot_be_read_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mapping.json").write_text(text)
    with pytest.raises(BadFile, match=told):
        read_pinned(tmp_path)
