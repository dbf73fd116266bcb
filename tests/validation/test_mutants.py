"""Every constraint and check notices its mistakes, leaves right data alone, and both runners agree."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from app.model.rdf import IRI
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from app.validation.shapes import Shapes
from tests.validation.graphs import Data, both
from tests.validation.mutants import GRAPH_MUTANTS, HARMLESS, MUTANTS, PREFIXES, Mutant


def iri_of(name: str) -> str:
    """Return the full form of a prefixed name or of an IRI in angle brackets."""
    rows = ox.Store().query(f"{PREFIXES} SELECT ?x WHERE {{ BIND({name} AS ?x) }}")
    assert isinstance(rows, ox.QuerySolutions)
    term = next(iter(rows))["x"]
    assert isinstance(term, ox.NamedNode)
    return term.value


def places(report: Report, constraint: str) -> set[str]:
    """Return the nodes at which a constraint found something."""
    return {finding.focus for finding in report.findings if finding.constraint == constraint}


def lines(report: Report) -> list[str]:
    """Return the findings as people read them."""
    return [str(finding) for finding in report.findings]


def test_the_good_example_has_no_finding(example: Data, sets: SetValidator, records: RecordValidator) -> None:
    assert lines(sets.validate(example.run)) == []
    assert lines(records.validate(example.store, example.focus())) == []


def test_the_good_example_gives_every_constraint_something_to_judge(
    shapes: Shapes, sets: SetValidator, example: Data
) -> None:
    for constraint in shapes.constraints:
        query = next(query for query in sets.queries if query.constraint == constraint.id)
        start = query.text.index("SELECT DISTINCT ?this WHERE")
        targets = query.text[: query.text.index("SELECT")] + query.text[start:].split(" } } ")[0] + " } }"
        assert list(example.run(targets)), f"{constraint.id} has no target in the good example"


def test_every_constraint_and_check_has_a_mutant(shapes: Shapes) -> None:
    assert {mutant.id for mutant in MUTANTS} == {constraint.id for constraint in shapes.constraints}
    assert {mutant.id for mutant in GRAPH_MUTANTS} == {check.id for check in shapes.checks}


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_both_runners_notice(
    mutant: Mutant, flat: Data, sets: SetValidator, records: RecordValidator, shapes: Shapes
) -> None:
    by_query, by_pyshacl = both(flat.changed(mutant.update), sets, records, flat)
    assert set(by_query.by_constraint) == {mutant.id, *mutant.also}
    assert by_query.keys == by_pyshacl.keys
    assert lines(by_query) == lines(by_pyshacl)
    assert not [finding.message for finding in by_query.findings if "{" in finding.message]
    assert mutant.at is not None
    assert iri_of(mutant.at) in places(by_query, mutant.id)
    assert all(finding.message.startswith(f"{finding.constraint}: ") for finding in by_query.findings)
    severities = {constraint.id: constraint.severity for constraint in shapes.constraints}
    assert all(finding.severity is severities[finding.constraint] for finding in by_query.findings)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_record_is_judged_the_same_when_it_is_judged_alone(
    mutant: Mutant, flat: Data, sets: SetValidator, records: RecordValidator
) -> None:
    data = flat.changed(mutant.update)
    whole = sets.constraints(data.run)
    for focus in {finding.focus for finding in whole.findings}:
        alone = records.validate(data.store, [IRI(focus)])
        assert lines(alone) == [str(finding) for finding in whole.findings if finding.focus == focus]


@pytest.mark.parametrize("harmless", HARMLESS, ids=str)
def test_facts_of_real_models_are_left_alone(
    harmless: Mutant, flat: Data, sets: SetValidator, records: RecordValidator
) -> None:
    by_query, by_pyshacl = both(flat.changed(harmless.update), sets, records, flat)
    assert harmless.id not in by_query.by_constraint
    assert lines(by_query) == []
    assert by_query.keys == by_pyshacl.keys


@pytest.mark.parametrize("mutant", GRAPH_MUTANTS, ids=str)
def test_graph_checks_notice(mutant: Mutant, example: Data, sets: SetValidator) -> None:
    report = sets.checks(example.changed(mutant.update).run)
    assert set(report.by_constraint) == {mutant.id, *mutant.also}
    assert mutant.at is not None
    assert iri_of(mutant.at) in places(report, mutant.id)
    assert all(finding.message.startswith(f"{finding.constraint}: ") for finding in report.findings)
