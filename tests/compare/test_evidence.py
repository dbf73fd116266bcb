"""What becomes of a cell in each situation that the graph can hold, on small made-up graphs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from app import vocab
from app.compare.evidence import gather
from app.compare.reader import Reader
from app.compare.values import Agreement, Cell, Property, Reason, Status
from app.model.changes import ChangeSet
from app.model.claims import Claim, Source, concept, resource
from app.model.graphs import CURATED, DECISIONS, INFERRED
from app.model.quads import claim_quads, source_quads
from app.model.rdf import IRI, Quad, describe, iri, literal
from app.store.memory import MemoryStore

SUBJECT = resource("architecture", "x")
LAYERS = vocab.slm.numLayers
RATIO = vocab.slm.computedFfnRatio
CLAIMED = Property("numLayers", LAYERS, "layers", "Layers.", "architecture", "claimed", several=False)
DERIVED = Property("computedFfnRatio", RATIO, "ratio", "Ratio.", "architecture", "derived", several=False)


def claim(value: int, source: str, status: str, *, place: str = "row 1") -> tuple[Claim, list[Quad]]:
    document = Source(source, source.upper(), "SurveyTable", "2026-01-01")
    made = Claim(SUBJECT, LAYERS, literal(value), str(value), document, place)
    decided = Quad(made.iri, iri(vocab.slm.status), concept("claim-status", status), DECISIONS)
    return made, [*claim_quads(made), *source_quads(document), decided]


def cell_of(quads: Iterable[Quad], prop: Property = CLAIMED) -> Cell:
    store = MemoryStore()
    change = ChangeSet(frozenset(quads), frozenset(), "test", "https://example.org/me", datetime.now(UTC))
    store.apply(change, expect=0)
    reader = Reader(store.at())
    return gather(reader, [SUBJECT], [prop]).cell(reader, prop, SUBJECT.value)


def curated(value: int) -> Quad:
    return Quad(SUBJECT, iri(LAYERS), literal(value), CURATED)


def absent(why: str, graph: IRI = INFERRED) -> Quad:
    return Quad(SUBJECT, iri(why), iri(LAYERS), graph)


def test_nothing_known() -> None:
    unrelated = Quad(resource("model", "y"), iri(vocab.slm.nominalSize), literal("1B"), CURATED)
    cell = cell_of([unrelated])
    assert cell == Cell(Status.MISSING, reason=Reason.NOT_LOOKED_FOR)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (vocab.slm.notReported, Reason.NOT_REPORTED),
        (vocab.slm.notApplicable, Reason.NOT_APPLICABLE),
        (vocab.slm.notLookedFor, Reason.NOT_LOOKED_FOR),
        (vocab.slm.withheld, Reason.WITHHELD),
        (vocab.slm.variesByLayer, Reason.VARIES_BY_LAYER),
    ],
)
def test_each_reason(why: str, reason: Reason) -> None:
    assert cell_of([absent(why)]) == Cell(Status.MISSING, reason=reason)


def test_sources_are_counted_not_claims() -> None:
    one, quads = claim(12, "a", "Accepted")
    again, more = claim(12, "a", "Accepted", place="row 2")
    rounded, rest = claim(13, "b", "Compatible")
    wrong, last = claim(99, "c", "Rejected")
    cell = cell_of([*quads, *more, *rest, *last, curated(12)])
    assert cell.status is Status.ACCEPTED
    assert [value.plain for value in cell.values] == [12]
    assert cell.sources == Agreement(agreeing=2, disagreeing=1)
    assert set(cell.claims) == {made.iri.value for made in (one, again, rounded, wrong)}


def test_a_source_that_says_both_disagrees() -> None:
    _, quads = claim(12, "a", "Accepted")
    _, more = claim(13, "a", "Rejected")
    assert cell_of([*quads, *more, curated(12)]).sources == Agreement(agreeing=0, disagreeing=1)


def test_an_open_question_has_candidates_and_no_value() -> None:
    _, quads = claim(12, "a", "Open")
    _, more = claim(13, "b", "Open")
    _, rest = claim(14, "c", "Proposed")
    cell = cell_of([*quads, *more, *rest])
    assert cell.status is Status.DISPUTED
    assert cell.values == ()
    assert [value.plain for value in cell.candidates] == [12, 13]
    assert cell.sources == Agreement(agreeing=0, disagreeing=2)


def test_a_proposed_value_is_shown_as_such() -> None:
    _, quads = claim(12, "a", "Proposed")
    cell = cell_of([*quads, absent(vocab.slm.notReported)])
    assert (cell.status, [value.plain for value in cell.values]) == (Status.PROPOSED, [12])


def test_a_proposed_value_takes_no_part_beside_an_accepted_one() -> None:
    _, quads = claim(12, "a", "Accepted")
    _, more = claim(13, "b", "Proposed")
    _, rest = claim(14, "c", "Superseded")
    cell = cell_of([*quads, *more, *rest, curated(12)])
    assert (cell.status, cell.sources) == (Status.ACCEPTED, Agreement(agreeing=1, disagreeing=0))


def test_an_accepted_statement_that_layers_differ_is_no_value() -> None:
    _, quads = claim(12, "a", "Rejected")
    made = Claim(
        SUBJECT, LAYERS, iri(vocab.slm.variesByLayer), "per layer", Source("b", "B", "SurveyTable", "2026"), "p"
    )
    accepted = Quad(made.iri, iri(vocab.slm.status), concept("claim-status", "Accepted"), DECISIONS)
    cell = cell_of([*quads, *claim_quads(made), accepted, absent(vocab.slm.variesByLayer, CURATED)])
    assert (cell.status, cell.reason) == (Status.MISSING, Reason.VARIES_BY_LAYER)
    assert cell.sources == Agreement(agreeing=1, disagreeing=1)


@pytest.mark.parametrize(("proposed", "status"), [(False, Status.DERIVED), (True, Status.PROPOSED)])
def test_a_derived_value_rests_on_its_inputs(proposed: bool, status: Status) -> None:
    made, quads = claim(12, "a", "Accepted")
    derivation = describe(
        INFERRED,
        resource("derivation", "d"),
        [
            (vocab.slm.aboutSubject, SUBJECT),
            (vocab.slm.aboutProperty, iri(RATIO)),
            (vocab.slm.derivedValue, literal(4)),
            (vocab.slm.formula, literal("f/1")),
            (vocab.slm.restsOnProposed, literal(proposed)),
            (vocab.slm.usedClaim, made.iri),
        ],
        kind=vocab.slm.Derivation,
    )
    cell = cell_of([*quads, *derivation], DERIVED)
    assert (cell.status, [value.plain for value in cell.values]) == (status, [4])
    assert (cell.claims, cell.sources) == ((made.iri.value,), Agreement(agreeing=1))


def test_what_cannot_be_derived() -> None:
    assert cell_of([curated(12)], DERIVED) == Cell(Status.MISSING, reason=Reason.NOT_DERIVABLE)
