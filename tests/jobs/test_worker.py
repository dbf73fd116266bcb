"""The worker's loop on a local queue: what is measured is handed in once, whoever is killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.errors import BadValue, Forbidden, StoreFull
from app.jobs import slot
from app.jobs.clock import machine
from app.jobs.queue import Queue
from app.jobs.supervisor import Limits, Supervisor
from app.jobs.values import Beat, CellState, JobState, Lease, Machine, Progress
from app.jobs.worker import Pace, Worker
from app.measure.values import CellResult, Environment, Status
from tests.cli.workers import running, until
from tests.jobs.making import ADA, HERE, ONE, TWO, claimed, plan, result
from tests.jobs.test_supervisor import ENOUGH, PROGRAMS, pids

QUICK = Pace(poll=0.05, beat=0.05, patience=0.2)


def worker(
    folder: Path, jobs: Queue, program: str = "good", *, limits: Limits = ENOUGH, machine: Machine = ONE
) -> Worker:
    supervisor = Supervisor(folder / "files", limits, (sys.executable, PROGRAMS, program))
    return Worker(jobs, supervisor, machine, folder / "slot", QUICK)


def real(folder: Path, **options: float) -> Queue:
    """A queue by this machine's clocks."""
    return Queue(folder / "jobs.sqlite", **options)  # type: ignore[arg-type]


