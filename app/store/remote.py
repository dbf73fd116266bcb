"""The store on an external engine: any service that speaks SPARQL 1.1 query and update.

    <base>                     the record: one triple `revision` for each committed revision, who is writing, and notes
    <base>/8-3f2a9c41          a revision: number, record (JSON), layout (JSON), and the graphs staged for it
    <base>/8-3f2a9c41/0 …      its physical graphs: written once, before the revision exists, and never changed

A commit stages new graphs for what it changes (`remote_layout`), has the candidate checked, and then adds **one**
triple, `<base> revision <…>`. That triple is the commit: an engine shows it or does not, so that readers see the old
or the new revision whatever else fails, and however weak the engine's transactions are. Readers ask the physical
graphs of their revision only (`remote_text`), so a revision that they hold stays as it was.

Who wants to write first writes a claim and then looks whether somebody else has one; both see each other or one sees
nobody, so that never two go on. The commit is conditional on the claim and on the number not being taken. What a
killed writer leaves behind is not part of any revision; `half_done` names it and `repair` removes it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime

import pyoxigraph as ox

from app import vocab
from app.errors import (
    BadParameter,
    EngineUnavailable,
    NotFound,
    StaleRevision,
    StoreBusy,
    StoreDamaged,
    StoreEmpty,
    StoreError,
)
from app.model.changes import ChangeSet, Revision
from app.model.rdf import IRI, Blank, Literal, Quad, Triple
from app.store import remote_answers as answers
from app.store.engine import EngineAnswer, EngineSnapshot, as_stored
from app.store.port import Query, Snapshot
from app.store.remote_http import Address, Engine, EngineRefusal
from app.store.remote_layout import Layout, Segment, changed
from app.store.remote_text import clauses, rewrite, with_values

_TERMS = vocab.BASE + "store#"
_REVISION, _NUMBER, _RECORD, _LAYOUT, _STAGES, _WRITER, _CLAIM = (
    _TERMS + term for term in ("revision", "number", "record", "layout", "stages", "writer", "claim")
)
LEASE = 3600.0
"""Seconds after which a claim counts as abandoned, wherever its writer runs."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who is writing. `node` is the claim's IRI."""

    node: str
    token: str
    host: str
    process: int
    since: float

    @property
    def abandoned(self) -> bool:
        """Whether its writer has died, or should have finished long ago."""
        if time.time() - self.since > LEASE:
            return True
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@dataclass(frozen=True, slots=True)
class _Node:
    """A committed revision's place in the engine."""

    number: int
    name: str


class RemoteSnapshot:
    """One revision, or a candidate, in an external engine (see `port.Snapshot`)."""

    def __init__(self, engine: Engine, layout: Layout, base: str) -> None:
        self._engine = engine
        self._layout = layout
        self._nowhere = base + "/nowhere"

    def query(self, query: Query) -> EngineAnswer:
        """Answer a SPARQL query over the chosen dataset."""
        for parameter, graphs in (("default-graph-uri", query.default_graphs), ("named-graph-uri", query.named_graphs)):
            _check_names(parameter, graphs)
        said, tokens = clauses(query.text)
        if not said.form:
            raise answers.diagnosis(query.text, "this is no SELECT, ASK, CONSTRUCT or DESCRIBE query")
        if query.values:
            tokens = with_values(tokens, *_values_block(query))
        default, visible = self._dataset(query, said.chosen, said.default, said.named)
        text = rewrite(tokens, visible, nowhere=self._nowhere, skolem=answers.SKOLEM if self._layout.blanks else None)
        try:
            if said.form in {"CONSTRUCT", "DESCRIBE"}:
                return answers.graph(self._engine.triples(text.text, default, text.named))
            body = self._engine.rows(text.text, default, text.named)
        except EngineRefusal as error:
            raise answers.diagnosis(query.text, str(error)) from error
        return answers.truth(body) if said.form == "ASK" else answers.rows(body, text.hidden)

    def quads(self, graph: IRI | None = None) -> Iterator[Quad]:
        """All quads, or those of one named graph. Each graph is read whole and counted before the first quad is given."""
        for logical, physical in self._layout.graphs.items():
            if graph is None or logical == graph.value:
                home = IRI(logical)
                body = self._engine.rows(f"SELECT ?s ?p ?o {{ GRAPH {IRI(physical.name)} {{ ?s ?p ?o }} }}")
                found = [Quad(row["s"], row["p"], row["o"], home) for row in answers.rows(body).rows()]  # type: ignore[arg-type]
                if len(found) != physical.size:
                    raise EngineUnavailable(
                        f"the engine gave {len(found)} of {physical.size} triples of {logical}",
                        advice="Let the engine give answers of any length (Virtuoso: ResultSetMaxRows).",
                    )
                yield from found

    def _dataset(
        self, query: Query, in_text: bool, default: tuple[str, ...], named: tuple[str, ...]
    ) -> tuple[list[str], dict[str, str]]:
        """The physical default graphs, and the named graphs to see by logical name."""
        physical = self._layout.physical_names()
        if query.default_graphs or query.named_graphs:
            default, named = query.default_graphs, query.named_graphs
        elif not in_text:
            return [*self._layout.everything()] or [self._nowhere], physical
        chosen = [physical[name] for name in dict.fromkeys(default) if name in physical]
        return chosen or [self._nowhere], {name: physical[name] for name in named if name in physical}


