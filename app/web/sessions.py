"""People who signed in with their key in a browser: what a cookie opens, for how long, and until when.

The cookie holds a random name and nothing else. What it opens (the id of a key) lies in one file beside the keys, under
the name's hash, so that all processes of a service know it. A revoked key ends its sessions at once. Never holds, logs
or stores a key.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.access import Key, KeyRing
from app.durable import write_durably
from app.errors import StoreError

LIFETIME = timedelta(hours=8)
MOST = 1_000
"""Sessions at a time; the one that would end first makes room for a new one."""
MOST_OF_KEY = 20
_OWN = 0o600
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `token` stands in every form of the session's pages, and in no other page's."""

    key: Key
    token: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Entry:
    """A session as it is stored: the id of its key, and when it ends, as ISO text."""

    key: str
    ends: str


class Sessions:
    """The sessions of one installation, in one file. Sees at once what another process changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._entries: Mapping[str, _Entry] = {}

    def begin(self, key: Key, now: datetime) -> str:
        """Sign the owner of a key in; return the cookie's value, which cannot be had again."""
        name = secrets.token_urlsafe(32)
        with self._changing() as entries:
            _forget(entries, now)
            own = sorted((entry.ends, digest) for digest, entry in entries.items() if entry.key == key.id)
            for _, digest in own[: max(0, len(own) - MOST_OF_KEY + 1)]:
                del entries[digest]
            while len(entries) >= MOST:
                del entries[min(entries, key=lambda digest: entries[digest].ends)]
            entries[_digest(name)] = _Entry(key.id, (now + LIFETIME).isoformat())
        return name

    def find(self, name: str | None, keys: KeyRing, now: datetime) -> Session | None:
        """The session that a cookie's value opens; None when there is none, it is over, or its key was revoked."""
        if not name or len(name) > _LONGEST:
            return None
        with self._lock:
            entry = self._read().get(_digest(name))
        if entry is None or (ends := datetime.fromisoformat(entry.ends)) <= now:
            return None
        key = keys.of_id(entry.key)
        return None if key is None else Session(key, _token(name), ends)

    def end(self, name: str | None) -> None:
        """Sign out; what the cookie opened is gone."""
        if not name:
            return
        with self._changing() as entries:
            entries.pop(_digest(name), None)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Entry]]:
        """The entries, to be changed; written when the block ends. One process changes them at a time."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, self._path.with_name(self._path.name + ".lock").open("w") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)
                entries = dict(self._read())
                yield entries
                self._write(entries)
        except OSError as error:
            raise StoreError(
                f"sessions cannot be written: {error.strerror}", advice="Tell the operator; nothing else changed."
            ) from error

    def _read(self) -> Mapping[str, _Entry]:
        """The entries. A file that cannot be read signs everybody out, and nothing worse."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._seen:
                records = json.loads(self._path.read_text(encoding="utf-8"))
                entries = {str(digest): _Entry(**record) for digest, record in records.items()}
                for entry in entries.values():
                    datetime.fromisoformat(entry.ends)
                self._entries, self._seen = entries, stamp
        except (OSError, ValueError, TypeError, AttributeError):
            self._entries, self._seen = {}, None
        return self._entries

    def _write(self, entries: Mapping[str, _Entry]) -> None:
        records = {digest: asdict(entry) for digest, entry in entries.items()}
        write_durably(self._path, json.dumps(records), mode=_OWN)
        self._seen = None


def is_token(session: Session, given: str) -> bool:
    """Whether a form brings its session's token; takes the same time for every wrong one."""
    return hmac.compare_digest(session.token.encode(), given.encode())


def _forget(entries: dict[str, _Entry], now: datetime) -> None:
    for digest in [digest for digest, entry in entries.items() if datetime.fromisoformat(entry.ends) <= now]:
        del entries[digest]


def _digest(name: str) -> str:
    """SHA-256 of a cookie's value: 256 random bits need no slow hash."""
    return hashlib.sha256(name.encode()).hexdigest()


def _token(name: str) -> str:
    """The token of a session's forms: it follows from the cookie's value, which does not follow from it."""
    return hmac.new(name.encode(), b"form", hashlib.sha256).hexdigest()
