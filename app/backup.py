"""Backups of a data folder while it is in use, and their way back. One file holds everything, with a sum for each part.

    files/store/…        revisions and their records; nothing of them ever changes
    files/releases/…     whole releases
    files/FOLDER.json    the format of the folder
    files/jobs.sqlite    the queue: jobs, their results, schedules; as it is at one moment
    files/orkg/…         archives of pulls, the mapping that people confirmed, the record of pushes
    files/keys.json …    keys, and webhooks with their secrets, only when asked for
    blobs/SHA256         files that several revisions share, once each
    backup.json          comes last: what the backup holds, and every sum

The head is read first and then only what it leads to, so a backup taken while somebody writes is the state at one
revision. A backup and a restored folder get their names when they are whole; a killed process leaves the old state.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from app import __version__
from app.database import copy_database, is_whole
from app.disk import needs_room
from app.durable import exchange, locked, sync, sync_tree, write_durably
from app.errors import BadFile, BadParameter, NotFound, StoreBusy, StoreError, StoreReadOnly
from app.folder import IN_USE, LOCKS, MARK
from app.store.archive import BadArchive, Writer, members, safe_name
from app.store.port import GraphStore, Holdings

Progress = Callable[[str], None]

FORMAT = 2
"""1 had neither the queue nor what lies in `orkg`, nor the format of the folder; it is read as well."""
SECRETS = ("keys.json", "webhooks")
"""Files and folders of the data folder that hold secrets, or their hashes."""
BOOKS = ("jobs.sqlite", "orkg/outbox.sqlite")
"""Databases: copied through their engine, so that a copy is a whole one while others write."""
_ASIDE = ("orkg/kept.sqlite",)
"""What can be fetched again."""
_JOURNALS = ("-journal", "-shm", "-wal")
_INDEX = "backup.json"
_UNFINISHED = "RESTORE-UNFINISHED"
_SHARED = ".sst"
"""Ending of the engine's files that revisions share and that never change."""
_MOST_PATHS = 2_000_000
_MOST_INDEX = 500_000_000
_RELEASE = re.compile(r"[0-9]{4}\.[0-9a-z.-]+", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds. `since` is the oldest revision whose graph is in it; `files` counts paths."""

    made_at: datetime
    revision: int
    since: int
    releases: tuple[str, ...]
    secrets: bool
    files: int
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """The contents as plain data."""
        return {
            "made_at": self.made_at.isoformat(),
            "revision": self.revision,
            "since": self.since,
            "releases": list(self.releases),
            "keys": self.secrets,
            "files": self.files,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did; `aside` is where the folder's former content lies, if it had any."""

    contents: Contents
    folder: Path
    aside: Path | None


@dataclass(frozen=True, slots=True)
class Backups:
    """Makes and restores backups of one data folder. `open_store` opens a store in a folder, to try a restored one."""

    data: Path
    holdings: Callable[[bool], Holdings]
    open_store: Callable[[Path], GraphStore]
    now: Callable[[], datetime]

    def make(
        self,
        target: Path,
        *,
        all_revisions: bool = False,
        with_keys: bool = False,
        progress: Progress = lambda _: None,
    ) -> Contents:
        """Write a backup into a new file and read it back; BadParameter when the file is there already."""
        if target.exists():
            raise BadParameter("FILE", f"{target} is there already", advice="Name a new file.")
        if not target.parent.is_dir():
            raise BadParameter("FILE", f"there is no folder {target.parent}", advice="Make it first.")
        with _working(target) as working, _working(target, folder=True, kind="-books") as books:
            progress("reading the head")
            # Before the head: a job that is brought in meanwhile is in the graph, and in the queue not yet, which mends
            # itself. The other way round it would be lost.
            kept = _copied_books(self.data, books)
            held = self.holdings(all_revisions)
            progress("copying")
            self._write(working, held, kept, with_keys=with_keys)
            progress("checking")
            contents = check(working)
            sync(working)
            try:
                os.link(working, target)  # unlike a rename it never replaces what came there meanwhile
            except FileExistsError as error:
                raise BadParameter("FILE", f"{target} is there already", advice="Name a new file.") from error
            except OSError:  # a file system without links
                working.rename(target)
            sync(target.parent)
        return contents

    def restore(
        self, source: Path, *, into: Path | None = None, force: bool = False, progress: Progress = lambda _: None
    ) -> Restored:
        """Make a folder (the data folder by default) hold what a backup says, or change nothing.

        A folder that holds something is replaced only with `force`; what was in it is kept beside it. BadFile for a
        file that is damaged or was not written by `make`, StoreBusy while a service or a writer is at work there.
        """
        target = (into or self.data).absolute()
        while target.parent != target and not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
        occupied = _occupied(target)
        if occupied and not force:
            raise BadParameter(
                "FOLDER",
                f"{target} is not empty",
                advice="Use --force to put its content aside, or --into for another.",
            )
        with ExitStack() as held:
            if target.is_dir():
                held.enter_context(_alone(target))
            inside = not occupied and os.path.ismount(target)
            room = target if inside else target.parent
            with _working(room / target.name, folder=True) as working:
                progress("unpacking")
                contents = _unpack(source, working)
                progress("opening the store")
                self._try(source, working, contents)
                sync_tree(working)
                progress("putting it in its place")
                aside = _put(working, target, occupied=occupied, inside=inside)
        return Restored(contents, target, aside)

    def _write(self, out: Path, held: Holdings, books: Mapping[str, Path], *, with_keys: bool) -> None:
        files: dict[str, list[Any]] = {}
        with out.open("wb") as handle:
            writer = Writer(handle, time=int(self.now().timestamp()))
            for name, content in held.texts.items():
                data = content.encode("ascii")
                writer.add(f"files/store/{name}", data)
                files[f"store/{name}"] = [len(data), hashlib.sha256(data).hexdigest()]
            blobs: set[str] = set()
            known: dict[tuple[int, int], str] = {}
            paths = {f"store/{name}": path for name, path in held.files.items()}
            releases = _releases(self.data / "releases")
            paths |= _below(self.data, [f"releases/{name}" for name in releases])
            paths |= _below(self.data, SECRETS if with_keys else ())
            paths |= {name: path for name, path in _below(self.data, ["orkg"]).items() if _never_changes(name)}
            paths |= books
            for name, path in paths.items():
                if name.startswith(SECRETS) and not path.exists():
                    continue  # a webhook that was removed meanwhile
                if not safe_name(f"files/{name}"):
                    raise StoreError(f"{path} has a name that a backup cannot hold", advice="Rename or remove it.")
                if path.suffix != _SHARED:
                    files[name] = list(writer.add_file(f"files/{name}", path))
                else:
                    status = path.stat()
                    sha = known.get((status.st_dev, status.st_ino)) or _sum(path)
                    known[status.st_dev, status.st_ino] = sha
                    if sha not in blobs:
                        blobs.add(sha)
                        writer.add_file(f"blobs/{sha}", path)
                    files[name] = [status.st_size, sha]
            index = {
                "format": FORMAT,
                "slmkg": __version__,
                "made_at": self.now().isoformat(),
                "revision": held.head,
                "since": held.since,
                "releases": releases,
                "keys": with_keys,
                "files": files,
            }
            writer.add(_INDEX, (json.dumps(index, indent=1) + "\n").encode("utf-8"))
            writer.end()

    def _try(self, source: Path, folder: Path, contents: Contents) -> None:
        """Open a restored store and count it; BadFile when it is not what the backup says."""
        for name in BOOKS:
            if (folder / name).exists() and not is_whole(folder / name):
                raise BadFile(source, f"the {name} in it cannot be read", advice=_OTHER)
        try:
            store = self.open_store(folder / "store")
            head = store.head()
            found = sum(1 for _ in store.at().quads())
            store.close()
        except (StoreError, NotFound, RuntimeError, OSError) as error:  # the engine has no errors of its own
            raise BadFile(source, "the store in it cannot be opened", advice=_OTHER) from error
        if (head.number, head.quads) != (contents.revision, found):
            raise BadFile(
                source,
                f"the store in it is at revision {head.number} with {found} quads, "
                f"not {contents.revision} with {head.quads}",
                advice=_OTHER,
            )


def check(source: Path) -> Contents:
    """Read a whole backup and compare every sum; BadFile."""
    return _read(source, None)


@contextmanager
def in_use(data: Path) -> Iterator[None]:
    """Say that a service works on a data folder, so that nobody replaces it meanwhile.

    A folder that cannot be written cannot be replaced by its users either: it is served without saying so.
    """
    with needs_room():
        data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            with suppress(StoreReadOnly), needs_room():
                held.enter_context(locked(data / IN_USE, shared=True))
        except BlockingIOError as error:
            raise StoreBusy(f"{data} is being replaced", advice="Wait until that has finished.") from error
        yield


_OTHER = "Use another backup."
_REFUSED = "Use a file that `slmkg backup` wrote, unchanged."


def _unpack(source: Path, folder: Path) -> Contents:
    return _read(source, folder)


def _read(source: Path, folder: Path | None) -> Contents:
    """Read a backup, into a folder if there is one. Nothing lands outside of the folder, whatever the names say."""
    try:
        with source.open("rb") as handle:
            found, index = _parts(handle, folder)
        contents, wanted = _index(index, source.stat().st_size)
        _compare(found, wanted)
        if folder is not None:
            _arrange(folder, wanted)
    except FileNotFoundError as error:
        raise BadFile(source, "is not there", advice="Name a backup.") from error
    except BadArchive as error:
        raise BadFile(source, f"is no whole backup: {error}", advice=_REFUSED) from error
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise BadFile(source, f"is no backup: {error.strerror}", advice=_REFUSED) from error
    return contents


def _parts(handle: BinaryIO, folder: Path | None) -> tuple[dict[str, tuple[int, str]], bytes]:
    """Size and sum of every part of a backup, and its index; the parts go into a folder if there is one."""
    found: dict[str, tuple[int, str]] = {}
    index: bytes | None = None
    for member, chunks in members(handle):
        kind, _, rest = member.name.partition("/")
        if index is not None:
            raise BadArchive(f"{member.name} stands after {_INDEX}")
        if member.name == _INDEX and member.size <= _MOST_INDEX:
            index = b"".join(chunks())
        elif (kind == "files" and rest) or (kind == "blobs" and _HASH.fullmatch(rest)):
            found[member.name] = (
                member.size,
                _copied(chunks(), None if folder is None else _place(folder, member.name)),
            )
        else:
            raise BadArchive(f"{member.name} is no part of a backup")
    if index is None:
        raise BadArchive(f"it has no {_INDEX}")
    return found, index


def _copied(chunks: Iterable[bytes], out: Path | None) -> str:
    """The sum of some bytes, which go into a new file if there is one."""
    digest = hashlib.sha256()
    with ExitStack() as opened:
        to = None if out is None else opened.enter_context(out.open("xb"))
        for chunk in chunks:
            digest.update(chunk)
            if to is not None:
                to.write(chunk)
    return digest.hexdigest()


def _index(index: bytes, size: int) -> tuple[Contents, dict[str, tuple[int, str]]]:
    """The contents, and size and sum of every path."""
    try:
        data = json.loads(index)
        if data["format"] not in range(1, FORMAT + 1):
            writer = data.get("slmkg")
            raise BadArchive(
                f"it has format {data['format']}, which slmkg {writer} wrote; this slmkg reads to {FORMAT}"
            )
        wanted = {str(name): (int(length), str(sha)) for name, (length, sha) in data["files"].items()}
        contents = Contents(
            made_at=datetime.fromisoformat(data["made_at"]),
            revision=int(data["revision"]),
            since=int(data["since"]),
            releases=tuple(map(str, data["releases"])),
            secrets=bool(data["keys"]),
            files=len(wanted),
            bytes=size,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadArchive(f"its {_INDEX} cannot be used: {error}") from error
    if len(wanted) > _MOST_PATHS:
        raise BadArchive(f"it names more than {_MOST_PATHS} files")
    allowed = {"store", "releases", MARK, "jobs.sqlite", "orkg", *SECRETS}
    for name in wanted:
        if not safe_name(name) or name.partition("/")[0] not in allowed:
            raise BadArchive(f"it names the file {name!r}")
    return contents, wanted


def _compare(found: Mapping[str, tuple[int, str]], wanted: Mapping[str, tuple[int, str]]) -> None:
    """Whether every path is there, once, with its sum, and nothing else."""
    needed: dict[str, tuple[int, str]] = {}
    for name, (size, sha) in wanted.items():
        needed[_part(name, sha)] = (size, sha)
    for part in sorted(needed.keys() | found.keys()):
        if part not in found:
            raise BadArchive(f"{part} is missing")
        if part not in needed:
            raise BadArchive(f"{part} is not named in {_INDEX}")
        if found[part] != needed[part]:
            raise BadArchive(f"{part} has {found[part][0]} bytes and SHA-256 {found[part][1]}, not {needed[part]}")


def _part(name: str, sha: str) -> str:
    """The part of the archive in which a path's bytes lie."""
    return f"blobs/{sha}" if name.endswith(_SHARED) else f"files/{name}"


def _place(folder: Path, name: str) -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _arrange(folder: Path, wanted: Mapping[str, tuple[int, str]]) -> None:
    """Give the unpacked parts their names; what revisions share becomes one file with several names."""
    for name, (_, sha) in wanted.items():
        if name.endswith(_SHARED):
            os.link(folder / "blobs" / sha, _place(folder, name))
        else:
            (folder / "files" / name).rename(_place(folder, name))
        if name in BOOKS:
            (folder / name).chmod(0o600)
        if name.startswith(SECRETS):
            (folder / name).chmod(0o600)
            for above in list(Path(name).parents)[:-1]:
                (folder / above).chmod(0o700)
    shutil.rmtree(folder / "blobs", ignore_errors=True)
    shutil.rmtree(folder / "files", ignore_errors=True)


def _put(working: Path, target: Path, *, occupied: bool, inside: bool) -> Path | None:
    """Give a restored folder its name in one step; return where the former content is."""
    if inside:  # a mount point cannot be renamed: until the mark is gone, nothing in it counts
        write_durably(target / _UNFINISHED, "a restore began here and has not ended\n")
        for name in (*SECRETS, "jobs.sqlite", "orkg", "releases", "store", MARK):
            _remove(target / name)
            for journal in _JOURNALS:
                _remove(target / f"{name}{journal}")
            if (working / name).exists():
                (working / name).rename(target / name)
        sync(target)
        (target / _UNFINISHED).unlink()
        sync(target)
        return None
    if not occupied:
        for name in LOCKS:
            (target / name).unlink(missing_ok=True)
        working.rename(target)  # an empty folder gives way
        sync(target.parent)
        return None
    aside = _free(target)
    working.rename(aside)
    try:
        exchange(aside, target)
    except OSError as error:
        aside.rename(working)
        raise StoreError(
            f"{target} cannot be replaced in one step: {error.strerror}",
            advice="Restore into another folder with --into, and name that in SLMKG_DATA_DIR.",
        ) from error
    sync(target.parent)
    return aside


def _free(target: Path) -> Path:
    """A name beside a folder for its former content."""
    number = 1
    while (found := target.with_name(f"{target.name}.before-restore-{number}")).exists():
        number += 1
    return found


def _occupied(target: Path) -> bool:
    """Whether a folder holds anything but what an unfinished restore left; BadParameter when it is a file."""
    if target.exists() and not target.is_dir():
        raise BadParameter("FOLDER", f"{target} is a file", advice="Name a folder.")
    mark = f".{target.name}.partial-"
    if not target.is_dir() or (target / _UNFINISHED).exists():
        return False
    return any(not path.name.startswith(mark) and path.name not in LOCKS for path in target.iterdir())


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold every lock of a data folder; StoreBusy while somebody else is at work there."""
    with ExitStack() as held:
        for path in (target / IN_USE, target / "store" / "LOCK", target / "releases" / "LOCK"):
            if not path.parent.is_dir():
                continue
            try:
                held.enter_context(locked(path))
            except BlockingIOError as error:
                raise StoreBusy(
                    f"somebody works on {target}", advice="Stop the service and every command on it first."
                ) from error
        yield


@contextmanager
def _working(target: Path, *, folder: bool = False, kind: str = "") -> Iterator[Path]:
    """A file or folder beside the target to work in. What killed processes left is removed: its lock is free."""
    mark = f".{target.name}.partial-"
    for leftover in target.parent.glob(f"{mark}*"):
        lock = leftover if leftover.suffix == ".lock" else leftover.with_name(f"{leftover.name}.lock")
        try:
            with locked(lock):
                _remove(leftover)
                lock.unlink(missing_ok=True)
        except BlockingIOError:
            continue
    working = target.with_name(f"{mark}{os.getpid()}{kind}")
    lock = working.with_name(f"{working.name}.lock")
    with locked(lock):
        try:
            if folder:
                working.mkdir()
            yield working
        finally:
            _remove(working)
            lock.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _releases(folder: Path) -> list[str]:
    """Names of the whole releases."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and _RELEASE.fullmatch(path.name))


def _below(data: Path, names: Iterable[str]) -> dict[str, Path]:
    """The files of some folders, or the files themselves, by path below the data folder."""
    found: dict[str, Path] = {}
    for name in names:
        path = data / name
        for one in [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []:
            if one.is_file() and not one.is_symlink() and one.name != "LOCK":
                found[one.relative_to(data).as_posix()] = one
    return found


def _copied_books(data: Path, into: Path) -> dict[str, Path]:
    """Copies of the databases, and of the other files that change, by path below the data folder."""
    found: dict[str, Path] = {}
    for name, path in _below(data, [MARK, "jobs.sqlite", "orkg"]).items():
        if _never_changes(name) or name in _ASIDE or name.endswith(_JOURNALS) or _is_draft(path):
            continue
        place = _place(into, name)
        if name in BOOKS:
            copy_database(path, place)
        else:
            with suppress(FileNotFoundError):
                shutil.copyfile(path, place)
        if place.exists():
            found[name] = place
    return found


def _never_changes(name: str) -> bool:
    """Whether a file of the archives of the ORKG is written once; drafts begin with a dot."""
    path = Path(name)
    return path.parts[0] == "orkg" and path.parent.name in {"payloads", "pulls"} and not _is_draft(path)


def _is_draft(path: Path) -> bool:
    return path.name.startswith(".") or path.suffix == ".new"


def _sum(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
