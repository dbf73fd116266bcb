"""The whole graph: every triple in its one home, nothing curated without a source, the same twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from app import vocab
from app.curate.assemble import Assembly, assemble, trust_ranks
from app.curate.cases import cardinality
from app.curate.contributions import Contributions
from app.curate.resolve import Cardinality, Rule, Status
from app.ingest.seed import Seed
from app.model.claims import concept
from app.model.graphs import CURATED, DECISIONS, HISTORY, INFERRED, META, ONTOLOGY, REGISTRY, VOCABULARY
from app.model.rdf import IRI, Blank, Term
from app.resources import folder
from app.services import Services
from app.store.port import Query
from tests.curate.statements import Statement, statements

PREFIXES = "".join(f"PREFIX {name}: <{address}> " for name, address in vocab.PREFIXES.items())


def test_every_triple_has_one_home(assembly: Assembly) -> None:
    homes = Counter((quad.subject, quad.predicate, quad.object) for quad in statements(assembly.quads))
    assert [str(triple) for triple, count in homes.items() if count > 1] == []


def test_every_triple_of_the_loaded_store_has_one_home(seed_services: Services) -> None:
    snapshot = seed_services.store.at()
    triples = Counter((quad.subject, quad.predicate, quad.object) for quad in snapshot.quads())
    assert max(triples.values()) == 1
    (union,) = snapshot.query(Query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")).rows()
    assert int(union["n"].value) == len(triples) == seed_services.store.head().quads


def test_graphs_are_those_that_are_agreed(assembly: Assembly) -> None:
    fixed = {CURATED, DECISIONS, INFERRED, META, ONTOLOGY, REGISTRY, VOCABULARY}
    found = {quad.graph_name for quad in statements(assembly.quads)}
    assert fixed <= found
    prefix = f"{vocab.BASE}graph/source/"
    assert found - fixed
    assert all(graph.value.startswith(prefix) for graph in found - fixed)
    described = {quad.subject for quad in statements(assembly.quads) if quad.graph_name == META}
    assert found <= described, "every graph is described in the meta graph"


def test_two_assemblies_are_equal(seed: Seed, assembly: Assembly) -> None:
    again = assemble(seed, folder("ontology"))
    assert again.quads == assembly.quads
    assert again.outcomes == assembly.outcomes
    assert again.derivations == assembly.derivations


def test_there_is_no_blank_node(assembly: Assembly) -> None:
    """A blank node would get another name at each reading, and no load would be without change."""
    assert [
        quad for quad in statements(assembly.quads) if isinstance(quad.subject, Blank) or isinstance(quad.object, Blank)
    ] == []


def test_source_graphs_hold_no_status_and_the_decisions_graph_holds_each_once(assembly: Assembly) -> None:
    statuses: Counter[Term] = Counter()
    claims: set[Term] = set()
    for quad in statements(assembly.quads):
        if quad.predicate.value == vocab.slm.status and quad.object.value.startswith(concept("claim-status", "").value):
            assert quad.graph_name == DECISIONS
            statuses[quad.subject] += 1
        if quad.predicate.value == vocab.rdf.type and quad.object.value == vocab.slm.Claim:
            claims.add(quad.subject)
    assert set(statuses) == claims
    assert set(statuses.values()) == {1}


def test_the_curated_graph_holds_only_accepted_facts(assembly: Assembly) -> None:
    curated = {quad for quad in statements(assembly.quads) if quad.graph_name == CURATED}
    expected = sum(len(outcome.values) for outcome in assembly.outcomes.values())
    assert len(curated) == expected
    absences = {vocab.slm.variesByLayer, vocab.slm.notReported}
    for quad in curated:
        assert quad.predicate.value in vocab.CLAIMABLE | absences


def test_every_curated_value_has_an_accepted_claim_with_source_and_locator(seed_services: Services) -> None:
    """What constraint G2 asks, walked in Python over the store's quads, without the shapes."""
    snapshot = seed_services.store.at()
    claims: dict[Term, dict[str, Term]] = defaultdict(dict)
    statuses: dict[Term, str] = {}
    sources: set[Term] = set()
    curated: list[Statement] = []
    for quad in statements(snapshot.quads()):
        graph = quad.graph_name
        if graph == CURATED:
            curated.append(quad)
        elif graph == DECISIONS and quad.predicate.value == vocab.slm.status:
            statuses[quad.subject] = quad.object.value
        elif graph == META and quad.predicate.value == vocab.slm.sourceType:
            sources.add(quad.subject)
        elif graph.value.startswith(f"{vocab.BASE}graph/source/"):
            claims[quad.subject][quad.predicate.value] = quad.object
    accepted = {
        (one[vocab.rdf.subject], one[vocab.rdf.predicate].value, one[vocab.rdf.object])
        for iri, one in claims.items()
        if statuses.get(iri) == vocab.cstat.Accepted
        and one[vocab.prov.wasDerivedFrom] in sources
        and one[vocab.slm.locator].value.strip()
    }
    without: list[str] = []
    for quad in curated:
        direct = (quad.subject, quad.predicate.value, quad.object)
        absent = (quad.subject, quad.object.value, quad.predicate)
        if direct not in accepted and absent not in accepted:
            without.append(str(quad))
    assert without == []
    architectures = [quad for quad in curated if "/architecture/" in quad.subject.value]
    assert len(architectures) > 1500


