"""Bytes of a table (CSV, TSV, or a workbook) to rows of cells. Knows encodings and limits, nothing of what cells mean.

Formulas are never worked out, and what a spreadsheet made of a cell (a date, an error) is kept visible. Workbooks need
the extra `tables`.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import html
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import BadFile

MAX_BYTES = 20_000_000
MAX_ROWS = 100_000
MAX_COLUMNS = 500
MAX_CELL = 32_767
MAX_UNPACKED = 100_000_000
"""Bytes of a workbook when unpacked: more is a bomb, or nothing to be read on the way."""
MEDIA_TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = {"csv": (",", ";", "\t"), "tsv": ("\t",)}
_R = rb"""<(?:\w+:)?(?:c|row)\s[^>]*?\br\s*=\s*["']([A-Z]{0,9})(\d{1,12})["']"""
_CELL = re.compile(_R)
_FORMULA = re.compile(_R + rb"[^>]*>\s*<(?:\w+:)?f[\s/>]")
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


class Made(StrEnum):
    """What a spreadsheet holds in a cell."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FORMULA = "formula"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's characters, and what a spreadsheet takes them for; in a CSV file all cells are text."""

    text: str
    made: Made = Made.TEXT


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `line` counts from 1 and is the line on which the row begins."""

    line: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its header's cells and its rows, as they stand."""

    name: str
    header: Record
    rows: tuple[Record, ...]


def form_of(name: str) -> str:
    """The format that a file's name tells: csv, tsv or xlsx; BadFile."""
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    form = {"csv": "csv", "txt": "csv", "tsv": "tsv", "tab": "tsv", "xlsx": "xlsx"}.get(ending)
    if form is None:
        raise BadFile(name, "is no table that is read here", advice="Save it as .csv, .tsv or .xlsx.")
    return form


def read_sheet(data: bytes, name: str, *, form: str, sheet: str | None = None) -> Sheet:
    """Read a table. `form` is csv, tsv or xlsx; `sheet` names one of a workbook (the first by default). BadFile."""
    if len(data) > MAX_BYTES:
        raise BadFile(name, f"is larger than {MAX_BYTES} bytes", advice="Split it.")
    rows = _workbook(data, name, sheet) if form == "xlsx" else _text_rows(data, name, form)
    header, *records = rows or [Record(1, ())]
    if not any(cell.text.strip() for cell in header.cells):
        raise BadFile(name, "has no header", line=header.line, advice="The first line names the columns.")
    if not records:
        raise BadFile(name, "has a header and no row", line=header.line, advice="Add a row.")
    return Sheet(name, header, tuple(records))


def _text_rows(data: bytes, name: str, form: str) -> list[Record]:
    text = decoded(data, name)
    delimiter = _delimiter(text, _DELIMITERS[form])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    csv.field_size_limit(MAX_BYTES)
    rows: list[Record] = []
    line = 1
    try:
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                _check_size(name, line, len(rows), cells)
                rows.append(Record(line, tuple(map(Cell, cells))))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadFile(name, f"is not CSV: {error}", line=line, advice="Quote cells as RFC 4180 says.") from error
    return rows


def _check_size(name: str, line: int, before: int, cells: list[str]) -> None:
    if before > MAX_ROWS:
        raise BadFile(name, f"has more than {MAX_ROWS} rows", line=line, advice="Split it.")
    if len(cells) > MAX_COLUMNS:
        raise BadFile(name, f"has more than {MAX_COLUMNS} columns", line=line, advice="Leave out what is not needed.")
    for column, cell in enumerate(cells, start=1):
        if len(cell) > MAX_CELL:
            raise BadFile(
                name,
                f"a cell has more than {MAX_CELL} characters",
                line=line,
                column=column,
                advice="Check the quotes.",
            )


def decoded(data: bytes, name: str) -> str:
    """The text of a file: UTF-8, with or without a mark, or UTF-16 or UTF-32 with one. BadFile for anything else."""
    encoding = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\x00" in data:
        raise BadFile(name, "holds null bytes: UTF-16 without a mark?", line=1, column=1, advice="Save it as UTF-8.")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        byte = data[error.start]
        if encoding not in {"utf-8", "utf-8-sig"}:
            raise BadFile(name, f"is not {encoding.upper()}", line=line, advice="Save it as UTF-8.") from error
        guess = bytes([byte]).decode("cp1252", errors="replace")
        raise BadFile(
            name,
            f"byte 0x{byte:02x} is not UTF-8; in Latin-1 or Windows-1252 it would be {guess!r}",
            line=line,
            column=len(before[start:].decode("utf-8", errors="replace")) + 1,
            advice="Save the file as UTF-8: in a spreadsheet, `CSV UTF-8`.",
        ) from error


def _delimiter(text: str, choices: tuple[str, ...]) -> str:
    """The mark between cells: the first choice that divides the first line."""
    first = next(io.StringIO(text), "")
    for choice in choices:
        if choice in first:
            return choice
    return choices[0]


def _workbook(data: bytes, name: str, sheet: str | None) -> list[Record]:
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra: only who reads workbooks needs it
    except ImportError as error:
        raise BadFile(
            name,
            "is a workbook, and what reads workbooks is not installed",
            advice="pip install 'slmkg[tables]', or save it as CSV.",
        ) from error
    content = _sheet_of(data, name, sheet)
    _check_reach(content, name)
    formulas = {(int(match[2]), _column(match[1].decode())) for match in _FORMULA.finditer(content)}
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            found = book.get_sheet_by_name(sheet) if sheet is not None else book.get_sheet_by_index(0)
            values = found.to_python(skip_empty_area=False)
    except calamine.CalamineError as error:
        raise BadFile(name, f"is no workbook: {error}", advice="Save it as .xlsx again, or as CSV.") from error
    rows: list[Record] = []
    for line, row in enumerate(values, start=1):
        cells = tuple(_made(value, (line, column) in formulas) for column, value in enumerate(row, start=1))
        if any(cell.text.strip() for cell in cells):
            _check_size(name, line, len(rows), [cell.text for cell in cells])
            rows.append(Record(line, cells))
    return rows


def _made(value: Any, formula: bool) -> Cell:
    """A workbook's value as characters."""
    if formula:
        return Cell(str(value), Made.FORMULA)
    if isinstance(value, bool):
        return Cell("true" if value else "false")
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return Cell(value.isoformat() if not isinstance(value, datetime.timedelta) else str(value), Made.DATE)
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return Cell(str(int(value)) if whole else repr(value), Made.NUMBER)
    return Cell(str(value))


def _sheet_of(data: bytes, name: str, sheet: str | None) -> bytes:
    """The XML of a sheet; BadFile for what unpacks to too much, or has no such sheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            if sum(part.file_size for part in book.infolist()) > MAX_UNPACKED:
                raise BadFile(name, f"unpacks to more than {MAX_UNPACKED} bytes", advice="Save the sheet as CSV.")
            sheets = [_attributes(tag) for tag in _SHEET.findall(book.read("xl/workbook.xml").decode(errors="replace"))]
            if sheet is not None and sheet not in [one.get("name") for one in sheets]:
                known = ", ".join(repr(one.get("name")) for one in sheets)
                raise BadFile(name, f"has no sheet {sheet!r}", advice=f"It has: {known}.")
            return book.read(_part_of(book, next(one for one in sheets if sheet in {None, one.get("name")})))
    except (zipfile.BadZipFile, zlib.error, LookupError, StopIteration, EOFError, NotImplementedError) as error:
        raise BadFile(name, "is no workbook (.xlsx)", advice="Save it as .xlsx again, or as CSV.") from error
    except RuntimeError as error:  # an encrypted part
        raise BadFile(name, "is encrypted", advice="Save it without a password, or as CSV.") from error


def _check_reach(content: bytes, name: str) -> None:
    """BadFile for a cell far out: the reader would make room for all cells before it."""
    if b"\x00" in content[:200]:
        raise BadFile(name, "is not written in UTF-8 inside", advice="Save it as .xlsx again, or as CSV.")
    for match in _CELL.finditer(content):
        if int(match[2]) > MAX_ROWS + 1 or _column(match[1].decode()) > MAX_COLUMNS:
            place = (match[1] + match[2]).decode()
            raise BadFile(
                name,
                f"has a cell {place}; more than {MAX_ROWS} rows or {MAX_COLUMNS} columns are not read",
                advice="Remove what stands far out, or split the sheet.",
            )


def _part_of(book: zipfile.ZipFile, sheet: dict[str, str]) -> str:
    """The file of a sheet in a workbook; LookupError where the workbook does not say."""
    identity = next((value for name, value in sheet.items() if name.endswith(":id")), "")
    relations = book.read("xl/_rels/workbook.xml.rels").decode(errors="replace")
    targets = {one["Id"]: one["Target"] for one in map(_attributes, _RELATION.findall(relations))}
    target = targets[identity].lstrip("/")
    return target if target.startswith("xl/") else f"xl/{target}"


def _attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(double or single) for name, double, single in _ATTRIBUTE.findall(tag)}


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
