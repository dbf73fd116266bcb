"""What we hold, as an ORKG comparison would show it, and whether it says the same there: the inputs of the plan.

Cells of the ORKG are read as a pull reads them (`app.curate.orkg`), our own side are the settled cases of the graph, so
a plan and a review never differ in what agrees. Changes nothing and asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from app import vocab
from app.curate.bulk import names_of
from app.curate.cases import Case, cardinality, read_cases
from app.curate.derive import Key
from app.curate.orkg import name_of, property_of
from app.curate.resolve import Cardinality, Rule, Status, agree
from app.ingest.bulk import values
from app.ingest.bulk.fields import Field, Kind
from app.ingest.bulk.names import Names
from app.ingest.bulk.quantities import POWERS
from app.ingest.bulk.sheets import Cell
from app.ingest.bulk.verdicts import Refused
from app.ingest.cells import is_placeholder
from app.ingest.registry import Model
from app.model.claims import Claim
from app.model.graphs import PROPOSALS, REGISTRY
from app.model.proposal_quads import proposals_of
from app.model.proposals import ItemState
from app.model.rdf import IRI, XSD, Literal, Term, literal
from app.orkg.mapping import LEFT_OUT, Pinned, place_of
from app.orkg.outgoing import Row
from app.orkg.plan import Agrees, Meanings, OurCell, OurModel, OurValue, Plan, plan
from app.orkg.pull import Pulled
from app.orkg.table import Table
from app.orkg.values import Method, Ref
from app.store.port import Snapshot

_FROM_ORKG = "orkg-"
"""How slugs of sources begin that are ORKG comparisons."""
_NAMING = (vocab.rdfs.label, vocab.skos.prefLabel, vocab.dct.title)
_OF_DATASETS = "it is said of a data set: a pull reads it, and a plan compares models only"
_THERE = frozenset({Status.ACCEPTED, Status.COMPATIBLE})


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a row means: a property of ours, in a unit. `means` is how the mapping writes it."""

    means: str
    field: Field
    unit: str


