"""JSON shapes of curation: what is sent in (strict: an unknown member is an error) and what is answered."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from app.curate.requests import ClaimRequest, ResultRequest, SourceRequest
from app.web.schemas import Interval, Scalar

Text = Annotated[str, Field(max_length=10_000)]
Line = Annotated[str, Field(max_length=2_000)]
Missing = Literal["not-reported", "not-applicable", "not-looked-for", "withheld"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceIn(_Body):
    """A source: the `slug` of one that is recorded, or title and type of a new one."""

    slug: Line | None = Field(None, description="Last part of the source's IRI.")
    title: Line | None = None
    type: Line | None = Field(None, description="Notation of the scheme source-type, e.g. TechnicalReport.")
    address: Line | None = None
    dated: Line | None = Field(None, description="Day or month of the document: 2024-07-16 or 2024-07.")
    retrieved: Line | None = Field(None, description="Day on which it was read; today when left out.")
    note: Text | None = None


class ClaimIn(_Body):
    """A value of a property of a model as a source says it, or why there is none."""

    model: Line = Field(description="Slug of the model, or the IRI of an architecture, layer group or dataset.")
    property: Line = Field(description="Local name in the ontology, e.g. vocabularySize.")
    value: StrictBool | StrictInt | Decimal | StrictStr | None = Field(
        None, description="Number, truth, text, notation of a concept, or name or IRI of a thing."
    )
    missing: Missing | None = Field(None, description="Why there is no value.")
    reported: Line | None = Field(None, description="The source's own characters; read when there is no value.")
    unit: Line | None = Field(None, description="The property's own unit, if you like to say it again.")
    source: SourceIn
    locator: Line = Field(min_length=1, description="Where in the source it stands.")
    quote: Text | None = Field(None, description="The words around the value.")
    reading: Line = Field("Transcribed", description="Transcribed, Reassembled, ReadFromFigure or Cited.")
    note: Text | None = None


class ResultIn(_Body):
    """A number of a metric, measured or reported by others. Names are slugs of the registry."""

    model: Line
    metric: Line
    number: Decimal
    unit: Line = Field(description="As in the tables: s, ms, tokens/s, MB, GB, fraction, percent …")
    source: SourceIn
    locator: Line = Field(min_length=1)
    reported: Line | None = None
    reading: Line = "Transcribed"
    artifact: Line | None = Field(None, description="Which weight files; the released ones when left out.")
    device: Line | None = None
    engine: Line | None = None
    benchmark: Line | None = None
    harness: Line | None = None
    scoring: Line | None = None
    shots: int | None = Field(None, ge=0, le=10_000)
    prompt_tokens: int | None = Field(None, ge=0, le=10**9)
    generated_tokens: int | None = Field(None, ge=0, le=10**9)
    batch_size: int | None = Field(None, ge=1, le=10**6)
    context_tokens: int | None = Field(None, ge=0, le=10**9)
    untold: list[Line] = Field(default_factory=list, description="Local names of settings that the source leaves out.")
    note: Text | None = None


EXAMPLE = {
    "title": "The paper says which vocabulary Phi-2 has",
    "items": [
        {
            "model": "phi-2",
            "property": "vocabularySize",
            "value": 51200,
            "reported": "51,200",
            "source": {"title": "A report about Phi-2", "type": "TechnicalReport", "dated": "2024-01"},
            "locator": "page 3",
            "quote": "a vocabulary of 51,200 tokens",
        }
    ],
}
"""A proposal that is accepted as it stands."""


class ProposalIn(_Body):
    """What somebody asks to have recorded."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    title: Annotated[str, Field(max_length=500)] = Field(description="What it is about, and why.")
    items: list[ClaimIn] = Field(default_factory=list, max_length=5_000)
    results: list[ResultIn] = Field(default_factory=list, max_length=5_000)
    again: Text | None = Field(None, description="What is new, for something that was rejected before.")


class CommentIn(_Body):
    """A remark."""

    text: Text


class ReasonIn(_Body):
    """Why."""

    reason: Text


class AnswerIn(_Body):
    """A verdict on everything that waits."""

    verdict: Literal["accept", "reject"]
    reason: Text = Field("", description="Needed to reject, and to accept in spite of warnings.")


class ItemAnswerIn(AnswerIn):
    """A verdict on one item."""

    item: int = Field(ge=1, description="Number of the item.")


class ReviewIn(_Body):
    """Verdicts."""

    items: list[ItemAnswerIn] = Field(default_factory=list, max_length=20_000)
    rest: AnswerIn | None = Field(None, description="Verdict on every other item that waits.")


class DecisionIn(_Body):
    """What to do with a case."""

    choice: Literal["value", "none", "open"] = Field(description="Keep a value, keep none, or open the case again.")
    claim: Line | None = Field(None, description="IRI of the claim whose value is kept.")
    reported: Line | None = Field(None, description="Or its characters as reported.")
    reason: Text


class AgentOut(_Answer):
    """A person or a program."""

    iri: str
    name: str
    orcid: str | None


class SourceOut(_Answer):
    """A source."""

    iri: str
    slug: str
    title: str
    type: str
    address: str | None
    dated: str | None
    retrieved: str


