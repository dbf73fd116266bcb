"""The double's R753434 as a curator meets it: pulled, and with what a person would confirm of its rows and columns."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

from app import resources
from app.curate.orkg import Suggestions
from app.orkg.mapping import Pinned
from app.orkg.pull import Pulled, pull
from app.services import Services
from tests.curate.people import ADA
from tests.orkg.clients import client
from tests.orkg_double.steering import Steering

COMPARISON = "R753434"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROWS = {
    "HAS_MODEL": "-",
    "P103002": "nominal_size",
    "P990002": "num_layers",
    "P990004": "num_attention_heads",
    "P990009/P990010": "token_count",
}
"""What no suggestion gives, or gives otherwise."""


def pulled(double: Steering, **options: object) -> Pulled:
    """The comparison, from a double that is as new."""
    double.reset("r753434", **options)
    return again(double)


def again(double: Steering) -> Pulled:
    """The comparison as it is now."""
    with client(double) as reader:
        return pull(reader, COMPARISON, now=NOW)


def models() -> dict[str, str]:
    """Which model a column is, by its label, as the table behind it says."""
    path = resources.folder("data") / "claims" / "survey-table-1.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {f"{row['name']} {row['size']}".strip(): row["model"] for row in csv.DictReader(handle)}


def answers(given: Suggestions) -> dict[str, str]:
    """What a person says of the columns that no suggestion is clear about."""
    known = models()
    return {one.source: known[one.label] for one in given.columns if one.suggested is None and one.label in known}


def confirmed(services: Services, found: Pulled) -> Pinned:
    """The whole mapping as a person would confirm it."""
    given = services.suggest_orkg(found, Pinned())
    return services.confirm_orkg(Pinned(), given, ADA, rows=ROWS, columns=answers(given), all_suggested=True)
