"""The service's own worker: one at a time on a data folder, whoever is killed; nothing without jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.jobs.queue import Queue
from app.jobs.service import Keeper
from app.jobs.supervisor import Supervisor
from app.jobs.values import CellState, JobState
from app.measure.values import Status
from tests.cli.workers import running, until
from tests.jobs.making import ADA, HERE, TWO, claimed, plan, result
from tests.jobs.test_delivery import Shelf
from tests.jobs.test_supervisor import ENOUGH, PROGRAMS, pids
from tests.jobs.test_worker import QUICK


def keeper(folder: Path, program: str | None = "good") -> Keeper:
    supervisor = None if program is None else Supervisor(folder / "files", ENOUGH, (sys.executable, PROGRAMS, program))
    queue = Queue(folder / "jobs.sqlite")
    return Keeper(queue, folder / "jobs.lock", supervisor, slot=folder / "slot", pace=QUICK)


@contextmanager
def kept(one: Keeper) -> Iterator[Queue]:
    one.start()
    try:
        yield one.queue
    finally:
        one.stop()


def test_a_service_without_jobs_writes_nothing(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    with kept(one):
        assert one._thread is not None
        one._thread.join(0.2)
        assert one._thread.is_alive()
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_comes_later_is_measured_and_its_run_is_taken(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    shelf = one.take = Shelf()
    with kept(one) as jobs:
        made, _ = jobs.submit(plan(50, 128), ADA)
        until(lambda: jobs.get(made.id).delivered == "revision 1")
    assert [result.status for result in shelf.runs[made.id].results] == [Status.OK, Status.OK]


def test_a_service_that_ends_gives_its_cell_back(tmp_path: Path) -> None:
    with kept(keeper(tmp_path, "sleeps")) as jobs:
        made, _ = jobs.submit(plan(50), ADA)
        left = pids(tmp_path / "files")
    assert running(left) == set()
    (cell,) = jobs.cells(made.id)
    assert (cell.state, [one.outcome for one in cell.attempts]) == (CellState.QUEUED, ["given back"])


def test_a_service_that_does_not_measure_leaves_that_to_others(tmp_path: Path) -> None:
    one = keeper(tmp_path, None)
    shelf = one.take = Shelf()
    with kept(one) as jobs:
        made, _ = jobs.submit(plan(50), ADA)
        lease = claimed(jobs, TWO)
        jobs.hand_in(lease.token, result(lease.cell), HERE)
        until(lambda: jobs.get(made.id).delivered is not None)
    assert list(shelf.runs) == [made.id]


def test_two_processes_of_one_service_never_measure_at_once(tmp_path: Path) -> None:
    with kept(keeper(tmp_path, "slow")) as jobs, kept(keeper(tmp_path, "slow")):
        made, _ = jobs.submit(plan(50, 128), ADA)
        until(lambda: jobs.get(made.id).over)
    assert all([one.outcome for one in cell.attempts] == ["ok"] for cell in jobs.cells(made.id))


KEEPS = """
import sys, time
from pathlib import Path
from tests.jobs.test_service import keeper
keeper(Path(sys.argv[1]), "sleeps").start()
time.sleep(600)
"""


def test_the_successor_of_a_killed_service_begins_at_once(tmp_path: Path) -> None:
    jobs = Queue(tmp_path / "jobs.sqlite")
    made, _ = jobs.submit(plan(50), ADA)
    process = subprocess.Popen([sys.executable, "-c", KEEPS, str(tmp_path)])
    left = pids(tmp_path / "files")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: running(left) == set())
    with kept(keeper(tmp_path)):
        until(lambda: jobs.get(made.id).state is JobState.DONE, 30)
    (cell,) = jobs.cells(made.id)
    assert [one.outcome for one in cell.attempts] == ["lost", "ok"]
