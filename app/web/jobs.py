"""REST for jobs: making, watching and cancelling them, their schedules, and what workers elsewhere ask. Only HTTP.

Reading is open to all; what changes something needs a key with the scope `measure`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, FastAPI, Header, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from app.access import Key, Scope
from app.errors import BadParameter, BadValue, TooBusy, TooManyRequests
from app.jobs.plans import plan_of
from app.jobs.queue import LONGEST_KEY
from app.jobs.schedules import Schedules
from app.jobs.service import Keeper
from app.jobs.supervisor import Supervisor, usual_limits
from app.jobs.values import Event, Job, JobState, Machine, Person, Progress
from app.jobs.wire import environment_of, lease_record
from app.measure.records import from_json, run_text
from app.measure.values import CellResult
from app.services import Services
from app.web import jobs_schemas as shapes
from app.web import problems
from app.web.caching import Use
from app.web.clients import Asking, Client
from app.web.parameters import strict
from app.web.writing import json_of

JOBS = "/api/v1/jobs"
JOB = "/api/v1/jobs/{id}"
SCHEDULES = "/api/v1/schedules"
SCHEDULE = "/api/v1/schedules/{id}"
WORKER = "/api/v1/worker"
RUN_TYPE = "application/x-ndjson"
EVENTS_TYPE = "text/event-stream"
LONGEST_PLAN = 8_000_000
LONGEST_RESULT = 64_000_000
"""Bytes of a plan and of a result."""
MOST_STREAMS = 200
MOST_STREAMS_EACH = 8
"""Streams of events that are open at once, of all clients and of one."""
_LOOK = 0.5
_STILL_HERE = 10.0
_LONGEST_STREAM = 60.0
_RETRY = 2_000
"""Seconds between looks for events, between two comments, of one stream; milliseconds until a client comes back."""
_IDENTITY = r"^[0-9a-f]{12}$"

Id = Annotated[str, Path(pattern=_IDENTITY, description="Id of the job.")]
ScheduleId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", description="Id of the schedule.")]
Once = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=LONGEST_KEY, description="The same key and body give the same job."),
]


class Streams:
    """The open streams of one process, counted."""

    def __init__(self, most: int = MOST_STREAMS, each: int = MOST_STREAMS_EACH) -> None:
        self._most = most
        self._each = each
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, client: Client) -> Iterator[None]:
        """One more while the block runs; TooManyRequests, TooBusy."""
        if self._open[client.name] >= self._each:
            raise TooManyRequests(f"{self._each} streams of events are open already", retry_after=10)
        if self._open.total() >= self._most:
            raise TooBusy(f"{self._most} streams of events are open", retry_after=10)
        self._open[client.name] += 1
        try:
            yield
        finally:
            self._open[client.name] -= 1
            self._open += Counter()  # forgets those with none


class _Counted(StreamingResponse):
    """A stream that counts among the open ones while it is sent, however it ends."""

    def __init__(self, streams: Streams, client: Client, content: AsyncIterator[str], **options: Any) -> None:
        super().__init__(content, **options)
        self._streams = streams
        self._client = client

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        with self._streams.one(self._client):
            await super().__call__(scope, receive, send)


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    app.state.streams = Streams()
    add = _Adding(app)
    add("GET", JOBS, list_jobs, shapes.Jobs, "listJobs", "List jobs")
    add("POST", JOBS, make_job, shapes.JobOut, "makeJob", "Have something measured", shapes.PlanIn, status=201)
    add("GET", JOB, show_job, shapes.JobWithCells, "showJob", "Show a job with its cells")
    add("POST", f"{JOB}/cancel", cancel_job, shapes.JobOut, "cancelJob", "Cancel a job")
    add("GET", f"{JOB}/run.jsonl", show_run, None, "showRun", "Get what a job has measured", media=RUN_TYPE)
    add("GET", f"{JOB}/events", tell_events, None, "watchJob", "Watch a job", media=EVENTS_TYPE)
    add("GET", SCHEDULES, list_schedules, shapes.Schedules, "listSchedules", "List schedules")
    add("POST", SCHEDULES, make_schedule, shapes.ScheduleOut, "makeSchedule", "Make a schedule", shapes.ScheduleIn, 201)
    add("GET", SCHEDULE, show_schedule, shapes.ScheduleOut, "showSchedule", "Show a schedule")
    add("DELETE", SCHEDULE, remove_schedule, None, "removeSchedule", "Remove a schedule", status=204)
    add("POST", f"{WORKER}/claim", claim, shapes.LeaseOut, "claimCell", "Take a cell to measure", shapes.ClaimIn)
    add("POST", f"{WORKER}/heartbeat", beat, shapes.BeatOut, "keepCell", "Keep a cell", shapes.BeatIn)
    add("POST", f"{WORKER}/result", hand_in, None, "handCellIn", "Hand a result in", shapes.ResultIn, status=204)
    add("POST", f"{WORKER}/release", release, None, "giveCellBack", "Give a cell back", shapes.ReleaseIn, status=204)


@asynccontextmanager
async def keeping(services: Services) -> AsyncIterator[None]:
    """Keep the jobs of a service going until the block ends; without jobs nothing is done and nothing written."""
    settings = services.settings
    supervisor = None
    if settings.jobs_worker:
        limits = usual_limits(settings.jobs_cell_seconds, settings.jobs_cell_megabytes)
        supervisor = Supervisor(settings.data_dir / "measuring", limits)
    keeper = Keeper(services.jobs, settings.data_dir / "jobs.lock", supervisor, services.take_run)
    keeper.start()
    try:
        yield
    finally:
        await to_thread.run_sync(keeper.stop)


def person_of(key: Key) -> Person:
    """The owner of a key, as jobs name people."""
    return Person(key.agent.iri.value, key.agent.name)


def list_jobs(
    services: Use,
    *,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
    page: Annotated[int, Query(ge=1, le=10**6, description="Page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=200, description="Jobs on a page.")] = 50,
) -> Response:
    """Jobs, the newest first, and how far they are."""
    found = services.jobs.list(state=state, first=(page - 1) * limit, most=limit)
    return _answer(shapes.Jobs(total=services.jobs.count(state), items=[shapes.job_out(job) for job in found]))


async def make_job(request: Request, services: Use, client: Asking, key: Once = None) -> Response:
    """Makes a job of a plan. Needs the scope `measure`. With an `Idempotency-Key` it can be sent again safely."""
    by = person_of(client.needs(Scope.MEASURE))
    body = await json_of(request, shapes.PlanIn, limit=LONGEST_PLAN)

    def make() -> tuple[Job, bool]:
        plan = plan_of(body.title, body.cells, expected=body.expected, note=body.note)
        return services.jobs.submit(plan, by, key=key)

    job, fresh = await to_thread.run_sync(make)
    return _answer(shapes.job_out(job), 201 if fresh else 200, Location=f"{JOBS}/{job.id}")


def show_job(services: Use, id: Id) -> Response:
    """One job with its cells, their attempts and what is wrong with them."""
    return _answer(shapes.with_cells(services.jobs.get(id), services.jobs.cells(id)))


async def cancel_job(services: Use, client: Asking, id: Id) -> Response:
    """Cancels a job: what waits ends at once, what runs with its worker's next heartbeat. Needs the scope `measure`."""
    client.needs(Scope.MEASURE)
    return _answer(shapes.job_out(await to_thread.run_sync(services.jobs.cancel, id)))


