"""Plans that become jobs at set times, by cron expressions in UTC. Stored in the file of the queue.

Each due minute makes one job, by the idempotency key of schedule and minute, however often the process is killed. After
a pause, or a clock that jumped forward, only the latest due minute counts. When the clock went back, minutes that made
their job do not make another. While the last job of a schedule is not over, due minutes pass.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from app.errors import BadValue, NotFound, TooBusy
from app.jobs.plans import plan_of
from app.jobs.queue import Queue
from app.jobs.values import Person, Plan
from app.measure.records import to_json

MOST_SCHEDULES = 100
_LONGEST = 100
_FIELDS = 5
_AHEAD = timedelta(days=366 * 5)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan with its times; `due` is the next one, as ISO text in UTC."""

    id: str
    cron: str
    plan: Plan
    by: Person
    made: str
    due: str
    last_job: str | None


@dataclass(frozen=True, slots=True)
class Schedules:
    """The schedules of one installation."""

    queue: Queue

    def add(self, cron: str, plan: Plan, by: Person) -> Schedule:
        """Make a schedule; BadValue for an expression that means no time, TooBusy when there are too many."""
        words = " ".join(cron.split())
        now = self.queue.clock().wall
        _next(words, now)
        identity = secrets.token_hex(4)
        record = {
            "note": plan.note,
            "cells": [to_json(cell) for cell in plan.cells],
            "expected": list(plan.expected) or None,
        }
        with self.queue.database.writing() as tables:
            if tables.execute("SELECT COUNT(*) FROM schedules").fetchone()[0] >= MOST_SCHEDULES:
                raise TooBusy(f"there are {MOST_SCHEDULES} schedules already", retry_after=3600)
            tables.execute(
                "INSERT INTO schedules (id, title, cron, plan, by_iri, by_name, made, seen) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (identity, plan.title, words, json.dumps(record), by.iri, by.name, now.isoformat(), now.isoformat()),
            )
        return self.get(identity)

    def list(self) -> tuple[Schedule, ...]:
        """All schedules, oldest first."""
        return tuple(self._read(row) for row in self._rows())

    def get(self, identity: str) -> Schedule:
        """One schedule; NotFound."""
        for row in self._rows():
            if row["id"] == identity:
                return self._read(row)
        raise NotFound("schedule", identity)

    def remove(self, identity: str) -> Schedule:
        """Forget a schedule; its jobs stay. NotFound."""
        found = self.get(identity)
        with self.queue.database.writing() as tables:
            tables.execute("DELETE FROM schedules WHERE id = ?", (identity,))
        return found

    def tick(self) -> tuple[str, ...]:
        """Make the jobs that are due; return their ids."""
        made = []
        now = self.queue.clock().wall
        for row in self._rows():
            seen = datetime.fromisoformat(row["seen"])
            due = _latest(row["cron"], now)
            job = row["last_job"]
            if due is not None and seen < due and not self._is_busy(job):
                schedule = self._read(row)
                key = f"schedule {schedule.id} {due.isoformat(timespec='minutes')}"
                try:
                    found, fresh = self.queue.submit(schedule.plan, schedule.by, key=key, schedule=schedule.id)
                except TooBusy:
                    continue
                job = found.id
                made += [job] if fresh else []
            if (due is not None and seen < due) or now < seen:
                with self.queue.database.writing() as tables:
                    tables.execute(
                        "UPDATE schedules SET seen = ?, last_job = ? WHERE id = ?", (now.isoformat(), job, row["id"])
                    )
        return tuple(made)

    def _is_busy(self, job: str | None) -> bool:
        try:
            return job is not None and not self.queue.get(job).over
        except NotFound:
            return False

    def _rows(self) -> tuple[sqlite3.Row, ...]:
        if not self.queue.database.exists:
            return ()
        with self.queue.database.reading() as tables:
            return tuple(tables.execute("SELECT * FROM schedules ORDER BY made, id").fetchall())

    def _read(self, row: sqlite3.Row) -> Schedule:
        record = json.loads(row["plan"])
        return Schedule(
            id=row["id"],
            cron=row["cron"],
            plan=plan_of(row["title"], record["cells"], expected=record["expected"], note=record["note"]),
            by=Person(row["by_iri"], row["by_name"]),
            made=row["made"],
            due=_next(row["cron"], self.queue.clock().wall).isoformat(),
            last_job=row["last_job"],
        )


def _next(cron: str, now: datetime) -> datetime:
    """The first time after now; BadValue for an expression that cannot be read or means none for years."""
    if len(cron) > _LONGEST:
        raise BadValue("/cron", f"has {len(cron)} characters, at most {_LONGEST} fit")
    if len(cron.split()) != _FIELDS:
        raise BadValue("/cron", "has not five fields", advice="Write e.g. 30 3 * * 1: Mondays at 3:30.")
    try:
        found = next(CronSim(cron, now.astimezone(UTC)))
    except CronSimError as error:
        raise BadValue("/cron", f"cannot be read: {error}", advice="Write e.g. 30 3 * * 1: Mondays at 3:30.") from error
    except StopIteration as error:
        raise BadValue("/cron", "means no time that ever comes", advice="Write e.g. 30 3 * * 1.") from error
    if found > now + _AHEAD:
        raise BadValue("/cron", "means no time within five years", advice="Write e.g. 30 3 * * 1.")
    return found


def _latest(cron: str, now: datetime) -> datetime | None:
    """The last due minute, this one included."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    try:
        return next(CronSim(cron, minute + timedelta(minutes=1), reverse=True))
    except StopIteration:
        return None
