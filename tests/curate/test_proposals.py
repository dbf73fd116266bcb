"""Proposals from the first word to the record: nothing counts before it is accepted, nothing said is lost."""

from __future__ import annotations

import pytest

from app import vocab
from app.compare import models
from app.compare.properties import DEFAULT, properties
from app.compare.questions import questions
from app.compare.reader import Reader
from app.compare.table import compare
from app.compare.values import CompareTable
from app.curate import decide, proposals, review, told
from app.curate.cases import read_cases, settle_cases
from app.curate.commit import commit_change
from app.curate.proposals import Filter
from app.curate.requests import ClaimRequest, ResultRequest, SourceRequest
from app.curate.resolve import Rule, Status
from app.curate.review import Answer
from app.errors import BadValue, Conflict, Forbidden, InvalidGraph, NotFound, SelfReview
from app.model.claims import Result, resource
from app.model.graphs import PROPOSALS
from app.model.proposals import Choice, State
from app.model.rdf import IRI, literal
from app.services import Services
from app.store.port import Query
from tests.curate.people import (
    ADA,
    BOB,
    PAPER,
    accepted,
    committed,
    contents,
    proposed,
    rejected,
    request,
    states,
    take,
)

KEY = (resource("architecture", "phi-2"), vocab.slm.vocabularySize)
OPEN_KEY = (resource("architecture", "gpt-neo-1.3b"), vocab.slm.activation)


def usual_table(services: Services) -> CompareTable:
    """Two models in the usual properties, by SPARQL."""
    reader = Reader(services.store.at())
    chosen = [models.find(models.summaries(reader), slug) for slug in ("phi-2", "opt-125m")]
    return compare(reader, chosen, [properties(reader)[name] for name in DEFAULT])


def answers(services: Services) -> list[object]:
    """What the pages and the example questions tell."""
    told_: list[object] = [
        services.counts(),
        services.view().projection.cells.to_dicts(),
        usual_table(services),
        services.model("phi-2"),
    ]
    for question in questions():
        if "slm:Revision" in question.text:  # the record of revisions grows with every step, and shall
            continue
        rows = services.store.at().query(Query(question.text))
        if rows.kind == "select":
            told_.append(sorted(str(sorted((name, str(term)) for name, term in row.items())) for row in rows.rows()))
    return told_


def test_a_proposal_is_no_fact(own_services: Services) -> None:
    before = answers(own_services)
    proposed(own_services, request(value=1), request(name="maker", value="microsoft", locator="page 1"))
    rejected(own_services, request(value=2))
    assert answers(own_services) == before


def test_from_proposal_to_record(own_services: Services) -> None:
    first = proposed(own_services, request(quote="51,200 tokens"), request(name="hiddenSize", value=2048))
    assert (first.number, first.state, states(first)) == (1, State.OPEN, ["pending", "pending"])
    take(own_services, review.review(1, {1: Answer(True), 2: Answer(False, "that is Phi-1")}), BOB)
    done = committed(own_services, 1)
    assert (done.state, states(done)) == (State.PARTLY_ACCEPTED, ["committed", "rejected"])
    assert done.items[0].revision == own_services.store.head().number
    again = proposals.read(own_services.store.at(), 1)
    assert again == done
    case = read_cases(own_services.store.at(), [KEY])[KEY]
    recorded = next(claim for claim in case.claims if claim.iri == done.items[0].recorded_as)
    assert recorded.quote == "51,200 tokens"
    assert case.outcome.statuses[recorded] is Status.ACCEPTED
    assert own_services.validate().conforms
    assert settle_cases(own_services.store.at(), [KEY]).is_empty


def test_the_agents_are_recorded(own_services: Services) -> None:
    proposed(own_services, request())
    names = told.agents(own_services.store.at(), [ADA.iri])
    assert names[ADA.iri] == {"iri": ADA.iri.value, "name": "Ada", "orcid": "0000-0002-1825-0097"}


