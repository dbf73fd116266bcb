"""The durable queue: jobs made of cells, leases on them, results, events. One file, many processes.

    claim ──► lease ──► heartbeat … ──► result          the cell has ended; the last one ends its job
                │
                └── no heartbeat for `lease` seconds ──► the cell waits again, or has ended as crashed
                                                         after so many attempts

A result is written once, by whoever holds the lease: a late one of a lost lease is refused. Each machine has one
measuring slot, which the table itself guards: two running cells of one machine cannot be written. When the last cell of
a job has ended, its run can be read, and is handed on until somebody acknowledges it.

Clocks. Leases are counted on the clock that never jumps (`Moment.ticks`), which all processes on the queue's machine
share, whatever machine the worker is on: the wall clock is only shown, so a jump of hours ends no lease early and keeps
no dead one alive, and no cell is lost or measured twice for it. When the machine was started anew, or its clock was set
back by being moved, that clock counts from elsewhere: each running lease then begins once more at the moment in which
this is seen, so that a worker elsewhere that still works keeps its cell, and that of a dead one is free a lease later.

Never measures, never touches the graph.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.database import Database
from app.errors import AppError, BadParameter, BadValue, Conflict, NotFound, TooBusy
from app.jobs import clock as clocks
from app.jobs.values import (
    Attempt,
    Beat,
    CellState,
    Clock,
    Event,
    Job,
    JobCell,
    JobState,
    Lease,
    Machine,
    Moment,
    Person,
    Plan,
    Progress,
    Standing,
)
from app.jobs.wire import environment_record
from app.measure.records import from_json, to_json
from app.measure.records import key as key_of
from app.measure.values import Cell, CellResult, Environment, Run, Status
from app.model.health import Sign, bad, good

LEASE = 60.0
"""Seconds after a heartbeat until a cell is free again."""
MOST_ATTEMPTS = 3
MOST_OPEN_JOBS = 200
MOST_OPEN_CELLS = 20_000
LONGEST_KEY = 200
LONGEST_STEP = 200
LONGEST_MESSAGE = 4_000
_CHANGE = 0.01
"""Share by which a cell must get on until it is told again."""
_LOST = "lost"
_GIVEN_BACK = "given back"
_VERSION = 1

SCHEMA = """
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  note TEXT,
  by_iri TEXT NOT NULL,
  by_name TEXT NOT NULL,
  made TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled')),
  key TEXT,
  digest TEXT NOT NULL,
  schedule TEXT,
  started TEXT,
  ended TEXT,
  cancelled TEXT,
  delivered TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  trouble TEXT,
  next_try TEXT,
  UNIQUE (by_iri, key)
);
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE TABLE cells (
  job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  cell TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ended')),
  status TEXT,
  message TEXT,
  expected REAL,
  seconds REAL,
  attempts INTEGER NOT NULL DEFAULT 0,
  most_attempts INTEGER NOT NULL,
  token TEXT UNIQUE,
  machine TEXT,
  worker TEXT,
  boot TEXT,
  deadline REAL,
  step TEXT,
  share REAL,
  rates TEXT,
  result TEXT,
  PRIMARY KEY (job, number)
);
CREATE UNIQUE INDEX one_slot_for_each_machine ON cells (machine) WHERE state = 'running';
CREATE INDEX cells_by_state ON cells (state);
CREATE TABLE attempts (
  job TEXT NOT NULL,
  cell INTEGER NOT NULL,
  number INTEGER NOT NULL,
  machine TEXT NOT NULL,
  began TEXT NOT NULL,
  ended TEXT,
  outcome TEXT,
  PRIMARY KEY (job, cell, number),
  FOREIGN KEY (job, cell) REFERENCES cells (job, number) ON DELETE CASCADE
);
CREATE TABLE environments (
  job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  environment TEXT NOT NULL,
  PRIMARY KEY (job, fingerprint)
);
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  cell INTEGER,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX events_of_job ON events (job, number);
CREATE TABLE schedules (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  cron TEXT NOT NULL,
  plan TEXT NOT NULL,
  by_iri TEXT NOT NULL,
  by_name TEXT NOT NULL,
  made TEXT NOT NULL,
  seen TEXT NOT NULL,
  last_job TEXT
)"""

_MOVE_AWAY = "Move the file away; what was brought into the graph is not lost. Ask for the other jobs anew."

_FORGETTABLE = """
state IN ('done', 'cancelled') AND ended < ? AND (delivered IS NOT NULL OR NOT EXISTS
  (SELECT 1 FROM cells WHERE cells.job = jobs.id AND result IS NOT NULL AND status != ?))
