"""What goes out as files: the ORKG's import table, and RDF that says the same in both vocabularies."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import rdflib

from app.model.rdf import Triple
from app.orkg.files import Known, graph, import_table
from app.orkg.intent import Wanted, WantedPaper, WantedRow
from app.orkg.values import Author, Method
from tests.orkg.pushing import BASE, columns, intent, number

ADDRESS = f"{BASE}resource/orkg/R900001"
QB = rdflib.Namespace("http://purl.org/linked-data/cube#")
ORKGP = rdflib.Namespace("http://orkg.org/orkg/predicate/")
ORKGC = rdflib.Namespace("http://orkg.org/orkg/class/")
ORKGR = rdflib.Namespace("http://orkg.org/orkg/resource/")


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def parsed(triples: list[Triple]) -> rdflib.Graph:
    found = rdflib.Graph()
    found.parse(data="\n".join(f"{one} ." for one in triples), format="nt")
    return found


def test_the_import_table_has_a_row_for_each_contribution_in_the_orkgs_schema() -> None:
    table = import_table(intent())
    first, second = read(table.text)
    assert first["paper:title"] == "Synthetic report on Model A"
    assert first["contribution:extraction_method"] == "UNKNOWN", "its values came to be in two ways"
    assert second["contribution:extraction_method"] == "MANUAL"
    assert second["paper:doi"] == "10.99999/model-d"
    assert (second["paper:publication_year"], second["paper:publication_month"]) == ("2026", "9")
    assert second["paper:research_field"] == "R133"
    assert first["orkg:P900002<integer>"] == "24"
    assert first["orkg:P900001"] == "resource:grouped-query attention"
    assert [(one.row, one.why) for one in table.left] == [("num_attention_heads", "no predicate is confirmed for it")]
    assert table.text.endswith("\r\n")


def test_several_values_stand_in_several_columns_of_the_same_name() -> None:
    one, other = columns()
    several = replace(other, cells={"num_layers": (number(28), number(30))})
    header, first, second = csv.reader(io.StringIO(import_table(intent(columns=(one, several))).text))
    places = [place for place, name in enumerate(header) if name == "orkg:P900002<integer>"]
    assert [first[place] for place in places] == ["24", ""]
    assert [second[place] for place in places] == ["28", "30"]


def test_characters_that_would_be_read_otherwise_are_left_out_and_told() -> None:
    one, _ = columns()
    row = WantedRow("note", "note", f"{BASE}ontology#note", "P9")
    for label, why in (
        ("=1+1", "formula"),
        ("@SUM(1)", "formula"),
        ("a <b>", "type"),
        ("orkg:R1", "identifier"),
    ):
        column = replace(one, cells={"note": (Wanted(label, "xsd:string"),)})
        table = import_table(intent(rows=(row,), columns=(column,)))
        assert read(table.text)[0]["orkg:P9<text>"] == ""
        (left,) = table.left
        assert why in left.why
    negative = replace(one, cells={"note": (Wanted("-1.5", "xsd:decimal"),)})
    table = import_table(intent(rows=(row,), columns=(negative,)))
    assert read(table.text)[0]["orkg:P9<decimal>"] == "-1.5"
    assert table.left == ()


def test_commas_quotes_and_line_ends_survive_the_table() -> None:
    one, _ = columns()
    paper = WantedPaper(
        'A "small", strange\ntitle', doi="10.1/x", authors=(Author("Ada Example"), Author("Bo Example"))
    )
    (row,) = read(import_table(intent(columns=(replace(one, paper=paper),))).text)
    assert row["paper:title"] == paper.title
    assert row["paper:authors"] == "Ada Example; Bo Example"


def test_the_rdf_says_it_in_the_orkgs_terms_under_our_iris() -> None:
    found = parsed(list(graph(intent(), ADDRESS, revision=7, units={}, held={})))
    model = rdflib.URIRef(f"{BASE}resource/model/model-a-0.5b")
    assert (model, rdflib.RDF.type, ORKGC.Contribution) in found
    assert (model, ORKGP.P900002, rdflib.Literal(24)) in found
    assert (ORKGR.R900010, ORKGP.P31, model) in found
    assert (model, ORKGP.P900001, rdflib.URIRef(f"{BASE}vocab/attention/GQA")) in found
    assert (model, rdflib.URIRef(f"{BASE}ontology#numAttentionHeads"), rdflib.Literal(16)) in found
    comparison = rdflib.URIRef(f"{ADDRESS}#comparison")
    compared = set(found.objects(comparison, ORKGP.compareContribution))
    assert {ORKGR.R900011, model} <= compared
    assert not [one for one in found.all_nodes() if isinstance(one, rdflib.BNode)]


def test_the_cube_is_well_formed_and_each_observation_knows_its_unit_and_its_claims() -> None:
    unit = "http://qudt.org/vocab/unit/NUM"
    wanted = intent()
    model = wanted.columns[0].uri
    held = {(model, "num_layers"): Known((number(24), number(25)), (f"{BASE}resource/claim/1",))}
    found = parsed(list(graph(wanted, ADDRESS, revision=7, units={f"{BASE}ontology#numLayers": unit}, held=held)))
    cube = rdflib.URIRef(ADDRESS)
    (structure,) = found.objects(cube, QB.structure)
    dimensions = {
        prop for component in found.objects(structure, QB.component) for prop in found.objects(component, QB.dimension)
    }
    measures = {
        prop for component in found.objects(structure, QB.component) for prop in found.objects(component, QB.measure)
    }
    observations = list(found.subjects(QB.dataSet, cube))
    assert len(observations) == 6
    keys = set()
    for one in observations:
        assert all(len(list(found.objects(one, prop))) == 1 for prop in dimensions), "IC-11: all dimensions"
        (measure,) = found.objects(one, QB.measureType)
        assert measure in measures
        assert len(list(found.objects(one, measure))) == 1, "IC-15: the value of its measure"
        keys.add(tuple(sorted(str(next(found.objects(one, prop))) for prop in dimensions)))
    assert len(keys) == len(observations), "IC-12: no two with the same dimensions"
    layers = rdflib.URIRef(f"{BASE}ontology#numLayers")
    with_unit = [one for one in observations if (one, QB.measureType, layers) in found]
    assert len(with_unit) == 3
    for one in with_unit:
        assert list(found.objects(one, rdflib.URIRef("http://qudt.org/schema/qudt/hasUnit"))) == [rdflib.URIRef(unit)]
    derived = rdflib.URIRef("http://www.w3.org/ns/prov#wasDerivedFrom")
    claimed = [one for one in observations if (one, derived, rdflib.URIRef(f"{BASE}resource/claim/1")) in found]
    assert len(claimed) == 2
    assert (cube, derived, rdflib.URIRef(f"{BASE}resource/revision/7")) in found


def test_methods_that_are_the_same_are_told() -> None:
    one, _ = columns()
    machine = replace(one, cells={"num_layers": (number(24, Method.AUTOMATIC),)})
    assert read(import_table(intent(columns=(machine,))).text)[0]["contribution:extraction_method"] == "AUTOMATIC"
