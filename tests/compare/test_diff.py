"""Differences in cells: what counts as one, what is told of it, and who put it there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import vocab
from app.compare import history as history_module
from app.compare import models
from app.compare.diff import Kind, kind_of
from app.compare.history import History
from app.compare.reader import Reader
from app.compare.table import compare
from app.compare.values import Agreement, Cell, Reason, Status, Value
from app.errors import BadParameter, NotFound
from app.model.graphs import DECISIONS, INFERRED, REGISTRY
from app.model.rdf import IRI, Literal, Quad, text
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests import edits

ONE, TWO = (Value(1),), (Value(2),)
ACCEPTED = Cell(Status.ACCEPTED, ONE, sources=Agreement(1), claims=("a",))
EMPTY = Cell(Status.MISSING, reason=Reason.NOT_LOOKED_FOR)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (EMPTY, ACCEPTED, Kind.ADDED),
        (EMPTY, Cell(Status.DISPUTED, candidates=ONE), Kind.ADDED),
        (ACCEPTED, EMPTY, Kind.REMOVED),
        (ACCEPTED, Cell(Status.ACCEPTED, TWO, sources=Agreement(1), claims=("a",)), Kind.CHANGED),
        (Cell(Status.DISPUTED, candidates=ONE), Cell(Status.DISPUTED, candidates=(*ONE, *TWO)), Kind.CHANGED),
        (EMPTY, Cell(Status.MISSING, reason=Reason.WITHHELD), Kind.CHANGED),
        (Cell(Status.DISPUTED, candidates=ONE), Cell(Status.ACCEPTED, ONE), Kind.STATUS),
        (ACCEPTED, Cell(Status.ACCEPTED, ONE, sources=Agreement(2), claims=("a", "b")), Kind.EVIDENCE),
        (EMPTY, Cell(Status.MISSING, reason=Reason.NOT_LOOKED_FOR, claims=("a",)), Kind.EVIDENCE),
        (ACCEPTED, ACCEPTED, None),
        (EMPTY, EMPTY, None),
        (EMPTY, Cell(Status.MISSING, reason=Reason.NOT_DERIVABLE), None),
    ],
)
def test_what_happened_to_a_cell(old: Cell, new: Cell, kind: Kind | None) -> None:
    assert kind_of(old, new) is kind


def test_the_first_load_is_told_against_nothing(seed_services: Services) -> None:
    history = seed_services.history
    found = history.diff(0, 1)
    assert found.kinds[Kind.REMOVED] == found.kinds[Kind.STATUS] == found.kinds[Kind.EVIDENCE] == 0
    assert all(not cell.old.values and not cell.old.candidates for cell in found.cells)
    (layers,) = history.cells(found, model="opt-125m", prop="numLayers")
    assert layers.kind is Kind.ADDED
    assert [value.plain for value in layers.new.values] == [12]
    assert [step.by.label for step in layers.steps] == ["slmkg loader"]
    counts = seed_services.counts()
    assert len([item for item in found.observations if item.added]) == len(found.observations) == counts.observations
    assert found.added == seed_services.store.head().quads
    assert {count.graph for count in found.graphs} >= {"curated", "decisions", "source", "history"}


def test_the_answers_are_those_of_the_comparison_table(seed_services: Services) -> None:
    """Every cell of a table of all models and properties that has an answer differs from nothing, with that answer."""
    found = seed_services.history.diff(0, 1)
    told = {(cell.model, cell.property.name): cell.new for cell in found.cells if cell.layers is None}
    slugs = sorted({cell.model for cell in found.cells})
    names = [one.name for one in seed_services.properties()]
    reader = Reader(seed_services.store.at())
    table = compare(reader, [models.find(models.summaries(reader), slug) for slug in slugs], seed_services.properties())
    for slug in slugs:
        for name in names:
            cell = table.rows[slug][name]
            if cell.values or cell.candidates:
                assert told[slug, name] == cell, (slug, name)


@pytest.fixture(scope="module")
def edited(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The seed with five revisions after it."""
    folder = tmp_path_factory.mktemp("edited") / "var"
    shutil.copytree(seed_folder, folder)
    services = build(Settings(data_dir=folder))
    edits.set_value(services, 13)
    edits.commit(services, edits.new_claim(13), reason="a source", days=1)
    edits.commit(
        services,
        edits.resolution(edits.OPT, edits.LAYERS, "The paper says so."),
        reason="decided",
        author=edits.ADA,
        days=2,
    )
    edits.set_value(services, 14, days=3)
    label = Quad(edits.OPT, IRI(vocab.rdfs.comment), text("A note."), REGISTRY)
    edits.commit(services, [label], reason="only a note", days=4)
    yield services
    services.store.close()


