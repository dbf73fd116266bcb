"""Reads CSV tables strictly: every mistake names file, line, column and what to do. Never guesses, never skips."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import BadFile


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table. `line` counts from 1 and is the line on which the record begins."""

    path: Path
    line: int
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        """The cell's characters, unchanged."""
        return self.cells[self.columns.index(column)]

    def required(self, column: str) -> str:
        """The cell's characters; BadFile when it is empty."""
        cell = self[column]
        if not cell.strip():
            raise self.error(column, "is empty", advice="Fill the cell, or remove the line.")
        return cell

    def error(self, column: str, problem: str, *, advice: str = "") -> BadFile:
        """An error about one cell, ready to raise."""
        return BadFile(
            self.path,
            problem,
            line=self.line,
            column=self.columns.index(column) + 1,
            field=column,
            advice=advice,
        )


def read_table(path: Path, columns: Sequence[str], *, unique: Sequence[str] = ()) -> list[Row]:
    """Read a UTF-8 CSV table with exactly these columns, in any order.

    `unique` names the columns that together may not repeat. Raises BadFile for a missing file, bytes that are not
    UTF-8, a missing, unknown or repeated column, a record with too few or too many cells, and a repeated key.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[Row] = []
    seen: dict[tuple[str, ...], int] = {}
    header: tuple[str, ...] | None = None
    line = 1
    try:
        for cells in reader:
            if header is None:
                header = _checked_header(path, cells, columns)
            elif cells:
                row = Row(path, line, header, tuple(cells))
                _check_width(row)
                _check_unique(row, unique, seen)
                rows.append(row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadFile(path, f"is not CSV: {error}", line=line, advice="Quote cells as RFC 4180 says.") from error
    if header is None:
        raise BadFile(path, "is empty", line=1, advice=f"It needs the columns: {', '.join(columns)}.")
    return rows


def read_text(path: Path) -> str:
    """Read a UTF-8 file; BadFile with the place of the first bad byte."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFile(path, f"cannot be read: {error.strerror}", advice="Check the path.") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]  # without a byte order mark, if there was one
        last_break = before.rfind(b"\n")
        raise BadFile(
            path,
            f"byte 0x{error.object[error.start]:02x} is not UTF-8",
            line=before.count(b"\n") + 1,
            column=len(before[last_break + 1 :].decode("utf-8", errors="replace")) + 1,
            advice="Save the file as UTF-8.",
        ) from error


def _checked_header(path: Path, found: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    for position, name in enumerate(found, start=1):
        if name not in wanted:
            close = difflib.get_close_matches(name, wanted, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known columns: {', '.join(wanted)}."
            raise BadFile(path, f"unknown column {name!r}", line=1, column=position, advice=hint)
        if name in found[: position - 1]:
            raise BadFile(path, f"column {name!r} stands twice", line=1, column=position, advice="Keep one of them.")
    for name in wanted:
        if name not in found:
            raise BadFile(
                path,
                f"column {name!r} is missing",
                line=1,
                advice=f"It needs the columns: {', '.join(wanted)}.",
            )
    return tuple(found)


def _check_width(row: Row) -> None:
    if len(row.cells) != len(row.columns):
        raise BadFile(
            row.path,
            f"has {len(row.cells)} cells, the header has {len(row.columns)}",
            line=row.line,
            column=min(len(row.cells), len(row.columns)) + 1,
            advice="Check for a missing or extra comma, or a cell that needs quotes.",
        )


def _check_unique(row: Row, unique: Sequence[str], seen: dict[tuple[str, ...], int]) -> None:
    if not unique:
        return
    key = tuple(row[column] for column in unique)
    if key in seen:
        raise row.error(
            unique[0],
            f"{' / '.join(key)} stands already in line {seen[key]}",
            advice="Remove one of the two lines, or merge them.",
        )
    seen[key] = row.line
