"""Commands about backups: make one of a data folder, also while a service works on it, and restore one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.backup import Backups
from app.cli.graph import Json
from app.cli.output import console, progress_bar, write, write_json
from app.errors import StoreError
from app.settings import Settings
from app.wiring import build

_STEPS = 3


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; must not be there yet.")],
    all_revisions: Annotated[
        bool, typer.Option("--all-revisions", help="Keep the graph at every revision, not at the newest only.")
    ] = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Also keep the keys (hashed) and the webhooks with their secrets.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the data folder into one file, also while a service works on it, and read the file back."""
    with _steps() as step:
        made = _backups().make(file, all_revisions=all_revisions, with_keys=with_keys, progress=step)
    if as_json:
        write_json(made.as_json())
        return
    graphs = (
        f"revision {made.revision}" if made.since == made.revision else f"revisions {made.since} to {made.revision}"
    )
    keys = "with keys" if made.secrets else "without keys"
    write(f"{file}: {graphs}, {len(made.releases)} release(s), {keys}, {made.bytes:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `slmkg backup` wrote.")],
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder to restore into; SLMKG_DATA_DIR when left out.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that holds something; its content is kept beside it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a data folder hold what a backup says, or change nothing. Stop the service first."""
    with _steps() as step:
        done = _backups().restore(file, into=into, force=force, progress=step)
    if as_json:
        aside = str(done.aside) if done.aside else None
        write_json({**done.contents.as_json(), "folder": str(done.folder), "aside": aside})
        return
    write(f"{done.folder}: revision {done.contents.revision}, {len(done.contents.releases)} release(s)")
    if done.aside is not None:
        console.print(f"the former content is in {done.aside}", markup=False, soft_wrap=True)
    if done.contents.since > 1:
        console.print(f"the graph is kept from revision {done.contents.since} on")
    if not done.contents.secrets:
        console.print("no keys in the backup: make new ones with `slmkg keys create`, or copy keys.json")


def _backups() -> Backups:
    found = build(Settings()).backups
    if found is None:
        raise StoreError("only the embedded store can be backed up", advice="Use the engine's own tools.")
    return found


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    with progress_bar() as progress:
        task = progress.add_task("starting", total=_STEPS)
        yield lambda step: progress.update(task, description=step, advance=1)
