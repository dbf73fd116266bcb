"""The command that brings a data folder of an older slmkg to our format, or says what that would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.opening import say
from app.cli.output import console, write, write_json
from app.model.health import State
from app.settings import Settings
from app.wiring import build, folder_of


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the data folder to the format of this slmkg; every other command does so too, before anything else.

    A folder that a newer slmkg wrote is refused and left alone.
    """
    settings = Settings()
    folder = folder_of(settings.data_dir)
    before, steps = folder.mark(), folder.to_do()
    done = () if dry_run else folder.upgrade(say)
    services = build(settings)
    signs = services.seed_signs(filled=before is not None)
    if as_json:
        write_json(
            {
                "folder": str(settings.data_dir),
                "format": None if before is None else before.format,
                "written_by": None if before is None else before.slmkg,
                "wanted": folder.newest,
                "steps": [step.says for step in steps],
                "done": list(done),
                "seed_data": [asdict(sign) for sign in signs],
            }
        )
        return
    if before is None:
        console.print(f"there is no data folder {settings.data_dir} yet: run `slmkg load`", markup=False)
        return
    write(f"format {before.format}, written by slmkg {before.slmkg}; this slmkg writes {folder.newest}")
    for step in steps:
        write(f"{'would be done' if dry_run else 'done' if step.says in done else 'not done'}: {step.says}")
    for sign in signs:
        if sign.state is not State.GOOD:
            write(f"seed data: {sign.says}\n  {sign.advice}")