def test_what_was_rejected_does_not_come_back(own_services: Services) -> None:
    rejected(own_services, request(value=7), reason="it counts something else")
    with pytest.raises(Conflict) as refused:
        proposed(own_services, request(value=7, locator="page 4"))
    assert "bob rejected the same" in refused.value.message
    assert "it counts something else" in refused.value.message
    assert (refused.value.pointer, bool(refused.value.advice)) == ("/items/0", True)
    second = proposed(own_services, request(value=7, locator="page 4"), again="the author confirms it")
    assert second.items[0].again == "the author confirms it"


def test_what_waits_or_stands_is_not_proposed_again(own_services: Services) -> None:
    accepted(own_services, request())
    with pytest.raises(Conflict, match="stands in the graph"):
        proposed(own_services, request())
    proposed(own_services, request(value=3))
    with pytest.raises(Conflict, match="proposal 2 asks for the same"):
        proposed(own_services, request(value=3, locator="elsewhere"))
    take(own_services, proposals.withdraw(2, "a slip"))
    assert proposed(own_services, request(value=3)).number == 3


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        (request(model="phi-0"), "/items/0/model"),
        (request(name="vocabularysise"), "/items/0/property"),
        (request(value="many"), "/items/0/value"),
        (request(value=True), "/items/0/value"),
        (request(value=None, reported="Base = 110M, Large = 340M"), "/items/0/reported"),
        (request(value=51000, reported="50k"), "/items/0/value"),
        (request(value=None), "/items/0/value"),
        (request(value=1, missing="withheld"), "/items/0/value"),
        (request(value=None, missing="lost"), "/items/0/missing"),
        (request(unit="tokens per fortnight"), "/items/0/unit"),
        (request(name="attentionType", value="ABC"), "/items/0/value"),
        (request(name="maker", value="nobody at all"), "/items/0/value"),
        (request(name="releasedIn", value="soon"), "/items/0/value"),
        (request(locator=" "), "/items/0/locator"),
        (request(reading="Guessed"), "/items/0/reading"),
        (request(source=SourceRequest(slug="no-such-source")), "/items/0/source/slug"),
        (request(source=SourceRequest(title="x", type="Rumour")), "/items/0/source/type"),
        (request(source=SourceRequest(title="x", type="WebPage", dated="2024-13")), "/items/0/source/dated"),
        (request(source=SourceRequest(title="x", type="WebPage", retrieved="today")), "/items/0/source/retrieved"),
        (request(source=SourceRequest(title="x", type="WebPage", address="here")), "/items/0/source/address"),
        (request(source=SourceRequest(type="WebPage")), "/items/0/source/title"),
    ],
)
def test_bad_requests_point_at_the_mistake(seed_services: Services, wanted: ClaimRequest, pointer: str) -> None:
    with pytest.raises(BadValue) as refused:
        proposals.propose(contents(seed_services, wanted), title="x")(_bench(seed_services))
    assert refused.value.pointer == pointer


def _bench(services: Services):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from app.curate.steps import Bench

    assert services.curation.rules is not None
    head = services.store.head().number
    return Bench(services.store, services.curation.rules, head, services.now(), ADA)


def test_a_known_source_is_not_described_anew(seed_services: Services) -> None:
    (content,) = contents(seed_services, request(source=SourceRequest(slug="survey-v3")))
    assert content.source.kind == "SurveyTable"
    with pytest.raises(Conflict) as refused:
        contents(seed_services, request(source=SourceRequest(slug="survey-v3", title="Another")))
    assert refused.value.pointer == "/items/0/source/title"


def test_rounded_characters_keep_their_interval(seed_services: Services) -> None:
    (content,) = contents(seed_services, request(value=None, reported="50k"))
    assert str(getattr(content, "value", "")) == str(literal(50000))
    assert content.reported == "50k"
    interval = getattr(content, "interval", None)
    assert interval is not None
    assert (interval.lower, interval.upper) == (49500, 50500)


