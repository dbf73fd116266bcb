"""A machine between the service and its engine: passes everything on, and spoils the answers that a test points at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx

Fault = Callable[[bytes], bytes | None]
"""From the engine's whole answer to what is sent instead; None sends nothing until the test is over."""


class Between(ThreadingHTTPServer):
    """Forwards to an engine. Questions that hold a mark get their answers spoilt by the fault of that name."""

    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        parts = urlsplit(engine)
        self.engine = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        self.faults: dict[str, Fault] = {}
        self.down = False
        self.over = threading.Event()
        self.stalled = threading.Semaphore(0)

    @property
    def address(self) -> str:
        """Where the engine seems to listen for queries."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def do_POST(self) -> None:
        self._pass_on()

    def do_GET(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        self.close_connection = True
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.down:
            return
        kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
        got = httpx.request(self.command, self.server.engine + self.path, content=sent, headers=kept, timeout=60)
        lines = [f"HTTP/1.1 {got.status_code} Word", f"Content-Length: {len(got.content)}", "Connection: close"]
        lines += [f"{name}: {got.headers[name]}" for name in ("Content-Type", "Server") if name in got.headers]
        whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + got.content
        answer: bytes | None = whole
        query = parse_qs(sent.decode()).get("query", [""])[0]
        for mark, fault in self.server.faults.items():
            if mark in query:
                answer = fault(whole)
        if answer is None:
            self.server.stalled.release()
            self.server.over.wait(60)
            return
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def between(engine: str) -> Iterator[Between]:
    """The machine, for the length of a block."""
    server = Between(engine)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
