"""Claims for tests: one question, any number of sources."""

from __future__ import annotations

from decimal import Decimal

from app import vocab
from app.ingest.evidence import Decision
from app.model.claims import Claim, Interval, Source, resource
from app.model.rdf import Term, literal

RANKS = {"ConfigurationFile": 1, "RunLog": 2, "TechnicalReport": 3, "SurveyTable": 4, "Leaderboard": 4, "WebPage": 5}
SUBJECT = resource("architecture", "test-1b")
PREDICATE = vocab.slm.vocabularySize


def claim(
    value: int | str | Term,
    kind: str = "SurveyTable",
    *,
    by: str = "one",
    rounded: int | None = None,
    recalled: bool = False,
    reported: str | None = None,
    locator: str = "here",
) -> Claim:
    """A claim; `rounded` is the half width of the interval that its characters allow."""
    term = literal(value) if isinstance(value, int | str) else value
    interval = None
    if rounded is not None:
        number = Decimal(term.value)
        interval = Interval(number - rounded, number + rounded)
    return Claim(
        subject=SUBJECT,
        predicate=PREDICATE,
        value=term,
        reported=str(value) if reported is None else reported,
        source=Source(slug=f"{kind.lower()}-{by}", title=by, kind=kind, retrieved="2026-11-20"),
        locator=locator,
        recalled=recalled,
        interval=interval,
    )


def decide(reported: str | None) -> Decision:
    return Decision(SUBJECT, PREDICATE, reported, "because", "somebody", "2026-11-20")
