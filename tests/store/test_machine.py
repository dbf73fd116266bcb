"""Random changes to both adapters at once: the same graphs, the same records, the same refusals."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.errors import StaleRevision
from app.model.changes import ChangeSet
from app.model.rdf import Blank, Literal, Quad
from app.store.embedded import EmbeddedStore
from app.store.memory import MemoryStore
from app.store.port import Query, Snapshot
from tests.store.quads import BASE, NOON, name, typed

VALUES = st.one_of(
    st.sampled_from(
        [typed(c, "decimal") for c in ("0.3", "0.30", "00.3", "1", "1.0")]
        + [typed(c, "integer") for c in ("1", "01", "+1")]
        + [typed("1", "int"), name("s1"), Blank("b1"), Blank("b2")]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5).map(Literal),
    st.sampled_from(["en", "EN", "de"]).map(lambda tag: Literal("word", language=tag)),
)
QUADS = st.builds(
    Quad,
    st.sampled_from([name("s1"), name("s2"), Blank("b1")]),
    st.sampled_from([name("p1"), name("p2")]),
    VALUES,
    st.sampled_from([name("g1"), name("g2")]),
)
SETS = st.frozensets(QUADS, max_size=8)


class Refused(Exception):
    """What a check raises in these tests."""


def refuse(_: Snapshot) -> None:
    raise Refused


class Stores(RuleBasedStateMachine):
    """The store in memory is the model of the one on disk, and a plain set of quads of both."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.disk = EmbeddedStore(self.folder / "store")
        self.memory = MemoryStore()
        self.number = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def change(self, add: frozenset[Quad], remove: frozenset[Quad]) -> ChangeSet:
        return ChangeSet(add, remove - add, f"change {self.number + 1}", BASE + "me", NOON)

    @rule(add=SETS, remove=SETS)
    def commit(self, add: frozenset[Quad], remove: frozenset[Quad]) -> None:
        change = self.change(add, remove)
        assert self.disk.apply(change, expect=self.number) == self.memory.apply(change, expect=self.number)
        self.number += 1

    @rule(add=SETS, data=st.data())
    def remove_what_is_there(self, add: frozenset[Quad], data: st.DataObject) -> None:
        there = sorted(self.memory.at().quads(), key=str) if self.number else []
        chosen = data.draw(st.frozensets(st.sampled_from(there))) if there else frozenset[Quad]()
        self.commit(add, chosen)

    @rule(add=SETS, remove=SETS)
    def be_refused(self, add: frozenset[Quad], remove: frozenset[Quad]) -> None:
        change = self.change(add, remove)
        for store in (self.disk, self.memory):
            try:
                store.apply(change, expect=self.number, check=refuse)
            except Refused:
                continue
            raise AssertionError("the check did not stop the commit")

    @rule(add=SETS, off=st.sampled_from([-2, -1, 1, 7]))
    def be_stale(self, add: frozenset[Quad], off: int) -> None:
        change = self.change(add, frozenset())
        found: list[tuple[int, int]] = []
        for store in (self.disk, self.memory):
            try:
                store.apply(change, expect=self.number + off)
            except StaleRevision as error:
                found.append((error.expected, error.actual))
        assert found == [(self.number + off, self.number)] * 2

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = EmbeddedStore(self.folder / "store")

    @rule(data=st.data())
    def travel(self, data: st.DataObject) -> None:
        """Any old revision is the same in both, and revisions differ by what the records say."""
        if not self.number:
            return
        number = data.draw(st.integers(1, self.number))
        here, there = (set(store.at(number).quads()) for store in (self.disk, self.memory))
        assert here == there
        if number > 1:
            before = set(self.disk.at(number - 1).quads())
            record = self.disk.revisions()[number - 1]
            assert (len(here - before), len(before - here)) == (record.added, record.removed)

    @invariant()
    def same(self) -> None:
        assert self.disk.revisions() == self.memory.revisions()
        assert len(self.disk.revisions()) == self.number
        if not self.number:
            return
        here = set(self.disk.at().quads())
        assert here == set(self.memory.at().quads())
        assert len(here) == self.disk.head().quads
        asked = Query("SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY ?g")
        rows = [[dict(row) for row in store.at().query(asked).rows()] for store in (self.disk, self.memory)]
        assert rows[0] == rows[1]


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=6, stateful_step_count=15, deadline=None)
