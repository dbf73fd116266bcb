"""Settles what the sources say about one property of one thing: which claims are accepted, and by which rule.

The rules, in order (a claim that nobody cited stays proposed and takes no part):

1. A person's decision stands, until a claim that it has not seen disagrees with what it keeps: then the case is open.
2. Claims that agree are accepted. A rounded value agrees with every exact value that its characters allow.
3. Where they disagree, the sources with the best trust rank decide, if they agree among themselves.
4. Otherwise the case stays open and no value is curated.

Pure: claims in, outcome out. Never reads a store or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from app.ingest.evidence import Decision
from app.model.claims import Claim
from app.model.rdf import Literal, Term, python_value


class Cardinality(StrEnum):
    """How many values one property of one thing may have."""

    SINGLE = "single"
    COMPLETE_SET = "complete set"
    """One source's values together are its answer (training data, makers)."""
    ADDITIVE = "additive"
    """Values of different sources add up (innovations, papers)."""


class Status(StrEnum):
    """What became of a claim; notations of the scheme `claim-status`."""

    PROPOSED = "Proposed"
    OPEN = "Open"
    ACCEPTED = "Accepted"
    COMPATIBLE = "Compatible"
    REJECTED = "Rejected"


class Rule(StrEnum):
    """Why a value was kept."""

    AGREEMENT = "agreement"
    TRUST_RANK = "trust-rank"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one property of one thing.

    `values` are what the curated graph says (none where the case is open or nothing is cited). `disputed` tells
    whether cited sources differ; `rule` is None where nothing had to be decided or the case is open. `reopened_by` are
    the claims that a person's decision has not seen and that disagree with it.
    """

    values: tuple[Term, ...]
    statuses: Mapping[Claim, Status]
    disputed: bool
    rule: Rule | None = None
    decision: Decision | None = field(default=None)
    reopened_by: tuple[Claim, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether a person has to decide."""
        return Status.OPEN in self.statuses.values()


def resolve(
    claims: Sequence[Claim],
    rank_of: Mapping[str, int],
    cardinality: Cardinality = Cardinality.SINGLE,
    decision: Decision | None = None,
) -> Outcome:
    """Settle the claims about one property of one thing. `rank_of` gives a source type's trust rank, 1 strongest."""
    cited = [claim for claim in claims if not claim.recalled]
    outcome = _settle(cited, rank_of, cardinality, decision)
    proposed = {claim: Status.PROPOSED for claim in claims if claim.recalled}
    return replace(outcome, statuses={**outcome.statuses, **proposed})


def agree(one: Claim, other: Claim) -> bool:
    """Whether two claims can both be true: equal values, or a rounded one that allows the other."""
    if one.value == other.value:
        return True
    return _allows(one, other) or _allows(other, one)


def _settle(
    cited: list[Claim], rank_of: Mapping[str, int], cardinality: Cardinality, decision: Decision | None
) -> Outcome:
    if not cited:
        return Outcome((), {}, disputed=False)
    if cardinality is Cardinality.ADDITIVE:
        return Outcome(_distinct(cited), dict.fromkeys(cited, Status.ACCEPTED), disputed=False)
    if cardinality is Cardinality.COMPLETE_SET:
        return _settle_set(cited, rank_of, decision)
    return _settle_single(cited, rank_of, decision)


def _settle_single(cited: list[Claim], rank_of: Mapping[str, int], decision: Decision | None) -> Outcome:
    disputed = any(not agree(one, other) for one in cited for other in cited)
    if decision is not None:
        kept = _best(
            [claim for claim in cited if decision.saw(claim) and claim.reported == decision.reported], rank_of
        )[:1]
        against = [claim for claim in cited if not decision.saw(claim) and not any(agree(claim, one) for one in kept)]
        return _reopened(cited, against, decision) or _keep(cited, kept, disputed, Rule.MANUAL, decision)
    if not disputed:
        return _keep(cited, _best(cited, rank_of)[:1], disputed=False, rule=None)
    best_rank = min(rank_of[claim.source.kind] for claim in cited)
    strongest = [claim for claim in cited if rank_of[claim.source.kind] == best_rank]
    if len(strongest) < len(cited) and all(agree(one, other) for one in strongest for other in strongest):
        return _keep(cited, _best(strongest, rank_of)[:1], disputed=True, rule=Rule.TRUST_RANK)
    return Outcome((), dict.fromkeys(cited, Status.OPEN), disputed=True)


