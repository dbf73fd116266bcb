"""Who says what: sources, claims about one property of one thing, and measured or reported results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal

from app import vocab
from app.model.graphs import of_source
from app.model.rdf import IRI, Term


def digest(*parts: str) -> str:
    """Return a short, stable name for these parts (the first 16 hexadecimal digits of their SHA-256)."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def resource(kind: str, slug: str) -> IRI:
    """Return the IRI of a thing of ours: kind "model" and slug "opt-125m" give …/resource/model/opt-125m."""
    return IRI(f"{vocab.BASE}resource/{kind}/{slug}")


def concept(scheme: str, notation: str) -> IRI:
    """Return the IRI of a SKOS concept of ours: scheme "attention" and notation "GQA" give …/vocab/attention/GQA."""
    return IRI(f"{vocab.BASE}vocab/{scheme}/{notation}")


@dataclass(frozen=True, slots=True)
class Source:
    """A document that was read. `kind` is a notation of the scheme `source-type`; dates are ISO text."""

    slug: str
    title: str
    kind: str
    retrieved: str
    dated: str | None = None
    address: str | None = None
    licence: str | None = None
    note: str | None = None
    parts: tuple[str, ...] = ()

    @property
    def iri(self) -> IRI:
        """The source's own IRI."""
        return resource("source", self.slug)

    @property
    def graph(self) -> IRI:
        """The named graph that holds what this source says, as read on that day. It never changes."""
        return of_source(self.slug, self.retrieved)


@dataclass(frozen=True, slots=True)
class Interval:
    """The values that rounded characters allow, ends included: "50k" allows 49500 to 50500."""

    lower: Decimal
    upper: Decimal

    def holds(self, number: Decimal) -> bool:
        """Whether the number lies inside."""
        return self.lower <= number <= self.upper


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement by one source. It asserts nothing by being recorded.

    `reported` holds the source's characters; `reading` is a notation of the scheme `reading`; `recalled` marks a
    value without a citation, which stays proposed whatever else happens. `quote` holds the words around the value.
    `given_iri` is set for a claim that somebody wrote into the graph under another IRI than the usual one.
    """

    subject: IRI
    predicate: str
    value: Term
    reported: str
    source: Source
    locator: str
    reading: str = "Transcribed"
    recalled: bool = False
    interval: Interval | None = None
    note: str | None = None
    quote: str | None = None
    given_iri: IRI | None = None

    @property
    def iri(self) -> IRI:
        """The claim's IRI: the same statement at the same place of the same source has the same one."""
        if self.given_iri is not None:
            return self.given_iri
        return resource(
            "claim",
            digest(
                self.source.graph.value,
                self.subject.value,
                self.predicate,
                str(self.value),
                self.reported,
                self.locator,
            ),
        )


@dataclass(frozen=True, slots=True)
class Absence:
    """A source or the rules say that there is no value: `why` is the local name of a `hasNoValueFor` property."""

    subject: IRI
    predicate: str
    why: str


_LATER = ("threads", "cache_depth")
"""Settings that configurations of the first releases did not have: without them their names stay the same."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Inference settings. Equal settings are one thing in the graph. None means: does not apply or is not told.

    `untold` lists local names of properties that the source should have told and did not.
    """

    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    batch_size: int | None = None
    context_tokens: int | None = None
    token_position: int | None = None
    untold: tuple[str, ...] = ()
    threads: int | None = None
    cache_depth: int | None = None

    @property
    def settings(self) -> str:
        """All settings as one text, from which the name in the graph is made; what came later only where it is set."""
        first = ("prompt_tokens", "generated_tokens", "batch_size", "context_tokens", "token_position", "untold")
        text = ", ".join(f"{name}={getattr(self, name)!r}" for name in first)
        later = "".join(f", {name}={getattr(self, name)}" for name in _LATER if getattr(self, name) is not None)
        return f"Configuration({text}{later})"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What makes two scores comparable. `scoring` and `harness` name how an answer was picked and by which software."""

    benchmark: IRI
    harness: IRI
    scoring: str | None
    shots: int | None
    baseline_shots: int | None = None
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One value of one metric for one artifact of a model, as a source reports it.

    `number` is in `unit` as reported; `canonical` is the same quantity in the metric's canonical unit.
    `device` and `engine` are set for runtime results, `protocol` for benchmark results.
    """

    model: IRI
    artifact: IRI
    metric: IRI
    number: Decimal
    unit: str
    canonical: Decimal
    reported: str
    source: Source
    locator: str
    reading: str
    configuration: Configuration | None = None
    protocol: Protocol | None = None
    device: IRI | None = None
    engine: IRI | None = None
    note: str | None = None
    row: str = field(default="", compare=True)

    @property
    def key(self) -> str:
        """Stable name of the observation: its source row and what it says."""
        return digest(
            self.source.graph.value,
            self.row,
            self.artifact.value,
            self.metric.value,
            self.reported,
            self.locator,
        )
