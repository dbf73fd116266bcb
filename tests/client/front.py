"""A machine before the service: passes requests on, notes them, and first gives the answers that a test prepared."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass(frozen=True)
class Prepared:
    """An answer that does not come from the service; without a status the connection is cut."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Noted:
    """A request and the status of its answer."""

    method: str
    path: str
    tag: str | None
    authorization: str | None
    status: int


class Front(ThreadingHTTPServer):
    """Listens on the loopback before one service."""

    daemon_threads = True

    def __init__(self, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.prepared: deque[Prepared] = deque()
        self.noted: list[Noted] = []

    @property
    def address(self) -> str:
        """Where the service seems to listen."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        self.close_connection = True
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.prepared:
            one = self.server.prepared.popleft()
        else:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            got = httpx.request(self.command, self.server.service + self.path, content=sent, headers=kept, timeout=60)
            names = {"content-type", "etag", "cache-control", "x-revision", "link", "retry-after"}
            told = {name: value for name, value in got.headers.items() if name in names}
            one = Prepared(got.status_code, got.content, told)
        tag, key = self.headers.get("If-None-Match"), self.headers.get("Authorization")
        self.server.noted.append(Noted(self.command, self.path, tag, key, one.status))
        if not one.status:
            return
        self.send_response(one.status)
        for name, value in one.headers.items():
            self.send_header(name, value)
        if one.status != 304:
            self.send_header("Content-Length", str(len(one.body)))
        self.end_headers()
        self.wfile.write(one.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def before(service: str) -> Iterator[Front]:
    """The machine, for the length of a block."""
    server = Front(service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