def test_a_value_a_claim_and_a_decision_are_one_cell(edited: Services) -> None:
    found = edited.history.diff(1, 5)
    (cell,) = found.cells
    assert (cell.model, cell.property.name, cell.kind, cell.layers) == ("opt-125m", "numLayers", Kind.CHANGED, None)
    assert ([value.plain for value in cell.old.values], [value.plain for value in cell.new.values]) == ([12], [14])
    assert len(cell.new.claims) == len(cell.old.claims) + 1
    assert cell.decision is not None
    assert (cell.decision.rule, cell.decision.note, cell.decision.by.name) == ("manual", "The paper says so.", "ada")
    assert [step.revision.reason for step in cell.steps] == ["value 13", "a source", "decided", "value 14"]
    assert [(item.label, item.added) for item in found.sources] == [("A blog", True)]


def test_the_way_back_exchanges_old_and_new(edited: Services) -> None:
    there, back = edited.history.diff(1, 5), edited.history.diff(5, 1)
    (one,), (other,) = there.cells, back.cells
    assert (one.old, one.new) == (other.new, other.old)
    assert other.decision is None
    assert [step.revision.number for step in other.steps] == [5, 4, 3, 2]
    assert [(item.label, item.added) for item in back.sources] == [("A blog", False)]
    assert [(count.added, count.removed) for count in there.graphs] == [
        (count.removed, count.added) for count in back.graphs
    ]


def test_evidence_alone_is_told_as_such(edited: Services) -> None:
    (cell,) = edited.history.diff(2, 3).cells
    assert cell.kind is Kind.EVIDENCE
    assert cell.old.values == cell.new.values


def test_what_bears_on_no_cell_is_counted_by_graph(edited: Services) -> None:
    found = edited.history.diff(5, 6)
    assert found.cells == ()
    assert [(count.graph, count.added, count.removed) for count in found.graphs] == [("registry", 1, 0)]
    assert edited.history.diff(4, 4).graphs == ()


def test_a_change_that_was_taken_back_is_none(own_services: Services) -> None:
    edits.set_value(own_services, 13)
    edits.set_value(own_services, 12)
    found = own_services.history.diff(1, 3)
    assert found.cells == ()
    assert found.graphs == ()
    assert len(own_services.history.diff(1, 2).cells) == 1


def test_reasons_and_derived_values_are_cells(own_services: Services) -> None:
    model = IRI(vocab.BASE + "resource/model/opt-125m")
    reported = Quad(model, IRI(vocab.slm.withheld), IRI(vocab.slm.trainingTime), INFERRED)
    derived = next(
        quad
        for quad in own_services.store.at().quads(INFERRED)
        if quad.predicate.value == vocab.slm.derivedValue and isinstance(quad.subject, IRI)
    )
    other = Quad(derived.subject, derived.predicate, Literal(1), INFERRED)
    before = {
        quad
        for quad in own_services.store.at().quads(INFERRED)
        if quad.subject == model and quad.object == IRI(vocab.slm.trainingTime)
    }
    edits.commit(own_services, [reported, other], [*before, derived])
    found = own_services.history.diff(1, 2)
    by_name = {cell.property.name: cell for cell in found.cells}
    assert by_name["trainingTime"].new.reason is Reason.WITHHELD
    (kept,) = (cell for name, cell in by_name.items() if name != "trainingTime")
    assert kept.property.kind == "derived"
    assert [value.plain for value in kept.new.values] == [1]


def test_layers_of_their_own_are_named(own_services: Services) -> None:
    groups = [cell for cell in own_services.history.diff(0, 1).cells if cell.layers]
    assert groups
    for cell in groups[:20]:
        assert cell.subject.startswith(vocab.BASE + "resource/layer-group/")
        assert cell.layers is not None
        assert 0 <= cell.layers[0] <= cell.layers[1]


def test_names_choose_cells_and_wrong_ones_are_refused(edited: Services) -> None:
    history = edited.history
    found = history.diff(1, 5)
    assert len(history.cells(found, model="opt-125m")) == len(history.cells(found, prop="numLayers")) == 1
    assert history.cells(found, model="phi-2") == ()
    with pytest.raises(BadParameter, match="opt-125n") as wrong:
        history.cells(found, model="opt-125n")
    assert "opt-125m" in wrong.value.advice
    with pytest.raises(BadParameter, match="property"):
        history.cells(found, prop="numLayer")


