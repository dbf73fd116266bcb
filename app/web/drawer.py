"""The process that draws: specifications come in over a socket, pictures go out; killed by the service when too slow.

It draws what the service gives it and nothing else: no address is ever loaded, and the font comes with the renderer.
It gives way to everything else on the machine, and ends when nobody has asked for a while or the service is gone.
Run as `python -m app.web.drawer DESCRIPTOR`; never imported by the service but for the frames.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import sys

VERSION = "6.4"
"""Of Vega-Lite, as the renderer names it."""
DRAWN, FAILED = b"\x00", b"\x01"
SCALE = 2.0
"""Pixels of a PNG for each of the picture's own."""
LENGTH = struct.Struct("<I")
_IDLE = 300.0
"""Seconds without a picture after which the process ends."""
_MEMORY = 1_500_000_000
"""Bytes that the process may use for data."""
_NICE = 10


def receive(wire: socket.socket, size: int) -> bytes:
    """So many bytes; EOFError when the other side is gone."""
    parts = bytearray()
    while len(parts) < size:
        found = wire.recv(min(size - len(parts), 1 << 20))
        if not found:
            raise EOFError
        parts += found
    return bytes(parts)


def draw(asked: dict[str, str]) -> bytes:
    """The picture of a specification (`spec`, JSON) as `svg` or `png`."""
    import vl_convert  # noqa: PLC0415 - 90 MB that only this process needs

    svg = vl_convert.vegalite_to_svg(asked["spec"], vl_version=VERSION, allowed_base_urls=[])
    return svg.encode() if asked["ending"] == "svg" else vl_convert.svg_to_png(svg, scale=SCALE)


def main(descriptor: int) -> None:
    """Answer until the service hangs up, or nobody asks any more."""
    os.nice(_NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with socket.socket(fileno=descriptor) as wire:
        wire.settimeout(_IDLE)
        while True:
            try:
                asked = json.loads(receive(wire, LENGTH.unpack(receive(wire, LENGTH.size))[0]))
            except (EOFError, OSError):
                return
            try:
                status, body = DRAWN, draw(asked)
            except (ValueError, RuntimeError) as error:
                status, body = FAILED, str(error).encode()
            wire.sendall(status + LENGTH.pack(len(body)) + body)


if __name__ == "__main__":
    main(int(sys.argv[1]))
