"""What only the store on disk can show: its folder, its records, other processes, and damage."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from app.disk import needs_room
from app.errors import StaleRevision, StoreBusy, StoreDamaged, StoreEmpty, StoreFull, StoreReadOnly
from app.model.rdf import Quad
from app.store.embedded import EmbeddedStore
from app.store.port import Snapshot
from tests.store.quads import change, content, quad

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store"


@pytest.fixture
def store(folder: Path) -> EmbeddedStore:
    """A store with two revisions."""
    store = EmbeddedStore(folder)
    store.apply(change([quad("s", 1)]), expect=0)
    store.apply(change([quad("s", 2)]), expect=1)
    return store


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} | {f"revisions/{p.name}" for p in folder.glob("revisions/*")}


LAID_OUT = {
    "FORMAT",
    "HEAD",
    "LOCK",
    "revisions",
    "revisions/000001",
    "revisions/000001.json",
    "revisions/000001.patch",
    "revisions/000002",
    "revisions/000002.json",
    "revisions/000002.patch",
}


def test_opening_a_folder_that_is_not_there_makes_nothing(folder: Path) -> None:
    with pytest.raises(StoreEmpty) as found:
        EmbeddedStore(folder).head()
    assert "slmkg load" in found.value.advice
    assert not folder.parent.exists()


def test_the_folder_is_laid_out_as_said(store: EmbeddedStore, folder: Path) -> None:
    assert files(folder) == LAID_OUT
    assert (folder / "FORMAT").read_text() == "1\n"
    assert (folder / "HEAD").read_text() == "2\n"
    record = json.loads((folder / "revisions" / "000002.json").read_text())
    assert record == {
        "number": 2,
        "reason": "test",
        "author": "https://example.org/me",
        "made_at": "2026-11-21T12:00:00+00:00",
        "added": 1,
        "removed": 0,
        "quads": 2,
    }


def test_a_failed_commit_leaves_no_file(store: EmbeddedStore, folder: Path) -> None:
    def check(_: Snapshot) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.apply(change([quad("s", 3)]), expect=2, check=check)
    assert files(folder) == LAID_OUT


def test_a_commit_that_fails_at_its_end_leaves_no_file(store: EmbeddedStore, folder: Path) -> None:
    """The revision is in its place already when its record cannot be written."""
    record = folder / "revisions" / f"000003.json.{os.getpid()}.new"
    with pytest.raises(IsADirectoryError):
        store.apply(change([quad("s", 3)]), expect=2, check=lambda _: record.mkdir())
    assert files(folder) == LAID_OUT
    assert store.apply(change([quad("s", 3)]), expect=2).number == 3


FULL = """
import resource, sys
from pathlib import Path
from app.errors import StoreFull
from app.store.embedded import EmbeddedStore
from tests.store.quads import change, quad

store, most, size = EmbeddedStore(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
try:
    store.apply(change([quad(f"s{n}", f"{n}" * 20) for n in range(size)]), expect=2)
except StoreFull as error:
    print(error.code, store.head().number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(store.apply(change([quad("s", 3)]), expect=2).number)
"""


@pytest.mark.parametrize(("most", "size"), [(20_000, 2_000), (100_000, 20_000), (10, 1)], ids=["few", "many", "none"])
def test_a_disk_without_room_is_told_and_changes_nothing(
    store: EmbeddedStore, folder: Path, most: int, size: int
) -> None:
    """The operating system refuses to let a file grow, as a full disk does; with room again, all goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder), str(most), str(size)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["store-full", "2", "3"], done.stderr
    assert files(folder) == LAID_OUT | {f"revisions/000003{ending}" for ending in ("", ".json", ".patch")}
    assert content(store) == {quad("s", 1), quad("s", 2), quad("s", 3)}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_what_a_full_disk_says_is_known(number: int) -> None:
    """With its number, and in words alone, as the engine passes it on."""
    for error in (OSError(number, os.strerror(number)), OSError(f"IO error: while appending: {os.strerror(number)}")):
        with pytest.raises(StoreFull), needs_room():
            raise error
    with pytest.raises(StoreReadOnly), needs_room():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), needs_room():
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_revision_is_never_written_again(store: EmbeddedStore, folder: Path) -> None:
    def state() -> dict[str, tuple[int, int, bytes]]:
        return {
            path.name: (path.stat().st_mtime_ns, path.stat().st_size, path.read_bytes())
            for path in sorted((folder / "revisions" / "000002").iterdir())
        }

    before = state()
    for number in range(2, 5):
        store.apply(change([quad("s", 100 + number)], [quad("s", number - 1)]), expect=number)
        assert content(store, 2) == {quad("s", 1), quad("s", 2)}
    assert state() == before


