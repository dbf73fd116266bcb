"""Lets go of what a data folder need not keep, within bounds: ended jobs, model files, old pulls, columns, drafts.

Nothing of it can be missed: what jobs measured is in the graph, the other things are made or fetched again. What a
release, a webhook, a schedule or an open proposal still needs is never among it. Each thing goes by itself, and what
says where the rest begins is written first, so a process killed at any point leaves a whole folder, and the next look
finds what is left. Keeps nothing in memory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app.disk import needs_room
from app.durable import locked
from app.errors import StoreBusy
from app.folder import PRUNING
from app.jobs import slot
from app.jobs.queue import Queue
from app.model.health import Sign, good
from app.orkg.archive import FOLDER as ORKG

_DRAFTS = (
    "*.new",
    "store/*.new",
    "store/revisions/*.new",
    "webhooks/*.new",
    "webhooks/*/*.new",
    "webhooks/*.gone-*",
    "projections/work-*",
    f"{ORKG}/*/*/*.new",
    f"{ORKG}/*/*/*/*.new",
    f"{ORKG}/*/*/.*",
    f"{ORKG}/*/*/*/.*",
)
"""What is written before it gets its name. Nobody who lives writes at one for a day."""
_ABANDONED = timedelta(days=1)
_PARTS = ("store", "projections", "releases", "measuring", ORKG, "webhooks", "jobs.sqlite", "jobs.sqlite-wal")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much stays. `revisions` are those whose graph is kept; None for all of them."""

    jobs: timedelta
    models: int
    pulls: int
    columns: int
    revisions: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may go: what kind of thing, which one, how many bytes, and how."""

    kind: str
    name: str
    bytes: int
    remove: Callable[[], object]

    def as_json(self) -> dict[str, Any]:
        """The thing as plain data."""
        return {"kind": self.kind, "name": self.name, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Needs:
    """What somebody still needs: the oldest revision, and the pulls by comparison and day (2026-11-21)."""

    revision: int
    pulls: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Pruning:
    """What may go from one data folder. `let_go` drops the graphs before a revision.

    `revisions` are the numbers whose graph is kept. `needs` is asked at each look; without its answer nothing goes.
    """

    data: Path
    bounds: Bounds
    queue: Queue
    needs: Callable[[], Needs]
    now: Callable[[], datetime]
    revisions: Callable[[], range] = lambda: range(0)
    let_go: Callable[[int], object] = lambda _: None
    measuring: Path | None = None

    def look(self) -> tuple[Item, ...]:
        """What may go; changes nothing."""
        needed = self.needs()
        return (
            *self._drafts(),
            *self._columns(),
            *self._jobs(),
            *self._models(),
            *self._pulls(needed),
            *self._graphs(needed),
        )

    def prune(self) -> tuple[Item, ...]:
        """Let it go; return what went. StoreBusy while another process does so; StoreReadOnly."""
        try:
            with needs_room(), locked(self.data / PRUNING):
                found = self.look()
                return tuple(self._removed(found))
        except BlockingIOError as error:
            raise StoreBusy("another process prunes this folder", advice="Wait until it has finished.") from error

    def _removed(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            with suppress(FileNotFoundError):  # somebody else was faster
                if item.remove() is not False:
                    yield item
        if any(item.kind == "job" for item in items):
            self.queue.database.compact()

    def _drafts(self) -> Iterator[Item]:
        latest = (self.now() - _ABANDONED).timestamp()
        for pattern in _DRAFTS:
            for path in sorted(self.data.glob(pattern)):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < latest:
                        yield self._item("draft", path)

    def _columns(self) -> Iterator[Item]:
        found = sorted((self.data / "projections").glob("[0-9]" * 6))
        for path in found[: -self.bounds.columns]:
            yield self._item("columns", path)

    def _jobs(self) -> Iterator[Item]:
        before = self.now() - self.bounds.jobs
        for job, size in self.queue.forgettable(before).items():
            yield Item("job", job, size, partial(self.queue.forget, job, before))

    def _models(self) -> Iterator[Item]:
        """Model files, those first that were not used for the longest time; none while this machine measures."""
        found = []
        for path in (self.measuring or self.data / "measuring").glob("*.gguf"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((max(status.st_mtime, status.st_atime), status.st_size, path))
        left = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if left <= self.bounds.models:
                return
            left -= size
            yield Item("model file", path.name, size, partial(_unless_measuring, path))

    def _pulls(self, needed: Needs) -> Iterator[Item]:
        """Pulls of the ORKG but the newest, the first, and those of which proposals are open; answers of none."""
        for folder in sorted((self.data / ORKG).glob("*/*")):
            files = sorted((folder / "pulls").glob("[0-9]*.json"))
            going = [path for path in files[1 : -self.bounds.pulls] if (folder.name, _day_of(path)) not in needed.pulls]
            for path in going:
                yield self._item("pull", path)
            yield from self._answers(folder, [path for path in files if path not in going])

    def _answers(self, folder: Path, staying: Iterable[Path]) -> Iterator[Item]:
        """Raw answers that belong to no pull that stays; where one cannot be read, none goes."""
        latest = (self.now() - _ABANDONED).timestamp()
        used: set[str] = set()
        try:
            for path in staying:
                used.update(one["sha256"] for one in json.loads(path.read_bytes())["requests"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        for path in sorted((folder / "payloads").glob("[0-9a-f]" * 64)):
            with suppress(FileNotFoundError):
                if path.name not in used and path.stat().st_mtime < latest:
                    yield self._item("answer", path)

    def _graphs(self, needed: Needs) -> Iterator[Item]:
        kept = self.revisions()
        if self.bounds.revisions is None or not kept:
            return
        first = min(kept.stop - self.bounds.revisions, needed.revision)
        for number in range(kept.start, first):
            path = self.data / "store" / "revisions" / f"{number:06d}"
            yield Item("graph", f"revision {number}", _own_bytes(path), partial(self.let_go, number + 1))

    def _item(self, kind: str, path: Path) -> Item:
        def remove() -> None:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()

        return Item(kind, path.relative_to(self.data).as_posix(), _own_bytes(path), remove)


def examine(data: Path) -> tuple[Sign, ...]:
    """How large the parts of a data folder are; files with several names count once."""
    if not data.is_dir():
        return ()
    sizes = {name: size for name in _PARTS if (size := _bytes_below(data / name))}
    told = ", ".join(f"{name} {_in_words(size)}" for name, size in sizes.items())
    return (good("sizes", f"{told or 'nothing'}; `slmkg prune --dry-run` tells what may go"),)


def summary(items: Iterable[Item]) -> str:
    """What went, or may go, in a few words."""
    found = tuple(items)
    kinds = Counter(item.kind for item in found)
    told = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    return f"{told or 'nothing'}, {_in_words(sum(item.bytes for item in found))}"


def pulls_named(titles: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Comparison and day of the pulls that titles of proposals name."""
    return frozenset((match[1], match[2]) for title in titles if (match := _TITLE.match(title)))


_TITLE = re.compile(r"ORKG comparison ([^ ,]+), .*pulled on ([0-9-]{10})")


def _unless_measuring(path: Path) -> bool:
    """Remove a model file, if nobody on this machine measures now."""
    with slot.held(slot.usual()) as ours:
        if ours:
            path.unlink()
        return ours


def _day_of(pull: Path) -> str:
    """The day of a pull, from its name (000007-20261121T…)."""
    digits = pull.stem.partition("-")[2][:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _own_bytes(path: Path) -> int:
    """Bytes that are free when a file or folder is gone: without files that have other names, too."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            status = file.stat()
            total += status.st_size if status.st_nlink == 1 else 0
    return total


def _bytes_below(path: Path) -> int:
    seen: dict[tuple[int, int], int] = {}
    if path.is_file():
        return path.stat().st_size
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                status = (Path(folder) / name).lstat()
                seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def _in_words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{size / 1e6:.1f} MB"
