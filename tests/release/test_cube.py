"""The data cube: well-formed by the integrity constraints of the RDF Data Cube vocabulary, and true to the graph.

The constraints are those of the vocabulary's section on well-formed cubes, in our own words as SPARQL: each query gives
what breaks one.
"""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest

from app.services import Services

PREFIXES = {
    "qb": "http://purl.org/linked-data/cube#",
    "cube": "https://w3id.org/slmkg/cube#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "sdmxa": "http://purl.org/linked-data/sdmx/2009/attribute#",
    "sdmxm": "http://purl.org/linked-data/sdmx/2009/measure#",
    "slm": "https://w3id.org/slmkg/ontology#",
    "sosa": "http://www.w3.org/ns/sosa/",
}
TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
BROKEN_BY = {
    "IC-1 an observation is in exactly one data set": (
        "?o a qb:Observation OPTIONAL { ?o qb:dataSet ?d } } GROUP BY ?o HAVING(COUNT(DISTINCT ?d) != 1)"
    ),
    "IC-2 a data set has exactly one structure": (
        "?o a qb:DataSet OPTIONAL { ?o qb:structure ?d } } GROUP BY ?o HAVING(COUNT(DISTINCT ?d) != 1)"
    ),
    "IC-3 a structure has a measure": (
        "?o a qb:DataStructureDefinition "
        "FILTER NOT EXISTS { ?o qb:component/qb:componentProperty/a qb:MeasureProperty } }"
    ),
    "IC-4 a dimension has a range": "?o a qb:DimensionProperty FILTER NOT EXISTS { ?o rdfs:range [] } }",
    "IC-5 a dimension of concepts has a code list": (
        "?o a qb:DimensionProperty ; rdfs:range skos:Concept FILTER NOT EXISTS { ?o qb:codeList [] } }"
    ),
    "IC-6 only attributes may be optional": (
        "?s qb:component ?c . ?c qb:componentRequired false ; qb:componentProperty ?o "
        "FILTER NOT EXISTS { ?o a qb:AttributeProperty } }"
    ),
    "IC-11 an observation has a value for each dimension": (
        "?o a qb:Observation ; qb:dataSet/qb:structure/qb:component/qb:componentProperty ?d . "
        "?d a qb:DimensionProperty FILTER NOT EXISTS { ?o ?d [] } }"
    ),
    "IC-13 an observation has a value for each required attribute": (
        "?o a qb:Observation ; qb:dataSet/qb:structure/qb:component ?c . ?c qb:componentRequired true ; "
        "qb:componentProperty ?a FILTER NOT EXISTS { ?o ?a [] } }"
    ),
    "IC-14 an observation has a value for each measure": (
        "?o a qb:Observation ; qb:dataSet/qb:structure/qb:component/qb:componentProperty ?m . ?m a qb:MeasureProperty "
        "FILTER NOT EXISTS { ?o ?m [] } }"
    ),
    "IC-19 a coded value is in the code list": (
        "?o a qb:Observation ; qb:dataSet/qb:structure/qb:component/qb:componentProperty ?d . ?d qb:codeList ?list . "
        "?o ?d ?v FILTER NOT EXISTS { ?v a skos:Concept ; skos:inScheme ?list } }"
    ),
    "one value for each dimension, measure and attribute": (
        "?o a qb:Observation ; qb:dataSet/qb:structure/qb:component/qb:componentProperty ?p . ?o ?p ?v } "
        "GROUP BY ?o ?p HAVING(COUNT(DISTINCT ?v) != 1)"
    ),
    "component properties are typed by their role": (
        "?c a qb:ComponentSpecification ; qb:componentProperty ?o "
        "FILTER NOT EXISTS { VALUES (?r ?k) { (qb:dimension qb:DimensionProperty) (qb:measure qb:MeasureProperty) "
        "(qb:attribute qb:AttributeProperty) } ?c ?r ?o . ?o a ?k } }"
    ),
}


def cube_of(services: Services, name: str) -> ox.Store:
    path = services.settings.data_dir / "releases" / name / "cube.ttl"
    store = ox.Store()
    store.bulk_load(path=str(path), format=ox.RdfFormat.TURTLE)
    return store


def select(store: ox.Store, text: str) -> list[tuple[str, ...]]:
    found = store.query(text, prefixes=PREFIXES)
    assert isinstance(found, ox.QuerySolutions)
    return [tuple("" if value is None else str(value) for value in row) for row in found]


