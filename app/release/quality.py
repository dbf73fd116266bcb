"""How good the data of a release is: completeness and conflicts by property, findings, kinds of sources. Never writes.

The same numbers for people (Markdown) and for programs (Data Quality Vocabulary).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from app import vocab
from app.compare.reader import local_name
from app.compare.values import CompareTable, Property, Reason, Status
from app.model.changes import Revision
from app.model.rdf import IRI, TYPE, Term, Triple, iri, literal, moment, text
from app.release.tables import Table
from app.validation.findings import Report, Severity

_APART = frozenset({Reason.NOT_APPLICABLE, Reason.VARIES_BY_LAYER})
"""Reasons for which a missing value is no gap."""
_DIGITS = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class OfProperty:
    """What is known of one property, in models. `asked` leaves out those that the property does not apply to.

    `cited` are the models of which at least two sources speak in this property, `disputed` those where they differ,
    settled or not.
    """

    of: Property
    asked: int
    known: int
    proposed: int
    open: int
    missing: int
    cited: int
    disputed: int

    @property
    def completeness(self) -> Decimal | None:
        """Share of the models with an accepted or derived value; None where none is asked."""
        return _share(self.known, self.asked)

    @property
    def conflict_rate(self) -> Decimal | None:
        """Share of differing sources among the models with several; None where no model has several."""
        return _share(self.disputed, self.cited)


@dataclass(frozen=True, slots=True)
class Quality:
    """The whole report."""

    properties: tuple[OfProperty, ...]
    report: Report
    sources: Mapping[str, int]
    statuses: Mapping[str, int]


def quality(compared: CompareTable, claims: Table, report: Report, disputed: Iterable[tuple[str, str]]) -> Quality:
    """Count. `disputed` are the questions (subject and property, by IRI) on which sources differ or differed."""
    sources: dict[tuple[str, str], set[str]] = defaultdict(set)
    kinds: dict[str, str] = {}
    for row in claims.rows:
        sources[str(row["subject"]), str(row["property_iri"])].add(str(row["source"]))
        kinds[str(row["source"])] = str(row["source_type"])
    questions = set(disputed)
    return Quality(
        properties=tuple(_of_property(one, compared, sources, questions) for one in compared.properties),
        report=report,
        sources=dict(sorted(Counter(kinds.values()).items())),
        statuses=dict(sorted(Counter(str(row["status"]) for row in claims.rows).items())),
    )


def _of_property(
    one: Property,
    compared: CompareTable,
    sources: Mapping[tuple[str, str], set[str]],
    disputed: set[tuple[str, str]],
) -> OfProperty:
    subjects = {model.slug: model.iri if one.of == "model" else model.architecture for model in compared.models}
    cells = [compared.rows[slug][one.name] for slug in subjects]
    counted = Counter(cell.status for cell in cells)
    apart = sum(cell.status is Status.MISSING and cell.reason in _APART for cell in cells)
    keys = {(subject, one.iri) for subject in subjects.values()}
    return OfProperty(
        of=one,
        asked=len(cells) - apart,
        known=counted[Status.ACCEPTED] + counted[Status.DERIVED],
        proposed=counted[Status.PROPOSED],
        open=counted[Status.DISPUTED],
        missing=counted[Status.MISSING] - apart,
        cited=sum(len(sources.get(key, ())) > 1 or key in disputed for key in keys),
        disputed=len(keys & disputed),
    )


def markdown(found: Quality, revision: Revision) -> str:
    """The report for people."""
    lines = [
        "# Quality report",
        "",
        f"Revision {revision.number}, made on {revision.made_at:%Y-%m-%d}.",
        "",
        "## Findings of validation",
        "",
        "| severity | findings |",
        "| --- | ---: |",
        *(f"| {severity.value.lower()} | {found.report.counts[severity]} |" for severity in Severity),
        "",
        "| constraint | findings | first message |",
        "| --- | ---: | --- |",
        *(
            f"| {name} | {count} | {_message(found.report, name)} |"
            for name, count in found.report.by_constraint.items()
        ),
        "",
        "## Sources",
        "",
        "Sources that claims come from, by kind.",
        "",
        "| kind of source | sources |",
        "| --- | ---: |",
        *(f"| {name} | {count} |" for name, count in found.sources.items()),
        "",
        "| what became of a claim | claims |",
        "| --- | ---: |",
        *(f"| {name} | {count} |" for name, count in found.statuses.items()),
        "",
        "## Properties",
        "",
        "Counted in models and larger baselines. *Asked* leaves out those to which the property does not apply.",
        "*Known*: an accepted or derived value. *Complete* is known by asked. *Conflicts* is the share of models on",
        "which sources differ or differed, among those of which two sources or more speak.",
        "",
        "| property | asked | known | proposed | open | missing | complete | conflicts |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {one.of.name} | {one.asked} | {one.known} | {one.proposed} | {one.open} | {one.missing} "
            f"| {_percent(one.completeness)} | {_percent(one.conflict_rate)} |"
            for one in found.properties
        ),
        "",
    ]
    return "\n".join(lines)


def triples(found: Quality, revision: Revision) -> list[Triple]:
    """The report in DQV. It speaks of the revision, not of a release's name, so that it can be made again."""
    dataset = IRI(f"{vocab.resource.NS}revision/{revision.number}")
    report = IRI(f"{dataset.value}#quality")
    result = [
        *_said(
            report,
            [
                (TYPE.value, iri(vocab.dqv.QualityMetadata)),
                (vocab.dct.created, moment(revision.made_at.isoformat())),
                (vocab.rdfs.label, text(f"quality of revision {revision.number}")),
            ],
        )
    ]
    for name, (label, definition, dimension) in _METRICS.items():
        result += _said(
            IRI(f"{dataset.value}#metric/{name}"),
            [
                (TYPE.value, iri(vocab.dqv.Metric)),
                (vocab.skos.prefLabel, text(label)),
                (vocab.skos.definition, text(definition)),
                (vocab.dqv.expectedDataType, iri(vocab.xsd.decimal if name in _RATES else vocab.xsd.integer)),
                (vocab.dqv.inDimension, IRI(f"{dataset.value}#dimension/{dimension}")),
            ],
        )
    for name in sorted({dimension for _, _, dimension in _METRICS.values()}):
        result += _said(
            IRI(f"{dataset.value}#dimension/{name}"),
            [(TYPE.value, iri(vocab.dqv.Dimension)), (vocab.skos.prefLabel, text(name))],
        )
    for one in found.properties:
        part = IRI(f"{dataset.value}#property/{one.of.name}")
        result += _said(
            part,
            [
                (TYPE.value, iri(vocab.void.Dataset)),
                (vocab.void.property, iri(one.of.iri)),
                (vocab.dct.isPartOf, dataset),
            ],
        )
        for name, value in (
            ("completeness", one.completeness),
            ("conflict-rate", one.conflict_rate),
            ("open", one.open),
        ):
            result += _measured(dataset, part, name, one.of.name, value)
    for severity in Severity:
        name = f"{severity.value.lower()}s"
        result += _measured(dataset, dataset, name, "all", found.report.counts[severity])
    for kind, count in found.sources.items():
        part = IRI(f"{dataset.value}#sources/{kind}")
        result += _said(
            part,
            [
                (TYPE.value, iri(vocab.void.Dataset)),
                (vocab.dct.type, IRI(f"{vocab.vocab.NS}source-type/{local_name(kind)}")),
                (vocab.dct.isPartOf, dataset),
            ],
        )
        result += _measured(dataset, part, "sources", kind, count)
    return result


