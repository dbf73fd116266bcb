"""What a data folder lets go of: only what lies outside of its bounds, and nothing that somebody needs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.durable import locked
from app.errors import AppError, BadParameter, NotFound, StoreBusy
from app.jobs import slot
from app.jobs.queue import Queue
from app.jobs.schedules import Schedules
from app.jobs.values import JobState
from app.measure.values import Status
from app.pruning import Bounds, Item, Needs, Pruning, examine, pulls_named, summary
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.web.metrics import Metrics
from app.web.upkeep import Upkeep
from app.wiring import build
from tests.jobs.making import ADA, BOB, Clocks, measured, plan, queue
from tests.store import victim
from tests.store.quads import NOON, change, content
from tests.store.test_killed import assert_whole

LATER = datetime(2027, 6, 1, tzinfo=UTC)
NONE = Bounds(timedelta(days=36_500), 10**12, 10**6, 10**4)


def names(items: tuple[Item, ...], kind: str) -> list[str]:
    return [item.name for item in items if item.kind == kind]


def pruning(data: Path, queue: Queue | None = None, /, **bounds: Any) -> Pruning:
    needs = bounds.pop("needs", Needs(1))
    found = replace(NONE, **bounds)
    return Pruning(data, found, queue or Queue(data / "jobs.sqlite"), lambda: needs, lambda: LATER)


def old(path: Path, *, days: int = 9) -> Path:
    """A file that was last written some days before LATER."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    at = (LATER - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))
    return path


# ---- jobs ----


def test_jobs_go_when_they_ended_long_ago_and_their_results_are_brought_in(tmp_path: Path) -> None:
    jobs = queue(tmp_path, clocks := Clocks())
    delivered, kept_back, cancelled = (jobs.submit(plan(50), ADA, key=key)[0].id for key in ("a", "b", "c"))
    measured(jobs)
    measured(jobs)
    jobs.cancel(cancelled)
    jobs.delivered(delivered, "revision 2")
    jobs.not_delivered(kept_back, "the disk is full")
    waiting = jobs.submit(plan(50), BOB)[0].id
    assert {jobs.get(one).state for one in (delivered, kept_back)} == {JobState.DONE}
    look = pruning(tmp_path, jobs, jobs=timedelta(days=90))
    assert sorted(names(look.look(), "job")) == sorted([delivered, cancelled])
    assert look.look()[0].bytes > 100
    assert jobs.count() == 4, "looking changes nothing"
    recent = replace(look, now=lambda: clocks.wall + timedelta(days=89))
    assert names(recent.prune(), "job") == []
    assert sorted(names(look.prune(), "job")) == sorted([delivered, cancelled])
    assert {job.id for job in jobs.list()} == {kept_back, waiting}
    with pytest.raises(NotFound):
        jobs.cells(delivered)
    with jobs.database.reading() as tables:
        for table in ("cells", "events", "attempts"):
            assert {row["job"] for row in tables.execute(f"SELECT job FROM {table}")} <= {kept_back, waiting}
    assert names(look.prune(), "job") == []
    assert [sign.about for sign in jobs.examine()] == ["jobs", "jobs"], "the one that could not be brought in is told"
    jobs.delivered(kept_back, "revision 3")
    assert names(look.prune(), "job") == [kept_back]


def test_the_last_job_of_a_schedule_stays(tmp_path: Path) -> None:
    jobs = queue(tmp_path, clocks := Clocks())
    schedules = Schedules(jobs)
    schedules.add("0 3 * * *", plan(50), ADA)
    made: list[str] = []
    for _ in range(2):
        clocks.pass_by(86_400)
        made += schedules.tick()
        jobs.cancel(made[-1])
    assert len(made) == 2
    assert names(pruning(tmp_path, jobs, jobs=timedelta(days=1)).prune(), "job") == [made[0]]
    assert schedules.list()[0].last_job == made[1]


def test_a_job_that_changed_between_look_and_removal_stays(tmp_path: Path) -> None:
    jobs = queue(tmp_path, Clocks())
    job = jobs.submit(plan(50), ADA)[0].id
    jobs.cancel(job)
    (item,) = pruning(tmp_path, jobs, jobs=timedelta(days=1)).look()
    with jobs.database.writing() as tables:
        tables.execute("UPDATE jobs SET state = 'running' WHERE id = ?", (job,))
    assert item.remove() is False
    assert jobs.count() == 1


def test_the_file_of_the_queue_shrinks(tmp_path: Path) -> None:
    jobs = queue(tmp_path, Clocks())
    for number in range(60):
        jobs.cancel(jobs.submit(plan(*range(50, 80)), ADA, key=str(number))[0].id)
    keep = jobs.submit(plan(50), ADA)[0].id
    jobs.database.compact()
    before = (tmp_path / "jobs.sqlite").stat().st_size
    gone = pruning(tmp_path, jobs, jobs=timedelta(days=1)).prune()
    assert len(gone) == 60
    assert (tmp_path / "jobs.sqlite").stat().st_size < before / 2
    assert [job.id for job in jobs.list()] == [keep]


