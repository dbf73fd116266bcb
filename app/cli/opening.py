"""How commands open the data folder: what an upgrade of its format does is told to people. Never prints a result."""

from __future__ import annotations

from app import wiring
from app.cli.output import console
from app.services import Services
from app.settings import Settings


def opened(settings: Settings) -> Services:
    """The services on the data folder, brought to our format first; FolderTooNew, StoreBusy."""
    return wiring.opened(settings, say)


def say(line: str) -> None:
    """Tell what is being done."""
    console.print(line, markup=False, soft_wrap=True)
