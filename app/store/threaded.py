"""Strangers' queries on a store that answers elsewhere: in threads, with limits of time, bytes, rows, and places.

For a store on an external engine, and for one in memory. A thread cannot be killed. So a query's own limits travel with
it, to the engine that can stop it; a client hears of its limit on time, whatever the engine does; and a query keeps its
place until its thread has ended, so that an engine that hangs is never asked more than so much at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from app.errors import AppError, QueryRefused, QueryTimeout, StoreEmpty
from app.store.once import changed_once
from app.store.port import GraphStore, Query, Snapshot
from app.store.readers import TIME, Accounts, Limits, Places, Request, Share, Update

log = logging.getLogger(__name__)

_POLL = 1.0
"""Seconds between looks at the store's head."""
_AFTER_FAILURE = 5.0
_GRACE = 0.1
"""Seconds that a query may be late before its client is told without it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query with its limits, to be answered in a thread."""

    request: Request
    limits: Limits
    revision: int


class ThreadedQueries:
    """Answers at revisions of any store (see `public.Public`)."""

    def __init__(self, store: GraphStore, *, at_once: int, waiting: int) -> None:
        self._store = store
        self._at_once = at_once
        self._places = Places(at_once, waiting)
        self._threads = CapacityLimiter(at_once + 1)
        self._accounts = Accounts()
        self._head: tuple[int, Snapshot] | None = None
        self._problem: AppError | None = None
        self._watch: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[bytes | AppError]] = set()
        self._on_kill: Callable[[str], None] = lambda _: None

    def listen(self, on_kill: Callable[[str], None]) -> None:
        """Call `on_kill` with the reason whenever the engine is left alone with a query, or stops it at its limit."""
        self._on_kill = on_kill

    async def start(self) -> None:
        """Look for the newest revision, and follow the store from here on. An engine may come up later."""
        with suppress(AppError):
            await self.refresh()
        self._watch = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow the store no more. Threads end with their queries, or with the process."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        self._watch = None

    async def refresh(self) -> int:
        """Look which revision is the newest; return its number."""
        try:
            number = (await to_thread.run_sync(self._store.head, abandon_on_cancel=True)).number
            if self._head is None or self._head[0] != number:
                self._head = number, await to_thread.run_sync(self._store.at, number, abandon_on_cancel=True)
        except AppError as error:
            self._problem = error
            raise
        return number

    @property
    def running(self) -> bool:
        """Whether `start` has been called."""
        return self._watch is not None

    @property
    def revision(self) -> int:
        """Number of the newest revision; StoreEmpty before the first one, EngineUnavailable if none was ever seen."""
        if self._head is None:
            raise self._problem or StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
        return self._head[0]

    def budget(self, client: str, share: Share) -> tuple[float, int]:
        """Seconds of query time that a client has left, and seconds until some of what it used comes back."""
        return self._accounts.budget(client, share)

    async def ask(
        self, request: Request | Update, *, revision: int, limits: Limits, client: str, share: Share
    ) -> bytes:
        """The answer's bytes; every way to fail is an AppError, and none of them carries a part of an answer."""
        self._accounts.admit(client, Share(min(share.at_once, max(1, self._at_once // 2)), share.seconds_per_minute))
        started = time.monotonic()

        def leave() -> None:
            self._accounts.leave(client, time.monotonic() - started)

        try:
            if not self._places.taken():
                await self._places.wait(limits.seconds)
        except BaseException:
            leave()
            raise

        def end(_: object = None) -> None:
            leave()
            self._places.release()

        if isinstance(request, Update):
            try:
                snapshot = await to_thread.run_sync(self._store.at, revision)
                return await changed_once(snapshot, request, limits)
            finally:
                end()
        asked = _Asked(request, limits, revision)
        task = asyncio.create_task(
            to_thread.run_sync(self._in_thread, asked, limiter=self._threads, abandon_on_cancel=True)
        )
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        task.add_done_callback(end)
        await asyncio.wait({task}, timeout=limits.seconds + _GRACE)
        if not task.done():
            self._on_kill(TIME)
            raise QueryTimeout("the query ran longer than it may; the engine was left alone with it")
        found = task.result()
        if isinstance(found, QueryTimeout):
            self._on_kill(TIME)
        if isinstance(found, AppError):
            raise found
        return found

    def _in_thread(self, asked: _Asked) -> bytes | AppError:
        request, limits = asked.request, asked.limits
        query = Query(
            request.query,
            default_graphs=request.default_graphs,
            named_graphs=request.named_graphs,
            seconds=limits.seconds,
            max_bytes=limits.max_bytes,
        )
        return answered(lambda: self._at(asked.revision), query, request.media_type, limits, request.first)

    def _at(self, revision: int) -> Snapshot:
        head = self._head
        return head[1] if head is not None and head[0] == revision else self._store.at(revision)

    async def _follow(self) -> None:
        told = False
        while True:
            try:
                await asyncio.sleep(_POLL)
                await self.refresh()
                told = False
            except StoreEmpty:
                continue
            except AppError as error:
                if not told:
                    log.warning("the newest revision cannot be looked for: %s", error.message)
                told = True
                await asyncio.sleep(_AFTER_FAILURE)


def answered(
    snapshot: Callable[[], Snapshot], query: Query, media_type: str, limits: Limits, first: int | None = None
) -> bytes | AppError:
    """The answer's bytes, or the error without its history. With `first`, only so many rows or triples of it.

    A traceback would take the engine's result out of this thread, and the engine cannot let go of a result in a
    thread other than the one that asked.
    """
    try:
        answer = snapshot().query(query)
        try:
            if first is None:
                return answer.serialize(media_type, limit=limits.max_bytes, most=limits.max_rows)
            return answer.beginning(media_type, first, limit=limits.max_bytes)
        finally:
            del answer
    except AppError as error:
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    except RuntimeError as error:
        return QueryRefused(f"the engine cannot answer this: {error}")
