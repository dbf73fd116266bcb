"""The command that lets go of what the data folder need not keep."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.pruning import summary
from app.settings import Settings


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Let go of ended jobs, model files, old pulls, columns and drafts that lie outside of the bounds in the settings.

    The service does so by itself once a day (SLMKG_PRUNE). What a release, a webhook, a schedule or an open proposal
    needs stays, and so do all results: they are in the graph.
    """
    pruning = opened(Settings()).pruning
    items = pruning.look() if dry_run else pruning.prune()
    if as_json:
        write_json(
            {
                "dry_run": dry_run,
                "bytes": sum(item.bytes for item in items),
                "items": [item.as_json() for item in items],
            }
        )
        return
    for item in items:
        write(f"{item.kind}\t{item.name}\t{item.bytes}")
    console.print(f"{'would go' if dry_run else 'gone'}: {summary(items)}")
