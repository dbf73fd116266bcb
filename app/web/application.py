"""Builds the web application on the use cases. Nothing is read from the environment here."""

from __future__ import annotations

import threading
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from app import vocab
from app.backup import in_use
from app.services import Services
from app.web import (
    audit,
    bulk,
    catalogue,
    compare_pages,
    comparison,
    curation,
    curation_pages,
    descriptions,
    editor,
    entities,
    graphs,
    history,
    insights,
    jobs,
    jobs_pages,
    model_pages,
    orkg,
    pages,
    problems,
    question_pages,
    releases,
    revision_pages,
    service,
    sparql,
    update,
    webhooks,
)
from app.web.abandonment import GiveUp
from app.web.answers import AnswerCache
from app.web.caching import NotModified, not_modified
from app.web.drawing import Drawing
from app.web.findings import Findings
from app.web.logs import Named, Watching
from app.web.metrics import Metrics
from app.web.middleware import CommonHeaders, HeadAsGet, LastNet
from app.web.openapi import DESCRIPTION, completed
from app.web.read_only import ReadOnly
from app.web.reading import error_page
from app.web.revisions import TimeTravel
from app.web.routes import PlainMount
from app.web.telemetry import telemetry
from app.web.upkeep import Upkeep


@asynccontextmanager
async def _beside(services: Services) -> AsyncIterator[None]:
    """What a service does beside answering; one that only reads does nothing."""
    if services.settings.read_only:
        yield
        return
    async with webhooks.delivering(services), jobs.keeping(services):
        yield


class Application(FastAPI):
    """FastAPI whose OpenAPI document tells of our errors."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def create_app(services: Services, *, new_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> FastAPI:
    """The application on these use cases; `new_id` names each request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        data = services.settings.data_dir
        with in_use(data) if services.public is not None else nullcontext():
            app.state.findings.start()
            stopping = {"stopping": threading.Event()}  # ends the streams that would keep the server waiting
            upkeep = Upkeep(services, app.state.metrics)
            async with _beside(services):
                try:
                    if services.public is None:
                        yield stopping
                        return
                    services.public.listen(app.state.metrics.killed)
                    await services.public.start()
                    try:
                        with upkeep.running():
                            yield stopping
                    finally:
                        app.state.making.stop()
                        await services.public.stop()
                finally:
                    app.state.findings.stop()
                    app.state.drawing.stop()

    app = Application(
        title="slmkg",
        lifespan=lifespan,
        version=vocab.VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
        telemetry=telemetry(services.settings),
    )
    metrics = Metrics()
    app.state.services = services
    app.state.metrics = metrics
    app.state.findings = Findings(services)
    app.state.answers = AnswerCache(services.settings.answer_cache_bytes, metrics.looked)
    app.state.drawing = Drawing(app.state.answers, seconds=services.settings.picture_seconds)
    problems.install(app, error_page)
    app.add_exception_handler(NotModified, not_modified)
    parts = (
        sparql,
        editor,
        update,
        graphs,
        descriptions,
        catalogue,
        comparison,
        bulk,
        curation,
        history,
        audit,
        webhooks,
        jobs,
        releases,
        service,
        pages,
        revision_pages,
        curation_pages,
        compare_pages,
        model_pages,
        question_pages,
        insights,
        jobs_pages,
        orkg,
        entities,
    )
    for part in parts:
        part.register(app)
    app.router.routes.append(PlainMount("/static", app=StaticFiles(directory=pages.STATIC), name="static"))
    if services.settings.read_only:
        app.add_middleware(ReadOnly, where=services.settings.writer_url)
    app.add_middleware(Named)
    app.add_middleware(TimeTravel)
    app.add_middleware(LastNet, metrics=metrics)
    app.add_middleware(GiveUp)
    app.add_middleware(HeadAsGet)
    app.add_middleware(CommonHeaders)
    app.add_middleware(Watching, new_id=new_id, metrics=metrics)
    return app
