"""The front's side of the readers: admits, hands queries to killable processes, kills what overruns.

As many queries run at a time as there are processors, in readers that are kept ready, and the others wait; most need
less than a millisecond. A query that takes longer than TURN seconds goes on beside the others and lets the next one
in; there are places for so many of these. One more is asked again at the end of the queue, as a short query may be slow
by accident on a busy machine, and then refused. A query that has used YOUNG seconds of processor time is old: its
reader falls to the lowest priority, so that young queries keep their speed whatever old ones do. At its limit a reader
is killed and the client gets an error; nothing is sent before the whole answer is there. Old readers are not used
again, since priority cannot be raised. A process that somebody else killed is replaced, the template too.

Who asks too much at once, or has used up its share of time, is refused before anything runs.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import AppError, EngineUnavailable, QueryTimeout, TooBusy, TooManyRequests
from app.store import reader

YOUNG = 0.03
"""Seconds of processor time after which a query gives way to younger ones."""
TURN = 0.01
"""Seconds after which a query lets the next one begin, if there is a place for it beside."""
TIME, MEMORY, CROWDED, GONE = "time", "memory", "crowded", "gone"
"""Why a query was stopped: at its limit, its process died (of memory, most likely), no place, its client has left."""
_LENGTH = struct.Struct("<I")
_WINDOW = 60.0
_STILLBORN = 0.25
"""Seconds within which a reader that waited may die without blame on the query, which is asked again of another."""
_MOVES = 200
"""Revisions that a template goes through before one is loaded anew: what was removed stays in its memory."""
_SERVED = 0.5
"""The part of its time for which a query must have had a processor to be told that it asks too much."""
_QUIETER = 10
"""Seconds after which a busy machine may be quieter."""
_MOST_ACCOUNTS = 10_000
_FORGET_EVERY = 5.0
"""Seconds between looks for clients that can be forgotten."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use: wall-clock seconds, bytes and rows of its answer."""

    seconds: float
    max_bytes: int
    max_rows: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one client may use at a time and over a minute: queries at once, and seconds of readers' time."""

    at_once: int
    seconds_per_minute: float


@dataclass(frozen=True, slots=True)
class Request:
    """A guarded query with its dataset, the media type of its answer, and the base of its relative IRIs.

    With `first`, the answer ends after so many rows or triples, however many there are; only the formats of
    `app.store.reader.CUT` can be cut.
    """

    query: str
    media_type: str
    union: bool
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    prefixes: tuple[tuple[str, str], ...] = ()
    base: str | None = None
    first: int | None = None

    def frame(self, limits: Limits) -> bytes:
        """The request as it goes to a reader."""
        asked: dict[str, Any] = {
            "query": self.query,
            "media_type": self.media_type,
            "union": self.union,
            "default_graphs": self.default_graphs,
            "named_graphs": self.named_graphs,
            "base": self.base,
            "max_bytes": limits.max_bytes,
            "max_rows": limits.max_rows,
        }
        if self.first is not None:
            asked["first"] = self.first
        if reader.gives_graph(self.media_type):
            asked["prefixes"] = dict(self.prefixes)
        body = json.dumps(asked).encode()
        return _LENGTH.pack(len(body)) + body


@dataclass(frozen=True, slots=True)
class Update:
    """A guarded update, its base IRI, and the named graph that it is confined to, if any."""

    update: str
    base: str
    graph: str | None = None

    def frame(self, limits: Limits) -> bytes:
        """The update as it goes to a reader."""
        body = json.dumps(
            {"update": self.update, "base": self.base, "graph": self.graph, "max_bytes": limits.max_bytes}
        ).encode()
        return _LENGTH.pack(len(body)) + body


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reader answered: a status of `app.store.reader` and the answer's bytes, or the engine's words."""

    status: int
    body: bytes


def processor_seconds(pid: int) -> float:
    """Processor time used by a process so far (on Linux, see clock_getcpuclockid(3)); 0 where it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


