"""Proposals: create, find, comment, withdraw. A proposal is quads of its own graph and asserts nothing.

Each function that changes something works a step out on a bench (`steps`); nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from app import vocab
from app.curate import artifacts
from app.curate.cases import rows
from app.curate.steps import Bench, Step, Work
from app.errors import BadValue, Conflict, Forbidden, NotFound
from app.model.claims import Claim
from app.model.graphs import PROPOSALS
from app.model.proposal_quads import proposal_iri, proposal_quads, proposals_of
from app.model.proposals import (
    Comment,
    Content,
    Item,
    ItemState,
    Proposal,
    State,
    Withdrawal,
    sameness,
)
from app.model.rdf import IRI, XSD, Literal, Quad, literal
from app.store.engine import as_stored
from app.store.port import Snapshot

MAX_ITEMS = 20_000
MAX_TITLE = 500
MAX_TEXT = 10_000
_ABSENT = frozenset(
    {
        vocab.slm.notReported,
        vocab.slm.notApplicable,
        vocab.slm.notLookedFor,
        vocab.slm.withheld,
        vocab.slm.variesByLayer,
    }
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which proposals are wanted; members that are None do not matter. Subjects are IRIs of models and the like."""

    state: State | None = None
    author: IRI | None = None
    subjects: tuple[IRI, ...] | None = None
    predicate: IRI | None = None
    source: IRI | None = None


def propose(contents: Sequence[Content], *, title: str, again: str | None = None) -> Work:
    """Propose claims and results. `again` says why something is proposed that was rejected before.

    Raises BadValue for a content that does not fit, and Conflict for one that stands already, waits in another
    proposal, or was rejected (with who rejected it, when and why).
    """
    _check_text("/title", title, MAX_TITLE)
    if not contents:
        raise BadValue("/items", "there is none", advice="Propose one value at least.")
    if len(contents) > MAX_ITEMS:
        raise BadValue("/items", f"there are more than {MAX_ITEMS}", advice="Make several proposals.")
    if again is not None:
        _check_text("/again", again, MAX_TEXT)

    def work(bench: Bench) -> Step:
        _check_contents(bench.snapshot, contents)
        rejected = _refuse_known(bench.snapshot, contents, again)
        number = 1 + max((int(row["number"].value) for row in rows(bench.snapshot, "proposal-index")), default=0)
        items = tuple(
            Item(position, content, again=again if position in rejected else None)
            for position, content in enumerate(contents, start=1)
        )
        proposal = Proposal(number, title.strip(), bench.agent.iri, bench.now, items)
        return changed(None, proposal, f"proposal {number}: {title.strip()}")

    return work


def comment(number: int, text: str, *, check: Callable[[Bench, Proposal], None] = lambda _, __: None) -> Work:
    """Say something about a proposal."""
    _check_text("/text", text, MAX_TEXT)

    def work(bench: Bench) -> Step:
        before = read(bench.snapshot, number)
        check(bench, before)
        after = replace(before, comments=(*before.comments, Comment(bench.agent.iri, bench.now, text.strip())))
        return changed(before, after, f"comment on proposal {number}")

    return work


def withdraw(
    number: int, reason: str, *, anyone: bool = False, check: Callable[[Bench, Proposal], None] = lambda _, __: None
) -> Work:
    """Take a proposal back: its author may, as long as nothing of it is committed. `anyone` is for administrators."""
    _check_text("/reason", reason, MAX_TEXT)

    def work(bench: Bench) -> Step:
        before = read(bench.snapshot, number)
        check(bench, before)
        if before.author != bench.agent.iri and not anyone:
            raise Forbidden("admin")
        require_standing(before)
        if any(item.state is ItemState.COMMITTED for item in before.items):
            raise Conflict(
                f"proposal {number} is committed in part", advice="Revert the revision that committed it instead."
            )
        after = replace(before, withdrawal=Withdrawal(reason.strip(), bench.agent.iri, bench.now))
        return changed(before, after, f"proposal {number} withdrawn")

    return work


