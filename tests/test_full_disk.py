"""Parts beside the graph on a disk that is full: what was there stays, the reason is told, and later it goes on.

The limit on the size of files stands in for the disk: the system refuses each byte beyond it in the same way.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.access import KeyRing, Scope
from app.disk import refusal
from app.errors import StoreFull
from app.folder import Folder
from app.jobs.queue import Queue
from app.orkg.archive import Archive, Look
from app.orkg.mapping import Pinned, read_pinned, write_pinned
from app.orkg.outbox import Outbox
from app.settings import Settings
from app.webhooks.hooks import Hooks
from app.wiring import build
from tests.jobs.making import ADA, plan
from tests.store import victim
from tests.store.quads import NOON, change, content


@contextmanager
def full(*, most: int = 0) -> Iterator[None]:
    """No file grows beyond so many bytes while the block runs."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def refused(write: Callable[[], object]) -> None:
    """The write says that there is no room: at once, or as the fronts will say of its error."""
    with full(), pytest.raises((StoreFull, OSError)) as refusing:
        write()
    found = refusing.value
    assert isinstance(refusal(found) if isinstance(found, OSError) else found, StoreFull)


def _keys(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    ring = KeyRing(data / "keys.json")
    ring.create("Ada", (Scope.ADMIN,), NOON)
    return lambda: ring.create("Bob", (Scope.ADMIN,), NOON), lambda: [key.name for key in KeyRing(ring._path).list()]


def _hooks(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    hooks = Hooks(data / "webhooks")
    hook = hooks.add("https://example.org/1", cursor=1, now=NOON)
    return lambda: hooks.change(hook.id, lambda state: state.delivered(2)), lambda: hooks.state(hook.id).cursor


def _new_hook(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    hooks = Hooks(data / "webhooks")
    hooks.add("https://example.org/1", cursor=1, now=NOON)
    return lambda: hooks.add("https://example.org/2", cursor=1, now=NOON), lambda: len(hooks.list())


def _queue(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    jobs = Queue(data / "jobs.sqlite")
    jobs.submit(plan(50), ADA)
    return lambda: jobs.submit(plan(128), ADA), jobs.count


def _outbox(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    outbox = Outbox(data / "outbox.sqlite", lambda: NOON)
    outbox.end(outbox.begin("sandbox.orkg.org", "0" * 64, "{}", by="Ada", account="ada"))
    again: Any = lambda: outbox.begin("sandbox.orkg.org", "1" * 64, "{}", by="Ada", account="ada")  # noqa: E731
    return again, lambda: len(outbox.pushes())


def _mapping(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    write_pinned(data, Pinned())
    return lambda: write_pinned(data, Pinned()), lambda: read_pinned(data) == Pinned()


def _looks(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    archive = Archive(data, "orkg.org", "R1")
    look = Look(NOON.isoformat(), "cheap", "abc", changed=False)
    archive.note(look)
    return lambda: archive.note(look), lambda: len(archive.looks())


def _format(data: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    folder = Folder(data)
    return folder.claim, lambda: folder.mark() is not None


@pytest.mark.parametrize("part", [_keys, _hooks, _new_hook, _queue, _outbox, _mapping, _looks, _format])
def test_a_part_that_cannot_be_written_stays_as_it_was(
    part: Callable[[Path], tuple[Callable[[], object], Callable[[], object]]], tmp_path: Path
) -> None:
    write, state = part(tmp_path)
    before = state()
    refused(write)
    assert state() == before
    write()
    if part is not _mapping:
        assert state() != before


def test_a_backup_for_which_there_is_no_room_leaves_no_file(tmp_path: Path) -> None:
    services = build(Settings(data_dir=tmp_path / "var"))
    services.store.apply(change(victim.quads_of(1)), expect=0)
    services.jobs.submit(plan(50), ADA)
    services.jobs.database.close()
    backups = services.backups
    assert backups is not None
    before = {path.name for path in tmp_path.iterdir()}
    refused(lambda: backups.make(tmp_path / "b.tar"))
    assert {path.name for path in tmp_path.iterdir()} == before
    assert content(services.store) == victim.quads_of(1)
    assert backups.make(tmp_path / "b.tar").revision == 1
