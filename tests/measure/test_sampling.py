"""Sampling goes on until enough is clean, the time is up, or there is nothing new to learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from app.measure.engines.sampling import MOST_REPETITIONS, WARM_UP_TOKENS, Budget, clean, rates, sample
from app.measure.occupancy import Reading, Stopwatch, gate
from app.measure.values import Phase, Sample, Sampling
from tests.measure.tiny import cell


class Counting:
    """A session that only writes down what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def prefill(self) -> None:
        self.done.append("prefill")

    def decode(self, tokens: int) -> tuple[int, ...]:
        self.done.append(f"decode {tokens}")
        return (1,) * tokens

    def rewind(self) -> None:
        self.done.append("rewind")


class Readings:
    """Counters of a machine on which each phase takes 1 ms, and the process has `shares` of the CPU in turn."""

    def __init__(self, *shares: float) -> None:
        self._shares: Iterator[float] = iter(shares)
        self._share = 0.0
        self._reads = 0
        self._wall = self._cpu = 0

    def read(self) -> Reading:
        if self._reads % 2:
            self._share = next(self._shares, self._share)
            self._wall += 1_000_000
            self._cpu += int(1_000_000 * self._share)
        self._reads += 1
        return Reading(self._wall, self._cpu, 0, 0, 0)


def ran(sampling: Sampling, *shares: float) -> tuple[Counting, tuple[Sample, ...], list[tuple[str, float]]]:
    session, heard = Counting(), list[tuple[str, float]]()

    def progress(step: str, share: float, _: Mapping[str, float]) -> None:
        heard.append((step, share))

    watch = Stopwatch(gate(1, waits_busily=True), Readings(*shares))
    taken = sample(session, cell(prompt=8, generated=6, sampling=sampling), watch, progress)
    return session, taken, heard


def test_warm_ups_come_first_and_are_no_samples() -> None:
    session, taken, heard = ran(Sampling(clean=1, warm_ups=2, seconds=60), 1.0)
    warm = ["prefill", f"decode {WARM_UP_TOKENS}", "rewind"]
    assert session.done == [*warm, *warm, "prefill", "decode 6", "rewind"]
    assert [(one.phase, one.tokens) for one in taken] == [(Phase.PREFILL, 8), (Phase.DECODE, 6)]
    assert heard == [("warm-up", 0.0), ("warm-up", 0.5), ("sample", 1.0)]


def test_sampling_ends_with_enough_clean_samples_of_both_phases() -> None:
    _, taken, _ = ran(Sampling(clean=2, warm_ups=0, seconds=60), 1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert [one.clean for one in taken] == [True, False, False, True, True, True]
    assert clean(list(taken)) == 2


def test_without_time_one_repetition_is_taken() -> None:
    _, taken, heard = ran(Sampling(clean=5, warm_ups=0, seconds=0.0), 0.1)
    assert len(taken) == 2
    assert heard == [("sample", 1.0)]


def test_a_busy_machine_is_not_sampled_for_ever() -> None:
    _, taken, _ = ran(Sampling(clean=5, warm_ups=0, seconds=3600), 0.1)
    assert len(taken) == 2 * MOST_REPETITIONS
    assert clean(list(taken)) == 0


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_time_alone_ends_a_budget(seconds: int, spent: int) -> None:
    now = iter([100.0, 100.0 + spent, 100.0 + spent])
    budget = Budget(Sampling(clean=5, seconds=seconds), lambda: next(now))
    taken = [Sample(phase, 1, 1, 0, 0, 0, 0, clean=False) for phase in (Phase.PREFILL, Phase.DECODE)]
    assert budget.goes_on(taken) == (spent < seconds)
    assert 0 <= budget.share(taken) <= 1


def test_rates_are_told_as_far_as_they_are_known() -> None:
    one = Sample(Phase.PREFILL, 50, 500_000_000, 0, 0, 0, 0, clean=True)
    assert rates([one]) == {"samples": 1, "clean": 1, "prefill_tokens_per_second": 100.0}
    assert rates([]) == {"samples": 0, "clean": 0}
