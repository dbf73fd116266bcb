"""Proposals, cases and disagreements as plain data, the same for REST and for `--json`. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app import vocab
from app.curate.cases import Case, rows, trust_ranks
from app.curate.decide import Dispute
from app.curate.outcomes import Named
from app.curate.resolve import Rule
from app.model.agents import Agent
from app.model.claims import Claim, Interval, Result, Source
from app.model.proposals import Content, Item, ItemState, Judgement, Proposal
from app.model.rdf import IRI, Literal, Term, python_value
from app.store.port import Snapshot
from app.validation.findings import Report

_REASONS = {
    vocab.slm.notReported: "not-reported",
    vocab.slm.notApplicable: "not-applicable",
    vocab.slm.notLookedFor: "not-looked-for",
    vocab.slm.withheld: "withheld",
    vocab.slm.variesByLayer: "varies-by-layer",
}


def agents(snapshot: Snapshot, nodes: Iterable[IRI]) -> dict[IRI, dict[str, Any]]:
    """Names of these agents; one without a record bears the last part of its IRI."""
    found = {node: Agent(node.value.rsplit("/", 1)[-1], node.value.rsplit("/", 1)[-1]) for node in nodes}
    for row in rows(snapshot, "stated", node=found):
        node, name = row["node"], row["property"].value
        if isinstance(node, IRI) and name == vocab.rdfs.label:
            found[node] = Agent(found[node].slug, row["value"].value, found[node].orcid)
        elif isinstance(node, IRI) and name == vocab.slm.orcid:
            found[node] = Agent(found[node].slug, found[node].name, row["value"].value)
    return {node: {"iri": node.value, "name": agent.name, "orcid": agent.orcid} for node, agent in found.items()}


def proposal(snapshot: Snapshot, one: Proposal, validation: tuple[int, Report] | None = None) -> dict[str, Any]:
    """A proposal with everything that was said about it."""
    spoken = [one.author, *(comment.by for comment in one.comments)]
    spoken += [verdict.by for item in one.items for verdict in item.verdicts]
    spoken += [one.withdrawal.by] if one.withdrawal else []
    by = agents(snapshot, spoken)
    return {
        "number": one.number,
        "iri": one.iri.value,
        "title": one.title,
        "state": one.state.value,
        "author": by[one.author],
        "made_at": one.made_at,
        "items": [_item(item, by) for item in one.items],
        "comments": [{"by": by[comment.by], "at": comment.at, "text": comment.text} for comment in one.comments],
        "withdrawal": None
        if one.withdrawal is None
        else {"by": by[one.withdrawal.by], "at": one.withdrawal.at, "reason": one.withdrawal.reason},
        "validation": None if validation is None else {"revision": validation[0], "findings": findings(validation[1])},
    }


def heads(snapshot: Snapshot, proposals: Iterable[Proposal]) -> list[dict[str, Any]]:
    """Proposals, each on one line."""
    chosen = list(proposals)
    by = agents(snapshot, [one.author for one in chosen])
    return [
        {
            "number": one.number,
            "iri": one.iri.value,
            "title": one.title,
            "state": one.state.value,
            "author": by[one.author],
            "made_at": one.made_at,
            "items": len(one.items),
            "pending": sum(item.state is ItemState.PENDING for item in one.items),
            "committed": sum(item.state is ItemState.COMMITTED for item in one.items),
        }
        for one in chosen
    ]


def findings(report: Report) -> list[dict[str, Any]]:
    """Findings as plain data."""
    return [
        {
            "constraint": finding.constraint,
            "severity": finding.severity.value.lower(),
            "message": finding.message,
            "focus": finding.focus,
        }
        for finding in report.findings
    ]


def case(snapshot: Snapshot, one: Case, revision: int, judgements: Iterable[Judgement]) -> dict[str, Any]:
    """A case with its claims and how it is settled."""
    decided = list(judgements)
    outcome, decision = one.outcome, one.outcome.decision
    decider = None if decision is None else IRI(f"{vocab.BASE}resource/agent/{decision.decided_by}")
    by = agents(snapshot, [*(judgement.by for judgement in decided), *([decider] if decider else [])])
    ranks = trust_ranks(snapshot)
    is_settled = outcome.disputed or decision is not None or one.named != Named()
    rule = None if outcome.is_open or not is_settled else outcome.rule or Rule.AGREEMENT
    return {
        "revision": revision,
        "subject": one.subject.value,
        "property": one.predicate,
        "state": "open" if outcome.is_open else "settled" if is_settled else "undisputed",
        "values": [value for term in outcome.values if (value := plain(term)) is not None],
        "rule": rule.value if rule else None,
        "decided_by": by[decider] if decider else None,
        "decided_on": decision.decided_on if decision else None,
        "reason": decision.reason if decision else None,
        "reopened_by": [claim.iri.value for claim in outcome.reopened_by],
        "kinds": list(one.named.kinds),
        "notes": list(one.named.notes),
        "claims": [
            {
                "iri": claim.iri.value,
                "value": plain(claim.value),
                "missing": _REASONS.get(claim.value.value) if isinstance(claim.value, IRI) else None,
                "reported": claim.reported,
                "interval": interval(claim.interval),
                "source": source(claim.source),
                "trust_rank": ranks[claim.source.kind],
                "locator": claim.locator,
                "quote": claim.quote,
                "reading": claim.reading,
                "status": outcome.statuses[claim].value,
                "note": claim.note,
            }
            for claim in sorted(one.claims, key=lambda claim: (ranks[claim.source.kind], claim.iri.value))
        ],
        "decisions": [
            {
                "choice": judgement.choice.value,
                "keeps": judgement.keeps,
                "reason": judgement.reason,
                "by": by[judgement.by],
                "at": judgement.at,
                "replaced_at": judgement.replaced_at,
            }
            for judgement in decided
        ],
    }


def dispute(one: Dispute, claims: Iterable[Claim]) -> dict[str, Any]:
    """A disagreement in the queue, with what the sources print."""
    return {
        "subject": one.subject.value,
        "property": one.predicate,
        "models": list(one.models),
        "state": "open" if one.rule is None else "settled",
        "rule": one.rule,
        "kinds": list(one.kinds),
        "views": one.views,
        "candidates": sorted({claim.reported for claim in claims if not claim.recalled}),
    }


def source(one: Source) -> dict[str, Any]:
    """A source as plain data."""
    return {
        "iri": one.iri.value,
        "slug": one.slug,
        "title": one.title,
        "type": one.kind,
        "address": one.address,
        "dated": one.dated,
        "retrieved": one.retrieved,
    }


def interval(one: Interval | None) -> dict[str, Decimal] | None:
    """The values that rounded characters allow."""
    return None if one is None else {"lower": one.lower, "upper": one.upper}


def plain(term: Term) -> Any:
    """A value as JSON has it: a decimal as a number, a thing as its IRI; None for the statement that there is none."""
    if isinstance(term, IRI):
        return None if term.value in _REASONS else term.value
    value = python_value(term)
    return float(value) if isinstance(value, Decimal) else value


def _item(item: Item, by: Mapping[IRI, dict[str, Any]]) -> dict[str, Any]:
    content = item.content
    return {
        "number": item.number,
        "state": item.state.value,
        **_content(content),
        "reported": content.reported,
        "source": source(content.source),
        "locator": content.locator,
        "reading": content.reading,
        "note": content.note,
        "again": item.again,
        "verdicts": [
            {"accepted": one.accepted, "reason": one.reason, "by": by[one.by], "at": one.at} for one in item.verdicts
        ],
        "revision": item.revision,
        "recorded_as": item.recorded_as.value if item.revision else None,
    }


def _content(content: Content) -> dict[str, Any]:
    if isinstance(content, Result):
        return {
            "kind": "result",
            "subject": content.model.value,
            "property": content.metric.value,
            "value": float(content.number),
            "missing": None,
            "unit": content.unit,
            "interval": None,
            "quote": None,
        }
    value = content.value
    return {
        "kind": "claim",
        "subject": content.subject.value,
        "property": content.predicate,
        "value": plain(value) if isinstance(value, Literal | IRI) else None,
        "missing": _REASONS.get(value.value) if isinstance(value, IRI) else None,
        "unit": vocab.UNITS.get(content.predicate),
        "interval": interval(content.interval),
        "quote": content.quote,
    }
