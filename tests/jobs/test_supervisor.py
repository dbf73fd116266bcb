"""One cell in a process of its own: every way it can end has its status, and nothing of it remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.jobs import supervisor as module
from app.jobs.supervisor import COMMAND, Limits, Outcome, Supervisor, usual_limits
from app.jobs.values import Progress
from app.measure.values import Status
from tests.cli.workers import running, until
from tests.jobs.making import HERE, cell

PROGRAMS = str(Path(__file__).with_name("programs.py"))
ENOUGH = Limits(seconds=60, bytes=2_000_000_000)


def supervisor(folder: Path, program: str, limits: Limits = ENOUGH, **options: Any) -> Supervisor:
    return Supervisor(folder, limits, (sys.executable, PROGRAMS, program), **options)


def outcome(folder: Path, program: str, limits: Limits = ENOUGH, **options: Any) -> Outcome:
    return supervisor(folder, program, limits).run(cell(), **options)


def pids(folder: Path) -> set[int]:
    """The processes that the program told of, as soon as it has."""
    file = folder / "pids"
    until(lambda: file.exists() and file.read_text() != "")
    return {int(pid) for pid in file.read_text().split()}


def test_a_good_cell_gives_its_result_and_its_progress(tmp_path: Path) -> None:
    heard: list[Progress] = []
    done = outcome(tmp_path, "good", on_progress=heard.append)
    assert (done.result.status, done.result.cell, done.environment) == (Status.OK, cell(), HERE)
    assert heard == [Progress("prefill", share, (("prefill", 512.5),)) for share in (0.0, 0.5, 1.0)]


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("crashes", Status.CRASHED, "ended by signal SIGSEGV; it said: this is the last"),
        ("killed", Status.CRASHED, "ended by signal SIGKILL"),
        ("only_rubbish", Status.FAILED, "the result cannot be read: /cell"),
        ("silent", Status.FAILED, "ended with exit code 3 and without a result; it said: no room for an answer"),
        ("leaves_early", Status.FAILED, "ended with exit code 0 and without a result"),
        ("another_cell", Status.FAILED, "the result is of another cell"),
        ("tells_nothing", Status.FAILED, "an environment that is not known"),
        ("nowhere", Status.FAILED, "an environment that is not known"),
        ("no_machine", Status.FAILED, "an environment that is not known"),
        ("failed", Status.FAILED, "No space left on device"),
        ("no_such_program", Status.FAILED, "KeyError"),
    ],
)
def test_each_end_has_its_status(tmp_path: Path, program: str, status: Status, words: str) -> None:
    done = outcome(tmp_path, program)
    assert done.result.status is status
    assert words in (done.result.message or "")
    assert (done.result.cell, done.result.environment) == (cell(), done.environment.fingerprint)
    assert done.result.seconds >= 0


@pytest.mark.parametrize("program", ["rubbish", "talks", "crashes_after"])
def test_a_result_among_rubbish_counts(tmp_path: Path, program: str) -> None:
    heard: list[Progress] = []
    assert outcome(tmp_path, program, on_progress=heard.append).result.status is Status.OK
    assert heard == []


def test_a_process_may_tell_of_its_own_environment(tmp_path: Path) -> None:
    done = outcome(tmp_path, "elsewhere")
    assert (done.result.status, done.result.environment) == (Status.OK, "feed")
    assert (done.environment.fingerprint, done.environment.hardware) == ("feed", {"cpu": {"model": "x"}})


def test_the_environment_of_a_cell_without_figures_is_kept_where_it_was_told(tmp_path: Path) -> None:
    assert outcome(tmp_path, "tells_and_sleeps", Limits(0.5, ENOUGH.bytes)).environment == HERE
    assert outcome(tmp_path, "crashes").environment == module.UNKNOWN


def test_one_that_never_ends_is_stopped(tmp_path: Path) -> None:
    done = outcome(tmp_path, "sleeps", Limits(0.5, ENOUGH.bytes))
    assert (done.result.status, done.result.message) == (Status.TIMEOUT, "not done after 0.5 s")
    assert done.result.seconds >= 0.5
    assert running(pids(tmp_path)) == set()


@pytest.mark.parametrize("program", ["eats", "eats_below"])
def test_one_that_takes_too_much_memory_is_stopped(tmp_path: Path, program: str) -> None:
    done = outcome(tmp_path, program, Limits(60, 200_000_000))
    assert done.result.status is Status.MEMORY_LIMIT
    assert "200,000,000 are allowed" in (done.result.message or "")
    if program == "eats_below":
        assert running(pids(tmp_path)) == set()


def test_one_that_fills_the_pipe_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTPUT", 20_000_000)
    done = outcome(tmp_path, "fills")
    assert (done.result.status, done.result.message) == (Status.FAILED, "printed more than 20,000,000 bytes")


def test_a_kill_for_want_of_memory_is_told_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("pgfault 1\noom_kill 3\n", encoding="ascii")
    monkeypatch.setenv("VMSTAT", str(vmstat))
    done = supervisor(tmp_path, "killed", vmstat=vmstat).run(cell())
    assert done.result.status is Status.OOM_KILLED
    done = supervisor(tmp_path, "killed", vmstat=vmstat).run(cell())
    assert done.result.status is Status.CRASHED, "the number stays: the kernel did not kill this one"


def test_cancelling_stops_it(tmp_path: Path) -> None:
    stop = threading.Event()
    done = outcome(tmp_path, "slow", on_progress=lambda _: stop.set(), stop=stop)
    assert (done.result.status, running(pids(tmp_path))) == (Status.CANCELLED, set())


def test_nothing_that_it_has_started_remains(tmp_path: Path) -> None:
    assert outcome(tmp_path, "leaves_children").result.status is Status.OK
    left = pids(tmp_path)
    assert len(left) == 3
    assert running(left) == set()


def test_secrets_of_the_service_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_STORE_PASSWORD", "secret")
    show = "import os, sys; sys.exit(' '.join(name for name in os.environ if name.startswith('SLMKG')) or 'none')"
    done = Supervisor(tmp_path, ENOUGH, (sys.executable, "-c", show)).run(cell())
    assert (done.result.message or "").endswith("it said: none")


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    done = Supervisor(tmp_path, ENOUGH, ("no-such-command",)).run(cell())
    assert done.result.status is Status.FAILED
    assert "no-such-command: No such file or directory" in (done.result.message or "")
    (tmp_path / "file").touch()
    done = Supervisor(tmp_path / "file", ENOUGH).run(cell())
    assert (done.result.status, done.result.message) == (Status.FAILED, "the process cannot be started: File exists")


def test_a_full_disk_is_told_by_the_process_and_stops_nobody(tmp_path: Path) -> None:
    write = "open('/dev/full', 'w').write('x' * 100000)"
    done = Supervisor(tmp_path, ENOUGH, (sys.executable, "-c", write)).run(cell())
    assert done.result.status is Status.FAILED
    assert "No space left on device" in (done.result.message or "")
    assert outcome(tmp_path, "good").result.status is Status.OK


SUPERVISES = """
import sys
from pathlib import Path
from app.jobs.supervisor import Supervisor
from tests.jobs.making import cell
from tests.jobs.test_supervisor import supervisor
supervisor(Path(sys.argv[1]), sys.argv[2]).run(cell())
"""


@pytest.mark.parametrize("program", ["sleeps", "leaves_children"])
def test_when_the_supervisor_is_killed_nothing_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("AND_STAY", "1")
    process = subprocess.Popen([sys.executable, "-c", SUPERVISES, str(tmp_path), program])
    left = pids(tmp_path)
    assert running(left) == left
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: running(left) == set())


def test_when_the_leash_is_killed_its_command_goes_too(tmp_path: Path) -> None:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(outcome(tmp_path, "sleeps")))
    thread.start()
    (child,) = pids(tmp_path)
    leash = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    assert leash != os.getpid()
    os.kill(leash, signal.SIGKILL)
    thread.join()
    assert found[0].result.status is Status.CRASHED
    until(lambda: running({child}) == set())


def test_limits_follow_the_machine() -> None:
    assert usual_limits(7, 100) == Limits(7, 100_000_000)
    assert 0 < usual_limits(7, None).bytes < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (sys.executable, "-m", "app.measure.cell") == COMMAND
