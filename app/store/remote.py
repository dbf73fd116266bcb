"""The store on an external engine: any service that speaks SPARQL 1.1 query and update.

A commit writes new graphs for what it changes (`remote_layout`), has the candidate checked, and then adds **one**
triple to the record (`remote_record`). That triple is the commit: an engine shows it or does not, so that readers see
the old or the new revision whatever else fails, and however weak the engine's transactions are. Physical graphs never
change once they are written, and readers ask only those of their revision (`remote_snapshot`, `remote_text`), so a
revision that somebody holds stays as it was.

What a killed writer leaves behind is part of no revision; `half_done` names it and `repair` removes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from app import vocab
from app.errors import (
    BadParameter,
    EngineUnavailable,
    NotFound,
    StaleRevision,
    StoreBusy,
    StoreEmpty,
    StoreError,
)
from app.model.changes import ChangeSet, Revision
from app.model.health import Sign
from app.model.rdf import IRI, Blank, Quad
from app.store import remote_answers as answers
from app.store import remote_health, trial
from app.store.engine import as_stored
from app.store.port import Snapshot
from app.store.remote_http import Address, Engine
from app.store.remote_kept import KeptGraphs
from app.store.remote_layout import Layout, Segment, changed
from app.store.remote_record import Claim, Node, Record
from app.store.remote_snapshot import RemoteSnapshot, check_names, copied_here


class RemoteStore:
    """Revisions on an external engine (see `port.GraphStore`). Several stores may share an engine under own names."""

    def __init__(
        self, address: Address | Callable[[], Address], name: str = "main", *, kept_bytes: int = 200_000_000
    ) -> None:
        base = f"{vocab.BASE}store/{name}"
        check_names("name", [base])
        self._engine = Engine(address)
        self._record = Record(self._engine, base)
        self._kept = KeptGraphs(kept_bytes)
        self._writing = threading.Lock()

    def head(self) -> Revision:
        """The newest revision."""
        return self._record.describe(self._record.newest())

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, oldest first."""
        return self._record.all()

    def oldest(self) -> int:
        """All revisions are kept."""
        return 1

    def at(self, number: int | None = None) -> Snapshot:
        """The graph at a revision."""
        newest = self._record.newest()
        if number is None or number == newest.number:
            return self._snapshot(self._record.layout(newest))
        if not 1 <= number < newest.number:
            raise NotFound("revision", str(number), advice=f"The newest is {newest.number}.")
        found = [node for node in self._record.kept() if node.number == number]
        if not found:
            raise NotFound("revision", str(number), advice=f"It is not kept any more. The newest is {newest.number}.")
        return self._snapshot(self._record.layout(found[0]))

    def to_check(self, number: int | None = None) -> Snapshot:
        """The graph at a revision; copied here, where the engine gets constraint queries wrong."""
        return self._judged(self.at(number))

    def changes(self, number: int) -> ChangeSet:
        """What a revision added and removed: only graphs that were written for it are compared."""
        revision = next((one for one in self.revisions() if one.number == number), None)
        if revision is None:
            raise NotFound("revision", str(number), advice=f"The newest is {self.head().number}.")
        kept = {node.number: node for node in self._record.kept()}
        if number not in kept or (number > 1 and number - 1 not in kept):
            raise NotFound("change", str(number), advice="The data of that revision, or the one before, are let go.")
        new = self._record.layout(kept[number])
        old = self._record.layout(kept[number - 1]) if number > 1 else Layout()
        written = [name for name in {**old.graphs, **new.graphs} if old.graphs.get(name) != new.graphs.get(name)]
        before, after = (
            {quad for name in written for quad in self._snapshot(layout).quads(IRI(name))} for layout in (old, new)
        )
        return ChangeSet.between(
            before, after, reason=revision.reason, author=revision.author, made_at=revision.made_at
        )

    def consider(self, change: ChangeSet, *, on: int, check: Callable[[Snapshot], None]) -> None:
        """Show `check` what a change would make of revision `on`; StaleRevision, StoreBusy."""
        trial.abandoned(self, change, on=on, check=check)

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision, or change nothing."""
        if not self._writing.acquire(blocking=False):
            raise StoreBusy("somebody else is writing to this store", advice="Wait until it has finished.")
        try:
            self._expected(expect)
            claim = self._record.claim()
            try:
                return self._commit(change, expect, self._expected(expect), claim, check)
            finally:
                self._record.withdraw(claim)
        finally:
            self._writing.release()

    def as_kept(self, quads: Iterable[Quad]) -> frozenset[Quad]:
        """Quads as the engine gives them back."""
        places = self._engine.address.decimal_places
        if places is not None:
            quads = [answers.rounded(quad, places) for quad in as_stored(quads)]
        return as_stored(quads)

    def examine(self) -> tuple[Sign, ...]:
        """Ask the engine: is it there, does it take updates, is anything half done."""
        return tuple(remote_health.examine(self._engine, self._record))

    def half_done(self) -> tuple[str, ...]:
        """What is part of no revision and why, in words; empty when all is well."""
        claims = [
            f"{claim} said that it is writing, and {'has died' if claim.abandoned else 'has not finished'}"
            for claim in self._record.claims()
        ]
        return (*claims, *self._record.leftovers().in_words())

    def repair(self, *, take_over: bool = False) -> tuple[str, ...]:
        """Remove what dead writers left; return what was done, in words.

        A writer at work is not disturbed, unless `take_over` says so: then its commit cannot succeed any more.
        """
        done: list[str] = []
        for claim in self._record.claims():
            if claim.abandoned or take_over:
                self._record.withdraw(claim)
                done.append(f"removed the claim of {claim}")
        left = self._record.leftovers()
        for name, size in left.unfinished.items():
            self._record.abandon(name)
            done.append(f"removed what was begun of revision <{name}> ({size} graphs)")
        for graph in left.graphs:
            self._record.drop(graph)
            done.append(f"removed graph <{graph}>")
        return tuple(done)

    def forget(self, keep: int) -> int:
        """Keep only the data of the newest so many revisions; return how many were let go.

        Their descriptions stay. Their graphs are removed by `repair`: run it when nobody reads old revisions any more.
        """
        if keep < 1:
            raise BadParameter("keep", "the newest revision cannot be forgotten")
        old = sorted(self._record.kept(), key=lambda node: -node.number)[keep:]
        for node in old:
            self._record.forget(node)
        return len(old)

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    def _judged(self, snapshot: Snapshot) -> Snapshot:
        return copied_here(snapshot) if self._engine.address.checks_here else snapshot

    def _snapshot(self, layout: Layout) -> RemoteSnapshot:
        return RemoteSnapshot(self._engine, layout, self._record.base, self._kept)

    def _expected(self, expect: int) -> Layout:
        """The newest revision's layout; StaleRevision when it is not the expected one."""
        try:
            node = self._record.newest()
        except StoreEmpty:
            newest, layout = 0, Layout()
        else:
            newest, layout = node.number, self._record.layout(node)
        if newest != expect:
            raise StaleRevision(expect, newest)
        return layout

    def _commit(
        self, change: ChangeSet, expect: int, old: Layout, claim: Claim, check: Callable[[Snapshot], None] | None
    ) -> Revision:
        """Stage, check, publish; whatever fails on the way is cleared away."""
        node = Node(expect + 1, f"{self._record.base}/{expect + 1}-{claim.token}")
        contents, added, removed = self._contents(change, old)
        sizes = {logical: len(content) for logical, content in contents.items()}
        new = changed(old, sizes, stem=node.name, blanks=old.blanks or _has_blanks(change))
        revision = Revision(
            number=node.number,
            reason=change.reason,
            author=change.author,
            made_at=change.made_at,
            added=added,
            removed=removed,
            quads=new.quads,
        )
        try:
            self._record.begin(node, sorted(new.all_names() - old.all_names()))
            self._stage(old, new, contents)
            if check is not None:
                check(self._judged(self._snapshot(new)))
            self._publish(node, revision, new, claim)
        except BaseException:
            self._clear_away(node)
            raise
        return revision

    def _contents(self, change: ChangeSet, layout: Layout) -> tuple[dict[str, set[Quad]], int, int]:
        """The new content of each graph that changes, and how many quads come and go."""
        wanted, unwanted = self.as_kept(change.add), self.as_kept(change.remove)
        coming, going = _by_graph(wanted), _by_graph(unwanted - wanted)
        before = self._snapshot(layout)
        contents: dict[str, set[Quad]] = {}
        added = removed = 0
        for logical in coming.keys() | going.keys():
            content = set(before.quads(IRI(logical)))
            fresh, gone = coming.get(logical, set()) - content, going.get(logical, set()) & content
            if fresh or gone:
                contents[logical] = (content - gone) | fresh
                added, removed = added + len(fresh), removed + len(gone)
        return contents, added, removed

    def _stage(self, old: Layout, new: Layout, contents: dict[str, set[Quad]]) -> None:
        """Write the new graphs and segments, and see that the engine has all of it."""
        known = {new.graphs[logical].name: content for logical, content in contents.items() if content}
        for name, content in known.items():
            self._engine.add(name, answers.stored_triples(content))
        self._verify({name: len(content) for name, content in known.items()})
        for logical, content in contents.items():
            self._verify_numbers(logical, new, content)
        for segment in new.segments:
            if segment not in old.segments:
                self._fill(segment, known)

    def _fill(self, segment: Segment, known: dict[str, set[Quad]]) -> None:
        """Write the union of graphs: what is known here is sent, the rest the engine copies itself."""
        members = sorted(segment.covers)
        self._engine.add(
            segment.name, answers.stored_triples(quad for name in members if name in known for quad in known[name])
        )
        for name in members:
            if name not in known:
                self._engine.update(
                    f"INSERT {{ GRAPH <{segment.name}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{name}> {{ ?s ?p ?o }} }}"
                )
        kept = self._count(f"GRAPH <{segment.name}> {{ ?s ?p ?o }}")
        if kept != segment.size:  # right where a triple stands in two of the graphs
            names = " ".join(f"<{name}>" for name in members)
            union = f"SELECT DISTINCT ?s ?p ?o {{ VALUES ?g {{ {names} }} GRAPH ?g {{ ?s ?p ?o }} }}"
            _see_that_all_is_there(segment.name, kept, self._count(union))

    def _verify(self, sizes: dict[str, int]) -> None:
        """See that graphs have all their triples."""
        for names in _batches(sorted(sizes), 200):
            listed = " ".join(f"<{name}>" for name in names)
            rows = answers.cells(
                self._engine.own_rows(
                    f"SELECT ?g (COUNT(?s) AS ?n) {{ VALUES ?g {{ {listed} }} GRAPH ?g {{ ?s ?p ?o }} }} GROUP BY ?g"
                )
            )
            found = {row["g"]: int(row["n"]) for row in rows}
            for name in names:
                _see_that_all_is_there(name, found.get(name, 0), sizes[name])

    def _verify_numbers(self, logical: str, layout: Layout, content: set[Quad]) -> None:
        """See that long numbers were not rounded, where there are any."""
        if any(answers.is_long_number(quad.object) for quad in content):
            kept = set(self._snapshot(layout).quads(IRI(logical)))
            if kept != content:
                lost = min(map(str, content - kept))
                raise EngineUnavailable(
                    f"the engine does not keep a value as it is: {lost}",
                    advice="Use an engine that does, or say how many decimal places this one keeps.",
                )

    def _count(self, pattern: str) -> int:
        (row,) = answers.cells(self._engine.own_rows(f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}"))
        return int(row["n"])

    def _publish(self, node: Node, revision: Revision, layout: Layout, claim: Claim) -> None:
        """Make the revision visible; StaleRevision when somebody else has its number, or took over our claim."""
        winners = self._record.commit(node, revision, layout, claim)
        if winners == (node.name,):
            return
        if node.name in winners:
            self._record.take_back(node)
        raise StaleRevision(node.number - 1, self._record.newest().number if winners else node.number - 1)

    def _clear_away(self, node: Node) -> None:
        """Remove what was staged for a revision that is not to be. What cannot be removed now, `repair` finds."""
        with suppress(StoreError):
            if not self._record.is_committed(node):
                self._record.abandon(node.name)


def _by_graph(quads: Iterable[Quad]) -> dict[str, set[Quad]]:
    found: dict[str, set[Quad]] = {}
    for quad in quads:
        assert isinstance(quad.graph_name, IRI)  # noqa: S101 - every quad has a home graph
        found.setdefault(quad.graph_name.value, set()).add(quad)
    return found


def _batches(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _see_that_all_is_there(graph: str, kept: int, written: int) -> None:
    if kept != written:
        raise EngineUnavailable(
            f"the engine keeps {kept} of {written} triples that were written to {graph}",
            advice="It cannot hold one of the values; docs/reference/engines.md lists what is known.",
        )


def _has_blanks(change: ChangeSet) -> bool:
    return any(isinstance(term, Blank) for quad in change.add for term in (quad.subject, quad.object))
