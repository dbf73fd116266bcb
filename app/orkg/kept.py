"""Keeps answers that hardly ever change (predicates, classes, people) for a day, so that no pull asks for them again.

The ORKG sends no validators and next to no lifetimes, so the request decides: only those that say so are kept, and only
successes of the expected type. What is kept is a help and never in the way: where its file cannot be used, the service
is asked. Other requests do not come near it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
from hishel import BaseFilter, FilterPolicy, Response, SyncSqliteStorage
from hishel.httpx import SyncCacheTransport

_SECONDS = 86_400.0
_MOST_BYTES = 1_000_000
KEEP = "slmkg_keep"
"""Extension of a request whose answer may be kept, or may be a kept one."""
KEPT_AT = "slmkg_kept_at"
"""Extension of an answer that was kept: when it came, in seconds of the epoch."""


class _Successes(BaseFilter[Response]):
    """Lets successes in JSON be kept, and nothing else."""

    def needs_body(self) -> bool:
        return False

    def apply(self, item: Response, body: bytes | None) -> bool:
        return item.status_code == httpx.codes.OK and item.headers.get("content-type", "").startswith(
            "application/json"
        )


class _Timed(httpx.BaseTransport):
    """Gives requests their time limits back, which are lost on the way through what keeps answers."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.timeout: dict[str, Any] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "timeout": self.timeout}
        return self._inner.handle_request(request)


class Keeping(httpx.BaseTransport):
    """Answers from a file what may be kept, and asks `inner` for the rest."""

    def __init__(self, inner: httpx.BaseTransport, file: Path) -> None:
        self._inner = inner
        self._timed = _Timed(inner)
        file.parent.mkdir(parents=True, exist_ok=True)
        storage = SyncSqliteStorage(database_path=str(file), default_ttl=_SECONDS, refresh_ttl_on_access=False)
        self._cache = SyncCacheTransport(self._timed, storage, FilterPolicy(response_filters=[_Successes()]))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if not request.extensions.get(KEEP):
            return self._inner.handle_request(request)
        self._timed.timeout = request.extensions.get("timeout", {})
        try:
            return _whole(self._cache.handle_request(request), request)
        except sqlite3.Error:
            return self._inner.handle_request(request)

    def close(self) -> None:
        """End the connections, and let go of the file."""
        self._cache.close()
        self._inner.close()


def _whole(answer: httpx.Response, request: httpx.Request) -> httpx.Response:
    """The answer with its body, read to its end: only then is it kept."""
    body = bytearray()
    try:
        for part in answer.iter_raw():
            body += part
            if len(body) > _MOST_BYTES:
                raise httpx.RemoteProtocolError(f"the answer has more than {_MOST_BYTES} bytes", request=request)
    finally:
        answer.close()
    kept = answer.extensions.get("hishel_from_cache")
    extensions = {KEPT_AT: answer.extensions.get("hishel_created_at")} if kept else {}
    return httpx.Response(answer.status_code, headers=answer.headers, stream=_Body(bytes(body)), extensions=extensions)


class _Body(httpx.SyncByteStream):
    """A body that is here already, as it came over the wire."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Any:
        yield self._body
