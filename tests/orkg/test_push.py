"""A push to the double in this process: what it makes, what it never touches, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from app.errors import BadParameter, Conflict, OrkgDrift, OrkgRefused, OrkgSignIn, OrkgUncertain
from app.orkg.client import Orkg
from app.orkg.intent import Intent, WantedColumn, WantedPaper, as_text, from_text
from app.orkg.outbox import WriteState
from app.orkg.push import Release, push
from app.orkg.sign_in import Account
from app.orkg.values import Method, Path
from tests.orkg.pushing import (
    BASE,
    HEADS,
    LAYERS,
    NO_PAUSE,
    SHARED,
    WATCHED,
    Place,
    changed,
    columns,
    intent,
    number,
    place,
)
from tests.orkg_double.faults import Fault
from tests.orkg_double.inside import ADDRESS, Crashed
from tests.orkg_double.state import ADA, BO


@pytest.fixture
def there() -> Iterator[Place]:
    with place() as made:
        yield made


def rows_of(there: Place, contribution: str) -> dict[str, list[tuple[str, str, str]]]:
    """What a contribution says: label, datatype or IRI, and method by predicate."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    with there.client() as reader:
        for one in reader.statements(subject=contribution):
            told = (one.object.label, one.object.datatype or one.object.uri or "", one.extraction_method.value)
            found.setdefault(one.predicate.id, []).append(told)
    return {name: sorted(values) for name, values in found.items()}


def test_a_push_makes_contributions_with_our_iris_and_a_comparison_that_shows_them(there: Place) -> None:
    done = there.push(there.watched(intent()))
    first, second = done.columns.values()
    heads = next(name for name in rows_of(there, first) if name not in {"P900001", "P900002"})
    assert rows_of(there, first) == {
        "P900001": [("grouped-query attention", f"{BASE}vocab/attention/GQA", "MANUAL")],
        "P900002": [("24", "xsd:integer", "MANUAL")],
        heads: [("16", "xsd:integer", "AUTOMATIC")],
    }
    assert rows_of(there, second)["P900002"] == [("28", "xsd:integer", "MANUAL")]
    with there.client() as reader:
        assert reader.thing(first).uri == f"{BASE}resource/model/model-a-0.5b"
        assert reader.thing(heads).uri == HEADS.uri
        assert reader.thing(heads).kind == "predicate"
        made = reader.comparison(done.comparison)
        assert [one.id for one in made.sources] == ["R900011", "R900021", "R900031", first, second]
        assert made.references == (f"{ADDRESS}/comparison/{WATCHED}",)
        assert not made.published
        rows = [path.id for path in reader.contents(done.comparison).selected_paths]
        assert {"P900001", "P900002", "P900003", heads} <= set(rows)
        paper = reader.paper_with_doi("10.99999/MODEL-D")
        assert paper is not None
        assert paper.title == "Synthetic report on Model D"
    content = there.orkg.content(there.base)
    assert content.doubles() == []
    assert content.changed == ()
    assert content.gone == frozenset()


def test_the_same_push_again_writes_nothing(there: Place) -> None:
    wanted = there.watched(intent())
    there.push(wanted)
    before = there.orkg.dump()
    again = there.push(wanted)
    assert again.writes == 0
    assert there.orkg.dump() == before


def test_later_values_of_ours_are_pointed_to_added_and_deleted(there: Place) -> None:
    first = there.watched(intent())
    begun = there.push(first)
    done = there.push(changed(first))
    assert done.comparison == begun.comparison
    one, other = (rows_of(there, each) for each in done.columns.values())
    heads = next(name for name in other if name not in {"P900001", "P900002"})
    assert one["P900002"] == [("26", "xsd:integer", "MANUAL")]
    assert one["P900001"] == [("MHA", f"{BASE}vocab/attention/MHA", "MANUAL")]
    assert heads not in one
    assert other["P900002"] == [("28", "xsd:integer", "MANUAL"), ("30", "xsd:integer", "AUTOMATIC")]
    assert other[heads] == [("20", "xsd:integer", "MANUAL")]
    assert there.orkg.content(there.base).doubles() == []


def test_an_intent_is_the_same_after_it_was_written_down() -> None:
    wanted = intent(seen={"rows": "[]"}, watched=WATCHED)
    assert from_text(as_text(wanted)) == wanted
    assert from_text(as_text(wanted)).digest == wanted.digest
    assert replace(wanted, host="https://elsewhere.example").digest != wanted.digest