@contextmanager
def at_work(one: Worker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield thread
    finally:
        one.stop()
        thread.join()


def test_a_worker_measures_all_that_waits(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    heard: list[tuple[int, Status | None]] = []
    one = worker(tmp_path, jobs)
    one.told = lambda lease, result: heard.append((lease.number, None if result is None else result.status))
    one.run(once=True)
    assert jobs.get(made.id).state is JobState.DONE
    assert [result.status for result in jobs.run(made.id).results] == [Status.OK, Status.OK]
    assert heard == [(1, None), (1, Status.OK), (2, None), (2, Status.OK)]
    assert all(len(cell.attempts) == 1 for cell in jobs.cells(made.id))


def test_each_failure_is_a_result_and_the_next_cell_follows(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    worker(tmp_path, jobs, "crashes").run(once=True)
    assert [cell.status for cell in jobs.cells(made.id)] == [Status.CRASHED, Status.CRASHED]
    assert "SIGSEGV" in (jobs.cells(made.id)[0].message or "")


def test_a_cancelled_job_is_stopped_with_the_next_heartbeat(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    with at_work(worker(tmp_path, jobs, "sleeps")):
        left = pids(tmp_path / "files")
        jobs.cancel(made.id)
        until(lambda: jobs.get(made.id).over)
    assert jobs.get(made.id).state is JobState.CANCELLED
    assert [cell.message for cell in jobs.cells(made.id)] == [
        "cancelled while it was measured",
        "cancelled before it was measured",
    ]
    assert running(left) == set()


def test_progress_is_told_while_it_lasts(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    with at_work(worker(tmp_path, jobs, "slow")):
        until(lambda: jobs.cells(made.id)[0].progress == Progress("prefill", 0.5))
        until(lambda: jobs.get(made.id).over)
    assert "progress" in {event.kind for event in jobs.events(made.id)}


def test_a_worker_that_stops_gives_its_cell_back(tmp_path: Path) -> None:
    jobs = real(tmp_path, most_attempts=1)
    made, _ = jobs.submit(plan(50), ADA)
    with at_work(worker(tmp_path, jobs, "sleeps")):
        left = pids(tmp_path / "files")
    (cell,) = jobs.cells(made.id)
    assert (cell.state, [one.outcome for one in cell.attempts]) == (CellState.QUEUED, ["given back"])
    assert running(left) == set()
    worker(tmp_path, jobs).run(once=True)
    assert jobs.get(made.id).good == 1


def test_a_worker_whose_lease_is_lost_stops_and_hands_nothing_in(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    with at_work(worker(tmp_path, jobs, "sleeps")) as thread:
        left = pids(tmp_path / "files")
        jobs.recover(ONE.worker)
        second = claimed(jobs, TWO)
        until(lambda: running(left) == set())
        assert thread.is_alive()
    assert (second.number, jobs.cells(made.id)[0].state) == (1, CellState.RUNNING)


def test_one_slot_for_all_workers_of_a_machine(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    one = worker(tmp_path, jobs)
    with slot.held(one.slot) as ours:
        assert ours
        with slot.held(one.slot) as theirs:
            assert not theirs
        one.run(once=True)
        assert jobs.get(made.id).state is JobState.QUEUED
    one.run(once=True)
    assert jobs.get(made.id).over
    with slot.held(tmp_path / "no" / "folder") as nobody:
        assert nobody


KILLED = """
import sys
from pathlib import Path
from app.jobs.queue import Queue
from tests.jobs.making import ONE, another
from tests.jobs.test_worker import real, worker
worker(Path(sys.argv[1]), real(Path(sys.argv[1]), lease=0.4), "slow", machine=another(ONE, sys.argv[2])).run()
"""


def test_a_worker_that_is_killed_repeats_only_the_lost_cell(tmp_path: Path) -> None:
    jobs = real(tmp_path, lease=0.4)
    made, _ = jobs.submit(plan(50, 128, 512), ADA)

    def started(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), name])

    first = started("first")
    until(lambda: jobs.get(made.id).finished == 1)
    (tmp_path / "files" / "pids").unlink()
    left = pids(tmp_path / "files")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: running(left) == set())
    second = started("second")
    try:
        until(lambda: jobs.get(made.id).over)
    finally:
        second.kill()
        second.wait()
    cells = jobs.cells(made.id)
    assert [cell.status for cell in cells] == [Status.OK] * 3
    outcomes = [[one.outcome for one in cell.attempts] for cell in cells]
    assert outcomes[0] == ["ok"]
    assert sorted(outcomes[1:]) in ([["lost", "ok"], ["ok"]], [["ok"], ["lost", "ok"]])
    assert len(jobs.run(made.id).results) == 3


@dataclass
class Trouble:
    """A source with one cell that refuses results as it is told to."""

    jobs: Queue
    errors: list[Exception]
    given: list[CellResult] = field(default_factory=list)

    def claim(self, machine: Machine) -> Lease | None:
        return self.jobs.claim(machine)

    def beat(self, token: str, progress: Progress | None = None) -> Beat:
        return self.jobs.beat(token, progress)

    def hand_in(self, token: str, result: CellResult, environment: Environment) -> None:
        self.given.append(result)
        if self.errors:
            raise self.errors.pop(0)
        self.jobs.hand_in(token, result, environment)

    def give_back(self, token: str) -> None:
        self.jobs.give_back(token)


def test_a_result_waits_until_there_is_room(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    one = worker(tmp_path, jobs)
    source = one.source = Trouble(jobs, [StoreFull("full"), StoreFull("full")])
    one.run(once=True)
    assert len(source.given) == 3
    assert jobs.get(made.id).good == 1


def test_a_result_that_is_not_taken_as_it_is_ends_as_failed(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    one = worker(tmp_path, jobs)
    one.source = Trouble(jobs, [BadValue("/result", "is too long")])
    one.run(once=True)
    (cell,) = jobs.cells(made.id)
    assert (cell.status, cell.message) == (Status.FAILED, "the result was not taken: /result: is too long")


def test_a_late_result_of_a_lost_lease_is_dropped(tmp_path: Path) -> None:
    jobs = real(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    late = worker(tmp_path, jobs, "slow")
    late.pace = Pace(poll=0.05, beat=30, patience=0.2)
    with at_work(late) as thread:
        pids(tmp_path / "files")
        jobs.recover(ONE.worker)
        second = claimed(jobs, TWO)
        jobs.hand_in(second.token, result(second.cell), HERE)
        late.stop()
        thread.join()
    assert jobs.run(made.id).results == (result(second.cell),)


def test_a_key_that_opens_nothing_ends_the_worker(tmp_path: Path) -> None:
    class Closed(Trouble):
        def claim(self, machine: Machine) -> Lease | None:
            raise Forbidden("measure")

    one = worker(tmp_path, real(tmp_path))
    one.source = Closed(real(tmp_path), [])
    with pytest.raises(Forbidden):
        one.run()


def test_a_machine_is_a_running_kernel() -> None:
    one, other = machine(), machine()
    assert one.identity == other.identity
    assert one.worker != other.worker
    assert one.name
