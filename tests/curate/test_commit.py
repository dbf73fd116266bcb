"""The one way to change the graph: what a change touches is validated, refused changes leave no trace."""

from __future__ import annotations

from datetime import UTC, datetime

import pyoxigraph as ox
import pytest

from app import resources, vocab
from app.curate import commit, focus
from app.curate.commit import Rules, begin, commit_change, head_number, validate, validate_change
from app.errors import BadParameter, InvalidGraph, StaleRevision
from app.model.changes import ChangeSet
from app.model.graphs import CURATED, HISTORY, ONTOLOGY, PROPOSALS, REGISTRY
from app.model.quads import TEAM
from app.model.rdf import IRI, Blank, Literal, Quad, iri
from app.store.engine import EngineSnapshot
from app.store.memory import MemoryStore
from app.validation import shapes
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from tests.validation.graphs import EXAMPLE, Data
from tests.validation.mutants import GRAPH, GRAPH_MUTANTS, HARMLESS, MUTANTS, Mutant

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = iri(vocab.BASE + "resource/model/examplelm-135m")
LABEL = iri(vocab.rdfs.label)
NOTE = iri(vocab.rdfs.comment)


@pytest.fixture(scope="module")
def rules() -> Rules:
    loaded = shapes.load(resources.folder("shapes"))
    return Rules(SetValidator(loaded), RecordValidator(loaded))


@pytest.fixture(scope="module")
def example() -> Data:
    store = ox.Store()
    store.load(path=EXAMPLE, format=ox.RdfFormat.TRIG)
    for name, graph in (("slmkg", "ontology"), ("vocab", "vocab"), ("units", "vocab")):
        path = resources.folder("ontology") / f"{name}.ttl"
        store.load(path=path, format=ox.RdfFormat.TURTLE, to_graph=iri(GRAPH + graph))
    return Data(list(store))


@pytest.fixture
def store(example: Data) -> MemoryStore:
    made = MemoryStore()
    made.apply(ChangeSet(frozenset(example.store), frozenset(), "test", TEAM.value, NOW), expect=0)
    return made


def change_by(mutant: Mutant, example: Data, flat: Data, home: IRI) -> ChangeSet:
    """A mutant as a change: what it removes leaves its home, what it adds goes into the one given."""
    mutated = flat.changed(mutant.update)
    before, after = ({quad.triple for quad in data.store} for data in (flat, mutated))
    gone = before - after
    remove = frozenset(quad for quad in example.store if quad.triple in gone)
    add = frozenset(Quad(t.subject, t.predicate, t.object, home) for t in after - before)
    return ChangeSet(add, remove, "test", TEAM.value, NOW)


def snapshot_after(example: Data, change: ChangeSet) -> EngineSnapshot:
    engine = ox.Store()
    engine.bulk_extend((set(example.store) - change.remove) | change.add)
    return EngineSnapshot(engine)


@pytest.fixture(scope="module")
def flat(example: Data) -> Data:
    return example.flat()


def of_shapes(report: Report) -> set[tuple[str, str]]:
    return {(finding.constraint, finding.focus) for finding in report.findings if finding.constraint.startswith("C")}


