"""Archives that are the same bytes for the same files: plain tar (USTAR), written and read by the same narrow rules.

The reader takes only what the writer makes: regular files with the one header that their name, size and time give. So
links, devices, sparse files, long-name tricks and compressed bombs have no form here, and a flipped bit in a header is
seen. An archive never unpacks to more bytes than it has itself. Never extracts to a place that a name chooses.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 512
_END = 2 * BLOCK
_CHUNK = 1 << 20
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}", re.ASCII)
_MOST = 2_000_000
_LONGEST = 200


class BadArchive(Exception):
    """The bytes are not an archive that the writer makes; the text says where they differ."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: its name with slashes, its size in bytes."""

    name: str
    size: int


def safe_name(name: str) -> bool:
    """Whether a name stays below the folder it is unpacked to, and is plain enough for every file system."""
    return len(name) <= _LONGEST and all(_PART.fullmatch(part) for part in name.split("/"))


class Writer:
    """Writes an archive. `time` is seconds since 1970; every file bears it."""

    def __init__(self, out: BinaryIO, *, time: int) -> None:
        self._out = out
        self._time = time

    def add(self, name: str, content: bytes) -> None:
        """Add a file."""
        self._out.write(_header(name, len(content), self._time))
        self._out.write(content)
        self._out.write(b"\0" * (-len(content) % BLOCK))

    def add_file(self, name: str, path: Path) -> tuple[int, str]:
        """Add a file from the disk; return its size and SHA-256. It must not become shorter meanwhile."""
        digest = hashlib.sha256()
        with path.open("rb") as source:
            size = source.seek(0, io.SEEK_END)
            source.seek(0)
            self._out.write(_header(name, size, self._time))
            left = size
            while left:
                chunk = source.read(min(left, _CHUNK))
                if not chunk:
                    raise OSError(f"{path} became shorter while it was read")
                digest.update(chunk)
                self._out.write(chunk)
                left -= len(chunk)
        self._out.write(b"\0" * (-size % BLOCK))
        return size, digest.hexdigest()

    def end(self) -> None:
        """Write the mark of the end."""
        self._out.write(b"\0" * _END)


def members(source: BinaryIO) -> Iterator[tuple[Member, Callable[[], Iterable[bytes]]]]:
    """The files of an archive, each with a function that gives its content in chunks, to be called at once if at all.

    Raises BadArchive at the first byte that the writer would not have written, also when the end is missing.
    """
    seen: set[str] = set()
    time: int | None = None
    while True:
        header = source.read(BLOCK)
        if header == b"\0" * BLOCK:
            if source.read() != b"\0" * BLOCK:
                raise BadArchive("there is something after its end")
            return
        if len(header) < BLOCK:
            raise BadArchive("it is cut off")
        member, made = _read_header(header)
        time = made if time is None else time
        if made != time:
            raise BadArchive(f"{member.name} bears another time than the files before it")
        if member.name in seen:
            raise BadArchive(f"{member.name} is in it twice")
        seen.add(member.name)
        if len(seen) > _MOST:
            raise BadArchive(f"it holds more than {_MOST} files")
        content = _Content(source, member)
        yield member, content.chunks
        content.finish()


class _Content:
    """The bytes of one file, read once, and the zeros after them."""

    def __init__(self, source: BinaryIO, member: Member) -> None:
        self._source = source
        self._member = member
        self._left = member.size

    def chunks(self) -> Iterator[bytes]:
        while self._left:
            chunk = self._source.read(min(self._left, _CHUNK))
            if not chunk:
                raise BadArchive(f"it is cut off inside {self._member.name}")
            self._left -= len(chunk)
            yield chunk

    def finish(self) -> None:
        for _ in self.chunks():
            pass
        padding = -self._member.size % BLOCK
        if self._source.read(padding) != b"\0" * padding:
            raise BadArchive(f"there is something between {self._member.name} and the next file")


def _header(name: str, size: int, time: int) -> bytes:
    if not safe_name(name):
        raise ValueError(f"{name!r} is no name for a file in an archive")
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, time, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _read_header(header: bytes) -> tuple[Member, int]:
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise BadArchive(f"it has a damaged header: {error}") from error
    if info.type != tarfile.REGTYPE:
        raise BadArchive(f"{info.name!r} is not a plain file")
    if not safe_name(info.name):
        raise BadArchive(f"{info.name!r} is no name for a file in it")
    if info.size < 0 or info.mtime < 0 or _header(info.name, info.size, int(info.mtime)) != header:
        raise BadArchive(f"the header of {info.name} was not written by slmkg")
    return Member(info.name, info.size), int(info.mtime)
