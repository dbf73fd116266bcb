"""Commands about the history: diff, revert, blame."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.compare import audit as told
from app.compare.audit import Kind as Kinds
from app.compare.diff import CellChange, Diff, Kind, Step
from app.compare.export import BETWEEN, plain_text
from app.compare.moment import HEAD
from app.compare.values import Cell, Status
from app.errors import BadParameter
from app.settings import Settings

_LONGEST = 1_000
_WORDS = {
    Kind.ADDED: "added",
    Kind.REMOVED: "removed",
    Kind.CHANGED: "changed",
    Kind.STATUS: "with another standing",
    Kind.EVIDENCE: "with other evidence",
}

Revision = Annotated[int, typer.Argument(min=1, help="Number of the revision.")]


def diff(
    old: Annotated[
        str,
        typer.Argument(metavar="A", help="A number (0 is before the first), head, a day or moment, or a release."),
    ],
    new: Annotated[str, typer.Argument(metavar="B", help="What to compare with; it may be the older one.")] = HEAD,
    model: Annotated[str | None, typer.Option("--model", help="Slug of the only model to look at.")] = None,
    prop: Annotated[str | None, typer.Option("--property", help="The only property to look at.")] = None,
    quads: Annotated[bool, typer.Option("--quads", help="Print every triple that differs, as an RDF patch.")] = False,
    as_json: Json = False,
) -> None:
    """Print what differs between two revisions, cell by cell: old and new answer, and why."""
    if quads and (as_json or model or prop):
        raise BadParameter("--quads", "goes with no other option", advice="Leave the others out.")
    history = opened(Settings()).history
    one, other = (history.revision_of(text, parameter=name) for name, text in (("A", old), ("B", new)))
    if quads:
        sys.stdout.buffer.write(history.patch(one, other))
        return
    found = history.diff(one, other)
    cells = history.cells(found, model=model, prop=prop)
    if as_json:
        write_json(_as_json(found, cells))
        return
    for cell in cells:
        layers = f" layers {cell.layers[0]}-{cell.layers[1]}" if cell.layers else ""
        why = "; ".join(
            f"revision {step.revision.number}, {step.by.label}: {step.revision.reason}" for step in cell.steps
        )
        write(
            f"{cell.model}{layers}\t{cell.property.name}\t{cell.kind}\t{_answer(cell.old)}\t{_answer(cell.new)}\t{why}"
        )
    counted = ", ".join(f"{count} {_WORDS[kind]}" for kind, count in found.kinds.items() if count) or "none"
    console.print(
        f"revision {found.old} to {found.new}: cells {counted}; {len(found.sources)} sources and "
        f"{len(found.observations)} results came or went; +{found.added} -{found.removed} triples",
        markup=False,
        soft_wrap=True,
    )


def revert(
    number: Revision,
    reason: Annotated[str, typer.Option("--reason", help="Why; it becomes part of the history.")],
    to: Annotated[
        int | None, typer.Option("--to", min=1, help="Last revision to undo, where several are undone.")
    ] = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Undo a revision, or several, as a new one, or change nothing. Nothing of the history is lost."""
    if not reason.strip() or len(reason) > _LONGEST:
        raise BadParameter("--reason", f"has not between 1 and {_LONGEST} characters", advice="Say why.")
    last = number if to is None else to
    settings = Settings()
    agent = acting(as_, settings)
    committed = opened(settings).revert_now(number, last, reason=reason.strip(), agent=agent)
    assert committed.revision is not None  # noqa: S101 - a revert that changes nothing is refused
    made = committed.revision
    if as_json:
        write_json(asdict(made))
    else:
        write(f"revision {made.number}: +{made.added} -{made.removed} triples")


def blame(
    model: Annotated[str, typer.Argument(help="Slug of the model, e.g. opt-125m.")],
    prop: Annotated[str, typer.Argument(metavar="PROPERTY", help="Name of the property, e.g. numLayers.")],
    revision: Annotated[int | None, typer.Option("--revision", min=1, help="Look at the cell as it was then.")] = None,
    as_json: Json = False,
) -> None:
    """Print which revision, author and reason put each value, claim and decision into a cell, newest first."""
    found = opened(Settings()).history.blame(model, prop, revision=revision)
    if as_json:
        parts = [asdict(one) for one in found.parts]
        write_json(
            {"revision": found.revision, "model": found.model.slug, "property": found.property.name, "parts": parts}
        )
        return
    for part in found.parts:
        made = part.step.revision
        layers = f" layers {part.layers[0]}-{part.layers[1]}" if part.layers else ""
        said = "" if part.value is None else plain_text(part.value)
        write(
            f"{made.number}\t{made.made_at:%Y-%m-%d %H:%M}\t{part.step.by.label}\t{part.kind}{layers}\t{said}\t"
            f"{part.source or part.note or ''}\t{made.reason}"
        )
    if not found.parts:
        console.print("nobody said anything about this yet")


def audit(
    agent: Annotated[str | None, typer.Option("--agent", help="Whose steps: ORCID iD, IRI or its last part.")] = None,
    kind: Annotated[Kinds | None, typer.Option("--kind", help="Which kind of step.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From this day or moment (with its zone) on.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many steps.")] = 100,
    as_json: Json = False,
) -> None:
    """Print who changed the graph, when, with which key, by what kind of step and why, newest first."""
    store = opened(Settings()).store
    head = store.head().number
    found = told.revisions(store, told.chosen(agent, kind, since), revision=head)
    entries = told.audit(store, found[:limit], revision=head)
    if as_json:
        write_json([asdict(one) for one in entries])
        return
    for one in entries:
        made = one.revision
        by = f"{one.by.name} ({one.by.orcid})" if one.by.orcid else one.by.name
        write(f"{made.number}\t{made.made_at:%Y-%m-%d %H:%M}\t{one.kind}\t{by}\t{one.key or ''}\t{made.reason}")
    if len(found) > limit:
        console.print(f"{len(found) - limit} older step(s) are not shown: --limit")


def _answer(cell: Cell) -> str:
    """What a cell says on one line, with its standing unless it is accepted."""
    if cell.status is Status.MISSING:
        return f"({cell.reason})"
    said = BETWEEN.join(plain_text(value.plain) for value in cell.values or cell.candidates)
    return said if cell.status is Status.ACCEPTED else f"{said} ({cell.status})"


def _as_json(found: Diff, cells: tuple[CellChange, ...]) -> dict[str, object]:
    def step(one: Step) -> dict[str, object]:
        made = one.revision
        return {"revision": made.number, "made_at": made.made_at, "author": asdict(one.by), "reason": made.reason}

    def cell(one: CellChange) -> dict[str, object]:
        whole = asdict(one) | {"property": one.property.name, "why": [step(each) for each in one.steps]}
        whole.pop("steps")
        return whole

    return {
        "old": found.old,
        "new": found.new,
        "cells": {kind.value: count for kind, count in found.kinds.items()},
        "items": [cell(one) for one in cells],
        "sources": [asdict(one) for one in found.sources],
        "observations": [asdict(one) for one in found.observations],
        "graphs": [asdict(one) for one in found.graphs],
    }
