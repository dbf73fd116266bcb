"""Imports the command line once and forks for each command, so that not every test waits for the imports.

Each command is a process of its own with its own environment, folder, output and end, as if it had been started anew.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from app.cli import main


def serve(descriptor: int) -> None:
    """Take commands from a socket, one line of JSON and two open files each, and answer with their exit codes."""
    link = socket.socket(fileno=descriptor)
    while True:
        message, files, _, _ = socket.recv_fds(link, 1 << 16, 2)
        while message and not message.endswith(b"\n"):
            message += link.recv(1 << 16)
        if not message:
            return
        asked = json.loads(message)
        child = os.fork()
        if child == 0:
            break
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    link.close()
    for file, place in zip(files, (1, 2), strict=True):
        os.dup2(file, place)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["slmkg", *asked["arguments"]]
    main()
