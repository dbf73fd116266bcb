"""Reads published parameter counts: claims of the documents that print them, exact or rounded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from app import vocab
from app.ingest import cells
from app.ingest.evidence import Evidence
from app.ingest.registry import Registry
from app.ingest.sources import cited
from app.ingest.tables import read_table
from app.model.claims import Claim, Interval
from app.model.rdf import literal

_COLUMNS = (
    "model",
    "computed_parameters",
    "computed_less_input_embedding",
    "label_parameters",
    "reference_parameters",
    "reference_kind",
    "status",
    "method",
    "reference_source",
    "explanation",
)
_EXACT = "exact count"


def read_parameter_counts(path: Path, registry: Registry, evidence: Evidence, retrieved: str) -> None:
    """Read the published counts; the computed columns are the test's reference and give no claim."""
    for row in read_table(path, _COLUMNS, unique=("model",)):
        evidence.rows_read[path.name] += 1
        model = registry.model(row)
        if not row["reference_parameters"]:
            evidence.skip(row, row["model"], "no independent parameter count was found")
            continue
        try:
            count = cells.whole_number(row["reference_parameters"])
        except ValueError as error:
            raise row.error("reference_parameters", str(error), advice="Write the count in digits.") from error
        exact = row["reference_kind"] == _EXACT
        evidence.add_claim(
            Claim(
                subject=model.iri,
                predicate=vocab.slm.parameterCount,
                value=literal(count),
                reported=row["reference_parameters"],
                source=cited(row.required("reference_source"), retrieved, {}),
                locator=f"parameter count of {model.label}: {row['reference_kind']}",
                reading="Cited",
                interval=None if exact else _rounded(count),
            )
        )
        evidence.rows_used[path.name] += 1


def _rounded(count: int) -> Interval:
    """What a rounded count allows: half a step of its last digit that is not zero."""
    step = Decimal(10) ** (len(str(count)) - len(str(count).rstrip("0")))
    return Interval(count - step / 2, count + step / 2)
