"""Prepares a tiny file as a process of its own, to be killed or limited: see `main` for the arguments."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from app.errors import AppError
from app.measure.gguf.files import prepare
from app.measure.values import RandomWeights, Subject
from tests.measure.gguf.facts import TINY


def main(variant: str, folder: str, stop_at: str, file_limit: str) -> int:
    """Prepare; stop for good at the step that is named, if any, and write no file beyond a limit in bytes, if not 0."""

    def progress(step: str, share: float) -> None:
        if stop_at and step.startswith(stop_at):
            sys.stdout.write(f"{step} {share}\n")
            sys.stdout.flush()
            time.sleep(3600)

    if int(file_limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_limit), int(file_limit)))
    try:
        prepare(Subject("llama", TINY["llama"]), RandomWeights(), variant, Path(folder), progress)
    except AppError as error:
        sys.stdout.write(f"{error.code}: {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
