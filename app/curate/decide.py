"""Decisions of people about single cases, and the queue of disagreements that wait for one.

A decision names what it keeps and why, and remembers which claims were there. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app import vocab
from app.curate.cases import Case, read_cases, rows, settle_cases
from app.curate.derive import BLOCKING, OF_ARCHITECTURE, OF_MODEL, Key
from app.curate.proposals import MAX_TEXT
from app.curate.steps import Bench, Step, Work
from app.errors import BadValue, Conflict, NotFound
from app.ingest.evidence import Decision
from app.model.graphs import PROPOSALS
from app.model.proposal_quads import judgement_quads, judgements_of
from app.model.proposals import Choice, Judgement
from app.model.rdf import IRI, Quad
from app.store.engine import as_stored
from app.store.port import Snapshot


@dataclass(frozen=True, slots=True)
class Dispute:
    """A disagreement in the queue. `rule` is None while it is open; `views` says how much waits for it."""

    subject: IRI
    predicate: str
    kinds: tuple[str, ...]
    rule: str | None
    models: tuple[str, ...]
    views: int

    @property
    def key(self) -> Key:
        """Subject and property."""
        return self.subject, self.predicate


def decide(
    key: Key,
    choice: Choice,
    reason: str,
    *,
    claim: IRI | None = None,
    reported: str | None = None,
    check: Callable[[Bench, Case], None] = lambda _, __: None,
) -> Work:
    """Decide a case. A value to keep is named by a claim, or by its characters as reported.

    Raises NotFound for a case without claims, BadValue for a value that no cited source gives, Conflict where there is
    nothing to decide.
    """
    if not reason.strip():
        raise BadValue("/reason", "is empty", advice="Say why, in a few words.")
    if len(reason) > MAX_TEXT:
        raise BadValue("/reason", f"is longer than {MAX_TEXT} characters")

    def work(bench: Bench) -> Step:
        case = read_cases(bench.snapshot, [key])[key]
        check(bench, case)
        cited = [one for one in case.claims if not one.recalled]
        if not cited:
            raise NotFound(
                "case", f"{vocab.shrink(key[0].value)} {vocab.shrink(key[1])}", advice="No source speaks of it."
            )
        if key[1] in vocab.ADDITIVE:
            raise Conflict("values of this property add up; there is nothing to decide")
        if choice is Choice.RULES and case.outcome.decision is None:
            raise Conflict("no person has decided this case; the rules settle it already")
        judgement = Judgement(
            subject=key[0],
            predicate=key[1],
            choice=choice,
            reason=reason.strip(),
            by=bench.agent.iri,
            at=bench.now,
            keeps=_kept(case, claim, reported) if choice is Choice.VALUE else None,
            seen=frozenset(one.iri for one in cited),
        )
        settled = settle_cases(bench.snapshot, [key], decisions={key: decision_of(judgement)})
        recorded, replaced = _recorded(bench.snapshot, judgement)
        about = f"{vocab.shrink(key[1])} of {vocab.shrink(key[0].value)}"
        return Step(settled.add | recorded, settled.remove | replaced, f"decision on {about}: {reason.strip()}")

    return work


def decision_of(judgement: Judgement) -> Decision | None:
    """A person's decision as the rules take it; None where the case is left to them."""
    if judgement.choice is Choice.RULES:
        return None
    return Decision(
        subject=judgement.subject,
        predicate=judgement.predicate,
        reported=judgement.keeps,
        reason=judgement.reason,
        decided_by=judgement.by.value.rsplit("/", 1)[-1],
        decided_on=judgement.at.date().isoformat(),
        seen=judgement.seen,
        reopens=judgement.choice is Choice.OPEN,
    )


def judgements(snapshot: Snapshot, key: Key) -> list[Judgement]:
    """People's decisions about a case, oldest first; all but the last were replaced."""
    nodes = [row["node"] for row in rows(snapshot, "decisions-on", subject=[key[0]]) if row["property"].value == key[1]]
    return judgements_of(
        Quad(row["node"], row["property"], row["value"], PROPOSALS)  # type: ignore[arg-type]
        for row in rows(snapshot, "stated", node=nodes)
        if row["graph"] == PROPOSALS
    )