AND id NOT IN (SELECT last_job FROM schedules WHERE last_job IS NOT NULL)
"""
_SIZES = """
SELECT id, (SELECT COALESCE(SUM(LENGTH(cell) + COALESCE(LENGTH(result), 0)), 0) FROM cells WHERE job = jobs.id) AS size
FROM jobs WHERE
"""
_JOBS = """
SELECT jobs.*,
  COUNT(*) AS cells,
  SUM(cells.state = 'queued') AS queued,
  SUM(cells.state = 'running') AS running,
  SUM(cells.status IS 'ok') AS good,
  SUM(CASE WHEN cells.seconds IS NOT NULL THEN cells.seconds END) AS spent,
  SUM(cells.seconds IS NOT NULL) AS timed,
  SUM(CASE WHEN cells.status = 'ok' AND cells.expected > 0 THEN cells.seconds END) AS spent_of_expected,
  SUM(CASE WHEN cells.status = 'ok' AND cells.expected > 0 THEN cells.expected END) AS expected_of_spent,
  SUM(CASE WHEN cells.state != 'ended' THEN 1 - COALESCE(cells.share, 0) END) AS to_do,
  SUM(CASE WHEN cells.state != 'ended' THEN (1 - COALESCE(cells.share, 0)) * cells.expected END) AS expected_to_do,
  SUM(cells.state != 'ended' AND cells.expected IS NULL) AS unknown
