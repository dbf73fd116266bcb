"""The pages of jobs: what is measured and was, and what was read into the graph. With a key: new jobs and cancelling.

Reading needs no key and no scripts; with scripts a page keeps itself up to date. Whoever is signed in is known below
`/curate` only, so forms are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from anyio import to_thread
from fastapi import FastAPI, Path, Query, Request
from starlette.responses import Response

from app import vocab
from app.access import Key, Scope
from app.compare.reader import Reader
from app.errors import BadValue, StoreEmpty
from app.jobs.plans import LONGEST_TITLE, MOST_CELLS, plan_of
from app.jobs.schedules import Schedules
from app.jobs.values import CellState, Job, JobCell
from app.measure.statistics import figures
from app.measure.values import CellResult, RandomWeights, Status
from app.services import Services
from app.store.port import Row
from app.web import curation_forms, jobs, pages
from app.web import jobs_schemas as shapes
from app.web.caching import Use
from app.web.curation_forms import Doing, Form, Trouble
from app.web.sessions import Session
from app.web.writing import shaped

LIST = "/jobs"
ONE = "/jobs/{id}"
NEW = "/curate/jobs"
CHANGE = "/curate/jobs/{id}"
_HEADLINES = {
    "time-to-first-token": "first token, ms",
    "prefill-throughput": "prefill, tokens/s",
    "decode-throughput": "decode, tokens/s",
}
_JOBS_ON_A_PAGE = 20
_CELLS_ON_A_PAGE = 100
_MOST_PAGES = 10**6
_REVISION = re.compile(r"\brevision (\d{1,12})\b", re.ASCII)
"""Where somebody who took a run says in which revision it is."""
_OURS = f"{vocab.BASE}resource/"

Number = Annotated[int, Query(ge=1, le=_MOST_PAGES)]
ADVICE: Mapping[Status, str] = {
    Status.TIMEOUT: "Give it more time (`SLMKG_JOBS_CELL_SECONDS`), or ask for fewer tokens or samples.",
    Status.MEMORY_LIMIT: "Take a smaller variant or a shorter prompt, or allow more (`SLMKG_JOBS_CELL_MEGABYTES`).",
    Status.OOM_KILLED: "The machine has too little memory for it: take a smaller variant, or a larger machine.",
    Status.CRASHED: "The engine, or the worker, went down. Try it again; report it when it happens twice.",
    Status.FAILED: "The message says why. Mend that and make a new job of the cells that failed.",
    Status.CANCELLED: "Somebody cancelled the job. Make a new one of these cells if they are needed after all.",
}
"""What to do about a cell without figures."""


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    pages.add(
        app,
        ("GET", LIST, listed),
        ("GET", ONE, one),
        ("GET", NEW, ask_for_plan),
        ("POST", NEW, make),
        ("GET", CHANGE, ask_to_cancel),
        ("POST", CHANGE, cancel),
    )


def listed(services: Use, page: Number = 1, runs: Number = 1) -> Response:
    """Jobs, the newest first; below them the runs that read sources into the graph."""
    total = services.jobs.count()
    found = services.jobs.list(first=(page - 1) * _JOBS_ON_A_PAGE, most=_JOBS_ON_A_PAGE)
    ingested = _ingestions(services)
    shown = ingested[(runs - 1) * _CELLS_ON_A_PAGE : runs * _CELLS_ON_A_PAGE]
    return pages.page(
        "jobs.html",
        jobs=[_shown(job) for job in found],
        total=total,
        page=page,
        pages=_pages(total, _JOBS_ON_A_PAGE),
        schedules=Schedules(services.jobs).list(),
        ingested=len(ingested),
        ingestions=[_ingestion(row) for row in shown],
        run_page=runs,
        run_pages=_pages(len(ingested), _CELLS_ON_A_PAGE),
        live=any(not job.over for job in found),
    )


def one(services: Use, id: Annotated[str, Path(max_length=40)], page: Number = 1) -> Response:
    """One job: how far it is, each cell with its attempts, and what to do about those without figures."""
    job = services.jobs.get(id)
    cells = services.jobs.cells(id, first=(page - 1) * _CELLS_ON_A_PAGE, most=_CELLS_ON_A_PAGE)
    results = services.jobs.results(id, [cell.number for cell in cells])
    return pages.page(
        "job.html",
        job=_shown(job),
        cells=[_cell(cell) | {"figures": _figures(results.get(cell.number))} for cell in cells],
        page=page,
        pages=_pages(job.cells, _CELLS_ON_A_PAGE),
        last=services.jobs.newest_event(job.id),
    )


def ask_for_plan(request: Request, services: Use) -> Response:
    """The form for a new job."""
    return curation_forms.visited(request, services, _new)


async def make(request: Request, services: Use) -> Response:
    """Makes a job of what somebody typed."""

    async def made(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.MEASURE)

        def work() -> Job:
            body = shaped(shapes.PlanIn, {"title": typed.text("title"), "cells": _typed_cells(typed)})
            plan = plan_of(body.title, body.cells)
            return services.jobs.submit(plan, jobs.person_of(key), key=typed.given("once"))[0]

        return f"{LIST}/{(await to_thread.run_sync(work)).id}"

    def show(session: Session | None, typed: Form, trouble: Trouble) -> Response:
        return _new(session, typed, trouble)

    forms = {"new": Doing(made, lambda _: {"/title": "title", "/cells": "cells"})}
    return await curation_forms.submitted(request, services, show, forms)


def ask_to_cancel(request: Request, services: Use, id: Annotated[str, Path(max_length=40)]) -> Response:
    """The form to cancel a job."""
    return curation_forms.visited(request, services, lambda session: _change(services, session, id))


async def cancel(request: Request, services: Use, id: Annotated[str, Path(max_length=40)]) -> Response:
    """Cancels a job."""

    async def cancelled(_: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.MEASURE)
        return f"{LIST}/{(await to_thread.run_sync(services.jobs.cancel, id)).id}"

    def show(session: Session | None, _: Form, trouble: Trouble) -> Response:
        return _change(services, session, id, trouble)

    return await curation_forms.submitted(request, services, show, {"cancel": Doing(cancelled)})


def _new(session: Session | None, typed: Form | None = None, trouble: Trouble | None = None) -> Response:
    example = json.dumps([shapes.CELL_EXAMPLE], indent=1)
    form = typed or Form({"cells": example})
    return curation_forms.page(
        "curate-jobs.html", session, trouble, form=form, longest=LONGEST_TITLE, most=MOST_CELLS, here=NEW
    )


def _change(services: Services, session: Session | None, identity: str, trouble: Trouble | None = None) -> Response:
    job = services.jobs.get(identity)
    return curation_forms.page("curate-job.html", session, trouble, job=_shown(job), here=f"{NEW}/{job.id}")


def _typed_cells(typed: Form) -> Any:
    """The cells in the form, as JSON; BadValue with their place."""
    try:
        return json.loads(typed["cells"])
    except (ValueError, RecursionError) as error:
        raise BadValue("/cells", f"is not JSON: {error}", advice="Write a list of cells in JSON.") from error


def _shown(job: Job) -> dict[str, Any]:
    """A job for the page: words only."""
    return {
        "id": job.id,
        "title": job.title,
        "note": job.note,
        "state": job.state.value,
        "stopping": job.cancelled is not None and not job.over,
        "over": job.over,
        "by": job.by.name,
        "made": datetime.fromisoformat(job.made),
        "started": None if job.started is None else datetime.fromisoformat(job.started),
        "ended": None if job.ended is None else datetime.fromisoformat(job.ended),
        "cells": job.cells,
        "finished": job.finished,
        "good": job.good,
        "bad": job.finished - job.good,
        "running": job.running,
        "left": None if job.over or job.left is None else in_words(job.left),
        "schedule": job.schedule,
        "delivered": job.delivered,
        "revision": None if job.delivered is None or not (found := _REVISION.search(job.delivered)) else found[1],
        "trouble": job.trouble,
    }


def in_words(seconds: float) -> str:
    """A length of time, to two places: 1 h 5 min, 40 s."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    minutes, hours = round(whole / 60), whole // 3600
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(timedelta(seconds=whole) / timedelta(days=1))} days"


