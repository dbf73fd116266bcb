"""Reads the `.rq` files that lie beside the code which runs them. Their header says what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class QueryFile:
    """One stored query: its name (file name without ending), the header's lines, and the text."""

    name: str
    title: str
    about: str
    text: str


def read_query(path: Path) -> QueryFile:
    """Read one `.rq` file. Its first comment line is the title, the comment lines after it the description."""
    content = path.read_text(encoding="utf-8")
    header: list[str] = []
    for line in content.splitlines():
        if not line.startswith("#"):
            break
        header.append(line.lstrip("# ").rstrip())
    return QueryFile(
        name=path.stem,
        title=header[0] if header else path.stem,
        about=" ".join(header[1:]).strip(),
        text=content,
    )


def read_queries(folder: Path) -> dict[str, QueryFile]:
    """Read every `.rq` file of a folder, by name."""
    return {path.stem: read_query(path) for path in sorted(folder.glob("*.rq"))}
