"""Commands about projections: the columns from which comparisons are answered."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.opening import opened as wire
from app.cli.output import console, write, write_json
from app.outcomes import EXIT_VIOLATIONS
from app.settings import Settings

app = typer.Typer(
    help="The columns of a revision, from which comparisons are answered: build them anew, or hold them against the "
    "graph.",
    no_args_is_help=True,
)
Number = Annotated[int | None, typer.Option("--revision", help="Number of the revision; the newest by default.")]


@app.command("build")
def build(revision: Number = None, as_json: Json = False) -> None:
    """Build the projection of a revision from the whole graph, in place of what there is."""
    services = wire(Settings())
    number = services.store.head().number if revision is None else revision
    begun = time.perf_counter()
    made = services.projections.build(number)
    report = {
        "revision": number,
        "models": made.models.height,
        "cells": made.cells.height,
        "observations": made.observations.height,
        "seconds": round(time.perf_counter() - begun, 3),
    }
    if as_json:
        write_json(report)
        return
    write(
        f"revision {number}: {report['models']} models, {report['cells']} cells, {report['observations']} observations "
        f"in {report['seconds']} s"
    )


@app.command("verify")
def verify(revision: Number = None, as_json: Json = False) -> None:
    """Compare the projection of a revision with the graph, cell by cell; exit with 3 when something differs."""
    services = wire(Settings())
    number = services.store.head().number if revision is None else revision
    found = list(services.projections.verify(number))
    if as_json:
        write_json({"revision": number, "equal": not found, "differences": found})
    else:
        for one in found:
            write(one)
        console.print(f"revision {number}: {len(found)} difference(s)")
    if found:
        raise typer.Exit(EXIT_VIOLATIONS)
