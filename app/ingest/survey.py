"""Turns the survey's Table 1 and its authors' leaderboard into claims."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.ingest import cells
from app.ingest.evidence import Evidence
from app.ingest.properties import PROPERTIES
from app.ingest.registry import Registry
from app.ingest.sources import listed
from app.ingest.tables import Row, read_table
from app.model.claims import Absence, Source

_TABLE_1 = {
    "affiliation": "maker",
    "size": "nominal_size",
    "date": "release_date",
    "attention": "attention_type",
    "layers": "num_layers",
    "hidden_size": "hidden_size",
    "heads": "num_attention_heads",
    "activation": "activation",
    "vocabulary_size": "vocab_size",
    "open_training_datasets": "open_training_data",
    "max_context_window": "max_context",
}
_LEADERBOARD = {
    "affiliation": "maker",
    "parameters": "nominal_size",
    "release_date": "release_date",
    "attention": "attention_type",
    "layers": "num_layers",
    "hidden_size": "hidden_size",
    "heads": "num_attention_heads",
    "activation": "activation",
    "vocabulary_size": "vocab_size",
    "ffn_ratio": "ffn_ratio",
    "architecture_innovation": "innovations",
    "gpu_hours": "training_hardware",
    "max_context_window": "max_context",
}
_SURVEY_TAIL = ("source", "locator", "confidence")


def read_table_1(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read the survey's Table 1 into claims."""
    columns = ("model", "name", *_TABLE_1, "among_october_2024_models", *_SURVEY_TAIL, "note")
    for row in read_table(path, columns, unique=("model",)):
        _read_survey_row(row, _TABLE_1, f"row {row['name']} {row['size']}".strip(), registry, evidence, sources)


def read_leaderboard(path: Path, registry: Registry, evidence: Evidence, sources: Mapping[str, Source]) -> None:
    """Read the authors' leaderboard into claims; its averages are results and are read with them."""
    averages = ("commonsense_average", "problem_solving_average", "math_average")
    elsewhere = ("training_tokens", "training_datasets", "training_innovations")
    columns = ("model", "row", *_LEADERBOARD, *elsewhere, *averages, *_SURVEY_TAIL)
    for row in read_table(path, columns, unique=("model",)):
        for average in averages:
            if row[average] and cells.is_placeholder(row[average]):
                evidence.cleaned[f'"{row[average]}" in a number column: taken as missing'] += 1
        _read_survey_row(row, _LEADERBOARD, f"row Model={row['row']}", registry, evidence, sources)


def _read_survey_row(
    row: Row,
    columns: Mapping[str, str],
    place: str,
    registry: Registry,
    evidence: Evidence,
    sources: Mapping[str, Source],
) -> None:
    evidence.rows_read[row.path.name] += 1
    model = registry.model(row)
    source = listed(sources, row)
    for column, name in columns.items():
        known = PROPERTIES[name]
        subject = known.subject(model)
        cell = row[column]
        if cells.is_placeholder(cell):
            if cell:
                evidence.cleaned[f'"{cell}" where a value should stand: taken as not reported'] += 1
            evidence.absences.add(Absence(subject, known.predicate, "notReported"))
            continue
        if name == "ffn_ratio" and cell == "0":
            cell = "per-layer"
            evidence.cleaned['feed-forward ratio "0": taken as "varies per layer"'] += 1
        found = known.readings(registry, row, column, cell)
        if len(found) > 1 and name != "innovations":
            evidence.cleaned["two numbers in one cell: one claim for each"] += 1
        for one in found:
            locator = f"{row['locator']}, {place}, column {column}"
            evidence.add_read(row, subject, known.predicate, one, source, locator, row[column])
    evidence.rows_used[row.path.name] += 1
