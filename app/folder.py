"""The format of a data folder: a number in a file at its root, and the steps that lead from each format to the next.

    <folder>/FOLDER.json      the format, the version of slmkg that wrote it, and which seed data was loaded last
    <folder>/IN-USE           lock: every service shares it; whoever changes the format must have it alone
    <folder>/SERVING          lock: held by the one `slmkg serve`, which says there who it is

Format 1 has no such file. Revisions that slmkg made before it kept patches have none.
Format 2 has the file, and beside every revision whose graph is kept lies its patch.

A folder of an older format is brought to ours step by step. The number moves when a step is done, so a killed process
leaves the folder in the format before, and the step is begun anew. A folder of a newer format is left alone. Knows
nothing of what lies in the folder but the names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app import __version__
from app.disk import needs_room
from app.durable import locked, write_durably
from app.errors import FolderTooNew, StoreBusy, StoreDamaged, StoreReadOnly
from app.model.health import Sign, bad, good, note

Say = Callable[[str], None]

FORMAT = 2
"""Raise it with every change that an older slmkg could not read, or that a step has to bring about."""
MARK = "FOLDER.json"
IN_USE = "IN-USE"
SERVING = "SERVING"
PRUNING = "PRUNING"
LOCKS = frozenset({IN_USE, SERVING, PRUNING})
"""Files that say nothing of a folder once nobody works there."""
PARTS = ("jobs.sqlite", "keys.json", "orkg", "projections", "releases", "store", "webhooks")
"""Names that only slmkg gives: a folder that holds one of them and no mark has the first format."""
_READ = frozenset({".csv", ".ttl", ".trig", ".jsonl"})
"""Endings of the files of seed data that say something."""


@dataclass(frozen=True, slots=True)
class SeedData:
    """Which seed data was loaded last: its hash, the slmkg that loaded it, whether it was the shipped one."""

    digest: str
    slmkg: str
    shipped: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What a folder says of itself. `slmkg` is the version that gave it its format."""

    format: int
    slmkg: str
    seed: SeedData | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """How a folder of one format becomes one of the next.

    `run` may be killed anywhere, and is then begun anew. Until it ends, everything that the older format needs must
    still be there. `needed` says whether a folder cannot be read before it is done.
    """

    leads_from: int
    says: str
    run: Callable[[Path, Say], object]
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Folder:
    """The data folder of one installation. `steps` lead from each older format to the next."""

    path: Path
    steps: Sequence[Step] = ()
    newest: int = FORMAT

    def mark(self) -> Mark | None:
        """What the folder says of itself, or what must be; None for one in which nothing lies yet. StoreDamaged."""
        file = self.path / MARK
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            seed = record.get("seed")
            number, slmkg = int(record["format"]), str(record["slmkg"])
            found = Mark(max(number, 1), slmkg, None if seed is None else SeedData(**seed))
        except (FileNotFoundError, NotADirectoryError):
            return Mark(1, "before 0.1.0") if any((self.path / name).exists() for name in PARTS) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreDamaged(
                f"{file} cannot be read as the format of the folder",
                advice="Restore it from a backup, or remove it: the format is then found from what lies there.",
            ) from error
        return found

    def to_do(self) -> tuple[Step, ...]:
        """The steps that lead to our format, in order; none where there is nothing to do. FolderTooNew."""
        found = self.mark()
        if found is None:
            return ()
        if found.format > self.newest:
            raise FolderTooNew(str(self.path), found.format, self.newest, found.slmkg, __version__)
        return tuple(
            step for number in range(found.format, self.newest) for step in self.steps if step.leads_from == number
        )

    def upgrade(self, say: Say) -> tuple[str, ...]:
        """Bring the folder to our format; return what was done, in words.

        StoreBusy while a service or another upgrade is at work there. Nothing is said of a folder without a graph, such
        as one in which only a key was made. A folder that cannot be written stays as it is, if it can be read so.
        """
        if not self.to_do() and not self._lacks_number():
            return ()
        hardly_begun = not (self.path / MARK).exists() and not (self.path / "store").exists()
        try:
            with self._alone():
                done = tuple(self._steps(_silent if hardly_begun else say))
                return () if hardly_begun else done
        except StoreReadOnly:
            if any(step.needed for step in self.to_do()):
                raise
            say(f"{self.path} cannot be written, and is read in its older format")
            return ()

    def claim(self) -> None:
        """Mark a folder as one of our format, unless it says already what it is."""
        if not (self.path / MARK).exists():
            with needs_room():
                self.path.mkdir(parents=True, exist_ok=True)
                self._write(Mark(self.newest, __version__))

    def loaded(self, data: Path, also: Path, *, shipped: bool) -> None:
        """Keep in mind which seed data was loaded."""
        with needs_room():
            self.path.mkdir(parents=True, exist_ok=True)
            mark = self.mark() or Mark(self.newest, __version__)
            mark = mark if (self.path / MARK).exists() else replace(mark, format=self.newest, slmkg=__version__)
            seed = SeedData(digest_of(data, also), __version__, shipped)
            if mark.seed != seed:
                self._write(replace(mark, seed=seed))

    def examine(self) -> tuple[Sign, ...]:
        """Whether we can use the folder; nothing where there is none yet."""
        try:
            found, steps = self.mark(), self.to_do()
        except (FolderTooNew, StoreDamaged) as error:
            return (bad("format", error.message, error.advice),)
        if found is None:
            return ()
        if found.format < self.newest:
            says = f"{found.format}, written by slmkg {found.slmkg}; this slmkg writes {self.newest}"
            doing = "; ".join(step.says for step in steps)
            advice = f"The next command brings it there: {doing}. `slmkg upgrade` does nothing else."
            return (note("format", says, advice),)
        return (good("format", f"{found.format}, written by slmkg {found.slmkg}"),)

    def examine_seed(self, shipped: Path, also: Path, *, filled: bool) -> tuple[Sign, ...]:
        """Whether the seed data that was loaded is that of this slmkg. `filled` says whether anything was loaded."""
        try:
            found = self.mark()
        except StoreDamaged:
            return ()  # told already
        if found is None or not filled:
            return ()
        if found.seed is None:
            return (note("seed data", "nobody knows which was loaded last", LOAD_AGAIN),)
        if not found.seed.shipped:
            return (good("seed data", f"a folder of your own, loaded by slmkg {found.seed.slmkg}"),)
        if found.seed.digest != digest_of(shipped, also):
            says = f"loaded by slmkg {found.seed.slmkg}; slmkg {__version__} ships other"
            return (note("seed data", says, LOAD_AGAIN),)
        return (good("seed data", f"as slmkg {__version__} ships it"),)

    def _lacks_number(self) -> bool:
        """Whether a folder is older than ours, also where no step leads on."""
        found = self.mark()
        return found is not None and found.format < self.newest

    def _steps(self, say: Say) -> Iterator[str]:
        for step in self.to_do():
            say(f"data folder of format {step.leads_from}: {step.says}")
            with needs_room():
                step.run(self.path, say)
                self._reach(step.leads_from + 1)
            yield step.says
        if self._lacks_number():
            with needs_room():
                self._reach(self.newest)

    def _reach(self, number: int) -> None:
        found = self.mark()
        self._write(Mark(number, __version__, None if found is None else found.seed))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with needs_room(), locked(self.path / IN_USE):
                yield
        except BlockingIOError as error:
            raise StoreBusy(
                f"{self.path} has an older format, and somebody works on it",
                advice="Stop the service (and every command) of the older slmkg first; nothing was changed.",
            ) from error

    def _write(self, mark: Mark) -> None:
        record: dict[str, Any] = {"format": mark.format, "slmkg": mark.slmkg}
        if mark.seed is not None:
            record["seed"] = {"digest": mark.seed.digest, "slmkg": mark.seed.slmkg, "shipped": mark.seed.shipped}
        write_durably(self.path / MARK, json.dumps(record, indent=1) + "\n")


