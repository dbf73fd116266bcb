"""Loads a data folder: read, settle, derive, validate, commit. Ends with a full account of what became of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app import vocab
from app.curate.assemble import Assembly, assemble
from app.curate.commit import Committed, head_number, replace_graphs
from app.curate.contributions import read_contributions
from app.curate.measured import read_runs
from app.curate.resolve import Rule, Status
from app.ingest.seed import Seed, read_seed
from app.model.quads import LOADER
from app.store.port import GraphStore
from app.validation.sets import SetValidator

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Table:
    """What became of one table's rows: `read` is `used` plus `skipped`."""

    read: int
    used: int
    skipped: int


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The account of one load. `revision` is None where nothing had to change."""

    revision: int | None
    quads: int
    models: int
    baselines: int
    sources: int
    claims: dict[str, int]
    observations: int
    curated_facts: int
    disagreements: int
    settled: dict[str, int]
    open_cases: list[str]
    derived: int
    derived_from_proposed: int
    tables: dict[str, Table]
    skipped: dict[str, int]
    cleaned: dict[str, int]
    findings: dict[str, int]
    findings_by_constraint: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


def load_folder(
    store: GraphStore,
    data: Path,
    ontology: Path,
    validator: SetValidator,
    *,
    now: datetime,
    progress: Progress = lambda _: None,
    on_validation_step: Callable[[], None] = lambda: None,
) -> LoadReport:
    """Make the store hold what a data folder says, and what people contributed, or change nothing.

    Raises BadFile for any mistake in the folder and InvalidGraph when the result would break a constraint.
    """
    seed = read_seed(data, progress)
    runs = read_runs(data)
    progress("settling claims")
    contributed = read_contributions(store.at()) if head_number(store) else None
    assembly = assemble(seed, ontology, contributed, runs)
    progress("validating and committing")
    committed = replace_graphs(
        store,
        assembly.quads,
        validator,
        reason="load of the data folder",
        author=LOADER,
        now=now,
        on_step=on_validation_step,
    )
    return _report(seed, assembly, committed)


def _report(seed: Seed, assembly: Assembly, committed: Committed) -> LoadReport:
    evidence = seed.evidence
    outcomes = assembly.outcomes
    statuses = Counter(status.value for outcome in outcomes.values() for status in outcome.statuses.values())
    disputed = {key: outcome for key, outcome in outcomes.items() if outcome.disputed}
    settled = Counter((outcome.rule or Rule.AGREEMENT).value for outcome in disputed.values() if not outcome.is_open)
    skipped_by_file = Counter(skip.file for skip in evidence.skipped)
    return LoadReport(
        revision=committed.revision.number if committed.revision else None,
        quads=len(assembly.quads),
        models=sum(model.in_scope for model in seed.registry.models.values()),
        baselines=sum(not model.in_scope for model in seed.registry.models.values()),
        sources=len(evidence.sources),
        claims={status.value: statuses[status.value] for status in Status},
        observations=len(evidence.results),
        curated_facts=sum(len(outcome.values) for outcome in outcomes.values()),
        disagreements=len(disputed),
        settled=dict(sorted(settled.items())),
        open_cases=sorted(
            f"{vocab.shrink(subject.value)} {vocab.shrink(predicate)}"
            for (subject, predicate), outcome in disputed.items()
            if outcome.is_open
        ),
        derived=len(assembly.derivations),
        derived_from_proposed=sum(derivation.rests_on_proposed for derivation in assembly.derivations),
        tables={
            name: Table(read, evidence.rows_used[name], skipped_by_file[name])
            for name, read in sorted(evidence.rows_read.items())
        },
        skipped=dict(Counter(f"{skip.file}: {skip.reason}" for skip in evidence.skipped)),
        cleaned=dict(evidence.cleaned),
        findings={severity.value: count for severity, count in committed.report.counts.items()},
        findings_by_constraint=dict(committed.report.by_constraint),
    )
