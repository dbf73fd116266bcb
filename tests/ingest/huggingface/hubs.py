"""A hub on the loopback: answers the few addresses that fetching two files needs, as the real one does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHA = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(files: Mapping[str, bytes], repository: str = "microsoft/phi-2") -> Iterator[tuple[str, list[str]]]:
    """A running hub with one repository; gives its address and the list of the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if path in {f"/api/models/{repository}", f"/api/models/{repository}/revision/{SHA}"}:
                self.send(json.dumps(self.info()).encode(), body=body, kind="application/json")
                return
            name = path.removeprefix(f"/{repository}/resolve/{SHA}/")
            if path.startswith(f"/{repository}/resolve/{SHA}/") and name in files:
                self.send(files[name], body=body, kind="text/plain")
                return
            self.send_response(404)
            if not path.startswith((f"/api/models/{repository}", f"/{repository}/")):
                self.send_header("X-Error-Code", "RepoNotFound")
            else:
                self.send_header("X-Error-Code", "RevisionNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def info(self) -> dict[str, object]:
            return {
                "_id": "1",
                "id": repository,
                "modelId": repository,
                "sha": SHA,
                "lastModified": "2024-01-09T10:11:12.000Z",
                "private": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": [{"rfilename": name, "size": len(content)} for name, content in files.items()],
            }

        def send(self, content: bytes, *, body: bool, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", SHA)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
