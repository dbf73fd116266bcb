"""A release, a backup or a restore killed by SIGKILL at any point leaves what was there before, or all of the new."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.backup import Backups, check
from app.folder import IN_USE
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.wiring import build
from tests.release.small import services_in
from tests.release.victim import name_of
from tests.store import victim as committer
from tests.store.quads import change, content
from tests.store.test_killed import KILLED, assert_whole

ROOT = Path(__file__).parents[2]
SEED = 20261121


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.release.victim", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(process: subprocess.Popen[str], done: int, after: float) -> list[str]:
    """Kill a process some time after it said `ready` and so many more words; return what it said."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    said = [process.stdout.readline().strip() for _ in range(done)]
    time.sleep(after)
    process.kill()
    said += process.communicate(timeout=60)[0].split()
    assert process.returncode == KILLED
    return said


def backups_of(data: Path) -> Backups:
    found = build(Settings(data_dir=data)).backups
    assert found is not None
    return found


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """A data folder with the example and no release."""
    return services_in(tmp_path_factory.mktemp("example") / "var")


# ---- releases ----


def assert_releases(services: Services, least: set[str]) -> set[str]:
    """Every release that is listed is intact, and every one that was acknowledged is listed."""
    listed = {one.name for one in services.releases.list()}
    assert least <= listed
    for name in listed:
        assert services.releases.verify(name).problems == (), name
    assert_whole(services.store)
    head = services.store.head()
    assert sum(1 for _ in services.store.at().quads()) == head.quads
    return listed


@pytest.mark.parametrize("stride", [17, pytest.param(7, marks=pytest.mark.heavy)])
def test_a_release_killed_at_steps_of_its_making(example: Services, tmp_path: Path, stride: int) -> None:
    """The steps are those that Python takes in the file system; only after the rename is there a release."""
    outcomes: list[bool] = []
    kills = 0
    for step in range(1, 400, stride):
        data = tmp_path / str(step)
        shutil.copytree(example.settings.data_dir, data)
        process = start("release-steps", data, str(step))
        process.communicate(timeout=120)
        services = build(Settings(data_dir=data))
        outcomes.append("2027.01" in assert_releases(services, set()))
        if process.returncode == 0:
            break
        assert process.returncode == KILLED
        kills += 1
        made = services.releases.make("2027.01", 1)
        assert made.new is not outcomes[-1]
        assert not list((data / "releases").glob(".*")), "what was left is gone"
        shutil.rmtree(data)
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes == sorted(outcomes)
    assert kills >= 26 // stride


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.heavy)])
def test_releases_killed_at_random(example: Services, tmp_path: Path, kills: int) -> None:
    chance = random.Random(SEED)
    data = tmp_path / "var"
    shutil.copytree(example.settings.data_dir, data)
    services = build(Settings(data_dir=data))
    known: set[str] = set()
    for number in range(kills):
        said = killed(start("release", data), number % 2, chance.uniform(0.0, 0.4))
        listed = {one.name for one in services.releases.list()}
        assert known | set(said) <= listed
        assert len(listed) <= len(known | set(said)) + 1, "one at most is done and not acknowledged"
        known = listed
    assert_releases(services, known)
    assert known == {name_of(number) for number in range(len(known))}
    assert len(known) >= kills // 3


# ---- backups ----


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.heavy)])
def test_backups_killed_at_random_while_somebody_commits(tmp_path: Path, kills: int) -> None:
    """A file that bears the name of a backup is a whole one, whoever was killed when."""
    chance = random.Random(SEED)
    data, out = tmp_path / "var", tmp_path / "out"
    out.mkdir()
    store = EmbeddedStore(data / "store")
    store.apply(change(committer.quads_of(1)), expect=0)
    known: set[str] = set()
    for number in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.store.victim", "commit", str(data / "store")],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        said = killed(start("backup", data, out), number % 2, chance.uniform(0.0, 0.3))
        writer.kill()
        writer.wait()
        there = {path.stem for path in out.glob("*.tar")}
        assert known | set(said) <= there
        for name in there - known:
            contents = check(out / f"{name}.tar")
            back = tmp_path / f"back{number}-{name}"
            backups_of(data).restore(out / f"{name}.tar", into=back)
            restored = EmbeddedStore(back / "store")
            assert content(restored) == committer.quads_of(contents.revision)
            shutil.rmtree(back)
        known = there
    assert_whole(EmbeddedStore(data / "store"))
    assert len(known) >= kills // 3
    backups_of(data).make(out / f"{len(known)}.tar")
    left = {path.name for path in out.iterdir() if path.name.startswith(f".{len(known)}.tar")}
    assert left == set()


# ---- restores ----


@pytest.mark.parametrize("kills", [3, pytest.param(15, marks=pytest.mark.heavy)])
def test_restores_killed_at_random_leave_a_store_that_opens(tmp_path: Path, kills: int) -> None:
    """The folder is always there, at the revision of the backup or at the one before, and never a mixture."""
    chance = random.Random(SEED)
    data = tmp_path / "home" / "var"
    store = EmbeddedStore(data / "store")
    for number in range(1, 4):
        wanted, present = committer.quads_of(number), committer.quads_of(number - 1)
        store.apply(change(wanted - present, present - wanted), expect=number - 1)
    backups_of(data).make(tmp_path / "b.tar", all_revisions=True)
    restored = 0
    for number in range(kills):
        opened = EmbeddedStore(data / "store")
        if opened.head().number == 3:
            opened.apply(change(committer.quads_of(4) - committer.quads_of(3)), expect=3)
        said = killed(start("restore", data, tmp_path / "b.tar"), number % 2, chance.uniform(0.0, 0.25))
        restored += len(said)
        after = EmbeddedStore(data / "store")
        assert after.head().number in ({3} if said else {3, 4})
        assert_whole(after)
        assert content(after, 3) == committer.quads_of(3)
    assert restored >= kills // 3
    backups_of(data).restore(tmp_path / "b.tar", force=True)
    names = {path.name for path in data.parent.iterdir()}
    assert {name for name in names if ".partial-" in name} == set(), "what was left is gone"
    assert {path.name for path in data.iterdir()} - {IN_USE} == {"store"}
