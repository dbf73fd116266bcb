"""The ontology with the SOSA-PROV alignment and sample data holds together; a contradiction is reported."""

from __future__ import annotations

from pathlib import Path

import owlrl
import pytest
from rdflib import OWL, RDF, RDFS, Graph, URIRef

from app.vocab import PREFIXES as KNOWN
from app.vocab import prov, slm, vocab

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HEAD = f"@prefix slm: <{slm.NS}> . @prefix prov: <{prov.NS}> ."


def closure(*mistakes: str) -> tuple[Graph, list[str]]:
    """Deductive closure of everything plus `mistakes` (Turtle), and what the reasoner complains about."""
    graph = Graph()
    for path in (ROOT / "ontology" / "slmkg.ttl", ROOT / "ontology" / "alignments.ttl"):
        graph.parse(path, format="turtle")
    for path in (HERE / "sosa-prov.ttl", HERE / "sample.ttl"):
        graph.parse(path, format="turtle")
    for mistake in mistakes:
        graph.parse(data=f"@prefix ex: <urn:example:> .\n{HEAD}\n{mistake}", format="turtle")
    reasoner = owlrl.OWLRL_Semantics(graph, axioms=False, daxioms=False, rdfs=False)
    reasoner.closure()
    return graph, [str(message) for message in reasoner.error_messages]


def test_ontology_and_sample_do_not_contradict() -> None:
    graph, errors = closure()
    assert errors == []
    score = URIRef("urn:example:score")
    assert (score, RDF.type, URIRef(prov.Activity)) in graph
    assert (score, RDF.type, URIRef(prov.Entity)) not in graph
    assert (URIRef("urn:example:claim"), RDF.type, URIRef(prov.Entity)) in graph


@pytest.mark.parametrize(
    ("mistake", "thing"),
    [
        ("ex:score prov:wasDerivedFrom ex:source .", "score"),
        ("ex:speed prov:wasGeneratedBy ex:run .", "speed"),
        ("ex:score prov:wasAttributedTo ex:agent .", "score"),
        ("ex:score a slm:RuntimeResult .", "score"),
        ("ex:model a prov:Activity .", "model"),
        ("slm:inRun <http://www.w3.org/2000/01/rdf-schema#subPropertyOf> prov:wasGeneratedBy .", "score"),
    ],
)
def test_a_contradiction_is_reported(mistake: str, thing: str) -> None:
    _, errors = closure(mistake)
    assert any(f"urn:example:{thing}" in message for message in errors), errors


def test_the_sample_uses_every_class() -> None:
    """A class that the sample leaves out is not covered by the consistency test."""
    ontology = Graph().parse(ROOT / "ontology" / "slmkg.ttl", format="turtle")
    sample = Graph().parse(HERE / "sample.ttl", format="turtle")
    classes = set(ontology.subjects(RDF.type, OWL.Class))
    used = set(sample.objects(None, RDF.type))
    parents = {parent for kind in used & classes for parent in ontology.transitive_objects(kind, RDFS.subClassOf)}
    properties = {slm.ClaimableProperty, slm.CompleteSetProperty, slm.AdditiveProperty}
    assert classes - used - parents - {URIRef(iri) for iri in properties} == set()


def test_concepts_of_the_sample_are_real() -> None:
    concepts = set(Graph().parse(ROOT / "ontology" / "vocab.ttl", format="turtle").subjects())
    sample = Graph().parse(HERE / "sample.ttl", format="turtle")
    named = {term for term in sample.objects() if str(term).startswith(vocab.NS)}
    assert named
    assert named <= concepts


def test_the_fixture_holds_the_disjointness_that_matters() -> None:
    fixture = Graph().parse(HERE / "sosa-prov.ttl", format="turtle")
    assert (URIRef(prov.Entity), OWL.disjointWith, URIRef(prov.Activity)) in fixture
    assert (
        URIRef(f"{KNOWN['mls']}InformationEntity"),
        OWL.disjointWith,
        URIRef(f"{KNOWN['mls']}Process"),
    ) in fixture
