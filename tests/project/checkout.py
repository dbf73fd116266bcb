"""The files of this checkout as a reader of the repository sees them. Reads only; needs no git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_MADE = {
    ".git",
    ".venv",
    "node_modules",
    "var",
    "dist",
    "build",
    "vendor",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    ".prepare.lock",
}


def files(*suffixes: str, under: str = ".") -> Iterator[Path]:
    """Every file that belongs to the project, or those with these endings."""
    for path in sorted((ROOT / under).rglob("*")):
        inside = path.relative_to(ROOT)
        made = _MADE.intersection(inside.parts) or any(part.endswith(".egg-info") for part in inside.parts)
        if path.is_file() and not made and (not suffixes or path.suffix in suffixes):
            yield path


def text(name: str) -> str:
    """The text of one file."""
    return (ROOT / name).read_text(encoding="utf-8")
