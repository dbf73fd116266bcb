"""What the graph and its service say of themselves: service description, VoID with statistics, DCAT record.

Builds triples from counts; asks nothing and writes nothing. The counts come from the queries `void-….rq`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from app import vocab
from app.compare.questions import questions
from app.compare.reader import stored_queries
from app.model.changes import Revision
from app.model.quads import TEAM
from app.model.rdf import IRI, TYPE, XSD, Literal, Term, Triple, iri, literal, moment, python_value, text
from app.store.port import Row
from app.store.rq import QueryFile

DATASET = IRI(vocab.BASE + "dataset")
LICENSE = IRI("https://creativecommons.org/licenses/by/4.0/")
TITLE = "slmkg: a knowledge graph of small language models"
ABOUT = "What sources say about small language models, which claim is accepted and why, and what was measured."
KEYWORDS = ("small language models", "knowledge graph", "provenance", "benchmarks")
FORMATS: Mapping[str, str] = {
    "application/sparql-results+json": vocab.formats.SPARQL_Results_JSON,
    "application/sparql-results+xml": vocab.formats.SPARQL_Results_XML,
    "text/csv": vocab.formats.SPARQL_Results_CSV,
    "text/tab-separated-values": vocab.formats.SPARQL_Results_TSV,
    "text/turtle": vocab.formats.Turtle,
    "application/n-triples": vocab.formats.N_Triples,
    "application/ld+json": vocab.formats.JSON_LD,
    "application/rdf+xml": vocab.formats.RDF_XML,
    "application/n-quads": vocab.formats.N_Quads,
    "application/trig": vocab.formats.TriG,
}
"""The W3C's name of each format by media type."""
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_QUERIES = ("void-totals", "void-graphs", "void-classes", "void-properties", "void-class-properties")

Pairs = Iterable[tuple[str, Term | None]]


@dataclass(frozen=True, slots=True)
class Use:
    """How often a property is used, on how many subjects, with how many objects."""

    triples: int
    subjects: int
    objects: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much one revision holds, counted over all graphs together."""

    triples: int
    subjects: int
    objects: int
    entities: int
    graphs: Mapping[str, int]
    classes: Mapping[str, int]
    properties: Mapping[str, Use]
    by_class: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the service is reached: its root, and the prefix of a revision's own addresses (`/r/3`), if that is asked.

    Parts of a document are named by fragments, so that the same revision gives the same document.
    """

    root: str
    prefix: str = ""

    def at(self, path: str, fragment: str = "") -> IRI:
        """The address of something that depends on the revision."""
        return IRI(f"{self.root}{self.prefix}{path}{'#' if fragment else ''}{quote(fragment, safe='/:')}")

    def outside(self, path: str) -> IRI:
        """The address of something that does not."""
        return IRI(self.root + path)


def statistics_queries() -> tuple[QueryFile, ...]:
    """The queries whose rows `statistics` reads."""
    return tuple(stored_queries()[name] for name in _QUERIES)


def statistics(rows: Mapping[str, Sequence[Row]]) -> Statistics:
    """Read the counts from the rows of the statistics queries, by query name."""
    (totals,) = rows["void-totals"]
    by_class: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows["void-class-properties"]:
        by_class[row["class"].value][row["property"].value] = _number(row["triples"])
    return Statistics(
        triples=_number(totals["triples"]),
        subjects=_number(totals["subjects"]),
        objects=_number(totals["objects"]),
        entities=_number(totals["entities"]),
        graphs={row["graph"].value: _number(row["triples"]) for row in rows["void-graphs"]},
        classes={row["class"].value: _number(row["entities"]) for row in rows["void-classes"]},
        properties={
            row["property"].value: Use(*(_number(row[name]) for name in ("triples", "subjects", "objects")))
            for row in rows["void-properties"]
        },
        by_class=by_class,
    )


