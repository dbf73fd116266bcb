"""The webhooks of one installation and how far each has been told, in files beside the store.

    <folder>/LOCK             held (flock) by the process that delivers
    <folder>/1a2b3c4d/hook.json    URL, secret, since when; written once
    <folder>/1a2b3c4d/state.json   how far it has been told, tries, dead letters; replaced as a whole
    <folder>/1a2b3c4d/LOCK         held for the moment in which the state is replaced

Only their owner may read these files. A secret is shown once, when it is made; it is never logged or shown again.
What a process that is killed leaves is a whole state, the old or the new one.
"""

from __future__ import annotations

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.durable import write_durably
from app.errors import BadParameter, NotFound, StoreDamaged
from app.webhooks.address import checked_url
from app.webhooks.signature import checked_secret, new_secret

_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_OWN = 0o600
_DEAD_KEPT = 1_000
"""Dead letters that are kept of one hook; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that is told of each revision. `secret` never leaves this process but as a signature."""

    id: str
    url: str
    created: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dead:
    """A delivery that was given up."""

    revision: int
    tries: int
    error: str
    at: str


@dataclass(frozen=True, slots=True)
class State:
    """How far a hook has been told.

    `cursor` is the newest revision that was delivered or given up. `again` are dead letters that somebody wants to be
    tried again; they go first. `trying` is the revision whose delivery failed `tries` times, for the last time with
    `error`; it is tried again at `next_at` (seconds since 1970).
    """

    cursor: int
    trying: int | None = None
    tries: int = 0
    next_at: float = 0.0
    error: str | None = None
    again: tuple[int, ...] = ()
    dead: tuple[Dead, ...] = ()

    def due(self, head: int) -> int | None:
        """The revision to deliver next, if there is one."""
        if self.trying is not None:
            return self.trying
        if self.again:
            return self.again[0]
        return self.cursor + 1 if self.cursor < head else None

    def delivered(self, revision: int) -> State:
        """The state after a delivery."""
        return replace(self._done(revision), trying=None, tries=0, next_at=0.0, error=None)

    def failed(self, revision: int, error: str, *, next_at: float, at: datetime, tries: int) -> State:
        """The state after a failed try: another one at `next_at`, or a dead letter after so many tries."""
        tried = self.tries + 1
        if tried < tries:
            return replace(self, trying=revision, tries=tried, next_at=next_at, error=error)
        dead = (*self.dead, Dead(revision, tried, error, at.isoformat()))[-_DEAD_KEPT:]
        return replace(self._done(revision), trying=None, tries=0, next_at=0.0, error=error, dead=dead)

    def revived(self, revision: int | None) -> State:
        """The state in which one dead letter, or all of them, are to be tried again."""
        chosen = tuple(one.revision for one in self.dead if revision in {None, one.revision})
        return replace(
            self,
            again=tuple(sorted({*self.again, *chosen})),
            dead=tuple(one for one in self.dead if one.revision not in chosen),
        )

    def _done(self, revision: int) -> State:
        return replace(
            self,
            cursor=max(self.cursor, revision),
            again=tuple(one for one in self.again if one != revision),
        )


class Hooks:
    """The webhooks. Every process sees at once what another one changed. `private` allows addresses of closed nets."""

    def __init__(self, folder: Path, *, private: bool = False) -> None:
        self._folder = folder
        self.private = private

    def add(self, url: str, *, cursor: int, now: datetime, secret: str | None = None) -> Hook:
        """Make a hook that is told of the revisions after `cursor`; BadParameter for a URL or secret that is none."""
        checked = checked_url(url, private=self.private)
        if secret is not None:
            checked_secret(secret)
        identity = secrets.token_hex(4)
        while (self._folder / identity).exists():
            identity = secrets.token_hex(4)
        hook = Hook(identity, checked, now.isoformat(), secret or new_secret())
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._folder / f"{identity}.new"
        new.mkdir(mode=0o700)
        write_durably(new / "hook.json", json.dumps(asdict(hook)), mode=_OWN)
        write_durably(new / "state.json", json.dumps(asdict(State(cursor))), mode=_OWN)
        new.rename(self._folder / identity)
        return hook

    def list(self) -> tuple[Hook, ...]:
        """All hooks, oldest first."""
        found = []
        for identity in self.ids():
            with suppress(NotFound):  # removed in between
                found.append(self.get(identity))
        return tuple(sorted(found, key=lambda hook: (hook.created, hook.id)))

    def ids(self) -> tuple[str, ...]:
        """The ids of all hooks."""
        try:
            return tuple(sorted(name for name in (path.name for path in self._folder.iterdir()) if _ID.fullmatch(name)))
        except FileNotFoundError:
            return ()

    def get(self, identity: str) -> Hook:
        """One hook; NotFound."""
        return Hook(**_read(self._place(identity) / "hook.json", identity))

    def state(self, identity: str) -> State:
        """How far a hook has been told; NotFound."""
        record = _read(self._place(identity) / "state.json", identity)
        try:
            dead = tuple(Dead(**one) for one in record["dead"])
            return State(**(record | {"again": tuple(record["again"]), "dead": dead}))
        except (TypeError, KeyError) as error:
            raise _damaged(self._folder / identity / "state.json") from error

    def change(self, identity: str, change: Callable[[State], State]) -> State:
        """Replace a hook's state; NotFound."""
        place = self._place(identity)
        try:
            with (place / "LOCK").open("a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                state = change(self.state(identity))
                write_durably(place / "state.json", json.dumps(asdict(state)), mode=_OWN)
        except FileNotFoundError as error:
            raise _missing(identity) from error
        return state

    def retry(self, identity: str, revision: int | None = None) -> int:
        """Have dead letters tried again, all or that of one revision; return how many. NotFound, BadParameter."""
        dead = {one.revision for one in self.state(identity).dead}
        if revision is not None and revision not in dead:
            raise BadParameter("revision", f"there is no dead letter of revision {revision}", advice="List them first.")
        before = len(self.state(identity).dead)
        return before - len(self.change(identity, lambda state: state.revived(revision)).dead)

    def remove(self, identity: str) -> Hook:
        """Forget a hook, its secret and its dead letters; NotFound."""
        hook = self.get(identity)
        going = self._folder / f"{identity}.gone-{secrets.token_hex(4)}"
        try:
            (self._folder / identity).rename(going)
        except FileNotFoundError as error:
            raise _missing(identity) from error
        for gone in self._folder.glob("*.gone-*"):  # also what somebody who was killed had begun to remove
            shutil.rmtree(gone, ignore_errors=True)
        return hook

    @contextmanager
    def delivering(self) -> Iterator[bool]:
        """Whether this process is the one that delivers, from here on until the end of the block."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "LOCK").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _place(self, identity: str) -> Path:
        if not _ID.fullmatch(identity):
            raise _missing(identity)
        return self._folder / identity


def _read(path: Path, identity: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(identity) from error
    except ValueError as error:
        raise _damaged(path) from error
    return record


def _missing(identity: str) -> NotFound:
    return NotFound("webhook", identity[:40], advice="List them with `slmkg webhooks list`.")


def _damaged(path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path} cannot be read", advice="Remove the hook, and add it again.")
