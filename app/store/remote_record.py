"""What an external engine knows about a store's revisions and writers: one small graph. Never touches the data.

    <base> revision <base/8-3f2a9c41>          a committed revision; this one triple is its commit
    <base/8-3f2a9c41> number 8 ;               written before it
        record "{…}" ; layout "{…}" ;          who, when, why (JSON); its graphs (JSON), gone once it is forgotten
        stages <base/8-3f2a9c41/0> , …         every graph that was begun for it, written before the graph is
    <base> writer <base/writer-3f2a9c41>       somebody says that he is writing
    <base/writer-3f2a9c41> claim "{…}"         process, host, since when (JSON)

Triples are only ever added to what a reader relies on. A writer first adds its claim and then looks for others: of two
that come at once each sees the other, or one of them sees nobody, so that never two go on.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app import vocab
from app.errors import EngineUnavailable, StoreBusy, StoreDamaged, StoreEmpty, StoreError
from app.model.changes import Revision
from app.model.rdf import IRI, Literal, Triple
from app.store.remote_answers import cells
from app.store.remote_http import Engine
from app.store.remote_layout import Layout

_TERMS = vocab.BASE + "store#"
_REVISION, _NUMBER, _RECORD, _LAYOUT, _STAGES, _WRITER, _CLAIM = (
    f"<{_TERMS}{term}>" for term in ("revision", "number", "record", "layout", "stages", "writer", "claim")
)
_KEPT = 64
"""Revisions that are remembered."""
_LOOKS = (0.02, 0.1, 0.5)
"""Seconds between looks for a commit that does not show."""
LEASE = 3600.0
"""Seconds after which a claim counts as abandoned, wherever its writer runs."""


@dataclass(frozen=True, slots=True)
class Node:
    """A revision's place in the engine: its number and its IRI."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Who is writing. `name` is the claim's IRI, `token` begins the names of what the writer stages."""

    name: str
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
class Leftovers:
    """Unfinished revisions (IRIs, each with its number of graphs) and graphs of forgotten ones."""

    unfinished: dict[str, int]
    graphs: tuple[str, ...]

    def in_words(self) -> tuple[str, ...]:
        """Each of them, and why it is one."""
        unfinished = [f"revision <{name}> was begun ({size} graphs)" for name, size in self.unfinished.items()]
        return (*unfinished, *(f"graph <{graph}> belongs to no revision" for graph in self.graphs))


class Record:
    """The record of one store. `base` is the store's IRI and the name of the record's graph."""

    def __init__(self, engine: Engine, base: str) -> None:
        self._engine = engine
        self._base = f"<{base}>"
        self.base = base
        self._layouts: dict[str, Layout] = {}
        self._revisions: dict[str, Revision] = {}

    # --- revisions ---------------------------------------------------------------------------------------------

    def newest(self) -> Node:
        """The newest revision; StoreEmpty when there is none."""
        rows = self._rows(
            f"SELECT ?r ?n {{ {self._in(f'{self._base} {_REVISION} ?r . ?r {_NUMBER} ?n')} }} ORDER BY DESC(?n) LIMIT 1"
        )
        if not rows:
            raise StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
        return Node(int(rows[0]["n"]), rows[0]["r"])

    def kept(self) -> list[Node]:
        """All revisions whose data are kept."""
        rows = self._select("?r ?n", f"{self._base} {_REVISION} ?r . ?r {_NUMBER} ?n ; {_LAYOUT} ?l")
        return [Node(int(row["n"]), row["r"]) for row in rows]

    def describe(self, node: Node) -> Revision:
        """Who made a revision, when, why, how much. That never changes, so it is asked once."""
        known = self._revisions.get(node.name)
        if known is None:
            known = _revision(self._only(node, _RECORD))
            _make_room(self._revisions)
            self._revisions[node.name] = known
        return known

    def all(self) -> tuple[Revision, ...]:
        """The descriptions of all revisions, oldest first."""
        rows = self._select("?v", f"{self._base} {_REVISION} ?r . ?r {_RECORD} ?v")
        return tuple(sorted((_revision(row["v"]) for row in rows), key=lambda revision: revision.number))

    def layout(self, node: Node) -> Layout:
        """The graphs of a revision."""
        known = self._layouts.get(node.name)
        if known is None:
            try:
                known = Layout.from_json(self._only(node, _LAYOUT))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _damaged(f"the layout of revision {node.number} cannot be read") from error
            _make_room(self._layouts)
            self._layouts[node.name] = known
        return known

    def begin(self, node: Node, graphs: Iterable[str]) -> None:
        """Note the graphs that are about to be written for a revision."""
        self._note((node.name, _STAGES, IRI(graph)) for graph in graphs)

    def commit(self, node: Node, revision: Revision, layout: Layout, claim: Claim) -> tuple[str, ...]:
        """Make a revision visible if the claim stands and its number is free; return who has that number now."""
        record = asdict(revision) | {"made_at": revision.made_at.isoformat()}
        self._note(
            [
                (node.name, _NUMBER, Literal(node.number)),
                (node.name, _RECORD, Literal(json.dumps(record))),
                (node.name, _LAYOUT, Literal(layout.to_json())),
            ]
        )
        taken = f"{self._base} {_REVISION} ?other . ?other {_NUMBER} {node.number}"
        failure: EngineUnavailable | None = None
        try:
            self._engine.update(
                f"INSERT {{ {self._in(f'{self._base} {_REVISION} <{node.name}>')} }}"
                f" WHERE {{ {self._in(f'{self._base} {_WRITER} <{claim.name}> FILTER NOT EXISTS {{ {taken} }}')} }}"
            )
        except EngineUnavailable as error:
            failure = error  # the answer may be lost and the triple there: only a look tells
        winners = self._holders(node)
        for pause in _LOOKS:
            if winners:
                break
            time.sleep(pause)  # an engine under load may show an update a moment after it has confirmed it
            winners = self._holders(node)
        if failure is not None and not winners:
            raise failure
        return winners

    def _holders(self, node: Node) -> tuple[str, ...]:
        """The committed revisions that have a node's number; it stands in their names."""
        stem = node.name.rpartition("-")[0] + "-"
        rows = self._select("?r", f"{self._base} {_REVISION} ?r FILTER(STRSTARTS(STR(?r), '{stem}'))")
        return tuple(row["r"] for row in rows)

    def take_back(self, node: Node) -> None:
        """Remove a commit that an engine without isolation let through beside another one."""
        self._engine.update(f"DELETE DATA {{ {self._in(f'{self._base} {_REVISION} <{node.name}>')} }}")

    def is_committed(self, node: Node) -> bool:
        """Whether a revision is visible."""
        return any(row["r"] == node.name for row in self._select("?r", f"{self._base} {_REVISION} ?r"))

    def forget(self, node: Node) -> None:
        """Let go of a revision's data; its description stays."""
        self._remove(f"<{node.name}> {_LAYOUT} ?l")
        self._layouts.pop(node.name, None)

    # --- writers -----------------------------------------------------------------------------------------------

    def claims(self) -> list[Claim]:
        """Who says that he is writing."""
        rows = self._select("?w ?c", f"{self._base} {_WRITER} ?w . ?w {_CLAIM} ?c")
        try:
            return [Claim(name=row["w"], **json.loads(row["c"])) for row in rows]
        except (ValueError, TypeError) as error:
            raise _damaged("a writer's claim cannot be read") from error

    def claim(self) -> Claim:
        """Say that we are writing; StoreBusy when somebody else does. Claims of the dead are removed."""
        token = secrets.token_hex(4)
        mine = Claim(f"{self.base}/writer-{token}", token, socket.gethostname(), os.getpid(), time.time())
        text = {"token": token, "host": mine.host, "process": mine.process, "since": mine.since}
        self._note([(mine.name, _CLAIM, Literal(json.dumps(text))), (self.base, _WRITER, IRI(mine.name))])
        try:
            self._see_nobody_but(mine)
        except BaseException:
            self.withdraw(mine)
            raise
        return mine

    def withdraw(self, claim: Claim) -> None:
        """Take a claim back. A line that fails must not hide what happened before: `repair` finds the claim."""
        with suppress(StoreError):
            self._remove(f"{self._base} {_WRITER} <{claim.name}> . <{claim.name}> {_CLAIM} ?c")

    def _see_nobody_but(self, mine: Claim) -> None:
        for other in self.claims():
            if other.name == mine.name:
                continue
            if not other.abandoned:
                raise StoreBusy(f"{other} is writing", advice="Wait until it has finished.")
            self.withdraw(other)

    # --- what was not finished ---------------------------------------------------------------------------------

    def leftovers(self) -> Leftovers:
        """What belongs to no revision, except what a writer at work has staged."""
        staged = self._select("?n ?g", f"?n {_STAGES} ?g")
        named = self._select("?n", f"?n {_NUMBER} ?x")
        # only after that, claims and revisions: whoever staged one of these has claimed before, and commits before
        # it withdraws its claim, so that nothing of it can be missed
        at_work = tuple(f"-{claim.token}" for claim in self.claims() if not claim.abandoned)
        committed = {row["r"] for row in self._select("?r", f"{self._base} {_REVISION} ?r")}
        used = frozenset[str]().union(*(self.layout(node).all_names() for node in self.kept()))
        begun = {row["n"] for row in (*staged, *named)}
        unfinished = {name for name in begun if name not in committed and not name.endswith(at_work)}
        return Leftovers(
            {name: sum(row["n"] == name for row in staged) for name in sorted(unfinished)},
            tuple(sorted(row["g"] for row in staged if row["n"] in committed and row["g"] not in used)),
        )

    def staged(self, name: str) -> list[str]:
        """The graphs that were begun for a revision."""
        return [row["g"] for row in self._select("?g", f"<{name}> {_STAGES} ?g")]

    def drop(self, graph: str) -> None:
        """Remove a graph of the data, and then its mention."""
        self._engine.update(f"DROP SILENT GRAPH <{graph}>")
        self._remove(f"?n {_STAGES} <{graph}>")

    def abandon(self, name: str) -> None:
        """Remove everything that was begun for a revision that is not to be."""
        for graph in self.staged(name):
            self.drop(graph)
        self._remove(f"<{name}> ?p ?o")

    # --- the graph ---------------------------------------------------------------------------------------------

    def _in(self, pattern: str) -> str:
        return f"GRAPH {self._base} {{ {pattern} }}"

    def _select(self, variables: str, pattern: str) -> list[dict[str, str]]:
        return self._rows(f"SELECT {variables} {{ {self._in(pattern)} }}")

    def _rows(self, query: str) -> list[dict[str, str]]:
        return cells(self._engine.own_rows(query))

    def _only(self, node: Node, term: str) -> str:
        rows = self._select("?v", f"<{node.name}> {term} ?v")
        if len(rows) != 1:
            raise _damaged(f"revision {node.number} has {len(rows)} values of {term} instead of one")
        return rows[0]["v"]

    def _note(self, facts: Iterable[tuple[str, str, IRI | Literal]]) -> None:
        self._engine.add(
            self.base, [Triple(IRI(subject), IRI(term.strip("<>")), value) for subject, term, value in facts]
        )

    def _remove(self, pattern: str) -> None:
        self._engine.update(f"DELETE {{ {self._in(pattern)} }} WHERE {{ {self._in(pattern)} }}")


def _make_room(kept: dict[str, Any]) -> None:
    """Let go of what was kept first, when much is kept. Another thread may have done so already."""
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept), ""), None)


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