def service(
    place: Place, found: Statistics, formats: Iterable[str], *, union: bool, reads: Iterable[str] = ()
) -> Iterator[Triple]:
    """The SPARQL 1.1 Service Description. `reads` are the formats that can be written into the graph, if any can."""
    path = "/sparql"
    me, dataset, default = (place.at(path, name) for name in ("service", "dataset", "default-graph"))
    yield from _said(
        me,
        vocab.sd.Service,
        [
            (vocab.sd.endpoint, place.at(path)),
            (vocab.sd.supportedLanguage, iri(vocab.sd.SPARQL11Query)),
            *((vocab.sd.resultFormat, iri(FORMATS[name])) for name in formats),
            (vocab.sd.feature, iri(vocab.sd.UnionDefaultGraph) if union else None),
            (vocab.sd.defaultDataset, dataset),
            (vocab.dct.title, text(TITLE)),
        ],
    )
    yield from _said(
        dataset,
        vocab.sd.Dataset,
        [
            (vocab.sd.defaultGraph, default),
            *((vocab.sd.namedGraph, place.at(path, f"named/{_short(name)}")) for name in found.graphs),
            (vocab.rdfs.seeAlso, place.at("/.well-known/void")),
        ],
    )
    yield Triple(default, TYPE, iri(vocab.void.Dataset))
    yield from _said(default, vocab.sd.Graph, [(vocab.void.triples, literal(found.triples))])
    for name, triples in found.graphs.items():
        node, graph = place.at(path, f"named/{_short(name)}"), place.at(path, f"graph/{_short(name)}")
        yield from _said(node, vocab.sd.NamedGraph, [(vocab.sd.name, iri(name)), (vocab.sd.graph, graph)])
        yield Triple(graph, TYPE, iri(vocab.void.Dataset))
        yield from _said(graph, vocab.sd.Graph, [(vocab.void.triples, literal(triples))])
    readable = tuple(reads)
    if readable:
        yield from _said(
            place.at(path, "update-service"),
            vocab.sd.Service,
            [
                (vocab.sd.endpoint, place.outside("/update")),
                (vocab.sd.supportedLanguage, iri(vocab.sd.SPARQL11Update)),
                *((vocab.sd.inputFormat, iri(FORMATS[name])) for name in readable),
                (vocab.sd.defaultDataset, dataset),
            ],
        )


def dataset(place: Place, found: Statistics, formats: Iterable[str], revision: Revision) -> Iterator[Triple]:
    """The VoID description with partitions, the prefixes, and the example queries."""
    path = "/.well-known/void"
    document = place.at(path)
    yield from _said(
        document,
        vocab.void.DatasetDescription,
        [
            (vocab.dct.title, text(f"Description of {TITLE}")),
            (vocab.foaf.primaryTopic, DATASET),
            (vocab.dct.modified, moment(revision.made_at.isoformat())),
        ],
    )
    yield Triple(DATASET, TYPE, iri(vocab.void.Dataset))
    yield from _record(revision)
    yield from _said(
        DATASET,
        None,
        [
            (vocab.foaf.homepage, place.outside("/")),
            (vocab.void.sparqlEndpoint, place.at("/sparql")),
            (vocab.void.uriSpace, literal(vocab.BASE)),
            *((vocab.void.vocabulary, IRI(name)) for name in _vocabularies(found)),
            *((vocab.void.feature, iri(FORMATS[name])) for name in formats),
            (vocab.void.triples, literal(found.triples)),
            (vocab.void.entities, literal(found.entities)),
            (vocab.void.classes, literal(len(found.classes))),
            (vocab.void.properties, literal(len(found.properties))),
            (vocab.void.distinctSubjects, literal(found.subjects)),
            (vocab.void.distinctObjects, literal(found.objects)),
            (vocab.sh.prefixes, place.at(path, "prefixes")),
        ],
    )
    yield from _partitions(place, path, found)
    yield from _prefixes(place, path)
    yield from _examples(place, path)


def catalogue(place: Place, revision: Revision) -> Iterator[Triple]:
    """The DCAT record: the catalogue, the dataset, the services that answer from it, and what they hand out."""
    path = "/dcat"
    catalog, sparql, rest, answers = (place.at(path, name) for name in ("catalogue", "sparql", "api", "distribution"))
    yield from _said(
        catalog,
        vocab.dcat.Catalog,
        [
            (vocab.dct.title, text("Catalogue of slmkg")),
            (vocab.dct.description, text("The dataset of this service, and the ways to ask it.")),
            (vocab.dct.publisher, TEAM),
            (vocab.dct.modified, moment(revision.made_at.isoformat())),
            (vocab.foaf.homepage, place.outside("/")),
            (vocab.dcat.dataset, DATASET),
            (vocab.dcat.service, sparql),
            (vocab.dcat.service, rest),
        ],
    )
    yield Triple(DATASET, TYPE, iri(vocab.dcat.Dataset))
    yield from _record(revision)
    yield from _said(
        DATASET,
        None,
        [
            *((vocab.dcat.keyword, text(word)) for word in KEYWORDS),
            (vocab.dcat.landingPage, place.outside("/")),
            (vocab.dcat.distribution, answers),
            (vocab.rdfs.seeAlso, place.at("/.well-known/void")),
        ],
    )
    yield from _said(
        answers,
        vocab.dcat.Distribution,
        [
            (vocab.dct.title, text("The graph over SPARQL")),
            (vocab.dct.license, LICENSE),
            (vocab.dcat.accessURL, place.at("/sparql")),
            (vocab.dcat.accessService, sparql),
            (vocab.dcat.mediaType, IRI(_MEDIA_TYPES + "text/turtle")),
        ],
    )
    services = (
        (
            sparql,
            "SPARQL endpoint",
            place.at("/sparql"),
            place.at("/sparql"),
            "https://www.w3.org/TR/sparql11-protocol/",
        ),
        (
            rest,
            "REST interface",
            place.at("/api/v1"),
            place.outside("/openapi.json"),
            "https://spec.openapis.org/oas/v3.1.0",
        ),
    )
    for node, title, address, described, standard in services:
        yield from _said(
            node,
            vocab.dcat.DataService,
            [
                (vocab.dct.title, text(title)),
                (vocab.dcat.endpointURL, address),
                (vocab.dcat.endpointDescription, described),
                (vocab.dct.conformsTo, IRI(standard)),
                (vocab.dct.license, LICENSE),
                (vocab.dcat.servesDataset, DATASET),
            ],
        )