# ---- files ----


def test_drafts_of_killed_processes_go_after_a_day(tmp_path: Path) -> None:
    drafts = [
        "HEAD.7.new",
        "orkg/h/R1/log.7.new",
        "orkg/h/R1/payloads/00.7.new",
        "webhooks/0a/state.json.7.new",
        "keys.json.new",
        "store/HEAD.new",
        "orkg/h/R1/.mapping.json.1",
        "orkg/h/R1/pulls/.a.1",
        "MAKING.json.9.new",
    ]
    for name in (*drafts, "webhooks/0a1b2c3d.new/hook.json", "projections/work-1/x"):
        old(tmp_path / name)
    for folder in ("webhooks/0a1b2c3d.new", "projections/work-1"):
        at = (LATER - timedelta(days=3)).timestamp()
        os.utime(tmp_path / folder, (at, at))
    young = old(tmp_path / "sessions.json.new", days=0)
    other = [old(tmp_path / name) for name in ("keys.json", "notes.txt", "orkg/h/R1/log.jsonl", "store/HEAD")]
    gone = names(pruning(tmp_path).prune(), "draft")
    assert sorted(gone) == sorted([*drafts, "webhooks/0a1b2c3d.new", "projections/work-1"])
    assert not any((tmp_path / name).exists() for name in gone)
    assert young.exists()
    assert all(path.exists() for path in other)


def test_columns_beyond_the_bound_go(tmp_path: Path) -> None:
    for number in range(1, 6):
        old(tmp_path / "projections" / f"{number:06d}" / "cells.parquet")
    assert names(pruning(tmp_path, columns=2).prune(), "columns") == [f"projections/00000{n}" for n in (1, 2, 3)]
    assert sorted(path.name for path in (tmp_path / "projections").iterdir()) == ["000004", "000005"]


def test_model_files_that_were_not_used_for_the_longest_time_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "usual", lambda: tmp_path / "slot")
    for name, days in (("a", 1), ("b", 30), ("c", 20), ("d", 10)):
        old(tmp_path / "measuring" / f"{name}.gguf", days=days).write_bytes(b"x" * 100)
        at = (LATER - timedelta(days=days)).timestamp()
        os.utime(tmp_path / "measuring" / f"{name}.gguf", (at, at))
    with slot.held(tmp_path / "slot") as ours:
        assert ours
        assert names(pruning(tmp_path, models=250).prune(), "model file") == [], "somebody measures"
    assert names(pruning(tmp_path, models=250).prune(), "model file") == ["b.gguf", "c.gguf"]
    assert names(pruning(tmp_path, models=200).prune(), "model file") == []
    assert names(pruning(tmp_path, models=0).prune(), "model file") == ["d.gguf", "a.gguf"]


def test_old_pulls_go_with_the_answers_that_only_they_had(tmp_path: Path) -> None:
    folder = tmp_path / "orkg" / "orkg.org" / "R1"
    digests = {}
    for number in range(1, 7):
        used = [hashlib.sha256(text.encode()).hexdigest() for text in ("all", f"only {number}")]
        digests[number] = used[1]
        for digest in used:
            old(folder / "payloads" / digest)
        record = old(folder / "pulls" / f"{number:06}-202611{number:02}T120000.json")
        record.write_text(json.dumps({"requests": [{"sha256": digest} for digest in used]}))
    orphan = old(folder / "payloads" / ("0" * 64))
    needs = Needs(1, pulls_named(["ORKG comparison R1, version R9, pulled on 2026-11-03", "something else"]))
    assert needs.pulls == {("R1", "2026-11-03")}
    prune = pruning(tmp_path, pulls=2, needs=needs)
    assert [name[-20:-12] for name in names(prune.look(), "pull")] == ["20261102", "20261104"]
    prune.prune()
    assert sorted(path.name[:6] for path in (folder / "pulls").iterdir()) == ["000001", "000003", "000005", "000006"]
    left = {path.name for path in (folder / "payloads").iterdir()}
    assert left == {digests[number] for number in (1, 3, 5, 6)} | {hashlib.sha256(b"all").hexdigest()}
    assert not orphan.exists()
    (folder / "pulls" / "000006-20261106T120000.json").write_text("{")
    old(folder / "payloads" / ("1" * 64))
    assert names(prune.prune(), "answer") == [], "who knows what the damaged one needs"


# ---- graphs of old revisions ----


def filled(data: Path, count: int) -> EmbeddedStore:
    store = EmbeddedStore(data / "store")
    for number in range(1, count + 1):
        wanted, present = victim.quads_of(number), victim.quads_of(number - 1)
        store.apply(change(wanted - present, present - wanted), expect=number - 1)
    return store


def test_all_revisions_stay_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    assert build(Settings(data_dir=tmp_path)).pruning.look() == ()


