"""Makes a release for whoever asks over HTTP: one at a time, in a process of its own, so that answers stay quick.

The process is the command line's own `slmkg release`; it tells its steps line by line. How far the last one is stands
in the file MAKING.json of the data folder, since a service may have several workers and each may be asked. Never makes
anything itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.durable import write_durably
from app.errors import TooBusy
from app.settings import Settings

_COMMAND = "import sys; sys.argv[0] = 'slmkg'; from app.cli import main; main()"
_AGAIN = 15
_ERROR = "error: "
_FILE = "MAKING.json"
_STOPPED = "its process was stopped"


class State(StrEnum):
    """How far a release is."""

    MAKING = "making"
    FAILED = "failed"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Job:
    """One release in the making. `done` of `total` steps; `problem` says why it failed."""

    name: str
    revision: int
    state: State = State.MAKING
    step: str = "starting"
    done: int = 0
    total: int = 1
    problem: str | None = None


class Making:
    """The releases that one service makes; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.data_dir / _FILE
        self._guard = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._process: subprocess.Popen[str] | None = None

    def start(self, name: str, revision: int) -> Job:
        """Begin to make a release; TooBusy while another one is in the making."""
        with self._guard:
            running = self._anywhere()
            if self._process is not None or (running is not None and running.state is State.MAKING):
                if running is not None and (running.name, running.revision) == (name, revision):
                    return running
                raise TooBusy("another release is in the making", retry_after=_AGAIN)
            self._process = subprocess.Popen(  # noqa: S603 - our own command, by our own interpreter
                [sys.executable, "-c", _COMMAND, "release", name, "--revision", str(revision), "--announce"],
                env={**self._settings.environment(os.environ), "COLUMNS": "10000", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            job = Job(name, revision)
            self._put(job)
            threading.Thread(target=self._follow, args=(job, self._process), daemon=True).start()
            return job

    def job(self, name: str) -> Job | None:
        """The last try of this service, by whichever of its workers, to make a release of this name."""
        with self._guard:
            last = self._anywhere()
            return last if last is not None and last.name == name else self._jobs.get(name)

    def stop(self) -> None:
        """End what is running. What it had begun is removed when the next release is made."""
        with self._guard:
            process = self._process
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)

    def _follow(self, job: Job, process: subprocess.Popen[str]) -> None:
        """Read what the process tells until it ends."""
        problem = _STOPPED
        with process:
            for line in process.stderr or ():
                told = _told(line)
                if told is not None:
                    job = replace(job, step=str(told["step"]), done=int(told["done"]), total=int(told["total"]))
                    with self._guard:
                        self._put(job)
                elif line.startswith(_ERROR):
                    problem = line.removeprefix(_ERROR).strip()
        with self._guard:
            done = process.returncode == 0
            self._put(replace(job, state=State.READY if done else State.FAILED, problem=None if done else problem))
            self._process = None

    def _put(self, job: Job) -> None:
        """Keep how far a release is, for this worker and for the others."""
        self._jobs[job.name] = job
        pid = None if self._process is None else self._process.pid
        with contextlib.suppress(OSError):  # a full disk: the others do not know it then
            write_durably(self._file, json.dumps({"pid": pid, **asdict(job)}))

    def _anywhere(self) -> Job | None:
        """The release that was begun last by any worker; one whose process has gone without a word has failed."""
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            pid = int(told.pop("pid"))
            job = Job(**told | {"state": State(told["state"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        ours = self._process is not None and self._process.pid == pid
        if job.state is State.MAKING and not ours and not Path(f"/proc/{pid}").exists():
            return replace(job, state=State.FAILED, problem=_STOPPED)
        return job


def _told(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"step", "done", "total"} <= found.keys() else None