def _silent(_: str) -> None:
    """Say nothing."""


LOAD_AGAIN = (
    "`slmkg load` brings in the shipped one as a new revision; what people proposed, decided and measured stays, and "
    "nothing changes where nothing differs."
)


@contextmanager
def only_service(data: Path, *, address: str, now: datetime) -> Iterator[None]:
    """Be the one `slmkg serve` on a data folder while the block runs; StoreBusy with what is known of the other one.

    A folder that cannot be written bears no lock, and nobody can spoil it.
    """
    place = data / SERVING
    with ExitStack() as held:
        try:
            with suppress(StoreReadOnly), needs_room():
                data.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(place))
                place.write_text(f"process {os.getpid()} since {now.isoformat(timespec='seconds')} on {address}\n")
        except BlockingIOError as error:
            raise StoreBusy(
                f"another service works on {data.absolute()}: {_told(place)}",
                advice="Stop that one, or name another folder in SLMKG_DATA_DIR. For more processes set SLMKG_WORKERS; "
                "SLMKG_BESIDE=true lets this one serve beside it.",
            ) from error
        yield


def _told(place: Path) -> str:
    """What the other service wrote down of itself."""
    try:
        return place.read_text(encoding="ascii", errors="replace").strip() or "it says nothing of itself"
    except OSError:
        return "it says nothing of itself"


def digest_of(*folders: Path) -> str:
    """SHA-256 over names and content of everything in some folders that a load reads."""
    total = hashlib.sha256()
    for folder in folders:
        for file in sorted(_files(folder)):
            total.update(f"{file.relative_to(folder).as_posix()}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.suffix in _READ and path.is_file())
