"""`slmkg propose | proposals | claims | disagreements | decide`, run as commands on a copy of the real store."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.web.curation_schemas import EXAMPLE
from tests.cli.run import fresh, slmkg

NEW = ("--source-title", "A paper", "--source-type", "TechnicalReport", "--dated", "2024-01", "--locator", "page 3")


@pytest.fixture
def data(seed_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(seed_folder, tmp_path / "var"))


def done(data: Path, *arguments: str) -> Any:
    run = slmkg(data, *arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_value_goes_the_whole_way(data: Path) -> None:
    made = done(data, "propose", "phi-2", "vocabularySize", "51200", *NEW, "--as", "0000-0002-1825-0097")
    assert (made["number"], made["state"], made["author"]["orcid"]) == (1, "open", "0000-0002-1825-0097")
    done(data, "proposals", "comment", "1", "page 3 it is", "--as", "bob")
    judged = done(data, "proposals", "review", "1", "--accept", "1", "--as", "bob")
    assert judged["items"][0]["verdicts"][0]["by"]["name"] == "bob"
    recorded = done(data, "proposals", "commit", "1", "--as", "bob")["items"][0]["recorded_as"]
    case = done(data, "claims", "phi-2", "vocabularySize")
    assert recorded in {claim["iri"] for claim in case["claims"]}
    assert [one["number"] for one in done(data, "proposals", "list", "--state", "accepted")] == [1]
    text = fresh(data, "proposals", "show", "1").stdout
    assert "committed" in text
    assert "page 3 it is" in text


@pytest.mark.heavy
def test_who_acts_is_the_operator_unless_somebody_is_named(data: Path) -> None:
    """Everywhere alike: proposals, verdicts, decisions and reverts; nobody passes judgement on their own proposal."""
    made = done(data, "propose", "phi-2", "vocabularySize", "51200", *NEW)
    assert made["author"]["name"] == "operator"
    own = slmkg(data, "proposals", "review", "1", "--accept-rest")
    assert own.returncode != 0
    named = slmkg(data, "proposals", "review", "1", "--accept-rest", "--json", agent="bob")
    assert json.loads(named.stdout)["items"][0]["verdicts"][0]["by"]["name"] == "bob"
    case = done(data, "decide", "gpt-neo-1.3b", "activation", "--keep", "gelu", "--reason", "it says so")
    assert case["decided_by"]["name"] == "operator"
    for options, who in (((), "operator"), (("--as", "0000-0002-1825-0097"), "orcid-0000-0002-1825-0097")):
        number = str(done(data, "revisions")[-1]["number"])
        made = done(data, "revert", number, "--reason", "back", *options)
        assert made["author"].rsplit("/", 1)[-1] == who
    wrong = slmkg(data, "decide", "phi-2", "maker", "--none", "--reason", "x", agent="Not A Slug")
    assert (wrong.returncode, "SLMKG_AGENT" in wrong.stderr) == (2, True)


def test_a_file_is_what_rest_takes(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "proposal.json"
    file.write_text(json.dumps(EXAMPLE), encoding="utf-8")
    made = done(data, "propose", "--file", str(file), "--as", "ada")
    assert (made["title"], len(made["items"])) == (EXAMPLE["title"], 1)
    gone = done(data, "proposals", "withdraw", "1", "--reason", "a slip", "--as", "ada")
    assert gone["state"] == "withdrawn"


@pytest.mark.heavy
def test_all_disagreements_are_listed_and_the_open_ones_decided(data: Path) -> None:
    assert len(done(data, "disagreements")) >= 173
    waiting = done(data, "disagreements", "--open")
    assert len(waiting) == 15
    case = done(data, "decide", "gpt-neo-1.3b", "activation", "--keep", "gelu", "--reason", "it says so", "--as", "bob")
    assert (case["state"], case["rule"], case["decided_by"]["name"]) == ("settled", "manual", "bob")
    assert len(done(data, "disagreements", "--open")) == 14
    back = done(data, "decide", "gpt-neo-1.3b", "activation", "--rules", "--reason", "not sure", "--as", "bob")
    assert back["state"] == "open"
    text = slmkg(data, "disagreements", "--rule", "trust-rank", "--property", "attentionType").stdout
    assert text.splitlines()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("propose", "phi-2", "vocabularySize", "1", *NEW, "--as", "Not A Slug"), 2, "--as"),
        (("propose", "phi-2", "vocabularySize", "1", *NEW, "--as", "0000-0002-1825-0098"), 2, "check digit"),
        (("propose", "phi-2", "vocabularysise", "1", *NEW, "--as", "ada"), 2, "Did you mean 'vocabularySize'"),
        (
            ("propose", "phi-2", "vocabularySize", "Base = 110M, Large = 340M", *NEW, "--as", "ada"),
            2,
            "one value per item",
        ),
        (("propose", "--as", "ada"), 2, "--file"),
        (("propose", "--file", "no-such-file", "--as", "ada"), 2, "cannot be read"),
        (("proposals", "show", "7"), 1, "no proposal"),
        (("proposals", "review", "7", "--accept", "1", "--reject", "1", "--as", "bob"), 2, "at once"),
        (("claims", "phi-0", "maker"), 1, "no model"),
        (("decide", "phi-2", "maker", "--reason", "x", "--as", "bob"), 2, "exactly one choice"),
        (("decide", "gpt-neo-1.3b", "activation", "--keep", "swish", "--reason", "x", "--as", "bob"), 2, "'gelu_new'"),
        (("keys", "create", "Ada", "--scope", "propose", "--orcid", "0000-0002-1825-0098"), 2, "check digit"),
    ],
)
def test_mistakes_are_told_and_change_nothing(
    seed_folder: Path, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    os.environ.pop("SLMKG_AGENT", None)
    head = (seed_folder / "store" / "HEAD").read_text()
    run = slmkg(seed_folder, *arguments)
    assert (run.returncode, run.stdout) == (exit_code, "")
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert (seed_folder / "store" / "HEAD").read_text() == head
    assert not (seed_folder / "keys.json").exists()
