"""The pinned mapping of one comparison: what its rows and columns are to us, as a person confirmed it once.

Rows are named by the identifiers of their predicates, columns by the identifier of their source; labels stand beside
them for people, and so that a row that got another name is noticed. A label alone never means anything. The file is
JSON that can be read, compared and edited by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.durable import write_durably
from app.errors import BadFile
from app.orkg.table import Place

FILE = "mapping.json"
LEFT_OUT = "-"
"""Means that a row or column is looked at and is nothing of ours."""
_BETWEEN = "/"


@dataclass(frozen=True, slots=True)
class RowMeaning:
    """What a row means: a property of ours, `property [unit]`, or `-`. `labels` are those of its predicates then."""

    path: str
    labels: str
    means: str
    by: str
    on: str


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """Which model a column is: its slug, or `-`. `label` is what the column was called then."""

    source: str
    label: str
    means: str
    by: str
    on: str


@dataclass(frozen=True, slots=True)
class Pinned:
    """The confirmed meanings, rows by their path as text and columns by their source."""

    rows: Mapping[str, RowMeaning] = field(default_factory=dict)
    columns: Mapping[str, ColumnMeaning] = field(default_factory=dict)

    def row(self, place: Place) -> RowMeaning | None:
        """What a row means, where somebody said it."""
        return self.rows.get(written(place))

    def column(self, source: str) -> ColumnMeaning | None:
        """Which model a column is, where somebody said it."""
        return self.columns.get(source)

    def with_rows(self, *meanings: RowMeaning) -> Pinned:
        """The same with these rows, in place of what was said of them before."""
        return replace(self, rows={**self.rows, **{one.path: one for one in meanings}})

    def with_columns(self, *meanings: ColumnMeaning) -> Pinned:
        """The same with these columns, in place of what was said of them before."""
        return replace(self, columns={**self.columns, **{one.source: one for one in meanings}})


@dataclass(frozen=True, slots=True)
class _File:
    rows: tuple[RowMeaning, ...] = ()
    columns: tuple[ColumnMeaning, ...] = ()


_FILE: TypeAdapter[_File] = TypeAdapter(_File)


def written(place: Place) -> str:
    """A path as text: P1/P2."""
    return _BETWEEN.join(place)


def place_of(text: str) -> Place:
    """A path from its text."""
    return tuple(text.split(_BETWEEN))


def read_pinned(folder: Path) -> Pinned:
    """The mapping of an archive's folder; an empty one where there is none yet. BadFile."""
    path = folder / FILE
    if not path.exists():
        return Pinned()
    try:
        found = _FILE.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(map(str, first["loc"]))
        raise BadFile(path, f"{place}: {first['msg']}", advice="Correct it, or remove it and map again.") from error
    for kind, keys in (("row", [one.path for one in found.rows]), ("column", [one.source for one in found.columns])):
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise BadFile(path, f"{kind} {min(twice)} stands in it twice", advice="Keep one of them.")
    return Pinned({one.path: one for one in found.rows}, {one.source: one for one in found.columns})


def write_pinned(folder: Path, pinned: Pinned) -> Path:
    """Write the mapping whole, sorted, for people; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    record = _FILE.dump_python(
        _File(
            tuple(pinned.rows[key] for key in sorted(pinned.rows)),
            tuple(pinned.columns[key] for key in sorted(pinned.columns)),
        ),
        mode="json",
    )
    write_durably(folder / FILE, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    return folder / FILE