def _record(revision: Revision) -> Iterator[Triple]:
    """What VoID and DCAT say alike of the dataset."""
    return _said(
        DATASET,
        None,
        [
            (vocab.dct.title, text(TITLE)),
            (vocab.dct.description, text(ABOUT)),
            (vocab.dct.license, LICENSE),
            (vocab.dct.publisher, TEAM),
            (vocab.dct.modified, moment(revision.made_at.isoformat())),
            (vocab.dcat.version, literal(f"revision {revision.number}")),
        ],
    )


def _partitions(place: Place, path: str, found: Statistics) -> Iterator[Triple]:
    for name, use in found.properties.items():
        part = place.at(path, f"property/{_short(name)}")
        yield Triple(DATASET, iri(vocab.void.propertyPartition), part)
        yield from _said(
            part,
            vocab.void.Dataset,
            [
                (vocab.void.property, iri(name)),
                (vocab.void.triples, literal(use.triples)),
                (vocab.void.distinctSubjects, literal(use.subjects)),
                (vocab.void.distinctObjects, literal(use.objects)),
            ],
        )
    for name, entities in found.classes.items():
        part = place.at(path, f"class/{_short(name)}")
        used = found.by_class.get(name, {})
        yield Triple(DATASET, iri(vocab.void.classPartition), part)
        yield from _said(
            part,
            vocab.void.Dataset,
            [
                (vocab.void.class_, iri(name)),
                (vocab.void.entities, literal(entities)),
                (vocab.void.triples, literal(sum(used.values()))),
            ],
        )
        for inner, triples in used.items():
            nested = place.at(path, f"class/{_short(name)}/{_short(inner)}")
            yield Triple(part, iri(vocab.void.propertyPartition), nested)
            yield from _said(
                nested,
                vocab.void.Dataset,
                [(vocab.void.property, iri(inner)), (vocab.void.triples, literal(triples))],
            )


def _prefixes(place: Place, path: str) -> Iterator[Triple]:
    node = place.at(path, "prefixes")
    yield from _said(node, vocab.owl.Ontology, [(vocab.rdfs.label, text("Prefixes of the example queries"))])
    for prefix, namespace in vocab.PREFIXES.items():
        declared = place.at(path, f"prefix/{prefix}")
        yield Triple(node, iri(vocab.sh.declare), declared)
        yield from _said(
            declared,
            None,
            [
                (vocab.sh.prefix, literal(prefix)),
                (vocab.sh.namespace, Literal(namespace, datatype=IRI(XSD + "anyURI"))),
            ],
        )


def _examples(place: Place, path: str) -> Iterator[Triple]:
    for one in questions():
        node = place.at(path, f"query/{one.name}")
        yield Triple(node, TYPE, iri(vocab.sh.SPARQLExecutable))
        yield from _said(
            node,
            vocab.sh.SPARQLSelectExecutable,
            [
                (vocab.rdfs.comment, text(one.title)),
                (vocab.dct.description, text(one.about)),
                (vocab.sh.prefixes, place.at(path, "prefixes")),
                (vocab.sh.select, literal(one.text)),
                (vocab.schema.target, place.at("/sparql")),
            ],
        )


def _said(subject: IRI, kind: str | None, pairs: Pairs) -> Iterator[Triple]:
    """The triples of one thing; a property whose value is None is left out."""
    if kind is not None:
        yield Triple(subject, TYPE, iri(kind))
    for predicate, value in pairs:
        if value is not None:
            yield Triple(subject, IRI(predicate), value)


def _vocabularies(found: Statistics) -> list[str]:
    """Namespaces of the classes and properties in use."""
    known = sorted(vocab.PREFIXES.values(), key=len, reverse=True)
    used = set()
    for name in (*found.classes, *found.properties):
        cut = max(name.rfind("#"), name.rfind("/")) + 1
        used.add(next((one for one in known if name.startswith(one)), name[:cut] or name))
    return sorted(used)


def _short(name: str) -> str:
    """A name for a fragment: without the base, if it is one of ours, so that fragments stay readable."""
    return vocab.shrink(name).removeprefix(vocab.BASE)


def _number(term: Term) -> int:
    return int(python_value(term))
