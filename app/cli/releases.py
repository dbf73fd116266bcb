"""Commands about releases: make one, list them, show one, check one. `slmkg release NAME` makes."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.progress import Progress
from typer.core import TyperGroup

from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, progress_bar, write, write_json
from app.outcomes import EXIT_FAILURE
from app.release.shelf import STEPS, Made
from app.release.values import Manifest
from app.release.verify import STEPS as STEPS_OF_CHECK
from app.release.verify import Verified
from app.services import Services
from app.settings import Settings

_MAKE = "make"


class _Releases(TyperGroup):
    """Takes the name of a release for the command that makes it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `make` before the name of a release."""
        first = next((one for one in args if not one.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = [_MAKE, *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_Releases,
    help="Make, list, show and check releases: snapshots of one revision as files. `slmkg release 2026.11` makes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(_MAKE)
def make(
    name: Annotated[str, typer.Argument(help="Year and month, e.g. 2026.11, 2026.11.2 or 2026.11-rc1.")],
    revision: Annotated[int | None, typer.Option(help="Number of the revision; the newest by default.")] = None,
    as_json: Json = False,
    announce: Annotated[
        bool, typer.Option("--announce", hidden=True, help="Print each step as a line of JSON.")
    ] = False,
) -> None:
    """Freeze a revision as files that never change. The word `make` may be left out."""
    services = opened(Settings())
    if announce:
        made = _announced(services, name, revision)
    else:
        with progress_bar() as progress:
            made = _with_progress(services, name, revision, progress)
    if as_json:
        write_json(made.manifest.as_json())
        return
    if not made.new:
        console.print(f"release {name} was there already, the same")
    write(_text(made.manifest))


@app.command("list")
def list_releases(as_json: Json = False) -> None:
    """List the releases, oldest first."""
    found = opened(Settings()).releases.list()
    if as_json:
        write_json([one.as_json() for one in found])
        return
    for one in found:
        write(f"{one.name}\t{one.made_at:%Y-%m-%d}\trevision {one.revision}\t{one.quads} quads\t{one.graph_sha256}")
    if not found:
        console.print("no release yet: run `slmkg release NAME`")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a release.")],
    as_json: Json = False,
) -> None:
    """Show what a release holds."""
    found = opened(Settings()).releases.find(name)
    if as_json:
        write_json(found.as_json())
    else:
        write(_text(found))


@app.command("verify")
def verify(
    target: Annotated[str, typer.Argument(metavar="WHAT", help="Name, folder or archive of a release.")],
    as_json: Json = False,
) -> None:
    """Check sums and hash of a release and load it into an empty store; exit with 1 when anything differs."""
    services = opened(Settings())
    with progress_bar() as progress:
        task = progress.add_task("checking", total=STEPS_OF_CHECK)
        found = services.releases.verify(target, lambda step: progress.update(task, description=step, advance=1))
    if as_json:
        write_json(_found_json(found))
    elif found.intact:
        write(f"release {found.name} is intact: {found.files} files, graph {found.graph_sha256}")
    else:
        for problem in found.problems:
            write(problem)
    if not found.intact:
        console.print(f"{len(found.problems)} difference(s)", style="red")
        console.print("  Do not use this copy: get the release again from where it is published.")
        raise typer.Exit(EXIT_FAILURE)


def _with_progress(services: Services, name: str, revision: int | None, progress: Progress) -> Made:
    task = progress.add_task("making", total=STEPS + services.set_validator.steps())
    return services.releases.make(
        name,
        revision,
        progress=lambda step: progress.update(task, description=step, advance=1),
        on_validation_step=lambda: progress.advance(task),
    )


def _announced(services: Services, name: str, revision: int | None) -> Made:
    """Make a release and tell each step on standard error, for the process that waits for it."""
    total, done, now = STEPS + services.set_validator.steps(), 0, ""

    def tell(step: str | None = None) -> None:
        nonlocal done, now
        done, now = done + 1, step or now
        sys.stderr.write(json.dumps({"step": now, "done": min(done, total), "total": total}) + "\n")
        sys.stderr.flush()

    return services.releases.make(name, revision, progress=tell, on_validation_step=tell)


def _text(manifest: Manifest) -> str:
    """A release for people."""
    counts = ", ".join(f"{number} {name}" for name, number in manifest.counts.items())
    findings = ", ".join(f"{number} {name.lower()}" for name, number in manifest.findings.items())
    width = max((len(one.name) for one in manifest.files), default=0)
    return "\n".join(
        [
            f"release {manifest.name}: revision {manifest.revision} of {manifest.made_at:%Y-%m-%d %H:%M:%S%z}",
            f"graph     {manifest.quads} quads, RDFC-1.0 {manifest.graph_sha256}",
            f"counts    {counts}",
            f"findings  {findings}",
            f"previous  {manifest.previous or 'none'}",
            *(f"  {one.name:{width}}  {one.bytes:>12,}  {one.sha256}" for one in manifest.files),
        ]
    )


def _found_json(found: Verified) -> dict[str, object]:
    return {
        "intact": found.intact,
        "name": found.name,
        "revision": found.revision,
        "graph_sha256": found.graph_sha256,
        "files": found.files,
        "problems": list(found.problems),
    }
