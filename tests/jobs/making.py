"""Cells, plans, results, clocks and machines for tests of jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.jobs.queue import Queue
from app.jobs.values import Lease, Machine, Moment, Person, Plan
from app.measure.values import (
    Cell,
    CellResult,
    Engine,
    Environment,
    Phase,
    RandomWeights,
    Sample,
    Status,
    Subject,
)
from app.model.architecture import Architecture

ADA = Person("https://w3id.org/slmkg/id/agent/ada", "Ada")
BOB = Person("https://w3id.org/slmkg/id/agent/bob", "Bob")
ONE = Machine("machine-1", "one", "1-a")
TWO = Machine("machine-2", "two", "2-a")
HERE = Environment("0123456789abcdef", {"cpu": {"model": "a processor"}}, {"system": "Linux"})
TINY = Architecture(architecture_class="LlamaForCausalLM", num_layers=2, hidden_size=64)
SAMPLE = Sample(Phase.PREFILL, 50, 1_000_000, 990_000, 0, 0, 0, clean=True)


def cell(prompt: int = 50, *, slug: str = "tiny") -> Cell:
    return Cell(Subject(slug, TINY), RandomWeights(), "Q8_0", Engine.LLAMA_CPP, prompt, 50, 1)


def plan(*prompts: int, title: str = "Tiny models") -> Plan:
    return Plan(title, tuple(cell(prompt) for prompt in prompts or (50, 128, 512)))


def result(of: Cell, status: Status = Status.OK, message: str | None = None, *, seconds: float = 2.0) -> CellResult:
    samples = (SAMPLE,) if status is Status.OK else ()
    return CellResult(of, status, "2026-11-21T12:00:00+00:00", seconds, HERE.fingerprint, message, samples=samples)


@dataclass
class Clocks:
    """Clocks that a test sets: `wall` may jump, `ticks` never do."""

    wall: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)
    ticks: float = 1000.0
    boot: str = "first"

    def __call__(self) -> Moment:
        return Moment(self.wall, self.ticks, self.boot)

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds

    def jump(self, **by: float) -> None:
        self.wall += timedelta(**by)


def queue(folder: Path, clocks: Clocks | None = None, **options: float | int) -> Queue:
    return Queue(folder / "jobs.sqlite", clock=clocks or Clocks(), **options)  # type: ignore[arg-type]


def claimed(queue: Queue, machine: Machine = ONE) -> Lease:
    lease = queue.claim(machine)
    assert lease is not None
    return lease


def measured(queue: Queue, machine: Machine = ONE, status: Status = Status.OK) -> Lease:
    """Take the next cell and hand its result in."""
    lease = claimed(queue, machine)
    queue.hand_in(lease.token, result(lease.cell, status, None if status is Status.OK else "it is so"), HERE)
    return lease


def another(machine: Machine, worker: str) -> Machine:
    return replace(machine, worker=worker)
