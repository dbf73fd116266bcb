"""How the command line prints: one console for messages, JSON and plain text for results, a progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

console = Console(stderr=True, highlight=False)
"""Messages for people, on standard error."""


def write(text: str) -> None:
    """Write a result to standard output."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_json(value: Any) -> None:
    """Write a result as one JSON document."""
    write(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error; plain lines where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=False) as progress:
        yield progress
