"""Proposals, decisions and agents survive the way into quads and back; ORCID iDs are checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import vocab
from app.ingest.seed import Seed
from app.model.agents import Agent, agent_named, agent_quads, orcid_of
from app.model.claims import Claim, Interval, Result, Source, resource
from app.model.content import from_text, to_text
from app.model.graphs import META, PROPOSALS
from app.model.proposal_quads import judgement_quads, judgements_of, proposal_quads, proposals_of
from app.model.proposals import Choice, Comment, Item, Judgement, Proposal, State, Verdict, Withdrawal, sameness
from app.model.rdf import literal
from app.store.engine import as_stored

START = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=30)
AGENTS = st.sampled_from([resource("agent", "ada"), resource("agent", "bob")])
TIMES = st.integers(0, 10**6).map(lambda seconds: START + timedelta(seconds=seconds))
CLAIMS = st.builds(
    Claim,
    subject=st.sampled_from([resource("architecture", "a"), resource("model", "b")]),
    predicate=st.just(vocab.slm.vocabularySize),
    value=st.one_of(
        st.integers().map(literal), st.decimals(-(10**6), 10**6, places=3).map(literal), WORDS.map(literal)
    ),
    reported=WORDS,
    source=st.builds(
        Source,
        slug=st.sampled_from(["x", "y-1"]),
        title=WORDS,
        kind=st.just("WebPage"),
        retrieved=st.just("2026-11-20"),
        dated=st.none() | st.just("2024-01"),
        parts=st.lists(WORDS, max_size=2).map(tuple),
    ),
    locator=WORDS,
    interval=st.none() | st.decimals(0, 100, places=2).map(lambda low: Interval(low, low + 1)),
    note=st.none() | WORDS,
    quote=st.none() | WORDS,
)
VERDICTS = st.builds(Verdict, accepted=st.booleans(), reason=st.just("") | WORDS, by=AGENTS, at=TIMES)


@st.composite
def some_proposals(draw: st.DrawFn) -> Proposal:
    contents = draw(st.lists(CLAIMS, min_size=1, max_size=3))
    items = tuple(
        Item(
            number,
            content,
            tuple(draw(st.lists(VERDICTS, max_size=2))),
            draw(st.none() | st.integers(1, 99)),
            draw(st.none() | WORDS),
        )
        for number, content in enumerate(contents, start=1)
    )
    return Proposal(
        number=draw(st.integers(1, 10**6)),
        title=draw(WORDS),
        author=draw(AGENTS),
        made_at=draw(TIMES),
        items=items,
        comments=tuple(draw(st.lists(st.builds(Comment, by=AGENTS, at=TIMES, text=WORDS), max_size=3))),
        withdrawal=draw(st.none() | st.builds(Withdrawal, reason=WORDS, by=AGENTS, at=TIMES)),
    )


@given(some_proposals())
def test_a_proposal_comes_back_from_the_store(proposal: Proposal) -> None:
    assert proposals_of(as_stored(proposal_quads(proposal))) == {proposal.number: proposal}


@given(some_proposals())
def test_everything_stands_in_the_proposals_graph_and_nothing_is_a_claim(proposal: Proposal) -> None:
    quads = proposal_quads(proposal)
    assert {quad.graph_name for quad in quads} == {PROPOSALS}
    said = {quad.predicate.value for quad in quads}
    assert not said & {vocab.rdf.subject, vocab.rdf.predicate, vocab.rdf.object, vocab.slm.status, vocab.rdfs.label}
    kinds = {getattr(quad.object, "value", "") for quad in quads if quad.predicate.value == vocab.rdf.type}
    assert kinds <= {vocab.slm.Proposal, vocab.slm.ProposedItem, vocab.slm.Verdict, vocab.slm.Comment}


@given(CLAIMS)
def test_a_claim_comes_back_from_text(claim: Claim) -> None:
    assert from_text(to_text(claim)) == claim


def test_every_claim_and_result_of_the_seed_comes_back_from_text(seed: Seed) -> None:
    contents: list[Claim | Result] = [*seed.evidence.claims.values(), *seed.evidence.results.values()]
    assert len(contents) > 8000
    for content in contents:
        assert from_text(to_text(content)) == content


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "claim"}', '{"kind": "result", "model": 3}'])
def test_other_text_is_no_content(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)


@given(
    st.builds(
        Judgement,
        subject=st.just(resource("model", "a")),
        predicate=st.just(vocab.slm.maker),
        choice=st.sampled_from(Choice),
        reason=WORDS,
        by=AGENTS,
        at=TIMES,
        keeps=st.none() | WORDS,
        seen=st.frozensets(st.sampled_from([resource("claim", str(n)) for n in range(4)])),
        replaced_at=st.none() | TIMES,
    )
)
def test_a_decision_comes_back_from_the_store(judgement: Judgement) -> None:
    assert judgements_of(as_stored(judgement_quads(judgement))) == [judgement]


@given(CLAIMS, WORDS)
def test_the_same_said_elsewhere_in_a_source_is_the_same(claim: Claim, locator: str) -> None:
    from dataclasses import replace

    assert sameness(replace(claim, locator=locator, note=locator)) == sameness(claim)
    assert sameness(replace(claim, source=replace(claim.source, slug="z"))) != sameness(claim)


def test_states() -> None:
    claim = Claim(
        resource("model", "a"), vocab.slm.maker, literal(1), "1", Source("x", "x", "WebPage", "2026-11-20"), "p"
    )
    by = resource("agent", "bob")

    def of(*answers: bool | None) -> State:
        items = [
            Item(number, claim, () if answer is None else (Verdict(answer, "", by, START),))
            for number, answer in enumerate(answers, start=1)
        ]
        return Proposal(1, "x", by, START, tuple(items)).state

    assert of(None, True) is State.OPEN
    assert of(True, True) is State.ACCEPTED
    assert of(True, False) is State.PARTLY_ACCEPTED
    assert of(False, False) is State.REJECTED


@pytest.mark.parametrize(
    "good", ["0000-0002-1825-0097", "https://orcid.org/0000-0001-5109-3700", "0000-0002-1694-233X"]
)
def test_orcid_ids_are_taken(good: str) -> None:
    assert orcid_of(good) == good.rsplit("/", 1)[-1]


@pytest.mark.parametrize("bad", ["", "0000-0002-1825-0098", "0000-0002-1825-009", "0000000218250097", "x" * 19])
def test_other_numbers_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        orcid_of(bad)


def test_agents_are_named_and_described() -> None:
    ada = agent_named("0000-0002-1825-0097")
    assert ada.iri == resource("agent", "orcid-0000-0002-1825-0097")
    assert agent_named("bob") == Agent("bob", "bob")
    with pytest.raises(ValueError, match="small letters"):
        agent_named("Bob B.")
    quads = agent_quads(ada)
    assert {quad.graph_name for quad in quads} == {META}
    assert {quad.predicate.value for quad in quads} >= {vocab.slm.orcid, vocab.owl.sameAs}
