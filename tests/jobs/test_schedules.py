"""Schedules: each due minute makes one job, whatever the clock does and whoever is killed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import BadValue, NotFound, TooBusy
from app.jobs import schedules as module
from app.jobs.queue import Queue
from app.jobs.schedules import Schedules
from tests.jobs.making import ADA, Clocks, measured, plan, queue


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(wall=datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC))


@pytest.fixture
def jobs(tmp_path: Path, clocks: Clocks) -> Queue:
    return queue(tmp_path, clocks)


def test_each_due_minute_makes_one_job(jobs: Queue, clocks: Clocks) -> None:
    schedules = Schedules(jobs)
    assert (schedules.tick(), schedules.list()) == ((), ())
    made = schedules.add("*/5  * * * *", plan(50), ADA)
    assert (made.cron, made.due, made.last_job) == ("*/5 * * * *", "2026-11-21T12:05:00+00:00", None)
    assert schedules.tick() == ()
    clocks.pass_by(269)
    assert schedules.tick() == ()
    clocks.pass_by(2)
    (job,) = schedules.tick()
    assert schedules.tick() == ()
    found = jobs.get(job)
    assert (found.schedule, found.title, found.by) == (made.id, "Tiny models", ADA)
    assert schedules.get(made.id).last_job == job
    clocks.pass_by(300)
    assert schedules.tick() == (), "the last one is not over"
    measured(jobs)
    clocks.pass_by(300)
    assert len(schedules.tick()) == 1


@pytest.mark.parametrize("hours", [7, 24 * 300])
def test_after_a_jump_forward_only_the_latest_minute_counts(jobs: Queue, clocks: Clocks, hours: int) -> None:
    schedules = Schedules(jobs)
    schedules.add("0 * * * *", plan(50), ADA)
    clocks.jump(hours=hours)
    assert len(schedules.tick()) == 1
    assert schedules.tick() == ()
    measured(jobs)
    clocks.jump(hours=-hours)
    assert schedules.tick() == ()
    clocks.jump(hours=1)
    assert len(schedules.tick()) == 1, "it goes on with the right time"


def test_a_minute_that_comes_again_makes_no_second_job(jobs: Queue, clocks: Clocks) -> None:
    schedules = Schedules(jobs)
    schedules.add("0 * * * *", plan(50), ADA)
    clocks.jump(hours=1)
    assert len(schedules.tick()) == 1
    measured(jobs)
    clocks.jump(hours=-1)
    assert schedules.tick() == ()
    clocks.jump(hours=1)
    assert schedules.tick() == ()
    assert jobs.count() == 1


def test_a_process_that_is_killed_between_job_and_note_makes_no_second_one(jobs: Queue, clocks: Clocks) -> None:
    schedules = Schedules(jobs)
    made = schedules.add("0 * * * *", plan(50), ADA)
    clocks.jump(hours=1)
    (job,) = schedules.tick()
    with jobs.database.writing() as tables:
        tables.execute("UPDATE schedules SET seen = ?, last_job = NULL", (made.made,))
    assert schedules.tick() == ()
    assert (jobs.count(), schedules.get(made.id).last_job) == (1, job)


@pytest.mark.parametrize("cron", ["", "x", "* * * * * *", "61 * * * *", "0 0 30 2 *", "0 0 29 2 * 1 1", "1 " * 400])
def test_what_means_no_time_is_refused(jobs: Queue, cron: str) -> None:
    with pytest.raises(BadValue) as refused:
        Schedules(jobs).add(cron, plan(50), ADA)
    assert refused.value.pointer == "/cron"
    assert Schedules(jobs).list() == ()


def test_a_schedule_is_removed_and_its_jobs_stay(jobs: Queue, clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    schedules = Schedules(jobs)
    made = schedules.add("0 * * * *", plan(50), ADA)
    clocks.jump(hours=1)
    schedules.tick()
    assert schedules.remove(made.id).id == made.id
    with pytest.raises(NotFound):
        schedules.remove(made.id)
    assert jobs.count() == 1
    monkeypatch.setattr(module, "MOST_SCHEDULES", 0)
    with pytest.raises(TooBusy):
        schedules.add("0 * * * *", plan(50), ADA)
