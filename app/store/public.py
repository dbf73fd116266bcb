"""Strangers' queries on revisions: readers for the newest one, and for the few older ones that are asked for.

The process that holds the newest revision in memory moves on to the next one by what that changed. Where it cannot, the
new one is loaded beside the old one, and queries move over when it is ready. Only the newest revision is ever loaded:
who asks one old revision after the other costs a process each, no load.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.errors import AppError, NotFound, QueryRefused, QueryTimeout, StoreEmpty, TooBusy
from app.store import reader
from app.store.engine import bad_query, too_large
from app.store.port import GraphStore
from app.store.readers import Accounts, Limits, Readers, Reply, Request, Share, Update

log = logging.getLogger(__name__)

_POLL = 0.2
"""Seconds between looks at the store's head."""
_AFTER_FAILURE = 5.0
"""Seconds until the next try when a revision could not be opened."""
_NOTICED = 0.01
"""Seconds of waiting for a revision from which on they count as part of a query's time."""
_QUIET = 5.0
"""Seconds without a commit after which a large revision is loaded into memory."""
_PATCHES = 2_000_000
"""Bytes of patches from which on to load a revision is as quick."""
_KEPT = 2
"""Older revisions whose readers are kept at a time."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many processes and how much memory the readers may use."""

    keep: int = 2
    at_most: int = 12
    waiting: int = 64
    megabytes: int = 512
    in_memory_up_to: int = 2_000_000
    """Quads up to which a revision is held in memory; larger ones are read from disk."""
    at_once_up_to: int = 250_000
    """Quads up to which that is done before anybody is answered. To load more takes seconds, for which a writer would
    wait each time: such a revision is read from disk first, and loaded when nothing was committed for a while."""


class Public(Protocol):
    """Answers strangers' queries at revisions of one store, within limits."""

    async def start(self) -> None:
        """Be ready for the newest revision, and follow the store from here on."""

    async def stop(self) -> None:
        """End all work."""

    async def refresh(self) -> int:
        """Move to the newest revision if that is not done yet; return its number."""

    @property
    def running(self) -> bool:
        """Whether `start` has been called; a test that needs no processes leaves it out."""

    @property
    def revision(self) -> int:
        """Number of the revision that answers; StoreEmpty before the first one."""

    def listen(self, on_kill: Callable[[str], None]) -> None:
        """Call `on_kill` with a reason of `readers` whenever a query is stopped from here on. It must not raise."""

    def budget(self, client: str, share: Share) -> tuple[float, int]:
        """Seconds of query time that a client has left, and seconds until some of what it used comes back."""

    async def ask(
        self, request: Request | Update, *, revision: int, limits: Limits, client: str, share: Share
    ) -> bytes:
        """The answer's bytes; every way to fail is an AppError, and none of them carries a part of an answer."""


