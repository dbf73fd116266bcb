"""The record of a campaign: one JSON object on each line, written as things happen, so that a killed campaign has one.

Each line has `kind` and `t` (seconds since the beginning). Kinds:

    begin    what was asked for, machine, versions         up, down   the service answers; it was killed, or told to end
    request  role, route, status (0: no answer), ms        killed     a reader was killed
    write    an entry of the ledger (see `ledger`)         sample     memory, handles, threads, readers, disk
    worker   the measuring worker was started anew         note       something in words
    finding  what the end of a campaign found wrong        end        the last line: counts
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Line = dict[str, Any]


class Record:
    """Appends lines to a file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._guard = threading.Lock()
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def add(self, kind: str, *, at: float | None = None, **members: Any) -> None:
        """One line; `at` is now, if it is not given."""
        line = json.dumps({"kind": kind, "t": round(self.now if at is None else at, 4), **members}, ensure_ascii=False)
        with self._guard:
            self._file.write(line + "\n")
            self._file.flush()


def read(path: Path) -> list[Line]:
    """The lines of a record. The last one of a campaign that was killed may be cut, and is left out then."""
    lines: list[Line] = []
    texts = path.read_text(encoding="utf-8").splitlines()
    for number, text in enumerate(texts):
        try:
            lines.append(json.loads(text))
        except ValueError:
            if number + 1 < len(texts):
                raise
    return lines