class VerdictOut(_Answer):
    """What a reviewer said."""

    accepted: bool
    reason: str
    by: AgentOut
    at: datetime


class ItemOut(_Answer):
    """One proposed statement."""

    number: int
    state: Literal["pending", "accepted", "committed", "rejected"]
    kind: Literal["claim", "result"]
    subject: str = Field(description="IRI of what it speaks of.")
    property: str = Field(description="IRI of the property, or of the metric.")
    value: Scalar | None = Field(description="Null where the item says why there is no value.")
    missing: Missing | None
    unit: str | None
    reported: str
    interval: Interval | None
    source: SourceOut
    locator: str
    quote: str | None
    reading: str
    note: str | None
    again: str | None
    verdicts: list[VerdictOut]
    revision: int | None = Field(description="Revision that recorded it.")
    recorded_as: str | None = Field(description="IRI of the claim or observation that it became.")


class CommentOut(_Answer):
    """A remark."""

    by: AgentOut
    at: datetime
    text: str


class WithdrawalOut(_Answer):
    """Who withdrew it, when and why."""

    by: AgentOut
    at: datetime
    reason: str


class FindingOut(_Answer):
    """What validation would find."""

    constraint: str
    severity: Literal["violation", "warning", "info"]
    message: str
    focus: str


class FindingsOut(_Answer):
    """What validation would newly find if all items that wait were recorded on that revision."""

    revision: int
    findings: list[FindingOut]


class ProposalHead(_Answer):
    """A proposal on one line."""

    number: int
    iri: str
    title: str
    state: Literal["open", "accepted", "partly-accepted", "rejected", "withdrawn"]
    author: AgentOut
    made_at: datetime
    items: int
    pending: int
    committed: int


class ProposalOut(_Answer):
    """A proposal with everything that was said about it."""

    number: int
    iri: str
    title: str
    state: Literal["open", "accepted", "partly-accepted", "rejected", "withdrawn"]
    author: AgentOut
    made_at: datetime
    items: list[ItemOut]
    comments: list[CommentOut]
    withdrawal: WithdrawalOut | None
    validation: FindingsOut | None = Field(description="Null in the answer to a write.")


class ProposalsOut(_Answer):
    """One page of proposals, newest first."""

    revision: int
    total: int
    page: int
    limit: int
    items: list[ProposalHead]


class ClaimOut(_Answer):
    """What one source says."""

    iri: str
    value: Scalar | None = Field(description="Null where the source gives no single value.")
    missing: str | None = Field(description="Local name of the reason, where there is no value.")
    reported: str
    interval: Interval | None
    source: SourceOut
    trust_rank: int = Field(description="1 is trusted most.")
    locator: str
    quote: str | None
    reading: str
    status: str = Field(description="Notation of the scheme claim-status.")
    note: str | None


class DecisionOut(_Answer):
    """A person's decision; all but the last were replaced."""

    choice: Literal["value", "none", "rules", "open"]
    keeps: str | None
    reason: str
    by: AgentOut
    at: datetime
    replaced_at: datetime | None


class CaseOut(_Answer):
    """Everything that is known about one property of one thing, and how it is settled."""

    revision: int
    subject: str
    property: str
    state: Literal["undisputed", "settled", "open"]
    values: list[Scalar]
    rule: str | None = Field(description="agreement, trust-rank or manual; null where nothing had to be decided.")
    decided_by: AgentOut | None
    decided_on: str | None
    reason: str | None = Field(description="Why, in the words of the person who decided.")
    reopened_by: list[str] = Field(description="IRIs of later claims that opened a decided case again.")
    kinds: list[str]
    notes: list[str]
    claims: list[ClaimOut]
    decisions: list[DecisionOut]


class DisputeOut(_Answer):
    """A disagreement in the queue."""

    subject: str
    property: str
    models: list[str] = Field(description="Slugs of the models that it is about.")
    state: Literal["open", "settled"]
    rule: str | None
    kinds: list[str]
    views: int = Field(
        description="Models, times: one for the page, the derived values that wait for it, the usual comparison, and "
        "the example questions that name the property."
    )
    candidates: list[str] = Field(description="What the sources print, each once.")


class DisputesOut(_Answer):
    """One page of disagreements, the one that most waits for first."""

    revision: int
    total: int
    page: int
    limit: int
    items: list[DisputeOut]


BODIES: tuple[type[BaseModel], ...] = (ProposalIn, CommentIn, ReasonIn, ReviewIn, DecisionIn)
"""Shapes of request bodies, for the OpenAPI document."""


def claim_request(one: ClaimIn) -> ClaimRequest:
    """A proposed claim as the use cases take it."""
    return ClaimRequest(**one.model_dump(exclude={"source"}), source=SourceRequest(**one.source.model_dump()))


def result_request(one: ResultIn) -> ResultRequest:
    """A proposed result as the use cases take it."""
    members = one.model_dump(exclude={"source", "untold"})
    return ResultRequest(**members, source=SourceRequest(**one.source.model_dump()), untold=tuple(one.untold))