def copied_here(snapshot: Snapshot) -> Snapshot:
    """The same graph in our own engine, in memory (about 300 bytes for each quad)."""
    store = ox.Store()
    store.bulk_extend(snapshot.quads())
    return EngineSnapshot(store)


class RemoteStore:
    """Revisions on an external engine (see `port.GraphStore`). Several stores may share an engine under own names."""

    def __init__(self, address: Address, name: str = "main") -> None:
        self._base = f"{vocab.BASE}store/{name}"
        _check_names("name", [self._base])
        self._engine = Engine(address)
        self._places = address.decimal_places
        self._checks_here = address.checks_here
        self._writing = threading.Lock()
        self._layouts: dict[str, Layout] = {}

    def head(self) -> Revision:
        """The newest revision."""
        return self._describe(self._newest())

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions, oldest first."""
        rows = self._cells(
            f"SELECT ?record {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> ?r . ?r <{_RECORD}> ?record }} }}"
        )
        return tuple(sorted((_revision(row["record"]) for row in rows), key=lambda revision: revision.number))

    def at(self, number: int | None = None) -> Snapshot:
        """The graph at a revision."""
        newest = self._newest()
        if number is None or number == newest.number:
            return self._snapshot(newest)
        if not 1 <= number < newest.number:
            raise NotFound("revision", str(number), advice=f"The newest is {newest.number}.")
        found = [node for node in self._nodes() if node.number == number]
        if not found:
            raise NotFound("revision", str(number), advice=f"It is not kept any more. The newest is {newest.number}.")
        return self._snapshot(found[0])

    def apply(self, change: ChangeSet, *, expect: int, check: Callable[[Snapshot], None] | None = None) -> Revision:
        """Commit a change as the next revision, or change nothing."""
        if not self._writing.acquire(blocking=False):
            raise StoreBusy("somebody else is writing to this store", advice="Wait until it has finished.")
        try:
            old = self._expected(expect)
            claim = self._claim()
            try:
                self._expected(expect)
                return self._commit(change, old, claim, check)
            finally:
                self._withdraw(claim)
        finally:
            self._writing.release()

    def half_done(self) -> tuple[str, ...]:
        """What writers left that is part of no revision, in words; empty when all is well."""
        lines = [
            f"{claim} said that it is writing and {'has died' if claim.abandoned else 'has not finished'}"
            for claim in self._claims()
        ]
        return (*lines, *(f"the graph {graph} belongs to no revision" for graph in self._leftovers()))

    def repair(self) -> tuple[str, ...]:
        """Remove what dead writers left; return what was done, in words. A writer at work is not disturbed."""
        done: list[str] = []
        for claim in self._claims():
            if claim.abandoned:
                self._withdraw(claim)
                done.append(f"removed the claim of {claim}")
        for graph in self._leftovers(spare=[claim.token for claim in self._claims()]):
            self._drop(graph)
            done.append(f"removed the graph {graph}")
        return tuple(done)

    def forget(self, keep: int) -> int:
        """Keep only the data of the newest so many revisions; return how many were let go.

        Their records stay. Their graphs are removed by `repair`: run it when nobody reads an old revision any more.
        """
        if keep < 1:
            raise BadParameter("keep", "the newest revision cannot be forgotten")
        old = sorted(self._nodes(), key=lambda node: -node.number)[keep:]
        for node in old:
            self._engine.update(
                f"DELETE {{ GRAPH <{self._base}> {{ <{node.name}> <{_LAYOUT}> ?l }} }}"
                f" WHERE {{ GRAPH <{self._base}> {{ <{node.name}> <{_LAYOUT}> ?l }} }}"
            )
            self._layouts.pop(node.name, None)
        return len(old)

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    # --- reading the record ------------------------------------------------------------------------------------

    def _cells(self, query: str) -> list[dict[str, str]]:
        try:
            return answers.cells(self._engine.rows(query))
        except EngineRefusal as error:
            raise EngineUnavailable(
                f"the engine cannot read our own query: {error}", advice="Check that it is a SPARQL 1.1 engine."
            ) from error

    def _newest(self) -> _Node:
        rows = self._cells(
            f"SELECT ?r ?n {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> ?r . ?r <{_NUMBER}> ?n }} }}"
            " ORDER BY DESC(?n) LIMIT 1"
        )
        if not rows:
            raise StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
        return _Node(int(rows[0]["n"]), rows[0]["r"])

    def _nodes(self) -> list[_Node]:
        """All committed revisions whose data are kept."""
        rows = self._cells(
            f"SELECT ?r ?n {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> ?r ."
            f" ?r <{_NUMBER}> ?n ; <{_LAYOUT}> ?l }} }}"
        )
        return [_Node(int(row["n"]), row["r"]) for row in rows]

    def _describe(self, node: _Node) -> Revision:
        return _revision(self._only(node, _RECORD))

    def _snapshot(self, node: _Node) -> Snapshot:
        return RemoteSnapshot(self._engine, self._layout(node), self._base)

    def _layout(self, node: _Node) -> Layout:
        if node.name not in self._layouts:
            try:
                self._layouts[node.name] = Layout.from_json(self._only(node, _LAYOUT))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _damaged(f"the layout of revision {node.number} cannot be read") from error
        return self._layouts[node.name]

    def _only(self, node: _Node, term: str) -> str:
        rows = self._cells(f"SELECT ?v {{ GRAPH <{self._base}> {{ <{node.name}> <{term}> ?v }} }}")
        if len(rows) != 1:
            raise _damaged(f"revision {node.number} has {len(rows)} values of <{term}> instead of one")
        return rows[0]["v"]

    def _expected(self, expect: int) -> tuple[int, Layout]:
        """The newest revision's number and layout; StaleRevision when it is not the expected one."""
        try:
            node = self._newest()
        except StoreEmpty:
            newest, layout = 0, Layout()
        else:
            newest, layout = node.number, self._layout(node)
        if newest != expect:
            raise StaleRevision(expect, newest)
        return newest, layout

    # --- who is writing ----------------------------------------------------------------------------------------

    def _claims(self) -> list[_Claim]:
        rows = self._cells(
            f"SELECT ?w ?c {{ GRAPH <{self._base}> {{ <{self._base}> <{_WRITER}> ?w . ?w <{_CLAIM}> ?c }} }}"
        )
        try:
            return [_Claim(node=row["w"], **json.loads(row["c"])) for row in rows]
        except (ValueError, TypeError) as error:
            raise _damaged("a writer's claim cannot be read") from error

    def _claim(self) -> _Claim:
        """Say that we are writing; StoreBusy when somebody else says so."""
        token = secrets.token_hex(4)
        mine = _Claim(f"{self._base}/writer-{token}", token, socket.gethostname(), os.getpid(), time.time())
        text = {"token": token, "host": mine.host, "process": mine.process, "since": mine.since}
        self._note([(mine.node, _CLAIM, Literal(json.dumps(text))), (self._base, _WRITER, IRI(mine.node))])
        try:
            others = [claim for claim in self._claims() if claim.node != mine.node]
            for other in [claim for claim in others if claim.abandoned]:
                self._withdraw(other)
                others.remove(other)
            if others:
                raise StoreBusy(f"{others[0]} is writing", advice="Wait until it has finished.")
        except BaseException:
            self._withdraw(mine)
            raise
        return mine

    def _withdraw(self, claim: _Claim) -> None:
        """Take a claim back. A line that fails must not hide what happened: `repair` finds the claim."""
        with suppress(StoreError):
            self._engine.update(
                f"DELETE {{ GRAPH <{self._base}> {{ <{self._base}> <{_WRITER}> <{claim.node}> ."
                f" <{claim.node}> <{_CLAIM}> ?c }} }}"
                f" WHERE {{ GRAPH <{self._base}> {{ <{claim.node}> <{_CLAIM}> ?c }} }}"
            )

    def _note(self, facts: Iterable[tuple[str, str, IRI | Literal]]) -> None:
        """Add triples to the record."""
        self._engine.add(self._base, [Triple(IRI(subject), IRI(term), value) for subject, term, value in facts])

    # --- writing -----------------------------------------------------------------------------------------------

    def _commit(
        self, change: ChangeSet, old: tuple[int, Layout], claim: _Claim, check: Callable[[Snapshot], None] | None
    ) -> Revision:
        newest, layout = old
        node = _Node(newest + 1, f"{self._base}/{newest + 1}-{claim.token}")
        contents, added, removed = self._contents(change, layout)
        sizes = {logical: len(content) for logical, content in contents.items()}
        new = changed(layout, sizes, stem=node.name, blanks=layout.blanks or _has_blanks(change))
        staged = sorted(new.all_names() - layout.all_names())
        try:
            self._note((node.name, _STAGES, IRI(graph)) for graph in staged)
            self._stage(layout, new, contents)
            if check is not None:
                candidate = RemoteSnapshot(self._engine, new, self._base)
                check(copied_here(candidate) if self._checks_here else candidate)
            revision = Revision(
                number=node.number,
                reason=change.reason,
                author=change.author,
                made_at=change.made_at,
                added=added,
                removed=removed,
                quads=new.quads,
            )
            self._publish(node, revision, new, claim)
        except BaseException:
            self._abandon(node, staged)
            raise
        self._layouts[node.name] = new
        return revision

    def _contents(self, change: ChangeSet, layout: Layout) -> tuple[dict[str, set[Quad]], int, int]:
        """The new content of each graph that changes, and how many quads come and go."""
        wanted, unwanted = self._as_kept(change.add), self._as_kept(change.remove)
        unwanted -= wanted
        touched = {quad.graph_name.value for quad in (*wanted, *unwanted)}  # type: ignore[union-attr]
        before = RemoteSnapshot(self._engine, layout, self._base)
        contents: dict[str, set[Quad]] = {}
        added = removed = 0
        by_graph: dict[str, tuple[set[Quad], set[Quad]]] = {name: (set(), set()) for name in touched}
        for place, quads in enumerate((wanted, unwanted)):
            for quad in quads:
                by_graph[quad.graph_name.value][place].add(quad)  # type: ignore[union-attr]
        for logical, (coming, going) in by_graph.items():
            content = set(before.quads(IRI(logical)))
            coming -= content
            going &= content
            if coming or going:
                contents[logical] = (content - going) | coming
                added, removed = added + len(coming), removed + len(going)
        return contents, added, removed

    def _as_kept(self, quads: Iterable[Quad]) -> frozenset[Quad]:
        """Quads as the engine gives them back."""
        if self._places is not None:
            quads = [answers.rounded(quad, self._places) for quad in as_stored(quads)]
        return as_stored(quads)

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
            rows = self._cells(
                f"SELECT ?g (COUNT(?s) AS ?n) {{ VALUES ?g {{ {listed} }} GRAPH ?g {{ ?s ?p ?o }} }} GROUP BY ?g"
            )
            found = {row["g"]: int(row["n"]) for row in rows}
            for name in names:
                _see_that_all_is_there(name, found.get(name, 0), sizes[name])

    def _verify_numbers(self, logical: str, layout: Layout, content: set[Quad]) -> None:
        """See that long numbers were not rounded, where there are any."""
        if any(answers.is_long_number(quad.object) for quad in content):
            kept = set(RemoteSnapshot(self._engine, layout, self._base).quads(IRI(logical)))
            if kept != content:
                lost = min(map(str, content - kept))
                raise EngineUnavailable(
                    f"the engine does not keep a value as it is: {lost}",
                    advice="Use an engine that does, or say how many decimal places this one keeps.",
                )

    def _count(self, pattern: str) -> int:
        (row,) = self._cells(f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}")
        return int(row["n"])

    def _publish(self, node: _Node, revision: Revision, layout: Layout, claim: _Claim) -> None:
        """Make the revision visible: one triple, if the claim still stands and the number is not taken."""
        record = asdict(revision) | {"made_at": revision.made_at.isoformat()}
        self._note(
            [
                (node.name, _NUMBER, Literal(node.number)),
                (node.name, _RECORD, Literal(json.dumps(record))),
                (node.name, _LAYOUT, Literal(layout.to_json())),
            ]
        )
        commit = (
            f"INSERT {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> <{node.name}> }} }}"
            f" WHERE {{ GRAPH <{self._base}> {{ <{self._base}> <{_WRITER}> <{claim.node}> ."
            f" FILTER NOT EXISTS {{ <{self._base}> <{_REVISION}> ?other . ?other <{_NUMBER}> {node.number} }} }} }}"
        )
        failure: EngineUnavailable | None = None
        try:
            self._engine.update(commit)
        except EngineUnavailable as error:
            failure = error  # the answer may be lost and the triple there: only a look tells
        winners = [
            row["r"]
            for row in self._cells(
                f"SELECT ?r {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> ?r . ?r <{_NUMBER}> {node.number} }} }}"
            )
        ]
        if winners == [node.name]:
            return
        if node.name in winners:
            self._engine.update(
                f"DELETE DATA {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> <{node.name}> }} }}"
            )
        if failure is not None and not winners:
            raise failure
        raise StaleRevision(node.number - 1, self._newest().number if winners else node.number - 1)

    def _abandon(self, node: _Node, staged: Iterable[str]) -> None:
        """Remove what was staged for a revision that is not to be. What cannot be removed now, `repair` finds."""
        with suppress(StoreError):
            if any(
                row["r"] == node.name
                for row in self._cells(f"SELECT ?r {{ GRAPH <{self._base}> {{ <{self._base}> <{_REVISION}> ?r }} }}")
            ):
                return
            for graph in staged:
                self._drop(graph)
            self._forget_node(node.name)

    def _drop(self, graph: str) -> None:
        self._engine.update(f"DROP SILENT GRAPH <{graph}>")
        self._engine.update(
            f"DELETE {{ GRAPH <{self._base}> {{ ?n <{_STAGES}> <{graph}> }} }}"
            f" WHERE {{ GRAPH <{self._base}> {{ ?n <{_STAGES}> <{graph}> }} }}"
        )

    def _forget_node(self, name: str) -> None:
        self._engine.update(
            f"DELETE {{ GRAPH <{self._base}> {{ <{name}> ?p ?o }} }}"
            f" WHERE {{ GRAPH <{self._base}> {{ <{name}> ?p ?o }} }}"
        )

    def _leftovers(self, spare: Iterable[str] = ()) -> list[str]:
        """Graphs that were staged and belong to no revision that is kept."""
        rows = self._cells(f"SELECT ?g {{ GRAPH <{self._base}> {{ ?n <{_STAGES}> ?g }} }}")
        used = frozenset[str]().union(*(self._layout(node).all_names() for node in self._nodes()))
        tokens = tuple(spare)
        return sorted(
            row["g"] for row in rows if row["g"] not in used and not any(f"-{token}/" in row["g"] for token in tokens)
        )