FROM jobs JOIN cells ON cells.job = jobs.id
"""


class Queue:
    """The jobs of one installation. Nothing is written before the first job: a service without jobs has no file."""

    def __init__(
        self, path: Path, *, clock: Clock = clocks.now, lease: float = LEASE, most_attempts: int = MOST_ATTEMPTS
    ) -> None:
        self.database = Database(path, SCHEMA, _VERSION, holds="the queue of jobs")
        self.clock = clock
        self._lease = lease
        self._most_attempts = most_attempts

    def examine(self) -> tuple[Sign, ...]:
        """Whether the file is whole, and whether a finished job could not be brought into the graph."""
        if not self.database.exists:
            return ()
        try:
            with self.database.reading() as tables:
                (checked,) = tables.execute("PRAGMA quick_check(1)").fetchone()
                waiting, running = _to_do(tables)
                stuck = tables.execute("SELECT id, trouble FROM jobs WHERE trouble IS NOT NULL").fetchall()
        except AppError as error:
            return (bad("jobs", error.message, error.advice),)
        if checked != "ok":
            return (bad("jobs", f"{self.database.path} is damaged: {checked}", _MOVE_AWAY),)
        signs = [good("jobs", f"{waiting} cells to measure, {running} of them at work")]
        signs += [
            bad("jobs", f"job {one['id']} could not be brought in: {one['trouble']}", "Mend it; it is tried again.")
            for one in stuck
        ]
        return tuple(signs)

    def standing(self) -> Standing:
        """How many jobs there are in each state, and how much is to be done; StoreError when that cannot be read."""
        counted = dict.fromkeys(JobState, 0)
        if not self.database.exists:
            return Standing(counted, 0, 0, 0)
        with self.database.reading() as tables:
            for state, count in tables.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"):
                counted[JobState(state)] = count
            waiting, running = _to_do(tables)
            (stuck,) = tables.execute("SELECT COUNT(*) FROM jobs WHERE trouble IS NOT NULL").fetchone()
        return Standing(counted, waiting, running, stuck)

    # ---- those who ask

    def submit(
        self, plan: Plan, by: Person, *, key: str | None = None, schedule: str | None = None
    ) -> tuple[Job, bool]:
        """Make a job; return it, and whether it is new.

        With a key of the same person and the same content it is the job that is there already; Conflict when the
        content is another one. TooBusy when too much is waiting.
        """
        if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isprintable()):
            raise BadParameter("Idempotency-Key", f"is not of 1 to {LONGEST_KEY} printable characters")
        records = [to_json(cell) for cell in plan.cells]
        digest = _digest([plan.title, plan.note, records])
        moment = self.clock()
        with self.database.writing() as tables:
            known = tables.execute("SELECT id, digest FROM jobs WHERE by_iri = ? AND key = ?", (by.iri, key)).fetchone()
            if known is not None:
                if known["digest"] != digest:
                    raise Conflict(
                        f"the idempotency key {key!r} was used for another job",
                        advice=f"Take another key, or look at the job {known['id']}.",
                    )
                return _job(tables, known["id"]), False
            _make_room(tables, len(records))
            identity = secrets.token_hex(6)
            tables.execute(
                "INSERT INTO jobs (id, title, note, by_iri, by_name, made, state, key, digest, schedule) "
                "VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
                (identity, plan.title, plan.note, by.iri, by.name, _at(moment), key, digest, schedule),
            )
            expected = plan.expected or (None,) * len(records)
            tables.executemany(
                "INSERT INTO cells (job, number, name, cell, state, expected, most_attempts) "
                "VALUES (?, ?, ?, ?, 'queued', ?, ?)",
                [
                    (identity, number, key_of(cell), _text(record), seconds, self._most_attempts)
                    for number, (cell, record, seconds) in enumerate(
                        zip(plan.cells, records, expected, strict=True), start=1
                    )
                ],
            )
            _tell(tables, moment, identity, "made", title=plan.title, cells=len(records))
            return _job(tables, identity), True

    def count(self, state: JobState | None = None) -> int:
        """How many jobs there are, in all or in a state."""
        if not self.database.exists:
            return 0
        with self.database.reading() as tables:
            query = "SELECT COUNT(*) FROM jobs WHERE ?1 IS NULL OR state = ?1"
            return int(tables.execute(query, (state,)).fetchone()[0])

    def list(self, *, state: JobState | None = None, first: int = 0, most: int = 50) -> tuple[Job, ...]:
        """Jobs, the newest first."""
        if not self.database.exists:
            return ()
        with self.database.reading() as tables:
            found = tables.execute(
                f"{_JOBS} WHERE ?1 IS NULL OR jobs.state = ?1 "
                "GROUP BY jobs.number ORDER BY jobs.number DESC LIMIT ?2 OFFSET ?3",
                (state, most, first),
            ).fetchall()
        return tuple(_read_job(row) for row in found)

    def get(self, identity: str) -> Job:
        """One job; NotFound."""
        if not self.database.exists:
            raise _no_job(identity)
        with self.database.reading() as tables:
            return _job(tables, identity)

    def cells(self, identity: str, *, first: int = 0, most: int = 2_000) -> tuple[JobCell, ...]:
        """The cells of a job with their attempts, in order; NotFound."""
        self.get(identity)
        with self.database.reading() as tables:
            found = tables.execute(
                "SELECT * FROM cells WHERE job = ? ORDER BY number LIMIT ? OFFSET ?", (identity, most, first)
            ).fetchall()
            attempts: dict[int, list[Attempt]] = {}
            query = "SELECT * FROM attempts WHERE job = ? AND cell BETWEEN ? AND ? ORDER BY cell, number"
            for row in tables.execute(query, (identity, first + 1, first + most)):
                attempts.setdefault(row["cell"], []).append(
                    Attempt(row["number"], row["machine"], row["began"], row["ended"], row["outcome"])
                )
        return tuple(_read_cell(row, tuple(attempts.get(row["number"], ()))) for row in found)

    def running(self, identity: str) -> tuple[JobCell, ...]:
        """The cells of a job that are being measured now, without their attempts; NotFound."""
        self.get(identity)
        with self.database.reading() as tables:
            found = tables.execute(
                "SELECT * FROM cells WHERE job = ? AND state = 'running' ORDER BY number", (identity,)
            ).fetchall()
        return tuple(_read_cell(row, ()) for row in found)

    def newest_event(self, identity: str) -> int:
        """Number of the last event of a job; NotFound."""
        self.get(identity)
        with self.database.reading() as tables:
            query = "SELECT COALESCE(MAX(number), 0) FROM events WHERE job = ?"
            return int(tables.execute(query, (identity,)).fetchone()[0])

    def results(self, identity: str, numbers: Sequence[int]) -> dict[int, CellResult]:
        """The results of some cells of a job, by number; those without a result are left out."""
        with self.database.reading() as tables:
            found = tables.execute(
                "SELECT number, result FROM cells WHERE job = ? AND result IS NOT NULL "
                "AND number IN (SELECT value FROM json_each(?))",
                (identity, json.dumps(list(numbers))),
            ).fetchall()
        return {row["number"]: from_json(CellResult, json.loads(row["result"])) for row in found}

    def cancel(self, identity: str) -> Job:
        """Have nothing more of a job measured: what waits ends at once, what runs with its worker's next heartbeat.

        A job that is over stays as it is. NotFound.
        """
        self.get(identity)
        moment = self.clock()
        with self.database.writing() as tables:
            job = _job(tables, identity)
            if job.over or job.cancelled is not None:
                return job
            tables.execute("UPDATE jobs SET cancelled = ? WHERE id = ?", (_at(moment), identity))
            tables.execute(
                "UPDATE cells SET state = 'ended', status = ?, message = 'cancelled before it was measured' "
                "WHERE job = ? AND state = 'queued'",
                (Status.CANCELLED, identity),
            )
            _tell(tables, moment, identity, "cancelled")
            _settle(tables, moment, identity)
            return _job(tables, identity)

    def run(self, identity: str) -> Run:
        """What was measured, as one run; Conflict while the job is not over. Its identity is that of the job."""
        job = self.get(identity)
        if not job.over:
            raise Conflict("the job is not over yet", advice="Wait until its last cell has ended, or cancel it.")
        with self.database.reading() as tables:
            results = [
                json.loads(row["result"])
                for row in tables.execute(
                    "SELECT result FROM cells WHERE job = ? AND result IS NOT NULL ORDER BY number", (identity,)
                )
            ]
            environments = {
                row["fingerprint"]: json.loads(row["environment"])
                for row in tables.execute("SELECT * FROM environments WHERE job = ?", (identity,))
            }
        used = {result["environment"] for result in results}
        return from_json(
            Run,
            {
                "identity": job.id,
                "started": job.started or job.made,
                "ended": job.ended,
                "by": job.by.iri,
                "environments": {name: environments[name] for name in sorted(used)},
                "results": results,
                "note": job.note or job.title,
            },
        )

    def events(self, identity: str, after: int = 0, most: int = 200) -> tuple[Event, ...]:
        """What happened to a job after an event, oldest first; NotFound."""
        self.get(identity)
        with self.database.reading() as tables:
            found = tables.execute(
                "SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?", (identity, after, most)
            ).fetchall()
        return tuple(Event(row["number"], row["at"], row["kind"], json.loads(row["data"])) for row in found)

    # ---- those who measure

    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs. Looks at nothing but the file's presence where there is none."""
        if not self.database.exists:
            return True
        with self.database.reading() as tables:
            return tables.execute("SELECT 1 FROM cells WHERE state != 'ended' LIMIT 1").fetchone() is None

    def claim(self, machine: Machine) -> Lease | None:
        """Take the next cell, or None when nothing waits or the machine's slot is taken.

        The same process gets its running cell again, with the same lease: an answer that was lost costs no attempt.
        """
        if self.is_idle():
            return None
        moment = self.clock()
        with self.database.writing() as tables:
            self._expire(tables, moment)
            own = tables.execute("SELECT * FROM cells WHERE state = 'running' AND machine = ?", (machine.identity,))
            running = own.fetchone()
            if running is not None:
                if running["worker"] != machine.worker:
                    return None
                self._extend(tables, moment, running["token"])
                return self._leased(running)
            chosen = tables.execute(
                "SELECT cells.job, cells.number, cells.attempts FROM cells JOIN jobs ON jobs.id = cells.job "
                "WHERE cells.state = 'queued' ORDER BY jobs.number, cells.number LIMIT 1"
            ).fetchone()
            if chosen is None:
                return None
            place = (chosen["job"], chosen["number"])
            tables.execute(
                "UPDATE cells SET state = 'running', attempts = attempts + 1, token = ?, machine = ?, worker = ?, "
                "boot = ?, deadline = ?, step = NULL, share = NULL WHERE job = ? AND number = ?",
                (
                    secrets.token_hex(16),
                    machine.identity,
                    machine.worker,
                    moment.boot,
                    moment.ticks + self._lease,
                    *place,
                ),
            )
            tables.execute(
                "INSERT INTO attempts (job, cell, number, machine, began) VALUES (?, ?, ?, ?, ?)",
                (*place, chosen["attempts"] + 1, machine.name, _at(moment)),
            )
            tables.execute(
                "UPDATE jobs SET state = 'running', started = COALESCE(started, ?) WHERE id = ?",
                (_at(moment), chosen["job"]),
            )
            _tell(tables, moment, *place, kind="began", attempt=chosen["attempts"] + 1, machine=machine.name)
            return self._leased(tables.execute("SELECT * FROM cells WHERE job = ? AND number = ?", place).fetchone())

    def beat(self, token: str, progress: Progress | None = None) -> Beat:
        """Keep a lease, and say how far the cell is; Conflict when the lease is lost."""
        moment = self.clock()
        with self._holding(token, moment) as (tables, row):
            self._extend(tables, moment, token)
            if progress is not None:
                _note(tables, moment, row, progress)
            cancelled = tables.execute("SELECT cancelled FROM jobs WHERE id = ?", (row["job"],)).fetchone()[0]
            return Beat(cancelled is not None, self._lease)

    def hand_in(self, token: str, result: CellResult, environment: Environment) -> None:
        """Write the result of a cell, once. Handing the same in again changes nothing.

        Conflict when the lease is lost: somebody else measures the cell, or has. BadValue for the result of another
        cell, or one that was measured elsewhere than in `environment`.
        """
        moment = self.clock()
        text = _text(to_json(result))
        with self._holding(token, moment, ended_with=text) as (tables, row):
            if row["state"] == CellState.ENDED:
                return
            if key_of(result.cell) != row["name"]:
                raise BadValue("/result/cell", "is not the cell of the lease")
            if result.environment != environment.fingerprint:
                raise BadValue("/result/environment", "is not the fingerprint of the environment")
            tables.execute(
                "INSERT OR REPLACE INTO environments (job, fingerprint, environment) VALUES (?, ?, ?)",
                (row["job"], environment.fingerprint, _text(environment_record(environment))),
            )
            message = None if result.message is None else result.message[:LONGEST_MESSAGE]
            tables.execute(
                "UPDATE cells SET state = 'ended', status = ?, message = ?, seconds = ?, result = ?, deadline = NULL, "
                "step = NULL, share = NULL WHERE token = ?",
                (result.status, message, result.seconds, text, token),
            )
            _end_attempt(tables, moment, row, result.status)
            _tell(
                tables,
                moment,
                row["job"],
                row["number"],
                "ended",
                status=result.status,
                message=message,
                seconds=round(result.seconds, 3),
            )
            _settle(tables, moment, row["job"])

    def give_back(self, token: str) -> None:
        """Let go of a cell that was not measured to its end, without an attempt being counted; a lost lease is fine."""
        moment = self.clock()
        with self.database.writing() as tables:
            row = tables.execute("SELECT * FROM cells WHERE token = ? AND state = 'running'", (token,)).fetchone()
            if row is not None:
                self._wait_again(tables, moment, row, _GIVEN_BACK, counts=False)

    def expire(self) -> None:
        """Free the cells whose leases are over, also where nobody asks for work any more."""
        if self.is_idle():
            return
        moment = self.clock()
        with self.database.writing() as tables:
            self._expire(tables, moment)

    def recover(self, worker: str) -> int:
        """Free at once what a worker of this name was measuring; return how many cells.

        Call it only where that worker cannot be alive: its successor holds the lock that it held.
        """
        if self.is_idle():
            return 0
        moment = self.clock()
        with self.database.writing() as tables:
            rows = tables.execute("SELECT * FROM cells WHERE state = 'running' AND worker = ?", (worker,)).fetchall()
            for row in rows:
                self._wait_again(tables, moment, row, _LOST)
        return len(rows)

    # ---- those who take the runs

    def undelivered(self) -> tuple[str, ...]:
        """Jobs that are over, have a result, and whose run nobody has acknowledged; those that are due, oldest first.

        A time of the next try that lies further away than an hour was written before the wall clock went back.
        """
        if not self.database.exists:
            return ()
        moment = self.clock()
        latest = _iso(moment.wall + timedelta(hours=1))
        with self.database.reading() as tables:
            found = tables.execute(
                "SELECT id FROM jobs WHERE state IN ('done', 'cancelled') AND delivered IS NULL "
                "AND (next_try IS NULL OR next_try <= ? OR next_try > ?) AND EXISTS "
                "(SELECT 1 FROM cells WHERE cells.job = jobs.id AND result IS NOT NULL AND status != ?) "
                "ORDER BY number",
                (_at(moment), latest, Status.CANCELLED),
            )
            return tuple(row["id"] for row in found)

    def delivered(self, identity: str, told: str) -> None:
        """Somebody has taken the run for good; `told` says what became of it. The first acknowledgement stands."""
        moment = self.clock()
        with self.database.writing() as tables:
            done = tables.execute(
                "UPDATE jobs SET delivered = ?, trouble = NULL, next_try = NULL WHERE id = ? AND delivered IS NULL",
                (told, identity),
            )
            if done.rowcount:
                _tell(tables, moment, identity, "delivered", told=told)

    def not_delivered(self, identity: str, trouble: str) -> None:
        """The run could not be taken; it is tried again after a pause that doubles, to ten minutes."""
        moment = self.clock()
        with self.database.writing() as tables:
            (tries,) = tables.execute("SELECT tries FROM jobs WHERE id = ?", (identity,)).fetchone()
            pause = min(600.0, 2.0 * 2.0 ** min(tries, 20))
            tables.execute(
                "UPDATE jobs SET tries = tries + 1, trouble = ?, next_try = ? WHERE id = ?",
                (trouble[:LONGEST_MESSAGE], _iso(moment.wall + timedelta(seconds=pause)), identity),
            )
            _tell(tables, moment, identity, "not-delivered", trouble=trouble[:LONGEST_MESSAGE])

    # ---- those who clean up

    def forgettable(self, before: datetime) -> dict[str, int]:
        """Jobs that ended before a moment and whose results are brought in, with the bytes of their records.

        A job whose results nobody has taken stays, and so does the last one of each schedule.
        """
        if not self.database.exists:
            return {}
        with self.database.reading() as tables:
            found = tables.execute(_SIZES + _FORGETTABLE + " ORDER BY number", (_iso(before), Status.CANCELLED))
            return {row["id"]: row["size"] for row in found}

    def forget(self, identity: str, before: datetime) -> bool:
        """Forget a job with its cells and events, if it still may go; whether it went."""
        with self.database.writing() as tables:
            done = tables.execute(
                "DELETE FROM jobs WHERE " + _FORGETTABLE + " AND id = ?",  # noqa: S608 - our own constants
                (_iso(before), Status.CANCELLED, identity),
            )
            return done.rowcount > 0

    # ---- leases

    def _holding(self, token: str, moment: Moment, *, ended_with: str | None = None) -> _Holding:
        if not self.database.exists:
            raise _lost_lease()
        return _Holding(self, token, moment, ended_with)

    def _expire(self, tables: sqlite3.Connection, moment: Moment) -> None:
        """Free the cells whose leases are over; leases that another start of the machine counted begin once more."""
        tables.execute(
            "UPDATE cells SET boot = ?1, deadline = ?2 WHERE state = 'running' AND (boot != ?1 OR deadline > ?2)",
            (moment.boot, moment.ticks + self._lease),
        )
        over = tables.execute("SELECT * FROM cells WHERE state = 'running' AND deadline < ?", (moment.ticks,))
        for row in over.fetchall():
            self._wait_again(tables, moment, row, _LOST)

    def _extend(self, tables: sqlite3.Connection, moment: Moment, token: str) -> None:
        tables.execute(
            "UPDATE cells SET boot = ?, deadline = ? WHERE token = ?",
            (moment.boot, moment.ticks + self._lease, token),
        )

    def _wait_again(
        self, tables: sqlite3.Connection, moment: Moment, row: sqlite3.Row, outcome: str, *, counts: bool = True
    ) -> None:
        """Have a running cell wait again; it ends instead when its job is cancelled or its attempts are used up."""
        place = (row["job"], row["number"])
        cancelled = tables.execute("SELECT cancelled FROM jobs WHERE id = ?", (row["job"],)).fetchone()[0] is not None
        spent = counts and row["attempts"] >= row["most_attempts"]
        _end_attempt(tables, moment, row, outcome)
        if not cancelled and not spent:
            tables.execute(
                "UPDATE cells SET state = 'queued', token = NULL, machine = NULL, worker = NULL, deadline = NULL, "
                "step = NULL, share = NULL, most_attempts = most_attempts + ? WHERE job = ? AND number = ?",
                (0 if counts else 1, *place),
            )
            _tell(tables, moment, *place, kind="waits", outcome=outcome, attempt=row["attempts"])
            return
        status, message = (
            (Status.CANCELLED, "cancelled while it was measured")
            if cancelled
            else (Status.CRASHED, f"its worker was lost {row['attempts']} times")
        )
        tables.execute(
            "UPDATE cells SET state = 'ended', status = ?, message = ?, token = NULL, deadline = NULL, step = NULL, "
            "share = NULL WHERE job = ? AND number = ?",
            (status, message, *place),
        )
        _tell(tables, moment, *place, kind="ended", status=status, message=message)
        _settle(tables, moment, row["job"])

    def _leased(self, row: sqlite3.Row) -> Lease:
        return Lease(
            row["token"],
            row["job"],
            row["number"],
            row["attempts"],
            from_json(Cell, json.loads(row["cell"])),
            self._lease,
        )


