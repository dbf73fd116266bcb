"""Runs `slmkg` as a command of its own, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUN = "import sys; sys.argv[0] = 'slmkg'; from app.cli import main; main()"


def slmkg(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command on a data folder; further settings by their names without the prefix, in small letters."""
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "SLMKG_DATA_DIR": str(data), **named},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
