"""Backups of what lies beside the graph: the queue, what came from the ORKG and went there, the folder's format."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from app.access import KeyRing, Scope
from app.backup import Backups, check
from app.errors import BadFile
from app.folder import MARK
from app.jobs.queue import Queue
from app.jobs.schedules import Schedules
from app.jobs.values import JobState
from app.orkg.archive import Archive, Look
from app.orkg.mapping import Pinned, read_pinned, write_pinned
from app.orkg.outbox import Outbox
from app.settings import Settings
from app.store.archive import Writer, members
from app.store.embedded import EmbeddedStore
from app.webhooks.hooks import Hooks
from app.wiring import build, opened
from tests.jobs.making import ADA, BOB, plan
from tests.store import victim
from tests.store.quads import NOON, change, content
from tests.upgrade.old import NEWEST, unpacked


def backups_of(data: Path) -> Backups:
    found = build(Settings(data_dir=data)).backups
    assert found is not None
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in which something of everything lies."""
    folder = tmp_path / "var"
    services = build(Settings(data_dir=folder))
    services.store.apply(change(victim.quads_of(1)), expect=0)
    services.keys.create("Ada", (Scope.ADMIN,), NOON)
    services.hooks.add("https://example.org/1", cursor=1, now=NOON)
    services.jobs.submit(plan(50, 128), ADA, key="once")
    services.jobs.cancel(services.jobs.submit(plan(50), BOB)[0].id)
    Schedules(services.jobs).add("0 3 * * 1", plan(50), ADA)
    archive = Archive(folder, "orkg.org", "R1")
    archive.note(Look(NOON.isoformat(), "full", "abc", changed=True))
    for name, text in (("payloads", "raw"), ("pulls", "{}")):
        (archive.folder / name).mkdir()
        (archive.folder / name / "one").write_text(text)
        (archive.folder / name / ".half.123").write_text("not yet")
    write_pinned(archive.folder, Pinned())
    outbox = services.orkg_outbox()
    outbox.end(outbox.begin("sandbox.orkg.org", "0" * 64, "{}", by="Ada", account="ada"))
    (folder / "orkg" / "kept.sqlite").write_text("can be fetched again")
    return folder


def test_everything_comes_back_the_same_while_the_files_are_open(data: Path, tmp_path: Path) -> None:
    jobs, outbox = Queue(data / "jobs.sqlite"), Outbox(data / "orkg" / "outbox.sqlite", lambda: NOON)
    wanted = (jobs.list(), [jobs.cells(job.id) for job in jobs.list()], Schedules(jobs).list(), outbox.pushes())
    assert (data / "jobs.sqlite-wal").exists(), "what was written last lies in the log, not yet in the file"
    made = backups_of(data).make(tmp_path / "b.tar", with_keys=True)
    assert made == check(tmp_path / "b.tar")
    backups_of(data).restore(tmp_path / "b.tar", into=tmp_path / "back")
    back = tmp_path / "back"
    again = Queue(back / "jobs.sqlite")
    pushes = Outbox(back / "orkg" / "outbox.sqlite", lambda: NOON).pushes()
    assert (again.list(), [again.cells(job.id) for job in again.list()], Schedules(again).list(), pushes) == wanted
    assert again.submit(plan(50, 128), ADA, key="once")[1] is False, "its key still means the same job"
    found = Archive(back, "orkg.org", "R1")
    assert [look.fingerprint for look in found.looks()] == ["abc"]
    assert read_pinned(found.folder) == Pinned()
    assert {path.name for path in found.folder.rglob("*") if path.is_file()} == {"log.jsonl", "mapping.json", "one"}
    assert (found.folder / "payloads" / "one").read_text() == "raw"
    assert not (back / "orkg" / "kept.sqlite").exists()
    assert (back / MARK).read_text() == (data / MARK).read_text()
    assert KeyRing(back / "keys.json").list() == KeyRing(data / "keys.json").list()
    assert Hooks(back / "webhooks").list() == Hooks(data / "webhooks").list()
    assert content(EmbeddedStore(back / "store")) == victim.quads_of(1)
    for name in ("jobs.sqlite", "orkg/outbox.sqlite", "keys.json"):
        assert stat.S_IMODE((back / name).stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"var", "b.tar", "back"}, "nothing is left beside the file"


