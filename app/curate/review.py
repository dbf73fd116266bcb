"""Review of proposals: what validation would find, verdicts on single items, and the commit of what was accepted.

A commit puts the accepted claims and results into the graphs of their sources and settles the cases that they touch,
all as one revision. What was rejected stays on record with who, when and why. Nothing here commits by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from app.curate import artifacts
from app.curate.cases import rows, settle_cases
from app.curate.proposals import MAX_TEXT, changed, read, require_standing
from app.curate.steps import Bench, Step, Work, difference
from app.errors import BadValue, Conflict, InvalidGraph, SelfReview
from app.ingest.sources import cited
from app.model.claims import Claim, Result, Source
from app.model.graphs import META
from app.model.proposals import Content, Item, ItemState, Proposal, Verdict
from app.model.quads import (
    claim_quads,
    configuration_quads,
    protocol_quads,
    result_quads,
    source_quads,
)
from app.model.rdf import IRI, Quad
from app.store.port import Snapshot
from app.validation.findings import Report, Severity

Check = Callable[[Bench, Proposal], None]
"""Looks at the proposal as it is before a step, and raises when the step must not be made."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer says of one item. A rejection needs a reason; so does an acceptance in spite of warnings."""

    accept: bool
    reason: str = ""


def review(
    number: int,
    answers: Mapping[int, Answer],
    *,
    rest: Answer | None = None,
    self_review: bool = False,
    check: Check = lambda _, __: None,
) -> Work:
    """Give verdicts on items, by number; `rest` is for all other items that wait.

    Raises BadValue for an unknown item or a missing reason, Conflict for an item that has its verdict, SelfReview, and
    InvalidGraph when what would be accepted breaks a constraint.
    """
    if not answers and rest is None:
        raise BadValue("/items", "there is no verdict", advice="Give a verdict on one item, or `rest` for all.")

    def work(bench: Bench) -> Step:
        before = read(bench.snapshot, number)
        check(bench, before)
        require_standing(before)
        if before.author == bench.agent.iri and not self_review:
            raise SelfReview
        given = _verdicts(before, answers, rest)
        items = tuple(
            item.judged(
                Verdict(given[item.number].accept, given[item.number].reason.strip(), bench.agent.iri, bench.now)
            )
            if item.number in given
            else item
            for item in before.items
        )
        after = replace(before, items=items)
        accepted = [item for item in items if item.number in given and given[item.number].accept]
        if accepted:
            _refuse_bad(bench, after, [given[item.number] for item in accepted])
        return changed(before, after, f"review of proposal {number}: {_told(given)}")

    return work


def commit(number: int, *, check: Check = lambda _, __: None) -> Work:
    """Record what was accepted and is not recorded yet, and settle the cases that it touches.

    Raises Conflict when nothing waits to be committed.
    """

    def work(bench: Bench) -> Step:
        before = read(bench.snapshot, number)
        check(bench, before)
        require_standing(before)
        chosen = before.to_commit
        if not chosen:
            raise Conflict(f"nothing of proposal {number} waits to be committed", advice="Review it first.")
        numbers = {item.number for item in chosen}
        items = tuple(
            replace(item, revision=bench.head + 1) if item.number in numbers else item for item in before.items
        )
        after = replace(before, items=items)
        own = changed(before, after, "")
        add, remove = recording(bench.snapshot, [item.content for item in chosen])
        reason = f"proposal {number}, {len(chosen)} of {len(items)} item(s): {before.title}"
        return Step(own.add | add, own.remove | remove, reason, after)

    return work


def findings(bench: Bench, proposal: Proposal) -> Report:
    """What validation would newly find if every item that is not rejected and not recorded were recorded."""
    waiting = [item for item in proposal.items if item.state in {ItemState.PENDING, ItemState.ACCEPTED}]
    if not waiting or proposal.withdrawal is not None:
        return Report()
    return _what_if(bench, waiting)


def recording(snapshot: Snapshot, contents: Iterable[Content]) -> tuple[frozenset[Quad], frozenset[Quad]]:
    """The quads that record these contents: to add and to remove. Cases of the claims are settled with them."""
    chosen = list(contents)
    claims = [content for content in chosen if isinstance(content, Claim)]
    quads: set[Quad] = set(_new_sources(snapshot, {content.source for content in chosen}))
    for content in chosen:
        if isinstance(content, Claim):
            quads.update(claim_quads(content))
            continue
        quads.update(result_quads(content))
        if content.protocol is not None:
            quads.update(protocol_quads(content.protocol))
        if content.configuration is not None:
            quads.update(configuration_quads(content.configuration))
    quads.update(artifacts.unrecorded(snapshot, [content for content in chosen if isinstance(content, Result)]))
    settled = settle_cases(snapshot, (), new=claims)
    return frozenset(quads) | settled.add, settled.remove