def read(snapshot: Snapshot, number: int) -> Proposal:
    """The proposal with this number; NotFound."""
    found = read_many(snapshot, [number])
    if number not in found:
        raise NotFound("proposal", str(number), advice="GET /api/v1/proposals lists them.")
    return found[number]


def read_many(snapshot: Snapshot, numbers: Iterable[int]) -> dict[int, Proposal]:
    """These proposals, as far as they exist, in a few queries."""
    return proposals_of(_quads_of(snapshot, [proposal_iri(number) for number in numbers]))


def find(snapshot: Snapshot, wanted: Filter) -> list[int]:
    """Numbers of the proposals that fit, newest first."""
    chosen = {row["proposal"]: row for row in rows(snapshot, "proposal-index")}
    for name, variable, terms in (
        ("proposals-about", "subject", wanted.subjects),
        ("proposals-of-property", "property", None if wanted.predicate is None else (wanted.predicate,)),
        ("proposals-from", "source", None if wanted.source is None else (wanted.source,)),
    ):
        if terms is not None:
            fitting = {row["proposal"] for row in rows(snapshot, name, **{variable: terms})}
            chosen = {node: row for node, row in chosen.items() if node in fitting}
    found = [
        int(row["number"].value)
        for row in chosen.values()
        if (wanted.state is None or row["state"].value == wanted.state.value)
        and (wanted.author is None or row["author"] == wanted.author)
    ]
    return sorted(found, reverse=True)


def changed(before: Proposal | None, after: Proposal, reason: str) -> Step:
    """The step from one state of a proposal to the next."""
    old = as_stored(proposal_quads(before)) if before is not None else frozenset()
    new = as_stored(proposal_quads(after))
    return Step(new - old, old - new, reason, after)


def require_standing(proposal: Proposal) -> None:
    """Conflict for a proposal that was withdrawn."""
    if proposal.state is State.WITHDRAWN:
        raise Conflict(f"proposal {proposal.number} was withdrawn", advice="Make a new one.")


def _check_text(pointer: str, text: str, limit: int) -> None:
    if not text.strip():
        raise BadValue(pointer, "is empty", advice="Say why, in a few words.")
    if len(text) > limit:
        raise BadValue(pointer, f"is longer than {limit} characters", advice="Say it in fewer words.")


def _check_contents(snapshot: Snapshot, contents: Sequence[Content]) -> None:
    """Everything that a content speaks of is known, and its value is of the property's kind."""
    spoken = {node for content in contents for _, node in _spoken_of(content)}
    known = {row["node"] for row in rows(snapshot, "stated", node=spoken) if row["graph"] != PROPOSALS}
    seen: dict[str, int] = {}
    for position, content in enumerate(contents):
        pointer = f"/items/{position}"
        same = sameness(content)
        if same in seen:
            raise BadValue(pointer, f"says the same as item {seen[same]}", advice="Propose it once.")
        seen[same] = position
        for part, node in _spoken_of(content):
            if node not in known:
                raise BadValue(f"{pointer}/{part}", f"{node.value} is not known", advice="Choose one of the graph.")
        if content.source.kind not in vars(vocab.stype) or content.source.kind.startswith("_"):
            raise BadValue(f"{pointer}/source/type", f"{content.source.kind!r} is no source type")
        for part, text in (("reported", content.reported), ("locator", content.locator)):
            if not text.strip():
                raise BadValue(f"{pointer}/{part}", "is empty", advice="Say what the source prints, and where.")
        if isinstance(content, Claim):
            _check_claim(pointer, content)


def _spoken_of(content: Content) -> list[tuple[str, IRI]]:
    """Our own things that a content speaks of, with the member that names each."""
    if isinstance(content, Claim):
        found: list[tuple[str, IRI | None]] = [("model", content.subject)]
        if isinstance(content.value, IRI):
            found.append(("value", content.value))
    else:
        found = [
            ("model", content.model),
            ("artifact", None if artifacts.follows(content) else content.artifact),
            ("metric", content.metric),
            ("device", content.device),
            ("engine", content.engine),
        ]
        if content.protocol is not None:
            found += [
                ("protocol/benchmark", content.protocol.benchmark),
                ("protocol/harness", content.protocol.harness),
            ]
    return [(part, node) for part, node in found if node is not None and node.value.startswith(vocab.BASE)]


