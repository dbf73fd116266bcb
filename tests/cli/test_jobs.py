"""Commands about jobs, in this process; and what the worker for a service elsewhere says when it lacks something."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import cli
from app.cli.jobs import read_plan
from app.errors import BadFile
from app.jobs.queue import Queue
from app.jobs.values import JobState
from app.measure.records import to_json
from app.measure.values import Status
from tests.jobs.making import cell, measured


@dataclass(frozen=True)
class Done:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def slmkg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a data folder, as its own process would."""

    def run(data: Path, *arguments: str) -> Done:
        monkeypatch.setenv("SLMKG_DATA_DIR", str(data))
        monkeypatch.setattr(sys, "argv", ["slmkg", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        written = capsys.readouterr()
        return Done(int(done.value.code or 0), written.out, " ".join(written.err.split()))

    return run


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"title": "Tiny models", "cells": [to_json(cell(50)), to_json(cell(128))]}))
    return file


def test_a_job_is_made_listed_shown_cancelled_and_watched(slmkg: Run, tmp_path: Path, plan: Path) -> None:
    data = tmp_path / "data"
    assert slmkg(data, "jobs", "list").stderr.startswith("no job yet")
    made = slmkg(data, "jobs", "make", str(plan), "--as", "ada", "--key", "k")
    assert made.returncode == 0, made.stderr
    identity = made.stdout.strip()
    again = slmkg(data, "jobs", "make", str(plan), "--as", "ada", "--key", "k", "--json")
    assert json.loads(again.stdout) | {"id": identity, "new": False} == json.loads(again.stdout)
    jobs = Queue(data / "jobs.sqlite")
    measured(jobs, status=Status.FAILED)
    listed = slmkg(data, "jobs", "list").stdout
    assert listed == f"{identity}\trunning\t1 of 2 cells, 0 good\tTiny models\tabout 2.0 s left\n"
    shown = slmkg(data, "jobs", "show", identity).stdout.splitlines()
    assert shown[1].endswith("failed\t2.0 s\tit is so")
    assert json.loads(slmkg(data, "jobs", "show", identity, "--json").stdout)["items"][0]["status"] == "failed"
    assert slmkg(data, "jobs", "cancel", identity).stdout == f"{identity} is cancelled\n"
    watched = slmkg(data, "jobs", "watch", identity)
    assert (watched.returncode, watched.stdout) == (1, f"{identity} is cancelled: 0 of 2 cells are good\n")
    assert jobs.get(identity).state is JobState.CANCELLED
    missing = slmkg(data, "jobs", "show", "ffffffffffff")
    assert (missing.returncode, "slmkg jobs list" in missing.stderr) == (1, True)


def test_schedules(slmkg: Run, tmp_path: Path, plan: Path) -> None:
    data = tmp_path / "data"
    made = slmkg(data, "jobs", "schedule", str(plan), "--cron", "30 3 * * 1", "--json")
    schedule = json.loads(made.stdout)
    assert (schedule["cron"], schedule["cells"]) == ("30 3 * * 1", 2)
    assert schedule["id"] in slmkg(data, "jobs", "schedules").stdout
    wrong = slmkg(data, "jobs", "schedule", str(plan), "--cron", "often")
    assert (wrong.returncode, "30 3 * * 1" in wrong.stderr) == (2, True)
    assert slmkg(data, "jobs", "unschedule", schedule["id"]).stdout == f"removed {schedule['id']}\n"
    assert slmkg(data, "jobs", "schedules", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is no JSON object"),
        ('{"cells": [], "colour": 1}', "'colour'"),
        ('{"cells": []}', "/cells"),
        ('{"cells": [{}], "title": 7}', "of the wrong kind"),
        ('{"cells": [{}], "expected": ["x"]}', "in `expected`"),
        ('{"cells": [{}]}', "/cells/0/subject"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    with pytest.raises(BadFile) as refused:
        read_plan(file)
    assert words in refused.value.message


def test_a_command_with_a_wrong_plan_changes_nothing(slmkg: Run, tmp_path: Path, plan: Path) -> None:
    plan.write_text("{")
    made = slmkg(tmp_path / "data", "jobs", "make", str(plan))
    assert (made.returncode, "is not JSON" in made.stderr, "Traceback" in made.stderr) == (2, True, False)
    assert not (tmp_path / "data" / "jobs.sqlite").exists()


def test_a_worker_says_what_it_lacks(slmkg: Run, tmp_path: Path) -> None:
    without = slmkg(tmp_path, "worker", "http://127.0.0.1:9")
    assert (without.returncode, "SLMKG_WORKER_KEY" in without.stderr) == (2, True)
    wrong = slmkg(tmp_path, "worker", "nowhere", "--key", "x")
    assert (wrong.returncode, "is no address of a service" in wrong.stderr) == (2, True)
