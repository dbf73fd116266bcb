"""The loop of a worker: take a cell, measure it, say how far it is, hand in what came out. Over a local queue or HTTP.

A cell that was begun is handed in, given back or lost; nothing else can become of it. When the worker is asked to stop
it gives its cell back at once; when it is killed, the lease runs out. It measures only while it has the machine's slot.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from app.errors import AppError, Conflict, Forbidden, InputError, NotFound, Unauthorized
from app.jobs import slot
from app.jobs.supervisor import Outcome, Supervisor
from app.jobs.values import Beat, Lease, Machine, Progress
from app.measure.values import CellResult, Environment, Status

log = logging.getLogger(__name__)

_HOPELESS = (Unauthorized, Forbidden, NotFound, InputError)
"""Answers to a claim after which asking again is of no use."""


class Source(Protocol):
    """Where cells come from: the queue, or a service that has one."""

    def claim(self, machine: Machine) -> Lease | None:
        """Take the next cell, if there is one and the machine's slot is free."""

    def beat(self, token: str, progress: Progress | None = None) -> Beat:
        """Keep a lease; Conflict when it is lost."""

    def hand_in(self, token: str, result: CellResult, environment: Environment) -> None:
        """Write the result of a cell; Conflict when the lease is lost."""

    def give_back(self, token: str) -> None:
        """Let go of a cell that was not measured to its end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks for work, between two heartbeats, and the longest pause after an error."""

    poll: float = 1.0
    beat: float = 5.0
    patience: float = 60.0


@dataclass(slots=True)
class Worker:
    """One worker. `slot` is the lock of the machine's measuring slot.

    `told` hears of each lease that is taken and of what became of it.
    """

    source: Source
    supervisor: Supervisor
    machine: Machine
    slot: Path = field(default_factory=slot.usual)
    pace: Pace = field(default_factory=Pace)
    told: Callable[[Lease, CellResult | None], None] = lambda _lease, _result: None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _halt: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Have `run` end soon: what is being measured is given back."""
        self._stopping.set()
        self._halt.set()

    def run(self, *, once: bool = False) -> None:
        """Work until somebody stops it; with `once`, until nothing waits. Raises what no patience can mend."""
        pause = self.pace.poll
        while not self._stopping.is_set():
            try:
                worked = self._turn()
                pause = self.pace.poll
            except _HOPELESS:
                raise
            except AppError as error:
                log.warning("no cell can be taken: %s", error.message)
                worked, pause = False, min(2 * pause, self.pace.patience)
            if not worked:
                if once:
                    return
                self._stopping.wait(pause)

    def _turn(self) -> bool:
        """Measure one cell, if there is one."""
        with slot.held(self.slot) as ours:
            lease = self.source.claim(self.machine) if ours else None
            if lease is None:
                return False
            self._measure(lease)
            return True

    def _measure(self, lease: Lease) -> None:
        self.told(lease, None)
        self._halt.clear()
        if self._stopping.is_set():
            self._halt.set()
        holding = _Holding(self.source, lease, self.pace.beat, self._halt)
        beating = threading.Thread(target=holding.run, name="heartbeat", daemon=True)
        beating.start()
        try:
            outcome = self.supervisor.run(lease.cell, on_progress=holding.note, stop=self._halt)
            self._settle(lease, outcome, holding)
        finally:
            holding.done.set()
            beating.join()

    def _settle(self, lease: Lease, outcome: Outcome, holding: _Holding) -> None:
        """Hand the result in, however long that takes; give an unfinished cell back; forget one that was lost."""
        if holding.lost.is_set():
            log.warning("the lease on cell %d of job %s was lost", lease.number, lease.job)
            return
        unfinished = outcome.result.status is Status.CANCELLED and not holding.cancelled.is_set()
        if unfinished and self._stopping.is_set():
            with suppress(AppError):  # otherwise the lease runs out
                self.source.give_back(lease.token)
            return
        pause = self.pace.poll
        result = outcome.result
        while True:
            try:
                self.source.hand_in(lease.token, result, outcome.environment)
            except (Conflict, Unauthorized, Forbidden) as error:
                log.warning("the result of cell %d of job %s was refused: %s", lease.number, lease.job, error.message)
                return
            except InputError as error:
                if result is not outcome.result:
                    log.error("cell %d of job %s: %s", lease.number, lease.job, error.message)  # noqa: TRY400
                    return
                result = _refused(result, error.message)
            except AppError as error:
                log.warning("the result of cell %d of job %s waits: %s", lease.number, lease.job, error.message)
                if self._stopping.wait(pause):
                    return
                pause = min(2 * pause, self.pace.patience)
            else:
                self.told(lease, result)
                return


@dataclass(slots=True)
class _Holding:
    """Keeps one lease while its cell is measured."""

    source: Source
    lease: Lease
    seconds: float
    halt: threading.Event
    done: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _progress: Progress | None = None

    def note(self, progress: Progress) -> None:
        """Remember how far the cell is, for the next heartbeat."""
        self._progress = progress

    def run(self) -> None:
        """Beat until it is done. Trouble on the way is tried again: the lease is lost only when that is said."""
        while not self.done.wait(min(self.seconds, self.lease.seconds / 3)):
            try:
                if self.source.beat(self.lease.token, self._progress).cancel:
                    self.cancelled.set()
                    self.halt.set()
            except Conflict:
                self.lost.set()
                self.halt.set()
                return
            except AppError as error:
                log.warning("the heartbeat of cell %d was not heard: %s", self.lease.number, error.message)


def _refused(result: CellResult, why: str) -> CellResult:
    """What is handed in for a result that is not taken as it is."""
    return replace(
        result,
        status=Status.FAILED,
        message=f"the result was not taken: {why}",
        artifact=None,
        build=None,
        memory=None,
        settings={},
        samples=(),
        finite_logits=None,
    )
