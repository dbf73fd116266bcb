"""The pages of the history: the list of revisions, and one revision with the cells that it changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from app.compare.diff import CellChange, Kind
from app.compare.export import BETWEEN, plain_text
from app.compare.values import Cell, Status, Value
from app.errors import StoreEmpty
from app.model.changes import Revision
from app.services import Services
from app.web import case_pages, revisions
from app.web.caching import Use
from app.web.pages import add, page

_ON_A_PAGE = 20
_CELLS_ON_A_PAGE = 200
_GRAPH_NAMES = {
    "curated": "accepted facts",
    "decisions": "decisions and standing of claims",
    "history": "record of revisions",
    "inferred": "values that were worked out",
    "meta": "sources",
    "ontology": "terms",
    "proposals": "proposals",
    "registry": "things and their names",
    "source": "what sources say",
    "vocab": "concepts and units",
}
KINDS = {
    Kind.ADDED: "added",
    Kind.CHANGED: "changed",
    Kind.REMOVED: "removed",
    Kind.STATUS: "with another standing",
    Kind.EVIDENCE: "with other evidence",
}


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    add(app, ("GET", "/revisions", listed), ("GET", "/revisions/{number}", one))


def listed(services: Use, before: Annotated[int | None, Query(ge=2, le=10**9)] = None) -> Response:
    """Who changed the graph, when and why; the newest first."""
    try:
        newest = services.store.head().number
    except StoreEmpty:
        newest = 0
    end = newest + 1 if before is None else min(before, newest + 1)
    numbers = range(end - 1, max(end - 1 - _ON_A_PAGE, 0), -1)
    return page(
        "revisions.html",
        summaries=[services.history.summary(number) for number in numbers],
        kinds=KINDS,
        older=numbers[-1] if numbers and numbers[-1] > 1 else None,
        newer=before is not None,
        newest=newest,
    )


def one(
    services: Use,
    number: Annotated[int, Path(ge=1, le=10**9)],
    at: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """One revision: who, when, why, how much, and each cell with its old and new answer."""
    newest = revisions.existing(services, None)
    revisions.existing(services, number)
    found = services.history.diff(number - 1, number)
    start = (at - 1) * _CELLS_ON_A_PAGE
    (step,) = found.steps
    rows = [_row(cell) for cell in found.cells[start : start + _CELLS_ON_A_PAGE]]
    return page(
        "revision.html",
        step=step,
        found=found,
        kinds=KINDS,
        graphs=[(_GRAPH_NAMES.get(count.graph, count.graph), count) for count in found.graphs],
        rows=rows,
        decided=any(row["decision"] for row in rows),
        total=len(found.cells),
        start=start,
        page=at,
        pages=max(1, -(-len(found.cells) // _CELLS_ON_A_PAGE)),
        newest=newest,
        sources=found.sources[:50],
        revision=_revision(services, number),
    )


def _revision(services: Services, number: int) -> Revision:
    return next(revision for revision in services.store.revisions() if revision.number == number)


def _row(cell: CellChange) -> dict[str, object]:
    """A cell for the table: words only."""
    unit = cell.property.unit.symbol if cell.property.unit and cell.property.unit.symbol != "#" else ""
    decision = ""
    if cell.decision is not None and cell.kind is not Kind.REMOVED:
        who = cell.decision.by.label if cell.decision.rule == "manual" else f"rule {cell.decision.rule}"
        decision = f"{who}: {cell.decision.note}" if cell.decision.note else who
    layers = f"layers {cell.layers[0]} to {cell.layers[1]}" if cell.layers else ""
    return {
        "label": cell.label,
        "model": cell.model,
        "layers": layers,
        "property": cell.property.label,
        "case": case_pages.address(cell.model, cell.property.name)
        if cell.property.kind == "claimed" and not cell.layers
        else None,
        "kind": KINDS[cell.kind],
        "old": _answer(cell.old, unit),
        "new": _answer(cell.new, unit),
        "decision": decision,
    }


def _answer(cell: Cell, unit: str) -> dict[str, str]:
    """What a cell says, in words, and its standing."""
    if cell.status is Status.MISSING:
        return {"text": "", "status": (cell.reason or "missing").replace("-", " ")}
    if cell.values:
        text = BETWEEN.join(_shown(value) for value in cell.values)
        return {"text": f"{text} {unit}".strip(), "status": cell.status.value}
    return {"text": " or ".join(_shown(value) for value in cell.candidates), "status": cell.status.value}


def _shown(value: Value) -> str:
    if value.thing is not None:
        return value.thing.label
    return (
        f"{value.plain:,}"
        if isinstance(value.plain, int) and not isinstance(value.plain, bool)
        else plain_text(value.plain)
    )
