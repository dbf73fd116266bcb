"""What a model would take on a machine on which others were measured: worked out by formula, and never a measurement.

The graph holds a cost model for each machine, engine, number format and number of threads that a run had enough models
for. A prediction has the interval that held nine in ten models that the fit had not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.compare.reader import Reader, local_name
from app.errors import AppError
from app.measure.cost import Fit, Prediction, uniform, work_of
from app.measure.fits import DECODE, PREFILL
from app.measure.gguf.architectures import blueprint
from app.measure.gguf.variants import matrices, variant
from app.measure.values import Cell, Engine, Matrices, Phase, RandomWeights, Subject
from app.model.architecture import ArchitectureError
from app.model.rdf import python_value

_PHASES = {PREFILL: Phase.PREFILL, DECODE: Phase.DECODE}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was measured: machine, engine, number format and threads. `environment` is a fingerprint."""

    environment: str
    machine: str
    engine: Engine
    version: str
    variant: str
    threads: int


@dataclass(frozen=True, slots=True)
class CostModel:
    """The newest fits for a place, by phase, and the IRI of the run that each comes from."""

    place: Place
    fits: Mapping[Phase, Fit]
    runs: Mapping[Phase, str]


@dataclass(frozen=True, slots=True)
class Range:
    """A predicted number with the ends of its interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a phase would take: seconds of the whole prompt in prefill, of one token in decode, and tokens per second.

    `median_error` is that of the fit on unseen models, as a fraction; `models` is how many it rests on.
    """

    phase: Phase
    seconds: Range
    rate: Range
    models: int
    median_error: float
    run: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is predicted for a model at a place, or why nothing is. `measured`: the model itself is behind the fit."""

    place: Place
    predicted: tuple[Predicted, ...]
    measured: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """All outlooks of a model at so many tokens; `proposed` names the facts behind them that nobody cited."""

    model: str
    prompt: int
    generated: int
    depth: int
    proposed: tuple[str, ...]
    outlooks: tuple[Outlook, ...]


def cost_models(reader: Reader) -> tuple[CostModel, ...]:
    """The cost models of a revision, of each place and phase the newest one, in the order of their places."""
    newest: dict[tuple[Place, Phase], tuple[str, str, Fit]] = {}
    for row in reader.rows("cost-models"):
        phase, engine = _PHASES.get(local_name(row["metric"].value)), local_name(row["engine"].value)
        if phase is None or engine not in set(Engine):
            continue
        place = Place(
            row["environment"].value,
            row["machine"].value,
            Engine(engine),
            row["version"].value,
            row["variant"].value,
            int(python_value(row["threads"])),
        )
        errors = json.loads(row["errors"].value)
        fit = Fit(phase, json.loads(row["rates"].value), tuple(errors), tuple(errors.values()))
        found = (row["ended"].value, row["run"].value, fit)
        if (place, phase) not in newest or newest[place, phase][:2] < found[:2]:
            newest[place, phase] = found
    places = sorted(
        {place for place, _ in newest}, key=lambda one: (one.machine, one.environment, one.engine, one.variant)
    )
    return tuple(
        CostModel(
            place,
            {phase: newest[place, phase][2] for phase in Phase if (place, phase) in newest},
            {phase: newest[place, phase][1] for phase in Phase if (place, phase) in newest},
        )
        for place in places
    )


def outlooks(
    subject: Subject, found: Iterable[CostModel], *, prompt: int, generated: int, depth: int = 0
) -> Iterator[Outlook]:
    """What each cost model gives for a model at so many tokens."""
    for one in found:
        measured = any(subject.slug in fit.models for fit in one.fits.values())
        cell = _cell(subject, one.place, prompt, generated, depth)
        try:
            predicted = tuple(_predicted(one, cell, phase, fit) for phase, fit in one.fits.items())
        except (AppError, ArchitectureError) as error:
            yield Outlook(one.place, (), measured, str(error))
            continue
        yield Outlook(one.place, tuple(filter(None, predicted)), measured, _unknown(one, cell))


def seconds_of(cell: Cell, found: Iterable[CostModel], environment: str) -> float | None:
    """The seconds that one sample of a cell takes in an environment, prompt and generated tokens; None: not known."""
    for one in found:
        place = one.place
        if (place.environment, place.engine, place.variant, place.threads) != (
            environment,
            cell.engine,
            cell.variant,
            cell.threads,
        ):
            continue
        try:
            times = [
                prediction.seconds * (cell.generated_tokens if phase is Phase.DECODE else 1)
                for phase, fit in one.fits.items()
                if (prediction := _prediction(one, cell, phase, fit)) is not None
            ]
        except (AppError, ArchitectureError):
            return None
        return sum(times) if len(times) == len(_PHASES) else None
    return None


def _predicted(one: CostModel, cell: Cell, phase: Phase, fit: Fit) -> Predicted | None:
    prediction = _prediction(one, cell, phase, fit)
    if prediction is None:
        return None
    tokens = cell.prompt_tokens if phase is Phase.PREFILL else 1
    return Predicted(
        phase,
        Range(prediction.seconds, prediction.lower, prediction.upper),
        Range(tokens / prediction.seconds, tokens / prediction.upper, tokens / prediction.lower),
        len(fit.models),
        fit.median_error,
        one.runs[phase],
    )


def _prediction(one: CostModel, cell: Cell, phase: Phase, fit: Fit) -> Prediction | None:
    """None where the model has work that no measured model had."""
    work = work_of(cell, _matrices(cell.subject, one.place), phase)
    return None if fit.unknown(work) else fit.predict(work)


def _unknown(one: CostModel, cell: Cell) -> str | None:
    """Why a phase is not predicted."""
    kinds = {
        kind.partition(", ")[2] or kind
        for phase, fit in one.fits.items()
        for kind in fit.unknown(work_of(cell, _matrices(cell.subject, one.place), phase))
    }
    return f"none of the models measured there has weights in {', '.join(sorted(kinds))}" if kinds else None


def _matrices(subject: Subject, place: Place) -> Matrices:
    if place.engine is Engine.TORCH:
        return uniform(subject.architecture, place.variant)
    return matrices(blueprint(subject.architecture), variant(place.variant))


def _cell(subject: Subject, place: Place, prompt: int, generated: int, depth: int) -> Cell:
    return Cell(subject, RandomWeights(), place.variant, place.engine, prompt, generated, place.threads, depth)
