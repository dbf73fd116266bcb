"""Commands about jobs (make, list, show, cancel, watch, schedule, schedules, unschedule), and the worker elsewhere."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app import logs
from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.errors import BadFile, BadParameter, BadValue
from app.jobs import clock
from app.jobs.plans import plan_of
from app.jobs.queue import Queue
from app.jobs.remote import RemoteQueue
from app.jobs.schedules import Schedules
from app.jobs.supervisor import Supervisor, usual_limits
from app.jobs.values import JobState, Lease, Person, Plan
from app.jobs.worker import Pace, Worker
from app.measure.values import CellResult, Status
from app.model.agents import Agent
from app.outcomes import EXIT_FAILURE
from app.settings import Settings
from app.web.jobs_pages import in_words
from app.web.jobs_schemas import job_out, schedule_out, with_cells

app = typer.Typer(
    help="Have models measured, and see how far that is. A running service, or a worker elsewhere, measures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the job, as `slmkg jobs list` shows it.")]
PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="JSON file with `cells`, and perhaps `title`, `expected` and `note`.")
]
Title = Annotated[str | None, typer.Option("--title", help="What it is for; that of the plan when left out.")]
_REMOTE = Pace(poll=5.0, beat=10.0, patience=120.0)
_LOOK = 0.5


@app.command("make")
def make(
    plan: PlanFile,
    title: Title = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key: the same key and plan give the same job.")
    ] = None,
    author: As = None,
    as_json: Json = False,
) -> None:
    """Make a job of a plan and print its id."""
    settings = Settings()
    job, fresh = _queue(settings).submit(read_plan(plan, title), _person(acting(author, settings)), key=key)
    if as_json:
        write_json(job_out(job).model_dump() | {"new": fresh})
        return
    write(job.id)
    if not fresh:
        console.print("it was there already")


@app.command("list")
def list_jobs(
    state: Annotated[JobState | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Jobs at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first, and how far they are."""
    found = _queue(Settings()).list(state=state, most=limit)
    if as_json:
        write_json([job_out(job).model_dump() for job in found])
        return
    for job in found:
        left = f"about {in_words(job.left)} left" if job.left is not None and not job.over else ""
        counted = f"{job.finished} of {job.cells} cells, {job.good} good"
        write("\t".join((job.id, job.state.value, counted, job.title, left)).rstrip("\t"))
    if not found:
        console.print("no job yet: `slmkg jobs make PLAN` makes one")


@app.command("show")
def show(identity: Id, as_json: Json = False) -> None:
    """Show a job with its cells, their attempts, and what went wrong."""
    jobs = _queue(Settings())
    told = with_cells(jobs.get(identity), jobs.cells(identity))
    if as_json:
        write_json(told.model_dump())
        return
    write(f"{told.title}\t{told.state}\t{told.finished} of {told.cells} cells, {told.good} good")
    for cell in told.items:
        how = cell.status or cell.state
        setting = f"prompt {cell.prompt_tokens}, {cell.generated_tokens} generated, {cell.threads} thread(s)"
        took = "" if cell.seconds is None else in_words(cell.seconds)
        parts = (str(cell.number), cell.model, cell.variant, setting, how, took, cell.message or "")
        write("\t".join(parts).rstrip("\t"))
    if told.trouble is not None:
        console.print(f"its run was not taken yet: {told.trouble}", markup=False, soft_wrap=True)


@app.command("cancel")
def cancel(identity: Id, as_json: Json = False) -> None:
    """Cancel a job: what waits ends at once, what runs with its worker's next heartbeat."""
    job = _queue(Settings()).cancel(identity)
    if as_json:
        write_json(job_out(job).model_dump())
    else:
        write(f"{job.id} is {job.state.value}" if job.over else f"{job.id} ends with its worker's next heartbeat")


@app.command("watch")
def watch(identity: Id, as_json: Json = False) -> None:
    """Show a job's progress until it is over; exit with 1 unless all of its cells are good."""
    jobs = _queue(Settings())
    job = jobs.get(identity)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=as_json) as progress:
        task = progress.add_task(job.title, total=job.cells, left="")
        while True:
            left = "" if job.left is None or job.over else f"about {in_words(job.left)} left"
            progress.update(task, completed=job.finished, left=left, description=doing(jobs, identity) or job.title)
            if job.over:
                break
            time.sleep(_LOOK)
            job = jobs.get(identity)
    if as_json:
        write_json(job_out(job).model_dump())
    else:
        write(f"{job.id} is {job.state.value}: {job.good} of {job.cells} cells are good")
    if job.good < job.cells:
        raise typer.Exit(EXIT_FAILURE)


