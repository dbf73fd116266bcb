"""A pulled comparison against the whole seed: rows and columns, a verdict for every cell, one proposal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from app.curate.orkg import CellFinding, Read, Suggestions, Verdict, slug_of
from app.curate.review import Answer, commit, review
from app.errors import BadParameter
from app.model.claims import Claim
from app.model.graphs import META
from app.orkg.mapping import ColumnMeaning, Pinned, RowMeaning
from app.orkg.pull import Pulled
from app.orkg.table import Cell, Column, Provenance, Table
from app.orkg.values import Method, Path, Ref
from app.services import Services
from tests.curate.orkg_world import ROWS, again, answers, confirmed, models, pulled
from tests.curate.people import ADA, BOB
from tests.orkg_double.process import running
from tests.orkg_double.state import BO
from tests.orkg_double.steering import Steering


@pytest.fixture(scope="module")
def double() -> Iterator[Steering]:
    with running("r753434") as steering:
        yield steering


@pytest.fixture(scope="module")
def clean(double: Steering) -> Pulled:
    return pulled(double)


@pytest.fixture(scope="module")
def dirty(double: Steering) -> Pulled:
    return pulled(double, dirt=True)


@pytest.fixture(scope="module")
def given(seed_services: Services, clean: Pulled) -> Suggestions:
    return seed_services.suggest_orkg(clean, Pinned())


@pytest.fixture(scope="module")
def pinned(seed_services: Services, clean: Pulled) -> Pinned:
    return confirmed(seed_services, clean)


@pytest.fixture(scope="module")
def read(seed_services: Services, clean: Pulled, pinned: Pinned) -> Read:
    return seed_services.read_orkg(clean, pinned)


def _find(read: Read, model: str, path: str, version: str = "R753434") -> CellFinding:
    (found,) = [one for one in read.findings if (one.model, one.path, one.version) == (model, path, version)]
    return found


# Rows and columns


def test_rows_are_suggested_by_predicate_or_label_and_never_taken_by_themselves(
    seed_services: Services, clean: Pulled, given: Suggestions
) -> None:
    suggested = {one.path: one.suggested for one in given.rows}
    assert suggested["P18097"] == "maker"
    assert suggested["P990003"] == "hidden_size"
    assert suggested["P990004"] is None
    unread = seed_services.read_orkg(_only(clean, "OPT 125M"), Pinned())
    assert not unread.items
    assert {one.verdict for one in unread.findings} == {Verdict.UNMAPPED}


def test_columns_are_matched_rightly_or_are_a_question(given: Suggestions) -> None:
    known = models()
    wrong = {one.label: one.suggested for one in given.columns if one.suggested not in {None, known[one.label]}}
    assert wrong == {}
    clear = [one for one in given.columns if one.suggested]
    assert len(clear) >= 45, [one.label for one in given.columns if not one.suggested]
    for one in given.columns:
        if one.suggested is None:
            assert known[one.label] in one.candidates, (one.label, one.candidates)


def test_a_column_of_another_size_than_ours_is_matched_by_its_name_and_says_so(given: Suggestions) -> None:
    (phi,) = [one for one in given.columns if one.label.startswith("Phi-3.5-mini")]
    assert phi.suggested == "phi-3.5-mini-instruct"
    assert "2.7B" in phi.why
    assert "3.8B" in phi.why


def test_dirty_columns_are_questions(seed_services: Services, dirty: Pulled) -> None:
    given = seed_services.suggest_orkg(dirty, Pinned())
    by_label: dict[str, list[str | None]] = {}
    for one in given.columns:
        by_label.setdefault(one.label, []).append(one.suggested)
    assert by_label["  Phi-2  "] == ["phi-2"]
    assert set(by_label["SmolLM"]) <= {"smollm-135m", "smollm-360m", None}
    assert len({one for one in by_label["SmolLM"] if one}) == len([one for one in by_label["SmolLM"] if one])


def test_a_person_confirms_suggestions_and_answers_questions(pinned: Pinned, given: Suggestions) -> None:
    assert {path: pinned.rows[path].means for path in ROWS} == ROWS
    assert pinned.rows["P18097"].means == "maker"
    assert len(pinned.columns) == len(given.columns) == 53
    assert {one.by for one in pinned.rows.values()} == {ADA.slug}


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ({"P1": "num_layers"}, {}, "no row 'P1'"),
        ({"P990002": "layerz"}, {}, "no property"),
        ({"P990005": "activation [M]"}, {}, "no unit"),
        ({}, {"R1": "opt-125m"}, "no column 'R1'"),
        ({}, {"FIRST": "opt-9000b"}, "no model"),
    ],
)
def test_what_a_person_says_is_checked(
    seed_services: Services, given: Suggestions, rows: dict[str, str], columns: dict[str, str], told: str
) -> None:
    named = {given.columns[0].source if source == "FIRST" else source: slug for source, slug in columns.items()}
    with pytest.raises(BadParameter, match=told):
        seed_services.confirm_orkg(Pinned(), given, ADA, rows=rows, columns=named, all_suggested=False)


def test_a_row_that_got_another_name_is_told(seed_services: Services, clean: Pulled, pinned: Pinned) -> None:
    renamed = pinned.with_rows(replace(pinned.rows["P990002"], labels="number of blocks"))
    read = seed_services.read_orkg(_only(clean, "OPT 125M"), renamed)
    assert any("P990002" in note and "layer number" in note for note in read.notes)


# Cells


def test_every_cell_is_accounted_for(clean: Pulled, read: Read) -> None:
    for table in clean.tables:
        counts = read.counts(table.version)
        assert sum(counts.values()) == len(table.cells)
        assert counts["unmapped"] == 0
        assert counts["left out"] == 53, "the row with the model's name"
        assert counts["agreeing"] > 400
        assert counts["conflicting"] > 0


@pytest.mark.parametrize(
    ("model", "path", "reads", "ours"),
    [
        ("phi-3.5-mini-instruct", "P103002", "2.7B", "3.8B"),
        ("dclm-1b", "P990008", None, "2048"),
        ("olmo-1b-hf", "P990008", None, "2048"),
    ],
)
def test_known_errors_of_the_table_are_conflicts(
    read: Read, model: str, path: str, reads: str | None, ours: str
) -> None:
    found = _find(read, model, path)
    assert found.verdict is Verdict.CONFLICTING
    assert reads is None or found.read_as == reads
    assert found.ours == ours


def test_dimensions_of_a_smaller_sibling_are_conflicts(seed_services: Services, double: Steering) -> None:
    later = _only(pulled(double, later_rows=True), "SmolLM2 360M")
    read = seed_services.read_orkg(later, confirmed(seed_services, later))
    wrong = {path: _find(read, "smollm2-360m", path) for path in ("P990002", "P990003", "P990004")}
    assert {(one.cell, one.ours) for one in wrong.values()} == {("30", "32"), ("576", "960"), ("9", "15")}
    assert {one.verdict for one in wrong.values()} == {Verdict.CONFLICTING}


def test_rounded_characters_agree_with_the_exact_value(read: Read) -> None:
    found = _find(read, "opt-125m", "P990006")
    assert (found.cell, found.verdict) == ("50k", Verdict.AGREEING)
    assert found.ours == "50272"


def test_ranges_are_questions_with_advice(read: Read) -> None:
    found = _find(read, "openelm-270m", "P990004")
    assert found.verdict is Verdict.QUESTION
    assert "range" in found.problem
    assert found.advice == "Look it up, and propose it by hand with its source."


def test_a_claim_says_where_it_is_from_and_how_it_came_to_be(clean: Pulled, read: Read) -> None:
    found = _find(read, "tinyllama-1.1b", "P990002", "R753854")
    (claim,) = [
        one
        for one in read.items
        if one.subject.value.endswith("architecture/tinyllama-1.1b") and (one.predicate.endswith("numLayers"))
    ]
    assert claim.source.slug == "orkg-r753854"
    assert claim.source.title.startswith("ORKG comparison R753434, version R753854 of 2024-10-24")
    assert claim.source.dated == "2024-10-24"
    assert claim.source.address == f"{clean.base}/comparison/R753854"
    assert "CC BY-SA 4.0" in (claim.source.licence or "")
    assert "CC0" in (claim.source.note or "")
    assert claim.locator == f"comparison R753854, column {found.column}, row P990002"
    assert claim.reported == "22"
    note = claim.note or ""
    (statement,) = found.statements
    assert f"statement {statement} by {BO} on 2024-10-" in note
    assert "how is not recorded" in note
    assert "xsd:string" in note
    assert not claim.recalled


@pytest.mark.parametrize(
    ("base", "slug"),
    [
        ("https://orkg.org", "orkg-r753434-head"),
        ("https://sandbox.orkg.org", "orkg-sandbox-r753434-head"),
        ("http://127.0.0.1:8000", "orkg-r753434-head"),
    ],
)
def test_a_source_is_of_one_installation(clean: Pulled, base: str, slug: str) -> None:
    assert slug_of(base, clean.live) == slug


def test_the_head_is_a_source_only_where_it_says_something_else(read: Read) -> None:
    heads = [one for one in read.items if one.source.slug == "orkg-r753434-head"]
    assert {(one.subject.value.rsplit("/", 1)[-1], one.reported) for one in heads} == {
        ("tinyllama-1.1b", "32,000"),
        ("qwen2-0.5b", "GQA"),
    }


def test_dirty_cells_are_read_or_asked_about_and_never_guessed(seed_services: Services, dirty: Pulled) -> None:
    pinned = confirmed(seed_services, dirty)
    columns = {one.label: one.source for one in dirty.live.columns}
    labels = {"opt-1.3b": "OPT 1.3B", "pythia-1b": "Pythia 1B", "pythia-410m": "Pythia 410M"}
    read = seed_services.read_orkg(dirty, pinned)
    for table in dirty.tables:
        assert sum(read.counts(table.version).values()) == len(table.cells)
    assert columns.keys() >= set(labels.values())
    assert _find(read, "opt-1.3b", "P990003").read_as == "2048"
    assert _find(read, "pythia-1b", "P990003").read_as == "2048"
    assert _find(read, "pythia-410m", "P990002").verdict is Verdict.AGREEING
    assert _find(read, "cerebras-gpt-256m", "P103002").verdict is Verdict.QUESTION
    assert _find(read, "phi-1-5", "P990006").verdict is Verdict.QUESTION
    assert _find(read, "mobillama-1b", "P990004").verdict is Verdict.NO_VALUE
    assert _find(read, "qwen1.5-4b", "P49020").read_as == "2024-02"


# Proposals


def test_a_pull_becomes_one_proposal_and_a_second_one_nothing(
    own_services: Services, double: Steering, clean: Pulled, pinned: Pinned
) -> None:
    few = _only(clean, "Phi-3.5-mini* 2.7B", "TinyLlama 1.1B")
    found = own_services.read_orkg(few, pinned)
    taken = own_services.propose_orkg(few, pinned, ADA)
    assert taken.step.proposal is not None
    assert len(taken.step.proposal.items) == len(found.items)
    second = own_services.propose_orkg(few, pinned, ADA)
    assert (second.revision, second.step.proposal) == (taken.revision, None)
    waiting = own_services.read_orkg(few, pinned)
    assert not waiting.items
    assert waiting.counts() == found.counts()
    assert any("proposal 1, item" in one.problem for one in waiting.findings)

    number = taken.step.proposal.number
    own_services.curation.take(review(number, {}, rest=Answer(True, "as the ORKG has it")), BOB)
    own_services.curation.take(commit(number), BOB)
    settled = own_services.read_orkg(few, pinned)
    assert not settled.items
    assert own_services.propose_orkg(few, pinned, ADA).step.proposal is None
    phi = _find(settled, "phi-3.5-mini-instruct", "P103002")
    assert phi.verdict is Verdict.CONFLICTING
    assert phi.ours == "open: 2.7B or 3.8B", "what a person decided is open again, and nothing took its place"
    assert [quad for quad in own_services.store.at().quads(META) if "source/orkg-" in str(quad.subject)]

    (statement,) = _find(settled, "tinyllama-1.1b", "P990002").statements
    double.reset("r753434")
    made = double.ask("POST", "/api/literals", json={"label": "23", "datatype": "xsd:string"})
    literal = made.headers["location"].rsplit("/", 1)[-1]
    assert double.ask("PUT", f"/api/statements/{statement}", json={"object_id": literal}).status_code == 204
    changed = own_services.read_orkg(_only(again(double), "TinyLlama 1.1B"), pinned)
    (new,) = changed.items
    assert (new.reported, new.source.slug) == ("23", "orkg-r753434-head")


def _only(found: Pulled, *labels: str) -> Pulled:
    """The same pull with a few columns."""
    wanted = {one.source for table in found.tables for one in table.columns if one.label in labels}
    assert len(wanted) == len(labels)
    tables = (
        replace(
            table,
            columns=tuple(one for one in table.columns if one.source in wanted),
            cells=tuple(one for one in table.cells if one.column in wanted),
        )
        for table in found.tables
    )
    return replace(found, tables=tuple(tables))


# Pieces


def _pulled(clean: Pulled, cells: tuple[Cell, ...], path: Path, column: Column) -> Pulled:
    table = Table(
        head="R1",
        version="R1",
        title="T",
        dated="2026-01-01T00:00:00Z",
        published=False,
        withdrawn=False,
        columns=(column,),
        paths=(path,),
        cells=cells,
    )
    return replace(clean, tables=(table,), asked="R1", head=replace(clean.head, id="R1"))


def _text(label: str, datatype: str = "xsd:string") -> Ref:
    return Ref("literal_ref", label, None, datatype)


def _told(method: Method, statement: str = "S1") -> Provenance:
    return Provenance(statement, BO, "2026-01-01T00:00:00Z", method)


COLUMN = Column("R2", "OPT 125M")
LAYERS = Path("P1", "layers")
PINNED = Pinned(
    {"P1": RowMeaning("P1", "layers", "num_layers", "ada", "2026-11-21")},
    {"R2": ColumnMeaning("R2", "OPT 125M", "opt-125m", "ada", "2026-11-21")},
)


def _read_one(
    services: Services, clean: Pulled, *cells: Cell, pinned: Pinned = PINNED, ours: tuple[str, ...] = ()
) -> Read:
    return services.read_orkg(_pulled(clean, cells, LAYERS, COLUMN), pinned, ours=ours)


def test_several_different_values_in_one_cell_are_a_question(seed_services: Services, clean: Pulled) -> None:
    read = _read_one(seed_services, clean, Cell("R2", ("P1",), _text("12")), Cell("R2", ("P1",), _text("24")))
    assert [one.verdict for one in read.findings] == [Verdict.QUESTION] * 2
    assert not read.items


def test_the_same_value_twice_is_one_claim(seed_services: Services, clean: Pulled) -> None:
    read = _read_one(
        seed_services,
        clean,
        Cell("R2", ("P1",), _text("12")),
        Cell("R2", ("P1",), _text("12", "xsd:integer")),
    )
    assert [one.verdict for one in read.findings] == [Verdict.AGREEING] * 2
    assert len(read.items) == 1


def test_what_ai_wrote_and_nobody_reviewed_stays_proposed(seed_services: Services, clean: Pulled) -> None:
    cell = Cell("R2", ("P1",), _text("13"), statements=(_told(Method.AI_GENERATED),))
    (claim,) = _read_one(seed_services, clean, cell).items
    assert isinstance(claim, Claim)
    assert claim.recalled
    assert claim.reading == "Recalled"
    reviewed = replace(cell, statements=(_told(Method.AI_REVIEWED),))
    (kept,) = _read_one(seed_services, clean, reviewed).items
    assert not kept.recalled


def test_what_we_wrote_there_is_no_evidence(seed_services: Services, clean: Pulled) -> None:
    cell = Cell("R2", ("P1",), _text("12"), statements=(_told(Method.MANUAL),))
    read = _read_one(seed_services, clean, cell, ours=("S1",))
    assert [one.verdict for one in read.findings] == [Verdict.OURS]
    both = replace(cell, statements=(*cell.statements, _told(Method.MANUAL, "S2")))
    assert len(_read_one(seed_services, clean, both, ours=("S1",)).items) == 1


def test_a_column_that_bears_our_iri_is_no_evidence_even_where_nobody_knows_who_pushed_it(
    seed_services: Services, clean: Pulled
) -> None:
    column = replace(COLUMN, uri="https://w3id.org/slmkg/resource/model/opt-125m")
    found = _pulled(clean, (Cell("R2", ("P1",), _text("12")),), LAYERS, column)
    read = seed_services.read_orkg(found, PINNED)
    assert [one.verdict for one in read.findings] == [Verdict.OURS]
    assert read.items == ()


def test_nothing_of_a_withdrawn_version_is_proposed(seed_services: Services, clean: Pulled) -> None:
    found = _pulled(clean, (Cell("R2", ("P1",), _text("13")),), LAYERS, COLUMN)
    gone = replace(found, tables=tuple(replace(table, withdrawn=True) for table in found.tables))
    read = seed_services.read_orkg(gone, PINNED)
    assert not read.items
    assert "withdrawn" in read.findings[0].problem


def test_a_column_or_row_that_is_none_of_ours_is_left_out(seed_services: Services, clean: Pulled) -> None:
    cell = Cell("R2", ("P1",), _text("13"))
    without = PINNED.with_columns(replace(PINNED.columns["R2"], means="-"))
    assert _read_one(seed_services, clean, cell, pinned=without).findings[0].verdict is Verdict.LEFT_OUT
    bare = replace(PINNED, columns={})
    question = _read_one(seed_services, clean, cell, pinned=bare).findings[0]
    assert question.verdict is Verdict.QUESTION
    assert "--column R2=SLUG" in question.advice


@pytest.mark.parametrize(
    "label",
    ["=1+1", "@SUM(A1)", "\x1b[2Jboo", "\u202e21", "1e999999", "９", "x" * 8164, "-3", "12.5", "", "12 or 13"],
)
def test_hostile_characters_are_questions_and_shown_as_what_they_are(
    seed_services: Services, clean: Pulled, label: str
) -> None:
    read = _read_one(seed_services, clean, Cell("R2", ("P1",), _text(label)))
    assert not read.items
    (found,) = read.findings
    assert found.verdict in {Verdict.QUESTION, Verdict.NO_VALUE}
    assert str(found).isprintable()
    assert len(str(found)) < 600


def test_a_unit_of_the_row_counts(seed_services: Services, clean: Pulled) -> None:
    pinned = replace(PINNED, rows={"P1": RowMeaning("P1", "layers", "parameters [M]", "ada", "2026-11-21")})
    (claim,) = _read_one(seed_services, clean, Cell("R2", ("P1",), _text("125")), pinned=pinned).items
    assert claim.value.value == "125000000"
    assert claim.interval is not None


def test_our_own_iris_name_things(seed_services: Services, clean: Pulled) -> None:
    column = replace(COLUMN, label="Contribution 1", uri="https://w3id.org/slmkg/resource/model/opt-125m")
    found = _pulled(clean, (Cell("R2", ("P1",), _text("12")),), LAYERS, column)
    (suggested,) = seed_services.suggest_orkg(found, Pinned()).columns
    assert (suggested.suggested, suggested.why) == ("opt-125m", "its IRI is ours")


def test_answers_are_needed_only_where_no_suggestion_is_clear(given: Suggestions) -> None:
    assert set(answers(given)) == {one.source for one in given.columns if one.suggested is None}


def test_the_reference_page_tells_every_verdict() -> None:
    page = (FilePath(__file__).parents[2] / "docs" / "reference" / "orkg.md").read_text(encoding="utf-8")
    section = page.partition("## What becomes of a cell")[2].partition("\n## ")[0]
    assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(Verdict)