@pytest.fixture(scope="module")
def cube(released: Services) -> ox.Store:
    return cube_of(released, "2026.12")


@pytest.mark.parametrize("constraint", BROKEN_BY)
def test_nothing_breaks_a_constraint(cube: ox.Store, constraint: str) -> None:
    assert select(cube, f"SELECT ?o WHERE {{ {BROKEN_BY[constraint]}") == []


def test_no_two_observations_have_the_same_dimensions(cube: ox.Store) -> None:
    """IC-12: the values of all dimensions as one key."""
    rows = select(
        cube,
        "SELECT ?o ?d ?v WHERE { ?o a qb:Observation ; qb:dataSet/qb:structure/qb:component/qb:componentProperty ?d . "
        "?d a qb:DimensionProperty . ?o ?d ?v }",
    )
    keys: dict[str, set[tuple[str, ...]]] = {}
    for node, dimension, value in rows:
        keys.setdefault(node, set()).add((dimension, value))
    assert len({frozenset(key) for key in keys.values()}) == len(keys) == 9


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE WHERE { ?o qb:dataSet cube:runtime-results }",
        "DELETE WHERE { ?o cube:metric ?v }",
        "DELETE WHERE { ?o sdmxa:unitMeasure ?v }",
        "DELETE WHERE { ?o sdmxm:obsValue ?v }",
        "DELETE WHERE { ?o skos:inScheme ?v }",
        "DELETE WHERE { cube:statistic rdfs:range ?r }",
        "INSERT { ?o sdmxm:obsValue 7777777 } WHERE { ?o a qb:Observation }",
        "DELETE WHERE { sdmxm:obsValue a qb:MeasureProperty }",
    ],
)
def test_damage_breaks_a_constraint(released: Services, damage: str) -> None:
    """The queries above do find something when there is something to find."""
    store = cube_of(released, "2026.12")
    store.update(damage, prefixes=PREFIXES)
    assert any(select(store, f"SELECT ?o WHERE {{ {text}") for text in BROKEN_BY.values())


def test_the_values_are_those_of_the_graph(cube: ox.Store, released: Services) -> None:
    rows = select(
        cube,
        "SELECT ?node ?v ?u WHERE { ?o a qb:Observation ; rdfs:seeAlso ?node ; sdmxm:obsValue ?v ; "
        "sdmxa:unitMeasure ?u }",
    )
    graph = ox.Store()
    graph.bulk_extend(released.store.at(2).quads())
    wanted = graph.query(
        "SELECT ?o ?v ?u WHERE { ?o a ?k ; sosa:hasSimpleResult ?v ; sosa:observedProperty/slm:canonicalUnit ?u "
        "FILTER(?k IN (slm:BenchmarkResult, slm:RuntimeResult)) }",
        prefixes=PREFIXES,
        use_default_graph_as_union=True,
    )
    assert isinstance(wanted, ox.QuerySolutions)
    assert {(node, value.split('"')[1], unit) for node, value, unit in rows} == {
        (str(row[0]), row[1].value, str(row[2])) for row in wanted
    }
    assert len(rows) == 9


@pytest.mark.heavy
def test_the_cube_of_the_seed_is_well_formed(seed_services: Services, tmp_path: Path) -> None:
    from app.compare.reader import Reader
    from app.release.cube import cube as make
    from app.store.engine import written

    path = tmp_path / "cube.ttl"
    path.write_bytes(written(make(Reader(seed_services.store.at())), "text/turtle"))
    store = ox.Store()
    store.bulk_load(path=str(path), format=ox.RdfFormat.TURTLE)
    for constraint, text in BROKEN_BY.items():
        assert select(store, f"SELECT ?o WHERE {{ {text}") == [], constraint
    ((count,),) = select(store, "SELECT (COUNT(*) AS ?n) WHERE { ?o a qb:Observation }")
    graph = ox.Store()
    graph.bulk_extend(seed_services.store.at().quads())
    kinds = ("BenchmarkResult", "RuntimeResult")
    results = {
        quad.subject
        for kind in kinds
        for quad in graph.quads_for_pattern(None, TYPE, ox.NamedNode(PREFIXES["slm"] + kind))
    }
    assert count.startswith(f'"{len(results)}"')
    assert len(results) > 4000
