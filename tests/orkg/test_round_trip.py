"""The whole way on the fictional R753434: pull, match, review, plan, push, pull again. Then nothing has changed."""

from __future__ import annotations

import pytest

from app.curate.orkg import Verdict
from app.curate.review import Answer, commit, review
from app.errors import OrkgDrift
from app.orkg.intent import Intent
from app.orkg.mapping import Pinned
from app.orkg.outgoing import Options, outgoing
from app.orkg.plan import Plan, State
from app.orkg.pull import Pulled, pull
from app.orkg.push import Pushed, push
from app.orkg.seen import table_now
from app.services import Services
from tests.curate.orkg_world import COMPARISON, NOW, confirmed
from tests.curate.people import ADA, BOB
from tests.orkg.pushing import Place, place
from tests.orkg_double.inside import ADDRESS


class Curator:
    """Somebody who goes the whole way, with a double in place of the ORKG."""

    def __init__(self, services: Services, there: Place) -> None:
        self.services = services
        self.there = there
        self.pulled = self.pull()
        self.pinned: Pinned = confirmed(services, self.pulled)

    def pull(self, comparison: str = COMPARISON) -> Pulled:
        with self.there.client() as reader:
            return pull(reader, comparison, now=NOW)

    def plan(self) -> Plan:
        with self.there.client() as reader:
            now = table_now(reader, COMPARISON)
        return self.services.plan_orkg(self.pulled, self.pinned, now).plan

    def propose(self) -> int | None:
        taken = self.services.propose_orkg(self.pulled, self.pinned, ADA)
        return None if taken.step.proposal is None else taken.step.proposal.number

    def accept(self, number: int) -> None:
        take = self.services.curation.take
        take(review(number, {}, rest=Answer(True, "as the table says"), self_review=False), BOB)
        take(commit(number), BOB)

    def intent(self, **chosen: object) -> Intent:
        with self.there.client() as reader:
            now = table_now(reader, COMPARISON)
        prepared = self.services.plan_orkg(self.pulled, self.pinned, now)
        options = Options(host=ADDRESS, **chosen)  # type: ignore[arg-type]
        return outgoing(prepared.plan, self.pulled, now, prepared.rows, prepared.ours, options).intent

    def push(self, wanted: Intent) -> Pushed:
        outbox = self.services.orkg_outbox()
        with self.there.client() as writer:
            return push(writer, outbox, wanted, by=ADA.iri.value, settle=0, sleep=lambda _: None)


@pytest.mark.heavy
def test_the_whole_way_ends_where_nothing_changes_any_more(own_services: Services) -> None:
    with place("r753434") as there:
        curator = Curator(own_services, there)
        first = own_services.read_orkg(curator.pulled, curator.pinned)
        for table in curator.pulled.tables:
            assert sum(first.counts(table.version).values()) == len(table.cells), "every cell is accounted for"
        number = curator.propose()
        assert number is not None
        curator.accept(number)
        revision = own_services.store.head().number

        prepared = own_services.plan_orkg(curator.pulled, curator.pinned, curator.pulled.live)
        counts = prepared.plan.counts
        assert counts["same"] > 300
        assert counts["ours-changed"] > 10
        assert counts["theirs-changed"] == counts["withdrawn-there"] == 0
        conflicting = {(line.model, line.property) for line in prepared.plan.of(State.OURS_CHANGED, State.CONFLICT)}
        assert ("phi-3.5-mini-instruct", "nominal_size") in conflicting

        wanted = curator.intent()
        done = curator.push(wanted)
        assert done.clashes == ()
        assert set(done.columns) == {column.uri for column in wanted.columns}
        content = there.orkg.content(there.base)
        assert content.doubles() == []
        assert content.changed == ()
        assert content.gone == frozenset(), "nothing of others was touched"

        again = curator.pull()
        assert again.fingerprint == curator.pulled.fingerprint
        curator.pulled = again
        assert curator.propose() is None, "what was taken is not proposed again"
        assert own_services.store.head().number == revision
        assert curator.push(wanted).writes == 0

        ours = curator.pull(done.comparison)
        read = own_services.read_orkg(ours, curator.pinned)
        of_ours = [one for one in read.findings if one.column in set(done.columns.values())]
        assert of_ours
        assert {one.verdict for one in of_ours} == {Verdict.OURS}, "our own values are no evidence for us"


@pytest.mark.heavy
def test_in_the_foreign_comparison_only_gaps_are_filled_and_never_over_a_change(own_services: Services) -> None:
    with place("r753434") as there:
        curator = Curator(own_services, there)
        plan = curator.plan()
        gaps = {line.key() for line in plan.of(State.MISSING_THERE)}
        assert gaps
        wanted = curator.intent(edit_foreign=True)

        same = next(line for line in plan.of(State.SAME) if line.property == "num_layers")
        with there.client() as reader:
            (statement,) = reader.statements(subject=same.column, predicate=same.path[0])
        label = statement.object.label
        before = there.orkg.dump()
        there.orkg.ask("PUT", f"/api/literals/{statement.object.id}", json={"label": "999"})
        (line,) = [one for one in curator.plan().lines if one.key() == same.key()]
        assert line.state is State.THEIRS_CHANGED
        with pytest.raises(OrkgDrift):
            curator.push(wanted)
        there.orkg.ask(
            "PUT", f"/api/literals/{statement.object.id}", json={"label": label, "extraction_method": "UNKNOWN"}
        )
        assert there.orkg.content(before).things.total() == 0

        done = curator.push(wanted)
        assert {clash.why for clash in done.clashes} <= {"the value there is not ours to change"}
        curator.pulled = curator.pull()
        filled = [line for line in curator.plan().lines if line.key() in gaps]
        assert {line.state for line in filled} == {State.SAME}
        read = own_services.read_orkg(curator.pulled, curator.pinned)
        head = curator.pulled.head.id
        keys = {(one.column, one.path) for one in read.findings if one.version == head and one.verdict is Verdict.OURS}
        assert {(column, "/".join(path)) for column, path in gaps} == keys
