"""The data folders that older versions of slmkg made (see README.md), unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path

FOLDERS = Path(__file__).parent / "folders"
NAMES = tuple(sorted(path.name.removesuffix(".tar.xz") for path in FOLDERS.glob("*.tar.xz")))
FIRST = next(name for name in NAMES if name.endswith("-store"))
NEWEST = next(name for name in NAMES if name.endswith("-jobs-and-orkg"))


def unpacked(name: str, into: Path) -> Path:
    """The data folder of an older version, as it was when that version let go of it."""
    with tarfile.open(FOLDERS / f"{name}.tar.xz") as archive:
        archive.extractall(into, filter="data")
    return into / "var"