class _Wire(asyncio.Protocol):
    """One reader's data socket: a frame out, a frame in."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._data = bytearray()
        self._reply: asyncio.Future[bytes] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a socket's transport is a full one

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < _LENGTH.size or self._reply is None:
            return
        size = _LENGTH.unpack_from(self._data)[0]
        if len(self._data) >= size + _LENGTH.size and not self._reply.done():
            self._reply.set_result(bytes(self._data[_LENGTH.size : _LENGTH.size + size]))
            del self._data[: _LENGTH.size + size]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError("the reader is gone"))

    async def ask(self, frame: bytes) -> bytes:
        self._reply = asyncio.get_running_loop().create_future()
        if self.lost or self.transport is None:
            raise ConnectionError("the reader is gone")
        self.transport.write(frame)
        return await self._reply


@dataclass(slots=True)
class _Reader:
    """A reader process and its wire."""

    pid: int
    wire: _Wire
    old: bool = False

    def yield_to_young(self) -> None:
        """Fall to the lowest priority; there is no way back."""
        self.old = True
        with suppress(OSError):
            os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))

    def kill(self) -> None:
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        if self.wire.transport is not None:
            self.wire.transport.abort()


class _Watch:
    """Watches one query: lets the next one in when it takes its time, makes it old, and ends it at its limit."""

    def __init__(self, watched: _Reader, limit: float, step_aside: Callable[[], bool]) -> None:
        self._watched = watched
        self._step_aside = step_aside
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._begun = self._loop.time()
        self._used = processor_seconds(watched.pid)
        self._timer = self._loop.call_later(TURN, self._look)
        self.error: Callable[[], AppError] | None = None

    def _look(self) -> None:
        """End the query, or make it old, or look again later."""
        now = self._loop.time()
        if now >= self._limit:
            self._end(self._why_so_long())
            return
        again = self._limit - now
        aside = self._step_aside()
        if not self._watched.old:
            left = self._used + YOUNG - processor_seconds(self._watched.pid)
            if left > 0:
                again = min(again, max(left, TURN))
            elif aside:
                self._watched.yield_to_young()
            else:
                self._end(_no_place)
                return
        self._timer = self._loop.call_later(again, self._look)

    def _why_so_long(self) -> Callable[[], AppError]:
        """Old queries get what others leave, which may be next to nothing: that is said, for it passes."""
        had = processor_seconds(self._watched.pid) - self._used
        over = self._loop.time() - self._begun
        return _starved if had < _SERVED * over else _overran

    def _end(self, error: Callable[[], AppError]) -> None:
        self.error = error
        self._watched.kill()

    def stop(self) -> None:
        """The query has ended."""
        self._timer.cancel()


def _overran() -> AppError:
    return QueryTimeout("the query ran longer than it may and was stopped")


def _starved() -> AppError:
    return QueryTimeout(
        "the query ran longer than it may and was stopped; the machine was busy with other work for most of that time",
        retry_after=_QUIETER,
    )


def _no_place() -> AppError:
    return TooBusy("too many long queries are running", retry_after=5)


class _NoPlaceError(Exception):
    """A query took longer than its turn, and there was no place beside."""


class _Template:
    """A process that holds one revision and forks readers of it."""

    def __init__(self, folder: Path, *, megabytes: int, mode: str) -> None:
        self._folder = folder
        self.moves = 0
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-m", "app.store.reader", str(there.fileno()), str(folder), str(megabytes), mode],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
        here.setblocking(False)
        self._control = here
        self._turn = asyncio.Lock()
        self._loaded: asyncio.Task[bytes] | None = None
        self._listening = False
        self._ended = False

    async def ready(self) -> None:
        """Wait until the revision is loaded. Any number may wait; who stops waiting does not disturb the others."""
        if self._loaded is None:
            self._loaded = asyncio.get_running_loop().create_task(self._receive(1))
        await asyncio.shield(self._loaded)

    async def fork(self, folder: Path) -> _Reader:
        """A fresh reader of a revision; ConnectionError where another one is held by now.

        Who stops waiting for it does not break the exchange: the reader is ended instead.
        """
        exchange = asyncio.get_running_loop().create_task(self._exchange(folder))
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            exchange.add_done_callback(_end_unwanted)
            raise

    async def move_on(self, folder: Path, patches: Sequence[Path]) -> None:
        """Hold a later revision from here on, made by patches. After an OSError this has to be stopped."""
        await self.ready()
        body = json.dumps([str(path) for path in patches]).encode()
        async with self._turn:
            self._folder = folder
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(self._control, reader.MOVE_ON + _LENGTH.pack(len(body)) + body)
            await self._receive(1)
        self.moves += 1

    async def _exchange(self, folder: Path) -> _Reader:
        await self.ready()
        here, there = socket.socketpair()
        try:
            async with self._turn:
                with there:
                    self._must_hold(folder)
                    socket.send_fds(self._control, [reader.FORK], [there.fileno()])
                pid = _LENGTH.unpack(await self._receive(_LENGTH.size))[0]
            _, wire = await asyncio.get_running_loop().create_connection(_Wire, sock=here)
        except BaseException:
            here.close()
            raise
        return _Reader(pid, wire)

    def _must_hold(self, folder: Path) -> None:
        if self._folder != folder:
            raise ConnectionError("the template holds another revision by now")

    async def _receive(self, size: int) -> bytes:
        """So many bytes from the template. Its socket is closed here, if `stop` came in between."""
        self._listening = True
        try:
            data = await asyncio.get_running_loop().sock_recv(self._control, size)
        finally:
            self._listening = False
            if self._ended:
                self._control.close()
        if len(data) < size:
            raise ConnectionError("the template is gone")
        return data

    def stop(self) -> None:
        """End the template, and with it every reader that it forked."""
        self._ended = True
        self._process.kill()
        self._process.wait()
        if not self._listening:
            self._control.close()


def _end_unwanted(exchange: asyncio.Task[_Reader]) -> None:
    if not exchange.cancelled() and exchange.exception() is None:
        exchange.result().kill()


@dataclass(slots=True)
class _Account:
    """What one client is using: queries at once, and [second, seconds used then] for the last minute, summed up."""

    running: int = 0
    total: float = 0.0
    spent: deque[list[float]] = field(default_factory=deque)

    def used(self, now: float) -> float:
        """Seconds of readers' time in the last minute."""
        while self.spent and self.spent[0][0] < now - _WINDOW:
            self.total -= self.spent.popleft()[1]
        if not self.spent:
            self.total = 0.0
        return self.total

    def spend(self, now: float, seconds: float) -> None:
        """Note what a query used. Queries of one second share an entry, so that an account stays small."""
        if not self.spent or self.spent[-1][0] < now - 1:
            self.spent.append([now, 0.0])
        self.spent[-1][1] += seconds
        self.total += seconds


