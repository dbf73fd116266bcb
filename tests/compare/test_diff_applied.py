"""Whatever is changed: the cells that a difference tells of turn the table of one revision into that of the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import vocab
from app.compare.models import Choice
from app.compare.reader import Reader
from app.compare.table import compare
from app.compare.values import Cell
from app.model.graphs import CURATED, DECISIONS, INFERRED
from app.model.rdf import Literal, Quad
from app.services import Services
from app.settings import Settings
from app.store.memory import MemoryStore
from app.wiring import build
from tests.release.small import quads
from tests.store.quads import change

SHOWN = (CURATED, DECISIONS, INFERRED)
NUMBERS = {vocab.slm.numLayers, vocab.slm.hiddenSize, vocab.slm.vocabularySize, vocab.slm.parameterCount}
WHOLE = quads()
POOL = sorted(
    (one for one in WHOLE if one.graph_name in SHOWN or str(one.graph_name).startswith(f"<{vocab.BASE}graph/source")),
    key=str,
)
COUNTED = [one for one in POOL if one.graph_name == CURATED and one.predicate.value in NUMBERS]
other_values = st.builds(
    lambda one, value: Quad(one.subject, one.predicate, Literal(value), CURATED),
    st.sampled_from(COUNTED),
    st.integers(1, 99),
)
courses = st.lists(
    st.tuples(
        st.frozensets(st.sampled_from(POOL), max_size=12), st.frozensets(st.sampled_from(COUNTED) | other_values)
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("applied")


def table(services: Services, revision: int) -> dict[tuple[str, str], Cell]:
    """Every cell of every model at a revision."""
    found = services.models(Choice(), revision=revision).items
    known = services.properties(revision=revision)
    if not found:
        return {}
    rows = compare(Reader(services.store.at(revision)), found, known).rows
    return {(model.slug, one.name): rows[model.slug][one.name] for model in found for one in known}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.data())
def test_a_difference_applied_to_one_table_gives_the_other(
    folder: Path, course: list[tuple[frozenset[Quad], frozenset[Quad]]], data: st.DataObject
) -> None:
    store = MemoryStore()
    store.apply(change(WHOLE), expect=0)
    services = build(Settings(data_dir=folder), store)
    for number, (remove, add) in enumerate(course, start=1):
        store.apply(change(add, remove - add), expect=number)
    old = data.draw(st.integers(1, store.head().number), label="from")
    new = data.draw(st.integers(1, store.head().number), label="to")
    before, after = table(services, old), table(services, new)
    found = [one for one in services.history.diff(old, new).cells if one.layers is None]
    told = {(one.model, one.property.name): one for one in found}
    assert len(told) == len(found), "each cell once"
    for key, one in told.items():
        assert one.old != one.new
        assert key not in before or before[key] == one.old
        assert key not in after or after[key] == one.new
    for key in before.keys() & after.keys():
        applied = told[key].new if key in told else before[key]
        assert applied == after[key], key
    for key in before.keys() ^ after.keys():  # of models that came or went
        cell = before.get(key) or after[key]
        assert key in told or not (cell.values or cell.candidates), key
