"""What changed since the release before, cell by cell. Never writes.

The wide tables of the two releases are compared, so that the account can be given when the older revision is gone. What
the difference of the revisions knows besides is added where it is to be had: reasons, and values of single layers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace

from app.compare.diff import CellChange, Diff, Kind
from app.compare.export import BETWEEN, cell_text, plain_text, status
from app.compare.values import Cell

_FIRST = ("model", "label")
"""What is told first of a model."""
_STATUS = ".status"
_MISSING = "missing"
_SHOWN = 500
"""Changes that the account for people lists; the table has all."""

_WIDE = frozenset({Kind.ADDED, Kind.REMOVED, Kind.CHANGED, Kind.STATUS})
"""What the tables show. The same answer with other evidence is no change of a value."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One cell with another value or another status than before. A model that came or went has a cell `model`.

    `layers` are first and last of the layers that it is about, if not all; `revisions` those that bear on it.
    """

    model: str
    property: str
    layers: str
    old: str
    new: str
    old_status: str
    new_status: str
    why: str = ""
    revisions: str = ""


def changes(before: bytes, after: bytes, known: Diff | None = None) -> tuple[Changed, ...]:
    """The differences between two wide tables in CSV, by model and property, with what is known besides."""
    cells = {(one.model, one.property.name, _layers(one)): one for one in known.cells} if known else {}
    found = [_explained(one, cells.get((one.model, one.property, ""))) for one in _between(before, after)]
    found += [_of_layers(one) for one in cells.values() if one.layers is not None and one.kind in _WIDE]
    return tuple(sorted(found, key=lambda one: (one.model, *_place(one.property), one.layers)))


def _place(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name


def _between(before: bytes, after: bytes) -> list[Changed]:
    old, new = _cells(before), _cells(after)
    found: list[Changed] = []
    for model in sorted(old.keys() | new.keys()):
        was, now = old.get(model, {}), new.get(model, {})
        if not was or not now:
            gone = ("", _MISSING)
            there = (model, "listed")
            found.append(_changed(model, "model", there if was else gone, there if now else gone))
        for name in sorted(was.keys() | now.keys()):
            one, other = was.get(name, ("", _MISSING)), now.get(name, ("", _MISSING))
            if _plain(one) != _plain(other):
                found.append(_changed(model, name, one, other))
    return found


def _explained(one: Changed, known: CellChange | None) -> Changed:
    """A change with its reason: the decision behind the new value, or the reasons of the revisions that bear on it."""
    return one if known is None else replace(one, why=_why(known), revisions=_revisions(known))


def _of_layers(one: CellChange) -> Changed:
    return Changed(
        model=one.model,
        property=one.property.name,
        layers=_layers(one),
        old=_values(one.old),
        new=_values(one.new),
        old_status=status(one.old),
        new_status=status(one.new),
        why=_why(one),
        revisions=_revisions(one),
    )


def _why(one: CellChange) -> str:
    decision = one.decision
    if decision is not None:
        told = f"{decision.rule}, {decision.by.label}"
        return f"{told}: {decision.note}" if decision.note else told
    return BETWEEN.join(dict.fromkeys(step.revision.reason for step in one.steps))


def _revisions(one: CellChange) -> str:
    return BETWEEN.join(str(step.revision.number) for step in one.steps)


def _layers(one: CellChange) -> str:
    return "" if one.layers is None else f"{one.layers[0]}-{one.layers[1]}"


def _values(cell: Cell) -> str:
    return BETWEEN.join(plain_text(value.plain) for value in cell.values)


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
            name = f"{one.property}, layers {one.layers}" if one.layers else one.property
            lines.append(f"| {one.model} | {name} | {before} | {now} | {_one_line(one.why)} |")
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


def _changed(model: str, name: str, old: tuple[str, str], new: tuple[str, str]) -> Changed:
    return Changed(model, name, "", old[0], new[0], old[1], new[1])


def _plain(cell: tuple[str, str]) -> tuple[str, str]:
    """A cell as it is compared: a property that is new in the ontology changes nothing while it has no value."""
    value, state = cell
    return (value, _MISSING) if state == f"{_MISSING}: not-looked-for" else (value, state)


def _told(value: str, state: str) -> str:
    return _one_line(f"{value} ({state})" if value else state)


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
