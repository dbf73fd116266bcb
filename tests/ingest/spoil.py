"""Puts one mistake into a copy of a data folder."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def spoil(path: Path, column: str, cell: str, *, record: int = 0) -> tuple[int, int]:
    """Write a cell into a record (counted from 0); return the line on which it begins, and the column's number."""
    text = path.read_text(encoding="utf-8")
    reader = csv.reader(io.StringIO(text, newline=""))
    header, *records = list(reader)
    records[record][header.index(column)] = cell
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(records[:record])
    line = written.getvalue().count("\n") + 1
    writer.writerows(records[record:])
    path.write_text(written.getvalue(), encoding="utf-8")
    return line, header.index(column) + 1


def first(path: Path, **wanted: str) -> int:
    """Number of the first record whose cells are these."""
    for number, row in enumerate(rows_of(path)):
        if all(row[column] == cell for column, cell in wanted.items()):
            return number
    raise LookupError(f"{path.name} has no record with {wanted}")


def first_with(path: Path, column: str) -> int:
    """Number of the first record that has something in this column."""
    return next(number for number, row in enumerate(rows_of(path)) if row[column])
