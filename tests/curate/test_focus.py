"""What a change touches: narrow validation finds exactly what validation of the whole graph finds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app import resources, vocab
from app.curate.commit import Rules, validate, validate_change
from app.curate.focus import PAIRED, touched
from app.model.changes import ChangeSet
from app.model.claims import Claim, Source, resource
from app.model.graphs import META, ONTOLOGY, PROPOSALS, REGISTRY
from app.model.proposal_quads import judgement_quads, proposal_quads
from app.model.proposals import Choice, Comment, Item, Judgement, Proposal, Verdict, Withdrawal
from app.model.quads import TEAM
from app.model.rdf import IRI, Literal, Quad, iri, literal
from app.store.engine import EngineSnapshot, as_stored
from app.validation import shapes
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from tests.validation.graphs import EXAMPLE

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ADA, BOB = resource("agent", "ada"), resource("agent", "bob")
SOURCE = Source("paper", "A paper", "TechnicalReport", "2026-11-21", "2024-01")


@pytest.fixture(scope="module")
def rules() -> Rules:
    loaded = shapes.load(resources.folder("shapes"))
    return Rules(SetValidator(loaded), RecordValidator(loaded))


@pytest.fixture(scope="module")
def example() -> frozenset[Quad]:
    store = ox.Store()
    store.load(path=EXAMPLE, format=ox.RdfFormat.TRIG)
    for name, graph in (("slmkg", "ontology"), ("vocab", "vocab"), ("units", "vocab")):
        path: Path = resources.folder("ontology") / f"{name}.ttl"
        store.load(path=path, format=ox.RdfFormat.TURTLE, to_graph=iri(vocab.graph.NS + graph))
    return frozenset(store)


def proposal(items: int, *, number: int = 1) -> Proposal:
    """A proposal in which everything was said that can be said: verdicts, comments, another try, an end."""
    content = [
        Claim(
            resource("architecture", f"a{n}"),
            vocab.slm.numLayers,
            literal(n),
            str(n),
            SOURCE,
            f"row {n}",
            "Transcribed",
        )
        for n in range(items)
    ]
    no, yes = Verdict(False, "it is wrong", BOB, NOW), Verdict(True, "", BOB, NOW)
    verdicts: list[tuple[Verdict, ...]] = [(), (yes,), (no,), (yes, no)]
    made = tuple(
        Item(n + 1, one, verdicts[n % 4], 7 if n % 4 == 1 else None, again="new" if n % 3 == 0 else None)
        for n, one in enumerate(content)
    )
    said = (Comment(BOB, NOW, "a word"), Comment(ADA, NOW, "another"))
    return Proposal(number, "many values", ADA, NOW, made, said, Withdrawal("enough", ADA, NOW))


def candidate(example: frozenset[Quad], change: ChangeSet) -> EngineSnapshot:
    engine = ox.Store()
    engine.bulk_extend((example - change.remove) | change.add)
    return EngineSnapshot(engine)


def change_of(add: frozenset[Quad], remove: frozenset[Quad] = frozenset()) -> ChangeSet:
    return ChangeSet(add - remove, remove, "test", TEAM.value, NOW)


def test_a_proposal_of_thousands_of_values_is_judged_at_its_title_only(example: frozenset[Quad], rules: Rules) -> None:
    made = proposal(3_000)
    change = change_of(as_stored(proposal_quads(made)))
    after = candidate(example, change)
    nodes = touched(after, change, rules.sets)
    assert nodes is not None
    assert made.iri in nodes
    assert len(nodes) < 10
    assert validate_change(after, change, rules) == validate(after, rules.sets)


def test_every_step_of_a_proposal_is_judged_narrowly(example: frozenset[Quad], rules: Rules) -> None:
    whole = as_stored(proposal_quads(proposal(400)))
    for part in ({vocab.slm.Verdict}, {vocab.slm.Comment}, {vocab.slm.ProposedItem}, {vocab.slm.Proposal}):
        kinds = {quad.subject for quad in whole if quad.predicate == iri(vocab.rdf.type)}
        assert kinds
        chosen = {
            q.subject for q in whole if q.predicate == iri(vocab.rdf.type) and q.object in {iri(one) for one in part}
        }
        step = frozenset(quad for quad in whole if quad.subject in chosen)
        change = change_of(step)
        after = candidate(example | (whole - step), change)
        assert touched(after, change, rules.sets) is not None, part
        assert validate_change(after, change, rules) == validate(after, rules.sets)


@pytest.mark.parametrize("name", ["Proposal", "ProposedItem", "Verdict", "Comment", "Decision"], ids=str)
def test_no_constraint_speaks_of_what_stands_in_the_proposals_graph(name: str, rules: Rules) -> None:
    assert IRI(vocab.slm.NS + name) not in rules.sets.named


def test_claimable_properties_are_heard_even_where_no_constraint_names_them(rules: Rules) -> None:
    unnamed = [name for name in sorted(vocab.CLAIMABLE) if iri(name) not in rules.sets.named]
    assert unnamed, "else this shows nothing"
    engine = ox.Store()
    path = resources.folder("ontology") / "slmkg.ttl"
    engine.load(path=path, format=ox.RdfFormat.TURTLE, to_graph=ONTOLOGY)
    for name in unnamed:
        quad = Quad(resource("model", "m"), iri(name), literal(1), REGISTRY)
        nodes = touched(EngineSnapshot(engine), change_of(frozenset({quad})), SetValidator(shapes.load(_SHAPES)))
        assert nodes is not None
        assert quad.subject in nodes


_SHAPES = resources.folder("shapes")


def test_an_end_counts_where_there_is_a_start(example: frozenset[Quad], rules: Rules) -> None:
    """The one predicate of verdicts that a constraint names is looked at together with another one."""
    texts = [query.text for query in rules.sets.queries]
    for one, other in PAIRED.items():
        assert {iri(one), iri(other)} <= rules.sets.named
        short, long = (name.rsplit("#", 1)[-1] for name in (one, other))
        for text in (text for text in texts if short in text):
            assert f"$this prov:{long} ?start ; prov:{short} ?end" in text
            assert text.count(short) == 1
    run = next(quad.subject for quad in example if quad.predicate == iri(vocab.prov.startedAtTime))
    ends = frozenset(quad for quad in example if quad.subject == run and quad.predicate.value in PAIRED)
    early = Quad(run, iri(vocab.prov.endedAtTime), _moment("1999-01-01T00:00:00Z"), PROPOSALS)
    change = change_of(frozenset({early}), ends)
    after = candidate(example, change)
    found = validate_change(after, change, rules)
    assert found == validate(after, rules.sets)
    assert "C36" in found.by_constraint


def test_a_silent_triple_in_two_graphs_is_found(example: frozenset[Quad], rules: Rules) -> None:
    silent = Quad(resource("proposed-item", "1-1"), iri(vocab.slm.sameness), Literal("x"), PROPOSALS)
    twin = Quad(silent.subject, silent.predicate, silent.object, META)
    change = change_of(frozenset({twin}))
    after = candidate(example | {silent}, change)
    found = validate_change(after, change, rules)
    assert found == validate(after, rules.sets)
    assert found.by_constraint == {"G5": 1}


def _moment(written: str) -> Literal:
    return Literal(written, datatype=iri("http://www.w3.org/2001/XMLSchema#dateTime"))


_judgement = Judgement(
    resource("architecture", "a0"), vocab.slm.numLayers, Choice.VALUE, "so", BOB, NOW, "2", frozenset({ADA})
)
_HOMES = [PROPOSALS, REGISTRY, META, iri(vocab.graph.NS + "curated"), iri(vocab.graph.NS + "decisions")]


@settings(max_examples=30)
@given(data=some.data())
def test_narrow_and_whole_validation_agree_on_any_change(
    data: some.DataObject, example: frozenset[Quad], rules: Rules
) -> None:
    """Quads of proposals and of the example come, go, change home, subject and object: both find the same anew."""
    steps = as_stored([*proposal_quads(proposal(5)), *judgement_quads(_judgement)])
    described = {iri(vocab.graph.NS + name) for name in ("ontology", "vocab")}
    pool = sorted((quad for quad in example if quad.graph_name not in described), key=str) + sorted(steps, key=str)
    before = example | steps
    chosen = data.draw(some.lists(some.sampled_from(pool), max_size=5), "twisted")
    add: set[Quad] = set()
    for quad in chosen:
        other = data.draw(some.sampled_from(pool), "other")
        home = data.draw(some.sampled_from([quad.graph_name, *_HOMES]), "home")
        subject = data.draw(some.sampled_from([quad.subject, other.subject]), "subject")
        value = data.draw(some.sampled_from([quad.object, other.object]), "value")
        add.add(Quad(subject, quad.predicate, value, home))
    remove = frozenset(data.draw(some.lists(some.sampled_from(pool), max_size=3), "removed"))
    change = ChangeSet(frozenset(add) - before, remove - add, "test", TEAM.value, NOW)
    after = candidate(before, change)
    found = set(validate(after, rules.sets).findings)
    narrow = set(validate_change(after, change, rules).findings)
    assert narrow <= found
    new = found - set(validate(candidate(before, change_of(frozenset())), rules.sets).findings)
    assert new <= narrow
