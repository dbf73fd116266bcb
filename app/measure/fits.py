"""What the cost model makes of a run: a fit for each setting, and how far each measured time is from its own. Pure.

Times are compared within one environment, engine build, variant and number of threads only. A run of few models gives
no fit, and then nothing is said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.errors import Unmeasurable
from app.measure.cost import Fit, Point, fit, work_of
from app.measure.values import CellResult, EngineBuild, Figure, Phase, Run, Status
from app.model.architecture import ArchitectureError

Place = tuple[int, str]
"""The number of a result in its run, and a metric."""

PREFILL, DECODE = "prefill-latency", "decode-latency"
METRICS = {PREFILL: Phase.PREFILL, DECODE: Phase.DECODE}
"""Metrics that are fitted, in milliseconds of wall time per token, and their phases; the others say the same."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What measurements share that one fit covers. `environment` is a fingerprint, `metric` one of METRICS."""

    metric: str
    environment: str
    build: EngineBuild | None
    variant: str
    threads: int

    @property
    def phase(self) -> Phase:
        """The phase whose time the metric is."""
        return METRICS[self.metric]


@dataclass(frozen=True, slots=True)
class Distance:
    """Measured over predicted, and whether a person should look at it."""

    ratio: float
    is_outlier: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fits of a run, and the distance of each of its times from its own fit."""

    fits: Mapping[Setting, Fit]
    distances: Mapping[Place, Distance]


def fitted(run: Run, figures: Sequence[Iterable[Figure]]) -> Fitted:
    """The fits to the results of a run, which come to these figures. Contended figures are neither used nor judged."""
    groups: dict[Setting, list[tuple[Place, Point]]] = defaultdict(list)
    for number, (result, told) in enumerate(zip(run.results, figures, strict=True)):
        for figure in told:
            if figure.metric not in METRICS or figure.contended or figure.value <= 0:
                continue
            setting = setting_of(result, figure.metric)
            point = point_of(result, setting.phase, figure)
            if point is not None:
                groups[setting].append(((number, figure.metric), point))
    fits: dict[Setting, Fit] = {}
    distances: dict[Place, Distance] = {}
    for setting, points in groups.items():
        found = fit([point for _, point in points])
        if found is None:
            continue
        fits[setting] = found
        for place, point in points:
            predicted = found.predict(point.work).seconds
            if predicted > 0 and math.isfinite(predicted):
                distances[place] = Distance(point.seconds / predicted, found.is_outlier(point))
    return Fitted(fits, distances)


def setting_of(result: CellResult, metric: str) -> Setting:
    """The setting of one time of a result."""
    return Setting(metric, result.environment, result.build, result.cell.variant, result.cell.threads)


def point_of(result: CellResult, phase: Phase, figure: Figure) -> Point | None:
    """The work of a phase, and its seconds by a figure in milliseconds per token; None where the work is not known."""
    if result.status is not Status.OK or result.artifact is None:
        return None
    cell = result.cell
    try:
        work = work_of(cell, result.artifact.matrices, phase)
    except (ArchitectureError, Unmeasurable):
        return None
    tokens = cell.prompt_tokens if phase is Phase.PREFILL else 1
    return Point(cell.subject.slug, work, float(figure.value) / 1000 * tokens)
