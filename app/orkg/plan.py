"""The three-way plan: what the ORKG said at the last pull, what it says now, and what we hold, cell by cell. Pure.

A cell is one column below one row. Where both sides say the same there is nothing to do; where only one side moved
since the last pull, the other may follow: theirs through proposals and review, ours through a push. Where both moved,
or where our own sources are at odds, it is a conflict, and neither side is overwritten.

    last pull   now     ours      state
    x           x       x         same
    x           y       x         theirs-changed
    x           x       y         ours-changed
    x           y       z         conflict          (also: ours is disputed)
    .           x       .         missing-here
    .           .       x         missing-there
    x           .       any       withdrawn-there
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from app.orkg.intent import is_ours
from app.orkg.table import Place, Table
from app.orkg.values import Method, Ref


class State(StrEnum):
    """How the three sides of a cell stand to each other."""

    SAME = "same"
    THEIRS_CHANGED = "theirs-changed"
    OURS_CHANGED = "ours-changed"
    CONFLICT = "conflict"
    MISSING_HERE = "missing-here"
    MISSING_THERE = "missing-there"
    WITHDRAWN_THERE = "withdrawn-there"
    QUESTION = "question"
    """Nobody has said yet which model the column is, or the value cannot be read."""
    UNMAPPED = "unmapped"
    """Nobody has said yet what the row means."""
    LEFT_OUT = "left-out"
    """Somebody said that the row or the column is nothing of ours."""


MEANING: Mapping[State, str] = {
    State.SAME: "both sides say the same",
    State.THEIRS_CHANGED: "the ORKG changed since the last pull; pull, and review what is proposed",
    State.OURS_CHANGED: "we hold another value than the ORKG; a push brings it into a contribution of our own",
    State.CONFLICT: "both sides changed, or our sources are at odds; decide here, nothing is overwritten",
    State.MISSING_HERE: "the ORKG has a value, we have none; pull, and review what is proposed",
    State.MISSING_THERE: "we hold a value, the ORKG has none; a push brings it there",
    State.WITHDRAWN_THERE: "the ORKG had a value at the last pull and has none now",
    State.QUESTION: "the column or the value has to be settled by a person first",
    State.UNMAPPED: "nobody has said yet what the row means: `slmkg orkg map`",
    State.LEFT_OUT: "somebody said that the row or the column is nothing of ours",
}
"""What each state says to a curator."""


@dataclass(frozen=True, slots=True)
class OurValue:
    """A value that we hold, as it would stand in the ORKG: a literal, or a thing that has one of our IRIs."""

    label: str
    datatype: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class OurCell:
    """What we hold on one question, and how it came to be. `claims` are the IRIs of the claims behind the values.

    Only accepted values are values here: what is `disputed` has candidates, what is `proposed` or `missing` has none.
    """

    status: str
    values: tuple[OurValue, ...] = ()
    candidates: tuple[str, ...] = ()
    method: Method = Method.UNKNOWN
    claims: tuple[str, ...] = ()

    @property
    def disputed(self) -> bool:
        """Whether our sources are at odds and nobody has decided."""
        return self.status == "disputed"


NOTHING = OurCell("missing")


@dataclass(frozen=True, slots=True)
class OurModel:
    """A model of ours with its cells by property. `papers` are addresses of documents that describe it."""

    slug: str
    iri: str
    label: str
    cells: Mapping[str, OurCell] = field(default_factory=dict)
    papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One cell of the plan. `value` members are references of the ORKG; `ours` are texts for people."""

    column: str
    column_label: str
    path: Place
    row_label: str
    model: str | None
    property: str | None
    base: tuple[Ref, ...]
    theirs: tuple[Ref, ...]
    ours: OurCell
    state: State
    why: str = ""

    def key(self) -> tuple[str, Place]:
        """The column and the row."""
        return self.column, self.path


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells of a comparison with their states. `pulled` is when the last pull was; `comparison` is the head.

    `missing` are models of ours that no column is about; `own` are columns that we made, which are no part of the plan.
    """

    base: str
    comparison: str
    title: str
    pulled: str
    version: str
    lines: tuple[Line, ...]
    missing: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many cells are in each state."""
        found = Counter(line.state for line in self.lines)
        return {state.value: found[state] for state in State}

    def of(self, *states: State) -> tuple[Line, ...]:
        """The cells in these states."""
        return tuple(line for line in self.lines if line.state in states)

    @property
    def moved(self) -> bool:
        """Whether a cell of the ORKG is not as it was at the last pull."""
        return any(not _same_refs(line.base, line.theirs) for line in self.lines)


Agrees: TypeAlias = Callable[[str, str, tuple[Ref, ...]], bool | None]
"""Whether the values of a cell of a model and property say what we hold: None where they cannot be read."""


