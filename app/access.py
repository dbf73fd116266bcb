"""API keys: who may do what. A key is shown once, kept only as a hash, and compared in constant time.

    slmkg_<id>_<secret>      id: 8 hexadecimal digits, not secret; secret: 32 random bytes, base64url

Keys live in one file beside the store, replaced as a whole, readable by its owner only. Never logs, prints or
stores a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import stat
import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from app.durable import write_durably
from app.errors import BadParameter, NotFound, StoreDamaged
from app.model.agents import Agent, orcid_of
from app.model.health import Sign, bad, good, note

_PREFIX = "slmkg"
_SECRET_BYTES = 32
_OWN = 0o600
_OTHERS = 0o077


class Scope(StrEnum):
    """What a key may do."""

    PROPOSE = "propose"
    REVIEW = "review"
    COMMIT = "commit"
    UPDATE = "update"
    MEASURE = "measure"
    SYNC = "sync"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """One key without its secret. Times are ISO text; a key with a `revoked` time opens nothing.

    `orcid` is the owner's ORCID iD: keys with the same one act for the same person.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created: str
    digest: str
    revoked: str | None = None
    orcid: str | None = None

    @property
    def agent(self) -> Agent:
        """Who acts when this key is used."""
        if self.orcid is None:
            return Agent(f"key-{self.id}", self.name, key=self.id)
        return Agent(f"orcid-{self.orcid.lower()}", self.name, self.orcid, self.id)

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do this; `admin` may do everything."""
        return self.revoked is None and (scope in self.scopes or Scope.ADMIN in self.scopes)


class KeyRing:
    """The keys of one installation, in one file. Sees at once what another process changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def create(
        self, name: str, scopes: tuple[Scope, ...], now: datetime, *, orcid: str | None = None
    ) -> tuple[Key, str]:
        """Make a key; return it and the token, which cannot be had again. BadParameter for a wrong ORCID iD."""
        if not name.strip():
            raise BadParameter("name", "is empty", advice="Say whose key it is.")
        if not scopes:
            raise BadParameter("scopes", "is empty", advice=f"Give at least one of: {', '.join(Scope)}.")
        try:
            person = None if orcid is None else orcid_of(orcid)
        except ValueError as error:
            raise BadParameter("orcid", str(error), advice="Copy it from the person's page at orcid.org.") from error
        with self._lock:
            keys = self._read()
            identity = secrets.token_hex(4)
            while identity in keys:
                identity = secrets.token_hex(4)
            secret = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
            chosen = tuple(sorted(set(scopes)))
            key = Key(identity, name.strip(), chosen, now.isoformat(), _digest(secret), orcid=person)
            self._write({**keys, identity: key})
        return key, f"{_PREFIX}_{identity}_{secret}"

    def list(self) -> tuple[Key, ...]:
        """All keys, revoked ones too, oldest first."""
        with self._lock:
            return tuple(sorted(self._read().values(), key=lambda key: key.created))

    def revoke(self, identity: str, now: datetime) -> Key:
        """Make a key useless for ever; NotFound when there is none of this id."""
        with self._lock:
            keys = self._read()
            if identity not in keys:
                raise NotFound("key", identity, advice="List them with `slmkg keys list`.")
            revoked = keys[identity]
            if revoked.revoked is None:
                revoked = replace(revoked, revoked=now.isoformat())
                self._write({**keys, identity: revoked})
        return revoked

    def find(self, token: str) -> Key | None:
        """The key that a token opens, or None for anything else; takes the same time for every wrong secret."""
        prefix, _, rest = token.partition("_")
        identity, _, secret = rest.partition("_")
        with self._lock:
            key = self._read().get(identity)
        expected = key.digest if key is not None else _digest("")
        matches = hmac.compare_digest(_digest(secret), expected)
        return key if matches and key is not None and prefix == _PREFIX and key.revoked is None else None

    def of_id(self, identity: str) -> Key | None:
        """The key with this id, for somebody who has shown its secret before; None for a revoked one."""
        with self._lock:
            key = self._read().get(identity)
        return key if key is not None and key.revoked is None else None

    def examine(self) -> tuple[Sign, ...]:
        """Whether the file can be read, and by its owner only."""
        if not self._path.exists():
            return (note("keys", "there are none", "Make one with `slmkg keys create`, if somebody shall write."),)
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            keys = self.list()
        except (StoreDamaged, OSError) as error:
            return (bad("keys", str(error), "Restore the file, or remove it and make new keys."),)
        if mode & _OTHERS:
            says = f"others may read or change {self._path} (mode {mode:o})"
            return (bad("keys", says, "Run `slmkg doctor --repair`, and revoke keys that somebody may have copied."),)
        valid = sum(key.revoked is None for key in keys)
        return (good("keys", f"{valid} valid, in a file that only its owner reads"),)

    def repair(self) -> tuple[str, ...]:
        """Let nobody but the owner read the file."""
        if not self._path.exists() or not stat.S_IMODE(self._path.stat().st_mode) & _OTHERS:
            return ()
        self._path.chmod(_OWN)
        return (f"{self._path} is readable by its owner only",)

    def _read(self) -> dict[str, Key]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return self._keys
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._seen:
            try:
                records = json.loads(self._path.read_text(encoding="utf-8"))
                keys = [Key(**(record | {"scopes": tuple(map(Scope, record["scopes"]))})) for record in records]
            except (ValueError, TypeError, KeyError) as error:
                raise StoreDamaged(
                    f"{self._path} cannot be read as a list of keys",
                    advice="Restore it, or remove it and make new keys.",
                ) from error
            self._keys = {key.id: key for key in keys}
            self._seen = stamp
        return self._keys

    def _write(self, keys: dict[str, Key]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._path, json.dumps([asdict(key) for key in keys.values()], indent=1), mode=_OWN)
        self._seen = None


def _digest(secret: str) -> str:
    """SHA-256 of the secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
