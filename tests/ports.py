"""Ports for servers that tests start."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import SystemRandom

_RANDOM = SystemRandom()


def free_port() -> int:
    """A port of the loopback that nobody has.

    It lies below those that Linux gives to outgoing connections (32768 and up): of these another test may take one
    between our look and the start of the server.
    """
    while True:
        port = _RANDOM.randrange(12_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
