"""Every kind of cell has one verdict, which says what it was read as or what to do."""

from __future__ import annotations

import pytest

from app.ingest.bulk.verdicts import CODES, Verdict
from tests.ingest.bulk.tables import Desk

ACCEPTED = [
    ("hidden_size", "2048", "2048"),
    ("hidden_size", "2,048", "2048"),
    ("hidden_size", "2 048", "2048"),
    ("hidden_size", "2\u202f048", "2048"),
    ("hidden_size", "1'024", "1024"),
    ("d_model", " 2048 ", "2048"),
    ("#layers", "24*", "24 [footnote mark '*' left out]"),
    ("layers", "24 [a]", "24 [footnote mark '[a]' left out]"),
    ("layers", "24 layers", "24"),
    ("layers", "per layer", "slm:variesByLayer"),
    ("vocabulary size", "32k", "32000 (31500 to 32500) [in k]"),
    ("context", "32k", "32768 (31500 to 33280) [k may be 1000 or 1024]"),
    ("context", "4096", "4096"),
    ("params", "1.1B", "1100000000 (1050000000 to 1150000000) [in B]"),
    ("params", "1.235B", "1235000000 (1234500000 to 1235500000) [in B]"),
    ("params", "1.1E+09", "1100000000 (1050000000 to 1150000000)"),
    ("params", "110 million", "110000000 (109500000 to 110500000) [in million]"),
    ("parameters [M]", "110", "110000000 (109500000 to 110500000) [in M]"),
    ("parameters [M]", "110M", "110000000 (109500000 to 110500000) [in M]"),
    ("training tokens", "300B tokens", "300000000000 (299500000000 to 300500000000) [in B]"),
    ("norm_eps", "1e-5", "0.00001"),
    ("rope theta", "1e6", "1000000"),
    ("rope theta", "1,000,000", "1000000"),
    ("rope theta", "+.5", "0.5"),
    ("rotary_pct", "25%", "0.25 (from percent)"),
    ("rotary_pct", "0.4", "0.4"),
    ("release date", "2024-07", "2024-07"),
    ("release date", "2024.07", "2024-07"),
    ("release date", "July 2024", "2024-07"),
    ("release date", "15 July 2024", "2024-07"),
    ("release date", "07/2024", "2024-07"),
    ("tie_word_embeddings", "yes", "true"),
    ("tied", "FALSE", "false"),
    ("size", "0.5B", "500M"),
    ("arxiv", "2309.05463", "https://arxiv.org/abs/2309.05463"),
    ("hidden_act", "gelu_new", "act:GELUTanh"),
    ("attention", "grouped-query attention", "attn:GQA"),
    ("license", "mit", "licenses:MIT"),
    ("datasets", "The Pile; SlimPajama", "ds:the-pile"),
    ("innovations", "'=not a formula", "'=not a formula'"),
    ("MMLU (5-shot)", "56.3", "56.3 as percent of mmlu, 5-shot"),
    ("MMLU (5-shot) [%]", "0.5", "0.5 as percent of mmlu, 5-shot [percent]"),
    ("HellaSwag", "0.45", "0.45 as a fraction of hellaswag"),
    ("arc_challenge 25-shot", "45 %", "45 as percent of arc-challenge, 25-shot"),
]