def test_what_others_made_under_the_same_label_is_not_ours(there: Place) -> None:
    """Our own account made a resource GQA by hand, years ago: a label says nothing."""
    there.orkg.ask("POST", "/api/predicates", user=ADA, json={"label": HEADS.label})
    there.orkg.ask("POST", "/api/resources", user=BO, json={"label": SHARED.label})
    done = there.push(there.watched(intent()))
    rows = rows_of(there, next(iter(done.columns.values())))
    heads = next(name for name in rows if name not in {"P900001", "P900002"})
    with there.client() as reader:
        assert reader.thing(heads).uri == HEADS.uri
        assert len(reader.predicates_labelled(HEADS.label)) == 2


def test_a_value_that_somebody_adds_to_our_contribution_is_a_conflict_and_stays(there: Place) -> None:
    wanted = there.watched(intent())
    done = there.push(wanted)
    ours = next(iter(done.columns.values()))
    there.orkg.ask(
        "POST", "/api/statements", json={"subject_id": ours, "predicate_id": "P900002", "object_id": "L900004"}
    )
    again = there.push(changed(wanted))
    (clash,) = again.clashes
    assert clash.row == LAYERS.key
    assert clash.why == "somebody else has a value there"
    assert sorted(value[0] for value in rows_of(there, ours)["P900002"]) == ["22", "24"]


@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_a_statement_of_ours_that_somebody_touched_is_left_alone(there: Place, how: str) -> None:
    wanted = there.watched(intent())
    done = there.push(wanted)
    ours = next(iter(done.columns.values()))
    with there.client() as reader:
        (statement,) = reader.statements(subject=ours, predicate="P900002")
    if how == "changed":
        there.orkg.ask("PUT", f"/api/statements/{statement.id}", json={"object_id": "L900004"})
    else:
        there.orkg.ask("DELETE", f"/api/statements/{statement.id}")
    for next_one in (wanted, changed(wanted)):
        again = there.push(next_one)
        assert [(clash.row, clash.why) for clash in again.clashes] == [
            (LAYERS.key, f"somebody {how} a statement of ours")
        ]
    left = [value[0] for value in rows_of(there, ours).get("P900002", [])]
    assert left == (["22"] if how == "changed" else [])


def test_drift_since_the_plan_ends_a_push_before_anything_is_written(there: Place) -> None:
    wanted = there.watched(intent())
    there.orkg.ask("PUT", "/api/literals/L900001", json={"label": "25"})
    before = there.orkg.dump()
    with pytest.raises(OrkgDrift, match=r"R900011 .* has other values"):
        there.push(wanted)
    assert there.orkg.dump() == before


def test_a_row_that_somebody_adds_is_no_drift_and_a_column_is(there: Place) -> None:
    wanted = there.watched(intent())
    with there.client() as writer:
        writer.set_contents(WATCHED, (*writer.contents(WATCHED).selected_paths, Path("P32", "research problem")))
    there.push(wanted)
    with there.client() as writer:
        sources = writer.comparison(WATCHED).sources
        writer.set_sources(WATCHED, (*sources, replace(sources[0], id="R900012")), Method.MANUAL)
    with pytest.raises(OrkgDrift, match=r"R900012 .* is new"):
        there.push(wanted)


def test_a_wrong_password_and_missing_rights_end_a_push_with_nothing_written(there: Place) -> None:
    wanted = there.watched(intent())
    before = there.orkg.dump()
    for user, password, error in (
        ("ada@example.org", "wrong", OrkgSignIn),
        ("guest@example.org", "secret", OrkgRefused),
    ):
        account = Account(user, SecretStr(password))
        client = Orkg(ADDRESS, account=account, accounts_url=ADDRESS, pace=NO_PAUSE, transport=there.transport)
        with client, pytest.raises(error):
            push(client, there.outbox(), wanted, by="test", settle=0, sleep=lambda _: None)
        assert there.orkg.dump() == before
    nobody = Orkg(ADDRESS, pace=NO_PAUSE, transport=there.transport)
    with nobody, pytest.raises(OrkgRefused, match="needs an account"):
        push(nobody, there.outbox(), wanted, by="test")


def test_a_paper_of_the_same_title_with_another_doi_is_a_question(there: Place) -> None:
    one, other = columns()
    paper = WantedPaper("Synthetic report on Model A", doi="10.99999/elsewhere")
    wanted = there.watched(intent(columns=(replace(one, paper=paper), other)))
    with pytest.raises(Conflict, match="another paper titled"):
        there.push(wanted)


