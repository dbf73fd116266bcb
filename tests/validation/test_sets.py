"""Validation of the whole graph: it counts its steps, gives one report, and is quick on a large graph."""

from __future__ import annotations

import re

import pyoxigraph as ox
import pytest

from app import vocab
from app.model.rdf import IRI, Blank, Literal, Quad, Term
from app.validation.findings import Severity
from app.validation.sets import SetValidator, text_of
from tests.validation.graphs import Data
from tests.validation.mutants import GRAPH_MUTANTS, MUTANTS

OWN_NAME = re.compile(
    f"<({re.escape(vocab.BASE)}(?:resource/(?!metric|benchmark|config|protocol|agent|dataset)|graph/source/|graph/run/)"
    "[^>]*)>"
)
LARGE = 120_000


def test_it_tells_every_step(example: Data, sets: SetValidator) -> None:
    steps: list[None] = []
    sets.validate(example.run, on_step=lambda: steps.append(None))
    assert len(steps) == sets.steps()
    assert sets.steps() == len(sets.queries) + 5


def test_constraints_and_checks_make_one_report(example: Data, sets: SetValidator) -> None:
    mutant = next(mutant for mutant in GRAPH_MUTANTS if mutant.note == "a fact out of nowhere")
    data = example.changed(mutant.update).changed(
        "INSERT DATA { GRAPH <https://w3id.org/slmkg/graph/curated> { arch:new slm:maxContextLength 32000 } }"
    )
    report = sets.validate(data.run)
    assert report.by_constraint == {"C11": 1, "G2": 2}
    assert report == sets.constraints(data.run) + sets.checks(data.run)
    assert [finding.severity for finding in report.findings] == [
        Severity.VIOLATION,
        Severity.VIOLATION,
        Severity.INFO,
    ]


def test_a_dataset_and_its_union_give_the_same_findings(example: Data, flat: Data, sets: SetValidator) -> None:
    def twisted(data: Data) -> Data:
        store = ox.Store()
        wrong = IRI("https://w3id.org/slmkg/ontology#numKeyValueHeads")
        store.extend(
            Quad(quad.subject, quad.predicate, Literal(5), quad.graph_name) if quad.predicate == wrong else quad
            for quad in data.store
        )
        return Data(list(store))

    found = sets.constraints(twisted(example).run)
    assert found.by_constraint["C03"] == 3
    assert found == sets.constraints(twisted(flat).run)


def test_every_finding_names_its_query_path(flat: Data, sets: SetValidator) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.note == "a batch of none")
    report = sets.constraints(flat.changed(mutant.update).run)
    slm = "https://w3id.org/slmkg/ontology#"
    assert {finding.path for finding in report.findings} == {f"<{slm}underConfiguration>/<{slm}batchSize>"}
    assert {finding.value for finding in report.findings} == {"0"}


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (IRI("http://example.org/a"), "http://example.org/a"),
        (Literal("Größe", language="de"), "Größe"),
        (Literal(3), "3"),
        (Blank("b"), "_:b"),
    ],
)
def test_terms_become_plain_text(term: Term, text: str) -> None:
    assert text_of(term) == text


def test_a_large_graph_conforms_as_its_small_original_does(example: Data, sets: SetValidator) -> None:
    large = many_copies(example)
    assert len(large.store) > LARGE
    report = sets.validate(large.run)
    assert [str(finding) for finding in report.findings] == []


def many_copies(example: Data) -> Data:
    """Return the good example many times over: own names for each copy, shared metrics, settings and units."""
    text = (example.store.dump(format=ox.RdfFormat.N_QUADS) or b"").decode()
    copies = Data([])
    number = 0
    while len(copies.store) <= LARGE:
        copies.store.bulk_load(OWN_NAME.sub(rf"<\1-{number}>", text).encode(), format=ox.RdfFormat.N_QUADS)
        number += 1
    return copies
