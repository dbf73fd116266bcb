"""The queue: leases, attempts, results written once, cancelling, clocks that jump, disks that are full, runs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import BadParameter, BadValue, Conflict, NotFound, StoreDamaged, StoreFull, TooBusy
from app.jobs import queue as module
from app.jobs.queue import Queue
from app.jobs.values import CellState, JobState, Lease, Machine, Plan, Progress
from app.measure.records import read_run, run_text
from app.measure.values import Status
from app.model.health import State, good
from tests.jobs.making import ADA, BOB, HERE, ONE, TWO, Clocks, another, cell, claimed, measured, plan, queue, result


def test_a_job_goes_from_plan_to_run(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks)
    made, fresh = jobs.submit(plan(50, 128), ADA)
    assert (made.state, made.cells, made.queued, made.by, fresh) == (JobState.QUEUED, 2, 2, ADA, True)
    lease = claimed(jobs)
    assert (lease.job, lease.number, lease.attempt, lease.cell) == (made.id, 1, 1, cell(50))
    assert jobs.get(made.id).state is JobState.RUNNING
    assert not jobs.beat(lease.token, Progress("prefill", 0.5)).cancel
    running = jobs.cells(made.id)[0]
    assert (running.state, running.progress) == (CellState.RUNNING, Progress("prefill", 0.5))
    clocks.pass_by(3)
    jobs.hand_in(lease.token, result(lease.cell), HERE)
    with pytest.raises(Conflict):
        jobs.run(made.id)
    measured(jobs, status=Status.TIMEOUT)
    over = jobs.get(made.id)
    assert (over.state, over.good, over.finished, over.left) == (JobState.DONE, 1, 2, 0.0)
    assert jobs.claim(ONE) is None
    run = jobs.run(made.id)
    assert (run.identity, run.by, run.note) == (made.id, ADA.iri, "Tiny models")
    assert [one.status for one in run.results] == [Status.OK, Status.TIMEOUT]
    assert run.environments == {HERE.fingerprint: HERE}
    assert run.started <= run.ended
    (tmp_path / "run.jsonl").write_text(run_text(run), encoding="utf-8")
    assert read_run(tmp_path / "run.jsonl") == run


def test_what_is_acknowledged_is_there_after_the_process(tmp_path: Path) -> None:
    first = queue(tmp_path)
    made, _ = first.submit(plan(), ADA)
    measured(first)
    first.database.close()
    again = queue(tmp_path)
    assert again.get(made.id).finished == 1
    assert claimed(again).number == 2
    with sqlite3.connect(tmp_path / "jobs.sqlite") as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with again.database.reading() as tables:
        assert tables.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_the_file_is_its_owners_and_is_not_there_without_jobs(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    assert (jobs.is_idle(), jobs.list(), jobs.count(), jobs.claim(ONE), jobs.undelivered()) == (True, (), 0, None, ())
    with pytest.raises(NotFound):
        jobs.get("0123456789ab")
    assert list(tmp_path.iterdir()) == []
    jobs.submit(plan(), ADA)
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def test_the_same_key_and_content_is_the_same_job(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    first, _ = jobs.submit(plan(50), ADA, key="monday")
    again, fresh = jobs.submit(plan(50), ADA, key="monday")
    assert (again.id, fresh) == (first.id, False)
    with pytest.raises(Conflict) as refused:
        jobs.submit(plan(128), ADA, key="monday")
    assert first.id in refused.value.advice
    other, fresh = jobs.submit(plan(128), BOB, key="monday")
    assert (other.id != first.id, fresh) == (True, True)
    assert jobs.submit(plan(50), ADA)[0].id != first.id
    assert jobs.count() == 3
    for wrong in ("", "a\n", "x" * 201):
        with pytest.raises(BadParameter):
            jobs.submit(plan(50), ADA, key=wrong)


def test_a_lease_that_runs_out_frees_the_cell_and_refuses_the_late_result(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks, lease=60)
    made, _ = jobs.submit(plan(50), ADA)
    late = claimed(jobs)
    clocks.pass_by(59)
    assert jobs.claim(TWO) is None
    jobs.beat(late.token)
    clocks.pass_by(59)
    assert jobs.claim(TWO) is None, "the heartbeat kept it"
    clocks.pass_by(2)
    second = claimed(jobs, TWO)
    assert (second.number, second.attempt) == (1, 2)
    for lost in (lambda: jobs.beat(late.token), lambda: jobs.hand_in(late.token, result(late.cell), HERE)):
        with pytest.raises(Conflict):
            lost()
    jobs.hand_in(second.token, result(second.cell), HERE)
    (only,) = jobs.cells(made.id)
    assert [(one.number, one.machine, one.outcome) for one in only.attempts] == [(1, "one", "lost"), (2, "two", "ok")]


def test_a_lease_that_ran_out_and_was_not_taken_still_counts(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks, lease=60)
    made, _ = jobs.submit(plan(50), ADA)
    lease = claimed(jobs)
    clocks.pass_by(3600)
    jobs.beat(lease.token)
    jobs.hand_in(lease.token, result(lease.cell), HERE)
    assert jobs.get(made.id).state is JobState.DONE


def test_after_the_last_attempt_the_cell_has_crashed(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks, lease=60, most_attempts=2)
    made, _ = jobs.submit(plan(50, 128), ADA)
    for attempt in (1, 2):
        assert claimed(jobs).attempt == attempt
        clocks.pass_by(61)
    assert claimed(jobs).number == 2, "the others go on"
    first = jobs.cells(made.id)[0]
    assert (first.state, first.status, first.message) == (
        CellState.ENDED,
        Status.CRASHED,
        "its worker was lost 2 times",
    )
    assert len(first.attempts) == 2


def test_a_cell_that_was_given_back_costs_no_attempt(tmp_path: Path) -> None:
    jobs = queue(tmp_path, most_attempts=1)
    jobs.submit(plan(50), ADA)
    for attempt in (1, 2, 3):
        lease = claimed(jobs)
        assert lease.attempt == attempt
        jobs.give_back(lease.token)
        jobs.give_back(lease.token)
    jobs.hand_in(claimed(jobs).token, result(cell(50)), HERE)


def test_one_cell_at_a_time_on_each_machine(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    jobs.submit(plan(50, 128, 512), ADA)
    first = claimed(jobs)
    assert jobs.claim(another(ONE, "1-b")) is None
    assert claimed(jobs, TWO).number == 2
    assert claimed(jobs) == first, "an answer that was lost is given again"
    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(tmp_path / "jobs.sqlite") as file:
        file.execute("UPDATE cells SET state = 'running', machine = ? WHERE number = 3", (ONE.identity,))


def test_many_threads_take_each_cell_once(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    jobs.submit(plan(*range(1, 25)), ADA)
    taken: list[int] = []

    def work(number: int) -> None:
        mine = Queue(tmp_path / "jobs.sqlite", clock=Clocks())
        machine = Machine(f"machine-{number}", "m", "w")
        while (lease := mine.claim(machine)) is not None:
            mine.hand_in(lease.token, result(lease.cell), HERE)
            taken.append(lease.number)
        mine.database.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 25))


def test_a_result_is_written_once(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    lease = claimed(jobs)
    given = result(lease.cell)
    jobs.hand_in(lease.token, given, HERE)
    before = jobs.events(made.id)
    jobs.hand_in(lease.token, given, HERE)  # its answer was lost
    assert jobs.events(made.id) == before
    with pytest.raises(Conflict):
        jobs.hand_in(lease.token, replace(given, seconds=9.0), HERE)
    assert jobs.run(made.id).results == (given,)


def test_a_result_of_another_cell_or_place_is_refused(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    jobs.submit(plan(50), ADA)
    lease = claimed(jobs)
    for wrong, pointer in (
        (result(cell(128)), "/result/cell"),
        (replace(result(cell(50)), environment="elsewhere"), "/result/environment"),
    ):
        with pytest.raises(BadValue) as refused:
            jobs.hand_in(lease.token, wrong, HERE)
        assert refused.value.pointer == pointer
    jobs.hand_in(lease.token, result(lease.cell), HERE)


def test_cancelling_ends_what_waits_at_once_and_what_runs_with_its_heartbeat(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50, 128, 512), ADA)
    lease = claimed(jobs)
    cancelled = jobs.cancel(made.id)
    assert (cancelled.state, cancelled.queued, cancelled.running) == (JobState.RUNNING, 0, 1)
    assert jobs.cancel(made.id).cancelled == cancelled.cancelled
    assert jobs.beat(lease.token).cancel
    jobs.hand_in(lease.token, result(lease.cell, Status.CANCELLED, "stopped"), HERE)
    over = jobs.get(made.id)
    assert (over.state, over.good) == (JobState.CANCELLED, 0)
    assert [one.status for one in jobs.cells(made.id)] == [Status.CANCELLED] * 3
    assert jobs.undelivered() == (), "nothing was measured"


def test_a_cancelled_job_keeps_what_was_measured(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    measured(jobs)
    assert jobs.cancel(made.id).state is JobState.CANCELLED
    assert jobs.undelivered() == (made.id,)
    assert len(jobs.run(made.id).results) == 1


def test_a_running_cell_of_a_cancelled_job_whose_worker_is_lost_ends(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks)
    made, _ = jobs.submit(plan(50), ADA)
    claimed(jobs)
    jobs.cancel(made.id)
    jobs.expire()
    assert jobs.get(made.id).state is JobState.RUNNING
    clocks.pass_by(61)
    jobs.expire()
    assert jobs.get(made.id).state is JobState.CANCELLED
    assert jobs.claim(ONE) is None


@pytest.mark.parametrize("hours", [-7, 7, -24 * 400, 24 * 400])
def test_a_wall_clock_that_jumps_neither_loses_nor_doubles_a_cell(tmp_path: Path, hours: float) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks, lease=60)
    made, _ = jobs.submit(plan(50, 128), ADA)
    held = claimed(jobs)
    clocks.jump(hours=hours)
    assert claimed(jobs, TWO).number == 2, "the first is not taken away"
    clocks.pass_by(59)
    jobs.beat(held.token)
    clocks.pass_by(2)
    again = claimed(jobs, another(TWO, "2-b"))
    assert (again.number, again.attempt) == (2, 2), "the dead one is free after its lease, not hours later"
    for lease in (held, again):
        jobs.hand_in(lease.token, result(lease.cell), HERE)
    assert [one.status for one in jobs.run(made.id).results] == [Status.OK, Status.OK]
    assert jobs.undelivered() == (made.id,)


@pytest.mark.parametrize(("ticks", "boot"), [(5.0, "second"), (10.0**7, "second"), (5.0, "first")])
def test_after_a_start_of_the_machine_each_lease_begins_once_more(tmp_path: Path, ticks: float, boot: str) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks, lease=60)
    jobs.submit(plan(50), ADA)
    elsewhere = claimed(jobs)
    clocks.ticks, clocks.boot = ticks, boot
    assert jobs.claim(TWO) is None, "its worker may be elsewhere, and alive"
    clocks.pass_by(30)
    jobs.beat(elsewhere.token)
    clocks.pass_by(59)
    assert jobs.claim(TWO) is None
    clocks.pass_by(2)
    assert claimed(jobs, TWO).attempt == 2


def test_a_try_to_deliver_is_not_put_off_by_a_clock_that_went_back(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks)
    made, _ = jobs.submit(plan(50), ADA)
    measured(jobs)
    clocks.jump(hours=9)
    jobs.not_delivered(made.id, "no room")
    assert jobs.undelivered() == ()
    clocks.jump(hours=-9)
    assert jobs.undelivered() == (made.id,)
    assert jobs.get(made.id).trouble == "no room"


def test_a_run_is_delivered_once(tmp_path: Path) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks)
    made, _ = jobs.submit(plan(50), ADA)
    assert jobs.undelivered() == ()
    measured(jobs)
    for expected in (2, 4, 8):
        assert jobs.undelivered() == (made.id,)
        jobs.not_delivered(made.id, "later")
        clocks.pass_by(expected - 0.5)
        assert jobs.undelivered() == ()
        clocks.pass_by(1)
    jobs.delivered(made.id, "revision 7")
    jobs.delivered(made.id, "revision 8")
    assert (jobs.get(made.id).delivered, jobs.get(made.id).trouble, jobs.undelivered()) == ("revision 7", None, ())


def test_the_doctor_sees_waiting_cells_runs_that_nobody_took_and_a_damaged_file(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    assert jobs.examine() == ()
    made, _ = jobs.submit(plan(50, 128), ADA)
    claimed(jobs)
    assert jobs.examine() == (good("jobs", "2 cells to measure, 1 of them at work"),)
    jobs.not_delivered(made.id, "the graph has no model 'tiny'")
    told = jobs.examine()[1]
    assert (told.state, told.says.split(": ", 1)[1]) == (State.BAD, "the graph has no model 'tiny'")
    jobs.database.close()
    for path in tmp_path.glob("*.sqlite*"):
        path.write_bytes(b"rubbish" * 1000)
    (told,) = jobs.examine()
    assert (told.state, bool(told.advice)) == (State.BAD, True)


def test_the_successor_of_a_worker_need_not_wait(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    jobs.submit(plan(50), ADA)
    held = claimed(jobs, another(ONE, "service"))
    assert jobs.recover("somebody") == 0
    assert jobs.recover("service") == 1
    assert claimed(jobs, another(ONE, "service")).attempt == 2
    with pytest.raises(Conflict):
        jobs.beat(held.token)


def test_events_tell_each_change_once_and_only_the_last_progress(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    lease = claimed(jobs)
    for share in (0.1, 0.1001, 0.5, 0.9):
        jobs.beat(lease.token, Progress("decode", share, (("decode", 12.5),)))
    middle = jobs.events(made.id)
    assert [one.kind for one in middle] == ["made", "began", "progress"]
    assert middle[-1].data == {"cell": 1, "step": "decode", "share": 0.9, "rates": {"decode": 12.5}}
    jobs.hand_in(lease.token, result(lease.cell), HERE)
    later = jobs.events(made.id, after=middle[-1].number)
    assert [one.kind for one in later] == ["ended", "over"]
    assert jobs.events(made.id, after=later[-1].number) == ()
    numbers = [one.number for one in jobs.events(made.id)]
    assert numbers == sorted(set(numbers))


def test_what_is_left_is_told_where_it_is_known(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    unknown, _ = jobs.submit(plan(50, 128, 512, 1024), ADA)
    assert unknown.left is None
    lease = claimed(jobs)
    jobs.hand_in(lease.token, result(lease.cell, seconds=10), HERE)
    assert jobs.get(unknown.id).left == 30
    jobs.beat(claimed(jobs).token, Progress("decode", 0.5))
    assert jobs.get(unknown.id).left == 25
    jobs.cancel(unknown.id)
    expected, _ = jobs.submit(Plan("x", (cell(1), cell(2), cell(3)), (10.0, 20.0, 40.0)), ADA)
    assert expected.left == 70
    jobs.recover(ONE.worker)
    lease = claimed(jobs)
    jobs.hand_in(lease.token, result(lease.cell, seconds=20), HERE)
    assert jobs.get(expected.id).left == 120, "everything takes twice as long as was thought"


def test_jobs_are_listed_newest_first(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made = [jobs.submit(plan(50, title=f"Job {number}"), ADA)[0].id for number in range(5)]
    assert [job.id for job in jobs.list()] == made[::-1]
    assert [job.id for job in jobs.list(first=1, most=2)] == [made[3], made[2]]
    jobs.cancel(made[2])
    assert [job.id for job in jobs.list(state=JobState.CANCELLED)] == [made[2]]
    assert (jobs.count(), jobs.count(JobState.QUEUED)) == (5, 4)


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPEN_CELLS", 4)
    jobs = queue(tmp_path)
    jobs.submit(plan(1, 2, 3), ADA)
    with pytest.raises(TooBusy):
        jobs.submit(plan(4, 5), ADA)
    jobs.submit(plan(4), ADA)
    monkeypatch.setattr(module, "MOST_OPEN_JOBS", 2)
    monkeypatch.setattr(module, "MOST_OPEN_CELLS", 400)
    with pytest.raises(TooBusy):
        jobs.submit(plan(5), ADA)


def test_a_full_disk_refuses_the_change_and_keeps_what_was(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    lease = claimed(jobs)
    with jobs.database.reading() as tables:
        pages = tables.execute("PRAGMA page_count").fetchone()[0]
        tables.execute(f"PRAGMA max_page_count = {pages}")
    big = replace(result(lease.cell), samples=tuple(result(lease.cell).samples) * 5000)
    with pytest.raises(StoreFull):
        jobs.hand_in(lease.token, big, HERE)
    assert jobs.get(made.id).running == 1
    with jobs.database.reading() as tables:
        tables.execute("PRAGMA max_page_count = 1000000")
    jobs.hand_in(lease.token, big, HERE)
    assert jobs.get(made.id).finished == 1


def test_a_file_that_is_no_queue_is_told(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"rubbish " * 1000)
    with pytest.raises(StoreDamaged):
        queue(tmp_path).list()
    (tmp_path / "jobs.sqlite").unlink()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreDamaged):
        queue(tmp_path).list()


KILLED = """
import sys
from pathlib import Path
from app.jobs.queue import Queue
from tests.jobs.making import ADA, HERE, ONE, plan, result
jobs = Queue(Path(sys.argv[1]) / "jobs.sqlite")
for number in range(100000):
    made, _ = jobs.submit(plan(50), ADA, key=str(number))
    print(made.id, flush=True)
    lease = jobs.claim(ONE)
    jobs.hand_in(lease.token, result(lease.cell), HERE)
    print(made.id, flush=True)
"""


def test_a_process_that_is_killed_in_the_middle_loses_nothing_acknowledged(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(41)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    jobs = Queue(tmp_path / "jobs.sqlite")
    for identity in set(told):
        job = jobs.get(identity)
        assert told.count(identity) == 1 or job.state is JobState.DONE
    with jobs.database.reading() as tables:
        assert tables.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_cells_of_a_plan_come_back_as_they_were(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50, 128), ADA)
    assert [one.cell for one in jobs.cells(made.id)] == [cell(50), cell(128)]
    assert [one.number for one in jobs.cells(made.id, first=1, most=1)] == [2]
    lease: Lease = measured(jobs)
    assert jobs.results(made.id, [1, 2]) == {1: result(lease.cell)}
    assert json.dumps(jobs.events(made.id)[0].data)
