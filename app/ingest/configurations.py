"""Turns the configuration table and the per-layer lists into claims of this project's readings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from app import vocab
from app.ingest import cells
from app.ingest.evidence import Evidence, how_read
from app.ingest.properties import PROPERTIES, Reading
from app.ingest.registry import Model, Registry
from app.ingest.sources import reading
from app.ingest.tables import Row, read_table
from app.model.claims import Absence, Claim, Source, resource
from app.model.graphs import REGISTRY
from app.model.rdf import describe, literal, text

# columns of configurations.csv whose characters in the source stand in another column
_REPORTED_IN = {
    "maker": "maker_reported",
    "architecture_class": "architecture_class_reported",
    "training_datasets": "training_datasets_reported",
    "open_training_data": "training_datasets_reported",
    "training_algorithms": "training_algorithms_reported",
    "base_model": "training_algorithms_reported",
    "layer_pattern": "attention_notes",
    "sliding_window": "attention_notes",
    "qkv_bias": "innovations",
    "shared_ffn": "innovations",
    "embedding_projection": "innovations",
    "query_lora_rank": "innovations",
    "kv_lora_rank": "innovations",
    "rope_head_dim": "innovations",
    "no_rope_head_dim": "innovations",
    "value_head_dim": "innovations",
}
_PROPERTY_OF = {"layer_pattern": "attention_pattern", "attention_notes": "attention_note"}
_CONFIGURATION_FIELDS = (
    "maker",
    "release_date",
    "architecture_class",
    "num_layers",
    "hidden_size",
    "num_attention_heads",
    "num_kv_heads",
    "head_dim",
    "attention_type",
    "attention_notes",
    "layer_pattern",
    "sliding_window",
    "qkv_bias",
    "ffn_type",
    "intermediate_size",
    "shared_ffn",
    "activation",
    "norm_type",
    "norm_eps",
    "positional_encoding",
    "rope_theta",
    "rotary_fraction",
    "vocab_size",
    "tokenizer_kind",
    "embedding_projection",
    "max_context",
    "tied_embeddings",
    "parallel_residual",
    "query_lora_rank",
    "kv_lora_rank",
    "rope_head_dim",
    "no_rope_head_dim",
    "value_head_dim",
    "innovations",
    "precision",
    "license",
    "training_tokens",
    "training_datasets",
    "open_training_data",
    "training_algorithms",
    "base_model",
    "paper",
)
_CONFIGURATION_COLUMNS = (
    "model",
    *_CONFIGURATION_FIELDS,
    "maker_reported",
    "architecture_class_reported",
    "training_datasets_reported",
    "training_algorithms_reported",
    "source",
    "confidence",
    "recalled",
    "recalled_note",
)
_EXPECTED = ("training_tokens", "paper", "license", "release_date", "norm_eps")
_ROTARY_ONLY = ("rope_theta", "rotary_fraction")
_RECALLED = re.compile(r"(?P<column>[a-z_]+)(?:\[(?P<element>[^\]]+)\])?")

_LAYER_COLUMNS = (
    "model",
    "layer",
    "num_attention_heads",
    "num_kv_heads",
    "ffn_multiplier",
    "intermediate_size",
)
_LAYER_FIELDS = ("num_attention_heads", "num_kv_heads", "intermediate_size")


def read_configurations(path: Path, registry: Registry, evidence: Evidence, retrieved: str) -> dict[str, Source]:
    """Read the configuration table into claims; return each model's reading by slug."""
    readings: dict[str, Source] = {}
    for row in read_table(path, _CONFIGURATION_COLUMNS, unique=("model",)):
        evidence.rows_read[path.name] += 1
        model = registry.model(row)
        source = reading(model.slug, model.label, row.required("source"), retrieved)
        readings[model.slug] = source
        recalled = _recalled(row)
        for column in _CONFIGURATION_FIELDS:
            _read_configuration_cell(row, column, model, source, recalled, registry, evidence)
        evidence.rows_used[path.name] += 1
    return readings


def _read_configuration_cell(
    row: Row,
    column: str,
    model: Model,
    source: Source,
    recalled: Mapping[str, frozenset[str]],
    registry: Registry,
    evidence: Evidence,
) -> None:
    cell = row[column]
    known = PROPERTIES[_PROPERTY_OF.get(column, column)]
    subject = known.subject(model)
    if not cell:
        if column in _ROTARY_ONLY and "rotary" not in row["positional_encoding"]:
            evidence.absences.add(Absence(subject, known.predicate, "notApplicable"))
        elif column in _EXPECTED:
            evidence.absences.add(Absence(subject, known.predicate, "notReported"))
        return
    reported_in = _REPORTED_IN.get(column, column)
    for found in known.readings(registry, row, column, cell):
        evidence.add_claim(
            Claim(
                subject=subject,
                predicate=known.predicate,
                value=found.value,
                reported=row[reported_in] or cell,
                source=source,
                locator=f"{reported_in} in the configuration sources listed",
                reading="Recalled" if _is_recalled(column, found, recalled, registry) else how_read(row),
                recalled=_is_recalled(column, found, recalled, registry),
                interval=found.interval,
            )
        )