def test_nobody_reviews_their_own_proposal(own_services: Services) -> None:
    proposed(own_services, request())
    with pytest.raises(SelfReview):
        take(own_services, review.review(1, {1: Answer(True)}), ADA)
    take(own_services, review.review(1, {1: Answer(True)}, self_review=True), ADA)


def test_a_violation_cannot_be_accepted(own_services: Services) -> None:
    proposed(own_services, request(name="tokenizerKind", value="None"))
    _, report = own_services.curation.findings(1)
    assert report.by_constraint["C43"] >= 1
    with pytest.raises(InvalidGraph) as refused:
        take(own_services, review.review(1, {1: Answer(True, "never mind")}), BOB)
    assert any("C43" in finding for finding in refused.value.findings)
    assert states(proposals.read(own_services.store.at(), 1)) == ["pending"]


def test_a_warning_needs_a_note(own_services: Services) -> None:
    """A source of equal trust that disagrees opens the case, and the reviewer has to say that this is meant."""
    proposed(own_services, request(name="tiesEmbeddings", value=True))
    report = own_services.curation.findings(1)[1]
    assert report.conforms
    assert "C39" in report.by_constraint
    with pytest.raises(BadValue) as refused:
        take(own_services, review.review(1, {1: Answer(True)}), BOB)
    assert refused.value.pointer == "/reason"
    take(own_services, review.review(1, {1: Answer(True, "a person has to settle it")}), BOB)


def test_verdicts_are_final_but_for_second_thoughts(own_services: Services) -> None:
    proposed(own_services, request(), request(name="hiddenSize", value=2560))
    take(own_services, review.review(1, {1: Answer(True), 2: Answer(False, "no")}), BOB)
    with pytest.raises(Conflict, match="was rejected by bob"):
        take(own_services, review.review(1, {2: Answer(True)}), BOB)
    take(own_services, review.review(1, {1: Answer(False, "on second thoughts")}), BOB)
    after = proposals.read(own_services.store.at(), 1)
    assert after.state is State.REJECTED
    assert [verdict.accepted for verdict in after.items[0].verdicts] == [True, False]
    with pytest.raises(Conflict, match="nothing of proposal 1"):
        committed(own_services, 1)


def test_bad_verdicts(own_services: Services) -> None:
    proposed(own_services, request())
    for given, pointer in (
        ({2: Answer(True)}, "/items/0/item"),
        ({1: Answer(False)}, "/items/0/reason"),
        ({}, "/items"),
    ):
        with pytest.raises(BadValue) as refused:
            take(own_services, review.review(1, given), BOB)
        assert refused.value.pointer == pointer
    with pytest.raises(NotFound):
        take(own_services, review.review(9, {1: Answer(True)}), BOB)


def test_only_the_author_withdraws(own_services: Services) -> None:
    proposed(own_services, request())
    with pytest.raises(Forbidden):
        take(own_services, proposals.withdraw(1, "I do not like it"), BOB)
    take(own_services, proposals.withdraw(1, "a slip"))
    gone = proposals.read(own_services.store.at(), 1)
    assert gone.state is State.WITHDRAWN
    assert gone.withdrawal is not None
    assert gone.withdrawal.reason == "a slip"
    for work in (review.review(1, {1: Answer(True)}), review.commit(1)):
        with pytest.raises(Conflict):
            take(own_services, work, BOB)


def test_what_is_committed_is_not_withdrawn(own_services: Services) -> None:
    accepted(own_services, request())
    with pytest.raises(Conflict):
        take(own_services, proposals.withdraw(1, "too late"))


def test_proposals_are_found(own_services: Services) -> None:
    proposed(own_services, request())
    rejected(own_services, request(model="opt-125m", name="hiddenSize", value=1))
    snapshot = own_services.store.at()
    assert proposals.find(snapshot, Filter()) == [2, 1]
    assert proposals.find(snapshot, Filter(state=State.OPEN)) == [1]
    assert proposals.find(snapshot, Filter(author=BOB.iri)) == []
    assert proposals.find(snapshot, Filter(subjects=(resource("architecture", "opt-125m"),))) == [2]
    assert proposals.find(snapshot, Filter(predicate=IRI(vocab.slm.vocabularySize))) == [1]
    assert proposals.find(snapshot, Filter(source=resource("source", "survey-v3"))) == []


