"""Backups: whole, consistent while others write, refused when damaged or malicious, and restored in one step."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.access import KeyRing, Scope
from app.backup import Backups, check, in_use
from app.durable import locked
from app.errors import BadFile, BadParameter, NotFound, StoreBusy, StoreEmpty
from app.folder import IN_USE
from app.settings import Settings
from app.store.archive import Writer, members
from app.store.embedded import EmbeddedStore
from app.webhooks.hooks import Hooks
from app.wiring import build
from tests.release.small import services_in
from tests.store import victim
from tests.store.quads import NOON, change, content
from tests.store.test_killed import assert_whole

ROOT = Path(__file__).parents[1]


def backups_of(data: Path) -> Backups:
    found = build(Settings(data_dir=data)).backups
    assert found is not None
    return found


def commit(data: Path, numbers: range) -> EmbeddedStore:
    store = EmbeddedStore(data / "store")
    for number in numbers:
        wanted, present = victim.quads_of(number), victim.quads_of(number - 1)
        store.apply(change(wanted - present, present - wanted), expect=number - 1)
    return store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with four revisions, a key, and a state folder."""
    folder = tmp_path / "var"
    commit(folder, range(1, 5))
    KeyRing(folder / "keys.json").create("Ada", (Scope.ADMIN,), NOON)
    (folder / "webhooks" / "1a2b3c4d").mkdir(parents=True)
    (folder / "webhooks" / "1a2b3c4d" / "hook.json").write_text('{"secret": "whsec_0123"}')
    (folder / "webhooks" / "LOCK").touch()
    (folder / "other.txt").write_text("not ours")
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- there and back ----


def test_the_newest_revision_comes_back(data: Path, tmp_path: Path) -> None:
    made = backups_of(data).make(tmp_path / "b.tar")
    assert (made.revision, made.since, made.releases, made.secrets) == (4, 4, (), False)
    assert made == check(tmp_path / "b.tar")
    done = backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    assert (done.contents, done.aside) == (made, None)
    store = EmbeddedStore(tmp_path / "back" / "store")
    assert content(store) == victim.quads_of(4)
    assert [one.number for one in store.revisions()] == [1, 2, 3, 4]
    assert store.oldest() == 4
    with pytest.raises(NotFound, match="3"):
        store.at(3)
    assert {path.name for path in (tmp_path / "back").iterdir()} == {"store"}


def test_every_revision_comes_back_and_shares_its_files_again(data: Path, tmp_path: Path) -> None:
    made = backups_of(data).make(tmp_path / "b.tar", all_revisions=True, with_keys=True)
    assert (made.since, made.secrets) == (1, True)
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    store = EmbeddedStore(tmp_path / "back" / "store")
    for number in range(1, 5):
        assert content(store, number) == victim.quads_of(number)
    assert_whole(store)
    before, after = files_below(data), files_below(tmp_path / "back")
    apart = {"other.txt", "store/LOCK", "webhooks/LOCK"}
    assert after == {name: content for name, content in before.items() if name not in apart}
    tables = list((tmp_path / "back" / "store").rglob("*.sst"))
    assert len({path.stat().st_ino for path in tables}) < len(tables), "hard links, as they were"
    for name in ("keys.json", "webhooks/1a2b3c4d/hook.json"):
        assert stat.S_IMODE((tmp_path / "back" / name).stat().st_mode) == 0o600


def test_what_each_revision_changed_comes_back_even_without_its_graph(data: Path, tmp_path: Path) -> None:
    before = EmbeddedStore(data / "store")
    told = [before.changes(number) for number in range(1, 5)]
    backups_of(data).make(tmp_path / "b.tar")
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    folder = tmp_path / "back" / "store" / "revisions"
    assert {path.name for path in folder.iterdir()} == {"000004"} | {
        f"00000{number}{ending}" for number in range(1, 5) for ending in (".json", ".patch")
    }
    store = EmbeddedStore(tmp_path / "back" / "store")
    assert [store.changes(number) for number in range(1, 5)] == told