class Accounts:
    """Who has used how much. A client that has been silent for a minute is forgotten."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._forgot = 0.0

    def admit(self, client: str, share: Share) -> None:
        """Count a query in; TooManyRequests when the client asks too much."""
        account = self._accounts.get(client)
        if account is None:
            account = _Account()
        elif account.running >= share.at_once:
            raise TooManyRequests(f"more than {share.at_once} queries at once", retry_after=1)
        elif account.used(time.monotonic()) >= share.seconds_per_minute:
            raise TooManyRequests(
                f"more than {share.seconds_per_minute:g} seconds of queries in a minute",
                retry_after=self.budget(client, share)[1],
            )
        account.running += 1
        self._accounts[client] = account

    def leave(self, client: str, seconds: float) -> None:
        """Count a query out that took so long."""
        now = time.monotonic()
        account = self._accounts[client]
        account.running -= 1
        account.spend(now, seconds)
        if len(self._accounts) > _MOST_ACCOUNTS and now > self._forgot + _FORGET_EVERY:
            self._forgot = now
            self._forget(now)

    def budget(self, client: str, share: Share) -> tuple[float, int]:
        """Seconds of query time left, and seconds until some of what was used comes back."""
        account = self._accounts.get(client)
        if account is None:
            return share.seconds_per_minute, 0
        now = time.monotonic()
        left = max(0.0, share.seconds_per_minute - account.used(now))
        return left, max(1, math.ceil(account.spent[0][0] + _WINDOW - now)) if account.spent else 0

    def _forget(self, now: float) -> None:
        self._accounts = {
            name: account for name, account in self._accounts.items() if account.running or account.used(now) > 0
        }


def _stopped() -> QueryTimeout:
    return QueryTimeout("the query's process was stopped, most likely for using too much memory")


class Places:
    """So many places, and a bounded queue for them; who comes first is served first."""

    def __init__(self, free: int, most_waiting: int) -> None:
        self._free = free
        self._most_waiting = most_waiting
        self._queue: deque[asyncio.Future[None]] = deque()

    def taken(self) -> bool:
        """Take a place, if there is one."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self, seconds: float) -> None:
        """Wait for a place; TooBusy when too many do, or when none becomes free in time."""
        if len(self._queue) >= self._most_waiting:
            raise TooBusy("too many queries are waiting", retry_after=2)
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._queue.append(mine)
        timer = loop.call_later(seconds, self._give_up, mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self.release()  # it was given in the same moment
            elif mine in self._queue:
                self._queue.remove(mine)
            raise
        finally:
            timer.cancel()

    def _give_up(self, mine: asyncio.Future[None]) -> None:
        if not mine.done():
            self._queue.remove(mine)
            mine.set_exception(TooBusy("no place became free in time", retry_after=2))

    def release(self) -> None:
        """Give a place to the one who has waited longest, or keep it free."""
        while self._queue:
            first = self._queue.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._free += 1


class _Turn:
    """One query's place: first in turn, later perhaps aside. `busy` as long as it has the turn and a reader."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._aside = False
        self._resting = False
        readers._busy += 1

    def step_aside(self) -> bool:
        """Let the next query have the turn; False when no place is left beside. Without any such places all stay."""
        readers = self._readers
        if self._aside or not readers._most_aside:
            return True
        if readers._aside >= readers._most_aside:
            return False
        readers._aside += 1
        self._aside = True
        readers._turns.release()
        self.rest()
        readers.refill()
        return True

    def rest(self) -> None:
        """No reader works for this query in its turn any more."""
        if not self._resting:
            self._resting = True
            self._readers._busy -= 1

    def end(self) -> None:
        """Leave the place."""
        self.rest()
        if self._aside:
            self._readers._aside -= 1
        else:
            self._readers._turns.release()


class Readers:
    """The readers of one revision."""

    def __init__(
        self,
        folder: Path,
        *,
        keep: int = 2,
        at_most: int = 12,
        waiting: int = 64,
        megabytes: int = 512,
        mode: str = "memory",
        on_kill: Callable[[str], None] = lambda _: None,
        template: _Template | None = None,
    ) -> None:
        self._folder = folder
        self._megabytes = megabytes
        self._mode = mode
        self._on_kill = on_kill
        self._sizes = (keep, at_most, waiting)
        self._template: _Template | None = template or self._new_template()
        self._revival = asyncio.Lock()
        self._idle: list[_Reader] = []
        self._keep = max(1, min(max(keep, len(os.sched_getaffinity(0))), at_most // 2)) if keep else 0
        turns = max(1, self._keep)
        self._turns = Places(turns, waiting)
        self._busy = 0
        self._aside = 0
        self._most_aside = at_most - turns
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._retired = False
        self._stopped = False
        self.killed = 0

    async def start(self) -> None:
        """Load the revision and fork the readers that are kept ready; nothing is left behind if that fails."""
        try:
            if self._template is not None:
                await self._template.ready()
            for _ in range(self._keep):
                self._idle.append(await self._fork())
        except BaseException:
            self.stop()
            raise

    async def moved_on(self, folder: Path, patches: Sequence[Path]) -> Readers | None:
        """Readers of a later revision, by patches of what is in memory here; None where that cannot be.

        It takes milliseconds, where a load takes seconds. From here on this revision has the readers that are there,
        and further ones read it from disk.
        """
        if self._mode != "memory" or self._template is None or self._stopped or self._template.moves >= _MOVES:
            return None
        template, self._template = self._template, None
        self._mode, self._keep = "disk", min(self._keep, 1)
        try:
            await template.move_on(folder, patches)
            keep, at_most, waiting = self._sizes
            later = Readers(
                folder,
                keep=keep,
                at_most=at_most,
                waiting=waiting,
                megabytes=self._megabytes,
                on_kill=self._on_kill,
                template=template,
            )
            await later.start()
        except OSError:
            template.stop()
            return None
        except BaseException:
            template.stop()
            raise
        return later

    async def ask(self, request: Request | Update, limits: Limits) -> Reply:
        """Answer one query within its limits, or say what an update would change.

        Raises TooBusy when everybody together asks too much, and QueryTimeout when the query was killed at its limit
        of time or of memory.
        """
        frame, spoils = request.frame(limits), isinstance(request, Update)
        limit = asyncio.get_running_loop().time() + limits.seconds
        with self._in_use():
            with suppress(_NoPlaceError):
                return await self._in_turn(frame, limit, spoils=spoils)
            try:
                return await self._in_turn(frame, limit, spoils=spoils)
            except _NoPlaceError as error:
                raise _no_place() from error

    @property
    def stopped(self) -> bool:
        """Whether every process has been ended."""
        return self._stopped

    def retire(self) -> None:
        """End every process as soon as the queries that run now have their answers; no more may come."""
        self._retired = True
        if not self._asked:
            self.stop()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1
            if self._retired and not self._asked:
                self.stop()

    async def _in_turn(self, frame: bytes, limit: float, *, spoils: bool) -> Reply:
        if not self._turns.taken():
            await self._turns.wait(limit - asyncio.get_running_loop().time())
        turn = _Turn(self)
        try:
            waiting = self._waiting_reader()
            if waiting is not None:
                begun = time.monotonic()
                try:
                    return await self._asked_of(waiting, turn, frame, limit, spoils=spoils)
                except ConnectionError as error:
                    if time.monotonic() - begun > _STILLBORN:
                        raise _stopped() from error
            return await self._asked_of(await self._fresh(limit), turn, frame, limit, spoils=spoils)
        except ConnectionError as error:
            raise _stopped() from error
        finally:
            turn.end()

    async def _asked_of(self, chosen: _Reader, turn: _Turn, frame: bytes, limit: float, *, spoils: bool) -> Reply:
        watch = _Watch(chosen, limit, turn.step_aside)
        killed: str | None = GONE
        try:
            data = await chosen.wire.ask(frame)
            killed = None
            return Reply(data[0], data[1:])
        except ConnectionError as error:
            killed = MEMORY
            if watch.error is _no_place:
                killed = CROWDED
                raise _NoPlaceError from error
            if watch.error is not None:
                killed = TIME
                raise watch.error() from error
            raise
        finally:
            watch.stop()
            chosen.old = chosen.old or spoils
            self._put_back(chosen, turn, killed)

    def _waiting_reader(self) -> _Reader | None:
        """A reader that waits for a query, if there is one; those that somebody killed are left out."""
        while self._idle:
            waiting = self._idle.pop()
            if not waiting.wire.lost:
                return waiting
            waiting.kill()
        return None

    async def _fresh(self, limit: float) -> _Reader:
        """A new reader; EngineUnavailable when none can be had, TooBusy when none is ready in time."""
        try:
            async with asyncio.timeout_at(limit):
                return await self._fork()
        except TimeoutError as error:
            raise TooBusy("no process became ready for the query in time", retry_after=5) from error
        except OSError as error:
            raise EngineUnavailable("no process could be started for the query", advice="Try again.") from error

    async def _fork(self) -> _Reader:
        template = self._template
        if template is not None:
            try:
                return await template.fork(self._folder)
            except OSError:
                if self._stopped:
                    raise
        async with self._revival:
            current = self._template
            if current is None or current is template:
                current = await self._replace_template()
        return await current.fork(self._folder)

    async def _replace_template(self) -> _Template:
        """Start a template anew: the old one was killed, and its readers with it, or has moved on."""
        if self._template is not None:
            self._template.stop()
        self._template = fresh = self._new_template()
        await fresh.ready()
        return fresh

    def _new_template(self) -> _Template:
        return _Template(self._folder, megabytes=self._megabytes, mode=self._mode)

    def _put_back(self, chosen: _Reader, turn: _Turn, killed: str | None) -> None:
        turn.rest()
        if killed is None and not chosen.old and len(self._idle) < 2 * self._keep and not self._stopped:
            self._idle.append(chosen)
            return
        chosen.kill()
        if killed is not None:
            self.killed += 1
            self._on_kill(killed)
        self.refill()

    def refill(self) -> None:
        """Have readers made, if there are fewer than are kept, those included that work for a query in its turn."""
        missing = self._keep - len(self._idle) - self._busy - len(self._tasks)
        for _ in range(0 if self._retired or self._stopped else missing):
            task = asyncio.get_running_loop().create_task(self._make_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _make_one(self) -> None:
        with suppress(OSError):
            fresh = await self._fork()
            if len(self._idle) < self._keep and not self._stopped:
                self._idle.append(fresh)
            else:
                fresh.kill()

    def stop(self) -> None:
        """End every process at once."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        for idle in self._idle:
            idle.kill()
        self._idle.clear()
        if self._template is not None:
            self._template.stop()


__all__ = ["Accounts", "Limits", "Readers", "Reply", "Request", "Share", "reader"]
