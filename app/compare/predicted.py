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
from app.measure.cost import Fit, Work, uniform, work_of
from app.measure.fits import METRICS
from app.measure.gguf.architectures import blueprint
from app.measure.gguf.variants import matrices, variant
from app.measure.values import Cell, Engine, Matrices, Phase, RandomWeights, Subject
from app.model.architecture import ArchitectureError
from app.model.rdf import python_value


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
        phase, engine = METRICS.get(local_name(row["metric"].value)), local_name(row["engine"].value)
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
            works = _works(one, cell)
        except (AppError, ArchitectureError) as error:
            yield Outlook(one.place, (), measured, str(error))
            continue
        predicted = tuple(
            _predicted(one, cell, phase, works[phase]) for phase in works if not _unknown(one, works, phase)
        )
        yield Outlook(one.place, predicted, measured, _reason(one, works))


def seconds_of(cell: Cell, found: Iterable[CostModel], environment: str) -> float | None:
    """The seconds that one sample of a cell takes in an environment, prompt and generated tokens; None: not known."""
    wanted = (environment, cell.engine, cell.variant, cell.threads)
    for one in found:
        place = one.place
        if (place.environment, place.engine, place.variant, place.threads) != wanted:
            continue
        try:
            works = _works(one, cell)
        except (AppError, ArchitectureError):
            return None
        if len(works) < len(METRICS) or any(_unknown(one, works, phase) for phase in works):
            return None
        seconds = {phase: one.fits[phase].predict(work).seconds for phase, work in works.items()}
        return seconds[Phase.PREFILL] + seconds[Phase.DECODE] * cell.generated_tokens
    return None


def _works(one: CostModel, cell: Cell) -> dict[Phase, Work]:
    """What each phase that has a fit does; AppError or ArchitectureError where the facts do not give it."""
    found = _matrices(cell.subject, one.place)
    return {phase: work_of(cell, found, phase) for phase in one.fits}


def _predicted(one: CostModel, cell: Cell, phase: Phase, work: Work) -> Predicted:
    fit = one.fits[phase]
    prediction = fit.predict(work)
    tokens = cell.prompt_tokens if phase is Phase.PREFILL else 1
    return Predicted(
        phase,
        Range(prediction.seconds, prediction.lower, prediction.upper),
        Range(tokens / prediction.seconds, tokens / prediction.upper, tokens / prediction.lower),
        len(fit.models),
        fit.median_error,
        one.runs[phase],
    )


def _unknown(one: CostModel, works: Mapping[Phase, Work], phase: Phase) -> tuple[str, ...]:
    """Work of a phase that no measured model had."""
    return one.fits[phase].unknown(works[phase])


def _reason(one: CostModel, works: Mapping[Phase, Work]) -> str | None:
    """Why a phase is not predicted; None where all are."""
    kinds = {kind.partition(", ")[2] or kind for phase in works for kind in _unknown(one, works, phase)}
    return f"none of the models measured there has weights in {', '.join(sorted(kinds))}" if kinds else None


def _matrices(subject: Subject, place: Place) -> Matrices:
    if place.engine is Engine.TORCH:
        return uniform(subject.architecture, place.variant)
    return matrices(blueprint(subject.architecture), variant(place.variant))


def _cell(subject: Subject, place: Place, prompt: int, generated: int, depth: int) -> Cell:
    return Cell(subject, RandomWeights(), place.variant, place.engine, prompt, generated, place.threads, depth)