def test_graphs_of_old_revisions_go_and_what_they_changed_stays(tmp_path: Path) -> None:
    store = filled(tmp_path, 5)
    told = [store.changes(number) for number in range(1, 6)]
    services = build(Settings(data_dir=tmp_path, revisions_kept=2))
    assert names(services.pruning.look(), "graph") == ["revision 1", "revision 2", "revision 3"]
    assert names(services.pruning.prune(), "graph") == ["revision 1", "revision 2", "revision 3"]
    assert services.store.oldest() == 4
    again = EmbeddedStore(tmp_path / "store")
    assert [again.changes(number) for number in range(1, 6)] == told
    assert_whole(again)
    assert content(again, 4) == victim.quads_of(4)
    with pytest.raises(NotFound) as refused:
        again.at(3)
    assert "oldest whose graph is kept is 4" in refused.value.advice
    assert [sign.state for sign in services.store.examine() if sign.about == "revisions"] == ["good"]
    assert services.pruning.prune() == ()


@pytest.mark.parametrize(("needed", "first"), [("release", 2), ("webhook", 3), ("nobody", 5)])
def test_what_somebody_needs_stays(needed: str, first: int, tmp_path: Path) -> None:
    filled(tmp_path, 5)
    services = build(Settings(data_dir=tmp_path, revisions_kept=1))
    if needed == "release":
        services.releases.make("2026.11", 2)
    if needed == "webhook":
        services.hooks.add("https://example.org/1", cursor=2, now=NOON)
    services.pruning.prune()
    assert services.store.oldest() == first


def test_a_revision_that_is_not_there_cannot_be_the_first(tmp_path: Path) -> None:
    store = filled(tmp_path, 2)
    for number in (0, 3):
        with pytest.raises(BadParameter):
            store.let_go(number)
    assert store.oldest() == 1


def test_what_a_killed_pruner_left_goes_with_the_next(tmp_path: Path) -> None:
    """Killed after it had said where the rest begins, and half way through a folder."""
    store = filled(tmp_path, 4)
    (tmp_path / "store" / "SINCE").write_text("4\n")
    next((tmp_path / "store" / "revisions" / "000002").iterdir()).unlink()
    assert store.oldest() == 4
    assert_whole(store)
    store.let_go(4)
    assert {path.name for path in (tmp_path / "store" / "revisions").iterdir() if path.is_dir()} == {"000004"}


# ---- the command's and the service's part ----


def test_one_prunes_at_a_time(tmp_path: Path) -> None:
    old(tmp_path / "keys.json.new")
    with locked(tmp_path / "PRUNING"), pytest.raises(StoreBusy, match="prunes"):
        pruning(tmp_path).prune()
    assert len(pruning(tmp_path).prune()) == 1


def test_nothing_goes_where_nobody_knows_what_is_needed(tmp_path: Path) -> None:
    old(tmp_path / "keys.json.new")

    def unknown() -> Needs:
        raise NotFound("release", "2026.11")

    with pytest.raises(AppError):
        replace(pruning(tmp_path), needs=unknown).prune()
    assert (tmp_path / "keys.json.new").exists()


def test_the_service_prunes_once_a_day_when_nobody_is_answered(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    services = build(Settings(data_dir=tmp_path, revisions_kept=1))
    metrics = Metrics()
    upkeep = Upkeep(services, metrics, pace=0.02)
    metrics.begun()
    with upkeep.running():
        time.sleep(0.2)
        assert services.store.oldest() == 1, "somebody is being answered"
        metrics.ended()
        deadline = time.monotonic() + 30
        while services.store.oldest() != 3 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert services.store.oldest() == 3
    assert not upkeep.is_due()
    os.utime(tmp_path / "PRUNED", (time.time() - 90_000,) * 2)
    assert upkeep.is_due()
    os.utime(tmp_path / "PRUNED", (time.time() + 90_000,) * 2)
    assert upkeep.is_due(), "the clock was set back"


def test_a_service_that_shall_not_prune_does_not(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    upkeep = Upkeep(build(Settings(data_dir=tmp_path, revisions_kept=1, prune=False)), Metrics(), pace=0.01)
    with upkeep.running():
        time.sleep(0.1)
    assert not (tmp_path / "PRUNED").exists()


def test_the_doctor_tells_sizes(tmp_path: Path) -> None:
    assert examine(tmp_path / "nowhere") == ()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").write_bytes(b"x" * 1_500_000)
    os.link(tmp_path / "store" / "a", tmp_path / "store" / "b")
    (sign,) = examine(tmp_path)
    assert (sign.about, sign.state) == ("sizes", "good")
    assert "store 1.5 MB;" in sign.says, "two names of one file take the room once"
    assert summary([]) == "nothing, 0.0 MB"


def test_results_that_were_cancelled_count_as_none(tmp_path: Path) -> None:
    jobs = queue(tmp_path, Clocks())
    jobs.submit(plan(50), ADA)
    measured(jobs, status=Status.CANCELLED)
    assert len(pruning(tmp_path, jobs, jobs=timedelta(days=1)).prune()) == 1
