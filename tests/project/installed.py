"""slmkg as its wheel alone installs it: an environment with the locked packages of the service and nothing else.

No index is asked: the packages are those of the environment that runs the tests, linked file by file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

from tests.project.checkout import ROOT, text


def build(kind: str, into: Path, *, checkout: Path = ROOT, epoch: str | None = None) -> Path:
    """Build the wheel, or the source archive, as the Dockerfile does: with the locked back-end, without isolation."""
    clean = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)],
        cwd=checkout,
        env=clean if epoch is None else {**clean, "SOURCE_DATE_EPOCH": epoch},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def pinned(lock: str) -> list[str]:
    """The names that a lock file pins for this machine."""
    return re.findall(r"^([a-z0-9.-]+)==", text(f"requirements/{lock}.txt"), re.MULTILINE)


def environment(folder: Path, *locks: str) -> Path:
    """Make an environment that holds what the lock files pin, and not slmkg; gives its folder of programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in sorted({name for lock in locks for name in pinned(lock)}):
        found = distribution(name)
        for file in found.files or ():
            target = packages / file
            if ".." in file.parts or "__pycache__" in file.parts or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(str(found.locate_file(file)))
    return folder / "bin"


def install(wheel: Path, programs: Path) -> None:
    """Install a wheel and nothing that it asks for."""
    command = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--quiet", "--disable-pip-version-check", str(wheel)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