REFUSED = [
    ("hidden_size", "=A1+B1", "formula"),
    ("innovations", "@SUM(A1)", "formula"),
    ("innovations", "-cmd", "formula"),
    ("params", "Base = 110M, Large = 340M", "several-values"),
    ("params", "110M / 340M", "several-values"),
    ("layers", "12-24", "range"),
    ("layers", "12 to 24", "range"),
    ("params", "~7B", "approximate"),
    ("params", "about 7B", "approximate"),
    ("rope theta", "1,5", "decimal-comma"),
    ("rope theta", "10,000", "decimal-comma"),
    ("params", "1,1B", "decimal-comma"),
    ("params", "1,235B", "decimal-comma"),
    ("hidden_size", "2.048", "decimal-point"),
    ("params", "1.234.567", "thousands"),
    ("params", "12,34,567", "thousands"),
    ("layers", "many", "not-a-number"),
    ("layers", "10⁹", "unknown-unit"),
    ("layers", "12.5", "not-whole"),
    ("norm_eps", "inf", "not-finite"),
    ("layers", "-12", "negative"),
    ("params", "1" * 31, "too-long"),
    ("params", "1e999", "too-long"),
    ("norm_eps", "1e-999", "too-long"),
    ("innovations", "x" * 5001, "too-long"),
    ("params", "110m", "small-letter"),
    ("params", "24 GiB", "unknown-unit"),
    ("layers", "50%", "unknown-unit"),
    ("parameters [B]", "110M", "unit-conflict"),
    ("rotary_pct", "25", "percent-or-fraction"),
    ("MMLU", "145", "out-of-range"),
    ("MMLU", "-3%", "out-of-range"),
    ("layers", "2-Mar", "spreadsheet-date"),
    ("layers", "Jan-24", "spreadsheet-date"),
    ("layers", "12/03/2024", "spreadsheet-date"),
    ("release date", "45474", "day-number"),
    ("release date", "2024", "not-a-month"),
    ("release date", "07/08/2024", "not-a-month"),
    ("tied", "1", "not-a-truth"),
    ("paper", "arxiv 2409", "not-an-address"),
    ("size", "tiny", "not-a-size"),
    ("token_count", "5", "bad-subject"),
    ("innovations", "a\x07b", "control-character"),
    ("hidden_size", "#REF!", "error-value"),
]

QUESTIONS = [
    ("activation", "Gelu2", "unknown-name"),
    ("datasets", "Dolma", "ambiguous-name"),
]


@pytest.mark.parametrize(("header", "cell", "read_as"), ACCEPTED)
def test_what_can_be_read_safely_is_accepted_and_says_as_what(desk: Desk, header: str, cell: str, read_as: str) -> None:
    quoted = cell.replace('"', '""')
    reading = desk.read(f'model,"{header}"\nopenelm-1.1b,"{quoted}"\n')
    assert not reading.refused
    assert reading.findings[0].verdict is Verdict.ACCEPTED
    assert reading.findings[0].read_as == read_as
    assert (reading.findings[0].line, reading.findings[0].column) == (2, 2)
    assert all(item.source.slug == "test-paper" for item in reading.items)


@pytest.mark.parametrize(("header", "cell", "code"), REFUSED)
def test_what_may_mean_two_things_is_refused_with_advice(desk: Desk, header: str, cell: str, code: str) -> None:
    finding = desk.cell(header, cell)
    assert (finding.verdict, finding.code) == (Verdict.REFUSED, code)
    assert (finding.file, finding.line, finding.column, finding.field) == ("table.csv", 2, 2, header)
    assert finding.advice


@pytest.mark.parametrize(("header", "cell", "code"), QUESTIONS)
def test_what_is_not_known_is_a_question_with_candidates(desk: Desk, header: str, cell: str, code: str) -> None:
    finding = desk.cell(header, cell)
    assert (finding.verdict, finding.code) == (Verdict.QUESTION, code)
    assert finding.advice.startswith(("Did you mean", "Write one of"))


@pytest.mark.parametrize("cell", ["", " ", "-", "n/a", "unknown", "None"])
def test_no_value_is_no_claim(desk: Desk, cell: str) -> None:
    finding = desk.cell("layers", cell)
    assert finding.verdict is Verdict.IGNORED
    assert finding.problem == "it says that there is no value"


def test_a_fraction_among_percentages_is_refused(desk: Desk) -> None:
    reading = desk.read("model,MMLU\nphi-2,56.1\nphi-1,0.45\nphi-3-mini-4k-instruct,0.5 %\n")
    assert [one.code for one in reading.refused if one.code != "unknown-model"] == ["percent-or-fraction"]
    assert reading.refused[0].line == 3


def test_the_pages_of_codes_name_every_code_that_cells_can_get() -> None:
    tested = {code for *_, code in (*REFUSED, *QUESTIONS)}
    of_rows = {
        "unknown-model",
        "ambiguous-model",
        "unknown-property",
        "unknown-column",
        "duplicate-header",
        "no-source",
        "unknown-source",
        "source-differs",
        "ragged-row",
        "missing",
    }  # tests of rows and headers
    assert tested | of_rows == set(CODES)