class _Holding:
    """A change by somebody who shows a lease; leases that are over are only lost once somebody else looks for work."""

    def __init__(self, queue: Queue, token: str, moment: Moment, ended_with: str | None) -> None:
        self._block = queue.database.writing()
        self._token = token
        self._ended_with = ended_with

    def __enter__(self) -> tuple[sqlite3.Connection, sqlite3.Row]:
        tables = self._block.__enter__()
        row: sqlite3.Row | None = tables.execute("SELECT * FROM cells WHERE token = ?", (self._token,)).fetchone()
        again = row is not None and self._ended_with is not None and row["result"] == self._ended_with
        if row is None or (row["state"] != CellState.RUNNING and not again):
            error = _lost_lease()
            self._block.__exit__(type(error), error, None)
            raise error
        return tables, row

    def __exit__(self, *trouble: Any) -> bool | None:
        return self._block.__exit__(*trouble)


def _to_do(tables: sqlite3.Connection) -> tuple[int, int]:
    """Cells that have not ended, and how many of them are at work."""
    waiting, running = tables.execute(
        "SELECT COUNT(*), COALESCE(SUM(state = 'running'), 0) FROM cells WHERE state != 'ended'"
    ).fetchone()
    return waiting, running


def _make_room(tables: sqlite3.Connection, more: int) -> None:
    """TooBusy when so many cells more would be too many."""
    (jobs,) = tables.execute("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')").fetchone()
    (cells,) = tables.execute("SELECT COUNT(*) FROM cells WHERE state != 'ended'").fetchone()
    if jobs >= MOST_OPEN_JOBS or cells + more > MOST_OPEN_CELLS:
        raise TooBusy(f"{jobs} jobs with {cells} cells wait already", retry_after=600)