def disputes(snapshot: Snapshot, weights: Mapping[str, int]) -> list[Dispute]:
    """Every disagreement, the one that most waits for first.

    `views` counts, for each model that the case is about: one for its page, the derived values that an open case
    blocks, and `weights`: what the front counts for a property (comparisons, questions).
    """
    kinds: dict[Key, list[str]] = {}
    rules: dict[Key, str | None] = {}
    for row in rows(snapshot, "disagreements"):
        subject = row["subject"]
        if isinstance(subject, IRI):
            key = (subject, row["property"].value)
            of_key = kinds.setdefault(key, [])
            if "kind" in row and row["kind"].value not in of_key:
                of_key.append(row["kind"].value)
            rules[key] = row["rule"].value if "rule" in row else None
    models = _models_of(snapshot, {subject for subject, _ in kinds})
    found = [
        Dispute(*key, tuple(sorted(of_key)), rules[key], of, len(of) * (1 + _blocked(key[1]) + weights.get(key[1], 0)))
        for key, of_key in kinds.items()
        for of in (models.get(key[0], ()),)
    ]
    return sorted(found, key=lambda one: (-one.views, one.predicate, one.subject.value))


def _blocked(predicate: str) -> int:
    """How many derived values of a model wait while a case about this property is open."""
    if predicate in BLOCKING:
        return len(OF_MODEL) + len(OF_ARCHITECTURE)
    return 1 if predicate == vocab.slm.trainingTokens else 0


def _models_of(snapshot: Snapshot, subjects: set[IRI]) -> dict[IRI, tuple[str, ...]]:
    """Slugs of the models that things belong to: models themselves, architectures, layer groups."""
    owner = {row["group"]: row["architecture"] for row in rows(snapshot, "owners", group=subjects)}
    architectures = {*subjects, *owner.values()}
    by_architecture: dict[object, list[str]] = {}
    for row in rows(snapshot, "models", architecture=architectures):
        by_architecture.setdefault(row["architecture"], []).append(row["model"].value.rsplit("/", 1)[-1])
    prefix = vocab.BASE + "resource/model/"
    return {
        subject: (subject.value.removeprefix(prefix),)
        if subject.value.startswith(prefix)
        else tuple(sorted(by_architecture.get(owner.get(subject, subject), ())))
        for subject in subjects
    }


def _kept(case: Case, claim: IRI | None, reported: str | None) -> str:
    """The characters of the value to keep; BadValue unless a cited source gives them."""
    cited = [one for one in case.claims if not one.recalled]
    if claim is not None:
        for one in cited:
            if one.iri == claim:
                return one.reported
        raise BadValue(
            "/claim", f"{claim.value} is no cited claim of this case", advice="GET /api/v1/claims lists them."
        )
    if reported is None:
        raise BadValue("/claim", "is missing", advice="Name the claim to keep, or its characters as `reported`.")
    known = sorted({one.reported for one in cited})
    if reported not in known:
        raise BadValue(
            "/reported", f"no cited source says {reported!r}", advice=f"The sources say: {', '.join(map(repr, known))}."
        )
    return reported


def _recorded(snapshot: Snapshot, judgement: Judgement) -> tuple[frozenset[Quad], frozenset[Quad]]:
    """The quads of a new decision, with the end of the one that it replaces."""
    quads = as_stored(judgement_quads(judgement))
    gone: frozenset[Quad] = frozenset()
    for older in judgements(snapshot, (judgement.subject, judgement.predicate)):
        if older.replaced_at is None:
            old, new = (as_stored(judgement_quads(one)) for one in (older, replace(older, replaced_at=judgement.at)))
            quads, gone = quads | (new - old), gone | (old - new)
    return quads, gone