@app.command("schedule")
def schedule(
    plan: PlanFile,
    cron: Annotated[str, typer.Option("--cron", help="Minute, hour, day, month, weekday, in UTC: '30 3 * * 1'.")],
    title: Title = None,
    author: As = None,
    as_json: Json = False,
) -> None:
    """Have a plan become a job at set times, while a service runs."""
    settings = Settings()
    made = Schedules(_queue(settings)).add(cron, read_plan(plan, title), _person(acting(author, settings)))
    if as_json:
        write_json(schedule_out(made).model_dump())
    else:
        write(f"{made.id}\tnext at {made.due}")


@app.command("schedules")
def schedules(as_json: Json = False) -> None:
    """List the schedules, oldest first."""
    found = Schedules(_queue(Settings())).list()
    if as_json:
        write_json([schedule_out(one).model_dump() for one in found])
        return
    for one in found:
        write(f"{one.id}\t{one.cron}\t{one.plan.title}\tnext at {one.due}")
    if not found:
        console.print("no schedule yet: `slmkg jobs schedule PLAN --cron …` makes one")


@app.command("unschedule")
def unschedule(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Id of the schedule.")], as_json: Json = False
) -> None:
    """Forget a schedule; its jobs stay."""
    gone = Schedules(_queue(Settings())).remove(identity)
    if as_json:
        write_json({"removed": gone.id})
    else:
        write(f"removed {gone.id}")


def worker(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the service that has the jobs.")],
    key: Annotated[
        str | None,
        typer.Option("--key", envvar="SLMKG_WORKER_KEY", help="Key with the scope `measure`; better as a variable."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where model files are kept; `measuring` in SLMKG_DATA_DIR if none.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing waits any more.")] = False,
) -> None:
    """Measure the cells of a service's jobs on this machine, one after another, until somebody stops it."""
    if not key:
        raise BadParameter("--key", "is missing", advice="Set SLMKG_WORKER_KEY to a key with the scope `measure`.")
    settings = Settings()
    logs.configure(settings.log_level)
    limits = usual_limits(settings.jobs_cell_seconds, settings.jobs_cell_megabytes)
    source = RemoteQueue(url, key)
    supervisor = Supervisor(folder or settings.data_dir / "measuring", limits)
    ours = Worker(source, supervisor, clock.machine(), pace=_REMOTE, told=_told)
    console.print(f"measuring for {source.address} (stop with Ctrl+C)", markup=False, soft_wrap=True)
    try:
        _until_stopped(ours, once=once)
    finally:
        source.close()


def read_plan(path: Path, title: str | None = None) -> Plan:
    """The plan in a file; BadFile with the member that does not fit."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path, "cannot be read", advice="Name a file of JSON.") from error
    except (ValueError, RecursionError) as error:
        raise BadFile(path, f"is not JSON: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("cells"), list):
        raise BadFile(path, "is no JSON object with a list of `cells`")
    unknown = sorted(set(record) - {"title", "cells", "expected", "note"})
    if unknown:
        raise BadFile(path, f"has a member {unknown[0]!r}, which plans do not have")
    chosen, note, expected = title or record.get("title") or path.stem, record.get("note"), record.get("expected")
    if not isinstance(chosen, str) or not isinstance(note, str | None) or not isinstance(expected, list | None):
        raise BadFile(path, "has a title, note or list `expected` of the wrong kind")
    if any(not isinstance(one, int | float | None) or isinstance(one, bool) for one in expected or ()):
        raise BadFile(path, "has something else than numbers in `expected`")
    try:
        return plan_of(chosen, record["cells"], expected=expected, note=note)
    except BadValue as error:
        raise BadFile(path, error.message, advice=error.advice) from error


def _until_stopped(ours: Worker, *, once: bool) -> None:
    """Run a worker in a thread: what a signal interrupts here holds no lock that stopping needs."""
    asked: list[int] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            ours.run(once=once)
        except BaseException as error:
            failed.append(error)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK)
        if asked:
            ours.stop()
    if failed:
        raise failed[0]


def _told(lease: Lease, result: CellResult | None) -> None:
    """Say what the worker does."""
    name = f"{lease.cell.subject.slug} {lease.cell.variant}, prompt {lease.cell.prompt_tokens}"
    if result is None:
        console.print(f"job {lease.job}, cell {lease.number}: {name}", markup=False, soft_wrap=True)
    else:
        why = "" if result.status is Status.OK else f": {result.message}"
        took = in_words(result.seconds)
        console.print(f"  {result.status.value} after {took}{why}", markup=False, soft_wrap=True)


def doing(jobs: Queue, identity: str) -> str | None:
    """What is being measured right now, in words."""
    cell = next((one for one in jobs.running(identity) if one.progress is not None), None)
    if cell is None or cell.progress is None:
        return None
    rates = "".join(f", {name} {rate:,.4g}" for name, rate in cell.progress.rates)
    return f"{cell.cell.subject.slug} {cell.cell.variant}: {cell.progress.step}{rates}"


def _queue(settings: Settings) -> Queue:
    return opened(settings).jobs


def _person(agent: Agent) -> Person:
    return Person(agent.iri.value, agent.name)
