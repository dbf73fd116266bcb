"""What others write over HTTP: updates, graphs, steps of curation. Each write is one revision, or changes nothing.

A write is worked out on the newest revision and committed on that revision only. When another commit came between, it
is worked out again. The store keeps no empty graphs: a graph exists while it has a triple, and replacing a graph by
nothing removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from anyio import to_thread

from app.curate.commit import Committed, Rules, commit_change
from app.curate.steps import PAUSES, Taken, Work, attempt, unrecorded
from app.errors import Conflict, StaleRevision, StoreBusy, TooBusy
from app.model.agents import Agent
from app.model.rdf import IRI, Quad
from app.store import documents
from app.store.documents import GraphName
from app.store.engine import as_stored
from app.store.once import changed_once
from app.store.port import GraphStore
from app.store.public import Public
from app.store.readers import Limits, Share, Update

Content: TypeAlias = frozenset[Quad]
Condition: TypeAlias = Callable[[int, Content], None]
"""Looks at a revision's number and the graph's content there, and raises when the write must not go on."""

_WAITING = 32


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: the agent that the revision names, and what it may use."""

    agent: Agent
    name: str
    limits: Limits
    share: Share


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did. `revision` is the newest one after it; `existed` says whether the graph was there before."""

    revision: int
    added: int
    removed: int
    existed: bool = True


class Writer:
    """Writes to one store, one write at a time. Without rules (throw-away service) every change is good."""

    def __init__(
        self,
        store: GraphStore,
        *,
        public: Public | None,
        rules: Rules | None,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._public = public
        self._rules = rules
        self._now = now
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def update(self, update: Update, author: Author, *, reason: str, expect: int | None = None) -> Written:
        """Run a guarded update and commit what it changes.

        `expect` is the revision that the author saw: StaleRevision when it is not the newest any more.
        """

        async def work_out(head: int) -> tuple[Content, Content]:
            if expect is not None and expect != head:
                raise StaleRevision(expect, head)
            return await self._changed(update, author, head)

        return await self._write(work_out, author, reason, again=expect is None)

    async def patch(self, update: Update, author: Author, *, reason: str, condition: Condition) -> Written:
        """Run a guarded update that is confined to one graph, and commit what it changes."""
        assert update.graph is not None  # noqa: S101 - an update that is not confined goes to `update`
        graph = IRI(update.graph)
        existed = False

        async def work_out(head: int) -> tuple[Content, Content]:
            nonlocal existed
            before = await self._content(head, graph)
            await to_thread.run_sync(condition, head, before)
            existed = bool(before)
            return await self._changed(update, author, head)

        return await self._write(work_out, author, reason, existed=lambda: existed)

    async def change_graph(
        self, graph: GraphName, new: Callable[[Content], Content], author: Author, *, reason: str, condition: Condition
    ) -> Written:
        """Give a graph new content, made from what it holds."""
        existed = False

        async def work_out(head: int) -> tuple[Content, Content]:
            nonlocal existed
            before = await self._content(head, graph)
            await to_thread.run_sync(condition, head, before)
            existed = bool(before)
            after = new(before)
            return after - before, before - after

        return await self._write(work_out, author, reason, existed=lambda: existed)

    async def commit(
        self,
        work_out: Callable[[int], tuple[Content, Content]],
        author: Author,
        *,
        reason: str,
        expect: int | None = None,
    ) -> Written:
        """Commit what a function works out on the newest revision, given by its number: quads to add and to remove.

        `expect` is the revision that the author saw: StaleRevision when it is not the newest any more.
        """

        async def work(head: int) -> tuple[Content, Content]:
            if expect is not None and expect != head:
                raise StaleRevision(expect, head)
            return await to_thread.run_sync(work_out, head)

        return await self._write(work, author, reason, again=expect is None)

    async def take(self, work: Work, agent: Agent) -> Taken:
        """Make a step of curation, worked out again when another commit came between."""
        rules = self._rules
        if rules is None:
            raise Conflict("a throw-away service keeps no proposals", advice="Start one with `slmkg serve`.")
        async with self._in_turn():
            for number, pause in enumerate(PAUSES, start=1):
                await asyncio.sleep(pause)
                try:
                    taken = await to_thread.run_sync(attempt, self._store, rules, work, agent, self._now())
                except (StaleRevision, StoreBusy):
                    if number == len(PAUSES):
                        raise
                else:
                    await self._head()
                    return taken
            raise AssertionError("the last try returns or raises")

    async def _write(
        self,
        work_out: Callable[[int], Awaitable[tuple[Content, Content]]],
        author: Author,
        reason: str,
        *,
        existed: Callable[[], bool] = lambda: True,
        again: bool = True,
    ) -> Written:
        async with self._in_turn():
            for number, pause in enumerate(PAUSES, start=1):
                await asyncio.sleep(pause)
                head = await self._head()
                added, removed = await work_out(head)
                try:
                    committed = await to_thread.run_sync(self._commit, head, added, removed, author.agent, reason)
                except StaleRevision:
                    if number == len(PAUSES) or not again:
                        raise
                except StoreBusy:
                    if number == len(PAUSES):
                        raise
                else:
                    if committed.revision is None:
                        return Written(head, 0, 0, existed())
                    await self._head()
                    return Written(committed.revision.number, len(added), len(removed), existed())
            raise AssertionError("the last try returns or raises")

    def _commit(self, head: int, added: Content, removed: Content, agent: Agent, reason: str) -> Committed:
        return commit_change(
            self._store,
            self._with_author(head, added, removed, agent),
            removed,
            rules=self._rules,
            reason=reason,
            author=agent.iri,
            now=self._now(),
            expect=head,
            key=agent.key,
        )

    def _with_author(self, head: int, added: Content, removed: Content, agent: Agent) -> Content:
        """The quads to add, and the agent's record where the graph has none: name and ORCID iD, as in curation."""
        if self._rules is None or not (added or removed):
            return added
        return added | as_stored(unrecorded(self._store.at(head), agent))

    async def _changed(self, update: Update, author: Author, head: int) -> tuple[Content, Content]:
        if self._public is not None and self._public.running:
            answer = await self._public.ask(
                update, revision=head, limits=author.limits, client=author.name, share=author.share
            )
        else:
            snapshot = await to_thread.run_sync(self._store.at, head)
            answer = await changed_once(snapshot, update, author.limits)
        return await to_thread.run_sync(documents.changed, answer)

    async def _content(self, head: int, graph: GraphName) -> Content:
        def read() -> Content:
            return documents.of_graph(self._store.at(head).quads(graph), graph)

        return await to_thread.run_sync(read)

    async def _head(self) -> int:
        """The newest revision, which the readers answer from here on."""
        if self._public is not None and self._public.running:
            return await self._public.refresh()
        return (await to_thread.run_sync(self._store.head)).number

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise TooBusy("too many writes are waiting", retry_after=2)
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