def _cell(one: JobCell) -> dict[str, Any]:
    cell = one.cell
    setting = [f"prompt {cell.prompt_tokens:,}", f"{cell.generated_tokens:,} generated"]
    setting += [f"depth {cell.depth:,}"] if cell.depth else []
    setting += [f"{cell.threads} thread{'' if cell.threads == 1 else 's'}"]
    weights = f"random (seed {cell.weights.seed})" if isinstance(cell.weights, RandomWeights) else "real"
    progress = one.progress
    return {
        "number": one.number,
        "model": cell.subject.slug,
        "variant": cell.variant,
        "engine": cell.engine.value,
        "weights": weights,
        "setting": ", ".join(setting),
        "state": one.state.value if one.status is None else one.status.value,
        "good": one.status is Status.OK,
        "ended": one.state is CellState.ENDED,
        "step": None if progress is None else progress.step,
        "share": None if progress is None or progress.share is None else round(100 * progress.share),
        "rates": () if progress is None else [f"{name} {rate:,.4g}" for name, rate in progress.rates],
        "seconds": None
        if one.seconds is None
        else in_words(one.seconds)
        if one.seconds >= 10
        else f"{one.seconds:.1f} s",
        "expected": None if one.expected is None else in_words(one.expected),
        "attempts": one.attempts,
        "most_attempts": one.most_attempts,
        "message": one.message,
        "advice": None if one.status in {None, Status.OK} else ADVICE[one.status],
    }


def _figures(result: CellResult | None) -> list[tuple[str, str, bool]]:
    """The headlines of a cell: name, number with its interval, and whether the machine was too busy."""
    found = {} if result is None else {one.metric: one for one in figures(result, _HEADLINES)}
    return [
        (label, found[metric].shown(), found[metric].contended)
        for metric, label in _HEADLINES.items()
        if metric in found
    ]


def _ingestions(services: Services) -> list[Row]:
    """Runs that read sources, the newest first; none before the first load."""
    try:
        head = services.store.head().number
    except StoreEmpty:
        return []
    return Reader(services.curation.at(head)).rows("ingestion-runs")


def _ingestion(row: Row) -> dict[str, Any]:
    source = row["source"].value
    return {
        "run": row["run"].value,
        "source": row["title"].value if "title" in row else source,
        "address": f"{source.removeprefix(vocab.BASE.rstrip('/'))}.html" if source.startswith(_OURS) else None,
        "day": row["retrieved"].value if "retrieved" in row else "",
        "agent": row["name"].value if "name" in row else row["agent"].value,
        "claims": int(row["claims"].value) if "claims" in row else 0,
        "results": int(row["results"].value) if "results" in row else 0,
    }


def _pages(total: int, each: int) -> int:
    return max(1, -(-total // each))
