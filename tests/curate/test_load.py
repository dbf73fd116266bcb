"""A load is one revision, the same load again is none, and the report adds up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import vocab
from app.curate.commit import head_number, replace_graphs
from app.curate.load import LoadReport
from app.errors import InvalidGraph, StaleRevision
from app.ingest.seed import Seed
from app.model.changes import ChangeSet, Revision
from app.model.claims import resource
from app.model.graphs import HISTORY
from app.model.quads import LOADER
from app.model.rdf import IRI, Quad, describe, literal, text
from app.services import Services
from app.store.memory import MemoryStore
from app.store.port import GraphStore, Query, Snapshot
from app.validation.sets import SetValidator
from tests.curate.statements import statements

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOME = IRI(f"{vocab.BASE}graph/registry")
PREFIXES = "".join(f"PREFIX {name}: <{address}> " for name, address in vocab.PREFIXES.items())


@pytest.fixture(scope="module")
def again(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Services, LoadReport]:
    """The services on a copy of the loaded store, and the report of a second load."""
    from app.settings import Settings
    from app.wiring import build

    folder = tmp_path_factory.mktemp("again") / "var"
    shutil.copytree(seed_folder, folder)
    services = build(Settings(data_dir=folder))
    return services, services.load()


def test_a_second_load_changes_nothing(again: tuple[Services, LoadReport], seed_services: Services) -> None:
    services, report = again
    assert report.revision is None
    assert services.store.head() == seed_services.store.head()
    assert services.store.head().number == 1
    assert not list((services.settings.data_dir / "store").glob("work-*"))


def test_the_report_adds_up(again: tuple[Services, LoadReport], seed: Seed) -> None:
    services, report = again
    assert report.models >= 93
    assert report.models + report.baselines == len(seed.registry.models)
    assert sum(report.claims.values()) == len(seed.evidence.claims)
    assert report.observations == 1572 + 1572
    assert sum(report.settled.values()) + len(report.open_cases) == report.disagreements
    for name, table in report.tables.items():
        assert table.read == table.used + table.skipped, name
    assert sum(report.skipped.values()) == sum(table.skipped for table in report.tables.values())
    assert report.findings.get("Violation", 0) == 0
    graph_size = sum(1 for quad in services.store.at().quads() if quad.graph_name != HISTORY)
    assert report.quads == graph_size
    assert 0 < report.derived_from_proposed < report.derived
    assert report.as_json()["models"] == report.models


def test_the_report_agrees_with_the_graph(again: tuple[Services, LoadReport]) -> None:
    services, report = again

    def count(pattern: str) -> int:
        (row,) = services.store.at().query(Query(f"{PREFIXES} SELECT (COUNT(*) AS ?n) {{ {pattern} }}")).rows()
        return int(row["n"].value)

    assert count("?m a slm:LanguageModel") == report.models
    assert count("?c a slm:Claim") == sum(report.claims.values())
    assert count("?d a slm:Disagreement FILTER NOT EXISTS { ?d slm:settledBy ?r }") == len(report.open_cases)
    assert count(f"GRAPH <{vocab.BASE}graph/curated> {{ ?s ?p ?o }}") == report.curated_facts
    assert count("?d a slm:Derivation") == report.derived


def test_the_graph_tells_its_own_history(seed_services: Services) -> None:
    head = seed_services.store.head()
    quads = {quad.predicate.value: quad.object for quad in statements(seed_services.store.at().quads(HISTORY))}
    assert quads[vocab.slm.revisionNumber] == literal(1)
    assert quads[vocab.prov.wasAssociatedWith].value == head.author == LOADER.value
    assert int(quads[vocab.slm.addedCount].value) + len(quads) == head.added
    assert datetime.fromisoformat(quads[vocab.prov.startedAtTime].value) == head.made_at


# --- the only committer, on a small graph ----------------------------------------------------------------------------


def things(*names: str) -> list[Quad]:
    return [
        quad
        for name in names
        for quad in describe(
            HOME, resource("organisation", name), [(vocab.rdfs.label, text(name))], kind=vocab.slm.Organisation
        )
    ]


@pytest.fixture
def store() -> GraphStore:
    return MemoryStore()


def commit(store: GraphStore, quads: list[Quad], validator: SetValidator, day: int = 0) -> int | None:
    committed = replace_graphs(store, quads, validator, reason="test", author=LOADER, now=NOW + timedelta(days=day))
    return committed.revision.number if committed.revision else None


def test_the_same_quads_again_are_no_revision(store: GraphStore, seed_services: Services) -> None:
    validator = seed_services.set_validator
    assert head_number(store) == 0
    assert commit(store, things("a", "b"), validator) == 1
    assert commit(store, things("b", "a"), validator, 1) is None
    assert commit(store, things("b", "c"), validator, 2) == 2
    assert commit(store, things("b", "c"), validator, 3) is None
    labels = {
        quad.object.value for quad in statements(store.at().quads(HOME)) if quad.predicate.value == vocab.rdfs.label
    }
    assert labels == {"b", "c"}
    assert len({quad.subject for quad in store.at().quads(HISTORY)}) == 2, "history is kept"


def test_other_spellings_of_numbers_are_no_change(store: GraphStore, seed_services: Services) -> None:
    from app.model.rdf import XSD, Literal

    def with_bits(characters: str) -> list[Quad]:
        bits = Literal(characters, datatype=IRI(XSD + "decimal"))
        return [*things("a"), Quad(IRI("https://example.org/q"), IRI("https://example.org/bits"), bits, HOME)]

    assert commit(store, with_bits("4.50"), seed_services.set_validator) == 1
    assert commit(store, with_bits("4.5"), seed_services.set_validator) is None
    assert commit(store, with_bits("04.500"), seed_services.set_validator) is None
    assert commit(store, with_bits("4.51"), seed_services.set_validator) == 2


def test_a_graph_that_breaks_a_constraint_is_not_committed(store: GraphStore, seed_services: Services) -> None:
    commit(store, things("a"), seed_services.set_validator)
    before = set(store.at().quads())
    other_home = [Quad(q.subject, q.predicate, q.object, IRI(f"{vocab.BASE}graph/meta")) for q in things("a")]
    with pytest.raises(InvalidGraph) as found:
        commit(store, things("a") + other_home, seed_services.set_validator)
    assert any("G5" in finding for finding in found.value.findings)
    assert store.head().number == 1
    assert set(store.at().quads()) == before


def test_somebody_who_commits_in_between_wins(store: GraphStore, seed_services: Services) -> None:
    """The head is read before the change is made; a commit in between makes the change stale, not lost."""

    class Sly(MemoryStore):
        def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
            first = ChangeSet(frozenset(things("sly")), frozenset(), "sly", LOADER.value, NOW)
            super().apply(first, expect=0)
            return super().apply(change, expect=expect, check=check)

    sly = Sly()
    with pytest.raises(StaleRevision):
        commit(sly, things("a"), seed_services.set_validator)
    assert set(sly.at().quads()) == set(things("sly"))