class PublicQueries:
    """Answers at revisions of one embedded store. `folder_of` gives a revision's folder."""

    def __init__(self, store: GraphStore, folder: Path, scale: Scale) -> None:
        self._store = store
        self._folder = folder
        self._scale = scale
        self._head: tuple[int, Readers] | None = None
        self._older: OrderedDict[int, Readers] = OrderedDict()
        self._retired: list[Readers] = []
        self._turn = asyncio.Lock()
        self._accounts = Accounts()
        self._watch: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._on_kill: Callable[[str], None] = lambda _: None

    def listen(self, on_kill: Callable[[str], None]) -> None:
        """Call `on_kill` with the reason whenever a query is stopped."""
        self._on_kill = on_kill

    async def start(self) -> None:
        """Be ready for the newest revision, and follow the store from here on."""
        with suppress(StoreEmpty):
            await self.refresh()
        self._watch = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End every process."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        await self._give_up_loading()
        for readers in [*self._retired, *self._older.values(), *([self._head[1]] if self._head else [])]:
            readers.stop()

    async def refresh(self) -> int:
        """Move to the newest revision if that is not done yet; return its number."""
        async with self._turn:
            newest = self._store.head().number
            if self._head is None or self._head[0] != newest:
                await self._give_up_loading()
                quads = self._quads(newest)
                moved = await self._moved_on(newest, quads)
                ready = moved or await self._ready(newest, in_memory=quads <= self._scale.at_once_up_to)
                before, self._head = self._head, (newest, ready)
                if before is not None:
                    self._keep(*before)
                if moved is None and self._scale.at_once_up_to < quads <= self._scale.in_memory_up_to:
                    self._loading = asyncio.create_task(self._load(newest))
            return newest

    async def _moved_on(self, newest: int, quads: int) -> Readers | None:
        """Readers of the newest revision, made from those of one shortly before it; None where that cannot be."""
        if self._head is None or quads > self._scale.in_memory_up_to:
            return None
        held, readers = self._head
        patches = [self._folder / f"{number:06d}.patch" for number in range(held + 1, newest + 1)]
        try:
            if sum(path.stat().st_size for path in patches) > _PATCHES:
                return None
        except OSError:
            return None
        return await readers.moved_on(self._folder / f"{newest:06d}", patches)

    async def _load(self, revision: int) -> None:
        """Have a revision answered from memory, if it is still the newest after a while."""
        await asyncio.sleep(_QUIET)
        try:
            ready = await self._ready(revision)
        except (AppError, OSError) as error:
            log.warning("revision %d stays on disk for queries: %s", revision, error)
            return
        if self._head is None or self._head[0] != revision:
            ready.stop()
            return
        before, self._head = self._head[1], (revision, ready)
        self._retire(before)

    async def _give_up_loading(self) -> None:
        """Stop loading a revision that is not the newest any more."""
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading

    @property
    def running(self) -> bool:
        """Whether `start` has been called; a test that needs no processes leaves it out."""
        return self._watch is not None

    def budget(self, client: str, share: Share) -> tuple[float, int]:
        """Seconds of query time that a client has left, and seconds until some of what it used comes back."""
        return self._accounts.budget(client, share)

    @property
    def revision(self) -> int:
        """Number of the revision that answers; StoreEmpty before the first one."""
        if self._head is None:
            raise StoreEmpty("the store holds no revision", advice="Run `slmkg load` to fill it.")
        return self._head[0]

    async def ask(
        self, request: Request | Update, *, revision: int, limits: Limits, client: str, share: Share
    ) -> bytes:
        """The answer's bytes; every way to fail is an AppError, and none of them carries a part of an answer."""
        self._accounts.admit(client, self._fair(share))
        started = time.monotonic()
        try:
            readers = await self._in_time(revision, limits.seconds)
            waited = time.monotonic() - started
            if waited > _NOTICED:
                limits = replace(limits, seconds=max(_NOTICED, limits.seconds - waited))
            return body(await readers.ask(request, limits))
        finally:
            self._accounts.leave(client, time.monotonic() - started)

    def _fair(self, share: Share) -> Share:
        """Nobody takes more than half of the readers, whatever the settings say."""
        return Share(min(share.at_once, max(1, self._scale.at_most // 2)), share.seconds_per_minute)

    async def _of(self, revision: int) -> Readers:
        if self._head is not None and self._head[0] == revision:
            return self._head[1]
        async with self._turn:
            if self._head is not None and self._head[0] == revision:
                return self._head[1]
            if revision not in self._older:
                self._keep(revision, await self._ready(revision, keep=1, in_memory=False))
            self._older.move_to_end(revision)
            return self._older[revision]

    async def _in_time(self, revision: int, seconds: float) -> Readers:
        """The readers of a revision; TooBusy when they cannot be had within the time of a query."""
        try:
            async with asyncio.timeout(seconds):
                return await self._of(revision)
        except TimeoutError as error:
            raise TooBusy("the revision could not be opened in time", retry_after=5) from error

    async def _ready(self, revision: int, *, keep: int | None = None, in_memory: bool = True) -> Readers:
        """New readers. A revision of the past is read from disk: to load it would keep a processor busy for seconds."""
        quads = self._quads(revision)
        readers = Readers(
            self._folder / f"{revision:06d}",
            keep=keep or self._scale.keep,
            at_most=self._scale.at_most,
            waiting=self._scale.waiting,
            megabytes=self._scale.megabytes,
            mode="memory" if in_memory and quads <= self._scale.in_memory_up_to else "disk",
            on_kill=self._killed,
        )
        await readers.start()
        return readers

    def _quads(self, revision: int) -> int:
        """How many quads a revision has; NotFound."""
        head = self._store.head()
        known = (head,) if head.number == revision else self._store.revisions()
        quads = next((found.quads for found in known if found.number == revision), None)
        if quads is None:
            raise NotFound("revision", str(revision), advice=f"The newest is {head.number}.")
        return quads

    def _killed(self, reason: str) -> None:
        self._on_kill(reason)

    def _keep(self, revision: int, readers: Readers) -> None:
        """Keep an older revision's readers for a while; the one asked for longest ago gives way when it is idle."""
        self._older[revision] = readers
        while len(self._older) > _KEPT:
            self._retire(self._older.popitem(last=False)[1])

    def _retire(self, readers: Readers) -> None:
        """End readers when their queries are done."""
        readers.retire()
        self._retired = [one for one in (*self._retired, readers) if not one.stopped]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_POLL)
            try:
                await self.refresh()
            except StoreEmpty:
                continue
            except (AppError, OSError) as error:
                log.warning("the newest revision cannot be opened for queries yet: %s", error)
                await asyncio.sleep(_AFTER_FAILURE)


def body(reply: Reply) -> bytes:
    """The bytes of a good answer; an AppError for any other."""
    if reply.status == reader.OK:
        return reply.body
    words = reply.body.decode("utf-8", "replace")
    if reply.status == reader.BAD_QUERY:
        raise bad_query(SyntaxError(words))
    if reply.status == reader.TOO_LARGE:
        raise too_large()
    if "Too many open files" in words or "allocation" in words:
        raise QueryTimeout("the query used more than it may and was stopped")
    raise QueryRefused(f"the engine cannot answer this: {words.removeprefix('RuntimeError: ')}")
