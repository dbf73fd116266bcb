"""Both validators agree on graphs damaged at random: what nobody thought of when writing the mutants.

A case is a number: the same number makes the same damage. Run more of them with `-m heavy`.
"""

from __future__ import annotations

import random

import pyoxigraph as ox
import pytest

from app.model.rdf import IRI, XSD, Blank, Literal, Quad, Term
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from tests.validation.graphs import EXAMPLE, Data, both

ODD_VALUES: tuple[Term, ...] = (
    Literal(""),
    Literal(" x"),
    Literal("None"),
    Literal(-1),
    Literal(0),
    Literal(10**15),
    Literal(True),
    Literal("x", language="de"),
    Literal("7.5", datatype=IRI(f"{XSD}decimal")),
    Literal("1e3", datatype=IRI(f"{XSD}double")),
    Literal("NaN", datatype=IRI(f"{XSD}double")),
    Literal("abc", datatype=IRI(f"{XSD}integer")),
    Literal("2024-13", datatype=IRI(f"{XSD}gYearMonth")),
    Literal("2025-01-01", datatype=IRI(f"{XSD}date")),
    Literal("bad", datatype=IRI(f"{XSD}dateTime")),
    IRI("http://example.org/none"),
    Blank("b1"),
)
QUICK, MANY = range(12), range(1000, 1030)


def damaged(data: Data, number: int) -> Data:
    """Return a copy with one to four triples dropped, bent or added."""
    chance = random.Random(number)
    own = own_triples()
    copy = data.copy()
    for _ in range(chance.randint(1, 4)):
        hit = chance.choice(own)
        kind = chance.choice(("drop", "bend", "bend", "add", "swap"))
        if kind in {"drop", "bend"}:
            copy.store.remove(hit)
        if kind in {"bend", "add"}:
            copy.store.add(Quad(hit.subject, hit.predicate, chance.choice(ODD_VALUES)))
        if kind == "swap":
            same = [quad for quad in own if quad.predicate == hit.predicate]
            copy.store.add(Quad(hit.subject, hit.predicate, chance.choice(same).object))
    return copy


def own_triples() -> list[Quad]:
    quads = ox.parse(path=EXAMPLE, format=ox.RdfFormat.TRIG)
    return sorted((Quad(quad.subject, quad.predicate, quad.object) for quad in quads), key=str)


@pytest.mark.parametrize("number", [*QUICK, *(pytest.param(number, marks=pytest.mark.heavy) for number in MANY)])
def test_both_validators_agree(number: int, flat: Data, sets: SetValidator, records: RecordValidator) -> None:
    by_query, by_pyshacl = both(damaged(flat, number), sets, records)
    assert by_query.keys == by_pyshacl.keys


def test_damage_is_found(flat: Data, sets: SetValidator) -> None:
    reports = [sets.constraints(damaged(flat, number).run) for number in QUICK]
    assert sum(1 for report in reports if report.findings) > len(QUICK) // 2