def test_webhooks_come_back_with_secret_cursor_and_dead_letters(data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data / "webhooks")
    hooks = Hooks(data / "webhooks")
    one = hooks.add("https://example.org/1", cursor=0, now=NOON)
    hooks.change(one.id, lambda state: state.failed(1, "status 500", next_at=0, at=NOON, tries=1).delivered(2))
    other = hooks.add("https://example.org/2", cursor=4, now=NOON)
    backups_of(data).make(tmp_path / "b.tar", with_keys=True)
    hooks.remove(other.id)
    backups_of(data).restore(tmp_path / "b.tar", force=True)
    again = Hooks(data / "webhooks")
    assert {hook.id: hook for hook in again.list()} == {one.id: one, other.id: other}
    assert again.get(one.id).secret == one.secret
    assert (again.state(one.id).cursor, [dead.revision for dead in again.state(one.id).dead]) == (2, [1])
    for path in (data / "webhooks", data / "webhooks" / one.id):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with again.delivering() as ours:
        assert ours


def test_a_restored_store_takes_the_next_commit_and_the_next_backup(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    store = EmbeddedStore(tmp_path / "back" / "store")
    wanted, present = victim.quads_of(5), victim.quads_of(4)
    store.apply(change(wanted - present, present - wanted), expect=4)
    assert content(store) == wanted
    made = backups_of(tmp_path / "back").make(tmp_path / "c.tar", all_revisions=True)
    assert (made.revision, made.since) == (5, 4)
    backups_of(data).restore(tmp_path / "c.tar", into=tmp_path / "again")
    assert content(EmbeddedStore(tmp_path / "again" / "store"), 4) == victim.quads_of(4)


def test_keys_stay_out_unless_asked_for(data: Path, tmp_path: Path) -> None:
    secret = KeyRing(data / "keys.json").list()[0].digest.encode()
    backups_of(data).make(tmp_path / "without.tar")
    backups_of(data).make(tmp_path / "with.tar", with_keys=True)
    for one in (secret, b"whsec_0123"):
        assert one not in (tmp_path / "without.tar").read_bytes()
        assert one in (tmp_path / "with.tar").read_bytes()


def test_releases_come_back_intact(tmp_path: Path) -> None:
    services = services_in(tmp_path / "var")
    services.releases.make("2026.11", 1)
    (tmp_path / "var" / "releases" / ".making-2026.12-1").mkdir()
    (tmp_path / "var" / "releases" / ".making-2026.12-1" / "half").write_text("x")
    made = backups_of(tmp_path / "var").make(tmp_path / "b.tar")
    assert made.releases == ("2026.11",)
    backups_of(tmp_path / "var").restore(tmp_path / "b.tar", into=tmp_path / "back")
    again = build(Settings(data_dir=tmp_path / "back"))
    assert again.releases.verify("2026.11").intact
    assert again.releases.list() == services.releases.list()
    assert {path.name for path in (tmp_path / "back" / "releases").iterdir()} == {"2026.11"}
    with pytest.raises(NotFound, match="1"):
        again.releases.make("2027.01", 1)


def test_an_empty_store_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StoreEmpty):
        backups_of(tmp_path / "var").make(tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_file_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(BadParameter, match="is there already"):
        backups_of(data).make(tmp_path / "b.tar")
    with pytest.raises(BadParameter, match="no folder"):
        backups_of(data).make(tmp_path / "nowhere" / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"var", "b.tar"}


# ---- a folder that holds something ----


def test_a_folder_that_holds_something_is_left_alone(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    before = files_below(data)
    with pytest.raises(BadParameter, match="not empty"):
        backups_of(data).restore(tmp_path / "b.tar")
    assert files_below(data) == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadParameter, match="is a file"):
        backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "file", force=True)


