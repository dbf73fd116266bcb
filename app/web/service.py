"""Whether the service is alive and ready, for whatever watches over it."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from app.web import problems, schemas
from app.web.caching import Use


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    for path, endpoint, codes in (("/livez", livez, ()), ("/readyz", readyz, ("store-empty", "store-damaged"))):
        app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            tags=["Service"],
            response_model=schemas.Health,
            response_class=JSONResponse,
            responses=problems.documented(*codes),
        )


async def livez() -> Response:
    """Whether the process answers. Looks at nothing else."""  # and takes no thread: an engine may hold them all
    return _answer(schemas.Health(status="alive", revision=None))


def readyz(services: Use) -> Response:
    """Whether there is a graph to ask; 503 before the first load."""
    return _answer(schemas.Health(status="ready", revision=services.store.head().number))


def _answer(health: schemas.Health) -> Response:
    return Response(health.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})
