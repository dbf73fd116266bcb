"""Jobs, their cells, leases and events, as values. Nothing is done here.

A job is a list of cells that somebody wants to be measured. Each cell is measured by one worker at a time, which holds
a lease on it; `attempts` counts the leases. Times are ISO text in UTC, `seconds` are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.measure.values import Cell, Status


class JobState(StrEnum):
    """How far a job is. A job that was cancelled is so when its last cell has ended; before, it is still running."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class CellState(StrEnum):
    """How far a cell is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the clocks. `ticks` never jump (seconds since some start); `boot` names the start they count from."""

    wall: datetime
    ticks: float
    boot: str


Clock = Callable[[], Moment]


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks for a job: the IRI and the name of an agent."""

    iri: str
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `expected` has the seconds that each cell is thought to take, where somebody knows."""

    title: str
    cells: tuple[Cell, ...]
    expected: tuple[float | None, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The queue in numbers: jobs by state, cells that have not ended, those of them at work, runs nobody took yet."""

    jobs: Mapping[JobState, int]
    waiting: int
    running: int
    undelivered: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Who works: `identity` is the machine's (one cell at a time is measured there), `worker` one process on it."""

    identity: str
    name: str
    worker: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker does with a cell now; `share` goes from 0 to 1 within the cell.

    `rates` are figures by name as far as they are known, such as tokens per second.
    """

    step: str
    share: float | None = None
    rates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to measure a cell, for so many seconds after each heartbeat."""

    token: str
    job: str
    number: int
    attempt: int
    cell: Cell
    seconds: float


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat: whether the cell is to be given up."""

    cancel: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One lease of a cell and how it ended: a status, `lost`, `given back`, or None while it lasts."""

    number: int
    machine: str
    began: str
    ended: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class JobCell:
    """A cell of a job, numbered from 1. `status` is None until it has ended."""

    number: int
    cell: Cell
    state: CellState
    status: Status | None
    message: str | None
    progress: Progress | None
    attempts: tuple[Attempt, ...]
    most_attempts: int
    expected: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job with how far it is. `left` is how many seconds it may still take, None where nobody can tell.

    `delivered` says what became of its run, once somebody has taken it; `trouble` is why nobody has yet.
    """

    id: str
    title: str
    note: str | None
    by: Person
    made: str
    state: JobState
    key: str | None
    schedule: str | None
    started: str | None
    ended: str | None
    cancelled: str | None
    cells: int
    queued: int
    running: int
    good: int
    left: float | None
    delivered: str | None
    trouble: str | None

    @property
    def over(self) -> bool:
        """Whether all its cells have ended."""
        return self.state in {JobState.DONE, JobState.CANCELLED}

    @property
    def finished(self) -> int:
        """How many cells have ended."""
        return self.cells - self.queued - self.running


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; `number` grows over all jobs. A progress replaces the one before it."""

    number: int
    at: str
    kind: str
    data: Mapping[str, Any]
