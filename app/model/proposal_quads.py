"""The quads of proposals and of people's decisions, and back: the only place that knows how they look in the graph.

Everything here stands in the proposals graph. A proposed statement is kept as text: nothing in this graph is a claim, a
fact or a result, so no query about those can meet it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from app import vocab
from app.model.claims import Claim, resource
from app.model.content import from_text, to_text
from app.model.graphs import PROPOSALS
from app.model.proposals import Choice, Comment, Content, Item, Judgement, Proposal, Verdict, Withdrawal, sameness
from app.model.rdf import IRI, Literal, Quad, Term, describe, iri, literal, moment, text

_WITHDRAWN = "withdrawn"


def proposal_iri(number: int) -> IRI:
    """The IRI of a proposal."""
    return resource("proposal", str(number))


def item_iri(number: int, item: int) -> IRI:
    """The IRI of one item of a proposal."""
    return resource("proposed-item", f"{number}-{item}")


def proposal_quads(proposal: Proposal) -> list[Quad]:
    """A proposal with its items, verdicts and comments."""
    quads = describe(
        PROPOSALS,
        proposal.iri,
        [
            (vocab.slm.proposalNumber, literal(proposal.number)),
            (vocab.slm.proposalState, literal(proposal.state.value)),
            (vocab.dct.title, literal(proposal.title)),
            (vocab.prov.wasAttributedTo, proposal.author),
            (vocab.prov.generatedAtTime, _moment(proposal.made_at)),
            *((vocab.slm.hasItem, item_iri(proposal.number, item.number)) for item in proposal.items),
        ],
        kind=vocab.slm.Proposal,
    )
    for item in proposal.items:
        quads += _item_quads(proposal, item)
    for number, comment in enumerate(proposal.comments, start=1):
        quads += describe(
            PROPOSALS,
            resource("comment", f"{proposal.number}-{number}"),
            [
                (vocab.slm.commentOn, proposal.iri),
                (vocab.skos.note, literal(comment.text)),
                (vocab.prov.wasAttributedTo, comment.by),
                (vocab.prov.generatedAtTime, _moment(comment.at)),
            ],
            kind=vocab.slm.Comment,
        )
    if proposal.withdrawal is not None:
        gone = proposal.withdrawal
        node = resource("verdict", f"{proposal.number}-{_WITHDRAWN}")
        quads += _verdict_quads(node, proposal.iri, Verdict(False, gone.reason, gone.by, gone.at))
    return quads


def _item_quads(proposal: Proposal, item: Item) -> list[Quad]:
    node = item_iri(proposal.number, item.number)
    content = item.content
    about, said = _gist(content)
    quads = describe(
        PROPOSALS,
        node,
        [
            (vocab.slm.itemNumber, literal(item.number)),
            (vocab.slm.proposedSubject, content.subject if isinstance(content, Claim) else content.model),
            (vocab.slm.proposedProperty, about),
            (vocab.slm.proposedValue, said),
            (vocab.slm.proposedSource, content.source.iri),
            (vocab.slm.sameness, literal(sameness(content))),
            (vocab.slm.exactContent, literal(to_text(content))),
            (vocab.slm.againBecause, literal(item.again) if item.again else None),
            (vocab.slm.recordedAs, item.recorded_as if item.revision else None),
            (vocab.slm.committedIn, resource("revision", str(item.revision)) if item.revision else None),
        ],
        kind=vocab.slm.ProposedItem,
    )
    for number, verdict in enumerate(item.verdicts, start=1):
        quads += _verdict_quads(resource("verdict", f"{proposal.number}-{item.number}-{number}"), node, verdict)
    return quads


def _gist(content: Content) -> tuple[IRI, Literal]:
    if isinstance(content, Claim):
        value = content.value
        return iri(content.predicate), value if isinstance(value, Literal) else literal(value.value)
    return content.metric, literal(content.number)


def _verdict_quads(node: IRI, on: IRI, verdict: Verdict) -> list[Quad]:
    quads = describe(
        PROPOSALS,
        node,
        [
            (vocab.slm.verdictOn, on),
            (vocab.slm.verdictAccepts, literal(verdict.accepted)),
            (vocab.skos.note, literal(verdict.reason) if verdict.reason else None),
            (vocab.prov.wasAssociatedWith, verdict.by),
            (vocab.prov.endedAtTime, _moment(verdict.at)),
        ],
        kind=vocab.slm.Verdict,
    )
    if not verdict.accepted:
        ended: list[tuple[str, Term | None]] = [
            (vocab.prov.wasInvalidatedBy, node),
            (vocab.prov.invalidatedAtTime, _moment(verdict.at)),
        ]
        quads += describe(PROPOSALS, on, ended)
    return quads


def proposals_of(quads: Iterable[Quad]) -> dict[int, Proposal]:
    """The proposals that these quads describe, by number."""
    records = _records(quads)
    by_target: dict[Term, list[IRI]] = defaultdict(list)
    for node, record in records.items():
        for name in (vocab.slm.verdictOn, vocab.slm.commentOn):
            for target in record.get(name, ()):
                by_target[target].append(node)
    found = {}
    for node, record in records.items():
        if vocab.slm.proposalNumber in record:
            proposal = _proposal(node, records, by_target)
            found[proposal.number] = proposal
    return dict(sorted(found.items()))


_Record = Mapping[str, list[Term]]


def _proposal(node: IRI, records: Mapping[IRI, _Record], by_target: Mapping[Term, list[IRI]]) -> Proposal:
    record = records[node]
    remarks = sorted(by_target.get(node, ()), key=_last_number)
    gone = [_verdict(records[one]) for one in remarks if vocab.slm.verdictOn in records[one]]
    items = [_item(one, records, by_target) for one in record.get(vocab.slm.hasItem, ()) if isinstance(one, IRI)]
    return Proposal(
        number=int(_one(record, vocab.slm.proposalNumber)),
        title=_one(record, vocab.dct.title),
        author=_agent(record, vocab.prov.wasAttributedTo),
        made_at=_time(record, vocab.prov.generatedAtTime),
        items=tuple(sorted(items, key=lambda item: item.number)),
        comments=tuple(
            Comment(
                _agent(records[one], vocab.prov.wasAttributedTo),
                _time(records[one], vocab.prov.generatedAtTime),
                _one(records[one], vocab.skos.note),
            )
            for one in remarks
            if vocab.slm.commentOn in records[one]
        ),
        withdrawal=Withdrawal(gone[0].reason, gone[0].by, gone[0].at) if gone else None,
    )


def _item(node: IRI, records: Mapping[IRI, _Record], by_target: Mapping[Term, list[IRI]]) -> Item:
    record = records[node]
    verdicts = sorted(by_target.get(node, ()), key=_last_number)
    committed = record.get(vocab.slm.committedIn)
    return Item(
        number=int(_one(record, vocab.slm.itemNumber)),
        content=from_text(_one(record, vocab.slm.exactContent)),
        verdicts=tuple(_verdict(records[one]) for one in verdicts),
        revision=int(committed[0].value.rsplit("/", 1)[-1]) if committed else None,
        again=_one(record, vocab.slm.againBecause) or None,
    )


def _verdict(record: _Record) -> Verdict:
    return Verdict(
        accepted=_one(record, vocab.slm.verdictAccepts) == "true",
        reason=_one(record, vocab.skos.note),
        by=_agent(record, vocab.prov.wasAssociatedWith),
        at=_time(record, vocab.prov.endedAtTime),
    )


def judgement_quads(judgement: Judgement) -> list[Quad]:
    """A person's decision about a case."""
    return describe(
        PROPOSALS,
        judgement.iri,
        [
            (vocab.slm.aboutSubject, judgement.subject),
            (vocab.slm.aboutProperty, iri(judgement.predicate)),
            (vocab.slm.decisionKind, literal(judgement.choice.value)),
            (vocab.slm.keeps, None if judgement.keeps is None else literal(judgement.keeps)),
            *((vocab.slm.considered, claim) for claim in judgement.seen),
            (vocab.skos.note, text(judgement.reason)),
            (vocab.prov.wasAttributedTo, judgement.by),
            (vocab.prov.generatedAtTime, _moment(judgement.at)),
            (vocab.prov.invalidatedAtTime, _moment(judgement.replaced_at) if judgement.replaced_at else None),
        ],
        kind=vocab.slm.Decision,
    )


