"""The service of a campaign: a process of its own that can be killed and started again, and what it costs the machine.

Never ends a process that it did not start, and ends each by its id.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.cli.run import RUN
from tests.cli.workers import children, family, running
from tests.load.record import Record

_PAGE = os.sysconf("SC_PAGE_SIZE")
_START = 120.0
_STOP = 60.0


@dataclass
class Service:
    """`slmkg serve` on a data folder and a fixed port of the loopback."""

    data: Path
    port: int
    log: Path
    record: Record
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    wanted: threading.Event = field(default_factory=threading.Event)
    """Set while the service is meant to answer."""

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it, and wait until it is ready; gives the seconds that this took."""
        named = {f"SLMKG_{name.upper()}": value for name, value in self.settings.items()}
        begun = time.monotonic()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, "serve"],
                env={**os.environ, "SLMKG_DATA_DIR": str(self.data), "SLMKG_PORT": str(self.port), **named},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        with httpx.Client(base_url=self.base, trust_env=False, timeout=5) as client:
            while True:
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        break
                if self.process.poll() is not None or time.monotonic() - begun > _START:
                    raise RuntimeError(f"the service did not start; see {self.log}")
                time.sleep(0.05)
        took = time.monotonic() - begun
        self.record.add("up", seconds=round(took, 2), pid=self.process.pid)
        self.wanted.set()
        return took

    def kill(self) -> None:
        """End it as a power cut would. What it had started must end by itself."""
        assert self.process is not None
        everybody = family(self.process.pid)
        self.wanted.clear()
        self.record.add("down", how="SIGKILL")
        self.process.kill()
        self.process.wait()
        self._nothing_left(everybody)

    def stop(self) -> None:
        """Tell it to end, as an operator does."""
        if self.process is None or self.process.poll() is not None:
            return
        everybody = family(self.process.pid)
        self.wanted.clear()
        self.record.add("down", how="SIGTERM")
        begun = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(timeout=_STOP)
        except subprocess.TimeoutExpired:
            self.record.add("finding", text=f"the service did not end within {_STOP:g} s of SIGTERM")
            self.process.kill()
            self.process.wait()
        self.record.add("note", text=f"ended {time.monotonic() - begun:.1f} s after SIGTERM")
        self._nothing_left(everybody)

    def kill_a_reader(self, chance: random.Random) -> bool:
        """Kill one of its reader processes, if there is one. The template of the readers counts among them."""
        below = sorted(self._below())
        if not below:
            return False
        chosen = chance.choice(below)
        with suppress(ProcessLookupError):
            os.kill(chosen, signal.SIGKILL)
            self.record.add("killed", pid=chosen)
        return True

    def sample(self) -> dict[str, float] | None:
        """Megabytes, handles, threads and children of the process, and megabytes of all below it; None while down.

        `holders` of them each hold a revision in memory, and the newest one has so many `quads`.
        """
        if self.process is None or not self.wanted.is_set():
            return None
        main = _of(self.process.pid)
        if main is None:
            return None
        below = [found for pid in self._below() if (found := _of(pid)) is not None]
        quads = self._quads()
        return {
            "rss": main[0],
            "handles": main[1],
            "threads": main[2],
            "children": len(below),
            "children_pss": round(sum(_pss(pid) for pid in self._below()), 1),
            "children_handles": sum(found[1] for found in below),
            "holders": sum(map(_holds_a_revision, children(self.process.pid))),
            **({} if quads is None else {"quads": quads}),
        }

    def _below(self) -> list[int]:
        if self.process is None:
            return []
        return [pid for child in children(self.process.pid) for pid in family(child)]

    def _quads(self) -> int | None:
        """Quads of the newest revision, by its record."""
        store = self.data / "store"
        with suppress(OSError, ValueError, KeyError):
            newest = int((store / "HEAD").read_text(encoding="ascii"))
            return int(json.loads((store / "revisions" / f"{newest:06}.json").read_text(encoding="utf-8"))["quads"])
        return None

    def _nothing_left(self, everybody: set[int]) -> None:
        """Whatever the service had started ends with it."""
        deadline = time.monotonic() + 20
        while (left := running(everybody)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if left:
            self.record.add("finding", text=f"{len(left)} process(es) of the service outlived it by 20 s")


def _of(pid: int) -> tuple[float, int, int] | None:
    """Megabytes in memory, handles, threads."""
    folder = Path(f"/proc/{pid}")
    try:
        pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
        threads = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[17])
        return round(pages * _PAGE / 1e6, 1), len(list((folder / "fd").iterdir())), threads
    except OSError:
        return None


def _holds_a_revision(pid: int) -> bool:
    """Whether a process below the front is one that readers are forked from."""
    try:
        return b"app.store.reader" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _pss(pid: int) -> float:
    """Megabytes of a process, with what it shares counted in parts."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(text.split("Pss:")[1].split()[0]) / 1000


def disk(folder: Path) -> float:
    """Megabytes that a folder takes; files of several names count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = (Path(place) / name).lstat()
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    total += found.st_blocks * 512
    return round(total / 1e6, 1)
