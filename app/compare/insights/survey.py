"""Reads what the survey itself says: insights, statements and figures as they stand in `data/`. Knows no graph."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from app.errors import BadFile
from app.ingest.tables import read_table, read_text

Record = Mapping[str, str]

_INSIGHTS = ("insight", "title", "claim", "source", "locator", "wording")
_STATEMENTS = (
    "insight",
    "key",
    "statement",
    "file",
    "locator",
    "model_as_printed",
    "measure",
    "models",
    "allowance",
)
_DIFFERENCES = ("insight", "key", "model", "surveyed", "found", "why")
_SUBSECTION = re.compile(r"(?:text of )?(\d(?:\.\d)+)")
_MEASURES = ("benchmark", "metric", "aspect")


@dataclass(frozen=True, slots=True)
class Printed:
    """One statement with the rows that print it; a statement on a whole figure has many.

    `models` are slugs of models or families that it speaks of; `allowance` is how far a number may be off.
    """

    key: str
    text: str
    allowance: str
    models: tuple[str, ...]
    rows: tuple[Record, ...] = field(repr=False)

    @property
    def value(self) -> str:
        """The characters of a statement that is printed once."""
        return self.rows[0]["value"]

    @property
    def source(self) -> str:
        """Slug of the source."""
        return self.rows[0]["source"]

    @property
    def locator(self) -> str:
        """Where it stands in the source, with the subsection that the row's note names."""
        place = self.rows[0]["locator"]
        found = _SUBSECTION.match(self.rows[0].get("note", ""))
        return f"Section {found[1]}" if found and place.startswith("Section") else place

    @property
    def slack(self) -> float:
        """The allowance as a number."""
        return float(self.allowance)


@dataclass(frozen=True, slots=True)
class Told:
    """One insight as the survey has it.

    `reasons` say why the shipped data differ from it: sentences by the key of a statement, or by that of what changes
    several statements at once.
    """

    slug: str
    title: str
    claim: str
    source: str
    locator: str
    wording: str
    statements: Mapping[str, Printed]
    reasons: Mapping[str, tuple[str, ...]]


@cache
def told(folder: Path) -> Mapping[str, Told]:
    """The survey's insights by slug, in their order; BadFile for a statement that no row prints."""
    statements: dict[str, dict[str, Printed]] = {}
    reasons = _reasons(folder / "survey" / "differences.csv")
    path = folder / "survey" / "statements.csv"
    for row in read_table(path, _STATEMENTS, unique=("insight", "key")):
        wanted = (row["locator"], row["model_as_printed"], row["measure"])
        rows = tuple(one for one in _records(folder / row["file"]) if _fits(one, *wanted))
        if not rows:
            raise row.error("locator", "no row of the file is meant", advice="Give the characters of the file.")
        statements.setdefault(row["insight"], {})[row["key"]] = Printed(
            row["key"], row["statement"], row["allowance"], tuple(row["models"].split()), rows
        )
    return {
        row["insight"]: Told(
            row["insight"],
            row["title"],
            row["claim"],
            row["source"],
            row["locator"],
            row["wording"],
            statements.get(row["insight"], {}),
            reasons.get(row["insight"], {}),
        )
        for row in read_table(folder / "survey" / "insights.csv", _INSIGHTS, unique=("insight",))
    }


def _reasons(path: Path) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Sentences on known differences, by insight and key; models that differ alike stand together."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in read_table(path, _DIFFERENCES):
        change = f"{row['surveyed']} in the survey, {row['found'] or 'no class'} in the graph: "
        why = f"{change if row['surveyed'] else ''}{row['why']}."
        found.setdefault(row["insight"], {}).setdefault(row["key"], {}).setdefault(why, []).append(row["model"])
    return {
        insight: {
            key: tuple(f"{', '.join(models)}: {why}" for why, models in each.items()) for key, each in by_key.items()
        }
        for insight, by_key in found.items()
    }


def _fits(row: Record, locator: str, model: str, measure: str) -> bool:
    """Whether a row is meant; an empty model or measure means all of the figure."""
    if row["locator"] != locator or (model and row["model_as_printed"] != model):
        return False
    return not measure or measure in {row[name] for name in _MEASURES if name in row}


@cache
def _records(path: Path) -> Sequence[Record]:
    try:
        return tuple(csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True))
    except csv.Error as error:
        raise BadFile(path, str(error)) from error