def _settle(tables: sqlite3.Connection, moment: Moment, identity: str) -> None:
    """End a job whose last cell has ended."""
    left = tables.execute("SELECT 1 FROM cells WHERE job = ? AND state != 'ended' LIMIT 1", (identity,)).fetchone()
    if left is not None:
        return
    (cancelled,) = tables.execute("SELECT cancelled FROM jobs WHERE id = ?", (identity,)).fetchone()
    state = JobState.DONE if cancelled is None else JobState.CANCELLED
    tables.execute("UPDATE jobs SET state = ?, ended = ? WHERE id = ?", (state, _at(moment), identity))
    _tell(tables, moment, identity, "over", state=state)


def _note(tables: sqlite3.Connection, moment: Moment, row: sqlite3.Row, progress: Progress) -> None:
    """Write down how far a cell is; told only when something is new, in place of what was told before."""
    step = progress.step[:LONGEST_STEP]
    share = None if progress.share is None else min(max(progress.share, 0.0), 1.0)
    known = row["share"]
    little = (share is None and known is None) or (
        share is not None and known is not None and abs(share - known) < _CHANGE
    )
    if step == row["step"] and little:
        return
    rates = dict(progress.rates)
    tables.execute(
        "UPDATE cells SET step = ?, share = ?, rates = ? WHERE token = ?", (step, share, _text(rates), row["token"])
    )
    tables.execute("DELETE FROM events WHERE job = ? AND cell = ? AND kind = 'progress'", (row["job"], row["number"]))
    _tell(tables, moment, row["job"], row["number"], "progress", step=step, share=share, rates=rates)


