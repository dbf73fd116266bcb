"""Measures what killer queries do to everybody else, and how late they are stopped.

    python scripts/bench/killers.py --quads 1000000 --seconds 20

Eight clients look things up, first alone, then beside six that send nothing but queries that would never end. Each
client has an address of its own on the loopback, as strangers do. Prints the latency of the look-ups in both cases and
their ratio (the aim is 20 at most), and how long after its limit each killer got its error (150 ms at most).
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, so the path is put right first
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import asyncio
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scripts.bench import servers
from scripts.bench.data import Data, paths, write_revision

KILLERS = {
    "cross product": "SELECT * {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?c = ?f && ?f = {n}) }}",
    "ORDER BY": "SELECT * {{ ?a ?b ?c . ?d ?e ?f BIND({n} AS ?n) }} ORDER BY ?f ?c",
    "GROUP_CONCAT": "SELECT (GROUP_CONCAT(STR(?c)) AS ?all) {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?c != {n}) }}",
    "CONSTRUCT": "CONSTRUCT {{ ?a ?e ?i }} WHERE {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?c = {n} || ?f = ?i) }}",
    "COUNT": "SELECT (COUNT(*) AS ?n) {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?c != {n}) }}",
    "DISTINCT": "SELECT DISTINCT ?b ?e ?h {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?c != {n}) }}",
}
LOOKERS = 8
AIM, LATE = 20.0, 0.150


@dataclass
class Seen:
    """What clients saw: seconds of each good answer, and the statuses of the others."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)

    def at(self, part: float) -> float:
        """A quantile in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Client:
    """One connection from one address."""

    def __init__(self, base: str, host: str) -> None:
        self._netloc = urlsplit(base).netloc
        self._host = host

    async def open(self) -> None:
        """Connect."""
        name, port = self._netloc.split(":")
        self._in, self._out = await asyncio.open_connection(name, int(port), local_addr=(self._host, 0), limit=2**24)

    async def get(self, path: str) -> int:
        """Ask one thing; the status of the answer, which is read to its end."""
        self._out.write(f"GET {path} HTTP/1.1\r\nHost: {self._netloc}\r\n\r\n".encode())
        head = (await self._in.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await self._in.readexactly(int(head.split("content-length:", 1)[1].split("\r\n", 1)[0]))
        return int(head.split(" ", 2)[1])

    def close(self) -> None:
        """Hang up."""
        self._out.close()


async def look(client: Client, asked: list[str], pause: float, end: float, seen: Seen) -> None:
    """Look things up until the end."""
    await client.open()
    for path in asked * 1000:
        if time.monotonic() >= end:
            break
        begun = time.monotonic()
        status = await client.get(path)
        if status == 200:
            seen.seconds.append(time.monotonic() - begun)
        else:
            seen.wrong.append(status)
        await asyncio.sleep(pause)
    client.close()


async def kill(client: Client, prefix: str, query: str, limit: float, end: float, seen: Seen) -> None:
    """Send killers until the end; `seen` is how late each error came."""
    await client.open()
    number = 0
    while time.monotonic() < end:
        number += 1
        begun = time.monotonic()
        status = await client.get(paths([query.format(n=number)], prefix)[0])
        if status == 503:
            seen.seconds.append(time.monotonic() - begun - limit)
        else:
            seen.wrong.append(status)
            await asyncio.sleep(0.05)
    client.close()


async def measure(base: str, data: Data, options: argparse.Namespace) -> tuple[Seen, Seen, dict[str, Seen]]:
    """Look-ups alone, look-ups under attack, and the lateness of each killer."""
    prefix = "/sparql?"

    def lookers(end: float, seen: Seen, turn: int) -> list[Coroutine[Any, Any, None]]:
        """The clients that look things up; each has queries of its own, so that no cache helps."""
        asked = paths(Data(data.quads, data.models, turn).queries("point", LOOKERS * 3000), prefix)
        return [
            look(Client(base, f"127.0.4.{n + 1}"), asked[n * 3000 : n * 3000 + 3000], options.pause, end, seen)
            for n in range(LOOKERS)
        ]

    await asyncio.gather(*lookers(time.monotonic() + 1, Seen(), 1))
    quiet, attacked = Seen(), Seen()
    await asyncio.gather(*lookers(time.monotonic() + options.seconds, quiet, 2))
    late = {name: Seen() for name in KILLERS}
    end = time.monotonic() + options.seconds
    attackers = [
        kill(Client(base, f"127.0.5.{n + 1}"), prefix, query, options.limit, end, late[name])
        for n, (name, query) in enumerate(KILLERS.items())
    ]
    await asyncio.gather(*attackers, *lookers(end, attacked, 3))
    return quiet, attacked, late


def main() -> None:
    """Measure what the command line asks for; end with 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quads", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--limit", type=float, default=2, help="seconds of a query, as the service is set")
    parser.add_argument("--pause", type=float, default=0.005, help="seconds between the look-ups of one client")
    options = parser.parse_args()
    data = Data.of(options.quads)
    with tempfile.TemporaryDirectory(prefix="slmkg-bench-") as name:
        write_revision(data, Path(name))
        settings = {"answer_cache_bytes": "0", "query_seconds": str(options.limit), "max_readers": "12"}
        print(f"{data.quads:,} quads, {servers.machine()}", flush=True)
        with servers.this_service(Path(name), **settings) as base:
            quiet, attacked, late = asyncio.run(measure(base, data, options))
    ratio = attacked.at(0.99) / quiet.at(0.99)
    print("| look-ups | number | p50, ms | p99, ms | slowest, ms | refused |\n| --- | --- | --- | --- | --- | --- |")
    for title, seen in (("quiet", quiet), ("beside six killers", attacked)):
        cells = [f"{len(seen.seconds)}", *(f"{seen.at(part):.1f}" for part in (0.5, 0.99, 1)), f"{len(seen.wrong)}"]
        print(f"| {title} | {' | '.join(cells)} |")
    print(f"\np99 ratio {ratio:.1f} (aim: at most {AIM:g})\n")
    print("| killer | stopped | latest, ms after its limit |\n| --- | --- | --- |")
    for title, seen in late.items():
        print(f"| {title} | {len(seen.seconds)} | {seen.at(1) if seen.seconds else float('nan'):.0f} |")
        if seen.wrong:
            print(f"| {title}: other statuses | {len(seen.wrong)} | {sorted(set(seen.wrong))} |")
    slowest = max((max(seen.seconds) for seen in late.values() if seen.seconds), default=0.0)
    sys.exit(int(ratio > AIM or slowest > LATE or bool(quiet.wrong or attacked.wrong)))


if __name__ == "__main__":
    main()
