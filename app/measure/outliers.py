"""How far each time of a run is from what the cost model gives, fitted to the models of the same run. Pure.

Times are compared within one environment, engine build, variant and number of threads only. A run of few models gives
no fit, and then nothing is said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.errors import Unmeasurable
from app.measure.cost import Point, fit, work_of
from app.measure.values import Figure, Phase, Run, Status
from app.model.architecture import ArchitectureError

Place = tuple[int, str]
"""The number of a result in its run, and a metric."""

PREFILL, DECODE = "prefill-latency", "decode-latency"
"""Metrics that are judged; the others say the same in other units."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Measured over predicted, and whether a person should look at it."""

    ratio: float
    is_outlier: bool


def distances(run: Run, figures: Sequence[Iterable[Figure]]) -> Mapping[Place, Distance]:
    """The distances of the latencies of a run, whose results come to these figures, where a fit is possible.

    Contended figures are neither used nor judged.
    """
    groups: dict[tuple[str, ...], list[tuple[Place, Point]]] = defaultdict(list)
    for number, (result, told) in enumerate(zip(run.results, figures, strict=True)):
        if result.status is not Status.OK or result.artifact is None:
            continue
        cell = result.cell
        for figure in told:
            if figure.metric not in {PREFILL, DECODE} or figure.contended or figure.value <= 0:
                continue
            phase = Phase.PREFILL if figure.metric == PREFILL else Phase.DECODE
            try:
                work = work_of(cell, result.artifact.matrices, phase)
            except (ArchitectureError, Unmeasurable):
                continue
            tokens = cell.prompt_tokens if figure.metric == PREFILL else 1
            seconds = float(figure.value) / 1000 * tokens
            group = (figure.metric, result.environment, repr(result.build), cell.variant, str(cell.threads))
            groups[group].append(((number, figure.metric), Point(cell.subject.slug, work, seconds)))
    found: dict[Place, Distance] = {}
    for points in groups.values():
        fitted = fit([point for _, point in points])
        if fitted is None:
            continue
        for place, point in points:
            predicted = fitted.predict(point.work).seconds
            if predicted > 0 and math.isfinite(predicted):
                found[place] = Distance(point.seconds / predicted, fitted.is_outlier(point))
    return found
