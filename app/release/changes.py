"""What changed in the wide table since the release before, cell by cell. Never writes.

The older side is the older release's own file, so that the account can be given when its revision is gone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields

from app.compare.export import cell_text

_STATUS = ".status"
_MISSING = "missing"
_SHOWN = 500
"""Changes that the account for people lists; the table has all."""

Why = Callable[[str, str], str]
"""Why a model's property has the value that it has, in words; empty where the graph does not say."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One cell with another value or another status than before. A model that came or went has a cell `model`."""

    model: str
    property: str
    old: str
    new: str
    old_status: str
    new_status: str
    why: str


def changes(before: bytes, after: bytes, why: Why) -> tuple[Changed, ...]:
    """The differences between two wide tables in CSV, by model and property."""
    old, new = _cells(before), _cells(after)
    found: list[Changed] = []
    for model in sorted(old.keys() | new.keys()):
        was, now = old.get(model, {}), new.get(model, {})
        if not was or not now:
            gone = ("", _MISSING)
            found.append(
                _changed(model, "model", (model, "listed") if was else gone, (model, "listed") if now else gone, "")
            )
        for name in sorted(was.keys() | now.keys()):
            one, other = was.get(name, ("", _MISSING)), now.get(name, ("", _MISSING))
            if _plain(one) != _plain(other):
                found.append(_changed(model, name, one, other, why(model, name) if now else ""))
    return tuple(found)


def to_csv(found: tuple[Changed, ...]) -> bytes:
    """The changes as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([field.name for field in fields(Changed)])
    writer.writerows([cell_text(str(part)) for part in astuple(one)] for one in found)
    return out.getvalue().encode("utf-8")


def markdown(found: tuple[Changed, ...], previous: str | None, reasons: tuple[tuple[int, str], ...]) -> str:
    """The changes for people. `reasons` are the revisions in between, with the reason that each was made for."""
    if previous is None:
        return "# Changes\n\nThis is the first release.\n"
    lines = ["# Changes", "", f"Since release {previous}.", ""]
    if reasons:
        lines += ["## Revisions", "", *(f"- {number}: {_one_line(reason)}" for number, reason in reasons), ""]
    lines += ["## Values", ""]
    if not found:
        lines += ["No value changed.", ""]
    else:
        lines += [f"{len(found)} cell{'' if len(found) == 1 else 's'} changed; `changes.csv` has them all.", ""]
        lines += ["| model | property | before | now | why |", "| --- | --- | --- | --- | --- |"]
        for one in found[:_SHOWN]:
            before, now = _told(one.old, one.old_status), _told(one.new, one.new_status)
            lines.append(f"| {one.model} | {one.property} | {before} | {now} | {_one_line(one.why)} |")
        lines.append("")
    return "\n".join(lines)


def _cells(table: bytes) -> dict[str, dict[str, tuple[str, str]]]:
    """Value and status of each cell, by model and property."""
    rows: list[Mapping[str, str]] = list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))
    return {
        row["model"]: {
            name.removesuffix(_STATUS): (row.get(name.removesuffix(_STATUS), ""), state)
            for name, state in row.items()
            if name.endswith(_STATUS)
        }
        | {"label": (row["label"], "listed")}
        for row in rows
    }


def _changed(model: str, name: str, old: tuple[str, str], new: tuple[str, str], why: str) -> Changed:
    return Changed(model, name, old[0], new[0], old[1], new[1], why)


def _plain(cell: tuple[str, str]) -> tuple[str, str]:
    """A cell as it is compared: a property that is new in the ontology changes nothing while it has no value."""
    value, state = cell
    return (value, _MISSING) if state == f"{_MISSING}: not-looked-for" else (value, state)


def _told(value: str, state: str) -> str:
    return _one_line(f"{value} ({state})" if value else state)


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
