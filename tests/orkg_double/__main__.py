"""Run the double: `python -m tests.orkg_double --port 0` prints its address and answers until it is stopped."""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn

from tests.orkg_double.asgi import Application, CuttingProtocol
from tests.orkg_double.double import Double
from tests.orkg_double.worlds import WORLDS


def main() -> None:
    """Listen on the loopback, and nowhere else."""
    parser = argparse.ArgumentParser(prog="python -m tests.orkg_double", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the loopback; 0 takes a free one")
    parser.add_argument("--world", choices=sorted(WORLDS), default="synthetic", help="what it holds at first")
    chosen = parser.parse_args()
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", chosen.port))
    listening.listen()
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        Application(Double(chosen.world)),
        http=CuttingProtocol,
        lifespan="off",
        log_level="warning",
        server_header=False,
        access_log=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
