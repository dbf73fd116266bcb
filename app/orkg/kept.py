"""Keeps answers that hardly ever change (predicates, classes, people) for a day, so that no pull asks for them again.

The ORKG sends no validators and next to no lifetimes, so the request decides: only those that say so are kept, and only
successes of the expected type. What is kept is a help and never in the way: where its file cannot be used, the service
is asked. Other requests do not come near it.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
from hishel import SqliteStorage
from hishel.httpx import CacheTransport

_SECONDS = 86_400.0
_MOST_BYTES = 1_000_000
_MOST_IN_ALL = 50_000_000
KEEP = "slmkg_keep"
"""Extension of a request whose answer may be kept, or may be a kept one."""

logging.getLogger("hishel").setLevel(logging.CRITICAL)  # a file that cannot be used is no news for whoever pulls


class _Strange(Exception):
    """An answer that is not to be kept."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer


class _Honest(httpx.BaseTransport):
    """Holds back successes that are not of the expected type, such as a page about maintenance."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        wanted = request.headers.get("accept", "")
        if answer.is_success and not answer.headers.get("content-type", "").startswith(wanted):
            raise _Strange(answer)
        return answer

    def close(self) -> None:
        self._inner.close()


class Keeping(httpx.BaseTransport):
    """Answers from a file what may be kept, and asks `inner` for the rest."""

    def __init__(self, inner: httpx.BaseTransport, file: Path) -> None:
        self._inner = inner
        storage = SqliteStorage(
            database_path=file, default_ttl=_SECONDS, max_stream_size=_MOST_BYTES, max_size=_MOST_IN_ALL
        )
        self._cache = CacheTransport(_Honest(inner), storage)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if not request.extensions.get(KEEP):
            return self._inner.handle_request(request)
        try:
            return self._cache.handle_request(request)
        except _Strange as strange:
            return strange.answer
        except (sqlite3.Error, OSError, RuntimeError):  # what hishel raises for a file that it cannot use
            return self._inner.handle_request(request)

    def close(self) -> None:
        """End the connections, and let go of the file."""
        self._cache.close()


def kept_at(answer: httpx.Response) -> datetime | None:
    """When an answer came that was kept; None for one that came now."""
    if not answer.extensions.get("caching", {}).get("from_cache"):
        return None
    with suppress(ValueError, TypeError):
        return parsedate_to_datetime(answer.headers["date"])
    return None
