"""Attacks a running service and measures what its other clients notice. Bounded, on the loopback only.

    python scripts/bench/attacks.py

The service runs in a process of its own on the seed data. Eight clients look something up all the time, each from an
address of its own, alone at first and then during each attack: cross products over everything, bodies of 100 MB, 500
clients that send a byte now and then, and readers killed by hand. Prints a table of their latencies; ends with 1 when
any of their questions was not answered with 200. `tests/load` runs the same attacks and looks at what became of the
attackers.
"""

# beside this file lies one with the name of a standard module, so the path is put right before the imports
from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from app.store.readers import processor_seconds
from scripts.bench import servers

SECRET = "zebra-in-the-query"
"""A word that only the attackers' queries have, to be looked for in the log."""
CROSS = f"SELECT * {{ ?a ?b ?c . ?d ?e ?f . FILTER(?c != '{SECRET}') }} ORDER BY ?c ?f"
POINT = "SELECT ?p ?o WHERE {{ <https://w3id.org/slmkg/resource/model/{name}> ?p ?o }}"
SETTINGS = {"query_seconds": "5", "seconds_per_minute": "100000"}
"""Killers end sooner than by default, so that there are many of them; nobody runs out of budget."""
SLOW = 500
_MEGABYTE = 1_000_000
_LONGEST = 120.0
"""Seconds that an attack may take."""
_SERVE = "import sys; sys.argv = ['slmkg', 'serve']; from app.cli import main; main()"
_HEADS = (b"", b"GET /sparql?que", b"POST /sparql HTTP/1.1\r\nHost: x\r\nX: ")
_BODY = (
    b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/sparql-query\r\nContent-Length: 1000\r\n\r\nSELECT"
)


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
        """A connection from one of the loopback's addresses."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(host, 0))

    def socket(self, host: str) -> socket.socket:
        """A bare connection from one of the loopback's addresses."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(host, 0))

    def most_memory(self) -> float:
        """Megabytes that the front has held at most."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def service(data: Path, log: Path, **settings: str) -> Iterator[Service]:
    """`slmkg serve` on a data folder, ended by its pid."""
    port = servers.free_port()
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            env={**os.environ, "SLMKG_DATA_DIR": str(data), "SLMKG_PORT": str(port), **named},
            cwd=servers.ROOT,
            stdout=output,
            stderr=output,
        )
    made = Service(port, process.pid, log)
    try:
        deadline = time.monotonic() + 120
        while not servers.answers(f"http://127.0.0.1:{port}/sparql?query=ASK%7B%7D"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LookupError(f"the service did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
            time.sleep(0.1)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)


def get(connection: http.client.HTTPConnection, query: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body for one query."""
    connection.request("GET", f"/sparql?query={quote(query)}", headers=headers or {})
    response = connection.getresponse()
    return response.status, response.read()


@dataclass
class Others:
    """Clients that look something up all the time, each from an address of its own, and what they saw."""

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
                if time.monotonic() - begun > _LONGEST:
                    raise TimeoutError("the attack takes too long")
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
                status, body = get(connection, POINT.format(name=f"{id(self)}-{number}-{turn}"))
                if status != 200:
                    self.wrong.append((status, body[:500]))
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(error)
                connection.close()
            self.seconds.append(time.monotonic() - begun)
            time.sleep(self.pause)
        connection.close()

    def at(self, part: float) -> float:
        """A quantile in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    def summary(self) -> str:
        """How it went, in milliseconds."""
        parts = f"p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, slowest {self.at(1):.0f} ms"
        return f"{len(self.seconds)} look-ups, {parts}"


# ---- the attacks: each moves on at its yields, ends by itself, and tells what its attackers saw ----


@dataclass
class Told:
    """What attackers saw: statuses of their answers, and how many are still connected at the end."""

    statuses: list[int] = field(default_factory=list)
    left: int = 0


def cross_products(target: Service, told: Told, *, attackers: int = 6, each: int = 3) -> Iterator[None]:
    """So many clients ask cross products over everything, one after the other."""

    def attacker(number: int) -> None:
        for _ in range(each):
            told.statuses.append(target.ask(CROSS, f"127.0.3.{number + 1}")[0])

    yield from _together(attacker, attackers)


def large_bodies(target: Service, told: Told, *, path: str = "/sparql", attackers: int = 3) -> Iterator[None]:
    """So many clients send 100 MB each at once."""
    part = b"query=" + b"x" * _MEGABYTE

    def attacker(number: int) -> None:
        with target.socket(f"127.0.3.{number + 1}") as connection:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * len(part)}\r\nConnection: close\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            )
            with suppress(OSError):
                connection.sendall(head.encode())
                for _ in range(100):
                    connection.sendall(part)
            answer = b""
            with suppress(OSError):
                answer = connection.recv(12)
            told.statuses.append(int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0)

    yield from _together(attacker, attackers)


def slow_heads(target: Service, told: Told, *, start: bytes = _HEADS[1]) -> Iterator[None]:
    """500 clients from one address say a byte each two seconds for 14 s, and never come to the end of a head."""
    yield from _slow(target, told, start, b"a" if start else b"", pause=2, turns=7)


def slow_bodies(target: Service, told: Told) -> Iterator[None]:
    """500 clients from one address send a head, and then a byte of the body each second for 5 s."""
    yield from _slow(target, told, _BODY, b" ", pause=1, turns=5)


def killed_readers(target: Service, told: Told, *, times: int = 10) -> Iterator[None]:
    """The reader that works hardest is killed by its pid, so many times over; its query is told, nobody else's."""

    def attacker() -> None:
        for _ in range(times):
            told.statuses.append(target.ask(CROSS, "127.0.3.1")[0])

    thread = threading.Thread(target=attacker)
    thread.start()
    seen: dict[int, float] = {}
    while thread.is_alive():
        for pid in family(target.pid):
            used = _used_when_old(pid)
            if used is not None and used - seen.setdefault(pid, used) > _HARD:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        yield
    thread.join(timeout=60)


