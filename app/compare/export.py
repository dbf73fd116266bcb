"""Comparison tables as CSV (RFC 4180), safe to open in a spreadsheet. Never writes to disk."""

from __future__ import annotations

import csv
import io

from app.compare.values import Cell, CompareTable, Plain, Status

BETWEEN = "; "
"""Stands between the values of a property that has several."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(table: CompareTable) -> str:
    """One row per model: slug, label, and for each property a column of values and a column `<name>.status`.

    A status of a missing value names the reason (`missing: not-reported`). A text that a spreadsheet could take for
    a formula gets an apostrophe before it; numbers are left as they are.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    header = ["model", "label"]
    for one in table.properties:
        header += [one.name, f"{one.name}.status"]
    writer.writerow(header)
    for model in table.models:
        row = [cell_text(model.slug), cell_text(model.label)]
        for one in table.properties:
            cell = table.rows[model.slug][one.name]
            row += [_values(cell), status(cell)]
        writer.writerow(row)
    return out.getvalue()


def status(cell: Cell) -> str:
    """A cell's status in words, with the reason of a missing value."""
    return f"{cell.status}: {cell.reason}" if cell.status is Status.MISSING and cell.reason else str(cell.status)


def plain_text(value: Plain) -> str:
    """A value as text: truth values in small letters, numbers without exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format(value, "f" if not isinstance(value, int) else "d")


def _values(cell: Cell) -> str:
    if len(cell.values) == 1:
        return cell_text(cell.values[0].plain)
    return cell_text(BETWEEN.join(plain_text(value.plain) for value in cell.values))


def cell_text(value: Plain) -> str:
    """A value for a cell: a text that a spreadsheet could take for a formula begins with an apostrophe."""
    shown = plain_text(value)
    return f"'{shown}" if isinstance(value, str) and shown.startswith(_FORMULA_STARTS) else shown
