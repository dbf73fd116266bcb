"""Pictures of charts: asked of one process that draws, one after the other, within limits of time, memory and number.

A stranger can hold neither a thread of the service nor its processor: whoever waits holds nothing, a picture that takes
too long is killed with its process, and each client may wait for a few pictures only. A picture that several ask for is
drawn once, and kept for the next one who asks. Knows nothing of what a chart means.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from anyio import CapacityLimiter, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.compare.charts import DARK, Spec
from app.errors import DrawingTimeout, TooBusy, TooManyRequests
from app.web import drawer
from app.web.answers import AnswerCache
from app.web.clients import account_of

WAITING = 32
"""Pictures that all clients together may wait for."""
WAITING_EACH = 8
"""Pictures that one client may wait for; browsers ask for six at a time."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A picture brings its own styles, and nothing in it runs or is loaded."""
_RETRY = 5
_STYLE = "".join(f'[fill="{one}"]{{fill:{dark}}}[stroke="{one}"]{{stroke:{dark}}}' for one, dark in DARK.items())


class Drawing:
    """The process that draws, the queue before it, and the pictures that are kept. For one event loop."""

    def __init__(self, cache: AnswerCache, *, seconds: float) -> None:
        self._cache = cache
        self._seconds = seconds
        self._thread = CapacityLimiter(1)
        self._tasks: dict[tuple[str, str], asyncio.Task[bytes]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None

    async def picture(self, spec: str, ending: str, client: str) -> bytes:
        """The picture of a specification as `svg` or `png`; TooManyRequests, TooBusy, DrawingTimeout.

        What was begun is finished and counts for its client even when that one hangs up.
        """
        key = (ending, hashlib.sha256(spec.encode()).hexdigest())
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        task = self._tasks.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._begin(key, spec, client)
        return await asyncio.shield(task)

    def stop(self) -> None:
        """End the process; what it draws is given up."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _begin(self, key: tuple[str, str], spec: str, client: str) -> asyncio.Task[bytes]:
        if self._waiting[client] >= WAITING_EACH:
            raise TooManyRequests(f"{WAITING_EACH} pictures of yours are waiting to be drawn", retry_after=_RETRY)
        if self._waiting.total() >= WAITING:
            raise TooBusy("too many pictures are waiting to be drawn", retry_after=_RETRY)
        self._waiting[client] += 1
        task = asyncio.get_running_loop().create_task(self._drawn(key, spec, client))
        self._tasks[key] = task
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _drawn(self, key: tuple[str, str], spec: str, client: str) -> bytes:
        try:
            found = await to_thread.run_sync(self._draw, spec, key[0], limiter=self._thread)
            self._cache.put(key, found)
            return found
        finally:
            self._tasks.pop(key, None)
            self._waiting -= Counter({client: 1})

    def _draw(self, spec: str, ending: str) -> bytes:
        """One picture, in the thread that draws. A process that has ended meanwhile is replaced, once."""
        asked = json.dumps({"spec": spec, "ending": ending}).encode()
        with self._turn:
            for waited in (self._runs(), False):
                try:
                    status, body = self._ask(asked)
                except TimeoutError:
                    self.stop()
                    raise DrawingTimeout(f"the picture was not ready after {self._seconds:g} s") from None
                except (EOFError, OSError):
                    self.stop()
                    if not waited:
                        break
                    continue
                if status == drawer.FAILED:
                    raise RuntimeError("a chart of ours cannot be drawn")
                return _dressed(body, json.loads(spec)) if ending == "svg" else body
        raise DrawingTimeout("the picture needs more memory than there is for one")

    def _ask(self, asked: bytes) -> tuple[bytes, bytes]:
        until = time.monotonic() + self._seconds
        wire = self._ready()
        wire.settimeout(self._seconds)
        wire.sendall(drawer.LENGTH.pack(len(asked)) + asked)
        head = _until(wire, 1 + drawer.LENGTH.size, until)
        return head[:1], _until(wire, drawer.LENGTH.unpack(head[1:])[0], until)

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _ready(self) -> socket.socket:
        """The socket to the process, which is started when there is none."""
        if self._wire is not None and self._runs():
            return self._wire
        self.stop()
        if self._wire is not None:
            self._wire.close()
        self._wire, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-m", "app.web.drawer", str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
        return self._wire


class Picture(Response):
    """An answer that is drawn when it is sent: no thread waits for it. `compressed` says that an SVG goes out so."""

    def __init__(self, spec: Spec, ending: str, headers: Mapping[str, str], *, compressed: bool) -> None:
        super().__init__(headers=dict(headers))
        self._spec, self._ending, self._own, self._compressed = json.dumps(spec), ending, headers, compressed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Draw and send; an error is raised before anything is sent."""
        drawing: Drawing = scope["app"].state.drawing
        client = account_of(scope["client"][0] if scope.get("client") else "unknown")
        body = await drawing.picture(self._spec, self._ending, client)
        headers = dict(self._own)
        if self._ending == "svg":
            headers["Content-Security-Policy"] = POLICY
            if self._compressed:
                body = gzip.compress(body, compresslevel=1, mtime=0)
                headers["Content-Encoding"] = "gzip"
        await Response(body, headers=headers)(scope, receive, send)


def _until(wire: socket.socket, size: int, until: float) -> bytes:
    """So many bytes before a moment; TimeoutError after it."""
    parts = bytearray()
    while len(parts) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        wire.settimeout(left)
        parts += drawer.receive(wire, min(size - len(parts), 1 << 16))
    return bytes(parts)


def _dressed(svg: bytes, spec: Spec) -> bytes:
    """A picture with its name and words for whoever cannot see it, and with colours for whoever likes it dark."""
    head, end, rest = svg.partition(b">")
    title = escape(" ".join(spec["title"]["text"]))
    words = (
        f' role="img"><title>{title}</title><desc>{escape(spec["description"])}</desc>'
        f"<style>@media (prefers-color-scheme:dark){{{_STYLE}}}</style>"
    )
    return head + (words.encode() if end else b"") + rest
