"""JSON shapes of the REST answers, for validation and OpenAPI; made from the values of `app.compare`.

Numbers are JSON numbers; months are text (2024-07); statuses and reasons are lower case with hyphens. Every member is
always there, null when there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.compare import values
from app.compare.values import Plain

Scalar: TypeAlias = bool | int | float | str


def scalar(value: Plain) -> Scalar:
    """A plain value as JSON holds it: a decimal becomes a number."""
    return float(value) if isinstance(value, Decimal) else value


Number = Annotated[float, BeforeValidator(float)]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


class Thing(_Answer):
    """A thing with an IRI: a concept, an organisation, a licence, a dataset."""

    iri: str
    name: str = Field(description="Short name, unique within its kind; filters take it.")
    label: str


class Unit(_Answer):
    """A unit of measure (QUDT, or our own for tokens)."""

    iri: str
    symbol: str
    label: str


class Property(_Answer):
    """A property that can be compared."""

    name: str = Field(description="Local name in the ontology; `properties=` takes it.")
    iri: str
    label: str
    definition: str
    of: Literal["model", "architecture"] = Field(description="What the property belongs to.")
    kind: Literal["claimed", "derived"] = Field(description="Stated by sources, or worked out by formula.")
    several: bool = Field(description="Whether it may have several values; its cells then hold lists.")
    range: str | None = Field(description="Datatype or class of the values, as a compact IRI.")
    unit: Unit | None


class Properties(_Answer):
    """Everything that can be compared."""

    revision: int
    properties: list[Property]


class Sources(_Answer):
    """How many source documents stand behind a value and against it."""

    agreeing: int = Field(description="Sources that say the same, or a rounded form of it.")
    disagreeing: int = Field(description="Cited sources that say something else; all of them while it is disputed.")


class Cell(_Answer):
    """One property of one model."""

    value: Scalar | list[Scalar] | None = Field(
        description="The value; a list when the property may have several; null when missing or disputed."
    )
    things: list[Thing] = Field(description="The values that are things, with their IRIs.")
    unit: str | None = Field(description="Symbol of the unit.")
    status: Literal["accepted", "disputed", "proposed", "derived", "missing"]
    reason: (
        Literal["not-reported", "not-applicable", "not-looked-for", "withheld", "varies-by-layer", "not-derivable"]
        | None
    ) = Field(description="Why the value is missing.")
    candidates: list[Scalar] = Field(description="What the sources say while it is disputed.")
    sources: Sources
    claims: list[str] = Field(description="IRIs of all claims on the question; the inputs of a derived value.")


class ModelSummary(_Answer):
    """A model on one line."""

    slug: str
    iri: str
    label: str
    architecture: str = Field(description="IRI of its architecture.")
    baseline: bool = Field(description="A larger model, kept for comparison and out of scope.")
    identifier: str | None = Field(description="Name of the repository on Hugging Face.")
    aliases: list[str]
    family: Thing | None
    makers: list[Thing]
    licenses: list[Thing]
    released: str | None = Field(description="Month of release, for example 2024-07.")
    attention: Thing | None
    architecture_class: str | None
    parameters: int | None
    parameters_basis: Literal["computed", "stated", "proposed"] | None = Field(
        description="Worked out from accepted facts, stated by sources, or worked out from proposed claims."
    )
    open_training_data: bool | None


class Models(_Answer):
    """One page of the list of models."""

    revision: int
    total: int = Field(description="Number of models that fit, on all pages.")
    page: int
    limit: int
    items: list[ModelSummary]


class ModelHead(_Answer):
    """A model as the head of a row."""

    slug: str
    iri: str
    label: str
    baseline: bool


class Document(_Answer):
    """A document that a source rests on."""

    iri: str
    title: str
    address: str | None


class Source(_Answer):
    """A source of claims."""

    iri: str
    title: str
    type: str = Field(description="Notation of the scheme source-type.")
    trust_rank: int = Field(description="1 is trusted most.")
    address: str | None
    dated: str | None
    retrieved: str | None
    documents: list[Document] = Field(description="The documents of a reading that rests on several.")


class Interval(_Answer):
    """The values that rounded characters allow, ends included."""

    lower: Number
    upper: Number


class Claim(_Answer):
    """What one source says."""

    iri: str
    value: Scalar
    thing: Thing | None
    reported: str = Field(description="The source's own characters.")
    interval: Interval | None
    source: Source
    locator: str = Field(description="Where in the source the value stands.")
    reading: str = Field(description="How it was read; notation of the scheme reading.")
    status: str = Field(description="What became of it; notation of the scheme claim-status.")
    note: str | None


class Resolution(_Answer):
    """How a disagreement was settled."""

    iri: str
    rule: str = Field(description="agreement, trust-rank or manual.")
    note: str | None
    by: Thing
    date: str | None
    accepts: list[str] = Field(description="IRIs of the claims that were accepted.")
    rejects: list[str] = Field(description="IRIs of the claims that were rejected.")


class Disagreement(_Answer):
    """A question on which sources differ; open while it has no resolution."""

    iri: str
    kinds: list[str]
    notes: list[str]
    resolution: Resolution | None


class Derivation(_Answer):
    """How a value was worked out."""

    iri: str
    formula: str = Field(description="Name and version of the formula.")
    rests_on_proposed: bool
    inputs: list[str] = Field(description="IRIs of the claims that went in.")


class PropertyOfModel(_Answer):
    """Everything that is known about one property of one model."""

    property: Property
    cell: Cell
    claims: list[Claim]
    disagreement: Disagreement | None
    derivation: Derivation | None


class LayerGroup(_Answer):
    """A run of layers that differ from the others; layers count from 0, both ends included."""

    iri: str
    first: int
    last: int
    properties: list[PropertyOfModel]


class Model(_Answer):
    """One model with everything that is known about it."""

    revision: int
    model: ModelSummary
    properties: list[PropertyOfModel]
    layer_groups: list[LayerGroup]


class Range(_Answer):
    """A predicted number; nine in ten models that the fit had not seen lay between its ends."""

    value: float
    lower: float
    upper: float


class PredictedPhase(_Answer):
    """What a phase would take: seconds of the whole prompt in prefill, of one token in decode."""

    phase: Literal["prefill", "decode"]
    seconds: Range
    rate: Range = Field(description="Tokens per second.")
    models: int = Field(description="Models that the fit rests on.")
    median_error: float = Field(description="Median of the relative errors on models that the fit had not seen.")
    run: str = Field(description="IRI of the measurement run that the fit comes from.")


class Place(_Answer):
    """A machine, an engine, a number format and a number of threads with which others were measured."""

    environment: str = Field(description="Fingerprint of the machine with its software.")
    machine: str
    engine: str
    version: str
    variant: str
    threads: int


class Outlook(_Answer):
    """What is predicted for one place, or why nothing is."""

    place: Place
    predicted: list[PredictedPhase]
    measured: bool = Field(description="Whether the model itself was measured there; then take what was measured.")
    reason: str | None


class Predictions(_Answer):
    """Costs of a model by formula. None of them was measured, and none is part of a comparison or a ranking."""

    revision: int
    origin: Literal["predicted"] = "predicted"
    model: str
    prompt: int
    generated: int
    depth: int
    proposed: list[str] = Field(description="Architecture facts behind them that nobody cited.")
    outlooks: list[Outlook]


class ExampleQuery(_Answer):
    """An example of a SPARQL query."""

    name: str
    title: str
    about: str
    text: str
    run: str = Field(description="Address that runs it.")


class ExampleQueries(_Answer):
    """All examples."""

    queries: list[ExampleQuery]


class Health(_Answer):
    """Whether the process answers."""

    status: Literal["alive"]
    revision: int | None


class Part(_Answer):
    """One part of the service and how it is."""

    about: Literal["store", "revision", "projection", "shapes", "queue"]
    state: Literal["good", "note", "bad"]
    says: str


class Readiness(_Answer):
    """Whether the service can answer, and how its parts are."""

    status: Literal["ready"]
    revision: int
    parts: list[Part]


def cell(one: values.Cell, prop: values.Property) -> Cell:
    """A cell as JSON."""
    plain = [scalar(value.plain) for value in one.values]
    return Cell(
        value=plain if prop.several and plain else (plain[0] if len(plain) == 1 else plain or None),
        things=_things(value.thing for value in one.values),
        unit=prop.unit.symbol if prop.unit else None,
        status=one.status.value,
        reason=one.reason.value if one.reason else None,
        candidates=[scalar(value.plain) for value in one.candidates],
        sources=Sources.model_validate(one.sources),
        claims=list(one.claims),
    )


def model(page: values.ModelPage, revision: int) -> Model:
    """A model's page as JSON."""
    return Model(
        revision=revision,
        model=ModelSummary.model_validate(page.model),
        properties=[_property(one) for one in page.properties],
        layer_groups=[
            LayerGroup(
                iri=group.iri,
                first=group.first,
                last=group.last,
                properties=[_property(one) for one in group.properties],
            )
            for group in page.layer_groups
        ],
    )


def models(page: values.Page, revision: int) -> Models:
    """A page of the list of models as JSON."""
    return Models(
        revision=revision,
        total=page.total,
        page=page.page,
        limit=page.limit,
        items=[ModelSummary.model_validate(one) for one in page.items],
    )


def _property(one: values.PropertyRecord) -> PropertyOfModel:
    return PropertyOfModel(
        property=Property.model_validate(one.property),
        cell=cell(one.cell, one.property),
        claims=[_claim(claim) for claim in one.claims],
        disagreement=Disagreement.model_validate(one.disagreement) if one.disagreement else None,
        derivation=Derivation.model_validate(one.derivation) if one.derivation else None,
    )


def _claim(one: values.ClaimRecord) -> Claim:
    return Claim(
        iri=one.iri,
        value=scalar(one.value.plain),
        thing=Thing.model_validate(one.value.thing) if one.value.thing else None,
        reported=one.reported,
        interval=Interval.model_validate(one.interval) if one.interval else None,
        source=Source.model_validate(one.source),
        locator=one.locator,
        reading=one.reading,
        status=one.status,
        note=one.note,
    )


def _things(found: Iterable[values.Thing | None]) -> list[Thing]:
    return [Thing.model_validate(thing) for thing in found if thing is not None]
