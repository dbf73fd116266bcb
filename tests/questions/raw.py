"""The shipped tables as they are, so that an answer can be worked out a second time without the graph."""

from __future__ import annotations

import csv
from pathlib import Path

from app.resources import folder

Row = dict[str, str]


def table(name: str) -> list[Row]:
    """Rows of one file below data/."""
    with (folder("data") / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_model(name: str) -> dict[str, Row]:
    """Rows of a file that has one row for each model."""
    return {row["model"]: row for row in table(name)}


def in_scope() -> set[str]:
    """Slugs of the models that are no baselines."""
    return {row["slug"] for row in table("models.csv") if row["scope"] == "in"}


def counted_parameters() -> dict[str, int]:
    """Parameter counts that were computed outside this project, by slug."""
    slugs = {row["identifier"]: row["slug"] for row in table("models.csv")}
    return {
        slugs[row["model"]]: int(row["computed_parameters"])
        for row in table("reference/parameter-check.csv")
        if row["computed_parameters"]
    }


def rows_of(path: Path) -> list[Row]:
    """Rows of an expected answer."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def slug(iri: str) -> str:
    """The last part of an IRI."""
    return iri.rsplit("/", 1)[-1]