def test_a_missing_value_is_recorded_with_its_reason(own_services: Services) -> None:
    empty = next(
        record.property.name
        for record in own_services.model("phi-2").properties
        if not record.claims and record.property.kind == "claimed" and record.property.range == "xsd:string"
    )
    accepted(own_services, request(name=empty, value=None, missing="withheld"))
    record = next(one for one in own_services.model("phi-2").properties if one.property.name == empty)
    assert (record.cell.status.value, record.cell.reason and record.cell.reason.value) == ("missing", "withheld")


def test_a_result_is_recorded(own_services: Services, seed) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    known: Result = next(
        one for one in seed.evidence.results.values() if one.protocol and one.model.value.endswith("/phi-2")
    )
    assert known.protocol is not None
    wanted = ResultRequest(
        "phi-2",
        known.metric.value.rsplit("/", 1)[-1],
        known.number,
        "fraction",
        PAPER,
        "table 9",
        benchmark=known.protocol.benchmark.value.rsplit("/", 1)[-1],
        harness=known.protocol.harness.value.rsplit("/", 1)[-1],
        scoring=known.protocol.scoring,
        shots=known.protocol.shots,
        untold=known.protocol.untold,
    )
    before = own_services.counts().observations
    accepted(own_services, wanted, reason="as printed")
    assert own_services.counts().observations == before + 1


def test_a_load_keeps_what_people_contributed(own_services: Services) -> None:
    accepted(own_services, request())
    rejected(own_services, request(value=5))
    proposed(own_services, request(value=6))
    take(own_services, decide.decide(OPEN_KEY, Choice.VALUE, "the file says so", reported="gelu"), BOB)
    before = own_services.store.head().number
    assert own_services.load().revision is None
    assert own_services.store.head().number == before


@pytest.mark.heavy
def test_a_changed_folder_keeps_them_too(own_services: Services, copy_of_seed, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    done = accepted(own_services, request())
    take(own_services, decide.decide(OPEN_KEY, Choice.VALUE, "the file says so", reported="gelu"), BOB)
    proposed(own_services, request(value=6))
    kept = set(own_services.store.at().quads(PROPOSALS))
    folder = copy_of_seed(tmp_path)
    models = folder / "claims" / "survey-table-1.csv"
    lines = models.read_text(encoding="utf-8").splitlines(keepends=True)
    models.write_text("".join(lines[:1] + lines[2:]), encoding="utf-8")
    assert own_services.load(folder).revision is not None
    snapshot = own_services.store.at()
    assert set(snapshot.quads(PROPOSALS)) == kept
    case, decided = read_cases(snapshot, [KEY, OPEN_KEY]).values()
    assert done.items[0].recorded_as in {claim.iri for claim in case.claims}
    assert decided.outcome.rule is Rule.MANUAL
    assert own_services.validate().conforms
    assert settle_cases(snapshot, [KEY, OPEN_KEY]).is_empty


def test_an_accepted_claim_that_somebody_wrote_twice_is_committed_once(own_services: Services) -> None:
    """Two proposals cannot both wait; a claim that came in another way meanwhile does no harm."""
    from app.model.quads import TEAM

    number = proposed(own_services, request()).number
    take(own_services, review.review(number, {}, rest=Answer(True)), BOB)
    (content,) = contents(own_services, request())
    add, remove = review.recording(own_services.store.at(), [content])
    commit_change(
        own_services.store,
        add,
        remove,
        rules=own_services.curation.rules,
        reason="by hand",
        author=TEAM,
        now=own_services.now(),
    )
    assert states(committed(own_services, number)) == ["committed"]