@dataclass(frozen=True, slots=True)
class Meanings:
    """What people confirmed: models by column, properties by row, and what takes no part in a plan.

    Those are columns and rows that are nothing of ours, and rows with a reason of their own.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[Place, str] = field(default_factory=dict)
    left_columns: frozenset[str] = frozenset()
    left_rows: Mapping[Place, str] = field(default_factory=dict)


def plan(
    base: Table,
    now: Table,
    *,
    at: tuple[str, str],
    meanings: Meanings,
    ours: Mapping[str, OurModel],
    agrees: Agrees,
    is_blank: Callable[[Ref], bool] = lambda _: False,
) -> Plan:
    """Compare the last pull, the table as it is now, and what we hold.

    `at` is the address of the ORKG and the time of the last pull. `ours` is what we hold by slug; `is_blank` tells of a
    value that says in words that there is none.
    """
    then, there = _cells(base, is_blank), _cells(now, is_blank)
    columns = {one.source: one for one in (*base.columns, *now.columns)}
    places = {**base.places, **now.places}
    lines = []
    for source, column in columns.items():
        if is_ours(column.uri):
            continue
        model = ours.get(meanings.models.get(source, ""))
        for place, chain in places.items():
            name = meanings.properties.get(place)
            line = Line(
                column.source,
                column.label,
                place,
                " / ".join(path.label for path in chain),
                None if model is None else model.slug,
                name,
                then.get((source, place), ()),
                there.get((source, place), ()),
                NOTHING if model is None or name is None else model.cells.get(name, NOTHING),
                State.SAME,
            )
            if line.base or line.theirs or line.ours.values:
                left = source in meanings.left_columns or place in meanings.left_rows
                state, why = (State.LEFT_OUT, meanings.left_rows.get(place, "")) if left else _state(line, agrees)
                lines.append(replace(line, state=state, why=why))
    covered = {meanings.models[source] for source in columns if source in meanings.models}
    return Plan(
        base=at[0],
        comparison=now.head,
        title=now.title,
        pulled=at[1],
        version=base.version,
        lines=tuple(lines),
        missing=tuple(sorted(slug for slug in ours if slug not in covered)),
        own=tuple(one.source for one in columns.values() if is_ours(one.uri)),
    )


def as_json(found: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    return {
        "orkg": found.base,
        "comparison": found.comparison,
        "title": found.title,
        "version": found.version,
        "pulled": found.pulled,
        "counts": found.counts,
        "cells": [line_json(line) for line in found.lines],
        "models_without_column": list(found.missing),
        "own_columns": list(found.own),
    }


def line_json(line: Line) -> dict[str, Any]:
    """One cell as plain data."""
    return {
        "column": {"id": line.column, "label": line.column_label},
        "row": {"path": list(line.path), "label": line.row_label},
        "model": line.model,
        "property": line.property,
        "last_pull": [ref_json(one) for one in line.base],
        "theirs": [ref_json(one) for one in line.theirs],
        "ours": {
            "status": line.ours.status,
            "values": [{"label": one.label, "datatype": one.datatype, "iri": one.uri} for one in line.ours.values],
            "candidates": list(line.ours.candidates),
        },
        "state": line.state.value,
        "why": line.why or MEANING[line.state],
    }


def ref_json(ref: Ref) -> dict[str, Any]:
    """A value of the ORKG as plain data."""
    return {"label": ref.label, "datatype": ref.datatype, "id": ref.id}


def _state(line: Line, agrees: Agrees) -> tuple[State, str]:
    """The state of a cell in which some side has a value, and what is to be said of it besides."""
    if line.property is None:
        return State.UNMAPPED, ""
    if line.model is None:
        return State.QUESTION, "nobody has said which model this column is"
    if not line.theirs:
        return (State.WITHDRAWN_THERE if line.base else State.MISSING_THERE), ""
    agreement = agrees(line.model, line.property, line.theirs)
    if agreement is None:
        return State.QUESTION, "the value there cannot be read as one of ours"
    if agreement:
        return State.SAME, ""
    return _difference(line, agrees(line.model, line.property, line.base) if line.base else False)


def _difference(line: Line, was_ours: bool | None) -> tuple[State, str]:
    """The state of a cell that says something else than we do; `was_ours`: at the last pull it said what we say."""
    if line.ours.disputed:
        return State.CONFLICT, f"our sources are at odds: {', '.join(line.ours.candidates)}"
    if not line.ours.values:
        return State.MISSING_HERE, ""
    if _same_refs(line.base, line.theirs):
        return State.OURS_CHANGED, ""
    return (State.THEIRS_CHANGED, "") if was_ours else (State.CONFLICT, "both sides changed since the last pull")


def _cells(table: Table, is_blank: Callable[[Ref], bool]) -> dict[tuple[str, Place], tuple[Ref, ...]]:
    found: dict[tuple[str, Place], list[Ref]] = defaultdict(list)
    for cell in table.cells:
        if not is_blank(cell.value):
            found[cell.column, cell.path].append(cell.value)
    return {key: tuple(sorted(refs, key=lambda one: (one.label, one.id or ""))) for key, refs in found.items()}


def _same_refs(one: Iterable[Ref], other: Iterable[Ref]) -> bool:
    """Whether two cells hold the same, whatever is recorded of their things besides identifier and label."""

    def known(refs: Iterable[Ref]) -> list[tuple[str, str, str]]:
        return sorted((ref.id or "", ref.label, ref.datatype or "") for ref in refs)

    return known(one) == known(other)
