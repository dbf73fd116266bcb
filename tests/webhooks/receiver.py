"""A real HTTP receiver on the loopback that answers as a test tells it to: well, badly, slowly, elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def revision(self) -> int:
        number: int = json.loads(self.body)["data"]["revision"]
        return number

    def is_signed_with(self, secret: str) -> bool:
        """The check of a receiver, as docs/how-to/follow-changes.md tells it."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        sent = self.headers["webhook-timestamp"]
        if abs(time.time() - int(sent)) > 300:
            return False
        signed = f"{self.id}.{sent}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(wanted, one) for one in self.headers["webhook-signature"].split())


Answer = Callable[[Delivery], int | tuple[int, dict[str, str]]]


@dataclass
class Receiver:
    """What arrived, and how the next request is answered."""

    url: str = ""
    got: list[Delivery] = field(default_factory=list)
    answer: Answer = lambda _: 204

    def revisions(self) -> list[int]:
        return [one.revision for one in [*self.got]]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            one = Delivery(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.got.append(one)
            answered = receiver.answer(one)
            status, headers = (answered, {}) if isinstance(answered, int) else answered
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name that the base class wants

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gives up is no error here
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
