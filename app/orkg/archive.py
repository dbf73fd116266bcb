"""What was pulled of one comparison, kept in a folder: raw answers by their hash, and a record of each pull.

    payloads/<sha256>          the bytes of an answer, once however often they came
    pulls/<time>.json          one pull that differed from the one before: what was asked, what came, the tables
    log.jsonl                  a line for each look, also for those that found nothing new

A pull is written when it is whole: payloads first, then its record, whose name makes it count. Nothing is ever changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import httpx

from app.durable import write_durably
from app.errors import BadFile
from app.orkg.http import Exchange
from app.orkg.pull import PULLED, Pulled

FOLDER = "orkg"
"""Folder of all archives inside a data folder."""
_END = 4_096
"""Bytes at the end of a log in which its last line lies."""
_NAME = re.compile(r"[a-zA-Z0-9.:_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a comparison: when, how much was compared, and what was found."""

    at: str
    kind: str
    """`full` for a whole pull, `cheap` for the comparison and the table of its head only."""
    fingerprint: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a pull and the answer to it, which lies among the payloads."""

    method: str
    address: str
    status: int
    media: str
    at: str
    sha256: str
    bytes: int


class Archive:
    """The archive of one comparison of one ORKG, inside a data folder. Use `hear` as the ears of a client."""

    def __init__(self, data: Path, host: str, comparison: str) -> None:
        self.folder = data / FOLDER / _named(host) / _named(comparison)
        self._heard: list[tuple[Asked, bytes]] = []

    def hear(self, exchange: Exchange) -> None:
        """Remember an answer until the pull is whole."""
        digest = hashlib.sha256(exchange.body).hexdigest()
        asked = Asked(
            exchange.method,
            exchange.address,
            exchange.status,
            exchange.media,
            exchange.at.isoformat(),
            digest,
            len(exchange.body),
        )
        self._heard.append((asked, exchange.body))

    def of(self, pulled: Pulled) -> Archive:
        """The archive in which a pull belongs: that of the head, whatever version was asked for. It hears on."""
        home = Archive.__new__(Archive)
        home.folder = self.folder.with_name(_named(pulled.head.id))
        home._heard = self._heard
        return home

    def keep(self, pulled: Pulled) -> bool:
        """Keep a pull that differs from the last one; whether it did. Its answers are kept with it."""
        last = self.last()
        changed = last is None or last.fingerprint != pulled.fingerprint
        if changed:
            payloads = self.folder / "payloads"
            payloads.mkdir(parents=True, exist_ok=True)
            for asked, body in self._heard:
                if not (payloads / asked.sha256).exists():
                    write_durably(payloads / asked.sha256, body)
            record = {
                "fingerprint": pulled.fingerprint,
                "requests": [asdict(asked) for asked, _ in self._heard],
                "pulled": json.loads(PULLED.write(pulled)),
            }
            text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
            (self.folder / "pulls").mkdir(exist_ok=True)
            time = re.sub(r"[^0-9T]", "", pulled.at.split("+")[0])
            files = self.pulls()
            number = int(files[-1].name.partition("-")[0]) if files else 0
            name = f"{number + 1:06}-{time}"
            write_durably(self.folder / "pulls" / f"{name}.json", text)
        self.note(Look(pulled.at, "full", pulled.fingerprint, changed))
        self._heard.clear()
        return changed

    def note(self, look: Look) -> None:
        """Write down that somebody looked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(asdict(look)) + "\n")

    def looks(self) -> tuple[Look, ...]:
        """All looks, the oldest first; BadFile."""
        path = self.folder / "log.jsonl"
        if not path.exists():
            return ()
        try:
            return tuple(Look(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line)
        except (ValueError, TypeError) as error:
            raise BadFile(path, f"cannot be read: {error}", advice="Remove the last line.") from error

    def last_look(self) -> datetime | None:
        """When somebody last looked; None where nobody did. Reads the end of the log, and passes over torn lines."""
        path = self.folder / "log.jsonl"
        try:
            with path.open("rb") as handle:
                handle.seek(max(0, handle.seek(0, os.SEEK_END) - _END))
                lines = handle.read().split(b"\n")
        except FileNotFoundError:
            return None
        for line in reversed(lines):
            with suppress(ValueError, TypeError, KeyError):  # a process was killed while it wrote
                return datetime.fromisoformat(json.loads(line)["at"])
        return None

    def pulls(self) -> tuple[Path, ...]:
        """The files of all pulls that were kept, the oldest first."""
        return tuple(sorted((self.folder / "pulls").glob("*.json")))

    def last(self) -> Pulled | None:
        """The newest pull that was kept; BadFile for one that cannot be read."""
        files = self.pulls()
        return read_pull(files[-1]) if files else None


def find_archive(data: Path, base_url: str, comparison: str) -> Archive:
    """The archive of a comparison of the ORKG at an address, whichever of its versions is named; ValueError."""
    host = httpx.URL(base_url).netloc.decode("ascii")
    asked = Archive(data, host, comparison)
    if asked.pulls():
        return asked
    for folder in sorted(asked.folder.parent.glob("*")):
        other = Archive(data, host, folder.name)
        last = other.last()
        if last is not None and comparison in {one.id for one in last.head.versions.published}:
            return other
    return asked


def archives(data: Path) -> Iterator[tuple[str, str]]:
    """Host and comparison of every archive of a data folder that holds a pull."""
    for folder in sorted((data / FOLDER).glob("*/*")):
        if (folder / "pulls").is_dir():
            yield folder.parent.name, folder.name


def last_looks(data: Path) -> dict[tuple[str, str], datetime]:
    """When each comparison of a data folder was last looked at, by host and comparison."""
    found = {one: Archive(data, *one).last_look() for one in archives(data)}
    return {one: at for one, at in found.items() if at is not None}


def read_pull(file: Path) -> Pulled:
    """One pull that was kept; BadFile."""
    try:
        record = json.loads(file.read_bytes())
        return PULLED.read(json.dumps(record["pulled"]).encode(), str(file))
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(file, f"is no record of a pull: {error}", advice="Remove it, and pull again.") from error


def _named(text: str) -> str:
    """The name of a folder; ValueError for a text that is none."""
    if not _NAME.fullmatch(text) or set(text) <= {"."}:
        raise ValueError(f"{text!r} is no name of a folder")
    return text.replace(":", "-")


def time_of(look: Look) -> datetime:
    """When somebody looked."""
    return datetime.fromisoformat(look.at)