def _new_sources(snapshot: Snapshot, sources: Iterable[Source]) -> Iterable[Quad]:
    """The records of sources, of their documents and of their graphs, those that the graph does not have yet."""
    found = list(sources)
    parts = [cited(part, source.retrieved, {}) for source in found for part in source.parts]
    quads = [quad for source in (*found, *parts) for quad in source_quads(source)]
    recorded = {row["node"] for row in rows(snapshot, "stated", node=_nodes(quads)) if row["graph"] == META}
    return [quad for quad in quads if quad.subject not in recorded]


def _nodes(quads: Iterable[Quad]) -> list[IRI]:
    return [quad.subject for quad in quads if isinstance(quad.subject, IRI)]


def _verdicts(proposal: Proposal, answers: Mapping[int, Answer], rest: Answer | None) -> dict[int, Answer]:
    """The answer to each item that gets one."""
    known = {item.number: item for item in proposal.items}
    given: dict[int, Answer] = {}
    for position, (item_number, answer) in enumerate(answers.items()):
        pointer = f"/items/{position}"
        if item_number not in known:
            raise BadValue(f"{pointer}/item", f"proposal {proposal.number} has no item {item_number}")
        _check_verdict(pointer, proposal, known[item_number], answer)
        given[item_number] = answer
    if rest is not None:
        for item in proposal.items:
            if item.number not in given and item.state is ItemState.PENDING:
                _check_verdict("/rest", proposal, item, rest)
                given[item.number] = rest
    if not given:
        raise Conflict(f"no item of proposal {proposal.number} waits for a verdict")
    return given


def _check_verdict(pointer: str, proposal: Proposal, item: Item, answer: Answer) -> None:
    if not answer.accept and not answer.reason.strip():
        raise BadValue(f"{pointer}/reason", "a rejection needs a reason", advice="Say why, in a few words.")
    if len(answer.reason) > MAX_TEXT:
        raise BadValue(f"{pointer}/reason", f"is longer than {MAX_TEXT} characters")
    takes_back = item.state is ItemState.ACCEPTED and not answer.accept
    if item.state is ItemState.PENDING or takes_back:
        return
    if item.state is ItemState.COMMITTED:
        raise Conflict(
            f"item {item.number} of proposal {proposal.number} is committed in revision {item.revision}",
            advice="Decide the case, or revert that revision.",
            pointer=pointer,
        )
    verdict = item.verdicts[-1]
    raise Conflict(
        f"item {item.number} of proposal {proposal.number} was {item.state.value} by "
        f"{verdict.by.value.rsplit('/', 1)[-1]} on {verdict.at:%Y-%m-%d}",
        advice="A rejected value can be proposed again, with what is new.",
        pointer=pointer,
    )


def _refuse_bad(bench: Bench, proposal: Proposal, given: list[Answer]) -> None:
    """InvalidGraph when what is accepted would break a constraint; BadValue for a warning that nobody comments on."""
    report = _what_if(bench, list(proposal.to_commit))
    if not report.conforms:
        raise InvalidGraph(tuple(str(finding) for finding in report.only(Severity.VIOLATION).findings))
    warnings = report.only(Severity.WARNING).findings
    if warnings and not all(answer.reason.strip() for answer in given):
        raise BadValue(
            "/reason",
            f"{len(warnings)} warning(s) need a note, the first: {warnings[0].message}",
            advice="Say as the reason why it is right all the same, or reject it.",
        )


def _what_if(bench: Bench, items: list[Item]) -> Report:
    add, remove = recording(bench.snapshot, [item.content for item in items])

    return bench.findings(*difference(bench.snapshot, add, remove))


def _told(given: Mapping[int, Answer]) -> str:
    accepted = sum(answer.accept for answer in given.values())
    return ", ".join(
        part
        for part in (
            f"{accepted} accepted" if accepted else "",
            f"{len(given) - accepted} rejected" if accepted < len(given) else "",
        )
        if part
    )
