"""`python -m scripts.release` (`make release`): everything that a version is handed out as, into one folder.

Wheel, source archive, bill of materials, the release of the data, and SHA256SUMS over all of them. All times are that
of `date-released` in CITATION.cff, or SOURCE_DATE_EPOCH where it is set: the same checkout with the same locked
packages gives the same bytes; what lies in a checkout and is not ignored by git is packed, too. It loads the data into
a folder of its own, and touches no graph.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import yaml

from app import __version__
from app.errors import AppError
from app.settings import Settings
from app.wiring import build
from scripts.release.packages import ROOT, UnknownLicence
from scripts.release.sbom import bill

SUMS = "SHA256SUMS"


class NotReleased(Exception):
    """It cannot be made; the message says what to do about it."""


def moment() -> datetime:
    """The time that everything bears; NotReleased when none is set."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        return datetime.fromtimestamp(int(given), UTC)
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")).get("date-released")
    if told is None:
        raise NotReleased("CITATION.cff has no `date-released`")
    day = told if isinstance(told, date) else date.fromisoformat(told)
    return datetime.combine(day, time(), UTC)


def packages(into: Path, at: datetime) -> None:
    """Build wheel and source archive with the locked back-end; NotReleased when the browser's files are missing."""
    if not (ROOT / "app" / "web" / "static" / "vendor" / ".prepared").exists():
        raise NotReleased("the files for browsers are not there: run `make setup` where npm can be had")
    for kind in ("wheel", "sdist"):
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)],
            cwd=ROOT,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(int(at.timestamp()))},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NotReleased(done.stdout + done.stderr)


def data(into: Path, at: datetime, name: str, folder: Path | None) -> str:
    """Load a data folder (the shipped one by default) as the first revision, and release it; the graph's hash."""
    with tempfile.TemporaryDirectory(prefix="slmkg-release-") as room:
        services = replace(build(Settings(data_dir=Path(room))), now=lambda: at)
        try:
            services.load(folder)
            made = services.releases.make(name).manifest
            archive, _ = services.releases.file(name, made.archive)
            shutil.copyfile(archive, into / made.archive)
        finally:
            services.store.close()
        return made.graph_sha256


def sums(folder: Path) -> str:
    """The lines of SHA256SUMS over the files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main() -> int:
    """Make everything in an empty folder."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="folder to write to; it is emptied first")
    parser.add_argument("--name", default="2026.11", help="name of the release of the data")
    parser.add_argument("--data", type=Path, help="data folder instead of the shipped one")
    given = parser.parse_args()
    into: Path = given.into
    try:
        at = moment()
        with tempfile.TemporaryDirectory(prefix="slmkg-release-") as room:  # not in the checkout, which is packed
            working = Path(room) / "made"
            working.mkdir()
            packages(working, at)
            (working / f"slmkg-{__version__}.cdx.json").write_text(bill(__version__, at), encoding="utf-8")
            graph = data(working, at, given.name, given.data)
            (working / SUMS).write_text(sums(working), encoding="ascii")
            shutil.rmtree(into, ignore_errors=True)
            shutil.copytree(working, into)
    except (AppError, NotReleased, UnknownLicence) as error:
        print(f"not released: {error}", file=sys.stderr)
        return 1
    print(f"slmkg {__version__} of {at:%Y-%m-%d} in {into}; graph of {given.name}: {graph}")
    print((into / SUMS).read_text(encoding="ascii"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