def show_run(services: Use, id: Id) -> Response:
    """What a job has measured, with all samples, as a run file that can be loaded again; 409 while it is not over."""
    name = f'attachment; filename="run-{id}.jsonl"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-cache"}
    return Response(run_text(services.jobs.run(id)), media_type=RUN_TYPE, headers=headers)


async def tell_events(
    request: Request,
    services: Use,
    client: Asking,
    id: Id,
    last: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=20, description="Number of the last event you have.")
    ] = None,
) -> Response:
    """Events of a job as they happen (server-sent events), from the first one, or after one that you have.

    A stream ends when the job is over, and otherwise after a minute: come back with `Last-Event-ID`, as browsers do.
    204 when the job is over and there is nothing more to tell.
    """
    if last is not None and not (last.isascii() and last.isdecimal()):
        raise BadParameter("Last-Event-ID", "is no number of an event", advice="Send back the id of the last event.")
    after = int(last or 0)
    events, over = await to_thread.run_sync(_look, services, id, after)
    if over and not events and last is not None:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.scope.get("slmkg.head"):
        return Response(media_type=EVENTS_TYPE, headers=headers)

    async def told() -> AsyncIterator[str]:
        nonlocal events, over, after
        yield f"retry: {_RETRY}\n\n"
        end = time.monotonic() + _LONGEST_STREAM
        heard = time.monotonic()
        stopping = getattr(request.state, "stopping", None)
        while True:
            for event in events:
                yield _event(event)
                after, heard = event.number, time.monotonic()
            if (over and not events) or time.monotonic() > end or (stopping is not None and stopping.is_set()):
                return
            if time.monotonic() - heard > _STILL_HERE:
                yield ": still here\n\n"
                heard = time.monotonic()
            if not over:
                await asyncio.sleep(_LOOK)
            events, over = await to_thread.run_sync(_look, services, id, after)

    streams: Streams = request.app.state.streams
    return _Counted(streams, client, told(), media_type=EVENTS_TYPE, headers=headers)


