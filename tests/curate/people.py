"""Who curates in tests, and short ways to take steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from app.curate import proposals, requests, review
from app.curate.requests import ClaimRequest, Plain, SourceRequest
from app.curate.review import Answer
from app.curate.steps import Taken, Work
from app.model.agents import Agent
from app.model.proposals import Content, Proposal
from app.services import Services

ADA = Agent("orcid-0000-0002-1825-0097", "Ada", "0000-0002-1825-0097")
BOB = Agent("bob", "Bob")
TODAY = date(2026, 11, 21)
PAPER = SourceRequest(title="A paper about everything", type="TechnicalReport", dated="2024-01")


def request(
    model: str = "phi-2",
    name: str = "vocabularySize",
    value: Plain | None = 51200,
    *,
    source: SourceRequest = PAPER,
    locator: str = "page 3",
    **more: str,
) -> ClaimRequest:
    return ClaimRequest(model, name, source, locator, value, **more)  # type: ignore[arg-type]


def contents(services: Services, *wanted: requests.Request) -> list[Content]:
    return requests.contents_of(services.store.at(), wanted, today=TODAY)


def take(services: Services, work: Work, agent: Agent = ADA) -> Taken:
    return services.curation.take(work, agent)


def proposed(services: Services, *wanted: requests.Request, again: str | None = None) -> Proposal:
    taken = take(services, proposals.propose(contents(services, *wanted), title="a test", again=again))
    assert taken.step.proposal is not None
    return taken.step.proposal


def accepted(services: Services, *wanted: requests.Request, reason: str = "") -> Proposal:
    """Proposed by Ada, accepted and committed by Bob."""
    number = proposed(services, *wanted).number
    take(services, review.review(number, {}, rest=Answer(True, reason)), BOB)
    return committed(services, number)


def rejected(services: Services, *wanted: requests.Request, reason: str = "it is wrong") -> Proposal:
    number = proposed(services, *wanted).number
    done = take(services, review.review(number, {}, rest=Answer(False, reason)), BOB).step.proposal
    assert done is not None
    return done


def committed(services: Services, number: int) -> Proposal:
    done = take(services, review.commit(number), BOB).step.proposal
    assert done is not None
    return done


def states(proposal: Proposal) -> list[str]:
    return [item.state.value for item in proposal.items]


def triples(quads: Iterable[object]) -> set[str]:
    return {str(quad) for quad in quads}
