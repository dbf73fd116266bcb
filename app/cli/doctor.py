"""The command that looks after a store: what holds, what does not, what to do about it; with --repair it does it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.output import console, write, write_json
from app.errors import BadParameter
from app.model.health import Sign, State
from app.outcomes import EXIT_FAILURE
from app.services import Services
from app.settings import Settings
from app.wiring import build


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what stopped writers left, and mend the rights of the key file.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=1,
            help="With --repair, on an external engine: let go of the data of all but so many revisions. "
            "Keep 2 at least while a service runs.",
        ),
    ] = None,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="With --repair, on an external engine: end a writer that has died on another machine. "
            "If it is alive, its commit fails.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say how the store and the keys are and what to do about it; exit with 1 where something is wrong."""
    if not repair and (keep is not None or take_over):
        raise BadParameter("--keep" if keep is not None else "--take-over", "it needs --repair", advice="Add --repair.")
    services = build(Settings())
    done = services.repair(keep=keep, take_over=take_over) if repair and _can_mend(services) else ()
    signs = services.examine()
    healthy = all(sign.state is not State.BAD for sign in signs)
    if as_json:
        write_json({"healthy": healthy, "done": done, "signs": [asdict(sign) for sign in signs]})
    else:
        for line in done:
            write(line)
        for sign in signs:
            write(_line(sign))
        console.print("all is well" if healthy else "something is wrong, see above")
    if not healthy:
        raise typer.Exit(EXIT_FAILURE)


def _can_mend(services: Services) -> bool:
    """Whether there is anything to work on: an engine that cannot be reached is told of by its sign instead."""
    return not any(sign.about == "engine" and sign.state is State.BAD for sign in services.examine())


def _line(sign: Sign) -> str:
    advice = f"\n{'':18}{sign.advice}" if sign.advice else ""
    return f"{sign.state.value:5} {sign.about:11} {sign.says}{advice}"
