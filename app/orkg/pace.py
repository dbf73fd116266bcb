"""How gently a service of somebody else is asked: how often, how many times again, and how long to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits of one client. Times are in seconds; pauses grow from the first to the longest, with jitter added.

    `patience` is the longest time that one request is tried for, pauses included; `answer` the longest wait for a part
    of an answer; `max_bytes` the longest answer that is taken.
    """

    per_second: float = 2.0
    attempts: int = 6
    patience: float = 120.0
    first_pause: float = 0.5
    longest_pause: float = 30.0
    jitter: float = 1.0
    answer: float = 60.0
    max_bytes: int = 100_000_000


class Gate:
    """Lets through no more in a second than the pace allows, one at a time."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._guard = threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn."""
        with self._guard:
            wait = self._next - self._clock()
            if wait > 0:
                self._sleep(wait)
            self._next = max(self._next, self._clock()) + self._gap


class Paced(httpx.BaseTransport):
    """Sends requests when the gate lets them through."""

    def __init__(self, inner: httpx.BaseTransport, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request when its turn has come."""
        self._gate.wait()
        return self._inner.handle_request(request)

    def close(self) -> None:
        """End the connections."""
        self._inner.close()
