"""Stops the work on a question whose client has gone: its place is free again, its reader is killed.

Only questions are given up, since they change nothing; a write that has begun runs to its end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATIENCE = 0.05
"""Seconds that a question may take before anybody looks whether its client is still there."""
_SAFE = {"GET", "HEAD"}
_QUESTIONS = "/sparql"


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Cancels a question when its client hangs up."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and (scope["method"] in _SAFE or scope["path"].endswith(_QUESTIONS)):
            await _Watched(receive, has_body=scope["method"] not in _SAFE).run(self.app, scope, send)
        else:
            await self.app(scope, receive, send)


class _Watched:
    """One request. Its body belongs to the application; what comes after it can only be the client hanging up."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self._body_read = not has_body
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._look: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        self._task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(_PATIENCE, self._start_looking)
        try:
            await app(scope, self._received, send)
        except asyncio.CancelledError:
            if not self._gone or self._task is None or self._task.uncancel():
                raise
        finally:
            timer.cancel()
            if self._look is not None:
                self._look.cancel()

    async def _received(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._body_read = True
        return message

    def _start_looking(self) -> None:
        self._look = asyncio.get_running_loop().create_task(self._wait_for_the_end())

    async def _wait_for_the_end(self) -> None:
        while not self._body_read:
            await asyncio.sleep(_PATIENCE)
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._task is not None:
            self._task.cancel()
