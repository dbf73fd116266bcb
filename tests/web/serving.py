"""A real server on a free port of the loopback, with readers, stopped by its pid."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.ports import free_port

UVICORN = (sys.executable, "-m", "uvicorn", "app.asgi:app", "--log-level", "warning", "--port")


@contextmanager
def serving(data: Path, *command: str, log: Path | None = None, **settings: str) -> Iterator[str]:
    """The service on a data folder; gives its address. A command gets the port as its last argument.

    All that the service says goes into the file `log`, if there is one.
    """
    port = free_port()
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    output = log.open("wb") if log is not None else None
    process = subprocess.Popen(
        [*(command or UVICORN), str(port)],
        env={**os.environ, "SLMKG_DATA_DIR": str(data), **named},
        stdout=output,
        stderr=output,
    )
    if output is not None:
        output.close()
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_ready(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    with httpx.Client(base_url=base, trust_env=False) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, "the server has ended"
            with suppress(httpx.TransportError):
                if client.get("/readyz").status_code == 200:
                    return
            time.sleep(0.1)
    raise AssertionError("the server did not become ready")
