"""Imports from file to graph: one proposal, reviewed and committed as any other; and killed at any point."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import vocab
from app.curate.bulk import Described, ModelFiles, Runs, Table
from app.curate.proposals import Filter, find, read_many
from app.curate.review import Answer, commit, review
from app.errors import BadTable
from app.ingest.bulk.sheets import read_sheet
from app.ingest.bulk.verdicts import Verdict
from app.ingest.huggingface.files import CONFIG, Files
from app.ingest.runs.reading import Told
from app.model.agents import Agent
from app.model.claims import resource
from app.model.graphs import REGISTRY
from app.model.proposals import ItemState, State
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.wiring import build
from tests.curate import import_victim
from tests.ingest.huggingface import files as samples
from tests.ingest.runs import texts
from tests.store.audit import assert_audited
from tests.store.test_killed import assert_whole

ADA, BOB = Agent("ada", "Ada"), Agent("bob", "Bob")
ROOT = Path(__file__).parents[2]
KILLED = -9


def table(text: str, source: str = "survey-v3") -> Table:
    return Table(read_sheet(text.encode(), "mine.csv", form="csv"), Described(source))


def accept_everything(services: Services, number: int) -> None:
    services.curation.take(review(number, {}, rest=Answer(True, "as the source has it")), BOB)
    services.curation.take(commit(number), BOB)


def test_an_accepted_import_is_in_the_graph_and_comes_back_with_no_change(own_services: Services) -> None:
    """Also a score of a model of which no weights were recorded: they get their record with it."""
    given = table("model,tokenizer,MMLU (5-shot)\nsmollm2-135m,byte-level BPE,31.5\n")
    taken = own_services.propose_import(given, ADA)
    assert taken.step.proposal is not None
    accept_everything(own_services, taken.step.proposal.number)
    snapshot = own_services.store.at()
    (proposal,) = read_many(snapshot, [taken.step.proposal.number]).values()
    assert proposal.state is State.ACCEPTED
    assert {item.state for item in proposal.items} == {ItemState.COMMITTED}
    weights = resource("artifact", "smollm2-135m-released")
    assert weights in {quad.subject for quad in snapshot.quads(REGISTRY)}
    exported = own_services.export("claims", models=["smollm2-135m"]) + own_services.export("observations")
    assert "byte-level BPE" in exported
    assert ",31.5," in exported
    head = own_services.store.head().number
    again = own_services.propose_import(given, ADA)
    assert (again.revision, again.step.proposal) == (head, None)
    assert {one.verdict for one in own_services.read_import(given).findings} == {Verdict.UNCHANGED}


def test_an_accepted_run_of_another_tool_is_in_the_graph_and_comes_back_with_no_change(own_services: Services) -> None:
    """Runtime figures with device, engine and threads, and scores; the graph stays valid."""
    given = Runs(
        texts("three-models.jsonl", "results_group.json"),
        Told(device="xiaomi-14", meanings={"models/tiny": "smollm-135m"}),
    )
    taken = own_services.propose_import(given, ADA)
    assert taken.step.proposal is not None
    assert len(taken.step.proposal.items) == 6
    accept_everything(own_services, taken.step.proposal.number)
    head = own_services.store.head().number
    assert own_services.propose_import(given, ADA).revision == head
    exported = own_services.export("observations", models=["pythia-160m", "smollm-135m"])
    assert ",1169.918275," in exported
    origins = {
        quad.object.value.rsplit("/", 1)[-1]  # type: ignore[union-attr]
        for source in {item.content.source for item in taken.step.proposal.items}
        for quad in own_services.store.at().quads(source.graph)
        if quad.predicate.value == vocab.slm.origin
    }
    assert origins == {"Imported"}
    assert "lm-evaluation-harness" in exported


def test_what_was_rejected_does_not_come_back_unless_there_is_something_new_to_say(own_services: Services) -> None:
    given = table("model,layers\nphi-2,77\n")
    taken = own_services.propose_import(given, ADA)
    assert taken.step.proposal is not None
    number = taken.step.proposal.number
    own_services.curation.take(review(number, {1: Answer(False, "a misprint")}), BOB)
    assert own_services.propose_import(given, ADA).step.proposal is None
    (finding,) = own_services.read_import(given).findings
    assert finding.problem == f"rejected in proposal {number}, item 1"
    once_more = own_services.propose_import(given, ADA, again="the second edition has it too")
    assert once_more.step.proposal is not None
    assert once_more.step.proposal.items[0].again == "the second edition has it too"


def test_a_cell_that_is_not_clear_stops_the_whole_import(own_services: Services) -> None:
    head = own_services.store.head().number
    with pytest.raises(BadTable) as caught:
        own_services.propose_import(table("model,layers\nphi-2,77\nphi-1,12-24\n"), ADA)
    assert (caught.value.line, caught.value.column) == (3, 2)
    assert own_services.store.head().number == head


def test_files_of_a_model_are_proposed_as_far_as_they_can_be_read(own_services: Services) -> None:
    config = {**samples.LLAMA, "hidden_act": "something_new"}
    given = ModelFiles(Files({CONFIG: samples.text(config)}), "tinyllama-1.1b")
    taken = own_services.propose_import(given, ADA)
    assert taken.step.proposal is not None
    assert len(taken.step.proposal.items) == 13
    assert vocab.slm.activation not in {getattr(item.content, "predicate", "") for item in taken.step.proposal.items}
    accept_everything(own_services, taken.step.proposal.number)
    assert own_services.propose_import(given, ADA).step.proposal is None


def test_two_imports_of_one_table_make_one_proposal(own_services: Services) -> None:
    """The second is worked out on what the first left."""
    given = table("model,layers\nphi-2,77\n")
    assert own_services.propose_import(given, ADA).step.proposal is not None
    assert own_services.propose_import(given, BOB).step.proposal is None


# --- killed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [3, pytest.param(7, marks=pytest.mark.heavy)])
def test_an_import_killed_at_any_point_is_done_or_not_done(seed_folder: Path, tmp_path: Path, kills: int) -> None:
    folder = Path(shutil.copytree(seed_folder, tmp_path / "var"))
    chance = random.Random(20261121 + kills)
    before = EmbeddedStore(folder / "store").head().number
    acknowledged: set[int] = set()
    first = 0
    done = 0
    while done < kills or not acknowledged:  # a busy machine may need more of them
        victim = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.curate.import_victim", str(folder), str(first)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 1.6 + max(0, done - kills)))
        done += 1
        victim.kill()
        said = victim.stdout.read()
        assert victim.wait(timeout=60) == KILLED
        acknowledged |= {int(number) for number in said.split()}
        first = _check(folder, before, acknowledged)


def _check(folder: Path, before: int, acknowledged: set[int]) -> int:
    """The store opens and is whole, every proposal is complete, none is lost; returns the next table's number."""
    services = build(Settings(data_dir=folder))
    assert_whole(services.store)
    assert_audited(services.store)
    snapshot = services.store.at()
    found = read_many(snapshot, find(snapshot, Filter()))
    tables = {int(proposal.title.rpartition("-")[2].removesuffix(".csv")): proposal for proposal in found.values()}
    assert len(tables) == len(found)
    assert acknowledged <= set(tables)
    for number, proposal in tables.items():
        assert len(proposal.items) == import_victim.ITEMS
        assert {item.content.source.slug for item in proposal.items} == {f"table-{number}"}
        assert proposal.state is State.OPEN
    revisions = services.store.revisions()[before:]
    assert sorted(revision.reason for revision in revisions) == sorted(
        f"proposal {proposal.number}: {proposal.title}" for proposal in found.values()
    )
    reading = services.read_import(import_victim.table(max(tables, default=-1) + 1))
    assert len(reading.items) == import_victim.ITEMS
    return max(tables, default=-1) + 1
