"""The occupancy gate: a sample is clean when the process had its CPUs; a clock that jumps changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.measure import occupancy
from app.measure.occupancy import MachineCounters, Reading, Stopwatch, gate, is_clean, is_possible
from app.measure.values import Phase, Sample

SECOND = 1_000_000_000
FREE = Sample(Phase.DECODE, 10, SECOND, SECOND - 1000, 0, 0, 0, clean=False)
ONE, TWO = gate(1, waits_busily=True), gate(2, waits_busily=True)


def test_a_thread_that_had_its_cpu_is_clean() -> None:
    assert is_clean(FREE, ONE)
    assert is_clean(replace(FREE, others_cpu_ns=SECOND), ONE)  # on the other core


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(FREE, cpu_ns=int(0.94 * SECOND)),
        replace(FREE, major_faults=1),
        replace(FREE, wall_ns=0),
        replace(FREE, wall_ns=-5),
        replace(FREE, cpu_ns=3 * SECOND),
        replace(FREE, cpu_ns=-1),
        replace(FREE, steal_ns=-1),
    ],
    ids=["lost the CPU", "waited for the disk", "no time", "time ran back", "too much CPU", "CPU ran back", "steal"],
)
def test_what_lacks_or_cannot_be_is_not_clean(spoilt: Sample) -> None:
    assert not is_clean(spoilt, ONE)


def test_two_threads_need_both_cpus_and_quiet_others() -> None:
    two = replace(FREE, cpu_ns=int(1.9 * SECOND))
    assert is_clean(two, TWO)
    assert not is_clean(replace(two, cpu_ns=int(1.8 * SECOND)), TWO)
    assert is_clean(replace(two, cpu_ns=int(1.8 * SECOND)), gate(2, waits_busily=False))
    assert not is_clean(replace(two, others_cpu_ns=int(0.15 * SECOND)), TWO)
    assert not is_clean(replace(two, others_cpu_ns=int(0.08 * SECOND), steal_ns=int(0.08 * SECOND)), TWO)


def test_two_ticks_of_others_prove_nothing_in_a_short_phase() -> None:
    short = Sample(Phase.DECODE, 1, 1_000_000, 1_950_000, 20_000_000, 0, 0, clean=False)
    assert is_clean(short, TWO)
    assert not is_clean(replace(short, others_cpu_ns=30_000_000), TWO)


counter = st.integers(-SECOND, 4 * SECOND)


@given(st.tuples(counter, counter, counter, counter, counter).map(lambda read: Sample(Phase.DECODE, 1, *read, False)))
def test_a_clean_sample_is_possible_and_occupied(sample: Sample) -> None:
    for passing in (ONE, TWO, gate(4, waits_busily=False)):
        if is_clean(sample, passing):
            assert is_possible(sample, passing.threads)
            assert sample.cpu_ns / (sample.wall_ns * passing.threads) >= passing.own_share


class Counted:
    """Counters that give what they are told."""

    def __init__(self, *readings: Reading) -> None:
        self._readings = iter(readings)

    def read(self) -> Reading:
        return next(self._readings)


def test_a_phase_is_the_difference_of_two_readings() -> None:
    watch = Stopwatch(ONE, Counted(Reading(100, 50, 1000, 10, 3), Reading(1100, 1040, 2500, 12, 3)))
    watch.start()
    taken = watch.stop(Phase.PREFILL, 7, (1, 2))
    assert taken == Sample(Phase.PREFILL, 7, 1000, 990, 510, 2, 0, clean=True, per_token_ns=(1, 2))


def test_ticks_behind_the_own_clock_do_not_make_others_negative() -> None:
    watch = Stopwatch(ONE, Counted(Reading(0, 0, 0, 5, 0), Reading(1000, 1000, 0, 3, 0)))
    watch.start()
    taken = watch.stop(Phase.DECODE, 1)
    assert (taken.others_cpu_ns, taken.steal_ns, taken.clean) == (0, 0, True)


def test_a_stop_without_a_start_is_a_mistake() -> None:
    watch = Stopwatch(ONE)
    watch.start()
    watch.stop(Phase.DECODE, 1)
    with pytest.raises(RuntimeError):
        watch.stop(Phase.DECODE, 1)


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_wall_clock_that_jumps_does_not_matter(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    real = time.time
    watch = Stopwatch(ONE)
    watch.start()
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + jump) * SECOND))
    busy(0.02)
    taken = watch.stop(Phase.DECODE, 1)
    assert 0.02 * SECOND <= taken.cpu_ns <= taken.wall_ns * occupancy.IMPOSSIBLE_SHARE
    assert is_possible(taken, 1)


def test_sleeping_is_not_clean() -> None:
    watch = Stopwatch(ONE)
    watch.start()
    time.sleep(0.03)
    assert not watch.stop(Phase.DECODE, 1).clean


@contextmanager
def crowd(number: int) -> Iterator[None]:
    """So many processes that keep the CPUs busy that this one may use."""
    loop = "print(flush=True)\nwhile True: pass"
    crowding = [subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) for _ in range(number)]
    try:
        for one in crowding:
            assert one.stdout is not None
            one.stdout.readline()
        yield
    finally:
        for one in crowding:
            one.kill()
            one.communicate()


def test_a_shared_cpu_is_seen() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})  # the crowd inherits it
    try:
        with crowd(2):
            watch = Stopwatch(ONE)
            watch.start()
            busy(0.1)
            taken = watch.stop(Phase.DECODE, 1)
    finally:
        os.sched_setaffinity(0, before)
    assert not taken.clean
    assert taken.cpu_ns < 0.9 * taken.wall_ns
    assert taken.others_cpu_ns > 0


def test_a_machine_that_tells_nothing_leaves_the_own_clock(tmp_path: Path) -> None:
    watch = Stopwatch(ONE, MachineCounters(tmp_path / "missing"))
    watch.start()
    busy(0.01)
    taken = watch.stop(Phase.DECODE, 1)
    assert (taken.others_cpu_ns, taken.steal_ns) == (0, 0)
    assert taken.cpu_ns >= 0.01 * SECOND


def test_idle_and_guests_are_not_busy(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 20 5000 300 4 6 50 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n", encoding="ascii")
    tick = SECOND // os.sysconf("SC_CLK_TCK")
    reading = MachineCounters(stat).read()
    assert (reading.busy_ns, reading.steal_ns) == (140 * tick, 50 * tick)
