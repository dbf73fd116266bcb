"""A writer killed by SIGKILL at any point leaves the last committed revision readable and complete."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from app.curate.commit import validate
from app.errors import StoreEmpty
from app.model.claims import resource
from app.model.graphs import HISTORY
from app.model.rdf import Quad
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.store.port import GraphStore, Query
from app.wiring import build
from tests.store import victim
from tests.store.quads import change, content

ROOT = Path(__file__).parents[2]
SEED = 20261121
KILLED = -9


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.store.victim", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def assert_whole(store: GraphStore) -> None:
    """Revisions are numbered without gaps, their records add up, and the newest holds as many quads as it says."""
    revisions = store.revisions()
    assert [revision.number for revision in revisions] == list(range(1, len(revisions) + 1))
    before = 0
    for revision in revisions:
        assert revision.quads == before + revision.added - revision.removed
        change = store.changes(revision.number)
        assert (len(change.add), len(change.remove)) == (revision.added, revision.removed)
        before = revision.quads
    assert sum(1 for _ in store.at().quads()) == before


def assert_no_leftovers(folder: Path) -> None:
    head = int((folder / "HEAD").read_text())
    wanted = {f"{number:06d}" for number in range(1, head + 1)}
    assert {path.name for path in (folder / "revisions").iterdir()} == {
        f"{number}{ending}" for number in wanted for ending in ("", ".json", ".patch")
    }
    assert {path.name for path in folder.iterdir()} == {"FORMAT", "HEAD", "LOCK", "revisions"}


# --- at every step of a commit -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steps") / "store"
    store = EmbeddedStore(folder)
    for number in (1, 2):
        wanted, present = victim.quads_of(number), victim.quads_of(number - 1)
        store.apply(change(wanted - present, present - wanted), expect=number - 1)
    return folder


def test_a_writer_killed_at_each_step_of_a_commit_loses_nothing(two_commits: Path, tmp_path: Path) -> None:
    """The steps are those that Python takes in the file system; after the last one the commit has happened."""
    heads: list[int] = []
    for step in range(1, 100):
        folder = tmp_path / str(step)
        shutil.copytree(two_commits, folder)
        # the second writer finds what the first one left, and is killed while it clears up or commits again
        for _ in (1, 2):
            killed = start("step", folder, str(step))
            killed.communicate(timeout=60)
            store = EmbeddedStore(folder)
            assert store.head().number in {2, 3, 4}
            assert content(store) == victim.quads_of(store.head().number)
            assert content(store, 2) == victim.quads_of(2)
            assert_whole(store)
        heads.append(store.head().number)
        number = store.head().number
        wanted, present = victim.quads_of(number + 1), victim.quads_of(number)
        store.apply(change(wanted - present, present - wanted), expect=number)
        assert content(store) == wanted
        assert_no_leftovers(folder)
        if killed.returncode == 0:
            break
        assert killed.returncode == KILLED
    assert heads[0] == 2, "killed at the first step, nothing is committed"
    assert heads[-1] == 4, "never killed, both are"
    assert len(heads) > 8
    assert heads == sorted(heads), "one step is the commit: before it nothing, after it everything"


# --- at random times of small commits ------------------------------------------------------------------------------


def kill_a_committer(folder: Path, commits: int, after: float) -> tuple[int, int]:
    """Kill an endless writer some time after so many commits; return the last one it acknowledged, and the head."""
    writer = start("commit", folder)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    said = [writer.stdout.readline().strip() for _ in range(commits)]
    time.sleep(after)
    writer.kill()
    said += writer.communicate(timeout=60)[0].split()
    assert writer.returncode == KILLED
    store = EmbeddedStore(folder)
    try:
        head = store.head().number
    except StoreEmpty:
        return (int(said[-1]) if said else 0), 0
    assert content(store) == victim.quads_of(head)
    assert content(store, max(1, head - 1)) == victim.quads_of(max(1, head - 1))
    assert_whole(store)
    return (int(said[-1]) if said else 0), head


@pytest.mark.parametrize("kills", [5, pytest.param(60, marks=pytest.mark.heavy)])
def test_a_writer_killed_at_random_keeps_every_acknowledged_commit(tmp_path: Path, kills: int) -> None:
    chance = random.Random(SEED)
    folder = tmp_path / "store"
    last = 0
    for _ in range(kills):
        acknowledged, head = kill_a_committer(folder, chance.randrange(4), chance.uniform(0.0, 0.08))
        assert max(acknowledged, last) <= head <= max(acknowledged, last) + 1
        last = head
    assert last >= kills // 2, "the writer got on between kills"
    store = EmbeddedStore(folder)
    store.apply(change(), expect=last)
    assert_no_leftovers(folder)


# --- at random times of a load of the seed -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def half_loaded(seed_services: Services, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose store has one revision with a part of the seed."""
    folder = tmp_path_factory.mktemp("half")
    quads = sorted((quad for quad in seed_services.store.at().quads() if quad.graph_name != HISTORY), key=str)
    EmbeddedStore(folder / "store").apply(change(quads[::2], reason="a part of the seed"), expect=0)
    return folder