def test_our_iri_in_somebody_elses_hands_ends_a_push(there: Place) -> None:
    made = there.orkg.ask("POST", "/api/resources", json={"label": "taken"}).headers["location"].rsplit("/", 1)[-1]
    there.orkg.ask("PUT", f"/api/resources/{made}", json={"uri": f"{BASE}resource/model/model-a-0.5b"})
    with pytest.raises(Conflict, match="somebody else bears our IRI"):
        there.push(there.watched(intent()))


def test_a_comparison_of_ours_with_the_same_title_is_not_taken_over(there: Place) -> None:
    wanted = there.watched(intent())
    there.push(wanted)
    (there.folder / "outbox.sqlite").unlink()
    with pytest.raises(Conflict, match="has a comparison titled"):
        there.push(wanted)
    with there.client() as reader:
        titled = reader.comparisons(title=wanted.comparison.title, exact="true")
    (mine,) = titled
    done = there.push(replace(wanted, comparison=replace(wanted.comparison, id=mine.id)))
    assert done.comparison == mine.id
    assert there.orkg.content(there.base).doubles() == [], "contributions were found by their IRIs"


def test_two_pushes_at_once_are_refused(there: Place) -> None:
    wanted = there.watched(intent())
    with there.outbox().alone(), pytest.raises(Conflict, match="another push"):
        there.push(wanted)


def test_values_that_nobody_reviewed_never_go_out(there: Place) -> None:
    one, other = columns()
    generated = replace(one, cells={**one.cells, "num_layers": (number(24, Method.AI_GENERATED),)})
    with pytest.raises(BadParameter, match="nobody has reviewed"):
        there.push(intent(columns=(generated, other)))


def test_what_was_sent_is_on_record_with_what_it_made(there: Place) -> None:
    done = there.push(there.watched(intent()))
    outbox = there.outbox()
    (record,) = outbox.pushes()
    assert record.state == "done"
    assert record.account == ADA
    assert record.result == done.as_json()
    writes = outbox.writes(record.number)
    assert len(writes) == done.writes
    assert {one.state for one in writes} == {WriteState.DONE}
    paper = next(one for one in writes if one.key == "paper 10.99999/model-d")
    assert paper.made is not None
    assert paper.request["title"] == "Synthetic report on Model D"
    assert "secret" not in record.intent


@pytest.mark.parametrize("what", ["cut", "504-after", "crash-after"])
def test_a_lost_answer_is_looked_for_and_not_sent_again(there: Place, what: str) -> None:
    there.push(there.watched(intent()))
    sent = [one for one in there.orkg.log() if one["method"] in {"POST", "PUT"} and one["path"].startswith("/api/")]
    for at in range(1, len(sent) + 1):
        with place() as fresh:
            fresh.orkg.faults([Fault(at, what)], counts="writes")
            fresh.to_the_end(fresh.watched(intent()))
            content = fresh.orkg.content(fresh.base)
            assert content.doubles() == [], f"write {at}"
            assert content.orphans == (), f"write {at}"


def test_a_crash_leaves_a_push_that_is_gone_on_with(there: Place) -> None:
    wanted = there.watched(intent())
    there.orkg.faults([Fault(4, "crash")], counts="writes")
    with pytest.raises(Crashed):
        there.push(wanted)
    broken = there.outbox().unfinished(ADDRESS)
    assert broken is not None
    assert from_text(broken.intent) == wanted
    there.push(from_text(broken.intent))
    assert there.outbox().unfinished(ADDRESS) is None
    assert len(there.outbox().pushes()) == 1


def test_a_write_whose_answers_are_all_lost_is_told_so(there: Place) -> None:
    wanted = there.watched(intent())
    there.orkg.faults([Fault(at, "504") for at in range(1, 40)], counts="writes")
    with pytest.raises(OrkgUncertain):
        there.push(wanted)
    assert there.orkg.content(there.base).things.total() == 0


