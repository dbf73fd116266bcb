"""Gathers what the graph knows about many subjects at once, one query per concern, and makes cells of it.

A subject is a model, its architecture or a group of its layers. Never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app import vocab
from app.compare.reader import Reader, Record, local_name, text
from app.compare.values import Agreement, Cell, Property, Reason, Status, Value
from app.model.rdf import Term

Key = tuple[str, str]
"""A subject and a property, both by IRI."""

_REASONS = {
    vocab.slm.notReported: Reason.NOT_REPORTED,
    vocab.slm.notApplicable: Reason.NOT_APPLICABLE,
    vocab.slm.notLookedFor: Reason.NOT_LOOKED_FOR,
    vocab.slm.withheld: Reason.WITHHELD,
    vocab.slm.variesByLayer: Reason.VARIES_BY_LAYER,
}
_FURTHER = (vocab.prov.wasDerivedFrom, vocab.dct.source, vocab.sosa.hasResult)
_AGREEING = frozenset({"Accepted", "Compatible"})
_NO_PART = frozenset({"Proposed", "Superseded"})


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim with what became of it (a notation of the scheme `claim-status`)."""

    node: Term
    value: Term
    status: str
    source: Term

    @property
    def iri(self) -> str:
        """The claim's IRI."""
        return self.node.value


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about each property of each subject."""

    accepted: Mapping[Key, list[Term]]
    absences: Mapping[Key, list[Reason]]
    claims: Mapping[Key, list[Claimed]]
    derivations: Mapping[Key, tuple[str, Record]]
    decisions: Mapping[Key, Mapping[str, tuple[str, Record]]]
    """Disagreements and resolutions: IRI and record by class."""
    source_of: Mapping[str, str]
    """The source of each claim."""

    def cell(self, reader: Reader, prop: Property, subject: str) -> Cell:
        """The answer for one property of one subject."""
        key = (subject, prop.iri)
        return self._derived(reader, key) if prop.kind == "derived" else self._claimed(reader, key)

    def _claimed(self, reader: Reader, key: Key) -> Cell:
        claims = sorted(self.claims.get(key, ()), key=lambda claim: claim.iri)
        iris = tuple(claim.iri for claim in claims)
        agreeing = {claim.source.value for claim in claims if claim.status in _AGREEING}
        opposing = {claim.source.value for claim in claims if claim.status not in _AGREEING | _NO_PART}
        sources = Agreement(len(agreeing - opposing), len(opposing))
        if key in self.accepted:
            values = _values(reader, self.accepted[key])
            return Cell(Status.ACCEPTED, values, sources=sources, claims=iris)
        if any(claim.status == "Open" for claim in claims):
            rivals = _values(reader, (claim.value for claim in claims if claim.status == "Open"))
            return Cell(Status.DISPUTED, candidates=rivals, sources=sources, claims=iris)
        proposed = [claim for claim in claims if claim.status == "Proposed"]
        if proposed and not agreeing:
            return _proposed(reader, proposed, iris)
        reason = next(iter(self.absences.get(key, ())), Reason.NOT_LOOKED_FOR)
        return Cell(Status.MISSING, reason=reason, sources=sources, claims=iris)

    def _derived(self, reader: Reader, key: Key) -> Cell:
        if vocab.slm.derivedValue not in self.derivations.get(key, ("", {}))[1]:
            return Cell(Status.MISSING, reason=Reason.NOT_DERIVABLE)
        _, record = self.derivations[key]
        inputs = tuple(term.value for term in record.get(vocab.slm.usedClaim, ()))
        sources = {self.source_of[claim] for claim in inputs if claim in self.source_of}
        return Cell(
            Status.PROPOSED if rests_on_proposed(record) else Status.DERIVED,
            _values(reader, record[vocab.slm.derivedValue]),
            sources=Agreement(agreeing=len(sources)),
            claims=inputs,
        )


def gather(reader: Reader, subjects: Iterable[Term], wanted: Iterable[Property]) -> Evidence:
    """What the graph knows about these properties of these subjects; as many queries for many subjects as for one."""
    chosen = {one.iri for one in wanted}
    nodes = list(subjects)
    accepted: dict[Key, list[Term]] = defaultdict(list)
    absences: dict[Key, list[Reason]] = defaultdict(list)
    for row in reader.rows("curated", subject=nodes):
        if row["property"].value in chosen:
            accepted[row["subject"].value, row["property"].value].append(row["value"])
    for row in reader.rows("absences", subject=nodes):
        absences[row["subject"].value, row["property"].value].append(_REASONS[row["why"].value])
    claims, source_of = _claims(reader, nodes, chosen)
    statements = _statements(reader, nodes, chosen)
    source_of |= _sources_of_inputs(reader, statements, source_of)
    evidence = Evidence(
        accepted=accepted,
        absences=absences,
        claims=claims,
        derivations={
            key: by_kind[vocab.slm.Derivation] for key, by_kind in statements.items() if vocab.slm.Derivation in by_kind
        },
        decisions=statements,
        source_of=source_of,
    )
    reader.learn(
        [
            *(term for terms in accepted.values() for term in terms),
            *(claim.value for of_key in claims.values() for claim in of_key),
        ]
    )
    return evidence


def told(reader: Reader, claims: Iterable[Term]) -> dict[str, dict[str, str | None]]:
    """What each of these claims or observations says: the source's characters, where they stand, and its status."""
    records = reader.records(claims)
    further = {term for record in records.values() for name in _FURTHER for term in record.get(name, ())}
    about = reader.records(further)
    found: dict[str, dict[str, str | None]] = {}
    for iri, record in sorted(records.items()):
        source = text(record, vocab.prov.wasDerivedFrom) or text(record, vocab.dct.source)
        result = about.get(text(record, vocab.sosa.hasResult) or "", {})
        status = text(record, vocab.slm.status)
        found[iri] = {
            "reported": text(record, vocab.slm.valueAsReported) or text(result, vocab.slm.valueAsReported),
            "locator": text(record, vocab.slm.locator),
            "status": local_name(status) if status else None,
            "source": source,
            "title": text(about.get(source or "", {}), vocab.dct.title),
        }
    return found


