"""Data folders of older versions of slmkg are read, curated and loaded into by this one; nothing in them is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import vocab
from app.compare import models
from app.curate import proposals, review
from app.curate.review import Answer
from app.folder import FORMAT, MARK
from app.jobs.schedules import Schedules
from app.jobs.values import JobState
from app.model.proposals import State
from app.services import Services
from app.settings import Settings
from app.store.port import Query
from app.wiring import opened
from tests.curate.people import BOB, committed, proposed, request, take
from tests.upgrade.old import FIRST, NAMES, NEWEST, unpacked

ROOT = Path(__file__).parents[2]
MODEL = "examplelm-135m"


def services_of(name: str, folder: Path) -> tuple[Services, list[str]]:
    said: list[str] = []
    return opened(Settings(data_dir=unpacked(name, folder)), said.append), said


@pytest.mark.parametrize("name", NAMES)
def test_an_older_folder_is_brought_to_our_format_and_answers(name: str, tmp_path: Path) -> None:
    services, said = services_of(name, tmp_path)
    assert said, "people are told"
    assert json.loads((tmp_path / "var" / MARK).read_text())["format"] == FORMAT
    assert (services.folder.to_do(), services.folder.upgrade(said.append)) == ((), ())
    for revision in services.store.revisions():
        change = services.store.changes(revision.number)
        assert (len(change.add), len(change.remove)) == (revision.added, revision.removed)
        assert (tmp_path / "var/store/revisions" / f"{revision.number:06d}.patch").exists()
    assert [one.reason for one in services.store.revisions()][:2] == ["the example", "a note"]
    assert services.models(models.Choice()).total == 3
    assert services.model(MODEL).model.slug == MODEL
    assert services.view().models.height >= 3
    asked = 'ASK { GRAPH ?g { ?a ?b "the second revision" } }'
    assert services.ask(Query(asked), revision=2)[1].truth
    assert not services.ask(Query(asked), revision=1)[1].truth
    assert services.validate().counts == services.validate(revision=1).counts
    assert [sign.says for sign in services.examine() if sign.state == "bad"] == []


@pytest.mark.parametrize("name", NAMES)
def test_people_go_on_curating_in_an_older_folder(name: str, tmp_path: Path) -> None:
    services, _ = services_of(name, tmp_path)
    before = services.store.head().number
    number = proposed(services, request(MODEL, "ropeTheta", 10_000)).number
    take(services, review.review(number, {}, rest=Answer(True, "read again")), BOB)
    done = committed(services, number)
    assert done.state is State.ACCEPTED
    assert services.store.head().number > before
    asked = f"ASK {{ GRAPH ?g {{ ?a <{vocab.slm.ropeTheta}> ?v }} }}"
    assert services.ask(Query(asked))[1].truth


@pytest.mark.parametrize("name", [name for name in NAMES if name != FIRST])
def test_keys_open_what_they_opened(name: str, tmp_path: Path) -> None:
    services, _ = services_of(name, tmp_path)
    valid = services.keys.find((tmp_path / "ada.key").read_text())
    assert valid is not None
    assert (valid.name, valid.orcid) == ("Ada", None)
    assert services.keys.find((tmp_path / "bob.key").read_text()) is None, "it was revoked"


def test_whatever_else_lies_in_an_older_folder_stays(tmp_path: Path) -> None:
    services, _ = services_of(NEWEST, tmp_path)
    assert proposals.read(services.store.at(), 1).state is State.OPEN
    (release,) = services.releases.list()
    assert (release.name, release.revision) == ("2026.11", 1)
    assert services.releases.verify("2026.11").intact
    (hook,) = services.hooks.list()
    assert [dead.revision for dead in services.hooks.state(hook.id).dead] == [1]
    jobs = {job.state: job for job in services.jobs.list()}
    assert jobs.keys() == {JobState.QUEUED, JobState.CANCELLED}
    assert (jobs[JobState.QUEUED].key, jobs[JobState.QUEUED].cells) == ("once", 1)
    assert len(Schedules(services.jobs).list()) == 1
    outbox = services.orkg_outbox()
    assert [push.state for push in outbox.pushes()] == ["done"]
    assert outbox.made("sandbox.orkg.org", "paper") == "R1"


def test_an_upgrade_that_is_killed_at_each_step_loses_nothing_and_is_ended_by_the_next(tmp_path: Path) -> None:
    killed = 0
    for step in range(1, 60, 5):
        folder = unpacked(FIRST, tmp_path / str(step))
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        done = subprocess.run(
            [sys.executable, "-m", "tests.upgrade.victim", str(folder), str(step)], cwd=ROOT, check=False
        )
        assert all(path.read_bytes() == content for path, content in before.items())
        services = opened(Settings(data_dir=folder), lambda _: None)
        assert services.folder.to_do() == ()
        assert len(services.store.changes(2).add) == 1
        assert services.store.head().number == 2
        assert {path.name for path in (folder / "store/revisions").glob("*.patch")} == {"000001.patch", "000002.patch"}
        if done.returncode == 0:
            break
        assert done.returncode == -9
        killed += 1
    assert killed > 2


@pytest.mark.heavy
def test_a_load_into_the_first_folder_brings_the_shipped_data_and_keeps_proposals(tmp_path: Path) -> None:
    services, _ = services_of(NEWEST, tmp_path)
    assert [sign.state for sign in services.seed_signs()] == ["note"]
    report = services.load()
    assert report.revision == services.store.head().number
    assert services.models(models.Choice()).total == report.models > 100
    assert proposals.read(services.store.at(), 1).state is State.OPEN
    assert [sign.state for sign in services.seed_signs()] == ["good"]