def test_what_was_worked_out_is_kept_and_bounded(edited: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(edited.store)
    assert history.diff(1, 2) is history.diff(1, 2)
    assert history.summary(2) is history.summary(2)
    monkeypatch.setattr(history_module, "_ROWS_KEPT", 3)
    monkeypatch.setattr(history_module, "_SUMMARIES_KEPT", 1)
    history.diff(2, 3)
    assert len(history._diffs) == 1
    history.summary(3)
    assert list(history._summaries) == [3]


def test_a_summary_counts(edited: Services) -> None:
    first, source = edited.history.summary(1), edited.history.summary(3)
    assert first.models_changed > len(first.models) == 20
    assert (source.sources_added, source.sources_removed, source.models) == (1, 0, ("opt-125m",))
    with pytest.raises(NotFound):
        edited.history.summary(0)
    with pytest.raises(NotFound):
        edited.history.summary(99)


# --- what a revision is called ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("head", 6),
        ("0", 0),
        ("3", 3),
        ("2020-01-01", 0),
        ("2026-11-22", 2),
        ("2026-11-23T11:59:59Z", 2),
        ("2026-11-23T12:00:00Z", 3),
        ("2026-11-23T14:00:00+02:00", 3),
        ("2026-12-31", 6),
        ("spring", 4),
        ("2026.11", 5),
    ],
)
def test_what_a_revision_is_called(edited: Services, said: str, number: int) -> None:
    history = History(edited.store, {"spring": 4, "2026.11": 5}.get)
    assert history.revision_of(said) == number


@pytest.mark.parametrize("said", ["", "7", "-1", "01", "autumn", "HEAD", "1e3", "²", "x" * 500])
def test_what_no_revision_is_called(edited: Services, said: str) -> None:
    with pytest.raises(NotFound) as found:
        edited.history.revision_of(said)
    assert found.value.advice


@pytest.mark.parametrize("said", ["2026-13-01", "2026-11-22T12:00:00", "2026-11-22 noon", "9999-12-31"])
def test_dates_that_are_none(edited: Services, said: str) -> None:
    with pytest.raises(BadParameter) as found:
        edited.history.revision_of(said, parameter="from")
    assert found.value.name == "from"


# --- blame ---------------------------------------------------------------------------------------------------------


def test_blame_names_who_put_each_thing_there(edited: Services) -> None:
    found = edited.history.blame("opt-125m", "numLayers")
    parts = [(part.kind, part.step.revision.number) for part in found.parts]
    assert parts[:4] == [("value", 5), ("decision", 4), ("claim", 3), ("status", 3)]
    assert {number for _, number in parts[4:]} == {1}
    value, decision, claim, status = found.parts[:4]
    assert (value.value, value.step.by.name, value.step.revision.reason) == (14, "ada", "value 14")
    assert (decision.value, decision.note) == ("manual", "The paper says so.")
    assert (claim.value, claim.source, status.value) == (13, "A blog", "Rejected")
    assert claim.iri == status.iri
    numbers = [number for _, number in parts]
    assert numbers == sorted(numbers, reverse=True)


def test_blame_at_an_older_revision_knows_nothing_of_later_ones(edited: Services) -> None:
    found = edited.history.blame("opt-125m", "numLayers", revision=2)
    assert (found.revision, found.parts[0].kind, found.parts[0].value) == (2, "value", 13)
    assert {part.step.revision.number for part in found.parts} == {1, 2}


def test_blame_of_a_status_that_was_changed_back(own_services: Services) -> None:
    cell = next(one for one in own_services.model("opt-125m").properties if one.property.name == "numLayers")
    node = IRI(cell.claims[0].iri)
    status = next(
        quad
        for quad in own_services.store.at().quads(DECISIONS)
        if quad.subject == node and quad.predicate.value == vocab.slm.status
    )
    other = Quad(node, IRI(vocab.slm.status), IRI(vocab.BASE + "vocab/claim-status/Rejected"), DECISIONS)
    edits.commit(own_services, [other], [status])
    edits.commit(own_services, [status], [other])
    parts = own_services.history.blame("opt-125m", "numLayers").parts
    assert [part.step.revision.number for part in parts if part.iri == node.value] == [3, 1]


def test_blame_of_a_missing_value_tells_who_said_why(seed_services: Services) -> None:
    model = next(
        (slug, one.property.name)
        for slug in ("opt-125m", "phi-2")
        for one in seed_services.model(slug).properties
        if one.cell.reason is Reason.NOT_REPORTED
    )
    found = seed_services.history.blame(*model)
    assert ("missing", "not-reported") in [(part.kind, part.value) for part in found.parts]


def test_blame_of_derived_and_disputed_cells(seed_services: Services) -> None:
    page = seed_services.model("opt-125m")
    derived = next(one for one in page.properties if one.derivation is not None)
    parts = seed_services.history.blame("opt-125m", derived.property.name).parts
    assert [part.value for part in parts if part.kind == "derivation"] == [derived.cell.values[0].plain]
    slug, name = next(
        (cell.model, cell.property.name)
        for cell in seed_services.history.diff(0, 1).cells
        if cell.new.status is Status.DISPUTED and cell.layers is None
    )
    assert "disagreement" in {part.kind for part in seed_services.history.blame(slug, name).parts}


def test_blame_of_what_is_not_there(seed_services: Services) -> None:
    with pytest.raises(NotFound):
        seed_services.history.blame("opt-125n", "numLayers")
    with pytest.raises(BadParameter):
        seed_services.history.blame("opt-125m", "layers")
    with pytest.raises(NotFound):
        seed_services.history.blame("opt-125m", "numLayers", revision=9)
