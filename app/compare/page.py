"""One model with everything that is known about it: each property with its claims, sources and resolution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app import vocab
from app.compare import models, properties
from app.compare.evidence import Claimed, Evidence, Key, gather, rests_on_proposed
from app.compare.reader import Reader, Record, local_name, text, texts
from app.compare.table import subject_of, subjects
from app.compare.values import (
    ClaimRecord,
    DerivationRecord,
    DisagreementRecord,
    Document,
    Interval,
    LayerGroupRecord,
    ModelPage,
    Property,
    PropertyRecord,
    Reason,
    ResolutionRecord,
    SourceRef,
    Status,
)
from app.model.rdf import IRI, Term, python_value


def model_page(reader: Reader, slug: str) -> ModelPage:
    """The page of the model with this slug; NotFound names the closest one.

    All properties are there, the missing ones with the reason. Layer groups have those properties only that vary.
    """
    model = models.find(models.summaries(reader), slug)
    known = tuple(properties.properties(reader).values())
    layers = sorted(reader.rows("layers", architecture=[IRI(model.architecture)]), key=lambda row: _whole(row["first"]))
    groups = [row["group"] for row in layers]
    teller = _Teller.of(reader, gather(reader, [*subjects(model), *groups], known))
    return ModelPage(
        model=model,
        properties=tuple(teller.tell(one, subject_of(model, one.of)) for one in known),
        layer_groups=tuple(
            LayerGroupRecord(
                iri=row["group"].value,
                first=_whole(row["first"]),
                last=_whole(row["last"]),
                properties=tuple(teller.tell_known(known, row["group"].value)),
            )
            for row in layers
        ),
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells property by property what the evidence says; holds the details of its claims and sources."""

    reader: Reader
    evidence: Evidence
    claims: Mapping[str, Record]
    sources: Mapping[str, SourceRef]

    @classmethod
    def of(cls, reader: Reader, evidence: Evidence) -> _Teller:
        claims = [claim for of_key in evidence.claims.values() for claim in of_key]
        agents = [
            term
            for by_kind in evidence.decisions.values()
            for _, record in by_kind.values()
            for term in record.get(vocab.prov.wasAttributedTo, ())
        ]
        reader.learn(agents)
        return cls(
            reader,
            evidence,
            reader.records(claim.node for claim in claims),
            _sources(reader, [claim.source for claim in claims]),
        )

    def tell(self, prop: Property, subject: str) -> PropertyRecord:
        key = (subject, prop.iri)
        claims = sorted(self.evidence.claims.get(key, ()), key=self._trust)
        return PropertyRecord(
            property=prop,
            cell=self.evidence.cell(self.reader, prop, subject),
            claims=tuple(self._claim(claim) for claim in claims),
            disagreement=self._disagreement(key),
            derivation=self._derivation(key),
        )

    def tell_known(self, known: Iterable[Property], subject: str) -> Iterable[PropertyRecord]:
        """What is known of a layer group, without the long list of what is not."""
        records = (self.tell(prop, subject) for prop in known)
        return (
            record
            for record in records
            if record.cell.status is not Status.MISSING
            or record.cell.reason not in {Reason.NOT_LOOKED_FOR, Reason.NOT_DERIVABLE}
        )

    def _trust(self, claim: Claimed) -> tuple[int, str]:
        return self.sources[claim.source.value].trust_rank, claim.iri

    def _claim(self, claim: Claimed) -> ClaimRecord:
        record = self.claims[claim.iri]
        lower, upper = record.get(vocab.slm.lowerBound), record.get(vocab.slm.upperBound)
        return ClaimRecord(
            iri=claim.iri,
            value=self.reader.value(claim.value),
            reported=text(record, vocab.slm.valueAsReported) or "",
            interval=Interval(python_value(lower[0]), python_value(upper[0])) if lower and upper else None,
            source=self.sources[claim.source.value],
            locator=text(record, vocab.slm.locator) or "",
            reading=local_name(text(record, vocab.slm.reading) or ""),
            status=claim.status,
            note=text(record, vocab.rdfs.comment),
        )

    def _disagreement(self, key: Key) -> DisagreementRecord | None:
        by_kind = self.evidence.decisions.get(key, {})
        if vocab.slm.Disagreement not in by_kind:
            return None
        node, record = by_kind[vocab.slm.Disagreement]
        settled = by_kind.get(vocab.slm.Resolution) if vocab.slm.settledBy in record else None
        return DisagreementRecord(
            iri=node,
            kinds=texts(record, vocab.slm.disagreementKind),
            notes=texts(record, vocab.skos.note),
            resolution=self._resolution(*settled) if settled else None,
        )

    def _resolution(self, node: str, record: Record) -> ResolutionRecord:
        return ResolutionRecord(
            iri=node,
            rule=text(record, vocab.slm.decisionRule) or "",
            note=text(record, vocab.skos.note),
            by=self.reader.thing(record[vocab.prov.wasAttributedTo][0]),
            date=text(record, vocab.dct.date),
            accepts=texts(record, vocab.slm.accepts),
            rejects=texts(record, vocab.slm.rejects),
        )

    def _derivation(self, key: Key) -> DerivationRecord | None:
        if key not in self.evidence.derivations:
            return None
        node, record = self.evidence.derivations[key]
        return DerivationRecord(
            iri=node,
            formula=text(record, vocab.slm.formula) or "",
            rests_on_proposed=rests_on_proposed(record),
            inputs=texts(record, vocab.slm.usedClaim),
        )


def _sources(reader: Reader, nodes: Iterable[Term]) -> dict[str, SourceRef]:
    """Sources with their types and the documents that they rest on."""
    records = reader.records(nodes)
    documents = reader.records(
        document for record in records.values() for document in record.get(vocab.prov.hadPrimarySource, ())
    )
    ranks = {row["type"].value: (row["notation"].value, _whole(row["rank"])) for row in reader.rows("source-types")}
    return {iri: _source(iri, record, documents, ranks) for iri, record in records.items()}


def _source(
    iri: str, record: Record, documents: Mapping[str, Record], ranks: Mapping[str, tuple[str, int]]
) -> SourceRef:
    kind, rank = ranks[text(record, vocab.slm.sourceType) or ""]
    return SourceRef(
        iri=iri,
        title=text(record, vocab.dct.title) or "",
        type=kind,
        trust_rank=rank,
        address=text(record, vocab.dct.source),
        dated=text(record, vocab.dct.date),
        retrieved=text(record, vocab.slm.retrievedOn),
        documents=tuple(
            Document(one, text(of_one, vocab.dct.title) or "", text(of_one, vocab.dct.source))
            for one in texts(record, vocab.prov.hadPrimarySource)
            for of_one in (documents.get(one, {}),)
        ),
    )


def _whole(term: Term) -> int:
    return int(python_value(term))