def _look(services: Services, identity: str, after: int) -> tuple[tuple[Event, ...], bool]:
    """The events after one, and whether the job is over. Looked at in this order, so that none is missed."""
    over = services.jobs.get(identity).over
    return services.jobs.events(identity, after), over


def _event(event: Event) -> str:
    data = json.dumps({"at": event.at, **event.data}, ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"


def list_schedules(services: Use) -> Response:
    """Schedules, oldest first, and when each is due."""
    found = Schedules(services.jobs).list()
    return _answer(shapes.Schedules(items=[shapes.schedule_out(one) for one in found]))


async def make_schedule(request: Request, services: Use, client: Asking) -> Response:
    """Makes a schedule: its plan becomes a job at each time that the cron expression names, in UTC."""
    by = person_of(client.needs(Scope.MEASURE))
    body = await json_of(request, shapes.ScheduleIn, limit=LONGEST_PLAN)

    def make() -> shapes.ScheduleOut:
        plan = plan_of(body.title, body.cells, expected=body.expected, note=body.note)
        return shapes.schedule_out(Schedules(services.jobs).add(body.cron, plan, by))

    made = await to_thread.run_sync(make)
    return _answer(made, 201, Location=f"{SCHEDULES}/{made.id}")


def show_schedule(services: Use, id: ScheduleId) -> Response:
    """One schedule."""
    return _answer(shapes.schedule_out(Schedules(services.jobs).get(id)))


async def remove_schedule(services: Use, client: Asking, id: ScheduleId) -> Response:
    """Forgets a schedule; its jobs stay. Needs the scope `measure`."""
    client.needs(Scope.MEASURE)
    await to_thread.run_sync(Schedules(services.jobs).remove, id)
    return Response(status_code=204)


async def claim(request: Request, services: Use, client: Asking) -> Response:
    """Takes the next cell; 204 when nothing waits, or a cell is measured on this machine already. For workers.

    The same worker gets the cell that it holds again, so the request can be repeated when its answer was lost.
    """
    client.needs(Scope.MEASURE)
    machine = (await json_of(request, shapes.ClaimIn)).machine
    given = Machine(machine.identity, machine.name, f"{_key_of(client)}-{machine.worker}")
    lease = await to_thread.run_sync(services.jobs.claim, given)
    if lease is None:
        return Response(status_code=204)
    return _answer(shapes.LeaseOut(**lease_record(lease)))


async def beat(request: Request, services: Use, client: Asking) -> Response:
    """Keeps a cell, and says how far it is; 409 when the lease is lost: then stop measuring."""
    client.needs(Scope.MEASURE)
    body = await json_of(request, shapes.BeatIn)
    told = body.progress
    progress = None if told is None else Progress(told.step, told.share, tuple(told.rates.items()))
    answer = await to_thread.run_sync(services.jobs.beat, body.token, progress)
    return _answer(shapes.BeatOut(cancel=answer.cancel, seconds=answer.seconds))


async def hand_in(request: Request, services: Use, client: Asking) -> Response:
    """Writes the result of a cell, once; sending the same again changes nothing. 409 when the lease is lost."""
    client.needs(Scope.MEASURE)
    body = await json_of(request, shapes.ResultIn, limit=LONGEST_RESULT)

    def write() -> None:
        environment = environment_of(body.environment)
        try:
            result = from_json(CellResult, body.result)
        except BadValue as error:
            raise BadValue(f"/result{error.pointer}", error.problem, advice=error.advice) from error
        services.jobs.hand_in(body.token, result, environment)

    await to_thread.run_sync(write)
    return Response(status_code=204)


async def release(request: Request, services: Use, client: Asking) -> Response:
    """Gives a cell back that was not measured to its end; no attempt is counted for it."""
    client.needs(Scope.MEASURE)
    body = await json_of(request, shapes.ReleaseIn)
    await to_thread.run_sync(services.jobs.give_back, body.token)
    return Response(status_code=204)


def _key_of(client: Client) -> str:
    """A worker elsewhere bears its key's id before its name, so that nobody takes the cell of another one's."""
    return client.key.id if client.key is not None else ""


def _answer(answer: BaseModel, status: int = 200, **headers: str) -> Response:
    return Response(
        answer.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )


class _Adding:
    """Adds routes with what the OpenAPI document says of them."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def __call__(
        self,
        method: str,
        path: str,
        endpoint: Any,
        shape: type[BaseModel] | None,
        name: str,
        summary: str,
        body: type[BaseModel] | None = None,
        status: int = 200,
        media: str | None = None,
    ) -> None:
        codes = ["bad-parameter"]
        codes += ["not-found"] if "{id}" in path else []
        codes += ["unauthorized", "forbidden", "store-busy", "store-full"] if method != "GET" else []
        codes += ["bad-value", "query-refused", "unsupported-media"] if body is not None else []
        codes += ["conflict"] if path in {JOBS, f"{JOB}/run.jsonl"} or path.startswith(WORKER) else []
        codes += ["too-busy"] if method == "POST" and path in {JOBS, SCHEDULES} else []
        codes += ["too-many-requests", "too-busy"] if media == EVENTS_TYPE else []
        content = {media: {"schema": {"type": "string"}}} if media is not None else None
        done: dict[str, Any] = {"description": "Done."} | ({"content": content} if content else {})
        responses: dict[int | str, dict[str, Any]] = {status: done, **problems.documented(*codes)}
        if path == JOBS and method == "POST":
            responses[200] = {"description": "The job that is there already.", "model": shape}
        if path == f"{WORKER}/claim":
            responses[204] = {"description": "There is no cell for this machine now."}
        if media == EVENTS_TYPE:
            responses[204] = {"description": "The job is over, and you have all its events."}
        extra: dict[str, Any] = {}
        if body is not None:
            reference = {"$ref": f"#/components/schemas/{body.__name__}"}
            extra = {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}
        self._app.add_api_route(
            path,
            endpoint,
            methods=[method],
            dependencies=[Depends(strict)],
            operation_id=name,
            summary=summary,
            tags=["Jobs"],
            status_code=status,
            response_model=shape,
            response_class=JSONResponse if shape is not None else Response,
            responses=responses,
            openapi_extra=extra or None,
        )
