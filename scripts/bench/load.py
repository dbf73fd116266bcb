"""Puts load on a SPARQL endpoint: wrk if it is installed, else a client of its own. Reports rates and latencies."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

_LUA = """
local requests = {}
function init()
  for line in io.lines("%(file)s") do requests[#requests + 1] = wrk.format("GET", line) end
end
local turn = %(start)d
local wrong = 0
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('JSON{"requests":%%d,"seconds":%%f,"p50":%%f,"p99":%%f,"wrong":%%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did: requests a second, milliseconds, answers that were errors, and the client's own load."""

    rate: float
    p50: float
    p99: float
    wrong: int
    client_share: float


def put(base: str, paths: list[str], *, clients: int, seconds: float, start: int = 0) -> Load:
    """So many clients ask these paths in turn, from the given one on, for so many seconds."""
    before = _processor()
    begun = time.monotonic()
    raw = (_wrk if shutil.which("wrk") else _own)(base, paths, clients, seconds, start)
    share = (_processor() - before) / (time.monotonic() - begun)
    return Load(raw["requests"] / raw["seconds"], raw["p50"], raw["p99"], int(raw["wrong"]), share)


def _processor() -> float:
    """Processor seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _wrk(base: str, paths: list[str], clients: int, seconds: float, start: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        targets, script = Path(folder) / "paths", Path(folder) / "load.lua"
        targets.write_text("\n".join(paths), encoding="ascii")
        script.write_text(_LUA % {"file": targets, "start": start % len(paths)}, encoding="ascii")
        command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command += ["-H", "Accept: application/sparql-results+json", "-s", str(script), base]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(printed.split("JSON", 1)[1])
    return found


def _own(base: str, paths: list[str], clients: int, seconds: float, start: int) -> dict[str, float]:
    host = urllib.parse.urlsplit(base).netloc
    return asyncio.run(_clients(host, paths, clients, seconds, start))


async def _clients(host: str, paths: list[str], clients: int, seconds: float, start: int) -> dict[str, float]:
    name, port = host.split(":")
    head = f" HTTP/1.1\r\nHost: {host}\r\nAccept: application/sparql-results+json\r\n\r\n"
    requests = [f"GET {path}{head}".encode() for path in paths]
    taken: list[float] = []
    wrong = turn = 0
    end = time.monotonic() + seconds

    async def client() -> None:
        nonlocal turn, wrong
        reader, writer = await asyncio.open_connection(name, int(port), limit=2**24)
        while (begun := time.monotonic()) < end:
            turn += 1
            writer.write(requests[(start + turn) % len(requests)])
            status = await _response(reader)
            taken.append(time.monotonic() - begun)
            wrong += status != 200
        writer.close()

    begun = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    ordered = sorted(taken)
    at = [1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99)]
    passed = time.monotonic() - begun
    return {"requests": len(taken), "seconds": passed, "p50": at[0], "p99": at[1], "wrong": wrong}


async def _response(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if "content-length:" in head:
        await reader.readexactly(int(head.split("content-length:", 1)[1].split("\r\n", 1)[0]))
    else:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    return int(head.split(" ", 2)[1])
