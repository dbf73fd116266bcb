"""What all engines share: the form of a measured cell, and the loop that samples until enough is clean or time is up.

An engine gives a `Session`: a loaded model whose cache holds the cell's depth. The loop runs the prompt, decodes,
forgets both, and starts again; the engine knows nothing of clocks, the loop nothing of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from app.measure.occupancy import Stopwatch
from app.measure.values import Artifact, Cell, EngineBuild, Memory, Phase, Sample, Sampling

Progress = Callable[[str, float, Mapping[str, float]], None]
"""Gets the step, the share of it that is done (0 to 1), and the rates so far by name."""

MOST_REPETITIONS = 100
"""A tiny model on a busy machine would fill a minute with thousands of samples that say nothing new."""

WARM_UP_TOKENS = 4
"""Tokens that a warm-up decodes: the first ones set up what later ones find."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an engine tells of one cell. `settings` are those of the engine, with what it made of them."""

    build: EngineBuild
    memory: Memory
    samples: tuple[Sample, ...]
    finite_logits: bool | None
    artifact: Artifact | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Session(Protocol):
    """A loaded model, its cache filled up to the cell's depth."""

    def prefill(self) -> None:
        """Run the whole prompt and choose the first token."""
        ...

    def decode(self, tokens: int) -> tuple[int, ...]:
        """Generate so many tokens after the prompt, one at a time; the nanoseconds of each."""
        ...

    def rewind(self) -> None:
        """Forget everything after the depth."""
        ...


def sample(session: Session, cell: Cell, stopwatch: Stopwatch, progress: Progress) -> tuple[Sample, ...]:
    """All samples of prefill and decode, in the order they were taken; warm-ups are not among them."""
    for number in range(cell.sampling.warm_ups):
        progress("warm-up", number / cell.sampling.warm_ups, {})
        session.prefill()
        session.decode(min(WARM_UP_TOKENS, cell.generated_tokens))
        session.rewind()
    taken: list[Sample] = []
    budget = Budget(cell.sampling)
    while budget.goes_on(taken):
        stopwatch.start()
        session.prefill()
        taken.append(stopwatch.stop(Phase.PREFILL, cell.prompt_tokens))
        stopwatch.start()
        each = session.decode(cell.generated_tokens)
        taken.append(stopwatch.stop(Phase.DECODE, cell.generated_tokens, each))
        session.rewind()
        progress("sample", budget.share(taken), rates(taken))
    return tuple(taken)


class Budget:
    """Says when to stop: enough clean samples of each phase, no seconds left, or too many repetitions."""

    def __init__(self, sampling: Sampling, now: Callable[[], float] = time.monotonic) -> None:
        self._sampling = sampling
        self._now = now
        self._started = now()

    def goes_on(self, taken: list[Sample]) -> bool:
        """Whether to take one more repetition. The first is always taken, so that there is something to look at."""
        return not taken or self.share(taken) < 1

    def share(self, taken: list[Sample]) -> float:
        """How much is done, by whichever end comes first."""
        repetitions = sum(one.phase is Phase.PREFILL for one in taken)
        spent = (self._now() - self._started) / self._sampling.seconds if self._sampling.seconds > 0 else 1.0
        return min(1.0, max(clean(taken) / self._sampling.clean, spent, repetitions / MOST_REPETITIONS))


def clean(taken: list[Sample]) -> int:
    """Clean samples of the phase that has fewer of them."""
    return min(sum(one.clean for one in taken if one.phase is phase) for phase in (Phase.PREFILL, Phase.DECODE))


def rates(taken: list[Sample]) -> dict[str, float]:
    """What is known so far, for people who wait: medians of all samples, and how many are clean."""
    told: dict[str, float] = {"samples": len(taken), "clean": sum(one.clean for one in taken)}
    for phase in (Phase.PREFILL, Phase.DECODE):
        found = [one.tokens * 1e9 / one.wall_ns for one in taken if one.phase is phase and one.wall_ns > 0]
        if found:
            told[f"{phase.value}_tokens_per_second"] = round(median(found), 2)
    return told
