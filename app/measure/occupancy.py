"""Times one phase of a measurement and says whether the machine was free for it: the occupancy gate.

A sample is clean when this process had the CPUs it asked for all the time. On shared cores neither mean nor median of
all samples is right: prefill medians were five times too slow without a sign of it. Samples that pass the gate agreed
with a quiet machine within 3 % even at a load average of 8, which is why headline figures come from them alone.

Clocks are monotonic: setting the wall clock forward or back changes nothing here.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.measure.values import Phase, Sample

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """All counters at one moment, in nanoseconds since some start; busy and stolen time are of the whole machine."""

    wall_ns: int
    cpu_ns: int
    busy_ns: int
    steal_ns: int
    major_faults: int


class Counters(Protocol):
    """Where the readings come from."""

    def read(self) -> Reading:
        """The counters now."""
        ...


class MachineCounters:
    """The counters of this process and of the machine below it."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._tick_ns = _NANOSECONDS // os.sysconf("SC_CLK_TCK")

    def read(self) -> Reading:
        """The counters now; where the kernel does not tell of the whole machine, others seem to do nothing."""
        busy, steal = self._machine()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        return Reading(time.perf_counter_ns(), time.process_time_ns(), busy, steal, faults)

    def _machine(self) -> tuple[int, int]:
        """Busy and stolen time of all CPUs. Guests count within user time; idle and waiting are not busy."""
        try:
            words = self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        except OSError:
            return 0, 0
        user, nice, system, _idle, _waiting, interrupts, soft_interrupts, steal = (int(word) for word in words)
        return (user + nice + system + interrupts + soft_interrupts) * self._tick_ns, steal * self._tick_ns


@dataclass(frozen=True, slots=True)
class Gate:
    """When a sample is clean. Shares are of wall time x threads."""

    threads: int
    own_share: float
    """The least share of CPU time that the process itself must have had."""
    others_share: float | None
    """The largest share that others and the hypervisor may have had; None: their share is not asked for."""


OWN_SHARE_ONE_THREAD = 0.95
"""One thread that computes all the time has CPU time = wall time; what is missing went to somebody else. With this
threshold wall and CPU time agreed within 3 % at a load average of 8."""

OWN_SHARE_BUSY_WAITING = 0.93
"""Several threads that wait for each other in a loop (llama.cpp, OpenMP) use the CPU while they wait."""

OWN_SHARE_SLEEPING = 0.80
"""Several threads that sleep while they wait (torch) have less CPU time even on a free machine."""

OTHERS_SHARE = 0.06
"""With several threads the others' time must be small too: threads that wait in a loop for a thread that has lost its
CPU look busy. One of two cores taken for an eighth of the time is past this."""

OTHERS_FLOOR_NS = 20_000_000
"""The kernel counts the others' time in ticks of 10 ms; two of them prove nothing."""

IMPOSSIBLE_SHARE = 1.10
"""More CPU time than wall time x threads by a tenth: the clocks, or the thread count, cannot be right."""


def gate(threads: int, *, waits_busily: bool) -> Gate:
    """The gate for so many threads; `waits_busily` is whether the engine's threads wait in a loop."""
    if threads == 1:
        return Gate(1, OWN_SHARE_ONE_THREAD, None)
    return Gate(threads, OWN_SHARE_BUSY_WAITING if waits_busily else OWN_SHARE_SLEEPING, OTHERS_SHARE)


def is_clean(sample: Sample, passing: Gate) -> bool:
    """Whether the machine was free for this sample: enough own CPU time, no page from disk, nothing impossible."""
    return (
        is_possible(sample, passing.threads)
        and sample.major_faults == 0
        and sample.cpu_ns >= passing.own_share * sample.wall_ns * passing.threads
        and _others_are_quiet(sample, passing)
    )


def is_possible(sample: Sample, threads: int) -> bool:
    """Whether the counters can be true: some time went by, and not more CPU time than so many threads can use."""
    counters = (sample.cpu_ns, sample.others_cpu_ns, sample.steal_ns, sample.major_faults)
    return sample.wall_ns > 0 and min(counters) >= 0 and sample.cpu_ns <= IMPOSSIBLE_SHARE * sample.wall_ns * threads


def _others_are_quiet(sample: Sample, passing: Gate) -> bool:
    if passing.others_share is None:
        return True
    allowed = passing.others_share * sample.wall_ns * passing.threads + OTHERS_FLOOR_NS
    return sample.others_cpu_ns + sample.steal_ns <= allowed


class Stopwatch:
    """Times phases one after the other, with the same counters and gate."""

    def __init__(self, passing: Gate, counters: Counters | None = None) -> None:
        self._gate = passing
        self._counters = counters or MachineCounters()
        self._started: Reading | None = None

    def start(self) -> None:
        """Start the next phase now."""
        self._started = self._counters.read()

    def stop(self, phase: Phase, tokens: int, per_token_ns: tuple[int, ...] = ()) -> Sample:
        """End the phase and judge it. A phase that was not started is a mistake of the caller."""
        if self._started is None:
            raise RuntimeError("no phase was started")
        before, after = self._started, self._counters.read()
        self._started = None
        cpu = after.cpu_ns - before.cpu_ns
        counted = Sample(
            phase=phase,
            tokens=tokens,
            wall_ns=after.wall_ns - before.wall_ns,
            cpu_ns=cpu,
            others_cpu_ns=max(0, after.busy_ns - before.busy_ns - cpu),
            steal_ns=max(0, after.steal_ns - before.steal_ns),
            major_faults=after.major_faults - before.major_faults,
            clean=False,
            per_token_ns=per_token_ns,
        )
        return judged(counted, self._gate)


def judged(sample: Sample, passing: Gate) -> Sample:
    """The sample with the verdict of the gate."""
    return replace(sample, clean=is_clean(sample, passing))