def test_elsewhere_rows_papers_and_a_comparison_are_made_by_our_iris_alone(there: Place) -> None:
    """As in the sandbox, which knows neither the rows nor the columns of the comparison that was pulled."""
    comparison = replace(intent().comparison, sources=(), paths=())
    rows = tuple(replace(row, id=None, label=f"{row.label} of a model") for row in intent().rows)
    described = [replace(one, paper=replace(one.paper, id=None)) for one in columns() if one.paper is not None]
    wanted = intent(comparison=comparison, rows=rows, columns=tuple(described))
    done = there.push(wanted)
    with there.client() as reader:
        made = reader.comparison(done.comparison)
        assert [one.id for one in made.sources] == list(done.columns.values())
        uris = {reader.thing(path.id).uri for path in reader.contents(done.comparison).selected_paths}
        assert {row.uri for row in rows} <= uris
        first = reader.paper("R900010")
        assert len(first.contributions) == 3, "the paper was found by its title"
    assert there.push(wanted).writes == 0


# A frozen version


def test_a_version_is_published_once_for_an_intent_and_without_a_doi(there: Place) -> None:
    wanted, release = there.watched(intent()), Release("Artificial Intelligence", "Checked values.")
    done = there.push(wanted, release)
    assert done.version is not None
    assert done.doi is None
    assert there.push(wanted, release).version == done.version
    with there.client() as reader:
        assert len(reader.comparison(done.comparison).versions.published) == 1


def test_a_doi_is_registered_only_when_it_is_asked_for(there: Place) -> None:
    done = there.push(there.watched(intent()), Release("Artificial Intelligence", "Checked values.", assign_doi=True))
    assert done.doi is not None


def test_a_version_whose_doi_failed_is_not_published_twice(there: Place) -> None:
    there.orkg.habits(doi_service="down")
    release = Release("Artificial Intelligence", "Checked values.", assign_doi=True)
    done = there.push(there.watched(intent()), release)
    assert done.version is not None
    assert done.doi is None
    assert "DOI was not registered" in done.notes[0]
    with there.client() as reader:
        assert len(reader.comparison(done.comparison).versions.published) == 1


def test_what_the_orkg_wants_of_a_version_is_wanted_before(there: Place) -> None:
    nobody = replace(intent().comparison, authors=())
    with pytest.raises(BadParameter, match="an author"):
        there.push(intent(comparison=nobody), Release("Artificial Intelligence", "Checked values."))
    assert there.orkg.content(there.base).things.total() == 0


# Somebody else's comparison


def foreign(there: Place, *more: WantedColumn) -> Intent:
    head = replace(intent().comparison, id=WATCHED, foreign=True, sources=())
    return there.watched(intent(comparison=head, columns=more))


def test_a_foreign_column_gets_what_it_lacks_and_keeps_what_it_has(there: Place) -> None:
    column = WantedColumn(
        f"{BASE}resource/model/model-b",
        "Model B 1.1B",
        {"num_layers": (number(22),), "num_attention_heads": (number(8),)},
        contribution="R900021",
        before={"num_layers": ('"22"^^xsd:integer', '"24 (large)"^^xsd:string'), "num_attention_heads": ()},
    )
    wanted = foreign(there, column, columns()[1])
    done = there.push(wanted)
    assert [(clash.row, clash.why) for clash in done.clashes] == [(LAYERS.key, "the value there is not ours to change")]
    rows = rows_of(there, "R900021")
    assert [value[0] for value in rows["P900002"]] == ["22", "24 (large)"]
    heads = next(name for name in rows if rows[name] == [("8", "xsd:integer", "MANUAL")])
    with there.client() as reader:
        head = reader.comparison(WATCHED)
        assert [one.id for one in head.sources][:3] == ["R900011", "R900021", "R900031"]
        assert len(head.sources) == 4
        assert [path.id for path in reader.contents(WATCHED).selected_paths][-1] == heads
    assert there.push(wanted).writes == 0


def test_a_comparison_of_somebody_else_is_not_taken_for_ours(there: Place) -> None:
    made = there.orkg.ask(
        "POST",
        "/api/comparisons",
        json={
            "title": "Theirs",
            "description": "Of somebody else.",
            "research_fields": ["R133"],
            "authors": [],
            "search_protocol": {},
            "sdgs": [],
            "sources": [{"id": "R900011", "type": "THING"}],
            "visualizations": [],
            "references": [],
            "observatories": [],
            "organizations": [],
            "is_anonymized": False,
            "extraction_method": "MANUAL",
            "type": "UNKNOWN",
        },
    )
    theirs = made.headers["location"].rsplit("/", 1)[-1]
    with pytest.raises(Conflict, match="made by somebody else"):
        there.push(there.watched(intent(comparison=replace(intent().comparison, id=theirs))))
    with pytest.raises(Conflict, match="is frozen"):
        there.push(there.watched(intent(comparison=replace(intent().comparison, id="R900101"))))
