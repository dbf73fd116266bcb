"""What was sent to the ORKG and what came of it: a row before each write, in one SQLite file. Knows no HTTP.

A row is `sent` before its request goes out and `done` when what it made is known. After a crash the rows that are still
`sent` are the only writes of which nobody knows whether they were carried out: the next push looks for them before it
sends anything again. Identifiers of what was made and the statements that are ours are kept apart for each ORKG: only
those are ever changed. Rows are never deleted: they are the audit record of every push.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.database import Database
from app.errors import Conflict, NotFound

_VERSION = 1
SCHEMA = """
CREATE TABLE pushes (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  digest TEXT NOT NULL,
  intent TEXT NOT NULL,
  by_iri TEXT NOT NULL,
  account TEXT NOT NULL,
  started TEXT NOT NULL,
  ended TEXT,
  state TEXT NOT NULL CHECK (state IN ('open', 'done', 'stopped')),
  note TEXT,
  result TEXT
);
CREATE TABLE writes (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  push INTEGER NOT NULL REFERENCES pushes (number),
  host TEXT NOT NULL,
  key TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('sent', 'done', 'refused', 'dropped')),
  made TEXT,
  note TEXT,
  tries INTEGER NOT NULL DEFAULT 1,
  sent_at TEXT NOT NULL,
  ended_at TEXT
);
CREATE INDEX writes_by_key ON writes (host, key, number);
CREATE INDEX writes_by_push ON writes (push, number);
CREATE TABLE made (
  host TEXT NOT NULL,
  key TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (host, key)
);
CREATE TABLE statements (
  host TEXT NOT NULL,
  id TEXT NOT NULL,
  subject TEXT NOT NULL,
  predicate TEXT NOT NULL,
  token TEXT NOT NULL,
  PRIMARY KEY (host, id)
);
CREATE INDEX statements_by_subject ON statements (host, subject)
"""


class WriteState(StrEnum):
    """What is known of a write: `sent` means that nobody knows; `dropped`, that it was not carried out and lapsed."""

    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Own:
    """A statement of ours as we left it. `token` tells its object (`app.orkg.intent.token_of`)."""

    id: str
    subject: str
    predicate: str
    token: str


@dataclass(frozen=True, slots=True)
class Write:
    """One write: what was asked, what became of it, and what it made."""

    number: int
    push: int
    key: str
    request: Mapping[str, Any]
    state: WriteState
    made: str | None
    note: str | None
    tries: int
    sent_at: str
    ended_at: str | None


@dataclass(frozen=True, slots=True)
class PushRecord:
    """One push: who began it, with which intent (JSON), and how it ended."""

    number: int
    host: str
    digest: str
    intent: str
    by: str
    account: str
    started: str
    ended: str | None
    state: str
    note: str | None
    result: Mapping[str, Any] | None


class Outbox:
    """The record of one installation. `now` is the clock of its rows, which are compared with no other clock."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self.path = path
        self._now = now
        self._tables = Database(path, SCHEMA, _VERSION, holds="the record of pushes to the ORKG")

    @property
    def exists(self) -> bool:
        """Whether anything was ever pushed."""
        return self._tables.exists

    def close(self) -> None:
        """Let go of the file."""
        self._tables.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other pushes away until the block ends; Conflict when another process is pushing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("another push is under way", advice="Wait until it has ended.") from error
            yield

    # Pushes

    def begin(self, host: str, digest: str, intent: str, *, by: str, account: str) -> int:
        """Begin a push, or go on with the same one where it was broken off; its number."""
        with self._tables.writing() as tables:
            row = tables.execute(
                "SELECT number FROM pushes WHERE host = ? AND digest = ? AND state <> 'done' ORDER BY number DESC",
                (host, digest),
            ).fetchone()
            if row is not None:
                tables.execute("UPDATE pushes SET state = 'open', note = NULL WHERE number = ?", (row["number"],))
                return int(row["number"])
            made = tables.execute(
                "INSERT INTO pushes (host, digest, intent, by_iri, account, started, state) "
                "VALUES (?, ?, ?, ?, ?, ?, 'open')",
                (host, digest, intent, by, account, self._moment()),
            )
            return int(made.lastrowid or 0)

    def end(self, push: int, *, note: str | None = None, result: Mapping[str, Any] | None = None) -> None:
        """Say how a push ended: done with a result, or stopped with a note."""
        state = "done" if note is None else "stopped"
        told = None if result is None else json.dumps(result, ensure_ascii=False)
        with self._tables.writing() as tables:
            tables.execute(
                "UPDATE pushes SET state = ?, note = ?, result = ?, ended = ? WHERE number = ?",
                (state, note, told, self._moment(), push),
            )

    def pushes(self) -> tuple[PushRecord, ...]:
        """All pushes, the newest first."""
        if not self.exists:
            return ()
        with self._tables.reading() as tables:
            rows = tables.execute("SELECT * FROM pushes ORDER BY number DESC").fetchall()
        return tuple(_push(row) for row in rows)

    def push(self, number: int) -> PushRecord:
        """One push; NotFound."""
        for one in self.pushes():
            if one.number == number:
                return one
        raise NotFound("push", str(number), advice="List them with `slmkg orkg pushes`.")

    def unfinished(self, host: str) -> PushRecord | None:
        """The newest push to this host, where it did not come to its end."""
        newest = next((one for one in self.pushes() if one.host == host), None)
        return None if newest is None or newest.state == "done" else newest

    def writes(self, push: int) -> tuple[Write, ...]:
        """Every write of a push, in the order in which they were sent."""
        with self._tables.reading() as tables:
            rows = tables.execute("SELECT * FROM writes WHERE push = ? ORDER BY number", (push,)).fetchall()
        return tuple(_write(row) for row in rows)

    # Writes

    def sent(self, push: int, host: str, key: str, request: Mapping[str, Any]) -> int:
        """Write down what is about to be sent, before it is; the row's number."""
        with self._tables.writing() as tables:
            made = tables.execute(
                "INSERT INTO writes (push, host, key, request, state, sent_at) VALUES (?, ?, ?, ?, 'sent', ?)",
                (push, host, key, json.dumps(request, ensure_ascii=False), self._moment()),
            )
            return int(made.lastrowid or 0)

    def again(self, number: int) -> None:
        """Write down that the same is about to be sent once more."""
        with self._tables.writing() as tables:
            tables.execute("UPDATE writes SET tries = tries + 1 WHERE number = ?", (number,))

    def done(
        self,
        number: int,
        made: str | None = None,
        *,
        keep: bool = False,
        own: Iterable[Own] = (),
        gone: Iterable[str] = (),
    ) -> None:
        """Write down that it was carried out: what it made, and which statements are ours now or are no more.

        `keep` remembers what was made under the row's key.
        """
        with self._tables.writing() as tables:
            row = tables.execute("SELECT host, key FROM writes WHERE number = ?", (number,)).fetchone()
            self._ended(tables, number, WriteState.DONE, made=made)
            if keep and made is not None:
                _remember(tables, row["host"], row["key"], made)
            for one in own:
                _own(tables, row["host"], one)
            for statement in gone:
                tables.execute("DELETE FROM statements WHERE host = ? AND id = ?", (row["host"], statement))

    def refused(self, number: int, note: str) -> None:
        """Write down that the service did not do it."""
        with self._tables.writing() as tables:
            self._ended(tables, number, WriteState.REFUSED, note=note)

    def dropped(self, number: int) -> None:
        """Write down that it was never carried out and is not wanted in this form any more."""
        with self._tables.writing() as tables:
            self._ended(tables, number, WriteState.DROPPED)

    def pending(self, host: str, key: str) -> Write | None:
        """The write of this key of which nobody knows whether it was carried out."""
        return next(iter(self.pending_below(host, key, exact=True)), None)

    def pending_below(self, host: str, key: str, *, exact: bool = False) -> tuple[Write, ...]:
        """All such writes whose key begins so, in the order in which they were sent."""
        with self._tables.reading() as tables:
            rows = tables.execute(
                "SELECT * FROM writes WHERE host = ? AND key >= ? AND key < ? AND state = 'sent' ORDER BY number",
                (host, key, f"{key}\U0010ffff"),
            ).fetchall()
        return tuple(_write(row) for row in rows if not exact or row["key"] == key)

    def request(self, host: str, key: str) -> Mapping[str, Any] | None:
        """What was last asked under this key and not refused."""
        with self._tables.reading() as tables:
            row = tables.execute(
                "SELECT * FROM writes WHERE host = ? AND key = ? AND state IN ('sent', 'done') "
                "ORDER BY number DESC LIMIT 1",
                (host, key),
            ).fetchone()
        return None if row is None else _write(row).request

    # What is ours

    def made(self, host: str, key: str) -> str | None:
        """The identifier of what was made or found under this key."""
        with self._tables.reading() as tables:
            row = tables.execute("SELECT id FROM made WHERE host = ? AND key = ?", (host, key)).fetchone()
        return None if row is None else str(row["id"])

    def taken(self, host: str, identifier: str) -> bool:
        """Whether something of ours is known by this identifier already."""
        with self._tables.reading() as tables:
            row = tables.execute("SELECT 1 FROM made WHERE host = ? AND id = ?", (host, identifier)).fetchone()
        return row is not None

    def remember(self, host: str, key: str, identifier: str) -> None:
        """Keep what was found under a key."""
        with self._tables.writing() as tables:
            _remember(tables, host, key, identifier)

    def forget(self, host: str, key: str) -> None:
        """Let go of what was made under a key: it is there no more."""
        with self._tables.writing() as tables:
            tables.execute("DELETE FROM made WHERE host = ? AND key = ?", (host, key))

    def own(self, host: str, subject: str) -> dict[str, Own]:
        """Our statements about a thing, by identifier, as we left them."""
        with self._tables.reading() as tables:
            rows = tables.execute(
                "SELECT * FROM statements WHERE host = ? AND subject = ? ORDER BY id", (host, subject)
            ).fetchall()
        return {row["id"]: Own(row["id"], row["subject"], row["predicate"], row["token"]) for row in rows}

    def statements(self, host: str) -> frozenset[str]:
        """The identifiers of all our statements: what they say is no evidence for us."""
        if not self.exists:
            return frozenset()
        with self._tables.reading() as tables:
            rows = tables.execute("SELECT id FROM statements WHERE host = ?", (host,)).fetchall()
        return frozenset(row["id"] for row in rows)

    def claim(self, host: str, key: str, identifier: str, own: Iterable[Own]) -> None:
        """Keep what was found under a key, with statements that are ours, in one go."""
        with self._tables.writing() as tables:
            _remember(tables, host, key, identifier)
            for one in own:
                _own(tables, host, one)

    def _ended(
        self,
        tables: sqlite3.Connection,
        number: int,
        state: WriteState,
        *,
        made: str | None = None,
        note: str | None = None,
    ) -> None:
        tables.execute(
            "UPDATE writes SET state = ?, made = ?, note = ?, ended_at = ? WHERE number = ?",
            (state.value, made, note, self._moment(), number),
        )

    def _moment(self) -> str:
        return self._now().isoformat()