def test_force_keeps_what_was_there_beside_it(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    commit_next(data, 5)
    before = files_below(data)
    done = backups_of(data).restore(tmp_path / "b.tar", force=True)
    assert done.aside == tmp_path / "var.before-restore-1"
    assert {name: content for name, content in files_below(done.aside).items() if name != IN_USE} == before
    assert EmbeddedStore(data / "store").head().number == 4
    second = backups_of(data).restore(tmp_path / "b.tar", force=True)
    assert second.aside == tmp_path / "var.before-restore-2"


def commit_next(data: Path, number: int) -> None:
    wanted, present = victim.quads_of(number), victim.quads_of(number - 1)
    EmbeddedStore(data / "store").apply(change(wanted - present, present - wanted), expect=number - 1)


def test_an_empty_folder_is_taken(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    (tmp_path / "back").mkdir()
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "a" / "new" / "place")
    assert (tmp_path / "a" / "new" / "place" / "store" / "HEAD").read_text() == "4\n"
    assert {path.name for path in tmp_path.iterdir()} == {"var", "b.tar", "back", "a"}


def test_nothing_is_replaced_under_a_service_or_a_writer(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    for held in (in_use(data), locked(data / "store" / "LOCK")):
        with held, pytest.raises(StoreBusy, match="somebody works"):
            backups_of(data).restore(tmp_path / "b.tar", force=True)
    (tmp_path / "empty").mkdir()
    with in_use(tmp_path / "empty"), pytest.raises(StoreBusy):
        backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "empty")
    with in_use(data), in_use(data):
        pass  # several services may share a folder


def test_a_mount_point_is_filled_from_inside(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backups_of(data).make(tmp_path / "b.tar", with_keys=True)
    target = tmp_path / "mounted"
    target.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == target)
    backups_of(data).restore(tmp_path / "b.tar", into=target)
    assert content(EmbeddedStore(target / "store")) == victim.quads_of(4)
    assert {path.name for path in target.iterdir()} - {IN_USE} == {"store", "webhooks", "keys.json"}
    # one that was killed half way is no content: the next restore begins again
    (target / "RESTORE-UNFINISHED").touch()
    shutil.rmtree(target / "store" / "revisions")
    backups_of(data).restore(tmp_path / "b.tar", into=target)
    assert content(EmbeddedStore(target / "store")) == victim.quads_of(4)
    assert not (target / "RESTORE-UNFINISHED").exists()


# ---- damaged and malicious files ----


@pytest.fixture
def archive(data: Path, tmp_path: Path) -> Path:
    backups_of(data).make(tmp_path / "b.tar", with_keys=True)
    return tmp_path / "b.tar"


def refused(data: Path, source: Path, target: Path) -> str:
    before = set(target.parent.iterdir())
    with pytest.raises(BadFile) as error:
        backups_of(data).restore(source, into=target)
    assert set(target.parent.iterdir()) == before, "nothing is left behind"
    return error.value.problem


def test_every_flipped_byte_and_every_cut_is_refused(data: Path, archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    chance = random.Random(20261121)
    spoiled = tmp_path / "spoiled.tar"
    for place in (0, 700, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(60))):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << chance.randrange(8)
        spoiled.write_bytes(flipped)
        refused(data, spoiled, tmp_path / "back")
    for end in (0, 1, 512, 5_000, len(whole) - 512, len(whole) - 1):
        spoiled.write_bytes(whole[:end])
        refused(data, spoiled, tmp_path / "back")
    for other in (tmp_path / "nothing.tar", tmp_path):
        with pytest.raises(BadFile):
            backups_of(data).restore(other, into=tmp_path / "back")


def repacked(archive: Path, target: Path, change_parts: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """A backup with other parts and another index, with all sums right."""
    with archive.open("rb") as source:
        parts = {member.name: b"".join(chunks()) for member, chunks in members(source)}
    index = json.loads(parts.pop("backup.json"))
    change_parts(parts, index)
    with target.open("wb") as out:
        writer = Writer(out, time=0)
        for name, content in parts.items():
            writer.add(name, content)
        writer.add("backup.json", json.dumps(index).encode())
        writer.end()
    return target


def put(parts: dict[str, bytes], index: dict[str, Any], name: str, content: bytes) -> None:
    parts[f"files/{name}"] = content
    index["files"][name] = [len(content), hashlib.sha256(content).hexdigest()]


def test_repacking_alone_changes_nothing(data: Path, archive: Path, tmp_path: Path) -> None:
    path = repacked(archive, tmp_path / "same.tar", lambda parts, index: None)
    assert backups_of(data).restore(path, into=tmp_path / "back").contents.revision == 4


MALICE: dict[str, Callable[[dict[str, bytes], dict[str, Any]], None]] = {
    "a path that climbs": lambda parts, index: index["files"].update({"../evil": index["files"]["store/HEAD"]}),
    "an absolute path": lambda parts, index: index["files"].update({"/evil": index["files"]["store/HEAD"]}),
    "a folder that is not ours": lambda parts, index: put(parts, index, "bin/evil", b"x"),
    "a file at the top": lambda parts, index: put(parts, index, "evil", b"x"),
    "a part that is not named": lambda parts, index: parts.update({"files/store/more": b"x"}),
    "a part that is missing": lambda parts, index: parts.__delitem__("files/store/HEAD"),
    "a sum that is wrong": lambda parts, index: parts.update({"files/store/HEAD": b"3\n"}),
    "a head that is not there": lambda parts, index: put(parts, index, "store/HEAD", b"9\n"),
    "another head than it says": lambda parts, index: put(parts, index, "store/HEAD", b"3\n"),
    "no number in the head": lambda parts, index: put(parts, index, "store/HEAD", b"x\n"),
    "a later format": lambda parts, index: index.update({"format": 3}),
    "an index without files": lambda parts, index: index.update({"files": []}),
    "a revision that is no number": lambda parts, index: index.update({"revision": "x"}),
    "a time that is none": lambda parts, index: index.update({"made_at": "yesterday"}),
    "a store of another format": lambda parts, index: put(parts, index, "store/FORMAT", b"9\n"),
    "a blob with a path": lambda parts, index: parts.update({"blobs/x": b"x"}),
    "a store that is a file": lambda parts, index: put(parts, index, "store", b"x"),
}


@pytest.mark.parametrize("name", MALICE)
def test_a_malicious_backup_is_refused_even_with_right_sums(
    data: Path, archive: Path, tmp_path: Path, name: str
) -> None:
    path = repacked(archive, tmp_path / "evil.tar", MALICE[name])
    refused(data, path, tmp_path / "back")
    assert not (tmp_path / "evil").exists()


def test_damage_inside_the_engines_files_is_found(data: Path, archive: Path, tmp_path: Path) -> None:
    """Whoever repairs the sums cannot repair the engine's own: the store is opened and counted before it is used."""

    def spoil(parts: dict[str, bytes], index: dict[str, Any]) -> None:
        for name in [name for name in parts if name.startswith("blobs/")]:
            spoiled = parts.pop(name)[:-200]
            sha = hashlib.sha256(spoiled).hexdigest()
            parts[f"blobs/{sha}"] = spoiled
            for path, (_, old) in list(index["files"].items()):
                if old == name.removeprefix("blobs/"):
                    index["files"][path] = [len(spoiled), sha]

    refused(data, repacked(archive, tmp_path / "spoiled.tar", spoil), tmp_path / "back")


def test_a_bomb_has_no_form(data: Path, tmp_path: Path) -> None:
    """A header may claim eight gigabytes, but only bytes that are there are written."""
    out = io.BytesIO()
    writer = Writer(out, time=0)
    writer.add("files/store/HEAD", b"1\n")
    import tarfile

    info = tarfile.TarInfo("files/store/big")
    info.size, info.mode = 8**11 - 1, 0o644
    (tmp_path / "bomb.tar").write_bytes(out.getvalue() + info.tobuf(tarfile.USTAR_FORMAT) + b"x" * 10_000)
    assert "cut off" in refused(data, tmp_path / "bomb.tar", tmp_path / "back")


# ---- while others write ----


def test_backups_while_somebody_commits_all_the_time(data: Path, tmp_path: Path) -> None:
    """Each backup is one revision, whole, and never an older one than was there when it began."""
    writer = subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.store.victim", "commit", str(data / "store")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    try:
        assert writer.stdout.readline() == "ready\n"
        heads: list[int] = []
        for number in range(6):
            least = EmbeddedStore(data / "store").head().number
            made = backups_of(data).make(tmp_path / f"{number}.tar", all_revisions=number % 2 == 1)
            assert made.revision >= least
            heads.append(made.revision)
    finally:
        writer.kill()
        writer.wait()
    for number, head in enumerate(heads):
        backups_of(data).restore(tmp_path / f"{number}.tar", into=tmp_path / f"back{number}")
        store = EmbeddedStore(tmp_path / f"back{number}" / "store")
        assert store.head().number == head
        assert content(store) == victim.quads_of(head)
        assert [one.number for one in store.revisions()] == list(range(1, head + 1))
    assert heads[-1] > heads[0], "it did commit meanwhile"


def test_leftovers_of_killed_commands_go_with_the_next(data: Path, tmp_path: Path) -> None:
    for name in (".b.tar.partial-1", ".b.tar.partial-2", ".b.tar.partial-2.lock"):
        (tmp_path / name).write_text("half")
    with locked(tmp_path / ".b.tar.partial-1.lock"):
        backups_of(data).make(tmp_path / "b.tar")
    left = {path.name for path in tmp_path.iterdir()} - {"var", "b.tar"}
    assert left == {".b.tar.partial-1", ".b.tar.partial-1.lock"}, "what somebody is still working on stays"
