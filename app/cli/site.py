"""The command that writes a revision as files for a plain file server or a content delivery network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.output import console, progress_bar, write_json
from app.settings import Settings
from app.web import site
from app.wiring import build


def export_site(
    out: Annotated[Path, typer.Option("--out", help="Folder to write, which is not there yet.")],
    revision: Annotated[
        int | None, typer.Option("--revision", min=1, help="Number of the revision; the newest by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write all pages, JSON and RDF of a revision as files that need no service.

    Stopped and started again it goes on where it was. The files of a revision are always the same bytes.
    """
    services = build(Settings())
    with progress_bar() as progress:
        task = progress.add_task("files", total=None)
        made = site.export(
            services,
            out,
            revision=revision,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        write_json(
            {
                "revision": made.revision,
                "folder": str(made.folder),
                "files": made.files,
                "bytes": made.bytes,
                "made": made.made,
                "new": made.new,
            }
        )
        return
    if not made.new:
        console.print(f"{made.folder} holds revision {made.revision} already", markup=False, soft_wrap=True)
    console.print(
        f"revision {made.revision}: {made.files} files, {made.bytes / 1e6:.1f} MB in {made.folder}", markup=False
    )
