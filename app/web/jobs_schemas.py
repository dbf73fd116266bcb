"""Shapes of what REST takes and gives about jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.jobs.plans import LONGEST_NOTE, LONGEST_TITLE, MOST_CELLS
from app.jobs.queue import LONGEST_STEP
from app.jobs.schedules import Schedule
from app.jobs.values import Job, JobCell
from app.jobs.wire import LONGEST_NAME

State = Literal["queued", "running", "done", "cancelled"]
CELL_EXAMPLE: dict[str, Any] = {
    "subject": {
        "slug": "smollm-135m",
        "architecture": {
            "architecture_class": "LlamaForCausalLM",
            "num_layers": 30,
            "hidden_size": 576,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "head_dimension": 64,
            "intermediate_size": 1536,
            "vocabulary_size": 49152,
            "max_context_length": 2048,
            "ties_embeddings": True,
            "attention_type": "GQA",
            "uses_qkv_bias": False,
        },
    },
    "weights": {"seed": 42, "deviation": 0.02},
    "variant": "Q8_0",
    "engine": "llama.cpp",
    "prompt_tokens": 50,
    "generated_tokens": 50,
    "threads": 1,
}
_TOKEN = r"^[0-9a-f]{32}$"  # noqa: S105 - a form, no secret


class PlanIn(BaseModel):
    """What is to be measured."""

    model_config = ConfigDict(extra="forbid", title="Plan")

    title: str = Field(min_length=1, max_length=LONGEST_TITLE, description="What it is for, in a few words.")
    cells: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MOST_CELLS,
        description="One model in one variant under one setting each; facts of its architecture are part of it.",
        examples=[[CELL_EXAMPLE]],
    )
    expected: list[float | None] | None = Field(
        None, max_length=MOST_CELLS, description="Seconds that each cell is thought to take, where that is known."
    )
    note: str | None = Field(None, max_length=LONGEST_NOTE, description="More words, kept with the run.")


class ScheduleIn(PlanIn):
    """A plan with the times at which it becomes a job."""

    model_config = ConfigDict(extra="forbid", title="NewSchedule")

    cron: str = Field(
        max_length=100, description="Minute, hour, day, month and weekday, in UTC.", examples=["30 3 * * 1"]
    )


class MachineIn(BaseModel):
    """A machine that measures, and one worker on it."""

    model_config = ConfigDict(extra="forbid", title="Machine")

    identity: str = Field(pattern=r"^[0-9a-zA-Z._-]{1,64}$", description="The machine: one cell at a time runs there.")
    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="Its name, for people.")
    worker: str = Field(pattern=r"^[0-9a-zA-Z._-]{1,64}$", description="This process; another one after each start.")


class ClaimIn(BaseModel):
    """Who wants a cell."""

    model_config = ConfigDict(extra="forbid", title="CellClaim")

    machine: MachineIn


class ProgressIn(BaseModel):
    """How far a cell is."""

    model_config = ConfigDict(extra="forbid", title="CellProgress")

    step: str = Field(max_length=LONGEST_STEP)
    share: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    rates: dict[str, float] = Field(default_factory=dict, max_length=8)


class BeatIn(BaseModel):
    """A heartbeat."""

    model_config = ConfigDict(extra="forbid", title="Heartbeat")

    token: str = Field(pattern=_TOKEN, description="That of the lease.")
    progress: ProgressIn | None = None


class ReleaseIn(BaseModel):
    """A cell that is given back."""

    model_config = ConfigDict(extra="forbid", title="CellRelease")

    token: str = Field(pattern=_TOKEN, description="That of the lease.")


class ResultIn(BaseModel):
    """What came out of a cell."""

    model_config = ConfigDict(extra="forbid", title="CellResult")

    token: str = Field(pattern=_TOKEN, description="That of the lease.")
    result: dict[str, Any] = Field(description="A result as run files have it.")
    environment: dict[str, Any] = Field(description="Where it was measured: fingerprint, hardware, software.")


BODIES: tuple[type[BaseModel], ...] = (PlanIn, ScheduleIn, ClaimIn, BeatIn, ReleaseIn, ResultIn)
"""Shapes of request bodies, for the OpenAPI document."""


class PersonOut(BaseModel):
    """Who asked."""

    iri: str
    name: str


class AttemptOut(BaseModel):
    """One lease of a cell and how it ended."""

    number: int
    machine: str
    began: str
    ended: str | None
    outcome: str | None


class ProgressOut(BaseModel):
    """How far a cell is."""

    step: str
    share: float | None = Field(description="From 0 to 1 within the cell.")
    rates: dict[str, float]


class CellOut(BaseModel):
    """A cell of a job and how far it is."""

    number: int
    model: str = Field(description="Slug of the model.")
    variant: str
    engine: str
    prompt_tokens: int
    generated_tokens: int
    depth: int
    threads: int
    state: Literal["queued", "running", "ended"]
    status: str | None = Field(description="How it ended: ok, timeout, memory-limit, oom-killed, crashed, failed …")
    message: str | None
    progress: ProgressOut | None
    attempts: list[AttemptOut]
    most_attempts: int
    expected: float | None = Field(description="Seconds that it was thought to take.")
    seconds: float | None = Field(description="Seconds that it took.")


class JobOut(BaseModel):
    """A job, and how far it is."""

    id: str
    title: str
    note: str | None
    by: PersonOut
    made: str
    state: State
    schedule: str | None = Field(description="The schedule that made it.")
    started: str | None
    ended: str | None
    cancelled: str | None = Field(description="When somebody cancelled it.")
    cells: int
    queued: int
    running: int
    finished: int
    good: int = Field(description="Cells that ended well.")
    left: float | None = Field(description="Seconds that it may still take; null where nobody can tell.")
    delivered: str | None = Field(description="What became of its run.")
    trouble: str | None = Field(description="Why its run was not taken yet.")


class JobWithCells(JobOut):
    """A job with its cells."""

    items: list[CellOut]


class Jobs(BaseModel):
    """Jobs, the newest first."""

    total: int
    items: list[JobOut]


class ScheduleOut(BaseModel):
    """A plan that becomes a job at set times."""

    id: str
    cron: str
    title: str
    note: str | None
    cells: int
    by: PersonOut
    made: str
    due: str = Field(description="When it makes its next job.")
    last_job: str | None


class Schedules(BaseModel):
    """All schedules, oldest first."""

    items: list[ScheduleOut]


class LeaseOut(BaseModel):
    """The right to measure a cell."""

    token: str
    job: str
    number: int
    attempt: int
    seconds: float = Field(description="How long it lasts after each heartbeat.")
    cell: dict[str, Any]


class BeatOut(BaseModel):
    """What a worker is told with its heartbeat."""

    cancel: bool = Field(description="Whether to stop measuring this cell.")
    seconds: float


def job_out(job: Job) -> JobOut:
    """A job as REST tells of it."""
    return JobOut(**_job(job))


def with_cells(job: Job, cells: tuple[JobCell, ...]) -> JobWithCells:
    """A job with its cells."""
    return JobWithCells(**_job(job), items=[_cell(one) for one in cells])


def schedule_out(schedule: Schedule) -> ScheduleOut:
    """A schedule as REST tells of it."""
    return ScheduleOut(
        id=schedule.id,
        cron=schedule.cron,
        title=schedule.plan.title,
        note=schedule.plan.note,
        cells=len(schedule.plan.cells),
        by=PersonOut(iri=schedule.by.iri, name=schedule.by.name),
        made=schedule.made,
        due=schedule.due,
        last_job=schedule.last_job,
    )


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "title": job.title,
        "note": job.note,
        "by": {"iri": job.by.iri, "name": job.by.name},
        "made": job.made,
        "state": job.state.value,
        "schedule": job.schedule,
        "started": job.started,
        "ended": job.ended,
        "cancelled": job.cancelled,
        "cells": job.cells,
        "queued": job.queued,
        "running": job.running,
        "finished": job.finished,
        "good": job.good,
        "left": None if job.left is None else round(job.left, 1),
        "delivered": job.delivered,
        "trouble": job.trouble,
    }


def _cell(one: JobCell) -> CellOut:
    cell = one.cell
    progress = one.progress
    return CellOut(
        number=one.number,
        model=cell.subject.slug,
        variant=cell.variant,
        engine=cell.engine.value,
        prompt_tokens=cell.prompt_tokens,
        generated_tokens=cell.generated_tokens,
        depth=cell.depth,
        threads=cell.threads,
        state=one.state.value,
        status=None if one.status is None else one.status.value,
        message=one.message,
        progress=None
        if progress is None
        else ProgressOut(step=progress.step, share=progress.share, rates=dict(progress.rates)),
        attempts=[
            AttemptOut(
                number=attempt.number,
                machine=attempt.machine,
                began=attempt.began,
                ended=attempt.ended,
                outcome=attempt.outcome,
            )
            for attempt in one.attempts
        ],
        most_attempts=one.most_attempts,
        expected=one.expected,
        seconds=one.seconds,
    )
