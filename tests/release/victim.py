"""A process that makes releases, backups or restores, to be killed by a test. Its first argument says what it does.

release DATA          make releases of the newest revision without end, and say each name when it is done
release-steps DATA N  make one release and die of SIGKILL at its N-th step in the file system
backup DATA OUT       make backups without end, and say each file when it is done
restore DATA FILE     restore the backup over the data folder without end, and say so each time
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from app.backup import Backups
from app.settings import Settings
from app.wiring import build

STEPS = frozenset({"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree"})


def name_of(number: int) -> str:
    return f"2026.{number % 12 + 1:02d}.{number // 12}"


def release(data: Path) -> None:
    services = build(Settings(data_dir=data))
    print("ready", flush=True)  # noqa: T201
    for number in count():
        if services.releases.make(name_of(number), 1).new:
            print(name_of(number), flush=True)  # noqa: T201


def release_steps(data: Path, last: int) -> None:
    services = build(Settings(data_dir=data))
    services.store.at()
    _die_at(last, data)
    services.releases.make("2027.01", 1)


def backup(data: Path, out: Path) -> None:
    backups = _backups(data)
    print("ready", flush=True)  # noqa: T201
    for number in count():
        target = out / f"{number}.tar"
        if not target.exists():
            backups.make(target, all_revisions=number % 2 == 1)
            print(number, flush=True)  # noqa: T201


def restore(data: Path, source: Path) -> None:
    backups = _backups(data)
    print("ready", flush=True)  # noqa: T201
    while True:
        done = backups.restore(source, force=True)
        print("restored", flush=True)  # noqa: T201
        if done.aside is not None:
            shutil.rmtree(done.aside)


def _backups(data: Path) -> Backups:
    found = build(Settings(data_dir=data)).backups
    assert found is not None
    return found


def _die_at(last: int, folder: Path) -> None:
    taken = 0

    def tally(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal taken
        if event not in STEPS or not str(arguments[0]).startswith(str(folder)):
            return
        taken += 1
        if taken == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(tally)


def main(what: str, data: str, *rest: str) -> None:
    match what:
        case "release":
            release(Path(data))
        case "release-steps":
            release_steps(Path(data), int(rest[0]))
        case "backup":
            backup(Path(data), Path(rest[0]))
        case "restore":
            restore(Path(data), Path(rest[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
