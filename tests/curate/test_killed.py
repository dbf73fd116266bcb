"""Curators killed by SIGKILL at random moments: what was acknowledged is there, and records agree with the graph."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import vocab
from app.curate import proposals
from app.curate.cases import read_cases, settle_cases
from app.curate.proposals import Filter
from app.model.claims import resource
from app.model.proposals import ItemState
from app.settings import Settings
from app.wiring import build
from tests.store.audit import assert_audited

ROOT = Path(__file__).parents[2]
KILLS = 14
KEY = (resource("architecture", "phi-2"), vocab.slm.vocabularySize)


@pytest.mark.heavy
def test_a_killed_curator_loses_nothing_that_was_acknowledged(seed_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(seed_folder, tmp_path / "var"))
    dice = random.Random(20261121)
    acknowledged = 1
    for _ in range(KILLS):
        command = [sys.executable, "-u", "-m", "tests.curate.victim", str(folder)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(dice.randrange(3)):
                acknowledged = int(process.stdout.readline())
            time.sleep(dice.uniform(0, 0.6))
            process.kill()
            acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        services = build(Settings(data_dir=folder))
        head = services.store.head().number
        assert acknowledged <= head <= acknowledged + 1
        acknowledged = head
        assert_audited(services.store)
    revisions = services.store.revisions()
    assert [revision.number for revision in revisions] == list(range(1, head + 1))
    snapshot = services.store.at()
    recorded = {claim.iri for claim in read_cases(snapshot, [KEY])[KEY].claims}
    found = proposals.read_many(snapshot, proposals.find(snapshot, Filter()))
    assert len(found) >= KILLS // 3
    committed = [item for one in found.values() for item in one.items if item.state is ItemState.COMMITTED]
    assert len({item.revision for item in committed}) == len(committed)
    for item in committed:
        assert item.recorded_as in recorded
        assert item.revision is not None
        assert revisions[item.revision - 1].reason.startswith("proposal ")
    waiting = {one.items[0].recorded_as for one in found.values()} - {item.recorded_as for item in committed}
    assert not waiting & recorded
    assert settle_cases(snapshot, [KEY]).is_empty
    assert services.validate().conforms
