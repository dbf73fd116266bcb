"""The three-way plan and what goes out of it: every state, and what is held back. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from app.errors import BadParameter, OrkgDrift
from app.orkg.intent import WantedPaper, literal_token, prefixed
from app.orkg.outgoing import Options, Outgoing, Row, doi_of, outgoing, touched_by
from app.orkg.plan import (
    MEANING,
    Meanings,
    OurCell,
    OurModel,
    OurValue,
    Plan,
    State,
    as_json,
    plan,
)
from app.orkg.pull import Pulled
from app.orkg.seen import moved, state
from app.orkg.table import Cell, Column, Place, Table
from app.orkg.values import Comparison, Method, Named, Paper, Path, Ref, Version, Versions

BASE = "https://orkg.example"
OURS = "https://w3id.org/slmkg/resource/model"
TIME = "2026-11-20T10:00:00+01:00"
ME = "0b5a1c1e-1111-4222-8333-444455556666"
LAYERS: Place = ("P1",)
HEADS: Place = ("P2",)
ATTENTION: Place = ("P3",)
NOTE: Place = ("P4",)
ROWS = (
    Row("num_layers", "num_layers", "https://w3id.org/slmkg/ontology#numLayers", "number of layers", LAYERS),
    Row("parameters [M]", "parameters", "https://w3id.org/slmkg/ontology#parameterCount", "parameters", HEADS),
    Row("attention_type", "attention_type", "https://w3id.org/slmkg/ontology#attentionType", "attention", ATTENTION),
)
MEANINGS = Meanings(
    {"R1": "a", "R2": "b"},
    {LAYERS: "num_layers", HEADS: "parameters [M]", ATTENTION: "attention_type"},
)


def literal(label: str, datatype: str = "xsd:string") -> Ref:
    return Ref("literal_ref", label, None, datatype)


def table(cells: Mapping[tuple[str, tuple[str, ...]], Iterable[Ref]], **changes: object) -> Table:
    """A table with three columns, of which the last bears an IRI of ours."""
    columns = (
        Column("R1", "Model A", paper="R10", paper_title="Report A"),
        Column("R2", "Model B", paper="R20", paper_title="Report B"),
        Column("R3", "Model A (ours)", uri=f"{OURS}/a"),
    )
    paths = tuple(Path(place[0], f"row {place[0]}") for place in (LAYERS, HEADS, ATTENTION, NOTE))
    made = [Cell(column, place, ref) for (column, place), refs in cells.items() for ref in refs]
    return replace(Table("R0", "R0", "Models", TIME, False, False, columns, paths, tuple(made)), **changes)  # type: ignore[arg-type]


def ours(**cells: OurCell) -> dict[str, OurModel]:
    """What we hold of model a; and two more models."""
    known = {
        "num_layers": OurCell("missing"),
        **{name.replace("parameters", "parameters [M]"): cell for name, cell in cells.items()},
    }
    return {
        "a": OurModel("a", f"{OURS}/a", "Model A", known, ("https://arxiv.org/abs/2401.00001v2",)),
        "b": OurModel("b", f"{OURS}/b", "Model B", {}),
        "c": OurModel(
            "c", f"{OURS}/c", "Model C", {"num_layers": accepted("12")}, ("https://arxiv.org/abs/2402.00002",)
        ),
    }


def accepted(*labels: str) -> OurCell:
    return OurCell("accepted", tuple(OurValue(one, "xsd:integer") for one in labels), method=Method.AUTOMATIC)


def made(base: Table, now: Table, held: dict[str, OurModel]) -> Plan:
    def agrees(slug: str, name: str, refs: tuple[Ref, ...]) -> bool | None:
        if any("?" in ref.label for ref in refs):
            return None
        return {ref.label for ref in refs} == {
            one.label for one in held[slug].cells.get(name, OurCell("missing")).values
        }

    return plan(
        base,
        now,
        at=(BASE, TIME),
        meanings=MEANINGS,
        ours=held,
        agrees=agrees,
        is_blank=lambda ref: ref.label == "-",
    )


@pytest.mark.parametrize(
    ("then", "there", "held", "expected"),
    [
        ("12", "12", accepted("12"), State.SAME),
        ("24", "12", accepted("12"), State.SAME),
        ("12", "24", accepted("12"), State.THEIRS_CHANGED),
        ("24", "24", accepted("12"), State.OURS_CHANGED),
        ("24", "25", accepted("12"), State.CONFLICT),
        (None, "24", accepted("12"), State.CONFLICT),
        ("24", "24", OurCell("disputed", candidates=("12", "13")), State.CONFLICT),
        (None, "12", OurCell("missing"), State.MISSING_HERE),
        ("12", "12", OurCell("proposed"), State.MISSING_HERE),
        (None, None, accepted("12"), State.MISSING_THERE),
        ("-", "-", accepted("12"), State.MISSING_THERE),
        ("12", None, accepted("12"), State.WITHDRAWN_THERE),
        ("12", None, OurCell("missing"), State.WITHDRAWN_THERE),
        ("12?", "12?", accepted("12"), State.QUESTION),
    ],
)
def test_each_cell_is_in_one_state(then: str | None, there: str | None, held: OurCell, expected: State) -> None:
    base = table({("R1", LAYERS): [literal(then)] if then else []})
    now = table({("R1", LAYERS): [literal(there)] if there else []})
    (line,) = made(base, now, ours(num_layers=held)).lines
    assert line.state is expected
    assert MEANING[expected]


def test_rows_without_a_meaning_columns_without_a_model_and_what_is_left_out_are_told_apart() -> None:
    cells = {("R1", NOTE): [literal("x")], ("R2", LAYERS): [literal("7")]}
    held = ours()
    found = plan(
        table(cells),
        table(cells),
        at=(BASE, TIME),
        meanings=Meanings({"R1": "a"}, {LAYERS: "num_layers"}),
        ours=held,
        agrees=lambda *_: True,
    )
    assert {line.row_label: line.state for line in found.lines} == {"row P4": State.UNMAPPED, "row P1": State.QUESTION}
    left = plan(
        table(cells),
        table(cells),
        at=(BASE, TIME),
        meanings=Meanings({"R1": "a"}, {LAYERS: "num_layers"}, frozenset({"R2"}), {NOTE: "it is said of papers"}),
        ours=held,
        agrees=lambda *_: True,
    )
    assert {line.state for line in left.lines} == {State.LEFT_OUT}
    assert {line.why for line in left.lines} == {"", "it is said of papers"}


def test_columns_of_ours_are_no_evidence_and_models_without_a_column_are_told() -> None:
    cells = {("R3", LAYERS): [literal("99")]}
    found = made(table({}), table(cells), ours())
    assert found.lines == ()
    assert found.own == ("R3",)
    assert found.missing == ("c",)
    assert as_json(found)["counts"]["same"] == 0


def test_values_of_a_cell_are_compared_as_a_set() -> None:
    one, other = literal("12"), literal("13")
    base, now = table({("R1", LAYERS): [one, other]}), table({("R1", LAYERS): [other, one]})
    assert not made(base, now, ours(num_layers=accepted("12", "13"))).moved


# What goes out


def pulled(base: Table) -> Pulled:
    """The pull that a table is the head of, with the papers of its columns."""
    version = Version("R0", "Models", TIME, ME)
    head = Comparison(
        "R0",
        "Models",
        "Some.",
        (),
        Versions(version),
        TIME,
        ME,
        "DEFAULT",
        False,
        "comparison",
        research_fields=(Named("R11", "Science"),),
    )
    papers = {
        "R10": Paper("R10", "Report A", (), TIME, ME, "paper", {"doi": ("10.1/a",)}),
        "R20": Paper("R20", "Report B", (), TIME, ME, "paper"),
    }
    return Pulled(BASE, "R0", TIME, head, (base,), papers)


def sent(base: Table, held: dict[str, OurModel], **chosen: object) -> Outgoing:
    options = Options(host=BASE, **chosen)  # type: ignore[arg-type]
    return outgoing(made(base, base, held), pulled(base), base, ROWS, held, options)


def test_a_model_with_news_gets_a_contribution_with_all_its_settled_values() -> None:
    base = table({("R1", LAYERS): [literal("12")], ("R1", HEADS): [literal("99")], ("R1", ATTENTION): [literal("MHA")]})
    held = ours(
        num_layers=accepted("12"),
        parameters=accepted("125"),
        attention_type=OurCell("disputed", candidates=("MHA", "GQA")),
    )
    found = sent(base, held)
    (column,) = found.intent.columns
    assert {name: [one.label for one in cell] for name, cell in column.cells.items()} == {
        "num_layers": ["12"],
        "parameters [M]": ["125"],
    }
    assert column.paper == WantedPaper("Report A", "R10", "10.1/a")
    assert [row.id for row in found.intent.rows] == ["P1", "P2"]
    assert [(one.model, one.property, one.why) for one in found.held] == [
        ("a", "attention_type", "a conflict waits to be decided")
    ]
    comparison = found.intent.comparison
    assert [one.id for one in comparison.sources] == ["R1", "R2"], "columns of ours are put there by the push"
    assert comparison.references == (f"{BASE}/comparison/R0",)
    assert comparison.research_field == "R11"
    assert found.intent.watched == "R0"
    assert found.values == 2


def test_a_model_that_says_nothing_new_stays_here() -> None:
    base = table({("R1", LAYERS): [literal("12")]})
    assert sent(base, ours(num_layers=accepted("12"))).intent.columns == ()


def test_a_model_without_column_goes_out_when_it_is_wanted_and_its_paper_is_described() -> None:
    base = table({("R1", LAYERS): [literal("12")]})
    held = ours(num_layers=accepted("12"))
    (told,) = sent(base, held, new_models=True).held
    assert told.why == "its paper is not described; give it with --papers"
    paper = WantedPaper("Report C", doi="10.48550/arXiv.2402.00002")
    (column,) = sent(base, held, models=("c",), papers={"10.48550/arxiv.2402.00002": paper}).intent.columns
    assert column.paper == paper
    assert column.cells["num_layers"][0].method is Method.AUTOMATIC


def test_elsewhere_rows_go_by_our_iris_papers_by_their_description_and_numbers_in_our_units() -> None:
    base = table({("R1", HEADS): [literal("99")]})
    held = ours(parameters=accepted("125"))
    held["a"] = replace(held["a"], cells={**held["a"].cells, "parameters": accepted("125000000")})
    found = outgoing(
        made(base, base, held), pulled(base), base, ROWS, held, Options(host="https://sandbox.example", models=("a",))
    )
    (row,) = found.intent.rows
    assert row.id is None
    assert row.uri == "https://w3id.org/slmkg/ontology#parameterCount"
    (column,) = found.intent.columns
    assert [one.label for one in column.cells["parameters [M]"]] == ["125000000"]
    assert column.paper == WantedPaper("Report A", None, "10.1/a")
    assert found.intent.comparison.sources == ()
    assert found.intent.watched is None


def test_a_row_of_texts_gets_the_name_of_a_thing_and_a_row_of_things_the_thing() -> None:
    thing = OurCell("accepted", (OurValue("GQA", None, "https://w3id.org/slmkg/vocab/attention/GQA"),))
    for ref, uri in (
        (literal("MHA"), None),
        (Ref("resource_ref", "MHA", "R7"), "https://w3id.org/slmkg/vocab/attention/GQA"),
    ):
        base = table({("R1", ATTENTION): [ref]})
        (column,) = sent(base, ours(attention_type=thing)).intent.columns
        (value,) = column.cells["attention_type"]
        assert (value.label, value.uri) == ("GQA", uri)


def test_a_foreign_column_gets_only_what_it_lacks_or_what_is_ours_to_change() -> None:
    base = table({("R1", LAYERS): [literal("12")], ("R1", HEADS): [literal("99", "xsd:integer")]})
    held = ours(num_layers=accepted("12"), parameters=accepted("125"), attention_type=accepted("1"))
    found = sent(base, held, edit_foreign=True)
    (column,) = found.intent.columns
    assert column.contribution == "R1"
    assert set(column.cells) == {"parameters [M]", "attention_type"}
    assert column.before == {"parameters [M]": ('"99"^^xsd:integer',), "attention_type": ()}
    assert touched_by(found.intent) == {("R1", "P2"), ("R1", "P3")}
    assert found.intent.comparison.id == "R0"
    with pytest.raises(BadParameter, match="--edit-foreign"):
        outgoing(
            made(base, base, held),
            pulled(base),
            base,
            ROWS,
            held,
            Options(host="https://sandbox.example", edit_foreign=True),
        )


def test_nothing_goes_out_over_a_change_that_nobody_reviewed() -> None:
    base = table({("R1", LAYERS): [literal("12")]})
    now = table({("R1", LAYERS): [literal("13")]})
    held = ours(num_layers=accepted("12"))
    with pytest.raises(OrkgDrift, match=r"column R1 \(Model A\) has other values"):
        outgoing(made(base, now, held), pulled(base), now, ROWS, held, Options(host=BASE))


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(BadParameter, match="no model 'x'"):
        sent(table({}), ours(), models=("x",))


# The state of a comparison


def test_what_moved_is_named() -> None:
    base = table({("R1", LAYERS): [literal("12")], ("R2", LAYERS): [literal("13")]})
    kept = state(base)
    assert moved(kept, base) == ()
    assert moved({}, base) == ()
    other = table({("R1", LAYERS): [literal("12", "xsd:integer")], ("R3", LAYERS): [literal("1")]})
    assert moved(kept, other) == ("column R1 (Model A) has other values", "column R2 (Model B) has other values")
    assert moved(kept, replace(base, paths=base.paths[1:]))[0] == "row P1 is gone"
    assert moved(kept, replace(base, columns=base.columns[1:]))[0] == "column R1 is gone"
    assert moved(kept, replace(base, withdrawn=True)) == ("the comparison was deleted",)
    more = replace(base, columns=(*base.columns, Column("R9", "Model Z")))
    assert moved(kept, more) == ("column R9 (Model Z) is new",)


def test_cells_that_are_meant_to_change_are_no_drift() -> None:
    base = table({("R1", LAYERS): [literal("12")]})
    later = table({("R1", LAYERS): [literal("13")]})
    touched = frozenset({("R1", "P1")})
    assert moved(state(base, touched), later, touched) == ()


@pytest.mark.parametrize(
    ("address", "doi"),
    [
        ("https://arxiv.org/abs/2401.00001v2", "10.48550/arXiv.2401.00001"),
        ("https://arxiv.org/pdf/2401.00001.pdf", "10.48550/arXiv.2401.00001"),
        ("https://doi.org/10.1000/xyz(1)", "10.1000/xyz(1)"),
        ("10.1000/xyz", "10.1000/xyz"),
        ("https://example.org/report", None),
    ],
)
def test_a_doi_is_found_in_the_address_of_a_document(address: str, doi: str | None) -> None:
    assert doi_of(address) == doi


def test_datatypes_are_compared_by_what_they_are() -> None:
    assert prefixed(None) == prefixed("http://www.w3.org/2001/XMLSchema#string") == "xsd:string"
    assert literal_token("1", "http://www.w3.org/2001/XMLSchema#integer") == literal_token("1", "xsd:integer")
    assert literal_token("1", "xsd:integer") != literal_token("1", "xsd:decimal")
