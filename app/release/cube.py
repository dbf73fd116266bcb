"""The observations as RDF Data Cube: one cube of benchmark scores, one of runtime measurements. Never writes.

Each observation stands alone with all its dimensions (the cube is written in normalised form, without slices). What
two observations have in common in every dimension is told apart by `repetition`. Values are in the metric's own unit
(QUDT, or ours), whatever the source printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app import vocab
from app.compare.reader import Reader, Record, local_name
from app.model.rdf import IRI, TYPE, Literal, Term, Triple, iri, literal, text
from app.release.tables import observations, record_terms

NS = vocab.cube.NS


@dataclass(frozen=True, slots=True)
class _Part:
    """A component of a cube: its short name, where its value stands in the graph, and what its values are."""

    name: str
    source: str
    label: str
    range: str
    scheme: str | None = None
    required: bool = True


_ARTIFACT = _Part("artifact", vocab.sosa.hasFeatureOfInterest, "weights", vocab.slm.ModelArtifact)
_METRIC = _Part("metric", vocab.sosa.observedProperty, "metric", vocab.slm.Metric)
_RUN = _Part("run", vocab.slm.inRun, "run", vocab.slm.MeasurementRun)
_STATISTIC = _Part("statistic", vocab.slm.statistic, "statistic", vocab.skos.Concept, vocab.vocab.NS + "statistic")
_PROTOCOL = _Part("protocol", vocab.sosa.usedProcedure, "protocol", vocab.slm.EvaluationProtocol)
_CONFIGURATION = _Part("configuration", vocab.slm.underConfiguration, "configuration", vocab.slm.RunConfiguration)
_REPETITION = _Part("repetition", "", "repetition", vocab.xsd.integer)
_MODEL = _Part("model", vocab.slm.ofModel, "model", vocab.slm.LanguageModel)
_SOURCE = _Part("source", vocab.dct.source, "source", vocab.slm.SourceDocument)
_ORIGIN = _Part("origin", vocab.slm.origin, "origin", vocab.skos.Concept, vocab.vocab.NS + "origin", required=False)
_LOCATOR = _Part("locator", vocab.slm.locator, "place in the source", vocab.xsd.string, required=False)

_ATTRIBUTES = (_MODEL, _SOURCE, _ORIGIN, _LOCATOR)


@dataclass(frozen=True, slots=True)
class _Cube:
    name: str
    kind: str
    label: str
    dimensions: tuple[_Part, ...]


_CUBES = (
    _Cube(
        "benchmark-results",
        vocab.slm.BenchmarkResult,
        "Benchmark scores",
        (_ARTIFACT, _METRIC, _PROTOCOL, _RUN, _STATISTIC),
    ),
    _Cube(
        "runtime-results",
        vocab.slm.RuntimeResult,
        "Runtime measurements",
        (_ARTIFACT, _METRIC, _CONFIGURATION, _RUN, _STATISTIC),
    ),
)


def cube(reader: Reader) -> list[Triple]:
    """The triples of both cubes, in the order in which they are written."""
    found = observations(reader)
    units = {
        node: record[vocab.slm.canonicalUnit][0]
        for node, record in reader.records(record_terms(found, vocab.sosa.observedProperty)).items()
        if vocab.slm.canonicalUnit in record
    }
    triples = [*_components(), *_concepts(reader, found)]
    for one in _CUBES:
        members = {
            node: record for node, record in found.items() if any(kind.value == one.kind for kind in record[TYPE.value])
        }
        triples += _structure(one)
        triples += _members(one, members, units)
    return triples


def _components() -> Iterator[Triple]:
    """The properties of the cubes, and the two of SDMX that they share with other cubes."""
    parts = dict.fromkeys(part for one in _CUBES for part in one.dimensions)
    for kind, of_kind in (
        (vocab.qb.DimensionProperty, [*parts, _REPETITION]),
        (vocab.qb.AttributeProperty, _ATTRIBUTES),
    ):
        for part in of_kind:
            node = IRI(NS + part.name)
            yield from _said(
                node,
                [
                    (TYPE.value, iri(kind)),
                    (TYPE.value, iri(vocab.rdf.Property)),
                    (TYPE.value, iri(vocab.qb.CodedProperty) if part.scheme else None),
                    (vocab.rdfs.label, text(part.label)),
                    (vocab.rdfs.range, iri(part.range)),
                    (vocab.qb.codeList, iri(part.scheme) if part.scheme else None),
                    (vocab.rdfs.seeAlso, iri(part.source) if part.source else None),
                ],
            )
    yield from _said(
        iri(vocab.sdmxm.obsValue),
        [
            (TYPE.value, iri(vocab.qb.MeasureProperty)),
            (TYPE.value, iri(vocab.rdf.Property)),
            (vocab.rdfs.range, iri(vocab.xsd.decimal)),
        ],
    )
    yield from _said(
        iri(vocab.sdmxa.unitMeasure),
        [
            (TYPE.value, iri(vocab.qb.AttributeProperty)),
            (TYPE.value, iri(vocab.rdf.Property)),
            (vocab.rdfs.range, iri(vocab.qudt.Unit)),
        ],
    )


def _concepts(reader: Reader, found: Mapping[str, Record]) -> Iterator[Triple]:
    """The code lists with the concepts in use."""
    for part in (_STATISTIC, _ORIGIN):
        scheme = IRI(part.scheme or "")
        yield Triple(scheme, TYPE, iri(vocab.skos.ConceptScheme))
        used = record_terms(found, part.source)
        reader.learn(used)
        for term in used:
            if isinstance(term, IRI):
                yield from _said(
                    term,
                    [
                        (TYPE.value, iri(vocab.skos.Concept)),
                        (vocab.skos.inScheme, scheme),
                        (vocab.skos.prefLabel, text(reader.thing(term).label)),
                    ],
                )


def _structure(one: _Cube) -> Iterator[Triple]:
    """The cube and its structure definition."""
    dataset, structure = IRI(NS + one.name), IRI(f"{NS}{one.name}-structure")
    yield from _said(
        dataset,
        [
            (TYPE.value, iri(vocab.qb.DataSet)),
            (vocab.rdfs.label, text(one.label)),
            (vocab.qb.structure, structure),
        ],
    )
    parts: list[tuple[str, str, str, bool | None]] = [
        *((part.name, vocab.qb.dimension, NS + part.name, None) for part in (*one.dimensions, _REPETITION)),
        ("value", vocab.qb.measure, vocab.sdmxm.obsValue, None),
        ("unit", vocab.qb.attribute, vocab.sdmxa.unitMeasure, True),
        *((part.name, vocab.qb.attribute, NS + part.name, part.required) for part in _ATTRIBUTES),
    ]
    yield from _said(
        structure,
        [
            (TYPE.value, iri(vocab.qb.DataStructureDefinition)),
            *((vocab.qb.component, IRI(f"{NS}{one.name}-{name}")) for name, _, _, _ in parts),
        ],
    )
    for place, (name, role, component, required) in enumerate(parts, start=1):
        yield from _said(
            IRI(f"{NS}{one.name}-{name}"),
            [
                (TYPE.value, iri(vocab.qb.ComponentSpecification)),
                (role, iri(component)),
                (vocab.qb.componentProperty, iri(component)),
                (vocab.qb.order, literal(place)),
                (vocab.qb.componentRequired, None if required is None else literal(required)),
            ],
        )


def _members(one: _Cube, members: Mapping[str, Record], units: Mapping[str, Term]) -> Iterator[Triple]:
    """The observations of a cube. One that lacks a dimension, a value or a unit is no observation of a cube."""
    seen: Counter[tuple[str, ...]] = Counter()
    for node, record in members.items():
        metric = record.get(vocab.sosa.observedProperty, ())
        unit = units.get(metric[0].value) if metric else None
        places = [record.get(part.source, ()) for part in one.dimensions]
        value = record.get(vocab.sosa.hasSimpleResult, ())
        needed = [record.get(part.source, ()) for part in _ATTRIBUTES if part.required]
        if unit is None or not value or not all((*places, *needed)):
            continue
        key = tuple(terms[0].value for terms in places)
        seen[key] += 1
        yield from _said(
            IRI(f"{NS}{local_name(node)}"),
            [
                (TYPE.value, iri(vocab.qb.Observation)),
                (vocab.qb.dataSet, IRI(NS + one.name)),
                *((NS + part.name, terms[0]) for part, terms in zip(one.dimensions, places, strict=True)),
                (NS + _REPETITION.name, literal(seen[key])),
                (vocab.sdmxm.obsValue, _decimal(value[0])),
                (vocab.sdmxa.unitMeasure, unit),
                *((NS + part.name, record[part.source][0]) for part in _ATTRIBUTES if part.source in record),
                (vocab.rdfs.seeAlso, IRI(node)),
            ],
        )


def _decimal(term: Term) -> Term:
    return Literal(term.value, datatype=IRI(vocab.xsd.decimal))


def _said(subject: IRI, pairs: Iterable[tuple[str, Term | None]]) -> Iterator[Triple]:
    return (Triple(subject, IRI(name), value) for name, value in pairs if value is not None)
