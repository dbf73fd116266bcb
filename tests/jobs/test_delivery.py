"""Runs are handed on until they are acknowledged, and by their identity only once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.errors import StoreBusy
from app.jobs.delivery import Delivery
from app.measure.values import Run
from tests.jobs.making import ADA, Clocks, measured, plan, queue


class Shelf:
    """Takes each run once, by its identity; fails as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs: dict[str, Run] = {}
        self.asked = 0

    def __call__(self, run: Run) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        self.runs.setdefault(run.identity, run)
        return f"revision {list(self.runs).index(run.identity) + 1}"


def test_a_run_is_tried_until_it_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    jobs = queue(tmp_path, clocks)
    made, _ = jobs.submit(plan(50), ADA)
    shelf = Shelf(StoreBusy("somebody writes", advice="Wait."), RuntimeError("a defect"))
    delivery = Delivery(jobs, shelf)
    assert delivery.step() == 0
    measured(jobs)
    assert delivery.step() == 0
    assert jobs.get(made.id).trouble == "somebody writes Wait."
    assert delivery.step() == 0
    assert shelf.asked == 1, "not at once again"
    clocks.pass_by(3)
    with caplog.at_level(logging.ERROR):
        assert delivery.step() == 0
    assert "a defect" not in (jobs.get(made.id).trouble or "")
    clocks.pass_by(5)
    assert delivery.step() == 1
    assert (jobs.get(made.id).delivered, jobs.get(made.id).trouble) == ("revision 1", None)
    assert delivery.step() == 0
    assert (shelf.asked, shelf.runs[made.id]) == (3, jobs.run(made.id))


def test_a_process_killed_before_the_note_delivers_the_same_run_again(tmp_path: Path) -> None:
    jobs = queue(tmp_path)
    made, _ = jobs.submit(plan(50), ADA)
    measured(jobs)
    shelf = Shelf()
    shelf(jobs.run(made.id))  # taken, and then killed before the acknowledgement was written
    assert Delivery(jobs, shelf).step() == 1
    assert (list(shelf.runs), jobs.get(made.id).delivered) == ([made.id], "revision 1")
