"""One step of curation: worked out on a revision, committed on that revision, worked out again when it was too late.

`take` does it for a command; `Writer.take` in `write` does it for the service, in turn with all other writes. Both make
exactly the same steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from app.curate.cases import rows
from app.curate.commit import Committed, Rules, commit_change, examine, head_number
from app.errors import StaleRevision, StoreBusy
from app.model.agents import Agent, agent_quads
from app.model.proposals import Proposal
from app.model.rdf import IRI, Quad
from app.store.engine import as_stored
from app.store.port import GraphStore, Snapshot
from app.validation.findings import Report

PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds before each try."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a step is worked out on: the newest revision, the time, who acts, and what validation would find."""

    store: GraphStore
    rules: Rules
    head: int
    now: datetime
    agent: Agent

    @property
    def snapshot(self) -> Snapshot:
        """The newest revision."""
        return self.store.at(self.head)

    def findings(self, add: Iterable[Quad], remove: Iterable[Quad]) -> Report:
        """What validation would newly find after this change."""
        return examine(self.store, add, remove, rules=self.rules, now=self.now, expect=self.head)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step changes, and why. `proposal` is the proposal as it is afterwards, where the step is about one."""

    add: frozenset[Quad]
    remove: frozenset[Quad]
    reason: str
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was made: the newest revision after it, and what it changed."""

    revision: int
    step: Step
    report: Report = field(default_factory=Report)


Work: TypeAlias = Callable[[Bench], Step]
"""Works a step out, or raises an AppError; called again on a newer revision when somebody else was quicker."""


def attempt(store: GraphStore, rules: Rules, work: Work, agent: Agent, now: datetime) -> Taken:
    """Make a step on the newest revision; StaleRevision and StoreBusy when somebody else is writing."""
    head = head_number(store)
    bench = Bench(store, rules, head, now, agent)
    step = work(bench)
    author = unrecorded(bench.snapshot, agent) if step.add or step.remove else []
    add, remove = difference(bench.snapshot, (*step.add, *author), step.remove)
    committed: Committed = commit_change(
        store, add, remove, rules=rules, reason=step.reason, author=agent.iri, now=now, expect=head, key=agent.key
    )
    return Taken(committed.revision.number if committed.revision else head, step, committed.report)


def take(store: GraphStore, rules: Rules, work: Work, agent: Agent, now: datetime) -> Taken:
    """Make a step, several times if others write too; StaleRevision or StoreBusy after the last try."""
    for pause in PAUSES[:-1]:
        time.sleep(pause)
        try:
            return attempt(store, rules, work, agent, now)
        except (StaleRevision, StoreBusy):
            continue
    time.sleep(PAUSES[-1])
    return attempt(store, rules, work, agent, now)


def difference(
    snapshot: Snapshot, add: Iterable[Quad], remove: Iterable[Quad]
) -> tuple[frozenset[Quad], frozenset[Quad]]:
    """What of this is not there yet, and what of that is there; a quad in both stays as it is."""
    wanted, unwanted = as_stored(add), as_stored(remove)
    nodes = {quad.subject for quad in (*wanted, *unwanted) if isinstance(quad.subject, IRI)}
    present = {
        Quad(row["node"], row["property"], row["value"], row["graph"])  # type: ignore[arg-type]
        for row in rows(snapshot, "stated", node=nodes)
    }
    return wanted - present - unwanted, (unwanted & present) - wanted


def unrecorded(snapshot: Snapshot, agent: Agent) -> list[Quad]:
    """The agent's record, unless the graph has one."""
    return [] if rows(snapshot, "stated", node=[agent.iri]) else agent_quads(agent)
