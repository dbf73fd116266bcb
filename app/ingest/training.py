"""Turns the training tables into claims: data sets and tokens by model, algorithms and innovations, corpus sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from app import vocab
from app.ingest import cells
from app.ingest.evidence import Evidence, how_read
from app.ingest.properties import PROPERTIES, Property
from app.ingest.registry import Registry
from app.ingest.sources import listed
from app.ingest.tables import Row, read_table
from app.model.claims import Claim, Source
from app.model.rdf import IRI, literal

_DATASET_COLUMNS = (
    "model",
    "model_as_printed",
    "datasets",
    "open",
    "training_tokens",
    "source",
    "locator",
    "confidence",
    "note",
)
_ALGORITHM_COLUMNS = ("model", "model_as_printed", "kind", "value", "source", "locator", "confidence", "note")
_CORPUS_COLUMNS = ("dataset", "property", "value", "share", "note", "source", "locator", "confidence")
_KINDS = {
    "training algorithm": "training_algorithms",
    "architecture innovation": "innovations",
    "training hardware / GPU-hours": "training_hardware",
}
# spreadsheet cells that were filled downwards and count a version up: the first row's version stands for all
_FILLED_DOWN = (
    (re.compile(r"Cosmopedia v[34]"), "Cosmopedia v2"),
    (re.compile(r"Dolma v1\.[789]"), "Dolma v1.6"),
    (re.compile(r"RedPajama-v2"), "RedPajama-v1"),
)
_CLOSED = re.compile(r"^clo(s)?ed dataset$")


def read_training_datasets(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read data sets, openness and token counts per model."""
    for row in read_table(path, _DATASET_COLUMNS):
        evidence.rows_read[path.name] += 1
        model = registry.model(row)
        source = listed(sources, row)
        place = f"{row['locator']}, row {row['model_as_printed']}"
        subject = model.iri
        _read_datasets(row, subject, source, place, registry, evidence)
        if row["open"]:
            _add(evidence, row, subject, "open_training_data", row["open"], source, f"{place}, open", registry)
        _read_tokens(row, subject, source, f"{place}, training tokens", registry, evidence)
        evidence.rows_used[path.name] += 1


def _read_datasets(row: Row, subject: IRI, source: Source, place: str, registry: Registry, evidence: Evidence) -> None:
    cell = row["datasets"].strip()
    if not cell or _CLOSED.match(cell):
        return
    cleaned = cell
    for pattern, meant in _FILLED_DOWN:
        if pattern.search(cleaned):
            cleaned = pattern.sub(meant, cleaned)
            evidence.cleaned["data set version counted up by filling down: the first row's version is meant"] += 1
    note = None if cleaned == cell else f"read as {cleaned!r}: the version was counted up by filling down"
    for name in re.split(r",\s*", cleaned):
        evidence.add_claim(
            Claim(
                subject=subject,
                predicate=vocab.slm.trainedOn,
                value=registry.thing(row, "datasets", "dataset", name),
                reported=cell,
                source=source,
                locator=f"{place}, datasets",
                reading=how_read(row),
                note=note,
            )
        )


def _read_tokens(row: Row, subject: IRI, source: Source, place: str, registry: Registry, evidence: Evidence) -> None:
    cell = row["training_tokens"].strip()
    if not cell:
        return
    seen, _, rest = re.split(r"(\s*[/&]\s*)", cell, maxsplit=1) if re.search(r"[/&]", cell) else (cell, "", "")
    _add(evidence, row, subject, "training_tokens", seen, source, place, registry, reported=cell)
    if not rest:
        return
    kind = "fine_tuning_tokens" if "Finetune" in rest else "unique_training_tokens"
    _add(evidence, row, subject, kind, rest, source, place, registry, reported=cell)
    evidence.cleaned[f"two token counts in one cell: the second is {kind.replace('_', ' ')}"] += 1


def read_training_algorithms(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read training algorithms, innovations and hardware per model; statements about families are skipped."""
    for row in read_table(path, _ALGORITHM_COLUMNS):
        evidence.rows_read[path.name] += 1
        if not row["model"]:
            evidence.skip(row, row["model_as_printed"], "speaks of a family or of a model outside the registry")
            continue
        name = _KINDS.get(row["kind"])
        if name is None:
            raise row.error("kind", f"{row['kind']!r} is unknown", advice=f"Use one of: {', '.join(_KINDS)}.")
        source = listed(sources, row)
        place = f"{row['locator']}, {row['model_as_printed']}, {row['kind']}"
        subject = registry.model(row).iri
        if name == "training_algorithms":
            _read_algorithms(row, subject, source, place, registry, evidence)
        else:
            _add(evidence, row, subject, name, row["value"], source, place, registry)
        evidence.rows_used[path.name] += 1


def _read_algorithms(
    row: Row, subject: IRI, source: Source, place: str, registry: Registry, evidence: Evidence
) -> None:
    spellings = registry.spellings["training-algorithm"]
    for part in (part.strip() for part in row["value"].split(";")):
        known = spellings.get(part)
        evidence.add_claim(
            Claim(
                subject=subject,
                predicate=vocab.slm.trainedWith if known else vocab.slm.trainingNote,
                value=known or literal(part),
                reported=part,
                source=source,
                locator=place,
                reading=how_read(row),
            )
        )


def read_corpora(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read token counts of corpora; usage counts of the survey's Figure 3 are kept for comparison only."""
    for row in read_table(path, _CORPUS_COLUMNS, unique=("dataset", "property")):
        evidence.rows_read[path.name] += 1
        if row["property"] != "size":
            evidence.skip(row, row["dataset"], "a count of the survey's own figure, recomputed from the graph in tests")
            continue
        if not row["value"]:
            evidence.skip(row, row["dataset"], "the survey states no size for this corpus")
            continue
        dataset = registry.thing(row, "dataset", "dataset", row["dataset"])
        for found in PROPERTIES["unique_training_tokens"].readings(registry, row, "value", row["value"]):
            evidence.add_read(
                row,
                dataset,
                vocab.slm.tokenCount,
                found,
                listed(sources, row),
                row["locator"],
                row["value"],
            )
        evidence.rows_used[path.name] += 1


def _add(
    evidence: Evidence,
    row: Row,
    subject: IRI,
    name: str,
    cell: str,
    source: Source,
    place: str,
    registry: Registry,
    *,
    reported: str | None = None,
) -> None:
    known: Property = PROPERTIES[name]
    column = "training_tokens" if name.endswith("tokens") else "value" if "value" in row.columns else "open"
    if cells.is_placeholder(cell):
        return
    for found in known.readings(registry, row, column, cell):
        evidence.add_read(row, subject, known.predicate, found, source, place, reported or cell)
