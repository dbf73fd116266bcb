"""Archives: the same bytes for the same files, readable by tar, and nothing but what the writer makes is read."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from app.store.archive import BLOCK, BadArchive, Writer, members, safe_name

FILES = {"a/one.txt": b"1", "a/two": b"", "b": b"x" * 513, "c/d/e.bin": bytes(range(256)) * 4}


def written(files: dict[str, bytes] | None = None, time: int = 1_700_000_000) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, time=time)
    for name, content in (FILES if files is None else files).items():
        writer.add(name, content)
    writer.end()
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    return {member.name: b"".join(chunks()) for member, chunks in members(io.BytesIO(data))}


def test_what_is_written_is_read() -> None:
    assert read(written()) == FILES
    assert written() == written()
    assert [member.size for member, _ in members(io.BytesIO(written()))] == [1, 0, 513, 1024], (
        "contents may be passed over"
    )
    assert read(written({})) == {}


def test_a_file_from_the_disk_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILES["b"])
    out = io.BytesIO()
    writer = Writer(out, time=1_700_000_000)
    assert writer.add_file("b", path)[0] == 513
    writer.end()
    assert out.getvalue() == written({"b": FILES["b"]})


def test_any_tar_reads_it(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(written())) as archive:
        assert archive.getnames() == list(FILES)
        archive.extractall(tmp_path, filter="data")
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES


def test_every_flipped_bit_outside_of_contents_is_seen() -> None:
    """A flipped bit in a content gives another content, in a header or between files a refusal."""
    data = written()
    chance = random.Random(7)
    places = {chance.randrange(len(data)) for _ in range(600)} | set(range(BLOCK))
    refused = 0
    for place in places:
        spoiled = bytearray(data)
        spoiled[place] ^= 1 << chance.randrange(8)
        try:
            assert read(bytes(spoiled)) != FILES
        except BadArchive:
            refused += 1
    assert refused > BLOCK


def test_every_cut_is_seen() -> None:
    data = written()
    for end in range(0, len(data), 97):
        with pytest.raises(BadArchive):
            read(data[:end])
    with pytest.raises(BadArchive, match="after its end"):
        read(data + b"\0")


def foreign(
    change: Callable[[tarfile.TarInfo], None], *, content: bytes = b"", form: Literal[0, 2] = tarfile.USTAR_FORMAT
) -> bytes:
    """An archive with one entry as Python's own module writes it."""
    info = tarfile.TarInfo("a")
    info.size, info.mtime, info.mode = len(content), 1_700_000_000, 0o644
    change(info)
    padding = b"\0" * (-len(content) % BLOCK)
    return info.tobuf(form) + content + padding + b"\0" * (2 * BLOCK)


def test_the_maker_of_foreign_archives_makes_ours_if_nothing_is_changed() -> None:
    assert foreign(lambda _: None, content=b"x") == written({"a": b"x"})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"name": "../a"}, id="up"),
        pytest.param({"name": "/etc/passwd"}, id="absolute"),
        pytest.param({"name": "a/../../b"}, id="up in the middle"),
        pytest.param({"name": "a//b"}, id="empty part"),
        pytest.param({"name": ".hidden"}, id="hidden"),
        pytest.param({"name": "a\\b"}, id="backslash"),
        pytest.param({"name": "a b"}, id="blank"),
        pytest.param({"name": "C:a"}, id="drive"),
        pytest.param({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, id="symbolic link"),
        pytest.param({"type": tarfile.LNKTYPE, "linkname": "b"}, id="hard link"),
        pytest.param({"type": tarfile.DIRTYPE}, id="folder"),
        pytest.param({"type": tarfile.FIFOTYPE}, id="pipe"),
        pytest.param({"type": tarfile.CHRTYPE}, id="device"),
        pytest.param({"type": tarfile.GNUTYPE_SPARSE}, id="sparse file"),
        pytest.param({"type": tarfile.XHDTYPE}, id="extended header"),
        pytest.param({"type": tarfile.GNUTYPE_LONGNAME}, id="long name"),
        pytest.param({"mode": 0o4755}, id="set-user bit"),
        pytest.param({"uid": 1}, id="owner"),
        pytest.param({"linkname": "b"}, id="link name"),
        pytest.param({"uname": "root"}, id="owner's name"),
    ],
)
def test_what_the_writer_does_not_write_is_not_read(change: dict[str, object]) -> None:
    def changed(info: tarfile.TarInfo) -> None:
        for name, value in change.items():
            setattr(info, name, value)

    with pytest.raises(BadArchive):
        read(foreign(changed))


def test_a_size_that_lies_is_seen() -> None:
    def larger(info: tarfile.TarInfo) -> None:
        info.size = 8**11 - 1

    with pytest.raises(BadArchive, match="cut off inside a"):
        read(foreign(larger))


def test_other_formats_and_no_archive_at_all() -> None:
    pax = foreign(lambda info: setattr(info, "name", "ä"), form=tarfile.PAX_FORMAT)
    for data in (pax, b"", b"\0" * BLOCK, b"PK\x03\x04" + b"\0" * 600, b"{}", random.Random(1).randbytes(2000)):
        with pytest.raises(BadArchive):
            read(data)


def test_one_name_twice_and_two_times_are_refused() -> None:
    one = written({"a": b"1"})[: 2 * BLOCK]
    with pytest.raises(BadArchive, match="twice"):
        read(one + written({"a": b"2"}))
    with pytest.raises(BadArchive, match="another time"):
        read(one + written({"b": b"2"}, time=5))


def test_names_that_are_safe() -> None:
    for name in ("a", "a/b.c", "releases/2026.11/graph.nq.gz", "_x-1"):
        assert safe_name(name)
    for name in (
        "",
        "/",
        "a/",
        "/a",
        ".",
        "..",
        "a/..",
        "a/./b",
        "~/a"[1:],
        "a\n",
        "ä",
        "a" * 300,
        "a/" * 120 + "b",
        "-" * 0,
    ):
        assert not safe_name(name)
    with pytest.raises(ValueError, match="no name"):
        Writer(io.BytesIO(), time=0).add("../a", b"")
