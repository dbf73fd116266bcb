"""Reads a whole data folder: registry, sources, fact tables, results, known disagreements, decisions, extra graphs.

models.csv  sources.csv  registry/  claims/  results/  reference/  graphs/*.trig (optional)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import BadFile
from app.ingest import configurations, disagreements, results, survey, training
from app.ingest.evidence import Evidence
from app.ingest.reference import read_parameter_counts
from app.ingest.registry import Registry, read_registry
from app.ingest.sources import read_sources
from app.model.claims import Source
from app.model.rdf import Quad
from app.store.files import read_rdf

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seed:
    """Everything that a data folder says."""

    registry: Registry
    evidence: Evidence
    sources: dict[str, Source]
    graphs: tuple[Quad, ...]


def read_seed(data: Path, progress: Progress = lambda _: None) -> Seed:
    """Read a data folder; the first mistake raises BadFile and nothing has been changed anywhere."""
    if not data.is_dir():
        raise BadFile(data, "is no folder", advice="Give the folder that holds models.csv and sources.csv.")
    progress("registry")
    registry = read_registry(data)
    sources = read_sources(data / "sources.csv")
    retrieved = max(source.retrieved for source in sources.values())
    evidence = Evidence()
    claims = data / "claims"
    progress("configurations")
    readings = configurations.read_configurations(claims / "configurations.csv", registry, evidence, retrieved)
    unsure = configurations.models_with_recalled_layers(claims / "configurations.csv", registry)
    configurations.read_layers(claims / "layers.csv", registry, evidence, readings, unsure)
    read_parameter_counts(data / "reference" / "parameter-check.csv", registry, evidence, retrieved)
    progress("survey tables")
    survey.read_table_1(claims / "survey-table-1.csv", registry, evidence, sources)
    survey.read_leaderboard(claims / "survey-leaderboard.csv", registry, evidence, sources)
    training.read_training_datasets(claims / "training-datasets.csv", registry, evidence, sources)
    training.read_training_algorithms(claims / "training-algorithms.csv", registry, evidence, sources)
    training.read_corpora(claims / "corpora.csv", registry, evidence, sources)
    progress("known disagreements")
    disagreements.read_disagreements(claims / "disagreements.csv", registry, evidence, sources, readings, retrieved)
    disagreements.read_decisions(claims / "decisions.csv", registry, evidence)
    progress("results")
    results.read_benchmarks(data / "results" / "benchmarks.csv", registry, evidence, sources)
    results.read_runtime(data / "results" / "runtime.csv", registry, evidence, sources)
    graphs = [quad for path in sorted((data / "graphs").glob("*.trig")) for quad in read_rdf(path)]
    return Seed(registry, evidence, sources, tuple(graphs))
