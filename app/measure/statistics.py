"""From the raw samples of a cell to its figures: medians of clean samples, their spread, and an interval.

The headline is the median of the clean samples. A figure without enough of them, some others having been spoilt, is
contended: it is the median of all samples then, says so, and must never stand beside others unmarked. Few samples that
are all clean are just few: the figure tells how many. The CPU time of one thread is the exception: it
does not count the time in which others had the CPU, so it holds on a busy machine too.

A deviation is the median absolute one; a 95th percentile of decode latency is that of single tokens; an interval is the
95 % bootstrap interval of the median. All of them are of the samples that the value is of.

Everything is worked out again from the stored samples with the same result: the bootstrap draws from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np

from app.measure.occupancy import is_possible
from app.measure.values import Cell, CellResult, Figure, Phase, Sample, Status

MEDIAN = "Median"
SINGLE_VALUE = "SingleValue"
MAXIMUM = "Maximum"

ENOUGH_CLEAN = 3
"""Clean samples that a headline needs, or as many as the cell wants, if those are fewer. Of three, one may be off."""

RESAMPLES = 2000
_SEED = 20_240_915
_LOWER, _UPPER = 2.5, 97.5
_DIGITS = Context(prec=9)
"""Nine significant digits: a nanosecond in a second."""

_MILLISECOND = Decimal(1_000_000)
_SECOND = Decimal(1_000_000_000)


def figures(result: CellResult, only: Collection[str] | None = None) -> tuple[Figure, ...]:
    """All figures of a result, or those of some metrics, in the order of this module; none unless it ended well."""
    if result.status is not Status.OK:
        return ()
    memory = tuple(one for one in _of_memory(result) if only is None or one.metric in only)
    return (*_of_times(result, only), *memory)


@dataclass(frozen=True, slots=True)
class _Measure:
    """How a sample of a phase becomes a number of a metric."""

    metric: str
    phase: Phase
    number: Callable[[Sample], Decimal]
    of_tokens: bool = False


def _wall_ms(sample: Sample) -> Decimal:
    return sample.wall_ns / _MILLISECOND


def _wall_ms_per_token(sample: Sample) -> Decimal:
    return sample.wall_ns / _MILLISECOND / sample.tokens


def _cpu_ms_per_token(sample: Sample) -> Decimal:
    return sample.cpu_ns / _MILLISECOND / sample.tokens


def _tokens_per_second(sample: Sample) -> Decimal:
    return sample.tokens * _SECOND / sample.wall_ns


_OF_WALL_TIME = (
    _Measure("time-to-first-token", Phase.PREFILL, _wall_ms),
    _Measure("prefill-throughput", Phase.PREFILL, _tokens_per_second),
    _Measure("prefill-latency", Phase.PREFILL, _wall_ms_per_token),
    _Measure("decode-throughput", Phase.DECODE, _tokens_per_second),
    _Measure("decode-latency", Phase.DECODE, _wall_ms_per_token, of_tokens=True),
    _Measure("load-time", Phase.LOAD, _wall_ms),
)
_OF_CPU_TIME = (
    _Measure("prefill-cpu-time-per-token", Phase.PREFILL, _cpu_ms_per_token),
    _Measure("decode-cpu-time-per-token", Phase.DECODE, _cpu_ms_per_token),
)


def _of_times(result: CellResult, only: Collection[str] | None) -> Iterator[Figure]:
    cell = result.cell
    for measure in _wanted(_OF_WALL_TIME, only):
        taken = _possible(result, measure.phase)
        if taken:
            yield _figure(measure, taken, *_chosen(taken, _enough(cell, measure.phase)))
    if cell.threads != 1:
        return  # threads that wait in a loop use CPU time for nothing
    for measure in _wanted(_OF_CPU_TIME, only):
        taken = _possible(result, measure.phase)
        if taken:
            used, _ = _chosen(taken, _enough(cell, measure.phase))
            yield _figure(measure, taken, used, contended=False)


def _wanted(measures: Iterable[_Measure], only: Collection[str] | None) -> list[_Measure]:
    return [one for one in measures if only is None or one.metric in only]


def _possible(result: CellResult, phase: Phase) -> list[Sample]:
    """The samples of a phase, less those whose counters cannot be true: they say nothing at all."""
    threads = 1 if phase is Phase.LOAD else result.cell.threads
    taken = [one for one in result.samples if one.phase is phase and is_possible(one, threads)]
    return [one for one in taken if phase is Phase.LOAD or (one.tokens > 0 and one.cpu_ns > 0)]


def _enough(cell: Cell, phase: Phase) -> int:
    return 1 if phase is Phase.LOAD else max(1, min(ENOUGH_CLEAN, cell.sampling.clean))


def _chosen(taken: list[Sample], enough: int) -> tuple[list[Sample], bool]:
    """The samples that the figure is of, and whether it is contended."""
    clean = [one for one in taken if one.clean]
    trusted = len(clean) >= enough or len(clean) == len(taken)
    return (clean, False) if trusted else (taken, True)


def _figure(measure: _Measure, taken: list[Sample], used: list[Sample], contended: bool) -> Figure:
    numbers = sorted(measure.number(one) for one in used)
    middle = median(numbers)
    several = len(numbers) > 1
    lower, upper = interval(numbers) if len(numbers) >= ENOUGH_CLEAN else (None, None)
    single = [ns / _MILLISECOND for one in used for ns in one.per_token_ns] if measure.of_tokens else []
    tail = percentile(sorted(single or numbers), 95) if several or single else None
    return Figure(
        metric=measure.metric,
        value=_rounded(middle),
        statistic=MEDIAN if several else SINGLE_VALUE,
        count=len(taken),
        clean=sum(one.clean for one in taken),
        deviation=_rounded(median(sorted(abs(number - middle) for number in numbers))) if several else None,
        percentile95=None if tail is None else _rounded(tail),
        lower=None if lower is None else _rounded(lower),
        upper=None if upper is None else _rounded(upper),
        contended=contended,
    )


def _of_memory(result: CellResult) -> Iterator[Figure]:
    memory = result.memory
    if memory is None:
        return
    parts = (
        ("weights-memory", memory.weights, SINGLE_VALUE),
        ("kv-cache-memory", memory.kv_used, SINGLE_VALUE),
        ("kv-cache-allocated-memory", memory.kv_allocated, SINGLE_VALUE),
        ("compute-buffer-memory", memory.compute_buffer, SINGLE_VALUE),
        ("memory-footprint", memory.peak_rss, MAXIMUM),
    )
    for metric, size, statistic in parts:
        if size:  # nothing has a size of zero: then it was not measured
            yield Figure(metric, Decimal(size), statistic, count=1, clean=1)


def median(numbers: Sequence[Decimal]) -> Decimal:
    """The middle of sorted numbers, or the mean of the two in the middle."""
    half = len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def percentile(numbers: Sequence[Decimal], percent: int) -> Decimal:
    """The smallest of the sorted numbers that is not below so many percent of them: always one that was measured."""
    return numbers[max(0, -(-len(numbers) * percent // 100) - 1)]


def interval(numbers: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """95 % percentile-bootstrap interval of the median of sorted numbers; the same numbers always give the same one."""
    drawn = np.sort(np.random.default_rng(_SEED).integers(0, len(numbers), (RESAMPLES, len(numbers))), axis=1)
    # The numbers are sorted, so the median of a resample is that of its sorted places. Twice the place is a whole
    # number of halves, and the order of medians is not that of places when two of them are averaged: sort by value.
    half = len(numbers) // 2
    pairs = drawn[:, [half, half]] if len(numbers) % 2 else drawn[:, [half - 1, half]]
    places, counts = np.unique(pairs, axis=0, return_counts=True)
    medians = sorted(
        ((numbers[left] + numbers[right]) / 2, int(count)) for (left, right), count in zip(places, counts, strict=True)
    )
    return _at(medians, _LOWER), _at(medians, _UPPER)


def _at(medians: list[tuple[Decimal, int]], percent: float) -> Decimal:
    """The value below which so many percent of the counted medians lie."""
    wanted, seen = percent / 100 * RESAMPLES, 0
    for value, count in medians:
        seen += count
        if seen >= wanted:
            return value
    return medians[-1][0]


def _rounded(number: Decimal) -> Decimal:
    return _DIGITS.plus(number)
