"""The table as somebody last looked at it, kept beside the pulls, so that a page can show what a plan saw."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.errors import BadFile
from app.orkg.table import Table

FILE = "looked.json"


@dataclass(frozen=True, slots=True)
class Looked:
    """A table and when it was read."""

    at: str
    table: Table


_LOOKED: TypeAdapter[Looked] = TypeAdapter(Looked)


def keep_look(folder: Path, looked: Looked) -> None:
    """Keep the newest look in an archive's folder, in place of the one before."""
    record = _LOOKED.dump_python(looked, mode="json", by_alias=True)
    draft = folder / f".{FILE}.{os.getpid()}"
    draft.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    draft.replace(folder / FILE)


def last_look(folder: Path) -> Looked | None:
    """The newest look, None where there is none; BadFile."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return _LOOKED.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadFile(path, "is no record of a look", advice="Remove it, and plan again.") from error