def rests_on_proposed(derivation: Record) -> bool:
    """Whether a claim that nobody cited went into this derivation."""
    return any(term.value == "true" for term in derivation.get(vocab.slm.restsOnProposed, ()))


def _claims(reader: Reader, nodes: list[Term], chosen: set[str]) -> tuple[dict[Key, list[Claimed]], dict[str, str]]:
    claims: dict[Key, list[Claimed]] = defaultdict(list)
    source_of: dict[str, str] = {}
    for row in reader.rows("claims", subject=nodes):
        source_of[row["claim"].value] = row["source"].value
        if row["property"].value in chosen:
            claim = Claimed(row["claim"], row["value"], local_name(row["status"].value), row["source"])
            claims[row["subject"].value, row["property"].value].append(claim)
    return claims, source_of


def _sources_of_inputs(
    reader: Reader, statements: Mapping[Key, Mapping[str, tuple[str, Record]]], known: Mapping[str, str]
) -> dict[str, str]:
    """The sources of claims on other things, such as groups of layers, that went into derivations."""
    inputs = {
        term
        for by_kind in statements.values()
        for _, record in by_kind.values()
        for term in record.get(vocab.slm.usedClaim, ())
        if term.value not in known
    }
    records = reader.records(inputs)
    return {iri: source for iri, record in records.items() if (source := text(record, vocab.prov.wasDerivedFrom))}


def _statements(reader: Reader, nodes: list[Term], chosen: set[str]) -> dict[Key, dict[str, tuple[str, Record]]]:
    rows = [row for row in reader.rows("statements", subject=nodes) if row["property"].value in chosen]
    records = reader.records(row["node"] for row in rows)
    found: dict[Key, dict[str, tuple[str, Record]]] = defaultdict(dict)
    for row in rows:
        node = row["node"].value
        found[row["subject"].value, row["property"].value][row["kind"].value] = (node, records[node])
    return found


def _proposed(reader: Reader, claims: list[Claimed], iris: tuple[str, ...]) -> Cell:
    values = _values(reader, (claim.value for claim in claims))
    sources = Agreement(agreeing=len({claim.source.value for claim in claims}))
    return Cell(Status.PROPOSED, values, sources=sources, claims=iris)


def _values(reader: Reader, terms: Iterable[Term]) -> tuple[Value, ...]:
    """Plain values, each once, in a stable order."""
    distinct = {str(term): reader.value(term) for term in terms}
    return tuple(sorted(distinct.values(), key=lambda value: (str(type(value.plain)), value.plain)))