def test_the_queue_is_whole_while_somebody_writes_to_it(data: Path, tmp_path: Path) -> None:
    ended = threading.Event()
    done: list[str] = []

    def write() -> None:
        jobs = Queue(data / "jobs.sqlite")
        while not ended.is_set():
            done.append(jobs.submit(plan(50, 128), ADA, key=f"job {len(done)}")[0].id)
            jobs.cancel(done[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            before = set(done)
            backups_of(data).make(tmp_path / f"{number}.tar")
            backups_of(data).restore(tmp_path / f"{number}.tar", into=tmp_path / str(number))
            jobs = Queue(tmp_path / str(number) / "jobs.sqlite")
            held = {job.id: job for job in jobs.list(most=10_000)}
            assert before <= held.keys()
            assert all(len(jobs.cells(job)) == held[job].cells for job in held)
            assert [sign.state for sign in jobs.examine()] == ["good"]
            jobs.database.close()
    finally:
        ended.set()
        writer.join()
    assert len(done) > 3


def test_a_restore_puts_the_former_queue_aside_with_its_log(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    jobs = Queue(data / "jobs.sqlite")
    jobs.submit(plan(50), BOB, key="later")
    restored = backups_of(data).restore(tmp_path / "b.tar", force=True)
    assert restored.aside is not None
    assert [job.key for job in Queue(data / "jobs.sqlite").list()] == [None, "once"]
    assert "later" in {job.key for job in Queue(restored.aside / "jobs.sqlite").list()}


def test_a_backup_with_a_damaged_queue_is_refused(data: Path, tmp_path: Path) -> None:
    backups_of(data).make(tmp_path / "b.tar")
    _rewritten(
        tmp_path / "b.tar", tmp_path / "bad.tar", {"files/jobs.sqlite": b"SQLite format 3\0 and then nothing" * 99}
    )
    with pytest.raises(BadFile, match=r"jobs\.sqlite in it cannot be read"):
        backups_of(data).restore(tmp_path / "bad.tar", into=tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_backup_of_the_former_format_is_restored_and_upgraded(tmp_path: Path) -> None:
    old = unpacked(NEWEST, tmp_path / "old")
    backups_of(old).make(tmp_path / "b.tar")
    _rewritten(tmp_path / "b.tar", tmp_path / "one.tar", {}, number=1)
    done = backups_of(tmp_path / "new").restore(tmp_path / "one.tar")
    services = opened(Settings(data_dir=done.folder), lambda _: None)
    assert services.store.head().number == done.contents.revision
    assert {job.state for job in services.jobs.list()} == {JobState.QUEUED, JobState.CANCELLED}
    _rewritten(tmp_path / "b.tar", tmp_path / "nine.tar", {}, number=9)
    with pytest.raises(BadFile, match="format 9"):
        backups_of(tmp_path / "new").restore(tmp_path / "nine.tar", into=tmp_path / "other")


def _rewritten(source: Path, target: Path, other: dict[str, bytes], *, number: int = 2) -> None:
    """The same backup with other content in some parts, its sums corrected."""
    import hashlib

    with source.open("rb") as handle, target.open("wb") as out:
        writer = Writer(out, time=0)
        for member, chunks in members(handle):
            data = other.get(member.name, b"".join(chunks()))
            if member.name == "backup.json":
                index = json.loads(data)
                index["format"] = number
                for name, new in other.items():
                    index["files"][name.removeprefix("files/")] = [len(new), hashlib.sha256(new).hexdigest()]
                data = json.dumps(index).encode()
            writer.add(member.name, data)
        writer.end()
