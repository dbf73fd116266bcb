"""The projection says what SPARQL says, whether it was built whole, from a change, or read from disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import vocab
from app.compare.projection.build import Projection, build, update
from app.compare.projection.files import Files
from app.compare.projection.projections import Projections
from app.compare.projection.touched import touched
from app.compare.projection.verify import differences
from app.compare.reader import stored_queries
from app.model.changes import ChangeSet
from app.model.claims import resource
from app.model.graphs import CURATED, DECISIONS, META, REGISTRY
from app.model.rdf import IRI, Literal, Quad, iri, literal, text
from app.services import Services
from app.store.memory import MemoryStore
from app.store.port import GraphStore, Snapshot
from tests.compare.graphs import small_graph

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PHI = resource("model", "phi-2")


@pytest.fixture(scope="module")
def seed_projection(seed_services: Services) -> Projection:
    return build(seed_services.store.at(), 1)


@pytest.fixture(scope="module")
def small() -> Snapshot:
    """Three models with a cell of every status."""
    store = MemoryStore()
    store.apply(change(small_graph(), []), expect=0)
    return store.at()


@pytest.fixture(scope="module")
def small_projection(small: Snapshot) -> Projection:
    return build(small, 1)


def change(add: list[Quad], remove: list[Quad]) -> ChangeSet:
    return ChangeSet(frozenset(add), frozenset(remove) - frozenset(add), "a test", "https://example.org/me", NOW)


def _with(projection: Projection, table: str, frame: pl.DataFrame) -> Projection:
    changed: dict[str, Any] = {table: frame}
    return replace(projection, **changed)


def test_the_projection_of_the_shipped_data_says_what_sparql_says(
    seed_services: Services, seed_projection: Projection
) -> None:
    assert list(differences(seed_projection, seed_services.store.at())) == []
    assert seed_projection.models.height == 126
    assert set(seed_projection.cells["status"]) == {"accepted", "disputed", "proposed", "derived", "missing"}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("models", "label", "another"),
        ("cells", "agreeing", 99),
        ("cells", "values", ["another"]),
        ("cells", "number", -1.0),
        ("cells", "claims", []),
        ("cells", "status", "rejected"),
        ("cells", "reason", "withheld"),
        ("observations", "value", -1.0),
        ("observations", "shots", 77),
        ("observations", "device", "another"),
    ],
)
def test_verification_names_any_cell_that_differs(
    small: Snapshot, small_projection: Projection, table: str, column: str, value: object
) -> None:
    frame: pl.DataFrame = getattr(small_projection, table)
    place = min(7, frame.height - 1)
    wanted = pl.lit(value, dtype=frame.schema[column])
    spoilt = frame.with_row_index("n").with_columns(
        pl.when(pl.col("n") == place).then(wanted).otherwise(pl.col(column)).alias(column)
    )
    found = list(differences(_with(small_projection, table, spoilt.drop("n")), small))
    row = frame.row(place, named=True)
    names = {row.get("slug"), row.get("model"), row.get("observation")}
    assert len(found) == 1
    assert column in found[0]
    assert any(found[0].startswith(f"{name}, ") for name in names if name)


@pytest.mark.parametrize("table", ["models", "cells", "observations"])
def test_verification_names_rows_that_are_missing_or_too_many(
    small: Snapshot, small_projection: Projection, table: str
) -> None:
    frame: pl.DataFrame = getattr(small_projection, table)
    less = _with(small_projection, table, frame[1:])
    assert list(differences(less, small))
    twin = frame[:1].with_columns(pl.lit("nobody").alias("slug" if table == "models" else frame.columns[0]))
    more = _with(small_projection, table, pl.concat([frame, twin]))
    assert any("nobody" in one for one in differences(more, small))


@given(st.integers(0, 2**32), st.integers(1, 12))
@example(248, 9)  # a model loses its architecture
@settings(max_examples=15)
def test_a_projection_from_a_change_is_the_one_from_the_whole_graph(seed: int, size: int) -> None:
    """Random quads of a small graph go, come and change their values; whatever is told to be touched is enough."""
    chance = Random(seed)
    quads = small_graph()
    store = MemoryStore()
    store.apply(change(quads, []), expect=0)
    before = build(store.at(1), 1)
    gone = chance.sample(quads, min(size, len(quads)))
    new = [_spoilt(quad, chance) for quad in chance.sample(gone, len(gone) // 2)]
    done = change(new, gone)
    store.apply(done, expect=1)
    whole = build(store.at(2), 2)
    models = touched(before, store.at(1), store.at(2), [*done.add, *done.remove])
    if models is not None:
        made = update(before, store.at(2), 2, models)
        assert made.models.equals(whole.models)
        assert made.cells.equals(whole.cells)
        assert made.observations.equals(whole.observations)
        assert made.same(whole)
    if all(quad.predicate.value != vocab.rdf.type for quad in gone):  # a record without its class breaks a shape
        assert list(differences(whole, store.at(2))) == []


def _spoilt(quad: Quad, chance: Random) -> Quad:
    """The quad with another value."""
    value = quad.object
    if isinstance(value, Literal) and value.datatype.value.endswith(("integer", "decimal")):
        return Quad(quad.subject, quad.predicate, literal(chance.randrange(1, 99)), quad.graph_name)
    return Quad(quad.subject, quad.predicate, value, quad.graph_name)


@pytest.mark.parametrize(
    ("quad", "expected"),
    [
        (Quad(PHI, iri(vocab.skos.altLabel), text("x"), REGISTRY), {PHI.value}),
        (Quad(resource("architecture", "phi-2"), iri(vocab.slm.numLayers), literal(3), CURATED), {PHI.value}),
        (Quad(resource("ingestion", "x"), iri(vocab.rdfs.label), text("x"), META), set()),
        (Quad(resource("disagreement", "x"), iri(vocab.skos.note), text("x"), DECISIONS), set()),
        (Quad(resource("organisation", "x"), iri(vocab.rdfs.label), text("x"), REGISTRY), None),
        (Quad(iri(vocab.slm.numLayers), iri(vocab.rdfs.label), text("x"), REGISTRY), None),
    ],
)
def test_which_models_a_change_touches(
    seed_services: Services, seed_projection: Projection, quad: Quad, expected: set[str] | None
) -> None:
    snapshot = seed_services.store.at()
    found = touched(seed_projection, snapshot, snapshot, [quad])
    assert found == (None if expected is None else frozenset(expected))


def test_a_model_that_is_a_value_elsewhere_touches_the_models_that_name_it(
    seed_services: Services, seed_projection: Projection
) -> None:
    named = seed_projection.cells.filter(pl.col("property") == "baseModel").row(0, named=True)
    base = named["things"][0]["iri"]
    quad = Quad(IRI(base), iri(vocab.rdfs.label), text("x"), REGISTRY)
    found = touched(seed_projection, seed_services.store.at(), seed_services.store.at(), [quad])
    assert found is not None
    assert resource("model", named["model"]).value in found


def test_a_commit_makes_the_projection_of_its_revision_from_the_one_before(
    own_services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    original: Callable[..., Projection] = build

    def counted(snapshot: object, revision: int) -> Projection:
        built.append(revision)
        return original(snapshot, revision)

    monkeypatch.setattr("app.compare.projection.projections.build", counted)
    label = Quad(PHI, iri(vocab.skos.altLabel), text("another name"), REGISTRY)
    own_services.store.apply(change([label], []), expect=1)
    place = own_services.settings.data_dir / "projections" / "000002"
    assert json.loads((place / "manifest.json").read_text(encoding="utf-8"))["revision"] == 2
    assert built == []
    view = own_services.view(2)
    assert "another name" in view.models["aliases"][view.index["phi-2"]]
    assert "another name" not in own_services.view(1).models["aliases"][view.index["phi-2"]]
    assert list(own_services.projections.verify(2)) == []
    assert own_services.projections.build(2).same(view.projection)
    assert built == [2]


@pytest.mark.parametrize("error", [OSError("no space left on device"), pl.exceptions.SchemaError("no space left")])
def test_a_commit_stands_whatever_happens_to_its_projection(
    own_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(Files, "write", broken)
    label = Quad(PHI, iri(vocab.skos.altLabel), text("another name"), REGISTRY)
    assert own_services.store.apply(change([label], []), expect=1).number == 2
    assert "no space left" in caplog.text
    monkeypatch.undo()
    assert own_services.view(2).models.height == 126


@pytest.mark.parametrize("damage", ["gone", "cut", "format", "text", "another store", "column"])
def test_a_projection_that_cannot_be_used_counts_as_missing(
    seed_services: Services, seed_projection: Projection, tmp_path: Path, damage: str
) -> None:
    files = Files(tmp_path / "projections")
    head = seed_services.store.head()
    files.write(head, seed_projection)
    kept = files.read(head)
    assert kept is not None
    assert kept.same(seed_projection)
    place = tmp_path / "projections" / "000001"
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    if damage == "gone":
        (place / "cells.parquet").unlink()
    elif damage == "cut":
        whole = (place / "cells.parquet").read_bytes()
        (place / "cells.parquet").write_bytes(whole[: len(whole) // 2])
    elif damage == "format":
        (place / "manifest.json").write_text(json.dumps(manifest | {"format": 0}), encoding="utf-8")
    elif damage == "text":
        (place / "terms.json").write_text("{", encoding="utf-8")
    elif damage == "another store":
        head = replace(head, made_at=NOW)
    else:
        seed_projection.cells.drop("badge").write_parquet(place / "cells.parquet")
    assert files.read(head) is None


def test_the_oldest_projections_go_and_no_work_is_left(
    seed_services: Services, seed_projection: Projection, tmp_path: Path
) -> None:
    files = Files(tmp_path, keep=2)
    head = seed_services.store.head()
    for number in (1, 2, 3, 3):
        files.write(replace(head, number=number), seed_projection)
    assert files.numbers() == [2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000002", "000003"]


def test_without_files_a_projection_is_made_when_asked_for() -> None:
    store: GraphStore = MemoryStore()
    store.apply(change(small_graph(), []), expect=0)
    projections = Projections(store, None)
    assert projections.at(1).models.height == 3
    assert list(projections.verify(1)) == []


@pytest.mark.parametrize(
    "content",
    [
        [],
        [Quad(PHI, iri(vocab.rdf.type), iri(vocab.slm.LanguageModel), REGISTRY)],
        [
            Quad(PHI, iri(vocab.rdf.type), iri(vocab.slm.LanguageModel), REGISTRY),
            Quad(PHI, iri(vocab.slm.status), text("?"), META),
        ],
    ],
    ids=["nothing", "a model", "rubbish"],
)
def test_a_graph_without_an_ontology_has_a_projection(content: list[Quad]) -> None:
    store = MemoryStore()
    store.apply(change(content, []), expect=0)
    assert build(store.at(), 1).cells.is_empty()


def test_queries_of_the_projection_say_what_they_are_for() -> None:
    for name in ("pairs", "triples", "curated-facts", "statements-about", "touched", "models-of", "terms", "units"):
        assert stored_queries()[name].title
        assert stored_queries()[name].about