def without_history(store: GraphStore, number: int | None = None) -> set[Quad]:
    return {quad for quad in store.at(number).quads() if quad.graph_name != HISTORY}


class Campaign:
    """Kills loads into copies of one half-loaded store and checks what each leaves."""

    def __init__(self, half: Path, seed: Services, folder: Path) -> None:
        self.half = half
        self.partial = content(EmbeddedStore(half / "store"))
        self.whole = without_history(seed.store)
        self.seed = seed
        self.folder = folder
        self.outcomes: list[tuple[str, int]] = []

    def fresh(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.half, self.folder)
        return self.folder

    def undisturbed(self) -> list[float]:
        """Seconds from each word of a whole load to the next; the last but one is said when the commit begins."""
        loader = start("load", self.fresh())
        assert loader.stdout is not None
        said = [time.monotonic() for _ in loader.stdout]
        assert loader.wait(timeout=300) == 0
        assert without_history(EmbeddedStore(self.folder / "store")) == self.whole
        return [later - earlier for earlier, later in pairwise(said)]

    def kill(self, words: int, after: float) -> None:
        """Start a load, kill it so many seconds after so many words, look at what is left."""
        loader = start("load", self.folder)
        assert loader.stdout is not None
        said = [loader.stdout.readline() for _ in range(words)]
        try:
            loader.wait(timeout=after)
        except subprocess.TimeoutExpired:
            loader.kill()
        said += loader.communicate(timeout=60)[0].splitlines()
        phase = said[-1].strip()
        head = self.check()
        self.outcomes.append((phase, head))
        if phase.startswith("revision"):
            assert head == 2

    def check(self) -> int:
        store = EmbeddedStore(self.folder / "store")
        head = store.head().number
        assert head in {1, 2}
        assert content(store, 1) == self.partial
        if head == 2:
            assert without_history(store) == self.whole
        assert_whole(store)
        (row,) = store.at().query(Query("SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }")).rows()
        quads = self.partial if head == 1 else content(store)
        assert int(row["n"].value) == len({quad.graph_name for quad in quads})
        if head == 2:
            assert validate(store.at(), self.seed.set_validator).conforms
        return head

    def finish(self) -> None:
        """A following load succeeds and gives what an undisturbed one gives."""
        services = build(Settings(data_dir=self.folder))
        report = services.load()
        assert report.revision in {None, 2}
        assert without_history(services.store) == self.whole
        (record,) = {q.subject for q in services.store.at().quads(HISTORY)}
        assert record == resource("revision", "2"), "the part of the seed was put there without rules and record"
        if report.revision is not None:
            assert_no_leftovers(self.folder / "store")


@pytest.mark.heavy
def test_a_load_killed_at_any_time_leaves_a_whole_revision(
    half_loaded: Path, seed_services: Services, tmp_path: Path
) -> None:
    """Four kills: one at work before the commit, three after the load has begun to commit."""
    campaign = Campaign(half_loaded, seed_services, tmp_path / "var")
    phases = campaign.undisturbed()
    chance = random.Random(SEED)
    early = chance.randrange(len(phases) - 1)
    campaign.fresh()
    campaign.kill(early + 1, phases[early] * chance.uniform(0, 0.5))
    for number in range(3):
        campaign.kill(len(phases), phases[-1] * (number + chance.random()) / 3)
        if campaign.outcomes[-1][1] == 2:  # it was done before the kill: begin again
            campaign.fresh()
    campaign.finish()
    assert [head for _, head in campaign.outcomes[:2]] == [1, 1]
    assert campaign.outcomes[1][0] == "validating and committing"
    assert len({phase for phase, _ in campaign.outcomes}) > 1


def test_the_helper_counts_like_the_store(tmp_path: Path) -> None:
    """The endless writer's arithmetic, so that the kill tests compare with the right content."""
    store = EmbeddedStore(tmp_path)
    for number in range(1, 5):
        wanted, present = victim.quads_of(number), victim.quads_of(number - 1)
        revision = store.apply(change(wanted - present, present - wanted), expect=number - 1)
        assert revision.added == victim.SIZE
        assert content(store) == wanted
    assert len(victim.quads_of(4)) == 2 * victim.SIZE