def _batches(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _see_that_all_is_there(graph: str, kept: int, written: int) -> None:
    if kept != written:
        raise EngineUnavailable(
            f"the engine keeps {kept} of {written} triples that were written to {graph}",
            advice="It cannot hold one of the values; docs/reference/engines.md lists what is known.",
        )


def _values_block(query: Query) -> tuple[str, str]:
    """The query's variable with constants, and its VALUES block; terms print themselves escaped."""
    if len(query.values) > 1:
        raise ValueError("a VALUES block binds one variable here; join further ones in the query itself")
    ((name, terms),) = query.values.items()
    return name, f"VALUES ?{name} {{ {' '.join(str(answers.stored_term(term)) for term in terms)} }}"


def _has_blanks(change: ChangeSet) -> bool:
    return any(isinstance(term, Blank) for quad in change.add for term in (quad.subject, quad.object))


def _check_names(parameter: str, names: Iterable[str]) -> None:
    """BadParameter for a name that is no absolute IRI."""
    for name in names:
        try:
            ox.NamedNode(name)
        except ValueError as error:
            raise BadParameter(parameter, str(error), advice="Give an absolute IRI.") from error


def _revision(text: str) -> Revision:
    try:
        record = json.loads(text)
        return Revision(**(record | {"made_at": datetime.fromisoformat(record["made_at"])}))
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged("the record of a revision cannot be read") from error


def _damaged(problem: str) -> StoreDamaged:
    return StoreDamaged(
        problem, advice="Restore the engine's data from a backup, or load into a store of another name."
    )
