"""Cells, results and runs as JSON and back, exactly: the form of run files, of the queue and of the HTTP worker."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from app.errors import BadFile, BadValue
from app.measure.values import Cell, CellResult, Run

SCHEMA = "slmkg-run/1"
"""Name of the form of a run file; another number means another form."""

_CELL = TypeAdapter(Cell)
_RESULT = TypeAdapter(CellResult)
_RUN = TypeAdapter(Run)
_ADAPTERS: dict[type, TypeAdapter[Any]] = {Cell: _CELL, CellResult: _RESULT, Run: _RUN}
T = TypeVar("T", Cell, CellResult, Run)


def to_json(value: Cell | CellResult | Run) -> dict[str, Any]:
    """The value as JSON, with every member, so that a later default changes nothing that is written down."""
    record: dict[str, Any] = _ADAPTERS[type(value)].dump_python(value, mode="json")
    return record


def from_json(kind: type[T], record: Any) -> T:
    """The value that `to_json` gave; `BadValue` names the member that does not fit."""
    try:
        value: T = _ADAPTERS[kind].validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadValue(_pointer(first["loc"]), first["msg"]) from error
    return value


def key(cell: Cell) -> str:
    """Stable name of a cell: the same question has the same one (16 hexadecimal digits of a SHA-256)."""
    text = json.dumps(to_json(cell), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_text(run: Run) -> str:
    """A run file: one line of JSON for what all share, then one line for each result."""
    record = to_json(run)
    results = record.pop("results")
    lines = [{"schema": SCHEMA, **record}, *results]
    return "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)


def read_run(path: Path) -> Run:
    """The run in a file that `run_text` wrote; `BadFile` names the line and the member that does not fit."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadFile(path, "is no text in UTF-8", advice="Give a run file of `slmkg measure run --out`.") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read: {error.strerror}", advice="Check its name.") from error
    records = [_line(path, number, line) for number, line in enumerate(lines, start=1)]
    if not records or records[0].pop("schema", None) != SCHEMA:
        raise BadFile(path, "is no run file", line=1, advice=f'The first line must say "schema": "{SCHEMA}".')
    for number, record in enumerate(records[1:], start=2):
        _fits(path, number, CellResult, record)
    return _fits(path, 1, Run, {**records[0], "results": records[1:]})


def _fits(path: Path, number: int, kind: type[T], record: Any) -> T:
    try:
        return from_json(kind, record)
    except BadValue as error:
        raise BadFile(path, error.message, line=number, advice="Export the run again; do not edit it.") from error


def _line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadFile(path, f"is not JSON: {error}", line=number) from error
    if not isinstance(record, dict):
        raise BadFile(path, "is no JSON object", line=number)
    return record


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join(f"/{part}" for part in place)
