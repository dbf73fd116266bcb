"""The table as somebody last looked at it, kept beside the pulls, so that a page can show what a plan saw."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.durable import write_durably
from app.errors import BadFile
from app.orkg.table import Table

FILE = "looked.json"


@dataclass(frozen=True, slots=True)
class LiveTable:
    """The table of the head, and when it was read."""

    at: str
    table: Table


_LIVE: TypeAdapter[LiveTable] = TypeAdapter(LiveTable)


def keep_live_table(folder: Path, live: LiveTable) -> None:
    """Keep the newest table in an archive's folder, in place of the one before."""
    record = _LIVE.dump_python(live, mode="json", by_alias=True)
    write_durably(folder / FILE, json.dumps(record, ensure_ascii=False))


def last_live_table(folder: Path) -> LiveTable | None:
    """The newest table, None where there is none; BadFile."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return _LIVE.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadFile(path, "is no record of a table", advice="Remove it, and plan again.") from error
