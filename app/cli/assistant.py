"""The command that serves assistants over standard input and output (Model Context Protocol)."""

from __future__ import annotations

from typing import Annotated

import typer

from app.client import Client
from app.errors import BadParameter

_ATTEMPTS = 2


def mcp(
    url: Annotated[
        str, typer.Option("--url", envvar="SLMKG_URL", help="Address of the service to ask.")
    ] = "http://127.0.0.1:8000",
    rows: Annotated[int, typer.Option("--rows", min=1, max=1_000, help="Rows in one answer at most.")] = 100,
    most_bytes: Annotated[
        int, typer.Option("--bytes", min=5_000, max=1_000_000, help="Bytes of one answer at most.")
    ] = 60_000,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=300, help="Seconds for one request at most.")] = 30,
) -> None:
    """Serve assistants over standard input and output: search, describe, compare, sparql, schema. Changes nothing."""
    try:
        from app.assistant import Bounds, serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise BadParameter("mcp", "the package mcp is not installed", advice="pip install 'slmkg[mcp]'") from error
    try:
        client = Client(url, timeout=seconds, attempts=_ATTEMPTS, patience=seconds, max_bytes=64 * 2**20)
    except ValueError as error:
        raise BadParameter("--url", str(error), advice="`slmkg serve` starts a service.") from error
    with client:
        serve(client, Bounds(rows, most_bytes))
