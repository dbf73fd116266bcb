"""A thousand pushes on which everything goes wrong: each ends, after enough beginnings, in the state that was meant."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.orkg.intent import Intent
from app.orkg.outbox import WriteState
from tests.orkg.pushing import Place, changed, intent, place
from tests.orkg_double.content import Content
from tests.orkg_double.faults import KINDS, Fault

REQUESTS = 75
"""About as many as a push sends, so that a fault may strike any of them, and those of the next beginnings."""
MOST = 8
FAULTS = st.lists(
    st.builds(Fault, st.integers(1, REQUESTS), st.sampled_from(KINDS), st.sampled_from((0.0, 10.0))),
    max_size=MOST,
    unique_by=lambda fault: fault.at,
).map(lambda found: [one if one.what == "slow" else replace(one, seconds=0.0) for one in found])
"""Only an answer may be slow: longer than the client waits, or not."""


@dataclass(frozen=True)
class Prepared:
    """A double at two stages, with what is to be there at the end of the push from each."""

    there: Place
    wanted: tuple[Intent, Intent]
    ends: tuple[Content, Content]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    """Before anything of ours is there, and after a first push."""
    with place() as there:
        first = there.watched(intent())
        later = changed(first)
        there.orkg.save("0")
        there.push(first)
        shutil.copytree(there.folder, there.folder / "1", ignore=shutil.ignore_patterns("1"))
        there.orkg.save("1")
        end = there.orkg.content(there.base)
        there.push(later)
        yield Prepared(there, (first, later), (end, there.orkg.content(there.base)))


def begin(prepared: Prepared, stage: int) -> None:
    """Go back to a stage, double and outbox both."""
    folder = prepared.there.folder
    for path in folder.glob("outbox.*"):
        path.unlink()
    if stage:
        for path in (folder / "1").iterdir():
            shutil.copy(path, folder / path.name)
    prepared.there.orkg.faults()
    prepared.there.orkg.restore(str(stage))


def check(prepared: Prepared, stage: int, faults: list[Fault]) -> None:
    """Push under these faults until it ends; the end is that of a push on which nothing goes wrong."""
    there = prepared.there
    begin(prepared, stage)
    there.orkg.faults(faults)
    done, _ = there.to_the_end(prepared.wanted[stage])
    there.orkg.faults()
    found = there.orkg.content(there.base)
    assert found.doubles() == []
    assert found == prepared.ends[stage]
    assert done.clashes == ()
    outbox = there.outbox()
    try:
        states = {one.state for push in outbox.pushes() for one in outbox.writes(push.number)}
    finally:
        outbox.close()
    assert WriteState.SENT not in states, "the record says of every write what became of it"


@pytest.mark.heavy
@settings(max_examples=1000, derandomize=True, database=None)
@given(stage=st.integers(0, 1), faults=FAULTS)
def test_a_thousand_schedules_of_faults_end_in_the_state_that_was_meant(
    prepared: Prepared, stage: int, faults: list[Fault]
) -> None:
    check(prepared, stage, faults)


@settings(max_examples=10, derandomize=True, database=None)
@given(stage=st.integers(0, 1), faults=FAULTS)
@example(stage=0, faults=[Fault(9, "cut"), Fault(22, "crash-after"), Fault(40, "504-after"), Fault(60, "crash")])
@example(stage=1, faults=[Fault(12, "crash-after"), Fault(20, "slow", 10.0), Fault(33, "cut"), Fault(50, "expired")])
def test_a_few_schedules_of_faults_end_in_the_state_that_was_meant(
    prepared: Prepared, stage: int, faults: list[Fault]
) -> None:
    check(prepared, stage, faults)


@pytest.mark.heavy
@pytest.mark.parametrize("stage", [0, 1])
@pytest.mark.parametrize("what", ["crash", "crash-after"])
def test_a_crash_between_any_two_requests_is_gone_on_with(prepared: Prepared, stage: int, what: str) -> None:
    begin(prepared, stage)
    prepared.there.orkg.forget_log()
    prepared.there.push(prepared.wanted[stage])
    for at in range(1, len(prepared.there.orkg.log()) + 1):
        check(prepared, stage, [Fault(at, what)])
