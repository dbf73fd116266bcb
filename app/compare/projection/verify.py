"""Holds a projection against the graph, cell by cell, and says what differs. Never repairs anything.

The cells are asked in SPARQL and worked out one by one by `app.compare.evidence`, which shares nothing with the
projection's columns but the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from app.compare import models as listing
from app.compare.evidence import gather
from app.compare.export import plain_text
from app.compare.projection.build import Projection
from app.compare.projection.observations import NAMES
from app.compare.projection.terms import terms
from app.compare.properties import properties
from app.compare.reader import Reader, local_name
from app.compare.table import subject_of, subjects
from app.compare.values import Cell, ModelSummary, Reason, Status
from app.model.rdf import python_value
from app.store.port import Snapshot

_AT_ONCE = 50
_NOT_ASKED = {"claimed": Reason.NOT_LOOKED_FOR, "derived": Reason.NOT_DERIVABLE}


def differences(projection: Projection, snapshot: Snapshot) -> Iterator[str]:
    """What the projection says otherwise than the graph; nothing when they agree."""
    reader = Reader(snapshot)
    summaries = listing.summaries(reader)
    if terms(snapshot) != projection.terms:
        yield "the vocabulary differs: properties, units, metrics or other terms"
    yield from _models(projection, summaries)
    yield from _rows_too_many(projection, summaries)
    for start in range(0, len(summaries), _AT_ONCE):
        yield from _cells(projection, reader, summaries[start : start + _AT_ONCE])
    yield from _observations(projection, reader)


def _models(projection: Projection, summaries: tuple[ModelSummary, ...]) -> Iterator[str]:
    kept = {row["slug"]: row for row in projection.models.iter_rows(named=True)}
    for one in summaries:
        row = kept.pop(one.slug, None)
        if row is None:
            yield f"{one.slug}: the model is missing"
            continue
        expected = {
            "iri": one.iri,
            "label": one.label,
            "architecture": one.architecture,
            "baseline": one.baseline,
            "identifier": one.identifier,
            "aliases": list(one.aliases),
            "family": one.family.name if one.family else None,
            "familyLabel": one.family.label if one.family else None,
        }
        for column, value in expected.items():
            if row[column] != value:
                yield f"{one.slug}, {column}: {row[column]!r} instead of {value!r}"
    for slug in kept:
        yield f"{slug}: the graph knows no such model"


def _rows_too_many(projection: Projection, summaries: tuple[ModelSummary, ...]) -> Iterator[str]:
    """Cells of models that there are not, and rows that stand twice."""
    slugs = [one.slug for one in summaries]
    for model in projection.cells.filter(~pl.col("model").is_in(slugs))["model"].unique():
        yield f"{model}: cells of a model that the graph does not know"
    for table, key in (
        (projection.models, ["slug"]),
        (projection.cells, ["model", "property"]),
        (projection.observations, ["observation"]),
    ):
        for row in table.filter(table.select(key).is_duplicated()).select(key).unique().iter_rows():
            yield f"{', '.join(row)}: stands twice"


def _cells(projection: Projection, reader: Reader, summaries: tuple[ModelSummary, ...]) -> Iterator[str]:
    known = properties(reader).values()
    evidence = gather(reader, [node for one in summaries for node in subjects(one)], known)
    slugs = [one.slug for one in summaries]
    kept = {
        (row["model"], row["property"]): row
        for row in projection.cells.filter(pl.col("model").is_in(slugs)).iter_rows(named=True)
    }
    for one in summaries:
        for prop in known:
            expected = evidence.cell(reader, prop, subject_of(one, prop.of))
            row = kept.pop((one.slug, prop.name), None)
            for part, value in _parts(expected).items():
                found = _missing(prop.kind)[part] if row is None else row[part]
                if found != value:
                    yield f"{one.slug}, {prop.name}, {part}: {found!r} instead of {value!r}"
    for model, name in kept:
        yield f"{model}, {name}: the graph knows no such property"


def _missing(kind: str) -> dict[str, object]:
    return _parts(Cell(Status.MISSING, reason=_NOT_ASKED[kind])) | {"claims": []}


def _parts(cell: Cell) -> dict[str, object]:
    """A cell as the projection's columns hold it."""
    numbers = [float(value.plain) for value in cell.values if _is_number(value.plain)]
    things = [value.thing for value in cell.values if value.thing]
    return {
        "status": cell.status.value,
        "values": [plain_text(value.plain) for value in cell.values] or None,
        "things": [{"iri": one.iri, "name": one.name, "label": one.label} for one in things] if cell.values else None,
        "number": numbers[0] if len(numbers) == 1 == len(cell.values) else None,
        "reason": cell.reason.value if cell.reason else None,
        "candidates": [plain_text(value.plain) for value in cell.candidates] or None,
        "agreeing": cell.sources.agreeing,
        "disagreeing": cell.sources.disagreeing,
        "claims": sorted(cell.claims),
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _observations(projection: Projection, reader: Reader) -> Iterator[str]:
    kept = {row["observation"]: row for row in projection.observations.iter_rows(named=True)}
    for row in reader.rows("observations"):
        found = kept.pop(row["observation"].value, None)
        if found is None:
            yield f"{row['observation'].value}: the observation is missing"
            continue
        for column, value in found.items():
            term = row.get(column)
            expected = None if term is None else python_value(term)
            if column in _SHORT and isinstance(expected, str):
                expected = local_name(expected)
            if isinstance(expected, Decimal):
                expected = float(expected)
            if value != expected:
                yield f"{row['observation'].value}, {column}: {value!r} instead of {expected!r}"
    for observation in kept:
        yield f"{observation}: the graph knows no such observation"


_SHORT = frozenset(("model", *NAMES))