def test_a_single_valued_property_has_one_curated_value(assembly: Assembly) -> None:
    several: Counter[tuple[Term, str]] = Counter()
    for quad in statements(assembly.quads):
        if quad.graph_name == CURATED and cardinality(quad.predicate.value) is Cardinality.SINGLE:
            several[quad.subject, quad.predicate.value] += 1
    absences = {vocab.slm.variesByLayer, vocab.slm.notReported}
    assert [key for key, count in several.items() if count > 1 and key[1] not in absences] == []


def test_an_open_question_has_no_curated_value(assembly: Assembly) -> None:
    open_keys = {key for key, outcome in assembly.outcomes.items() if outcome.is_open}
    assert open_keys
    curated = {
        (quad.subject, quad.predicate.value) for quad in statements(assembly.quads) if quad.graph_name == CURATED
    }
    assert open_keys & curated == set()


def test_every_disagreement_is_settled_with_a_rule_or_open(assembly: Assembly) -> None:
    about: dict[Term, dict[str, set[Term]]] = defaultdict(lambda: defaultdict(set))
    for quad in statements(assembly.quads):
        if quad.graph_name == DECISIONS:
            about[quad.subject][quad.predicate.value].add(quad.object)
    kinds = {subject: facts[vocab.rdf.type] for subject, facts in about.items()}
    disagreements = {s: about[s] for s, kind in kinds.items() if IRI(vocab.slm.Disagreement) in kind}
    resolutions = {s: about[s] for s, kind in kinds.items() if IRI(vocab.slm.Resolution) in kind}
    used: set[Term] = set()
    is_open = 0
    for facts in disagreements.values():
        settled = facts[vocab.slm.settledBy]
        statuses = [next(iter(about[one][vocab.slm.status])).value for one in facts[vocab.slm.involves]]
        if not settled:
            is_open += 1
            assert set(statuses) == {vocab.cstat.Open}
            continue
        (resolution,) = settled
        used.add(resolution)
        found = resolutions[resolution]
        assert found[vocab.slm.aboutSubject] == facts[vocab.slm.aboutSubject]
        assert found[vocab.slm.aboutProperty] == facts[vocab.slm.aboutProperty]
        assert found[vocab.slm.accepts] | found[vocab.slm.rejects] == facts[vocab.slm.involves]
        assert not found[vocab.slm.accepts] & found[vocab.slm.rejects]
        (rule,) = found[vocab.slm.decisionRule]
        assert rule.value in {one.value for one in Rule}
        assert (rule.value == "manual") == bool(found[vocab.dct.date])
        assert found[vocab.prov.wasAttributedTo]
    assert used == set(resolutions)
    assert is_open == sum(outcome.is_open for outcome in assembly.outcomes.values())


def test_every_decision_of_a_person_took_effect(seed: Seed, assembly: Assembly) -> None:
    assert len(seed.evidence.decisions) == 40
    for decision in seed.evidence.decisions:
        outcome = assembly.outcomes[decision.subject, decision.predicate]
        assert outcome.rule is Rule.MANUAL
        assert outcome.decision is not None
        assert replace(outcome.decision, seen=decision.seen) == decision
        assert not outcome.is_open
        kept = {one.reported for one, status in outcome.statuses.items() if status is Status.ACCEPTED}
        assert decision.reported in kept if decision.reported else kept == set()


def test_trust_ranks_are_those_of_the_vocabulary(assembly: Assembly) -> None:
    ranks = trust_ranks(assembly.quads)
    assert ranks["ConfigurationFile"] == ranks["ConfigurationReading"] == 1
    assert ranks["ConfigurationFile"] < ranks["TechnicalReport"] < ranks["SurveyTable"] < ranks["WebPage"]
    used = {one.source.kind for outcome in assembly.outcomes.values() for one in outcome.statuses}
    assert used <= set(ranks)


def test_an_absence_is_said_only_where_there_is_no_value(assembly: Assembly) -> None:
    known: set[tuple[Term, str]] = set(assembly.outcomes)
    reasons = {
        vocab.slm.notReported,
        vocab.slm.notApplicable,
        vocab.slm.notLookedFor,
        vocab.slm.withheld,
        vocab.slm.variesByLayer,
    }
    said = [
        quad for quad in statements(assembly.quads) if quad.graph_name == INFERRED and quad.predicate.value in reasons
    ]
    assert len(said) > 20
    assert [quad for quad in said if (quad.subject, quad.object.value) in known] == []


def test_history_is_not_part_of_what_is_assembled(assembly: Assembly) -> None:
    assert HISTORY not in {quad.graph_name for quad in statements(assembly.quads)}


def test_weights_that_only_a_contributed_result_speaks_of_keep_their_record(seed: Seed, assembly: Assembly) -> None:
    """A load replaces the registry: without the record, what people had accepted would stand on nothing."""
    model = seed.registry.models["openelm-270m"]
    quantisation = concept("quantisation", "Q2_K")
    artifact = model.artifact(quantisation)
    before = next(result for result in seed.evidence.results.values() if result.device is not None)
    result = replace(before, model=model.iri, artifact=artifact, source=replace(before.source, slug="a-new-one"))
    assert artifact not in {quad.subject for quad in assembly.quads}
    added = assemble(seed, folder("ontology"), Contributions(results=(result,))).quads - assembly.quads
    assert {
        quad.object for quad in added if quad.subject == artifact and quad.predicate.value == vocab.slm.quantisation
    }
    assert {quad.object for quad in added if quad.predicate.value == vocab.slm.hasArtifact} == {artifact}