@dataclass(frozen=True, slots=True)
class _KnownAs:
    """Labels of things by IRI, and the IRIs of claims that a person accepted in a proposal."""

    labels: Mapping[str, str]
    reviewed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what is needed to push it: the confirmed rows, and what we hold, by slug."""

    plan: Plan
    rows: tuple[Row, ...]
    ours: Mapping[str, OurModel]


def prepare(
    snapshot: Snapshot,
    pulled: Pulled,
    pinned: Pinned,
    now: Table,
    seed: Path,
    *,
    also: Collection[str] | None = (),
) -> Prepared:
    """Compare the last pull, the table as it is now, and what a revision holds, by the confirmed mapping.

    What we hold is read for models that a column is about, and for those whose slugs are in `also` (None: for all).
    """
    names = names_of(snapshot, seed)
    meanings = {one.path: _meaning(one.means, names) for one in pinned.rows.values() if one.means != LEFT_OUT}
    known = {one.means: one for one in meanings.values()} | {
        one.field.name: _Meaning(one.field.name, one.field, "") for one in meanings.values()
    }
    matched = {one.source: one.means for one in pinned.columns.values() if one.means != LEFT_OUT}
    about = set(matched.values()) | (set(names.models) if also is None else set(also))
    wanted = [model for slug, model in names.models.items() if model.in_scope or slug in about]
    cases = _cases(snapshot, [model for model in wanted if model.slug in about], known.values())
    known_as = _KnownAs(_labels(snapshot), _reviewed(snapshot))
    ours = {model.slug: _our_model(model, known.values(), cases, known_as) for model in wanted}
    found = plan(
        pulled.live,
        now,
        at=(pulled.base, pulled.at),
        meanings=Meanings(
            matched,
            {place_of(path): one.means for path, one in meanings.items()},
            frozenset(one.source for one in pinned.columns.values() if one.means == LEFT_OUT),
            {place_of(one.path): "" for one in pinned.rows.values() if one.means == LEFT_OUT}
            | {place_of(path): _OF_DATASETS for path, one in meanings.items() if one.field.of == "dataset"},
        ),
        ours=ours,
        agrees=_agreement(known, cases, names),
        is_blank=lambda ref: is_placeholder(ref.label),
    )
    order = {place: number for number, place in enumerate(now.places)}
    rows = sorted(
        (
            Row(
                one.means,
                one.field.name,
                one.field.predicate,
                names.labels.get(one.field.predicate, one.field.name),
                place_of(path),
            )
            for path, one in meanings.items()
            if one.field.of != "dataset"
        ),
        key=lambda row: order.get(row.place or (), len(order)),
    )
    return Prepared(found, tuple(rows), ours)


def _meaning(means: str, names: Names) -> _Meaning:
    prop, unit = property_of(means, names)
    return _Meaning(means, prop, unit)


def _key(model: Model, prop: Field) -> Key:
    return (model.architecture if prop.of == "architecture" else model.iri), prop.predicate


def _cases(snapshot: Snapshot, models: Iterable[Model], meanings: Iterable[_Meaning]) -> dict[Key, Case]:
    """The questions that the rows ask of each model, and which documents describe it."""
    fields = [one.field for one in meanings if one.field.of != "dataset"]
    asked = list(models)
    keys = [_key(model, prop) for model in asked for prop in dict.fromkeys(fields)]
    keys += [(model.iri, vocab.slm.describedIn) for model in asked]
    return read_cases(snapshot, keys)


def _our_model(
    model: Model,
    meanings: Iterable[_Meaning],
    cases: Mapping[Key, Case],
    known_as: _KnownAs,
) -> OurModel:
    described = cases.get((model.iri, vocab.slm.describedIn))
    if described is None:
        return OurModel(model.slug, model.iri.value, model.label)
    return OurModel(
        slug=model.slug,
        iri=model.iri.value,
        label=model.label,
        cells={
            one.means: _our_cell(cases[_key(model, one.field)], one, known_as)
            for one in meanings
            if one.field.of != "dataset"
        },
        papers=tuple(sorted(term.value for term in described.outcome.values)),
    )


def _our_cell(case: Case, meaning: _Meaning, known_as: _KnownAs) -> OurCell:
    outcome = case.outcome
    if outcome.is_open:
        told = [claim.reported for claim, status in outcome.statuses.items() if status is Status.OPEN]
        return OurCell("disputed", candidates=tuple(sorted(dict.fromkeys(told))))
    found = [_our_value(term, meaning, known_as.labels) for term in outcome.values]
    if found and None not in found:
        kept = tuple(one for one in found if one is not None)
        behind = [claim.iri.value for claim, status in outcome.statuses.items() if status is Status.ACCEPTED]
        return OurCell("accepted", kept, method=_method(case, known_as.reviewed), claims=tuple(sorted(behind)))
    return OurCell("proposed" if Status.PROPOSED in outcome.statuses.values() else "missing")


def _our_value(term: Term, meaning: _Meaning, labels: Mapping[str, str]) -> OurValue | None:
    """A value as it would stand in the ORKG; None for a mark that there is none."""
    if isinstance(term, Literal):
        scaled = _scaled(term, meaning)
        return OurValue(scaled.value, f"xsd:{scaled.datatype.value.removeprefix(XSD)}")
    if term.value.startswith(vocab.slm.NS):
        return None
    if meaning.field.kind is Kind.ADDRESS:
        return OurValue(term.value, "xsd:anyURI")
    label = labels.get(term.value) or term.value.replace("#", "/").rsplit("/", 1)[-1]
    return OurValue(label, None, term.value if term.value.startswith(vocab.BASE) else None)


def _scaled(term: Literal, meaning: _Meaning) -> Literal:
    """A number in the unit of the row."""
    if meaning.unit in POWERS:
        number = Decimal(term.value) / POWERS[meaning.unit]
        return literal(int(number)) if number == number.to_integral_value() else literal(number)
    if meaning.unit == "percent":
        return literal(Decimal(term.value) * 100)
    return term


def _method(case: Case, reviewed: frozenset[str]) -> Method:
    """How the value that we keep came to be, as the ORKG words it: by a person, by rule from sources, or not recorded.

    Values that nobody cited are never kept, so none of them goes out.
    """
    outcome = case.outcome
    behind = [claim for claim, status in outcome.statuses.items() if status is Status.ACCEPTED]
    if all(claim.source.slug.startswith(_FROM_ORKG) for claim in behind):
        return Method.UNKNOWN
    by_person = outcome.rule is Rule.MANUAL or any(claim.iri.value in reviewed for claim in behind)
    return Method.MANUAL if by_person else Method.AUTOMATIC


def _reviewed(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(
        item.content.iri.value
        for proposal in proposals_of(snapshot.quads(PROPOSALS)).values()
        for item in proposal.items
        if item.state is ItemState.ACCEPTED and isinstance(item.content, Claim)
    )


def _labels(snapshot: Snapshot) -> dict[str, str]:
    """How the things of the registry are called. Concepts go by their notation, which ends their IRI."""
    found: dict[str, str] = {}
    for predicate in _NAMING:
        for quad in snapshot.quads(REGISTRY):
            if quad.predicate.value == predicate and isinstance(quad.subject, IRI) and isinstance(quad.object, Literal):
                found.setdefault(quad.subject.value, quad.object.value)
    return found


def _agreement(meanings: Mapping[str, _Meaning], cases: Mapping[Key, Case], names: Names) -> Agrees:
    """What tells whether a cell of the ORKG says what we hold."""

    def agrees(slug: str, means: str, refs: tuple[Ref, ...]) -> bool | None:
        meaning = meanings[means]
        if meaning.field.of == "dataset":
            return None
        try:
            read = [
                value for ref in refs for value in values.read(meaning.field, Cell(name_of(ref)), meaning.unit, names)
            ]
        except Refused:
            return None
        case = cases[_key(names.models[slug], meaning.field)]
        return _says_ours(meaning.field, read, case)

    return agrees


def _says_ours(prop: Field, read: list[values.Value], case: Case) -> bool | None:
    terms = {value.term for value in read}
    ours = set(case.outcome.values)
    kind = cardinality(prop.predicate)
    if kind is Cardinality.ADDITIVE:
        return terms <= ours
    if kind is Cardinality.COMPLETE_SET:
        return terms == ours
    if len(terms) > 1:
        return None
    if terms == ours:
        return True
    kept = [claim for claim in case.claims if claim.value in ours and case.outcome.statuses.get(claim) in _THERE]
    return any(agree(_as_claim(value, claim), claim) for value in read for claim in kept)


def _as_claim(value: values.Value, like: Claim) -> Claim:
    """A value that was read as a claim beside another one, to be compared with it."""
    return Claim(like.subject, like.predicate, value.term, value.shown, like.source, "", interval=value.interval)
