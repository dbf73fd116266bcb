"""The state of a comparison as parts that can be compared later: what a push must find again as the plan found it.

Columns of ours, rows that were added since and cells that are meant to change are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from app.orkg.client import Orkg
from app.orkg.intent import is_ours, token_of
from app.orkg.table import Cell, Column, Graph, Table, cells_of, columns_of
from app.orkg.values import Path, SourceKind

SOURCES = "columns"
ROWS = "rows"
WITHDRAWN = "withdrawn"
_COLUMN = "column "

Touched: TypeAlias = frozenset[tuple[str, str]]
"""Cells that are meant to change: column and first predicate."""


def table_now(orkg: Orkg, comparison: str) -> Table:
    """The table of a head as it is now, in two requests: without statements, and with the titles of papers only."""
    head = orkg.comparison(comparison)
    contents = orkg.contents(comparison)
    order = columns_of(head, contents, f"{orkg.base}/api/comparisons/{comparison}/contents")
    kinds = {one.id: one.type for one in head.sources}
    columns = []
    for source, title, subtitle in zip(order, contents.titles, contents.subtitles, strict=True):
        shown = title if subtitle is None else subtitle
        paper = None if subtitle is None else title
        columns.append(
            Column(
                source,
                shown.label,
                kinds.get(source, SourceKind.THING),
                None if paper is None else paper.id,
                None if paper is None else paper.label,
                uri=shown.uri,
            )
        )
    return Table(
        head=head.versions.head.id,
        version=head.id,
        title=head.title,
        dated=head.created_at,
        published=head.published,
        withdrawn=head.withdrawn,
        columns=tuple(columns),
        paths=contents.selected_paths,
        cells=cells_of(order, contents, Graph(())),
        doi=head.doi,
    )


def foreign(table: Table) -> tuple[Column, ...]:
    """The columns that are not ours."""
    return tuple(one for one in table.columns if not is_ours(one.uri))


def state(table: Table, touched: Touched = frozenset()) -> dict[str, str]:
    """The parts of a table, each as text that is equal for equal content."""
    rows = [path.id for path in table.paths]
    columns = foreign(table)
    parts = {
        SOURCES: json.dumps(sorted(one.source for one in columns)),
        ROWS: json.dumps(rows),
        WITHDRAWN: json.dumps(table.withdrawn),
    }
    cells = _by_column(table.cells)
    return parts | {f"{_COLUMN}{one.source}": _digest(cells[one.source], rows, touched) for one in columns}


def moved(before: Mapping[str, str], now: Table, touched: Touched = frozenset()) -> tuple[str, ...]:
    """What is not as it was, in lines for people; nothing where no state was kept."""
    if not before:
        return ()
    lines = []
    rows: list[str] = json.loads(before[ROWS])
    there = {path.id for path in now.paths}
    lines += [f"row {one} is gone" for one in rows if one not in there]
    names = {one.source: one.label for one in foreign(now)}
    then: list[str] = json.loads(before[SOURCES])
    lines += [f"column {one} is gone" for one in then if one not in names]
    lines += [f"column {one} ({label}) is new" for one, label in names.items() if one not in then]
    if now.withdrawn and before[WITHDRAWN] != json.dumps(now.withdrawn):
        lines.append("the comparison was deleted")
    cells = _by_column(now.cells)
    for one, label in names.items():
        part = before.get(f"{_COLUMN}{one}")
        if part is not None and part != _digest(cells[one], rows, touched):
            lines.append(f"column {one} ({label}) has other values")
    return tuple(lines)


def shape(paths: Iterable[Path]) -> list[Any]:
    """Rows without their labels, to be compared."""
    return [[path.id, path.type.value, shape(path.children)] for path in paths]


def _by_column(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = defaultdict(list)
    for one in cells:
        found[one.column].append(one)
    return found


def _digest(cells: Iterable[Cell], rows: Iterable[str], touched: Touched) -> str:
    """A digest of what one column says along these rows."""
    wanted = set(rows)
    told = sorted(
        ["/".join(one.path), *(f"{token_of(each)} {each.label}" for each in (*one.above, one.value))]
        for one in cells
        if one.path[0] in wanted and (one.column, one.path[0]) not in touched
    )
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
