"""Runs `slmkg` as a command of its own, as a user would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

RUN = "import sys; sys.argv[0] = 'slmkg'; from app.cli import main; main()"
FORK = "import sys; from tests.cli.forker import serve; serve(int(sys.argv[1]))"
PATIENCE = 300
"""Seconds that a command may take."""


def slmkg(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command on a data folder; further settings by their names without the prefix, in small letters.

    The process is forked from one that has imported the program already; `fresh` starts a new interpreter.
    """
    _, link = _forker()
    asked = {"arguments": arguments, "environment": _environment(data, settings), "folder": str(Path.cwd())}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        message = json.dumps(asked).encode() + b"\n"
        sent = socket.send_fds(link, [message], [out.fileno(), err.fileno()])
        link.sendall(message[sent:])
        code = _answer(arguments)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["slmkg", *arguments], code, _text(out.read()), _text(err.read()))


def fresh(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env=_environment(data, settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def _environment(data: Path, settings: dict[str, str]) -> dict[str, str]:
    named = {f"SLMKG_{name.upper()}": value for name, value in settings.items()}
    return {**os.environ, "SLMKG_DATA_DIR": str(data), **named}


@cache
def _forker() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process that forks, and the socket to it; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.settimeout(PATIENCE)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", FORK, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return process, ours


def _answer(arguments: tuple[str, ...]) -> int:
    """The exit code of the command that was asked for."""
    process, link = _forker()
    try:
        return int(link.recv(100))
    except TimeoutError as error:
        raise subprocess.TimeoutExpired(["slmkg", *arguments], PATIENCE) from error
    finally:
        if sys.exception() is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            link.close()
            _forker.cache_clear()


def _text(content: bytes) -> str:
    """What a command wrote, with line ends as a text file has them."""
    return content.decode().replace("\r\n", "\n").replace("\r", "\n")