def _measured(dataset: IRI, part: IRI, metric: str, name: str, value: int | Decimal | None) -> Iterator[Triple]:
    """One measurement; none where there is no value."""
    if value is None:
        return
    node = IRI(f"{dataset.value}#measurement/{metric}/{name}")
    yield Triple(part, iri(vocab.dqv.hasQualityMeasurement), node)
    yield from _said(
        node,
        [
            (TYPE.value, iri(vocab.dqv.QualityMeasurement)),
            (vocab.dqv.computedOn, part),
            (vocab.dqv.isMeasurementOf, IRI(f"{dataset.value}#metric/{metric}")),
            (vocab.dqv.value, literal(value)),
        ],
    )


def _said(subject: IRI, pairs: Iterable[tuple[str, Term | None]]) -> Iterator[Triple]:
    return (Triple(subject, IRI(name), value) for name, value in pairs if value is not None)


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / Decimal(whole)).quantize(_DIGITS, ROUND_HALF_EVEN) if whole else None


def _percent(share: Decimal | None) -> str:
    return "" if share is None else f"{share * 100:.1f} %"


def _message(report: Report, constraint: str) -> str:
    message = next(one.message for one in report.findings if one.constraint == constraint)
    return " ".join(message.replace("|", "\\|").split())


_RATES = frozenset({"completeness", "conflict-rate"})
_METRICS = {
    "completeness": (
        "completeness",
        "Share of the models with an accepted or derived value, of those to which the property applies.",
        "completeness",
    ),
    "conflict-rate": (
        "conflict rate",
        "Share of the models on which sources differ or differed, of those of which two sources or more speak.",
        "consistency",
    ),
    "open": ("open disagreements", "Models on which sources differ and nobody has decided.", "consistency"),
    "violations": ("violations", "Findings of validation that block a change.", "validity"),
    "warnings": ("warnings", "Findings of validation that need a curator's look.", "validity"),
    "infos": ("infos", "Findings of validation that are only shown.", "validity"),
    "sources": ("sources", "Sources of one kind that claims come from.", "trustworthiness"),
}