ATTACKS: dict[str, tuple[Callable[[Service, Told], Iterator[None]], float]] = {
    "six clients ask cross products over everything": (cross_products, 6),
    "three bodies of 100 MB": (large_bodies, 4),
    f"{SLOW} slow clients: heads": (slow_heads, 5),
    f"{SLOW} slow clients: bodies": (slow_bodies, 5),
    "readers killed by hand": (killed_readers, 5),
}
"""Each attack, and how many seconds the others ask at least."""
HEADS = _HEADS
_HARD = 0.1
"""Seconds of processor time that an old query has used since it was seen: none of the others', which a busy
machine may make old too, uses so much."""


def family(pid: int) -> list[int]:
    """A process's living descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (folder / "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(folder.name))
    found = parents.get(pid, [])[:]
    for each in found:
        found += parents.get(each, [])
    return found


def _used_when_old(pid: int) -> float | None:
    """Seconds of processor time of a reader whose query is old (it runs at the lowest priority then), else None."""
    with suppress(OSError):
        if os.sched_getscheduler(pid) == os.SCHED_IDLE:
            return processor_seconds(pid)
    return None


def _together(attacker: Callable[[int], None], number: int) -> Iterator[None]:
    threads = [threading.Thread(target=attacker, args=(each,)) for each in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        yield


def _slow(target: Service, told: Told, start: bytes, drop: bytes, *, pause: float, turns: int) -> Iterator[None]:
    connections: list[socket.socket] = []
    try:
        for _ in range(SLOW):
            connections.append(target.socket("127.0.3.9"))
            connections[-1].sendall(start)
        yield
        for _ in range(turns):
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(drop)
            time.sleep(pause)
            yield
        told.left = sum(map(_connected, connections))
    finally:
        for connection in connections:
            connection.close()


def _connected(connection: socket.socket) -> bool:
    connection.settimeout(0.02)
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def main() -> None:
    """Measure, and print the table; end with 1 where others were not served."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of a loaded store; without it the seed data is loaded anew")
    options = parser.parse_args()
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="slmkg-attacks-") as name,
        service(options.data or Path(name) / "data", Path(name) / "log", **SETTINGS) as target,
    ):
        print(f"{servers.machine()}\n", flush=True)
        print("| attack | look-ups of others | not 200 | p50, ms | p99, ms | slowest, ms |")
        print("| --- | --- | --- | --- | --- | --- |")
        for title, (attack, seconds) in {"none": (None, 8.0), **ATTACKS}.items():
            others = Others(target)
            others.during(attack(target, Told()) if attack is not None else None, seconds)
            cells = [f"{others.at(part):.1f}" for part in (0.5, 0.99, 1)]
            print(f"| {title} | {len(others.seconds)} | {len(others.wrong)} | {' | '.join(cells)} |", flush=True)
            wrong += len(others.wrong)
            for answer in others.wrong[:5]:
                print(answer, file=sys.stderr)
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()
