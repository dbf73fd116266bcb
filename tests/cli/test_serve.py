"""`slmkg serve`, run as a command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.run import RUN


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_is_told(tmp_path: Path, host: str) -> None:
    """With port 0 the machine chooses one, and the line that says where to look names it."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", "--scratch"],
        env={**os.environ, "SLMKG_PORT": "0", "SLMKG_HOST": host, "SLMKG_DATA_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        found = re.search(r"serving on (http://\S+:(\d+)/)", lines[1])
        assert found is not None, lines
        assert int(found[2]) > 0
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{found[1]}livez").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.communicate(timeout=30)[1]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-c", RUN, "serve", "--scratch"],
            env={**os.environ, "SLMKG_PORT": str(taken.getsockname()[1]), "SLMKG_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "serving on" not in done.stderr
    assert "Traceback" not in done.stderr
