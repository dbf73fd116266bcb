"""What a proposal or a case was like when somebody looked, as short tags, and what changed since. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app import vocab
from app.curate.cases import Case, read_cases
from app.curate.proposals import read_many
from app.curate.steps import Bench
from app.errors import ConditionFailed
from app.model.claims import Claim, digest
from app.model.proposal_quads import proposal_quads
from app.model.proposals import Proposal

T = TypeVar("T")
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expected:
    """The tags that a client names as those it saw; `anything` stands for `*`.

    A tag is a revision's number, a hyphen and a digest. The digest decides; the revision helps to say what changed.
    """

    tags: frozenset[str] = frozenset()
    anything: bool = False


def proposal_tag(proposal: Proposal) -> str:
    """A digest of everything that is said of a proposal."""
    return digest(*sorted(map(str, proposal_quads(proposal))))


def case_tag(case: Case) -> str:
    """A digest of a case: its claims with what became of them, its values, and the decision."""
    outcome = case.outcome
    statuses = sorted(f"{claim.iri.value} {status}" for claim, status in outcome.statuses.items())
    return digest(
        *statuses, *sorted(map(str, outcome.values)), str(outcome.rule), repr(outcome.decision and _gist(case))
    )


def expecting_proposal(expected: Expected, number: int) -> Callable[[Bench, Proposal], None]:
    """A check that the proposal is as the client saw it; ConditionFailed says what changed."""

    def check(bench: Bench, now: Proposal) -> None:
        _check(
            expected,
            proposal_tag(now),
            lambda revision: read_many(bench.store.at(revision), [number]).get(number),
            lambda before: changes_of_proposal(before, now),
            bench.head,
        )

    return check


def expecting_case(expected: Expected) -> Callable[[Bench, Case], None]:
    """A check that the case is as the client saw it; ConditionFailed says what changed."""

    def check(bench: Bench, now: Case) -> None:
        _check(
            expected,
            case_tag(now),
            lambda revision: read_cases(bench.store.at(revision), [now.key])[now.key],
            lambda before: changes_of_case(before, now),
            bench.head,
        )

    return check


def changes_of_proposal(before: Proposal, now: Proposal) -> tuple[str, ...]:
    """What happened to a proposal, in lines for people."""
    lines = [
        f"{_name(one.by.value)} commented: {_short(one.text)}" for one in now.comments if one not in before.comments
    ]
    items = {item.number: item for item in before.items}
    for item in now.items:
        old = items.get(item.number)
        if old is None or old == item:
            continue
        if item.revision != old.revision:
            lines.append(f"item {item.number} was committed in revision {item.revision}")
        else:
            verdict = item.verdicts[-1]
            lines.append(f"item {item.number} was {item.state.value} by {_name(verdict.by.value)}")
    if now.withdrawal is not None and before.withdrawal is None:
        lines.append(f"it was withdrawn: {_short(now.withdrawal.reason)}")
    return tuple(lines)


def changes_of_case(before: Case, now: Case) -> tuple[str, ...]:
    """What happened to a case, in lines for people."""
    old, new = ({claim.iri: claim for claim in case.claims} for case in (before, now))
    lines = [f"new claim: {_said(new[one])}" for one in new if one not in old]
    lines += [f"claim gone: {_said(old[one])}" for one in old if one not in new]
    decision = now.outcome.decision
    if decision != before.outcome.decision:
        kept = "back to the rules" if decision is None else f"{decision.decided_by} decided: {_short(decision.reason)}"
        lines.append(kept)
    if set(before.outcome.values) != set(now.outcome.values):
        lines.append(f"the value was {_values(before)} and is {_values(now)}")
    return tuple(lines)


def _check(
    expected: Expected,
    tag: str,
    read: Callable[[int], T | None],
    changes: Callable[[T], tuple[str, ...]],
    head: int,
) -> None:
    if expected.anything or any(one.rsplit("-", 1)[-1] == tag for one in expected.tags):
        return
    revisions = [int(number) for one in expected.tags if _NUMBER.fullmatch(number := one.split("-", 1)[0])]
    before = next((read(number) for number in revisions if 1 <= number <= head), None)
    raise ConditionFailed(
        "it is not as If-Match says any more",
        advice="Read it again, look at what changed, and send the request again with its new ETag.",
        changes=() if before is None else changes(before),
    )


def _gist(case: Case) -> tuple[str, ...]:
    decision = case.outcome.decision
    if decision is None:
        return ()
    seen = sorted(one.value for one in decision.seen or ())
    return (str(decision.reported), decision.reason, decision.decided_by, decision.decided_on, *seen)


def _said(claim: Claim) -> str:
    return f"{claim.source.title} says {claim.reported!r}"


def _values(case: Case) -> str:
    return ", ".join(_plain(term.value) for term in case.outcome.values) or "open"


def _plain(text: str) -> str:
    return text.rsplit("/", 1)[-1] if text.startswith(vocab.BASE) else text


def _name(iri: str) -> str:
    return iri.rsplit("/", 1)[-1]


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
