"""What the read side answers with: models, properties, cells, claims and their sources, as plain frozen values.

Properties, claim statuses and source types go by their local names (`numLayers`, `Accepted`, `TechnicalReport`), things
by IRI, short name and label. These values know no HTTP and no RDF; fronts turn them into JSON, CSV or HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Plain: TypeAlias = bool | int | float | Decimal | str


class Status(StrEnum):
    """How far the value of a cell can be relied on."""

    ACCEPTED = "accepted"
    """In the curated graph: the sources agree, or the disagreement was settled."""
    DISPUTED = "disputed"
    """Sources differ and nobody has decided: there are candidates and no value."""
    PROPOSED = "proposed"
    """Only claims that nobody has reviewed or cited, or a value worked out from such claims."""
    DERIVED = "derived"
    """Worked out by a formula from accepted values."""
    MISSING = "missing"
    """No value; the reason says why."""


class Reason(StrEnum):
    """Why there is no value."""

    NOT_REPORTED = "not-reported"
    NOT_APPLICABLE = "not-applicable"
    NOT_LOOKED_FOR = "not-looked-for"
    WITHHELD = "withheld"
    VARIES_BY_LAYER = "varies-by-layer"
    NOT_OBSERVED = "not-observed"
    """No observation of the metric fits the conditions."""
    NOT_DERIVABLE = "not-derivable"
    """An input of the formula is missing or disputed, or the formula does not cover this architecture."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing with an IRI: a concept, an organisation, a dataset. `name` is its short name, unique within its kind."""

    iri: str
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Value:
    """One value. For a thing, `plain` is its short name; text, number or truth value otherwise."""

    plain: Plain
    thing: Thing | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure."""

    iri: str
    symbol: str
    label: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property that can be compared.

    `of` tells whether it belongs to the `model` or its `architecture`, `kind` whether it is `claimed` by sources or
    `derived` by formula, `several` whether it may have more than one value; `range` is a compact IRI.
    """

    name: str
    iri: str
    label: str
    definition: str
    of: str
    kind: str
    several: bool
    range: str | None = None
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many source documents say the same as the value, and how many say something else.

    In a disputed cell all cited sources count as disagreeing. In a proposed or derived cell the sources of the claims
    that stand behind the value count as agreeing.
    """

    agreeing: int = 0
    disagreeing: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One property of one model. `values` has at most one member unless the property may have several.

    `candidates` are the claimed values of a disputed cell; `claims` are the IRIs of every claim on the question.
    """

    status: Status
    values: tuple[Value, ...] = ()
    reason: Reason | None = None
    candidates: tuple[Value, ...] = ()
    sources: Agreement = Agreement()
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One line of the list of models.

    `architecture` is the IRI of its architecture; `baseline` marks a larger model kept for comparison. `parameters`
    is the best number there is: `computed` from accepted facts, else `stated` by sources and accepted, else worked
    out from claims that are only `proposed`; `parameters_basis` says which.
    """

    slug: str
    iri: str
    label: str
    architecture: str
    baseline: bool
    identifier: str | None
    aliases: tuple[str, ...]
    family: Thing | None
    makers: tuple[Thing, ...]
    licenses: tuple[Thing, ...]
    released: str | None
    attention: Thing | None
    architecture_class: str | None
    parameters: int | None
    parameters_basis: str | None
    open_training_data: bool | None


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a source rests on."""

    iri: str
    title: str
    address: str | None


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A source: its type, the trust rank of that type (1 is trusted most), and where it lies.

    A reading of several documents has no address of its own; `documents` lists them.
    """

    iri: str
    title: str
    type: str
    trust_rank: int
    address: str | None
    dated: str | None
    retrieved: str | None
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """The values that rounded characters allow, ends included."""

    lower: Plain
    upper: Plain


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """What one source says, with its own characters and the place where they stand."""

    iri: str
    value: Value
    reported: str
    interval: Interval | None
    source: SourceRef
    locator: str
    reading: str
    status: str
    note: str | None


@dataclass(frozen=True, slots=True)
class ResolutionRecord:
    """How a disagreement was settled: by rule or by a person, when, and for which claims."""

    iri: str
    rule: str
    note: str | None
    by: Thing
    date: str | None
    accepts: tuple[str, ...]
    rejects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisagreementRecord:
    """A question on which sources differ. Without a resolution it is open."""

    iri: str
    kinds: tuple[str, ...]
    notes: tuple[str, ...]
    resolution: ResolutionRecord | None


@dataclass(frozen=True, slots=True)
class DerivationRecord:
    """How a value was worked out: the formula with its version, and the claims that went in."""

    iri: str
    formula: str
    rests_on_proposed: bool
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PropertyRecord:
    """Everything that is known about one property of one model."""

    property: Property
    cell: Cell
    claims: tuple[ClaimRecord, ...]
    disagreement: DisagreementRecord | None
    derivation: DerivationRecord | None


@dataclass(frozen=True, slots=True)
class LayerGroupRecord:
    """A run of layers that differ from the others; layers count from 0, both ends included."""

    iri: str
    first: int
    last: int
    properties: tuple[PropertyRecord, ...]


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model with everything that is known about it, and what is missing and why."""

    model: ModelSummary
    properties: tuple[PropertyRecord, ...]
    layer_groups: tuple[LayerGroupRecord, ...]


@dataclass(frozen=True, slots=True)
class CompareTable:
    """Models by properties. `rows` maps a model's slug to its cells by property name."""

    models: tuple[ModelSummary, ...]
    properties: tuple[Property, ...]
    rows: Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list. Pages count from 1; `total` is the length of the whole list."""

    items: tuple[ModelSummary, ...]
    total: int
    page: int
    limit: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the graph holds. `open` are the disagreements that nobody has settled."""

    models: int
    baselines: int
    sources: int
    claims: int
    observations: int
    disagreements: int
    open: int
