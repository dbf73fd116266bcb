"""What running a model costs, by formula: work from the architecture, rates from measurements of other models.

The work is exact: floating-point operations of a prompt, bytes that one token reads. The rates are fitted for one
environment, engine and variant. A prediction carries the error that the fit makes on models that it has not seen, and
is labelled as predicted; it never stands for a measurement.

    prefill seconds = sum over storage types of (operations / rate) + attention operations / rate
    decode seconds  = sum over storage types of (bytes / rate) + cache bytes / rate + layers x time per layer

Sources: operations, Kaplan et al., arXiv:2001.08361, section 2.1; memory-bound decoding, Pope et al., arXiv:2211.05102;
time as work over rate, Williams et al., CACM 52(4), 2009 (roofline).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np
import numpy.typing as npt

from app.measure.gguf.architectures import cache_bytes
from app.measure.gguf.variants import bits_per_weight
from app.measure.values import Cell, Engine, Matrices, Phase
from app.model.architecture import Architecture, kv_cache_bytes
from app.model.tensors import matrix_parameter_count, output_parameter_count

FEWEST_MODELS = 4
"""A fit to fewer models says nothing about another one."""
LEAST_DEVIATION = math.log(1.35)
"""A measurement is never called an outlier for less than this."""
_DEVIATIONS = 3.0
"""How many median absolute deviations of the fit make an outlier."""
_DIGITS = 6
"""Significant digits of a cost, and decimal places of an error. Measurements do not have as many; the digits after them
hang on the processor that does the linear algebra, and a release has the same bytes wherever it is made."""
_ELEMENT = {"F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number in the cache of torch, which is of the model's own type."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Work:
    """What one phase has to do, by kind of work: operations in prefill, bytes and layers in decode."""

    phase: Phase
    amounts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement: a model's work and the seconds that it took (per token in decode)."""

    model: str
    work: Work
    seconds: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Seconds by formula, with the ends between which nine in ten unseen models were found."""

    seconds: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Seconds per unit of each kind of work, never negative.

    `errors` are the natural logarithms of measured over predicted seconds of each model, predicted by a fit that had
    not seen that model; `models` are their names in the same order.
    """

    phase: Phase
    costs: Mapping[str, float]
    models: tuple[str, ...]
    errors: tuple[float, ...]

    @property
    def median_error(self) -> float:
        """Median of the relative error on unseen models, as a fraction."""
        return median(self._relative())

    @property
    def largest_error(self) -> float:
        """Largest relative error on an unseen model, as a fraction."""
        return max(self._relative())

    def _relative(self) -> list[float]:
        return [abs(math.expm1(error)) for error in self.errors]

    def unknown(self, work: Work) -> tuple[str, ...]:
        """Kinds of this work that none of the models had, so that the fit says nothing of them."""
        return tuple(kind for kind, amount in work.amounts.items() if amount and kind not in self.costs)

    def predict(self, work: Work) -> Prediction:
        """Seconds that this work takes by the fit; work of an unknown kind is as dear as the dearest of its like."""
        seconds = _seconds(self.costs, work)
        spread = float(np.quantile(np.abs(self.errors), 0.9))
        return Prediction(seconds, seconds * math.exp(-spread), seconds * math.exp(spread))

    def is_outlier(self, point: Point) -> bool:
        """Whether a measurement is so far from the fit that a person should look at it."""
        predicted = self.predict(point.work).seconds
        middle = median(self.errors)
        usual = median(abs(error - middle) for error in self.errors)
        return abs(math.log(point.seconds / predicted)) > max(_DEVIATIONS * usual, LEAST_DEVIATION)


def uniform(architecture: Architecture, storage: str) -> Matrices:
    """The matrices of a model that has one storage type for all."""
    head = output_parameter_count(architecture)
    return Matrices({storage: matrix_parameter_count(architecture) - head}, {storage: head})


def prefill_work(architecture: Architecture, matrices: Matrices, tokens: int, depth: int = 0) -> Work:
    """Operations of a prompt after `depth` tokens: two per weight and token. Only the last token has logits made."""
    operations: Counter[str] = Counter()
    for part, times in ((matrices.layers, tokens), (matrices.head, 1)):
        for name, weights in part.items():
            operations[f"operations, {name}"] += 2 * weights * times
    width = sum(heads * _head(architecture) for heads in architecture.attention_heads_per_layer())
    attention = 4.0 * width * (tokens * depth + tokens * (tokens + 1) / 2)
    return Work(Phase.PREFILL, {**{kind: float(count) for kind, count in operations.items()}, "attention": attention})


