"""Figures come from clean samples, say when they do not, and are the same each time they are worked out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.measure.statistics import ENOUGH_CLEAN, figures, interval, median, percentile
from app.measure.values import CellResult, Figure, Memory, Phase, Sample, Sampling, Status
from tests.measure.tiny import cell

SECOND = 1_000_000_000


def sample(phase: Phase, wall_ms: float, *, clean: bool = True, tokens: int = 10, cpu: float = 1.0) -> Sample:
    wall = int(wall_ms * 1_000_000)
    each = (wall // tokens,) * tokens if phase is Phase.DECODE else ()
    return Sample(phase, tokens, wall, int(wall * cpu), 0, 0, 0, clean, each)


def result(*samples: Sample, threads: int = 1, wanted: int = 5, memory: Memory | None = None) -> CellResult:
    one = cell(threads=threads, sampling=Sampling(clean=wanted))
    return CellResult(one, Status.OK, "2026-11-21T12:00:00Z", 1.0, "abc", samples=samples, memory=memory)


def named(told: CellResult, metric: str) -> Figure:
    return {figure.metric: figure for figure in figures(told)}[metric]


def test_the_headline_is_the_median_of_clean_samples() -> None:
    told = result(
        *(sample(Phase.PREFILL, ms) for ms in (100, 110, 102)),
        *(sample(Phase.PREFILL, ms, clean=False, cpu=0.5) for ms in (500, 600, 700, 800)),
    )
    first = named(told, "time-to-first-token")
    assert (first.statistic, first.count, first.clean, first.contended) == ("Median", 7, 3, False)
    assert [first.value, first.deviation, first.percentile95, first.lower, first.upper] == [102, 2, 110, 100, 110]
    assert named(told, "prefill-latency").value == Decimal("10.2")
    assert named(told, "prefill-throughput").value == Decimal("98.0392157")


def test_without_enough_clean_samples_a_figure_is_contended() -> None:
    told = result(
        *(sample(Phase.DECODE, ms) for ms in (100, 110)),
        *(sample(Phase.DECODE, ms, clean=False, cpu=0.25) for ms in (400, 420, 440)),
    )
    rate = named(told, "decode-latency")
    assert rate.value == 40
    assert (rate.count, rate.clean, rate.contended) == (5, 2, True)
    assert all(figure.contended for figure in figures(told) if "cpu-time" not in figure.metric)


def test_a_cell_that_wants_fewer_clean_samples_has_enough_with_them() -> None:
    assert not named(result(sample(Phase.DECODE, 100), wanted=1), "decode-latency").contended
    spoilt = replace(sample(Phase.DECODE, 100), clean=False)
    assert named(result(sample(Phase.DECODE, 100), spoilt, wanted=2), "decode-latency").contended


def test_few_samples_that_are_all_clean_are_few_and_not_contended() -> None:
    figure = named(result(sample(Phase.DECODE, 100), wanted=5), "decode-latency")
    assert (figure.contended, figure.count, figure.clean, figure.statistic) == (False, 1, 1, "SingleValue")


def test_cpu_time_of_one_thread_holds_on_a_busy_machine() -> None:
    busy = [sample(Phase.DECODE, 400, clean=False, cpu=0.25) for _ in range(ENOUGH_CLEAN)]
    portable = named(result(*busy), "decode-cpu-time-per-token")
    assert portable.value == 10
    assert (portable.contended, portable.clean) == (False, 0)
    assert "decode-cpu-time-per-token" not in {one.metric for one in figures(result(*busy, threads=2))}


def test_single_tokens_make_the_tail_of_decode_latency() -> None:
    slow = Sample(Phase.DECODE, 4, 40_000_000, 40_000_000, 0, 0, 0, True, (1_000_000, 1_000_000, 1_000_000, 37_000_000))
    tail = named(result(slow, slow, slow), "decode-latency")
    assert [tail.value, tail.percentile95] == [10, 37]


def test_impossible_samples_count_for_nothing() -> None:
    good = [sample(Phase.DECODE, 100) for _ in range(3)]
    bad = [replace(good[0], wall_ns=0), replace(good[0], cpu_ns=50 * SECOND), replace(good[0], tokens=0)]
    assert figures(result(*good, *bad)) == figures(result(*good))
    assert figures(result(*bad)) == ()


def test_memory_and_load_are_told_once() -> None:
    load = Sample(Phase.LOAD, 0, 2_500_000, 2_400_000, 0, 0, 0, clean=True)
    told = result(load, memory=Memory(1000, 256, None, 0, 5000))
    assert {one.metric: one.value for one in figures(told)} == {
        "load-time": Decimal("2.5"),
        "weights-memory": 1000,
        "kv-cache-memory": 256,
        "memory-footprint": 5000,
    }
    assert named(told, "load-time").statistic == "SingleValue"
    assert named(told, "memory-footprint").statistic == "Maximum"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_a_cell_that_did_not_end_well_has_no_figures(status: Status) -> None:
    told = result(*(sample(Phase.DECODE, 100) for _ in range(5)), memory=Memory(1, 1, 1, 1, 1))
    assert figures(told)
    assert figures(replace(told, status=status)) == ()


numbers = st.lists(st.integers(1, 10**12), min_size=1, max_size=30)


@given(numbers)
@settings(max_examples=60)
def test_statistics_stay_among_the_samples(drawn: list[int]) -> None:
    ordered = sorted(map(Decimal, drawn))
    lower, upper = interval(ordered)
    assert ordered[0] <= lower <= median(ordered) <= upper <= ordered[-1]
    assert percentile(ordered, 95) in ordered
    assert sum(number <= percentile(ordered, 95) for number in ordered) >= 0.95 * len(ordered)


@given(numbers, st.randoms())
@settings(max_examples=40)
def test_the_order_of_samples_and_the_day_do_not_matter(drawn: list[int], chance: object) -> None:
    samples = [Sample(Phase.DECODE, 8, ns, ns, 0, 0, 0, True) for ns in drawn]
    mixed = list(samples)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert figures(result(*samples)) == figures(result(*mixed))


@given(st.lists(st.integers(10**6, 10**9), min_size=3, max_size=12), st.integers(2, 9))
@settings(max_examples=40)
def test_a_machine_that_is_slower_by_a_factor_has_figures_slower_by_it(drawn: list[int], factor: int) -> None:
    def told(by: int) -> Figure:
        samples = [Sample(Phase.PREFILL, 1, ns * by, ns * by, 0, 0, 0, True) for ns in drawn]
        return named(result(*samples), "time-to-first-token")

    one, slower = told(1), told(factor)
    pairs = [
        (getattr(one, name), getattr(slower, name)) for name in ("value", "deviation", "lower", "upper", "percentile95")
    ]
    assert all(abs(left * factor - right) <= abs(right) * Decimal("1e-7") for left, right in pairs)


@given(numbers, st.booleans())
@settings(max_examples=40)
def test_rate_and_latency_are_two_views_of_one_sample(drawn: list[int], clean: bool) -> None:
    samples = [Sample(Phase.DECODE, 8, ns, ns, 0, 0, 0, clean) for ns in drawn]
    rate, latency = (named(result(*samples), f"decode-{name}") for name in ("throughput", "latency"))
    assert (rate.count, rate.clean, rate.contended) == (latency.count, latency.clean, latency.contended)
    if len(drawn) % 2:
        assert abs(rate.value * latency.value / 1000 - 1) < Decimal("1e-6")


def test_every_metric_is_in_the_registry_and_every_statistic_in_the_vocabulary() -> None:
    root = Path(__file__).parents[2]
    registry = (root / "data" / "registry" / "metrics.ttl").read_text(encoding="utf-8")
    vocabulary = (root / "ontology" / "vocab.ttl").read_text(encoding="utf-8")
    everything = result(*(sample(phase, 100) for phase in Phase for _ in range(3)), memory=Memory(1, 2, 3, 4, 5))
    told = figures(everything)
    assert len(told) == 13
    for figure in told:
        assert f"metric:{figure.metric} a slm:Metric" in registry
        assert f"stat:{figure.statistic} a skos:Concept" in vocabulary
