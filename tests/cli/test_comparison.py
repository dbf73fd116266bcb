"""`slmkg compare` and `slmkg show`: the same answers as over HTTP, tables that fit, errors that name the option."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from app.cli import app
from app.cli.tables import Head, Shown, harmless, number_text, printed
from app.errors import BadParameter, NotFound
from tests.cli.run import RUN, slmkg
from tests.web.conftest import Client, client

__all__ = ["client"]

SCORE = "accuracy(benchmark=winogrande;shots=5)"


@pytest.fixture(autouse=True)
def store(seed_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_DATA_DIR", str(seed_folder))
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def good(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


OPTIONS: dict[str, tuple[str, ...]] = {
    "models=phi-2,opt-125m&properties=numLayers,license": (
        *("--models", "phi-2,opt-125m"),
        *("--properties", "numLayers,license"),
    ),
    f"where=parameters:..1B,license:MIT|Apache-2.0&sort=-{SCORE}&limit=3": (
        *("--where", "parameters:..1B,license:MIT|Apache-2.0"),
        *("--sort", f"-{SCORE}", "--limit", "3"),
    ),
    "models=phi-2,opt-125m&different=yes&transpose=yes": (
        *("--models", "phi-2,opt-125m"),
        "--only-differences",
        "--transpose",
    ),
    "search=opt&baselines=yes&group=attentionType&properties=parameters,kvCacheBytesPerToken"
    "&units=kvCacheBytesPerToken:B/tok&revision=1": (
        *("--search", "opt", "--baselines", "--group", "attentionType"),
        *("--properties", "parameters,kvCacheBytesPerToken", "--units", "kvCacheBytesPerToken:B/tok"),
        *("--revision", "1"),
    ),
}


@pytest.mark.parametrize("address", OPTIONS)
def test_options_ask_what_the_address_asks(client: Client, address: str) -> None:
    assert json.loads(good("compare", *OPTIONS[address], "--json")) == client.json(f"/api/v1/compare?{address}")


@pytest.mark.parametrize("form", ["csv", "md", "tex", "parquet"])
def test_files_are_those_of_the_address(seed_folder: Path, client: Client, form: str) -> None:
    command = [sys.executable, "-c", RUN, "compare", "--models", "phi-2,opt-125m", "--format", form]
    done = subprocess.run(command, capture_output=True, check=True)
    served = client.get(f"/api/v1/compare.{form}?models=phi-2,opt-125m").content
    if form == "parquet":
        assert pl.read_parquet(done.stdout).equals(pl.read_parquet(served))
    else:
        assert done.stdout == served


def test_csv_has_an_option_of_its_own() -> None:
    wanted = ("compare", "--models", "phi-2")
    assert good(*wanted, "--csv") == good(*wanted, "--format", "csv")


def test_pages_follow_each_other() -> None:
    seen: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(4):
        page = json.loads(good("compare", "--properties", "license", "--limit", "30", "--json", *after))
        seen += [row["model"] for row in page["rows"]]
        after = ("--after", page["next"] or "")
    assert page["next"] is None
    assert len(seen) == len(set(seen)) == page["total"]


def test_a_table_says_how_far_each_cell_can_be_relied_on() -> None:
    columns = f"parameters,parameterCount,trainedOn,{SCORE}"
    shown = good("compare", "--models", "phi-2,opt-125m", "--properties", columns)
    assert "2,779,683,840 *" in shown
    assert "125,237,760 | 125,239,296 !" in shown
    assert "not looked for" in shown
    assert "0.517 [0.4894, 0.5444]" in shown
    assert "* worked out by formula  ! sources differ and nobody has decided" in shown


@pytest.mark.parametrize("width", [24, 40, 80, 133])
def test_tables_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = good("compare", "--where", "parameters:..500M", "--properties", f"parameters,license,trainedOn,{SCORE}")
    lines = shown.splitlines()[:-1]  # the legend takes as many lines as it needs
    assert max(map(cell_len, lines)) <= width
    if width >= 40:  # below, the longest names take two lines
        assert all(word in shown for word in ("OpenELM-450M", "Apache-2.0", "the-pile"))


def test_a_turned_table_has_a_row_for_each_column() -> None:
    shown = good("compare", "--models", "phi-2,opt-125m", "--properties", "license,numLayers", "--transpose")
    first, _, *rows = shown.splitlines()
    assert first.split() == ["column", "phi-2", "opt-125m"]
    assert [row.split() for row in rows] == [["license", "MIT", "opt-175b-license"], ["numLayers", "32", "12"]]


def test_groups_are_shown_with_their_medians() -> None:
    shown = good("compare", "--group", "attentionType", "--properties", "parameters", "--limit", "1")
    counts = {row.split()[0]: row.split()[1] for row in shown.splitlines() if row[:3] in {"GQA", "MHA", "MLA"}}
    assert counts == {"GQA": "31", "MHA": "68", "MLA": "1"}


def test_no_model_fits(seed_folder: Path) -> None:
    done = slmkg(seed_folder, "compare", "--where", "parameters:..1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no model fits" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--where", "parameters:..500M,licence:MIT"), ("--where: ", "'licence' (member 2)", "'license'")),
        (("--properties", "numLayers,numLayer"), ("'numLayer' (member 2)", "'numLayers'")),
        (("--models", ","), ("--models: no model is named",)),
        (("--models", "phi2"), ("--models: ", "'phi-2'")),
        (("--sort", "hiddensize"), ("--sort: ", "'hiddenSize'")),
        (("--limit", "9999"), ("--limit: at most 200",)),
        (("--limit", "0"), ("--limit: ",)),
        (("--units", "numLayers:GB"), ("--units: ", "tok")),
        (("--units", "fineTuningTokens:tok"), ("--units: ", "--properties")),
        (("--after", "rubbish"), ("--after: ",)),
        (("--format", "xls"), ("--format: ", "csv")),
        (("--json", "--csv"), ("--format: two formats",)),
    ],
)
def test_an_error_names_the_option_and_says_what_to_do(
    seed_folder: Path, options: tuple[str, ...], said: tuple[str, ...]
) -> None:
    done = run("compare", *options)
    assert isinstance(done.exception, BadParameter)
    assert done.stdout == ""
    text = f"{done.exception.message}\n{done.exception.advice}"
    assert all(part in text for part in said), text
    assert done.exception.advice


def test_wrong_options_end_with_two_and_no_traceback(seed_folder: Path) -> None:
    done = slmkg(seed_folder, "compare", "--where", "parameters:..500M,licence:MIT")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: --where: there is no property or metric 'licence' (member 2)",
        "  Did you mean 'license'?",
    ]
    assert slmkg(seed_folder, "compare", "--nonsense").returncode == 2


def test_a_model_is_shown_with_status_source_and_raw_text(client: Client) -> None:
    shown = good("show", "phi-2")
    fact = next(row for row in shown.splitlines() if row.startswith("trainingTokens "))
    assert fact.split()[1:5] == ["1,400,000,000,000", "tok", "accepted", "1400000000000"]
    assert "Reading of the configuration sources of phi-2" in fact
    assert "trainingTokens: settled by the rule trust-rank" in shown
    assert "  rejected   1200B  (Figures of arXiv:2409.15790v1" in shown
    assert "not reported: innovation" in shown
    assert json.loads(good("show", "phi-2", "--json")) == client.json("/api/v1/models/phi-2")


def test_the_facts_of_a_model_as_a_file() -> None:
    rows = {row["property"]: row for row in csv.DictReader(io.StringIO(good("show", "phi-2", "--csv"), newline=""))}
    assert (rows["vocabularySize"]["value"], rows["vocabularySize"]["status"]) == ("51200", "accepted")
    assert rows["innovation"]["status"] == "missing: not-reported"
    assert (rows["trainingTokens"]["agreeing"], rows["trainingTokens"]["disagreeing"]) == ("2", "1")


def test_a_cell_is_shown_with_all_claims_and_the_rule(client: Client) -> None:
    shown = good("show", "phi-2", "trainingTokens")
    assert "settled by the rule trust-rank (the source that is trusted more was kept)" in shown
    assert "rejected: '1200B' read as 1,200,000,000,000 tok (1,199,500,000,000 to 1,200,500,000,000)" in shown
    page = client.json("/api/v1/models/phi-2")
    served = next(one for one in page["properties"] if one["property"]["name"] == "trainingTokens")
    told = json.loads(good("show", "phi-2", "trainingTokens", "--json"))
    assert {name: told[name] for name in served} == served
    claims = list(csv.DictReader(io.StringIO(good("show", "phi-2", "trainingTokens", "--csv"), newline="")))
    assert [one["claim"] for one in claims] == [one["iri"] for one in served["claims"]]


def test_a_cell_that_a_person_settled_says_who_and_why() -> None:
    shown = good("show", "phi-2", "vocabularySize")
    assert "The smaller number counts the tokenizer's entries." in shown
    assert "2026-11-20" in shown


def test_a_derived_cell_tells_its_formula() -> None:
    shown = good("show", "phi-2", "computedParameterCount")
    assert "worked out by the formula tensor-table/1 from 8 claim(s)" in shown


def test_a_cell_that_varies_is_shown_by_layers() -> None:
    shown = good("show", "openelm-450m", "numAttentionHeads")
    assert "varies by layer (missing)" in shown
    assert "layers 0-" in shown


def test_a_metric_is_shown_with_its_observations(client: Client) -> None:
    fixed = "model:phi-2,metric:accuracy,benchmark:winogrande,shots:5"
    told = json.loads(good("show", "phi-2", SCORE, "--json"))
    assert told == client.json(f"/api/v1/observations?limit=200&where={fixed}")
    shown = good("show", "phi-2", SCORE).splitlines()
    assert [row.split()[:2] for row in shown[3:]] == [["0.7348", "reported"]]


@pytest.mark.parametrize(
    ("arguments", "kind", "advice"),
    [
        (("phi2",), NotFound, "phi-2"),
        (("phi-2", "numLayer"), NotFound, "numLayers"),
        (("phi-2", "accuracy(shots"), BadParameter, ""),
        (("phi-2", "accuracy(benchmark=nope)"), BadParameter, ""),
        (("phi-2", "--revision", "77"), NotFound, "newest is 1"),
    ],
)
def test_what_is_not_there_cannot_be_shown(arguments: tuple[str, ...], kind: type[Exception], advice: str) -> None:
    done = run("show", *arguments)
    assert isinstance(done.exception, kind)
    assert advice in getattr(done.exception, "advice", "")


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return written.decode()


def test_colour_is_for_terminals_only() -> None:
    wanted = ("compare", "--models", "phi-2", "--properties", "parameters")
    assert "\x1b[" in on_terminal(*wanted)
    assert "\x1b[36m" in on_terminal(*wanted)
    assert "\x1b[36m" not in on_terminal(*wanted, NO_COLOR="1")
    assert "\x1b[" not in on_terminal(*wanted, "--csv")
    assert "\x1b[" not in good(*wanted)


@given(st.text())
def test_no_text_steers_the_terminal(text: str) -> None:
    found = harmless(text)
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in found)
    assert not set(found) & {"\x1b", "\x7f", "\x9b", "\u202e"}


def test_a_strangers_value_is_printed_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    printed([Head("model"), Head("[bold]x")], [[Shown("a\x1b[2J"), Shown("[red]b\x9b31m")]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "[bold]x" in shown
    assert "[red]b" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (True, "yes"),
        (0.5169692186266772, "0.517"),
        (2.0, "2"),
        (12345.67, "12,346"),
        ("x", "x"),
    ],
)
def test_numbers_are_short_for_people(value: Any, shown: str) -> None:
    assert number_text(value) == shown
