"""Who put what into a cell: the revision, author and reason behind each value, claim and decision. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app import vocab
from app.compare import models
from app.compare.diff import Step
from app.compare.properties import choose, properties
from app.compare.reader import Reader, local_name, text
from app.compare.table import subject_of
from app.compare.values import ModelSummary, Plain, Property
from app.model.graphs import CURATED, DECISIONS, INFERRED
from app.model.rdf import IRI, Quad, Term
from app.store.port import GraphStore
from app.store.span import author

_ABSENT = {
    vocab.slm.notReported: "not-reported",
    vocab.slm.notApplicable: "not-applicable",
    vocab.slm.notLookedFor: "not-looked-for",
    vocab.slm.withheld: "withheld",
    vocab.slm.variesByLayer: "varies-by-layer",
}
_KINDS = {
    vocab.slm.Disagreement: "disagreement",
    vocab.slm.Resolution: "decision",
    vocab.slm.Derivation: "derivation",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that stands in a cell.

    `kind` is value, missing (the value is the reason), claim, status (of a claim), disagreement, decision or
    derivation; `iri` names the claim or the record; `layers` are set where it is about some layers only.
    """

    kind: str
    value: Plain | None
    iri: str | None
    source: str | None
    note: str | None
    layers: tuple[int, int] | None
    step: Step


@dataclass(frozen=True, slots=True)
class Blame:
    """A cell's parts, what came last first."""

    revision: int
    model: ModelSummary
    property: Property
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A part whose revision is looked for: the newest one that added one of these quads."""

    kind: str
    quads: frozenset[Quad]
    value: Plain | None = None
    iri: str | None = None
    source: str | None = None
    note: str | None = None
    layers: tuple[int, int] | None = None


def blame(store: GraphStore, slug: str, name: str, *, revision: int) -> Blame:
    """Who put what into a cell as it is at a revision; NotFound for the model, BadParameter for the property."""
    reader = Reader(store.at(revision))
    model = models.find(models.summaries(reader), slug)
    (prop,) = choose(properties(reader), [name])
    subjects: dict[Term, tuple[int, int] | None] = {IRI(subject_of(model, prop.of)): None, **_layers(reader, model)}
    found = [
        *_values(reader, subjects, prop),
        *_claims(reader, subjects, prop),
        *_records(reader, subjects, prop),
    ]
    numbers = _revisions(store, found, revision)
    described = {one.number: one for one in store.revisions()}
    reader.learn(author(described[number]) for number in set(numbers))
    steps = {number: Step(described[number], reader.thing(author(described[number]))) for number in set(numbers)}
    parts = [
        Part(one.kind, one.value, one.iri, one.source, one.note, one.layers, steps[number])
        for one, number in zip(found, numbers, strict=True)
    ]
    parts.sort(key=lambda part: (-part.step.revision.number, part.kind, part.iri or "", str(part.value)))
    return Blame(revision, model, prop, tuple(parts))


def subjects_of(reader: Reader, model: ModelSummary) -> set[Term]:
    """All that the cells of a model are about: the model, its architecture and the groups of its layers."""
    return {IRI(model.iri), IRI(model.architecture), *_layers(reader, model)}


def _layers(reader: Reader, model: ModelSummary) -> dict[Term, tuple[int, int]]:
    rows = reader.rows("layers", architecture=[IRI(model.architecture)])
    return {row["group"]: (int(row["first"].value), int(row["last"].value)) for row in rows}


def _values(reader: Reader, subjects: dict[Term, tuple[int, int] | None], prop: Property) -> Iterable[_Found]:
    rows = [row for row in reader.rows("curated", subject=subjects) if row["property"].value == prop.iri]
    reader.learn(row["value"] for row in rows)
    for row in rows:
        quad = Quad(_iri(row["subject"]), IRI(prop.iri), row["value"], CURATED)
        yield _Found("value", frozenset({quad}), reader.value(row["value"]).plain, layers=subjects[row["subject"]])
    for row in reader.rows("absences", subject=subjects):
        if row["property"].value == prop.iri:
            said = {
                Quad(_iri(row["subject"]), _iri(row["why"]), row["property"], home)
                for home in _homes(reader, row["subject"], row["why"], row["property"])
            }
            yield _Found("missing", frozenset(said), _ABSENT[row["why"].value], layers=subjects[row["subject"]])


def _claims(reader: Reader, subjects: dict[Term, tuple[int, int] | None], prop: Property) -> Iterable[_Found]:
    rows = [row for row in reader.rows("claims", subject=subjects) if row["property"].value == prop.iri]
    reader.learn(row["value"] for row in rows)
    sources = reader.records(row["source"] for row in rows)
    for row in rows:
        source = text(sources.get(row["source"].value, {}), vocab.dct.title)
        one = _Found(
            "claim",
            frozenset(
                Quad(_iri(row["claim"]), IRI(vocab.rdf.object), row["value"], home)
                for home in _homes(reader, row["claim"], IRI(vocab.rdf.object), row["value"])
            ),
            reader.value(row["value"]).plain,
            row["claim"].value,
            source,
            layers=subjects[row["subject"]],
        )
        yield one
        status = Quad(_iri(row["claim"]), IRI(vocab.slm.status), row["status"], DECISIONS)
        yield replace(one, kind="status", quads=frozenset({status}), value=local_name(row["status"].value))


def _records(reader: Reader, subjects: dict[Term, tuple[int, int] | None], prop: Property) -> Iterable[_Found]:
    rows = [row for row in reader.rows("statements", subject=subjects) if row["property"].value == prop.iri]
    records = reader.records(row["node"] for row in rows)
    for row in rows:
        record = records[row["node"].value]
        home = INFERRED if row["kind"].value == vocab.slm.Derivation else DECISIONS
        derived = record.get(vocab.slm.derivedValue)
        yield _Found(
            _KINDS[row["kind"].value],
            frozenset(
                Quad(_iri(row["node"]), IRI(name), term, home) for name, terms in record.items() for term in terms
            ),
            reader.value(derived[0]).plain if derived else text(record, vocab.slm.decisionRule),
            row["node"].value,
            None,
            text(record, vocab.skos.note) or text(record, vocab.slm.formula),
            subjects[row["subject"]],
        )


def _homes(reader: Reader, subject: Term, predicate: Term, value: Term) -> list[IRI]:
    """The graphs that hold a triple."""
    rows = reader.rows("homes", subject=[subject])
    return [_iri(row["graph"]) for row in rows if row["property"] == predicate and row["value"] == value]


def _revisions(store: GraphStore, found: list[_Found], newest: int) -> list[int]:
    """For each part the newest revision that added one of its quads. What no later one did, the first did."""
    numbers = [1] * len(found)
    open_ = set(range(len(found)))
    for number in range(newest, 1, -1):
        if not open_:
            break
        added = store.changes(number).add
        for index in [index for index in open_ if not added.isdisjoint(found[index].quads)]:
            numbers[index] = number
            open_.discard(index)
    return numbers


def _iri(term: Term) -> IRI:
    assert isinstance(term, IRI)  # noqa: S101 - the queries ask for nothing else
    return term
