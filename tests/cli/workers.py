"""`slmkg serve` with two workers, and which processes of it run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.access import Scope
from app.curate.commit import begin
from app.model.quads import LOADER
from app.settings import Settings
from app.wiring import build
from tests import edits
from tests.cli.run import RUN


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found)


def family(pid: int) -> set[int]:
    """A process, and all below it."""
    return {pid}.union(*(family(child) for child in children(pid)))


def running(pids: set[int]) -> set[int]:
    """Those of some processes that still run."""
    found = set()
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.add(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@dataclass
class Service:
    """A service with several workers: its main process, its address, and a key."""

    process: subprocess.Popen[str]
    base: str
    key: str

    def workers(self) -> list[int]:
        """The workers; each has the template of its readers below it, and nobody else has anything."""
        return [pid for pid in children(self.process.pid) if children(pid)]

    def insert(self, number: int) -> int:
        """Write one triple; the revision that it made."""
        answer = httpx.post(
            f"{self.base}update",
            content=f'INSERT DATA {{ <https://example.org/s> <https://example.org/p> "{number}" }}',
            headers={"Content-Type": "application/sparql-update", "Authorization": f"Bearer {self.key}"},
        )
        assert answer.status_code in {200, 204}, answer.text
        return int(answer.headers["x-revision"])

    def values(self) -> set[str]:
        answer = httpx.get(
            f"{self.base}sparql",
            params={"query": "SELECT ?o { <https://example.org/s> ?p ?o }"},
            headers={"Accept": "text/csv"},
        )
        assert answer.status_code == 200, answer.text
        return set(answer.text.split()[1:])


@contextmanager
def two_workers(data: Path, **more: str) -> Iterator[Service]:
    """`slmkg serve` with two workers on a folder that takes every triple; with more settings, if given."""
    services = build(Settings(data_dir=data, scratch=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    _, key = services.keys.create("Ada", (Scope.UPDATE,), edits.NOON)
    services.store.close()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "serve"],
        env={
            **os.environ,
            "SLMKG_DATA_DIR": str(data),
            "SLMKG_PORT": "0",
            "SLMKG_SCRATCH": "true",
            "SLMKG_WORKERS": "2",
            "SLMKG_READERS": "1",
            **more,
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    everybody: set[int] = set()
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if not line.startswith("{"))
        told = re.search(r"serving on (http://\S+)", line)
        assert told is not None, line
        service = Service(process, told[1], key)
        until(lambda: len(service.workers()) == 2)
        for one, other in ((0, 1), (1, 0)):  # each of them answers while the other cannot
            workers = service.workers()
            with stopped(workers[one]):
                until(lambda: ready(service.base))
            assert workers[other] in service.workers()
        everybody = family(process.pid)
        yield service
    finally:
        everybody |= family(process.pid)
        for pid in running(everybody):
            with suppress(ProcessLookupError):  # it went with another one
                os.kill(pid, signal.SIGKILL)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not run for a moment."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
