"""The reference pages agree with the code, and every link of every page leads somewhere."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import errors, outcomes
from app.cli import app as command_line
from app.ingest import cells
from app.model import graphs
from app.model.rdf import IRI
from app.settings import Settings
from tests.project.checkout import ROOT, files, text

SCRIPT = ROOT / "scripts" / "build_docs.py"
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")


def every_error(kind: type[errors.AppError] = errors.AppError) -> Iterator[type[errors.AppError]]:
    """The classes of `app.errors`, the root first."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every_error(child)


def test_generated_pages_are_current() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_error_has_one_outcome_and_every_outcome_an_error() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(outcomes.OUTCOMES)


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: kind.code)
def test_every_error_is_documented(kind: type[errors.AppError]) -> None:
    assert f'<a id="{kind.code}"></a>' in text("docs/reference/errors.md")
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("code", sorted(outcomes.OUTCOMES))
def test_every_outcome_fits(code: str) -> None:
    known = outcomes.outcome(code)
    assert 400 <= known.status < 600
    assert known.exit_code in {outcomes.EXIT_FAILURE, outcomes.EXIT_USAGE, outcomes.EXIT_VIOLATIONS}
    assert known.title
    assert not known.title.endswith(".")


def test_an_unknown_code_is_an_internal_error() -> None:
    assert outcomes.outcome("no-such-code") == outcomes.OUTCOMES["internal"]


def test_every_setting_is_documented_and_described() -> None:
    page = text("docs/reference/settings.md")
    for name, field in Settings.model_fields.items():
        assert f"`SLMKG_{name.upper()}`" in page
        assert field.description, name


def test_every_command_is_documented() -> None:
    page = text("docs/reference/commands.md")
    groups = [(f"{group.name} ", group.typer_instance) for group in command_line.registered_groups]
    names = [
        f"{before}{command.name}"
        for before, group in [("", command_line), *groups]
        if group is not None
        for command in group.registered_commands
    ]
    assert "keys create" in names
    assert [name for name in names if f"## slmkg {name}\n" not in page] == []


def test_every_link_leads_somewhere() -> None:
    broken = []
    for path in files(".md"):
        for target in _LINK.findall(path.read_text(encoding="utf-8")):
            if not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        todo += [
            (page.parent / target).resolve()
            for target in _LINK.findall(page.read_text(encoding="utf-8"))
            if target.endswith(".md")
        ]
    assert [path.relative_to(ROOT) for path in files(".md", under="docs") if path not in seen] == []


def test_every_decision_is_listed() -> None:
    page = text("docs/decisions/index.md")
    numbered = [path.name for path in files(".md", under="docs/decisions") if path.name != "index.md"]
    assert [name for name in numbered if f"({name})" not in page] == []


# ---- reading rules ----


def plain(number: cells.Number) -> tuple[str, str]:
    allows = "exact" if number.interval is None else f"{number.interval.lower:.0f} to {number.interval.upper:.0f}"
    return f"{number.value:.0f}", allows


READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "count": lambda cell: plain(cells.count(cell)),
    "sum": lambda cell: plain(cells.summed_count(cell)),
    "context length": lambda cell: plain(cells.context_length(cell)[0]),
    "nominal size": lambda cell: (cells.nominal_size(cell), "exact"),
    "month": lambda cell: (cells.month(cell), "exact"),
}


def examples() -> list[tuple[str, str, str, str]]:
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text("docs/reference/reading-rules.md"), re.MULTILINE
    )
    return [(cell, kind.strip(), value.strip(), allows.strip()) for cell, kind, value, allows in rows]


def test_the_reading_rules_have_examples_of_every_kind() -> None:
    assert {kind for _, kind, _, _ in examples()} == set(READERS)


@pytest.mark.parametrize(("cell", "kind", "value", "allows"), examples())
def test_the_reading_rules_say_what_the_code_does(cell: str, kind: str, value: str, allows: str) -> None:
    assert READERS[kind](cell) == (value, allows)


@pytest.mark.parametrize("cell", ["None", "-", "null", "nan", "n/a", "unknown", "UKN", ""])
def test_the_words_for_no_value(cell: str) -> None:
    assert cells.is_placeholder(cell)


# ---- data and graphs ----


@pytest.mark.parametrize("path", list(files(".csv", under="data")), ids=lambda path: path.name)
def test_every_table_and_column_is_described(path: Path) -> None:
    page = text("docs/reference/data-format.md")
    with path.open(encoding="utf-8", newline="") as handle:
        header = next(csv.reader(handle))
    assert path.name in page
    assert [column for column in header if f"`{column}`" not in page] == []


def test_every_listed_source_states_its_terms() -> None:
    with (ROOT / "data" / "sources.csv").open(encoding="utf-8", newline="") as handle:
        slugs = [row["slug"] for row in csv.DictReader(handle)]
    assert [slug for slug in slugs if f"`{slug}`" not in text("data/LICENSE.md")] == []


def test_every_graph_is_described() -> None:
    page = text("docs/reference/graphs.md")
    named = [
        value.value.rsplit("/graph/", 1)[1]
        for name, value in vars(graphs).items()
        if name.isupper() and isinstance(value, IRI)
    ]
    assert len(named) >= 8
    assert [name for name in named if f"| `{name}` |" not in page] == []
