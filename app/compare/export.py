"""Tables as files: CSV (RFC 4180) that a spreadsheet cannot run, Markdown, LaTeX, Parquet. Never writes to disk."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from app.compare.grid import Grid, GridColumn
from app.compare.values import Cell, Plain, Status

BETWEEN = "; "
"""Stands between the values of a cell that has several."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def to_csv(grid: Grid) -> bytes:
    """The table with a header. A text that a spreadsheet could take for a formula gets an apostrophe before it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([cell_text(one.name) for one in grid.columns])
    writer.writerows([[cell_text(value) for value in row] for row in grid.rows])
    return out.getvalue().encode()


def to_markdown(grid: Grid) -> bytes:
    """The table as GitHub's Markdown, notes below it."""
    head = [_markdown(_headed(one)) for one in grid.columns]
    ruler = ["---:" if one.kind == "number" else "---" for one in grid.columns]
    body = [[_markdown(text_of(value)) for value in row] for row in grid.rows]
    lines = [f"| {' | '.join(line)} |" for line in (head, ruler, *body)]
    notes = [f"\n{note}" for note in grid.notes]
    return ("\n".join([*lines, *notes]) + "\n").encode()


def to_tex(grid: Grid) -> bytes:
    """The table as a LaTeX tabular with rules of the package booktabs; notes as comments above it."""
    align = "".join("r" if one.kind == "number" else "l" for one in grid.columns)
    head = " & ".join(_tex(_headed(one)) for one in grid.columns)
    body = [" & ".join(_tex(text_of(value)) for value in row) + r" \\" for row in grid.rows]
    notes = [f"% {' '.join(note.split())}" for note in (grid.title, *grid.notes)]
    lines = [*notes, rf"\begin{{tabular}}{{{align}}}", r"\toprule", head + r" \\", r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""]).encode()


def to_parquet(grid: Grid) -> bytes:
    """The table as Parquet: numbers as 64-bit floats, truth values, everything else as text."""
    series = [
        pl.Series(one.name, [_column_value(one, row[place]) for row in grid.rows], dtype=_dtype(one))
        for place, one in enumerate(grid.columns)
    ]
    out = io.BytesIO()
    pl.DataFrame(series).write_parquet(out)
    return out.getvalue()


WRITERS: Mapping[str, Callable[[Grid], bytes]] = {
    "csv": to_csv,
    "md": to_markdown,
    "tex": to_tex,
    "parquet": to_parquet,
}


def plain_text(value: Plain) -> str:
    """A value as text: truth values in small letters, numbers without exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = Decimal(repr(value))
    return value if isinstance(value, str) else format(value, "f" if not isinstance(value, int) else "d")


def text_of(value: Any) -> str:
    """A cell as text: nothing for None, several values with semicolons between."""
    if value is None:
        return ""
    return BETWEEN.join(map(text_of, value)) if isinstance(value, list | tuple) else plain_text(value)


def status(cell: Cell) -> str:
    """A cell's status in words, with the reason of a missing value."""
    return f"{cell.status}: {cell.reason}" if cell.status is Status.MISSING and cell.reason else str(cell.status)


def cell_text(value: Any) -> str:
    """A value for a cell: a text that a spreadsheet could take for a formula begins with an apostrophe."""
    shown = text_of(value)
    is_text = not isinstance(value, int | float | Decimal)
    return f"'{shown}" if is_text and shown.startswith(_FORMULA_STARTS) else shown


def _headed(column: GridColumn) -> str:
    return f"{column.label} [{column.symbol}]" if column.symbol else column.label


def _markdown(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))


def _dtype(column: GridColumn) -> type[pl.DataType]:
    return {"number": pl.Float64, "truth": pl.Boolean}.get(column.kind, pl.String)


def _column_value(column: GridColumn, value: Any) -> Any:
    if column.kind == "number":
        return float(value) if isinstance(value, int | float | Decimal) else None
    if column.kind == "truth":
        return value
    return None if value is None else text_of(value)
