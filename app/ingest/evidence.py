"""What an ingester gives: claims, results, absences, and a full account of every row that it read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from app.ingest.properties import Reading
from app.ingest.tables import Row
from app.model.claims import Absence, Claim, Result, Source
from app.model.rdf import IRI, Quad

_READINGS = {
    "transcribed": "Transcribed",
    "transcribed-reassembled": "Reassembled",
    "read-from-figure": "ReadFromFigure",
    "cited": "Cited",
    "partly-cited": "Cited",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row, or a cell of it, that gave nothing, and why."""

    file: str
    line: int
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class KnownDisagreement:
    """Two claims that the evidence itself names as disagreeing, with its kind and its own words about them."""

    subject: IRI
    predicate: str
    claims: tuple[Claim, ...]
    kind: str
    note: str
    line: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about one property of one thing: the value to keep, or None to keep nothing.

    `seen` are the claims that were there when it was made; None stands for all. Another claim that disagrees with what
    is kept opens the case again. One that `reopens` keeps nothing and leaves the case open.
    """

    subject: IRI
    predicate: str
    reported: str | None
    reason: str
    decided_by: str
    decided_on: str
    seen: frozenset[IRI] | None = None
    reopens: bool = False

    def saw(self, claim: Claim) -> bool:
        """Whether this claim was there when the decision was made."""
        return self.seen is None or claim.iri in self.seen


@dataclass(slots=True)
class Evidence:
    """Collects what the ingesters read, with an account of every row. Filled by them, read by `curate`."""

    claims: dict[IRI, Claim] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    absences: set[Absence] = field(default_factory=set)
    disagreements: list[KnownDisagreement] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    registry: set[Quad] = field(default_factory=set)
    sources: dict[str, Source] = field(default_factory=dict)
    rows_read: Counter[str] = field(default_factory=Counter)
    rows_used: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    cleaned: Counter[str] = field(default_factory=Counter)

    def add_claim(self, claim: Claim) -> Claim:
        """Record a claim once, and its source; return the recorded one."""
        self.sources.setdefault(claim.source.slug, claim.source)
        return self.claims.setdefault(claim.iri, claim)

    def add_read(
        self, row: Row, subject: IRI, predicate: str, found: Reading, source: Source, locator: str, reported: str
    ) -> Claim:
        """Record one value read from a row of a source, with the characters that the row prints."""
        return self.add_claim(
            Claim(
                subject=subject,
                predicate=predicate,
                value=found.value,
                reported=reported.strip(),
                source=source,
                locator=locator,
                reading=how_read(row),
                interval=found.interval,
            )
        )

    def add_result(self, row: Row, result: Result) -> None:
        """Record a result and count its row as used; two results with one key would be one row read twice."""
        if result.key in self.results:
            raise row.error("value", "the same result stands already in this table", advice="Remove one line.")
        self.sources.setdefault(result.source.slug, result.source)
        self.results[result.key] = result
        self.rows_used[row.path.name] += 1

    def skip(self, row: Row, what: str, reason: str) -> None:
        """Say that a row or a cell was not taken over, and why."""
        self.skipped.append(Skipped(row.path.name, row.line, what, reason))


def how_read(row: Row) -> str:
    """The concept notation for a row's column `confidence`."""
    if row["confidence"] not in _READINGS:
        raise row.error("confidence", f"{row['confidence']!r} is unknown", advice=f"Use one of {', '.join(_READINGS)}.")
    return _READINGS[row["confidence"]]
