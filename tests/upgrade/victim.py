"""Brings a folder of format 1 to ours and dies of SIGKILL at its N-th step in the file system: FOLDER N."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from app.folder import Folder, Step
from app.store.embedded import EmbeddedStore
from tests.store.victim import STEPS


def main(folder: Path, last: int) -> None:
    """Upgrade, or die."""
    steps = 0

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal steps
        if event in STEPS and str(details[0]).startswith(str(folder)):
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)

    step = Step(1, "patches", lambda path, say: EmbeddedStore(path / "store").complete_patches(say))
    sys.addaudithook(watch)
    Folder(folder, (step,)).upgrade(lambda _: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