def judgements_of(quads: Iterable[Quad]) -> list[Judgement]:
    """The people's decisions that these quads describe, oldest first."""
    found = [
        Judgement(
            subject=_agent(record, vocab.slm.aboutSubject),
            predicate=_one(record, vocab.slm.aboutProperty),
            choice=Choice(_one(record, vocab.slm.decisionKind)),
            reason=_one(record, vocab.skos.note),
            by=_agent(record, vocab.prov.wasAttributedTo),
            at=_time(record, vocab.prov.generatedAtTime),
            keeps=_one(record, vocab.slm.keeps) if vocab.slm.keeps in record else None,
            seen=frozenset(term for term in record.get(vocab.slm.considered, ()) if isinstance(term, IRI)),
            replaced_at=_time(record, vocab.prov.invalidatedAtTime) if vocab.prov.invalidatedAtTime in record else None,
        )
        for record in _records(quads).values()
        if vocab.slm.aboutProperty in record
    ]
    return sorted(found, key=lambda judgement: judgement.at)


def _records(quads: Iterable[Quad]) -> dict[IRI, dict[str, list[Term]]]:
    records: dict[IRI, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for quad in quads:
        if isinstance(quad.subject, IRI) and isinstance(quad.object, IRI | Literal):
            records[quad.subject][quad.predicate.value].append(quad.object)
    return dict(records)


def _last_number(node: IRI) -> int:
    last = node.value.rsplit("-", 1)[-1]
    return int(last) if last.isdecimal() else 0


def _moment(at: datetime) -> Literal:
    return moment(at.isoformat())


def _time(record: _Record, name: str) -> datetime:
    return datetime.fromisoformat(_one(record, name))


def _one(record: _Record, name: str) -> str:
    values = record.get(name)
    return values[0].value if values else ""


def _agent(record: _Record, name: str) -> IRI:
    return iri(_one(record, name))
