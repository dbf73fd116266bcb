"""Curation as one value for the fronts: what can be read of it at a revision, and how steps are made from commands.

The service makes the same steps through its `Writer`. Holds no state but findings that were worked out before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.curate.commit import Rules, head_number
from app.curate.decide import Dispute, disputes
from app.curate.proposals import read
from app.curate.review import findings
from app.curate.steps import PAUSES, Bench, Taken, Work, take
from app.errors import Conflict, StaleRevision, StoreBusy, StoreEmpty
from app.model.agents import Agent
from app.store.port import GraphStore, Snapshot
from app.validation.findings import Report

_KEPT = 256


@dataclass(frozen=True, slots=True)
class Curation:
    """The store with its rules. `self_review` lets people review what they proposed themselves."""

    store: GraphStore
    rules: Rules | None
    now: Callable[[], datetime]
    self_review: bool = False
    _findings: dict[tuple[int, int], Report] = field(default_factory=dict)

    def at(self, revision: int | None = None) -> Snapshot:
        """The graph at a revision, the newest by default."""
        return self.store.at(revision)

    def take(self, work: Work, agent: Agent) -> Taken:
        """Make a step now, in this thread."""
        return take(self.store, self._needed(), work, agent, self.now())

    def findings(self, number: int) -> tuple[int, Report]:
        """What validation would newly find if a proposal were recorded, and on which revision."""
        rules = self._needed()
        for last, pause in enumerate(PAUSES, start=1):
            time.sleep(pause)
            head = head_number(self.store)
            if head == 0:
                raise StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
            known = self._findings.get((head, number))
            if known is not None:
                return head, known
            bench = Bench(self.store, rules, head, self.now(), Agent("nobody", "nobody"))
            try:
                report = findings(bench, read(bench.snapshot, number))
            except (StaleRevision, StoreBusy):
                if last == len(PAUSES):
                    raise
                continue
            while len(self._findings) >= _KEPT:
                self._findings.pop(next(iter(self._findings)), None)
            self._findings[head, number] = report
            return head, report
        raise AssertionError("the last try returns or raises")

    def disputes(self, weights: Mapping[str, int], revision: int | None = None) -> list[Dispute]:
        """Every disagreement, the one that most waits for first."""
        return disputes(self.at(revision), weights)

    def _needed(self) -> Rules:
        if self.rules is None:
            raise Conflict("a throw-away service keeps no proposals", advice="Start one with `slmkg serve`.")
        return self.rules