def models_with_recalled_layers(path: Path, registry: Registry) -> frozenset[str]:
    """Slugs of models whose per-layer lists nobody cited."""
    rows = read_table(path, _CONFIGURATION_COLUMNS, unique=("model",))
    return frozenset(registry.model(row).slug for row in rows if "layers" in _recalled(row))


def _recalled(row: Row) -> dict[str, frozenset[str]]:
    """Columns (and elements of list columns) of a row that nobody cited: {column: elements}, all when empty."""
    found: dict[str, frozenset[str]] = {}
    for part in filter(None, row["recalled"].split(";")):
        match = _RECALLED.fullmatch(part)
        column = match["column"] if match else ""
        if match is None or column not in (*_CONFIGURATION_FIELDS, "layers"):
            raise row.error("recalled", f"{part!r} names no column", advice="Write column or column[element].")
        if match["element"] and match["element"] not in [value.strip() for value in row[column].split(";")]:
            raise row.error(
                "recalled", f"{part!r} names no value of column {column}", advice="Write it as it stands there."
            )
        element = frozenset({match["element"]}) if match["element"] else frozenset()
        whole = column in found and not found[column]
        found[column] = frozenset() if whole or not element else found.get(column, frozenset()) | element
    return found


def _is_recalled(column: str, found: Reading, recalled: Mapping[str, frozenset[str]], registry: Registry) -> bool:
    if column not in recalled:
        return False
    elements = recalled[column]
    if not elements:
        return True
    value = found.value.value
    datasets = registry.names.get("dataset", {})
    named = {datasets[element].value for element in elements if element in datasets}
    return value in elements or value in named or value.rsplit("/", 1)[-1] in elements


def read_layers(
    path: Path,
    registry: Registry,
    evidence: Evidence,
    readings: Mapping[str, Source],
    recalled: Iterable[str],
) -> None:
    """Read per-layer shapes: each run of equal layers becomes a layer group with claims of its own."""
    rows = read_table(path, _LAYER_COLUMNS, unique=("model", "layer"))
    evidence.rows_read[path.name] += len(rows)
    unsure = set(recalled)
    for model, of_model in groupby(rows, key=registry.model):
        layers = list(of_model)
        if model.slug not in readings:
            raise layers[0].error(
                "model", f"{model.slug!r} has no row in configurations.csv", advice="Add one, or remove the layers."
            )
        _check_indices(layers)
        for _, run in groupby(layers, key=lambda row: tuple(row[column] for column in _LAYER_FIELDS)):
            _read_layer_group(list(run), model, readings[model.slug], model.slug in unsure, evidence)
        evidence.rows_used[path.name] += len(layers)


def _check_indices(layers: list[Row]) -> None:
    for expected, row in enumerate(layers):
        try:
            index = cells.whole_number(row.required("layer"))
        except ValueError as error:
            raise row.error("layer", str(error), advice="Count the layers from 0.") from error
        if index != expected:
            raise row.error("layer", f"is {index}, {expected} comes next", advice="List every layer in order from 0.")


def _read_layer_group(run: list[Row], model: Model, source: Source, recalled: bool, evidence: Evidence) -> None:
    first, last = run[0]["layer"], run[-1]["layer"]
    group = resource("layer-group", f"{model.slug}-{first}-{last}")
    evidence.registry.update(describe(REGISTRY, model.architecture, [(vocab.slm.hasLayerGroup, group)]))
    evidence.registry.update(
        describe(
            REGISTRY,
            group,
            [
                (vocab.rdfs.label, text(f"{model.label}, layers {first} to {last}")),
                (vocab.slm.firstLayer, literal(int(first))),
                (vocab.slm.lastLayer, literal(int(last))),
            ],
            kind=vocab.slm.LayerGroup,
        )
    )
    for column in _LAYER_FIELDS:
        try:
            value = cells.whole_number(run[0].required(column))
        except ValueError as error:
            raise run[0].error(column, str(error), advice="Write digits only.") from error
        evidence.add_claim(
            Claim(
                subject=group,
                predicate=PROPERTIES[column].predicate,
                value=literal(value),
                reported=run[0][column],
                source=source,
                locator=f"{column}, layers {first} to {last}",
                reading="Recalled" if recalled else "Cited",
                recalled=recalled,
            )
        )
