"""Headers, rows, sources, models, files as a whole: each mistake is told with line and column, and gives nothing."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import date

import pytest

from app import vocab
from app.errors import BadFile, BadParameter
from app.ingest.bulk import sheets
from app.ingest.bulk.sheets import read_sheet
from app.ingest.bulk.verdicts import Verdict
from app.model.claims import Claim, Result, resource
from app.model.rdf import IRI, literal
from tests.ingest.bulk.tables import PAPER, Desk
from tests.ingest.bulk.workbooks import Formula, workbook


def test_a_wide_table_gives_claims_of_model_and_architecture(desk: Desk) -> None:
    reading = desk.read("Model,#layers,Parameters [B],MMLU (5-shot)\nPhi 2,33,2.9,57.1\n")
    layers, parameters, score = reading.items
    assert isinstance(layers, Claim)
    assert layers.subject == resource("architecture", "phi-2")
    assert (layers.predicate, layers.value, layers.reported) == (vocab.slm.numLayers, literal(33), "33")
    assert layers.locator == "table.csv, row phi-2, column #layers"
    assert layers.source == PAPER
    assert isinstance(parameters, Claim)
    assert parameters.subject == resource("model", "phi-2")
    assert parameters.interval is not None
    assert isinstance(score, Result)
    assert score.protocol is not None
    assert (score.protocol.shots, str(score.canonical)) == (5, "0.571")
    assert score.protocol.untold == ("answerScoring", "split")


def test_what_the_source_said_already_is_no_change(desk: Desk) -> None:
    table = "model,source,num_layers,hidden_size\nphi-2,survey-v3,32,9999\n"
    findings = desk.read(table).findings
    assert [one.verdict for one in findings] == [Verdict.UNCHANGED, Verdict.ACCEPTED]


def test_the_same_value_of_another_source_is_a_new_claim(desk: Desk) -> None:
    assert len(desk.read("model,num_layers\nphi-2,32\n").items) == 1


def test_a_repeated_row_gives_one_claim(desk: Desk) -> None:
    reading = desk.read("model,num_layers\nphi-2,33\nphi-2,33\n")
    assert len(reading.items) == 1
    assert reading.findings[1].problem == "an earlier cell says the same"


@pytest.mark.parametrize(
    ("name", "code"),
    [("Phi-9", "unknown-model"), ("qwen1.5", "ambiguous-model"), ("", "missing"), ("opt", "ambiguous-model")],
)
def test_a_model_that_is_not_clear_is_asked_about_at_its_cell(desk: Desk, name: str, code: str) -> None:
    reading = desk.read(f"layers,model\n12,{name}\n")
    (finding,) = reading.findings
    assert (finding.code, finding.line, finding.column, finding.field) == (code, 2, 2, "model")
    assert reading.items == ()
    assert finding.advice


@pytest.mark.parametrize("name", ["phi-2", "microsoft/phi-2", "Phi_2", "https://huggingface.co/microsoft/phi-2"])
def test_models_are_known_by_slug_name_and_id(desk: Desk, name: str) -> None:
    (item,) = desk.read(f"model,layers\n{name},33\n").items
    assert isinstance(item, Claim)
    assert item.subject.value.endswith("/phi-2")


def test_an_unknown_column_is_a_question_with_the_nearest_names(desk: Desk) -> None:
    (finding, _) = desk.read("model,hiden size,layers\nphi-2,1,33\n").findings
    assert (finding.code, finding.verdict, finding.line, finding.column) == ("unknown-column", Verdict.QUESTION, 1, 2)
    assert "Did you mean hidden_size" in finding.advice


def test_a_mapping_gives_columns_a_meaning_or_leaves_them_out(desk: Desk) -> None:
    reading = desk.read(
        "who,how wide,remark 2\nphi-2,9,hello\n",
        mapping={"who": "model", "how wide": "hidden_size [k]", "remark 2": "-"},
    )
    assert not reading.refused
    (item,) = reading.items
    assert isinstance(item, Claim)
    assert item.value == literal(9000)
    assert reading.columns == (("who", "model"), ("how wide", "hidden_size [k]"))


def test_a_mapping_of_a_column_that_is_not_there_is_refused(desk: Desk) -> None:
    with pytest.raises(BadParameter, match="no column 'layrs'"):
        desk.read("model,layers\nphi-2,33\n", mapping={"layrs": "num_layers"})


def test_a_second_name_of_the_model_is_not_read_and_told(desk: Desk) -> None:
    reading = desk.read("name,model,layers\nSome Phi,phi-2,33\n")
    assert len(reading.items) == 1
    assert [(one.column, one.verdict, one.problem) for one in reading.findings[:1]] == [
        (1, Verdict.IGNORED, "another column names the model")
    ]


@pytest.mark.parametrize(
    "header", ["layers [%]", "layers [GiB]", "license [k]", "rotary_pct [M]", "release date [UTC]"]
)
def test_a_unit_that_does_not_fit_the_property_is_refused(desk: Desk, header: str) -> None:
    reading = desk.read(f"model,{header}\nphi-2,33\n")
    assert [(one.code, one.line, one.column) for one in reading.refused] == [("unknown-unit", 1, 2)]
    assert reading.items == ()


@pytest.mark.parametrize("headers", ["layers,layers", "layers,num_hidden_layers", "#layers,Number of layers"])
def test_two_columns_of_one_meaning_are_refused(desk: Desk, headers: str) -> None:
    reading = desk.read(f"model,{headers}\nphi-2,33,34\n")
    assert [(one.code, one.line, one.column) for one in reading.refused] == [("duplicate-header", 1, 3)]


@pytest.mark.parametrize(("row", "column"), [("phi-2", 2), ("phi-2,33,34", 3)])
def test_a_ragged_row_is_refused_where_it_goes_wrong(desk: Desk, row: str, column: int) -> None:
    reading = desk.read(f"model,layers\nphi-1,25\n{row}\nphi-1-5,26\n")
    assert [(one.code, one.line, one.column) for one in reading.refused] == [("ragged-row", 3, column)]
    assert len(reading.items) == 2


def test_a_header_without_a_model_is_a_question(desk: Desk) -> None:
    reading = desk.read("layers,hidden_size\n12,768\n")
    assert [(one.code, one.line) for one in reading.refused] == [("missing", 1)]


# --- sources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "cells", "code", "column"),
    [
        ("source", "", "no-source", 3),
        ("source", "survey-v9", "unknown-source", 3),
        ("source", "Not A Slug", "unknown-source", 3),
        ("source,source_title", "survey-v3,Other title", "source-differs", 4),
        ("source,source_title,source_type", "new-one,T,Hearsay", "unknown-name", 5),
        ("source,source_title,source_type,source_dated", "new-one,T,WebPage,2024-13-01", "not-a-month", 6),
        ("source,source_title,source_type,source_address", "new-one,T,WebPage,ftp://x", "not-an-address", 6),
    ],
)
def test_a_source_that_does_not_fit_is_refused(desk: Desk, columns: str, cells: str, code: str, column: int) -> None:
    reading = desk.read(f"model,layers,{columns}\nphi-2,33,{cells}\n", source=None)
    assert [(one.code, one.column) for one in reading.refused] == [(code, column)]
    assert reading.items == ()


def test_a_row_may_describe_a_new_source(desk: Desk) -> None:
    table = (
        "model,layers,source,source_title,source_type,source_address,source_dated\n"
        "phi-2,33,new-one,A page,WebPage,https://example.org/a,2024-10-05\n"
    )
    (item,) = desk.read(table, source=None).items
    source = item.source
    assert (source.slug, source.title, source.kind) == ("new-one", "A page", "WebPage")
    assert (source.address, source.dated, source.retrieved) == ("https://example.org/a", "2024-10-05", "2026-11-21")


# --- long ----------------------------------------------------------------------------------------------------------


def test_a_long_table_has_source_locator_and_quote_for_each_value(desk: Desk) -> None:
    table = (
        "model,property,value,unit,source,locator,quote,reported\n"
        'phi-2,number of layers,33,,survey-v3,"Table 9, row 2","has 33 layers",33 (sic)\n'
        "phi-2,params,2.9,B,survey-v3,p. 3,,\n"
    )
    layers, parameters = desk.read(table, source=None).items
    assert isinstance(layers, Claim)
    assert isinstance(parameters, Claim)
    assert (layers.locator, layers.quote, layers.reported) == ("Table 9, row 2", "has 33 layers", "33 (sic)")
    assert parameters.value == literal(2_900_000_000)


def test_a_long_table_may_speak_of_layer_groups_and_datasets(desk: Desk) -> None:
    table = (
        "model,subject,property,value\n"
        "openelm-270m,layer-group:openelm-270m-0-0,num_kv_heads,5\n"
        ",dataset:the-pile,token_count,825B\n"
    )
    group, corpus = desk.read(table).items
    assert isinstance(group, Claim)
    assert isinstance(corpus, Claim)
    assert group.subject == resource("layer-group", "openelm-270m-0-0")
    assert corpus.subject == resource("dataset", "the-pile")


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("phi-2,,hiden,3,", "unknown-property", 3),
        ("phi-2,layer-group:phi-2-7-9,num_layers,3,", "bad-subject", 2),
        ("phi-2,architecture:phi-1,num_layers,3,", "bad-subject", 2),
        ("phi-2,dataset:the-pile,num_layers,3,", "bad-subject", 2),
        (",,num_layers,3,", "missing", 1),
        ("phi-2,,,3,", "missing", 3),
        ("phi-2,,num_layers,3,GiB", "unknown-unit", 5),
        ("phi-2,,innovations,much,M", "unknown-unit", 5),
    ],
)
def test_a_long_row_that_does_not_fit_is_refused(desk: Desk, row: str, code: str, column: int) -> None:
    header = "model,subject,property,value,unit"
    reading = desk.read(f"{header}\n{row}\n")
    assert [(one.code, one.line, one.column) for one in reading.refused] == [(code, 2, column)]


def test_a_runtime_figure_in_the_long_layout(desk: Desk) -> None:
    table = (
        "model,metric,value,unit,device,engine,quantisation,prompt_tokens\n"
        "phi-2,decode-latency,41.5,ms/token,Jetson Orin NX 16GB (GPU),llama.cpp,4-bit,50\n"
    )
    (result,) = desk.read(table).items
    assert isinstance(result, Result)
    assert result.configuration is not None
    assert result.configuration.prompt_tokens == 50
    assert result.configuration.untold == ("batchSize", "generatedTokens")
    assert result.artifact == IRI(f"{vocab.BASE}resource/artifact/phi-2-fourbit")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("phi-2,decode-latency,41.5,parsec,Jetson Orin NX 16GB (GPU),llama.cpp", 4),
        ("phi-2,decode-latency,41.5,,Jetson Orin NX 16GB (GPU),llama.cpp", 4),
        ("phi-2,decode-latency,41.5,ms/token,,llama.cpp", 5),
        ("phi-2,decode-latency,41.5,ms/token,My board,llama.cpp", 5),
        ("phi-2,decode-latency,fast,ms/token,Jetson Orin NX 16GB (GPU),llama.cpp", 3),
        ("phi-2,happiness,41.5,ms/token,Jetson Orin NX 16GB (GPU),llama.cpp", 2),
    ],
)
def test_a_runtime_figure_that_does_not_fit_is_refused(desk: Desk, row: str, column: int) -> None:
    reading = desk.read(f"model,metric,value,unit,device,engine\n{row}\n")
    assert [(one.line, one.column) for one in reading.refused] == [(2, column)]
    assert reading.items == ()


# --- files ---------------------------------------------------------------------------------------------------------

GOOD = "model,layers,maker\nphi-2,33,Microsoft\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark_and_utf_8_are_read(desk: Desk, encoding: str) -> None:
    assert len(desk.read(GOOD.encode(encoding)).items) == 2


def test_latin_1_is_refused_with_the_place_and_a_guess(desk: Desk) -> None:
    with pytest.raises(BadFile, match="would be 'é'") as caught:
        desk.read("model,layers\nphi-2,33\ncafé,12\n".encode("latin-1"))
    assert (caught.value.line, caught.value.column) == (3, 4)
    assert "UTF-8" in caught.value.advice


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b"model,layers\n", "no row"),
        ("model,layers\nphi-2,33\n".encode("utf-16-le"), "UTF-16 without a mark"),
        (b"\xff\xfem\x00\xff\xdf", "not UTF-16"),
        (b'model,layers\nphi-2,"33\n', "not CSV"),
        (b'model,layers\nphi-2,"3"3\n', "not CSV"),
    ],
)
def test_a_file_that_is_no_table_is_refused(desk: Desk, data: bytes, problem: str) -> None:
    with pytest.raises(BadFile, match=problem) as caught:
        desk.read(data)
    assert caught.value.advice


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_between_cells_are_seen(desk: Desk, mark: str) -> None:
    assert len(desk.read(GOOD.replace(",", mark)).items) == 2
    assert len(desk.read(GOOD.replace(",", "\t"), form="tsv").items) == 2


def test_limits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    with pytest.raises(BadFile, match="more than 2 rows"):
        desk.read("model,layers\n" + "phi-2,33\n" * 3)
    monkeypatch.setattr(sheets, "MAX_COLUMNS", 2)
    with pytest.raises(BadFile, match="more than 2 columns"):
        desk.read("model,layers,size\nphi-2,33,2B\n")
    monkeypatch.setattr(sheets, "MAX_CELL", 10)
    with pytest.raises(BadFile, match="more than 10 characters") as caught:
        desk.read("model,layers\nphi-2,33333333333\n")
    assert (caught.value.line, caught.value.column) == (2, 2)
    monkeypatch.setattr(sheets, "MAX_BYTES", 10)
    with pytest.raises(BadFile, match="larger than 10 bytes"):
        desk.read("model,layers\nphi-2,3\n")


def test_a_workbook_is_read_as_a_table_is(desk: Desk) -> None:
    book = workbook([["model", "layers", "tied", "released"], ["phi-2", 33, True, date(2023, 12, 13)]])
    reading = desk.read(book, form="xlsx")
    assert not reading.refused
    assert [one.read_as for one in reading.findings] == ["33", "true", "2023-12"]


def test_a_workbooks_formulas_dates_and_errors_are_refused_at_their_cells(desk: Desk) -> None:
    rows: list[list[object]] = [
        ["model", "layers", "hidden_size", "rope_theta"],
        ["phi-2", Formula("B9*2", 66), date(2024, 3, 2), 0.5],
    ]
    reading = desk.read(workbook(rows), form="xlsx")
    assert [(one.code, one.line, one.column) for one in reading.refused] == [
        ("formula", 2, 2),
        ("spreadsheet-date", 2, 3),
    ]
    assert len(reading.items) == 1


@pytest.mark.parametrize("data", [b"PK\x03\x04 no zip", b"model,layers\nphi-2,33\n"])
def test_what_is_no_workbook_is_refused(desk: Desk, data: bytes) -> None:
    with pytest.raises(BadFile, match="no workbook"):
        desk.read(data, form="xlsx")


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("place", ["XFD1048576", "A1048576", "ZZZ1", "A99999999999"])
def test_a_cell_far_out_is_refused_before_room_is_made_for_it(desk: Desk, place: str, quote: str) -> None:
    """A reader that makes a rectangle of all cells would take hundreds of gigabytes for two of them."""
    book = workbook([["model", "layers"], ["phi-2", 33]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            new.writestr(part, old.read(part).replace(b'r="B2"', f"r={quote}{place}{quote}".encode()))
    with pytest.raises(BadFile, match=f"has a cell {place}"):
        desk.read(out.getvalue(), form="xlsx")


def test_a_sheet_is_chosen_by_name(desk: Desk) -> None:
    book = workbook([["model", "layers"], ["phi-2", 33]], name="Sizes & more")
    assert len(read_sheet(book, "x.xlsx", form="xlsx", sheet="Sizes & more").rows) == 1
    with pytest.raises(BadFile, match="no sheet 'Sizes'") as caught:
        read_sheet(book, "x.xlsx", form="xlsx", sheet="Sizes")
    assert "Sizes & more" in caught.value.advice


def test_without_its_extra_a_workbook_is_refused_with_what_to_install(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(BadFile, match="not installed") as caught:
        desk.read(workbook([["model", "layers"], ["phi-2", 33]]), form="xlsx")
    assert "slmkg[tables]" in caught.value.advice


def test_a_workbook_that_unpacks_to_too_much_is_refused(desk: Desk) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for number in range(3):
            book.writestr(f"xl/{number}", b"0" * 80_000_000)
    assert len(out.getvalue()) < 1_000_000
    with pytest.raises(BadFile, match="unpacks to more"):
        desk.read(out.getvalue(), form="xlsx")