def _remember(tables: sqlite3.Connection, host: str, key: str, identifier: str) -> None:
    tables.execute("INSERT OR REPLACE INTO made (host, key, id) VALUES (?, ?, ?)", (host, key, identifier))


def _own(tables: sqlite3.Connection, host: str, one: Own) -> None:
    tables.execute(
        "INSERT OR REPLACE INTO statements (host, id, subject, predicate, token) VALUES (?, ?, ?, ?, ?)",
        (host, one.id, one.subject, one.predicate, one.token),
    )


def _write(row: sqlite3.Row) -> Write:
    return Write(
        number=row["number"],
        push=row["push"],
        key=row["key"],
        request=json.loads(row["request"]),
        state=WriteState(row["state"]),
        made=row["made"],
        note=row["note"],
        tries=row["tries"],
        sent_at=row["sent_at"],
        ended_at=row["ended_at"],
    )


def _push(row: sqlite3.Row) -> PushRecord:
    return PushRecord(
        number=row["number"],
        host=row["host"],
        digest=row["digest"],
        intent=row["intent"],
        by=row["by_iri"],
        account=row["account"],
        started=row["started"],
        ended=row["ended"],
        state=row["state"],
        note=row["note"],
        result=None if row["result"] is None else json.loads(row["result"]),
    )
