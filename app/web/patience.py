"""The server's side of a connection: requests arrive in time and have a size, and small answers go out in one piece.

Uvicorn alone waits for ever for the rest of a request and takes a head of any size, so that a few thousand clients
that send a byte now and then would hold all connections.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""Longest time from the connection, or from the first byte of a request, to the end of the request's head."""
HEAD_BYTES = 512 * 1024
"""Longest head: a query in the address, percent-encoded, fits."""
BODY_SECONDS = 20.0
"""A body must bring BODY_BYTES in each such time, or come to its end."""
BODY_BYTES = 200_000


_JOINED = 65_536
"""Bytes up to which parts of an answer are joined; more are written as they come."""


class _Joined:
    """A transport that writes the head and the body of an answer as one: each write wakes up the other side."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._parts: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def write(self, data: bytes) -> None:
        """Write at the end of this turn of the loop, together with what else comes until then."""
        if len(data) > _JOINED:
            self._flush()
            self._transport.write(data)
            return
        if not self._parts:
            self._call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Hang up after what has been written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which hangs up on clients that do not get to the end of a request."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limit: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_limited = False

    def shutdown(self) -> None:
        """The server ends: streams that would never end by themselves are told."""
        super().shutdown()
        stopping = self.app_state.get("stopping")
        if stopping is not None:
            stopping.set()

    def connection_made(self, transport: Any) -> None:
        """A client has come; it has to say something."""
        super().connection_made(cast(asyncio.Transport, _Joined(transport)))
        self._allow(self.head_seconds, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._end_limit()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request. Time is only measured where a part does not bring its end."""
        if not self._in_head and not self._in_body:
            self._in_head = True
            self._head_bytes = 0
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head:
            if self._head_bytes > HEAD_BYTES:
                self._hang_up()
            elif self._limit is None:
                self._allow(self.head_seconds, self._hang_up)
        elif self._in_body and not self._body_limited:
            self._body_limited = True
            self._allow(self.body_seconds, self._look_at_body)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head, self._in_body, self._body_limited = False, True, False
        self._body_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there; how long its answer takes is another matter."""
        self._in_head = self._in_body = False
        self._end_limit()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer has gone out. A body that still comes was refused: it may come to its end, but not for long."""
        super().on_response_complete()
        if self._in_body:
            self._allow(self.body_seconds, self._hang_up)

    def _look_at_body(self) -> None:
        if self._body_bytes < BODY_BYTES:
            self._hang_up()
            return
        self._body_bytes = 0
        self._allow(self.body_seconds, self._look_at_body)

    def _allow(self, seconds: float, then: Any) -> None:
        self._end_limit()
        self._limit = asyncio.get_running_loop().call_later(seconds, then)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _hang_up(self) -> None:
        """End the connection, unless an earlier request on it is still being answered."""
        self._limit = None
        if self.cycle is not None and not self.cycle.response_complete and not self._in_body:
            self._allow(self.head_seconds, self._hang_up)
        elif self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


OPTIONS: dict[str, Any] = {
    "http": PatientProtocol,
    "timeout_keep_alive": 10,
    "access_log": False,
    "server_header": False,
}
"""How uvicorn is run. There is no limit on connections: it would let slow clients shut out all others."""


def allow_many_connections() -> None:
    """Raise the number of open files to what the machine allows: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
