"""A service in a process of its own, clients that ask it all the time, and what they saw."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

SERVE = "import sys; sys.argv = ['slmkg', 'serve']; from app.cli import main; main()"
POINT = "SELECT ?p ?o WHERE {{ <https://w3id.org/slmkg/resource/model/{name}> ?p ?o }}"


@dataclass(frozen=True)
class Service:
    """A running service: its port, its process and all that it says."""

    port: int
    pid: int
    log: Path

    def ask(self, query: str, host: str, **headers: str) -> tuple[int, bytes]:
        """Status and body for one query from one of the loopback's addresses: each is a client of its own."""
        connection = self.connect(host)
        try:
            return get(connection, query, headers)
        finally:
            connection.close()

    def connect(self, host: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(host, 0))

    def most_memory(self) -> float:
        """Megabytes that the front has held at most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def service(data: Path, log: Path, **settings: str) -> Iterator[Service]:
    """`slmkg serve` on a data folder, ended by its pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            env={**os.environ, "SLMKG_DATA_DIR": str(data), "SLMKG_PORT": str(port), **named},
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=output,
        )
    made = Service(port, process.pid, log)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the service did not start"
            with suppress(OSError, http.client.HTTPException):
                if made.ask("ASK {}", "127.0.0.1")[0] == 200:
                    break
            time.sleep(0.1)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)


def get(connection: http.client.HTTPConnection, query: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection.request("GET", f"/sparql?query={quote(query)}", headers=headers or {})
    response = connection.getresponse()
    return response.status, response.read()


@dataclass
class Others:
    """Clients that look something up all the time, each from an address of its own."""

    service: Service
    clients: int = 8
    pause: float = 0.02
    seconds: list[float] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)

    def during(self, attack: Iterator[None] | None, seconds: float) -> None:
        """Ask for so many seconds at least, and until the attack is over; it moves on at each of its yields."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(number, stop)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        begun = time.monotonic()
        try:
            for _ in attack or ():
                assert time.monotonic() - begun < 120, "the attack takes too long"
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=90)

    def _ask(self, number: int, stop: threading.Event) -> None:
        connection = self.service.connect(f"127.0.2.{number + 1}")
        turn = 0
        while not stop.is_set():
            turn += 1
            begun = time.monotonic()
            try:
                status, _ = get(connection, POINT.format(name=f"{id(self)}-{number}-{turn}"))
            except (OSError, http.client.HTTPException) as error:
                status = 0
                self.wrong.append(error)
                connection.close()
            self.seconds.append(time.monotonic() - begun)
            if status != 200:
                self.wrong.append(status)
            time.sleep(self.pause)
        connection.close()

    def summary(self) -> str:
        """How it went, in milliseconds."""
        ordered = sorted(self.seconds)
        at = [1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99)]
        return f"{len(ordered)} look-ups, p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, slowest {1000 * ordered[-1]:.0f} ms"


def family(pid: int) -> list[int]:
    """A process's living descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(folder.name))
    found = parents.get(pid, [])[:]
    for each in found:
        found += parents.get(each, [])
    return found