def _settle_set(cited: list[Claim], rank_of: Mapping[str, int], decision: Decision | None) -> Outcome:
    by_source: dict[str, set[Term]] = {}
    for claim in cited:
        by_source.setdefault(claim.source.slug, set()).add(claim.value)
    disputed = len({frozenset(values) for values in by_source.values()}) > 1
    if decision is not None:
        kept = [claim for claim in cited if decision.saw(claim) and claim.reported == decision.reported]
        values = {claim.value for claim in kept}
        new = [claim for claim in cited if not decision.saw(claim)]
        against = [claim for claim in new if by_source[claim.source.slug] != values]
        return _reopened(cited, against, decision) or _keep_set(cited, kept, disputed, Rule.MANUAL, decision)
    if not disputed:
        return _keep_set(cited, cited, disputed=False, rule=None)
    best_rank = min(rank_of[claim.source.kind] for claim in cited)
    strongest = [claim for claim in cited if rank_of[claim.source.kind] == best_rank]
    answers = {frozenset(by_source[claim.source.slug]) for claim in strongest}
    if len(strongest) < len(cited) and len(answers) == 1:
        return _keep_set(cited, strongest, disputed=True, rule=Rule.TRUST_RANK)
    return Outcome((), dict.fromkeys(cited, Status.OPEN), disputed=True)


def _reopened(cited: list[Claim], against: list[Claim], decision: Decision) -> Outcome | None:
    """The open case, if there are new claims against a decision, or if what it keeps is not to be found any more."""
    is_lost = decision.reported is not None and all(claim.reported != decision.reported for claim in cited)
    if not against and not is_lost and not decision.reopens:
        return None
    return Outcome((), dict.fromkeys(cited, Status.OPEN), disputed=True, decision=decision, reopened_by=tuple(against))


def _keep(
    cited: list[Claim], kept: list[Claim], disputed: bool, rule: Rule | None, decision: Decision | None = None
) -> Outcome:
    """Accept one claim and whatever says the same; what allows its value is compatible; the rest is rejected."""
    statuses: dict[Claim, Status] = {}
    for claim in cited:
        if any(claim.value == one.value for one in kept):
            statuses[claim] = Status.ACCEPTED
        elif any(agree(claim, one) for one in kept):
            statuses[claim] = Status.COMPATIBLE
        else:
            statuses[claim] = Status.REJECTED
    return Outcome(_distinct(kept), statuses, disputed, rule, decision)


def _keep_set(
    cited: list[Claim], kept: list[Claim], disputed: bool, rule: Rule | None, decision: Decision | None = None
) -> Outcome:
    values = _distinct(kept)
    statuses = {claim: Status.ACCEPTED if claim.value in values else Status.REJECTED for claim in cited}
    return Outcome(values, statuses, disputed, rule, decision)


def _best(claims: Sequence[Claim], rank_of: Mapping[str, int]) -> list[Claim]:
    """Claims with the most telling first: exact before rounded, then the narrower interval, then the better rank."""

    def key(claim: Claim) -> tuple[bool, Decimal, int, str]:
        width = claim.interval.upper - claim.interval.lower if claim.interval else Decimal(0)
        return claim.interval is not None, width, rank_of[claim.source.kind], claim.iri.value

    return sorted(claims, key=key)


def _distinct(claims: Sequence[Claim]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(claim.value for claim in claims))


def _allows(rounded: Claim, other: Claim) -> bool:
    """Whether the rounded claim's characters allow the other's value, or at least overlap with its own interval."""
    if rounded.interval is None or not isinstance(other.value, Literal):
        return False
    if other.interval is not None:
        return rounded.interval.lower <= other.interval.upper and other.interval.lower <= rounded.interval.upper
    number = python_value(other.value)
    return (
        isinstance(number, int | Decimal) and not isinstance(number, bool) and rounded.interval.holds(Decimal(number))
    )