def _end_attempt(tables: sqlite3.Connection, moment: Moment, row: sqlite3.Row, outcome: str) -> None:
    tables.execute(
        "UPDATE attempts SET ended = ?, outcome = ? WHERE job = ? AND cell = ? AND number = ?",
        (_at(moment), outcome, row["job"], row["number"], row["attempts"]),
    )


def _tell(
    tables: sqlite3.Connection, moment: Moment, job: str, cell: int | str | None = None, kind: str = "", **data: Any
) -> None:
    """Write an event; of a cell, or of the whole job where its kind stands in the place of the cell."""
    number, word = (None, cell) if isinstance(cell, str) else (cell, kind)
    told = data if number is None else {"cell": number, **data}
    tables.execute(
        "INSERT INTO events (job, cell, at, kind, data) VALUES (?, ?, ?, ?, ?)",
        (job, number, _at(moment), word, _text(told)),
    )


def _job(tables: sqlite3.Connection, identity: str) -> Job:
    row = tables.execute(f"{_JOBS} WHERE jobs.id = ? GROUP BY jobs.number", (identity,)).fetchone()
    if row is None:
        raise _no_job(identity)
    return _read_job(row)


def _read_job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        title=row["title"],
        note=row["note"],
        by=Person(row["by_iri"], row["by_name"]),
        made=row["made"],
        state=JobState(row["state"]),
        key=row["key"],
        schedule=row["schedule"],
        started=row["started"],
        ended=row["ended"],
        cancelled=row["cancelled"],
        cells=row["cells"],
        queued=row["queued"],
        running=row["running"],
        good=row["good"],
        left=_left(row),
        delivered=row["delivered"],
        trouble=row["trouble"],
    )


