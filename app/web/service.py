"""Whether the service is alive and ready, and what it has counted, for whatever watches over it."""

from __future__ import annotations

from anyio import to_thread
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from app.errors import NotFound, Unauthorized
from app.web import problems, schemas
from app.web.caching import Use
from app.web.clients import Asking
from app.web.metrics import MEDIA_TYPE, Metrics
from app.web.readiness import parts_of

_FRESH = {"Cache-Control": "no-store"}


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    app.add_api_route(
        "/livez",
        livez,
        methods=["GET"],
        tags=["Service"],
        response_model=schemas.Health,
        response_class=JSONResponse,
        responses=problems.documented(),
    )
    app.add_api_route(
        "/readyz",
        readyz,
        methods=["GET"],
        tags=["Service"],
        response_model=schemas.Readiness,
        response_class=JSONResponse,
        responses=problems.documented("store-empty", "store-damaged"),
    )
    app.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        tags=["Service"],
        response_class=Response,
        responses={
            200: {
                "description": "The metrics.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **problems.documented("not-found"),
        },
    )


async def livez() -> Response:
    """Whether the process answers. Looks at nothing else."""  # and takes no thread: an engine may hold them all
    return _answer(schemas.Health(status="alive", revision=None))


def readyz(services: Use) -> Response:
    """Whether there is a graph to ask, and how each part is that answers need; 503 before the first load.

    A part that is `bad` while the service is ready stops some answers only: without the queue there are no jobs.
    """
    public = services.public
    newest = services.store.head().number
    if public is not None and public.running:
        _ = public.revision  # StoreEmpty until queries can be answered
    parts = [schemas.Part(about=sign.about, state=sign.state.value, says=sign.says) for sign in parts_of(services)]
    return _answer(schemas.Readiness(status="ready", revision=newest, parts=parts))


async def metrics(request: Request, services: Use, client: Asking) -> Response:
    """What the service counts, summed over its workers, in the text format of Prometheus.

    Where the operator says so, it needs a key of any scope, or is not served at all.
    """
    allowed = services.settings.metrics
    if allowed == "off":
        raise NotFound("page", "/metrics", advice="The operator does not serve it: SLMKG_METRICS=off.")
    if allowed == "key" and client.key is None:
        raise Unauthorized("the metrics need a key here")
    counted: Metrics = request.app.state.metrics
    text = await to_thread.run_sync(counted.text, services, request.app.state.findings)
    return Response(text, headers={**_FRESH, "Content-Type": MEDIA_TYPE})


def _answer(health: schemas.Health | schemas.Readiness) -> Response:
    return Response(health.model_dump_json(), media_type="application/json", headers=_FRESH)
