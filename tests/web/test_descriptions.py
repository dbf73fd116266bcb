"""The service description, VoID and DCAT: read by another parser, counted against the graph, cached by revision."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from rdflib import DCAT, DCTERMS, FOAF, OWL, RDF, RDFS, SH, VOID, XSD, Graph, Literal, Namespace, URIRef
from rdflib.namespace import Namespace as Space

from app import vocab
from app.compare.questions import questions
from app.errors import BadParameter
from app.services import Services
from app.settings import Settings
from app.store.port import GRAPH_FORMATS, Query
from app.web.application import create_app
from app.wiring import build
from tests.web.conftest import Client, problem_of

SD = Space("http://www.w3.org/ns/sparql-service-description#")
FORMATS = Space("http://www.w3.org/ns/formats/")
SCHEMA = Space("https://schema.org/")
SLM = Namespace("https://w3id.org/slmkg/ontology#")
HOME = "http://slmkg.test"
DATASET = URIRef("https://w3id.org/slmkg/dataset")
ADDRESSES = ("/sparql", "/.well-known/void", "/dcat")


def described(client: Client, path: str, accept: str = "text/turtle") -> Graph:
    response = client.get(path, headers={"Accept": accept})
    assert response.status_code == 200, response.text
    return Graph().parse(data=response.content, format=accept)


def count(services: Services, query: str) -> int:
    (row,) = services.store.at().query(Query(query)).rows()
    return int(row["n"].value)


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_format_says_the_same(client: Client, path: str) -> None:
    """Triples only: N-Quads and TriG are read as graphs by the formats that they extend."""
    readable = {"application/n-quads": "application/n-triples", "application/trig": "text/turtle"}
    found = []
    for media_type in GRAPH_FORMATS:
        response = client.get(path, headers={"Accept": media_type})
        assert response.headers["content-type"].partition(";")[0] == media_type
        assert response.headers["vary"] == "Accept"
        assert response.headers["x-revision"] == "1"
        found.append(set(Graph().parse(data=response.content, format=readable.get(media_type, media_type))))
    assert all(one == found[0] for one in found)
    assert not any(part for triple in found[0] for part in triple if part.n3().startswith("_:"))


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_tag_saves_the_work(client: Client, path: str) -> None:
    first = client.get(path, headers={"Accept": "text/turtle"})
    again = client.get(path, headers={"Accept": "text/turtle", "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = client.get(path, headers={"Accept": "application/ld+json"})
    elsewhere = client.get(path, headers={"Accept": "text/turtle", "Host": "elsewhere.test"})
    assert len({one.headers["etag"] for one in (first, other, elsewhere)}) == 3
    assert b"http://elsewhere.test/sparql" in elsewhere.content


def test_the_service_description(client: Client, seed_services: Services) -> None:
    graph = described(client, "/sparql")
    (service,) = graph.subjects(RDF.type, SD.Service)
    assert graph.value(service, SD.endpoint) == URIRef(f"{HOME}/sparql")
    assert set(graph.objects(service, SD.supportedLanguage)) == {SD.SPARQL11Query}
    assert set(graph.objects(service, SD.feature)) == {SD.UnionDefaultGraph}
    assert set(graph.objects(service, SD.resultFormat)) >= {
        FORMATS.SPARQL_Results_JSON,
        FORMATS.SPARQL_Results_CSV,
        FORMATS.Turtle,
        FORMATS["N-Quads"],
        FORMATS["JSON-LD"],
    }
    (dataset,) = graph.objects(service, SD.defaultDataset)
    assert graph.value(dataset, RDFS.seeAlso) == URIRef(f"{HOME}/.well-known/void")
    whole = graph.value(graph.value(dataset, SD.defaultGraph), VOID.triples)
    assert whole == Literal(count(seed_services, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"))
    named = {}
    for node in graph.objects(dataset, SD.namedGraph):
        (name,), (inner,) = graph.objects(node, SD.name), graph.objects(node, SD.graph)
        named[name] = graph.value(inner, VOID.triples)
    assert sum(int(str(triples)) for triples in named.values()) == int(str(whole))
    curated = "https://w3id.org/slmkg/graph/curated"
    in_curated = count(seed_services, f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{curated}> {{ ?s ?p ?o }} }}")
    assert named[URIRef(curated)] == Literal(in_curated)


@pytest.mark.parametrize(
    ("accept", "status", "content_type"),
    [
        ("*/*", 200, "text/turtle; charset=utf-8"),
        ("", 200, "text/turtle; charset=utf-8"),
        ("application/rdf+xml", 200, "application/rdf+xml"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200, "text/html; charset=utf-8"),
        ("text/html;q=0.5,application/n-triples", 200, "application/n-triples"),
        ("application/sparql-results+json", 400, "application/problem+json"),
    ],
)
def test_an_endpoint_without_a_query(client: Client, accept: str, status: int, content_type: str) -> None:
    response = client.get("/sparql", headers={"Accept": accept})
    assert (response.status_code, response.headers.get("content-type")) == (status, content_type)
    assert problem_of(client.get("/sparql", params={"format": "turtle"}))["parameter"] == "query"


def test_the_void_description_counts_right(client: Client, seed_services: Services) -> None:
    graph = described(client, "/.well-known/void")
    assert (URIRef(f"{HOME}/.well-known/void"), FOAF.primaryTopic, DATASET) in graph
    asked = {
        VOID.triples: "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
        VOID.distinctSubjects: "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }",
        VOID.distinctObjects: "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s ?p ?o }",
        VOID.properties: "SELECT (COUNT(DISTINCT ?p) AS ?n) { ?s ?p ?o }",
        VOID.classes: "SELECT (COUNT(DISTINCT ?c) AS ?n) { ?s a ?c }",
    }
    for name, query in asked.items():
        assert graph.value(DATASET, name) == Literal(count(seed_services, query)), name
    by_class = {graph.value(part, VOID["class"]): part for part in graph.objects(DATASET, VOID.classPartition)}
    by_property = {graph.value(part, VOID.property): part for part in graph.objects(DATASET, VOID.propertyPartition)}
    models = by_class[SLM.LanguageModel]
    assert graph.value(models, VOID.entities) == Literal(104)
    inside = {graph.value(part, VOID.property) for part in graph.objects(models, VOID.propertyPartition)}
    assert SLM.hasArchitecture in inside
    layers = by_property[SLM.numLayers]
    expected = count(seed_services, f"SELECT (COUNT(*) AS ?n) {{ ?s <{SLM.numLayers}> ?o }}")
    assert graph.value(layers, VOID.triples) == Literal(expected)
    triples = sum(int(str(graph.value(part, VOID.triples))) for part in by_property.values())
    assert Literal(triples) == graph.value(DATASET, VOID.triples)


def test_the_void_description_tells_where_and_whose(client: Client, seed_services: Services) -> None:
    graph = described(client, "/.well-known/void")
    made = seed_services.store.head().made_at
    modified: Any = graph.value(DATASET, DCTERMS.modified)
    assert modified.toPython() == made
    assert graph.value(DATASET, DCTERMS.license) == URIRef("https://creativecommons.org/licenses/by/4.0/")
    assert graph.value(DATASET, DCTERMS.title) is not None
    assert graph.value(DATASET, VOID.sparqlEndpoint) == URIRef(f"{HOME}/sparql")
    assert URIRef("http://www.w3.org/ns/prov#") in set(graph.objects(DATASET, VOID.vocabulary))
    assert FORMATS.Turtle in set(graph.objects(DATASET, VOID.feature))


def test_prefixes_and_examples_can_be_run(client: Client) -> None:
    graph = described(client, "/.well-known/void")
    (prefixes,) = graph.objects(DATASET, SH.prefixes)
    assert (prefixes, RDF.type, OWL.Ontology) in graph
    declared = {
        str(graph.value(one, SH.prefix)): graph.value(one, SH.namespace) for one in graph.objects(prefixes, SH.declare)
    }
    assert declared == {name: Literal(iri, datatype=XSD.anyURI) for name, iri in vocab.PREFIXES.items()}
    executable = set(graph.subjects(RDF.type, SH.SPARQLExecutable))
    assert executable == set(graph.subjects(RDF.type, SH.SPARQLSelectExecutable))
    assert {str(graph.value(one, SH.select)) for one in executable} == {one.text for one in questions()}
    for one in executable:
        assert graph.value(one, SCHEMA.target) == URIRef(f"{HOME}/sparql")
        comment: Any = graph.value(one, RDFS.comment)
        assert comment.language == "en"
        assert graph.value(one, SH.prefixes) == prefixes
    some = next(iter(executable))
    assert client.get("/sparql", params={"query": str(graph.value(some, SH.select))}).status_code == 200


def test_the_catalogue_record(client: Client) -> None:
    graph = described(client, "/dcat")
    (catalogue,) = graph.subjects(RDF.type, DCAT.Catalog)
    assert set(graph.objects(catalogue, DCAT.dataset)) == {DATASET}
    endpoints = {graph.value(one, DCAT.endpointURL) for one in graph.objects(catalogue, DCAT.service)}
    assert endpoints == {URIRef(f"{HOME}/sparql"), URIRef(f"{HOME}/api/v1")}
    (distribution,) = graph.objects(DATASET, DCAT.distribution)
    assert graph.value(distribution, DCTERMS.license) == graph.value(DATASET, DCTERMS.license)
    for service in graph.objects(catalogue, DCAT.service):
        assert graph.value(service, DCAT.servesDataset) == DATASET
        assert graph.value(service, DCAT.endpointDescription) is not None


def test_the_counts_are_made_once_for_a_revision(seed_services: Services) -> None:
    asked: list[object] = []

    class Counting:
        def __getattr__(self, name: str) -> object:
            asked.extend([name] if name == "at" else [])
            return getattr(seed_services.store, name)

    client = Client(create_app(build(seed_services.settings, Counting())))  # type: ignore[arg-type]
    for path in ADDRESSES:
        for accept in ("text/turtle", "application/ld+json"):
            described(client, path, accept)
    assert len(asked) == 5


def test_the_settings_may_say_the_address(seed_services: Services) -> None:
    settings = Settings(data_dir=seed_services.settings.data_dir, public_url="https://example.org/kg/")
    client = Client(create_app(build(settings, seed_services.store)))
    graph = described(client, "/sparql")
    assert set(graph.objects(None, SD.endpoint)) == {URIRef("https://example.org/kg/sparql")}


@pytest.mark.parametrize("host", ['evil"><x>', "a b", "x/../y", "[::1", "a@b"])
def test_a_strange_host_is_refused(client: Client, host: str) -> None:
    response = client.get("/sparql", headers={"Host": host, "Accept": "text/turtle"})
    assert problem_of(response)["parameter"] == "Host"


@pytest.mark.parametrize("path", ["/.well-known/void", "/dcat"])
def test_what_does_not_fit_is_refused(client: Client, path: str) -> None:
    assert problem_of(client.get(path, headers={"Accept": "text/csv"}))["status"] == 406
    assert problem_of(client.get(path, params={"nonsense": "1"}))["code"] == BadParameter.code
    assert problem_of(client.get(path, params={"revision": "99"}))["status"] == 404


def test_before_the_first_load(empty_client: Client) -> None:
    for path in ADDRESSES:
        response: httpx.Response = empty_client.get(path, headers={"Accept": "text/turtle"})
        assert problem_of(response)["code"] == "store-empty"
