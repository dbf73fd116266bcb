"""Nothing that can be set, called, asked, answered or broken is missing from the reference.

The pages are generated. These tests do not trust the generators: they look at the program another way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from typer.core import TyperArgument, TyperGroup

from app import logs, vocab
from app.cli import app as command_line
from app.outcomes import OUTCOMES
from app.settings import Settings
from app.web.problems import WEB_OUTCOMES
from tests.project.checkout import ROOT, files, text
from tests.web.conftest import Client, client

__all__ = ["client"]

SCRIPTS = sorted((ROOT / "scripts").glob("build_*.py"))


def commands(group: TyperGroup, before: str = "slmkg") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        whole = f"{before} {name}"
        if isinstance(command, TyperGroup):
            yield from commands(command, whole)
        else:
            yield whole, command


def sections(page: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    return {part.partition("\n")[0]: part for part in text(page).split("\n## ")[1:]}


def test_every_option_of_every_command_is_documented() -> None:
    root = typer.main.get_command(command_line)
    assert isinstance(root, TyperGroup)
    said = sections("docs/reference/commands.md")
    found = dict(commands(root))
    assert len(found) > 50
    missing = []
    for name, command in found.items():
        for parameter in command.params:
            names = [parameter.metavar or parameter.name] if isinstance(parameter, TyperArgument) else parameter.opts
            missing += [f"{name} {one}" for one in names if one.upper() not in said.get(name, "").upper()]
            if not parameter.help:
                missing.append(f"{name} {names[0]}: no words")
    assert missing == []


def test_every_setting_is_documented_with_its_default() -> None:
    page = text("docs/reference/settings.md")
    wrong = []
    for name, field in Settings.model_fields.items():
        line = next((one for one in page.splitlines() if one.startswith(f"| `SLMKG_{name.upper()}` |")), "")
        default = "none" if field.default is None else f"`{field.default}`"
        if default not in line or (field.description or "?") not in line.replace("\\|", "|"):
            wrong.append(name)
    assert wrong == []


def test_every_setting_that_a_page_names_exists() -> None:
    known = {f"SLMKG_{name.upper()}" for name in Settings.model_fields}
    # read by the command line alone, by a worker, or by the proxy of docs/deploy
    known |= {"SLMKG_DEBUG", "SLMKG_SITE", "SLMKG_WORKER_KEY"}
    named = {
        (path.name, one)
        for path in files(".md", under="docs")
        for one in re.findall(r"\bSLMKG_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    begun = {one for one in named if any(name.startswith(one[1] + "_") for name in known)}
    assert {one for one in named - begun if one[1] not in known} == set()


def test_every_route_and_parameter_is_documented(client: Client) -> None:
    assert isinstance(client.app, FastAPI)
    said = sections("docs/reference/api.md")
    document = client.json("/openapi.json")
    missing = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            section = said.get(f"{method.upper()} {path}")
            if section is None:
                missing.append(f"{method} {path}")
                continue
            names = [f"`{one['name']}`" for one in operation.get("parameters", [])]
            missing += [f"{method} {path} {one}" for one in [*names, *operation["responses"]] if one not in section]
    assert missing == []
    assert len(document["paths"]) > 40


@pytest.mark.parametrize("code", sorted({**OUTCOMES, **WEB_OUTCOMES}))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in text("docs/reference/errors.md") + text("docs/reference/api.md")


def test_every_metric_that_is_answered_is_documented(client: Client) -> None:
    client.get("/api/v1/models")
    names = re.findall(r"^# TYPE (\w+) ", client.get("/metrics").text, re.MULTILINE)
    page = text("docs/reference/metrics.md")
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_field_of_the_log_is_documented() -> None:
    page = text("docs/reference/log.md")
    assert [name for name in logs.FIELDS if f"| `{name}` |" not in page] == []


def test_every_shape_is_documented() -> None:
    known = {
        one
        for path in [*files(".ttl", under="shapes"), *files(".rq", under="shapes")]
        for one in re.findall(r"\b[CG]\d\d?\b", path.read_text(encoding="utf-8") + path.name)
    }
    page = text("docs/reference/shapes.md")
    assert len(known) > 50
    assert [one for one in sorted(known) if f"| {one} |" not in page] == []


def test_every_term_is_documented() -> None:
    own = set(re.findall(r"^slm:(\w+) ", text("ontology/slmkg.ttl"), re.MULTILINE))
    own |= {value.rsplit("#", 1)[1] for name, value in vars(vocab.slm).items() if not name.startswith("_")} - {""}
    page = text("docs/reference/ontology.md")
    assert len(own) > 200
    assert [name for name in sorted(own) if f"`{name}` |" not in page] == []


def test_every_concept_is_documented() -> None:
    page = text("docs/reference/ontology.md")
    missing = []
    with (ROOT / "ontology" / "schemes.tsv").open(encoding="utf-8") as handle:
        schemes = [row["scheme"] for row in csv.DictReader(handle, delimiter="\t")]
    assert {path.stem for path in files(".tsv", under="ontology/vocab")} == set(schemes)
    for scheme in schemes:
        for line in text(f"ontology/vocab/{scheme}.tsv").splitlines()[1:]:
            notation = line.split("\t")[0]
            if f"| `{notation}` |" not in page:
                missing.append(f"{scheme}: {notation}")
    assert missing == []


def test_every_generator_has_a_check() -> None:
    """`make lint` runs them all; the one of the README asks a running service."""
    assert [path.name for path in SCRIPTS if '"--check"' not in path.read_text(encoding="utf-8")] == []
