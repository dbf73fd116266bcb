"""A folder in which the commands of a page can be run as they are printed, with a service and a graph of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.access import KeyRing, Scope
from tests.docs import zygote
from tests.docs.examples import Step, script, wrong
from tests.project.checkout import ROOT
from tests.web.serving import serving

PRINTED = "http://127.0.0.1:8000"
"""The address on the pages."""
_BAR = re.compile(r"^.*(?:━{5}| \d+/\d+ \d:\d\d:\d\d$).*\n", re.MULTILINE)
"""A bar that shows how far a command is; on a terminal it goes away."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A checkout as a reader has it: `data`, `.venv/bin`, a graph in `var`, a service, and a key in `$KEY`."""

    folder: Path
    base: str
    token: str

    def run(self, todo: list[Step]) -> list[str]:
        """Run the steps in a shell; returns what does not fit."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLMKG_", "PYTEST_"))}
        environment |= {
            "PATH": f"{self.folder / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "KEY": self.token,
            "EDITOR": "true",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1",
        }
        done = subprocess.run(
            ["bash"],
            input=script(todo).replace(PRINTED, self.base),
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )
        printed = done.stdout.replace("\r\n", "\n").replace(self.base, PRINTED).replace(str(self.folder), "…")
        return wrong(todo, _BAR.sub("", printed))


@contextmanager
def command_line(folder: Path) -> Iterator[Path]:
    """A program `slmkg` that starts quickly."""
    door = folder / "zygote"
    process = subprocess.Popen(
        [sys.executable, zygote.__file__, str(door)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    program = folder / "slmkg"
    program.write_text(zygote.CALLER.format(python=sys.executable, path=str(door)), encoding="utf-8")
    program.chmod(0o755)
    try:
        for _ in range(600):
            with socket.socket(socket.AF_UNIX) as probe:
                if door.exists() and probe.connect_ex(str(door)) == 0:
                    break
            assert process.poll() is None, "the command line has ended"
            time.sleep(0.05)
        yield program
    finally:
        process.kill()
        process.wait()


@contextmanager
def lab(folder: Path, seed: Path, program: Path, *, serve: bool) -> Iterator[Lab]:
    """A lab on a copy of a loaded data folder."""
    folder.mkdir()
    for name in ("data", "shapes", "ontology"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("docs", "scripts", "tests"):
        (folder / name).symlink_to(ROOT / name)
    tools = folder / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "slmkg").symlink_to(program)
    python = tools / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    curl = tools / "curl"
    curl.write_text(f'#!/bin/sh\nexec "{shutil.which("curl")}" --fail-with-body "$@"\n', encoding="utf-8")
    curl.chmod(0o755)
    shutil.copytree(seed, folder / "var")
    _, token = KeyRing(folder / "var" / "keys.json").create("Ada", (Scope.ADMIN,), datetime.now(UTC))
    if not serve:
        yield Lab(folder, PRINTED, token)
        return
    with serving(folder / "var", seed_dir=str(folder / "data")) as base:
        yield Lab(folder, base, token)
