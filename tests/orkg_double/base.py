"""What every world of the double begins with: ORKG's well-known predicates, classes and research fields."""

from __future__ import annotations

from tests.orkg_double import clock
from tests.orkg_double.state import NOBODY, State, Thing

PREDICATES = {
    "P31": "has contribution",
    "P32": "research problem",
    "P30": "has research field",
    "P26": "has DOI",
    "P27": "has author",
    "P28": "publication month",
    "P29": "publication year",
    "url": "url",
    "description": "description",
    "SAME_AS": "same as",
    "HAS_ORCID": "has ORCID",
    "HAS_VENUE": "has venue",
    "hasAuthors": "has authors",
    "hasListElement": "has list element",
    "compareContribution": "compare contribution",
    "compareRosettaStoneContribution": "compare rosetta stone contribution",
    "hasPublishedVersion": "has published version",
    "hasVisualization": "has visualization",
    "reference": "reference",
}
CLASSES = (
    "Paper",
    "PaperVersion",
    "Contribution",
    "Comparison",
    "ComparisonPublished",
    "LatestVersion",
    "Visualization",
    "Problem",
    "ResearchField",
    "Dataset",
    "Model",
    "Author",
    "Organization",
    "List",
    "Venue",
)
FIELDS = {"R11": "Science", "R133": "Artificial Intelligence"}
LONG_AGO = "2019-01-01T00:00:00+01:00"


def world() -> State:
    """A world with nobody's work in it."""
    state = State()
    for identity, label in PREDICATES.items():
        state.put(Thing(identity, "predicate", label, LONG_AGO, modifiable=False))
    for name in CLASSES:
        state.put(Thing(name, "class", name, LONG_AGO, modifiable=False))
    state.put(Thing("C70000", "class", "Language Model", "2026-09-01T10:15:30.123456789+02:00", modifiable=False))
    for identity, label in FIELDS.items():
        state.put(Thing(identity, "resource", label, LONG_AGO, NOBODY, classes=("ResearchField",)))
    return state


def at(state: State, time: str) -> None:
    """Let the next write happen right after some time."""
    state.now = clock.read(time)