def _check_claim(pointer: str, claim: Claim) -> None:
    if claim.predicate not in vocab.CLAIMABLE:
        raise BadValue(f"{pointer}/property", f"{claim.predicate} is no property that sources can state")
    if isinstance(claim.value, IRI) and claim.value.value in _ABSENT:
        return
    wanted = vocab.DATATYPES.get(claim.predicate)
    if wanted is not None:
        if not isinstance(claim.value, Literal) or claim.value.datatype.value != wanted:
            raise BadValue(f"{pointer}/value", f"is no {wanted.removeprefix(XSD)}")
    elif not isinstance(claim.value, IRI):
        raise BadValue(f"{pointer}/value", "is text where a thing is needed", advice="Give its name or IRI.")


def _refuse_known(snapshot: Snapshot, contents: Sequence[Content], again: str | None) -> set[int]:
    """Positions (from 1) of contents that were rejected before and are proposed again; Conflict for the others."""
    recorded = {iri_of_content(content): position for position, content in enumerate(contents)}
    for row in rows(snapshot, "stated", node=recorded):
        if row["graph"] != PROPOSALS and isinstance(row["node"], IRI):
            raise Conflict(
                "this stands in the graph already, word for word",
                advice="Comment on it, or propose what differs.",
                pointer=f"/items/{recorded[row['node']]}",
            )
    same = {sameness(content): position for position, content in enumerate(contents)}
    like = rows(snapshot, "proposals-like", sameness=[literal(key) for key in same])
    others = proposals_of(_quads_of(snapshot, [row["proposal"] for row in like if isinstance(row["proposal"], IRI)]))
    rejected: set[int] = set()
    for proposal in others.values():
        for item in proposal.items:
            position = same.get(sameness(item.content))
            if position is None or proposal.state is State.WITHDRAWN:
                continue
            pointer = f"/items/{position}"
            if item.state in {ItemState.PENDING, ItemState.ACCEPTED}:
                raise Conflict(
                    f"proposal {proposal.number} asks for the same and waits",
                    advice=f"Comment on proposal {proposal.number}.",
                    pointer=pointer,
                )
            if item.state is ItemState.REJECTED:
                verdict = item.verdicts[-1]
                if again is None:
                    who = verdict.by.value.rsplit("/", 1)[-1]
                    raise Conflict(
                        f"{who} rejected the same on {verdict.at:%Y-%m-%d} (proposal {proposal.number}, item "
                        f"{item.number}): {verdict.reason}",
                        advice="If there is something new to say, propose it with `again` and what is new.",
                        pointer=pointer,
                    )
                rejected.add(position + 1)
    return rejected


def iri_of_content(content: Content) -> IRI:
    """The IRI of the claim or observation that a content becomes."""
    return Item(1, content).recorded_as


def _quads_of(snapshot: Snapshot, proposals: Sequence[IRI]) -> list[Quad]:
    """Everything that is said of these proposals, their items, and the remarks on both."""
    own = _stated(snapshot, proposals)
    items = [quad.object for quad in own if quad.predicate.value == vocab.slm.hasItem and isinstance(quad.object, IRI)]
    remarks = [row["node"] for row in rows(snapshot, "remarks", on=[*proposals, *items])]
    return own + _stated(snapshot, [*items, *(node for node in remarks if isinstance(node, IRI))])


def _stated(snapshot: Snapshot, nodes: Iterable[IRI]) -> list[Quad]:
    return [
        Quad(row["node"], row["property"], row["value"], PROPOSALS)  # type: ignore[arg-type]
        for row in rows(snapshot, "stated", node=nodes)
        if row["graph"] == PROPOSALS
    ]
