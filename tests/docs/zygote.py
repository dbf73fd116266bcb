"""A process that has imported the command line once and starts a copy of itself for each command of a shell.

Pages have about a hundred commands; each would spend two seconds on imports. A copy is what `slmkg` itself would be:
its own process, arguments, folder, environment and files. tests/cli/forker.py does the same for calls from Python.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import sys
from pathlib import Path

CALLER = """#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as zygote:
    zygote.connect({path!r})
    told = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    files = array.array("i", [0, 1, 2])
    zygote.sendmsg([len(told).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    zygote.sendall(told)
    answer = zygote.recv(1)
sys.exit(answer[0] if answer else 1)
"""


def serve(path: Path) -> None:
    """Answer callers at a socket until killed."""
    from app import cli  # here, since this is what takes the time

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _supervise(caller, cli.main)
            caller.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _supervise(caller: socket.socket, main: object) -> None:
    """Run one command in a copy and tell its caller how it ended."""
    files = array.array("i")
    head, extra, _, _ = caller.recvmsg(8, socket.CMSG_SPACE(3 * files.itemsize))
    if not extra:
        os._exit(0)  # somebody looked whether we are there
    files.frombytes(extra[0][2])
    length, told = int.from_bytes(head, "big"), b""
    while len(told) < length:
        told += caller.recv(length - len(told))
    arguments, folder, environment = json.loads(told)
    child = os.fork()
    if child == 0:
        caller.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[:] = arguments
        for stream in (sys.stdout, sys.stderr):  # both into one pipe, in the order of a terminal
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
        code = 0
        try:
            main()  # type: ignore[operator]
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    caller.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