def _left(row: sqlite3.Row) -> float | None:
    """Seconds that the rest may take: as expected, at the pace so far; else as long as the cells before took."""
    if not row["to_do"]:
        return 0.0
    if not row["unknown"]:
        pace = row["spent_of_expected"] / row["expected_of_spent"] if row["expected_of_spent"] else 1.0
        return float(row["expected_to_do"] * pace)
    return float(row["spent"] / row["timed"] * row["to_do"]) if row["timed"] else None


def _read_cell(row: sqlite3.Row, attempts: tuple[Attempt, ...]) -> JobCell:
    return JobCell(
        number=row["number"],
        cell=from_json(Cell, json.loads(row["cell"])),
        state=CellState(row["state"]),
        status=None if row["status"] is None else Status(row["status"]),
        message=row["message"],
        progress=None
        if row["step"] is None
        else Progress(row["step"], row["share"], tuple(json.loads(row["rates"] or "{}").items())),
        attempts=attempts,
        most_attempts=row["most_attempts"],
        expected=row["expected"],
        seconds=row["seconds"],
    )


def _no_job(identity: str) -> NotFound:
    return NotFound("job", identity, advice="List them with `slmkg jobs list`, or at /jobs.")


def _lost_lease() -> Conflict:
    return Conflict("the lease is lost: it ran out, or the cell has ended", advice="Stop measuring this cell.")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _at(moment: Moment) -> str:
    return _iso(moment.wall)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