def test_what_a_killed_writer_left_is_removed_by_the_next(store: EmbeddedStore, folder: Path) -> None:
    leftovers = [folder / "work-1", folder / "work-99999", folder / "revisions" / "000003"]
    for leftover in leftovers:
        leftover.mkdir()
        (leftover / "CURRENT").write_text("half a revision")
    (folder / "revisions" / "000003.json").write_text("{")
    (folder / "revisions" / "000003.patch").write_bytes(b"x")
    (folder / "HEAD.new").write_text("")
    again = EmbeddedStore(folder)
    assert again.head().number == 2
    assert content(again) == {quad("s", 1), quad("s", 2)}
    assert all(leftover.exists() for leftover in leftovers), "a reader removes nothing"
    again.apply(change([quad("s", 3)]), expect=2)
    assert files(folder) == LAID_OUT | {f"revisions/000003{ending}" for ending in ("", ".json", ".patch")}
    assert content(again) == {quad("s", 1), quad("s", 2), quad("s", 3)}


def test_what_is_considered_waits_for_no_writer_and_none_waits_for_it(store: EmbeddedStore, folder: Path) -> None:
    """Also on a revision that is not the newest any more; of one who was killed over it the copy goes an hour later."""
    old, new = (folder / f"trial-{name}" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir()
    os.utime(old, (0, 0))
    seen: list[frozenset[Quad]] = []

    def look(candidate: Snapshot) -> None:
        store.apply(change([quad("s", "meanwhile")]), expect=store.head().number)
        seen.append(frozenset(candidate.quads()))

    before = content(store)
    for _ in range(2):
        store.consider(change([quad("s", "idea")]), on=1, check=look)
    first = frozenset(store.at(1).quads())
    assert seen == [first | {quad("s", "idea")}] * 2
    assert content(store) == before | {quad("s", "meanwhile")}
    assert [path.name for path in folder.glob("trial-*")] == ["trial-new"]


def test_a_reader_sees_what_another_store_object_commits(store: EmbeddedStore, folder: Path) -> None:
    reader = EmbeddedStore(folder)
    assert reader.head().number == 2
    store.apply(change([quad("s", 3)]), expect=2)
    assert reader.head().number == 3
    assert content(reader) == {quad("s", 1), quad("s", 2), quad("s", 3)}


def test_a_store_can_be_used_after_it_was_closed(store: EmbeddedStore) -> None:
    held = store.at(1)
    store.close()
    assert content(store, 2) == {quad("s", 1), quad("s", 2)}
    assert set(held.quads()) == {quad("s", 1)}


def test_many_revisions_can_be_looked_at_without_keeping_all_open(store: EmbeddedStore, folder: Path) -> None:
    for number in range(3, 31):
        store.apply(change([quad("s", number)]), expect=number - 1)
    first = store.at(1)

    def open_revisions() -> set[str]:
        links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return {link.parent.name for link in links if link.is_relative_to(folder / "revisions")}

    for number in range(1, 31):
        assert len(content(store, number)) == number
    assert "000030" in open_revisions()
    assert len(open_revisions()) < 15
    assert len(set(first.quads())) == 1, "what is held stays open"
    assert len(content(store, 1)) == 1


@pytest.mark.parametrize(
    ("name", "characters"),
    [("HEAD", ""), ("HEAD", "two"), ("FORMAT", "2\n"), ("FORMAT", ""), ("HEAD", "3\n"), ("HEAD", "\xff")],
)
def test_a_damaged_folder_says_so(store: EmbeddedStore, folder: Path, name: str, characters: str) -> None:
    store.close()
    (folder / name).write_text(characters, encoding="latin-1")
    with pytest.raises(StoreDamaged) as found:
        EmbeddedStore(folder).head()
    assert found.value.advice


@pytest.mark.parametrize("characters", ["", "{", "[]", "{}", '{"made_at": 3}', '{"number": 2}', "null"])
def test_a_damaged_record_says_so(store: EmbeddedStore, folder: Path, characters: str) -> None:
    (folder / "revisions" / "000002.json").write_text(characters)
    with pytest.raises(StoreDamaged) as found:
        store.head()
    assert "revision 2" in found.value.message
    assert found.value.advice


def test_a_damaged_revision_says_so(store: EmbeddedStore, folder: Path) -> None:
    store.close()
    for path in (folder / "revisions" / "000002").iterdir():
        path.unlink()
    with pytest.raises(StoreDamaged) as found:
        store.at()
    assert "revision 2" in found.value.message
    assert content(store, 1) == {quad("s", 1)}


def test_a_writer_in_another_process_makes_us_busy_and_then_stale(store: EmbeddedStore, folder: Path) -> None:
    holder = _victim("hold", folder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    with pytest.raises(StoreBusy) as found:
        store.apply(change([quad("s", 3)]), expect=2)
    assert found.value.advice
    assert content(store) == {quad("s", 1), quad("s", 2)}
    holder.communicate("go on\n", timeout=60)
    assert holder.returncode == 0
    assert store.head().number == 3
    with pytest.raises(StaleRevision):
        store.apply(change([quad("s", 3)]), expect=2)
    assert store.apply(change([quad("s", 3)]), expect=3).number == 4


def test_writers_in_three_processes_lose_nothing(folder: Path) -> None:
    """All three begin on a folder that does not exist yet."""
    writers = [_victim("write", folder, who, "8") for who in ("a", "b", "c")]
    for writer in writers:
        said, _ = writer.communicate("go on\n", timeout=120)
        assert writer.returncode == 0, said
        assert said == "acknowledged 8\n"
    store = EmbeddedStore(folder)
    assert content(store) == {quad(who, number) for who in ("a", "b", "c") for number in range(8)}
    assert [(r.number, r.added, r.quads) for r in store.revisions()] == [(n, 1, n) for n in range(1, 25)]


def test_the_lock_goes_with_its_process(store: EmbeddedStore, folder: Path) -> None:
    holder = _victim("hold", folder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    holder.kill()
    holder.communicate(timeout=60)
    assert store.apply(change([quad("s", 3)]), expect=2).number == 3
    assert not list(folder.glob("work-*"))


def _victim(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.victim", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_revision_without_a_patch_is_compared_once(store: EmbeddedStore, folder: Path) -> None:
    store.apply(change([quad("s", 3)], [quad("s", 1)]), expect=2)
    wanted = [store.changes(number) for number in (1, 2, 3)]
    kept = [folder / "revisions" / f"00000{number}.patch" for number in (1, 2, 3)]
    before = [path.read_bytes() for path in kept]
    for path in kept:
        path.unlink()
    again = EmbeddedStore(folder)
    assert [again.changes(number) for number in (1, 2, 3)] == wanted
    assert [path.read_bytes() for path in kept] == before


def test_a_patch_is_not_kept_while_somebody_writes(store: EmbeddedStore, folder: Path) -> None:
    path = folder / "revisions" / "000002.patch"
    path.unlink()

    def check(_: Snapshot) -> None:
        assert EmbeddedStore(folder).changes(2).add == {quad("s", 2)}
        assert not path.exists()

    store.apply(change([quad("s", 3)]), expect=2, check=check)
    store.changes(2)
    assert path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"no zlib", zlib.compress(b"TX .\nA <s> .\nTC .\n"), zlib.compress(b"TX .\n")]
)
def test_a_spoilt_patch_is_damage(store: EmbeddedStore, folder: Path, content: bytes) -> None:
    (folder / "revisions" / "000002.patch").write_bytes(content)
    with pytest.raises(StoreDamaged, match="revision 2") as found:
        store.changes(2)
    assert found.value.advice