@pytest.mark.parametrize("home", [REGISTRY, PROPOSALS], ids=["registry", "proposals"])
@pytest.mark.parametrize("mutant", [*MUTANTS, *HARMLESS], ids=str)
def test_what_a_change_touches_holds_every_finding(
    mutant: Mutant, home: IRI, example: Data, flat: Data, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example has no findings, so all that a mistake makes must be found by looking only at what it touches."""
    monkeypatch.setattr(focus, "FOCUS", 10_000)
    monkeypatch.setattr(focus, "EVERYWHERE", frozenset())
    change = change_by(mutant, example, flat, home)
    candidate = snapshot_after(example, change)
    whole = validate(candidate, rules.sets)
    monkeypatch.setattr(commit, "validate", None)
    assert of_shapes(validate_change(candidate, change, rules)) == of_shapes(whole)


@pytest.mark.parametrize("mutant", GRAPH_MUTANTS, ids=str)
def test_the_checks_of_graphs_are_made_for_every_change(mutant: Mutant, example: Data, rules: Rules) -> None:
    mutated = example.changed(mutant.update)
    change = ChangeSet.between(example.store, mutated.store, reason="test", author=TEAM.value, made_at=NOW)
    found = validate_change(EngineSnapshot(mutated.store), change, rules)
    assert mutant.id in found.by_constraint


def spied(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the two ways a validation takes."""
    taken: list[str] = []

    def only_these(_: object, __: object) -> Report:
        taken.append("touched")
        return Report()

    def everything(*_: object, **__: object) -> Report:
        taken.append("whole")
        return Report()

    monkeypatch.setattr(rules.sets, "at", only_these)
    monkeypatch.setattr(commit, "validate", everything)
    return taken


@pytest.mark.parametrize(
    ("quads", "way"),
    [
        ([Quad(MODEL, NOTE, Literal("x"), REGISTRY)], "touched"),
        ([Quad(iri(f"urn:x:{n}"), LABEL, Literal("x"), REGISTRY) for n in range(201)], "whole"),
        ([Quad(iri(f"urn:x:{n}"), LABEL, Literal("x"), REGISTRY) for n in range(200)], "touched"),
        ([Quad(iri(f"urn:x:{n}"), NOTE, Literal("x"), REGISTRY) for n in range(2_000)], "touched"),
        ([Quad(MODEL, NOTE, Literal("x"), ONTOLOGY)], "whole"),
        ([Quad(Blank("b"), NOTE, Literal("x"), REGISTRY)], "whole"),
        ([Quad(MODEL, NOTE, Blank("b"), REGISTRY)], "whole"),
    ],
)
def test_the_whole_graph_is_validated_when_much_is_touched(
    quads: list[Quad], way: str, example: Data, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ChangeSet(frozenset(quads), frozenset(), "test", TEAM.value, NOW)
    with monkeypatch.context() as patches:
        taken = spied(rules, patches)
        validate_change(snapshot_after(example, change), change, rules)
    assert taken == [way]


def commit_to(
    store: MemoryStore,
    rules: Rules | None,
    add: list[Quad],
    remove: list[Quad],
    expect: int | None = None,
    key: str | None = None,
) -> int | None:
    made = commit_change(store, add, remove, rules=rules, reason="a test", author=TEAM, now=NOW, expect=expect, key=key)
    return made.revision.number if made.revision else None


def history(store: MemoryStore) -> list[Quad]:
    return list(store.at().quads(HISTORY))


def test_a_commit_is_one_revision_with_its_record(store: MemoryStore, rules: Rules) -> None:
    note = Quad(MODEL, NOTE, Literal("a note"), REGISTRY)
    assert commit_to(store, rules, [note], []) == 2
    assert note in set(store.at().quads(REGISTRY))
    assert note not in set(store.at(1).quads(REGISTRY))
    record = {quad.predicate.value: quad.object for quad in history(store)}
    assert record[vocab.slm.reason] == Literal("a test")
    assert record[vocab.slm.addedCount] == Literal(1)
    assert record[vocab.prov.wasAssociatedWith] == TEAM
    assert store.head().author == TEAM.value
    assert commit_to(store, rules, [], [note]) == 3
    assert set(store.at().quads(REGISTRY)) == set(store.at(1).quads(REGISTRY))


def test_nothing_to_change_is_no_revision(store: MemoryStore, rules: Rules) -> None:
    assert commit_to(store, rules, [], []) is None
    assert head_number(store) == 1


def test_a_violation_changes_nothing_and_is_told(store: MemoryStore, rules: Rules) -> None:
    lone = Quad(iri(vocab.BASE + "resource/claim/lone"), iri(vocab.rdf.type), iri(vocab.slm.Claim), REGISTRY)
    with pytest.raises(InvalidGraph) as refused:
        commit_to(store, rules, [lone], [])
    assert refused.value.findings
    assert head_number(store) == 1


def test_the_same_triple_in_a_second_graph_is_a_violation(store: MemoryStore, rules: Rules) -> None:
    there = next(iter(store.at().quads(REGISTRY)))
    with pytest.raises(InvalidGraph, match="violation") as refused:
        commit_to(store, rules, [Quad(there.subject, there.predicate, there.object, CURATED)], [])
    assert any("G5" in finding for finding in refused.value.findings)


def test_a_change_to_an_older_revision_is_stale(store: MemoryStore, rules: Rules) -> None:
    notes = [Quad(MODEL, NOTE, Literal(text), REGISTRY) for text in ("one", "two")]
    assert commit_to(store, rules, notes[:1], [], expect=1) == 2
    with pytest.raises(StaleRevision):
        commit_to(store, rules, notes[1:], [], expect=1)


@pytest.mark.parametrize("home", [HISTORY, ox.DefaultGraph()], ids=["history", "default graph"])
def test_graphs_that_nobody_may_write(store: MemoryStore, rules: Rules, home: IRI | ox.DefaultGraph) -> None:
    quad = Quad(MODEL, NOTE, Literal("x"), home)
    for add, remove in (([quad], []), ([], [quad])):
        with pytest.raises(BadParameter) as refused:
            commit_to(store, rules, add, remove)
        assert refused.value.advice
    assert head_number(store) == 1


def test_a_throw_away_store_takes_anything_and_keeps_no_record() -> None:
    store = MemoryStore()
    assert begin(store, author=TEAM, now=NOW).number == 1
    assert list(store.at().quads()) == []
    anything = [Quad(Blank("b"), NOTE, Literal("x")), Quad(MODEL, LABEL, Literal(1), HISTORY)]
    assert commit_to(store, None, anything, []) == 2
    assert len(list(store.at().quads())) == 2
