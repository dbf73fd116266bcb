"""What deployment files say, held against the program: its settings and its commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from typer.core import TyperGroup

from app.cli import app as command_line
from app.settings import Settings

OTHERS = {"SLMKG_WORKER_KEY", "SLMKG_SITE", "SLMKG_UPSTREAM"}
"""Variables with our prefix that are no settings: of `slmkg worker`, and of the proxy's file."""


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Those variables with our prefix that nothing reads."""
    known = OTHERS | {f"SLMKG_{name.upper()}" for name in Settings.model_fields}
    return [name for name in names if name.startswith("SLMKG_") and name not in known]


def known_command(command: Sequence[str]) -> bool:
    """Whether `slmkg …` is a command with options that it has."""
    program, *words = command
    if program.rsplit("/", 1)[-1] != "slmkg":
        return False
    group = typer.main.get_command(command_line)
    while words and isinstance(group, TyperGroup) and words[0] in group.commands:
        group = group.commands[words.pop(0)]
    options = {option for parameter in group.params for option in parameter.opts} | {"--help"}
    return (not isinstance(group, TyperGroup) and {word for word in words if word.startswith("--")} <= options) or (
        isinstance(group, TyperGroup) and words == ["--help"]
    )
