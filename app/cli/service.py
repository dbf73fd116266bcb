"""The command that serves: loads the seed on the first start, then answers SPARQL and REST."""

from __future__ import annotations

import uvicorn

from app.cli.graph import run_load
from app.cli.output import console
from app.curate.commit import head_number
from app.settings import Settings
from app.wiring import build


def serve() -> None:
    """Serve the graph on SLMKG_HOST:SLMKG_PORT (127.0.0.1:8000); the first start loads the seed data."""
    settings = Settings()
    services = build(settings)
    if head_number(services.store) == 0:
        console.print(f"first start: loading the seed data into {settings.data_dir}")
        report = run_load(services)
        console.print(f"loaded {report.models} models, {report.quads} quads")
    services.store.close()
    console.print(f"serving on http://{settings.host}:{settings.port}/ (stop with Ctrl+C)")
    uvicorn.run("app.asgi:app", host=settings.host, port=settings.port, log_level="warning", access_log=False)