def decode_work(architecture: Architecture, matrices: Matrices, cache: int) -> Work:
    """Bytes that one token reads, of weights and of a cache of `cache` bytes, and the layers that it passes."""
    read: dict[str, float] = defaultdict(float)
    for part in (matrices.layers, matrices.head):
        for name, weights in part.items():
            read[f"bytes, {name}"] += weights * bits_per_weight(name) / 8
    layers = float(len(architecture.attention_heads_per_layer()))
    return Work(Phase.DECODE, {**read, "cache": float(cache), "layers": layers})


def work_of(cell: Cell, matrices: Matrices, phase: Phase) -> Work:
    """What a phase of a cell does; a decoded token stands in the middle of those that are generated.

    `ArchitectureError` or `Unmeasurable` where the facts do not give it.
    """
    architecture = cell.subject.architecture
    if phase is Phase.PREFILL:
        return prefill_work(architecture, matrices, cell.prompt_tokens, cell.depth)
    tokens = cell.depth + cell.prompt_tokens + cell.generated_tokens // 2
    if cell.engine is Engine.TORCH:
        return decode_work(architecture, matrices, kv_cache_bytes(architecture, tokens, _ELEMENT[cell.variant]))
    return decode_work(architecture, matrices, cache_bytes(architecture, tokens))


def fit(points: Sequence[Point]) -> Fit | None:
    """The costs that fit these points best in relative terms; None for fewer than `FEWEST_MODELS` models.

    All points must be of one phase. Each model is predicted once by a fit to the others.
    """
    phases = {point.work.phase for point in points}
    if len(phases) > 1:
        raise ValueError(f"points of several phases: {sorted(phases)}")
    models = sorted({point.model for point in points})
    if len(models) < FEWEST_MODELS:
        return None
    errors: list[float] = []
    for model in models:
        costs = _costs([point for point in points if point.model != model])
        own = [point for point in points if point.model == model]
        errors.append(round(median(math.log(point.seconds / _seconds(costs, point.work)) for point in own), _DIGITS))
    return Fit(phases.pop(), _costs(points), tuple(models), tuple(errors))


def _seconds(costs: Mapping[str, float], work: Work) -> float:
    """Seconds by these costs, never nought; work of an unknown kind is as dear as the dearest of its like."""
    seconds = 0.0
    for kind, amount in work.amounts.items():
        like = [cost for name, cost in costs.items() if name.split(",")[0] == kind.split(",")[0]]
        seconds += costs.get(kind, max(like, default=0.0)) * amount
    return max(seconds, 1e-12)


def _costs(points: Iterable[Point]) -> dict[str, float]:
    """Non-negative costs with the least sum of squared relative errors.

    There are few kinds of work (a variant mixes two to four storage types), so every choice of kinds is tried and the
    best without a negative cost taken.
    """
    rows = list(points)
    kinds = sorted({kind for point in rows for kind in point.work.amounts})
    amounts = np.array([[point.work.amounts.get(kind, 0.0) / point.seconds for kind in kinds] for point in rows])
    best, found = math.inf, np.zeros(len(kinds))
    for count in range(1, len(kinds) + 1):
        for chosen in combinations(range(len(kinds)), count):
            tried = _solved(amounts, chosen)
            error = float(np.sum((amounts @ tried - 1.0) ** 2))
            if np.all(tried >= 0) and error < best - 1e-12:
                best, found = error, tried
    return {kind: float(f"{cost:.{_DIGITS - 1}e}") for kind, cost in zip(kinds, found, strict=True)}


def _solved(amounts: Floats, chosen: Sequence[int]) -> Floats:
    """The least-squares costs of the chosen kinds, nought for the others. Columns are scaled: they differ by 1e12."""
    part = amounts[:, list(chosen)]
    scale = np.linalg.norm(part, axis=0)
    scale[scale == 0] = 1.0
    solution, *_ = np.linalg.lstsq(part / scale, np.ones(len(part)), rcond=None)
    costs = np.zeros(amounts.shape[1])
    costs[list(chosen)] = solution / scale
    return costs


def _head(architecture: Architecture) -> int:
    return architecture.head_dimension or 0
