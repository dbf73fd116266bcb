"""A process that writes to a store, to be watched or killed by a test. Its first argument says what it does.

hold FOLDER            begin a commit, say so, end it when a line comes in
write FOLDER WHO N     commit N quads, one by one, against whoever else writes
commit FOLDER          commit without end, one number after the other, and say each number when it is done
step FOLDER N          make one commit and die of SIGKILL at its N-th step in the file system
load FOLDER            load the seed, and say each phase
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from app.errors import StaleRevision, StoreBusy, StoreEmpty
from app.model.rdf import Quad
from app.store.embedded import EmbeddedStore
from app.store.port import Snapshot
from tests.store.quads import change, quad

SIZE = 40
STEPS = frozenset({"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.listdir"})


def quads_of(number: int) -> set[Quad]:
    """What the endless writer's commit with this number leaves: its own quads and those of the one before."""
    last_two = [n for n in (number - 1, number) if n > 0]
    return {quad(f"s{n}-{k}", f"{n}/{k} " * 20, f"g{n % 3}") for n in last_two for k in range(SIZE)}


def hold(folder: Path) -> None:
    def check(_: Snapshot) -> None:
        print("holding", flush=True)  # noqa: T201
        sys.stdin.readline()

    store = EmbeddedStore(folder)
    store.apply(change([quad("held", 1)]), expect=store.head().number, check=check)


def write(folder: Path, who: str, count: int) -> None:
    sys.stdin.readline()
    done = 0
    while done < count:
        store = EmbeddedStore(folder)
        try:
            expect = store.head().number
        except StoreEmpty:
            expect = 0
        try:
            store.apply(change([quad(who, done)]), expect=expect)
        except (StoreBusy, StaleRevision):
            continue
        done += 1
    print(f"acknowledged {done}")  # noqa: T201


def commit(folder: Path) -> None:
    store = EmbeddedStore(folder)
    try:
        number = store.head().number
    except StoreEmpty:
        number = 0
    print("ready", flush=True)  # noqa: T201
    while True:
        _commit_next(store, number)
        number += 1
        print(number, flush=True)  # noqa: T201


def _commit_next(store: EmbeddedStore, number: int) -> None:
    wanted, present = quads_of(number + 1), quads_of(number)
    store.apply(change(wanted - present, present - wanted, f"number {number + 1}"), expect=number)


def step(folder: Path, last: int) -> None:
    store = EmbeddedStore(folder)
    number = store.head().number
    taken = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal taken
        if event not in STEPS or not str(arguments[0]).startswith(str(folder)):
            return
        taken += 1
        if taken == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    _commit_next(store, number)
    print(f"{taken} steps")  # noqa: T201


def load(folder: Path) -> None:
    from app.settings import Settings
    from app.wiring import build

    services = build(Settings(data_dir=folder))
    report = services.load(progress=lambda phase: print(phase, flush=True))  # noqa: T201
    print(f"revision {report.revision}", flush=True)  # noqa: T201


def main(what: str, folder: str, *rest: str) -> None:
    match what:
        case "hold":
            hold(Path(folder))
        case "write":
            write(Path(folder), rest[0], int(rest[1]))
        case "commit":
            commit(Path(folder))
        case "step":
            step(Path(folder), int(rest[0]))
        case "load":
            load(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
