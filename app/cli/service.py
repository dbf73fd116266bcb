"""The command that serves: loads the seed on the first start, then answers SPARQL and REST."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from app import allocator, logs
from app.access import Scope
from app.backup import in_use
from app.cli.graph import run_load
from app.cli.output import console
from app.curate.commit import begin, head_number
from app.errors import BadParameter, StoreError
from app.folder import only_service
from app.model.health import State
from app.model.quads import LOADER
from app.outcomes import EXIT_FAILURE
from app.services import Services
from app.settings import Settings
from app.web.application import create_app
from app.web.metrics import shared_counts
from app.web.patience import OPTIONS, allow_many_connections
from app.web.telemetry import telemetry
from app.wiring import build, opened

log = logging.getLogger(__name__)

_TERMINATED = 128 + signal.SIGTERM


def serve(
    scratch: Annotated[
        bool,
        typer.Option(
            "--scratch",
            help="Serve an empty graph from a temporary folder that goes away at the end: no constraints, no history, "
            "a default graph of its own, and one key, which is printed.",
        ),
    ] = False,
) -> None:
    """Serve the graph on SLMKG_HOST:SLMKG_PORT (127.0.0.1:8000); the first start loads the seed data.

    The graph lies in SLMKG_DATA_DIR, or in the engine that SLMKG_STORE_URL names.
    """
    allocator.share_arenas()
    settings = Settings()
    if settings.faces_others and settings.guessable:
        raise BadParameter(
            "SLMKG_STORE_PASSWORD",
            f"is a password that everybody knows, and SLMKG_HOST={settings.host} lets others in",
            advice="Give the engine a password of its own, or listen on 127.0.0.1.",
        )
    telemetry(settings)  # its errors are told here, and not by each worker
    if scratch:
        _serve_scratch(settings)
        return
    logs.configure(settings.log_level)
    with in_use(settings.data_dir):
        pass  # nobody replaces the folder now
    with ExitStack() as held:  # from before the first look until the last worker has ended
        if not settings.beside and not settings.read_only:
            address = f"{settings.host}:{settings.port}"
            held.enter_context(only_service(settings.data_dir, address=address, now=datetime.now(UTC)))
        opened(settings).store.close()  # an upgrade needs the folder alone; what it does stands in the log
        held.enter_context(in_use(settings.data_dir))
        services = opened(settings)  # once more: a newer slmkg may have been faster
        if settings.read_only:
            services.store.head()  # says that there is nothing yet
        else:
            _fill(services)
        services.store.close()
        with shared_counts() if settings.workers > 1 else nullcontext():
            _run("app.asgi:app", settings, workers=settings.workers)


def _fill(services: Services) -> None:
    """Load the seed data into a folder that has none, and say where that of another slmkg was loaded."""
    settings = services.settings
    if head_number(services.store) == 0:
        where = settings.store_url or settings.data_dir
        console.print(f"first start: loading the seed data into {where}", markup=False, soft_wrap=True)
        report = run_load(services)
        console.print(f"loaded {report.models} models, {report.quads} quads")
    with suppress(StoreError):  # a folder that cannot be written is served all the same
        services.folder.claim()
    for sign in services.seed_signs():
        if sign.state is not State.GOOD:
            log.warning("seed data: %s. %s", sign.says, sign.advice)


def _serve_scratch(settings: Settings) -> None:
    """Serve from a temporary folder until somebody stops it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # uvicorn hands the signal on when it has ended
    with tempfile.TemporaryDirectory(prefix="slmkg-scratch-") as folder:
        own = settings.model_copy(update={"scratch": True, "data_dir": Path(folder), "store_url": None})
        logs.configure(own.log_level)
        services = build(own)
        begin(services.store, author=LOADER, now=services.now())
        _, token = services.keys.create("scratch", (Scope.UPDATE,), services.now())
        console.print(f"key: {token}", markup=False, soft_wrap=True)
        _run(create_app(services), own)


def _run(application: Any, settings: Settings, *, workers: int = 1) -> None:
    """Listen until somebody stops it. The socket is bound first, so that the port that was taken can be told."""
    allow_many_connections()
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours is there already
        log_level=settings.log_level,
        workers=workers,
        timeout_graceful_shutdown=settings.stop_seconds,
        **OPTIONS,
    )
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((settings.host, settings.port))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    console.print(f"serving on http://{host}:{bound.getsockname()[1]}/ (stop with Ctrl+C)", markup=False)
    server = uvicorn.Server(config)
    if workers > 1:
        Multiprocess(config, sockets=[bound]).run()
        return
    with suppress(KeyboardInterrupt):
        server.run(sockets=[bound])
    if not server.started:
        sys.exit(EXIT_FAILURE)
