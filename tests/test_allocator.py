"""Memory that is free goes back to the machine, and threads share what they take it from."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURED = """
import sys, threading
from app import allocator
if sys.argv[1] == "shared":
    allocator.share_arenas()

def resident():
    return int(open("/proc/self/smaps_rollup").read().split("Rss:")[1].split()[0])

together = threading.Barrier(8)
kept = []

def work():
    together.wait()
    many = [b"x" * (100_000 + number) for number in range(200)]
    together.wait()
    kept.append(many[-1])  # holds the end of the arena, so that nothing goes back by itself

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
held = resident()
allocator.give_back()
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps")]
print(sum(start % 2**26 == 0 for start in starts), (held - resident()) / 1000)
"""


@pytest.fixture(scope="module", params=["shared", "each its own"])
def measured(request: pytest.FixtureRequest) -> tuple[str, int, float]:
    done = subprocess.run([sys.executable, "-c", MEASURED, request.param], capture_output=True, text=True, check=True)
    arenas, megabytes = done.stdout.split()
    return request.param, int(arenas), float(megabytes)


def test_threads_share_arenas(measured: tuple[str, int, float]) -> None:
    how, arenas, _ = measured
    assert arenas <= 2 if how == "shared" else arenas >= 4


def test_what_is_free_goes_back(measured: tuple[str, int, float]) -> None:
    _, _, megabytes = measured
    assert megabytes > 100
