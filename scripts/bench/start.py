"""Measures what a person waits for: loading the seed, validating it, and the first and later starts of `make serve`.

Prints one Markdown table of medians. It works in a temporary data folder and leaves the checkout's own alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SLMKG = ROOT / ".venv" / "bin" / "slmkg"


def free_port() -> int:
    """A port on which nobody listens right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def seconds(work: Callable[[], None]) -> float:
    """How long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def command(data: Path, *arguments: str) -> None:
    """Run slmkg on a data folder."""
    environment = os.environ | {"SLMKG_DATA_DIR": str(data)}
    subprocess.run([str(SLMKG), *arguments], env=environment, cwd=ROOT, capture_output=True, check=True)


def start(data: Path) -> float:
    """Seconds from `make serve` until the service answers; the service is stopped again."""
    port = free_port()
    environment = os.environ | {"SLMKG_DATA_DIR": str(data), "SLMKG_PORT": str(port)}
    begun = time.perf_counter()
    service = subprocess.Popen(
        ["make", "serve"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/livez", service)
        return time.perf_counter() - begun
    finally:
        os.killpg(service.pid, signal.SIGTERM)
        service.wait(timeout=20)


def wait_for(address: str, service: subprocess.Popen[bytes], limit: float = 300) -> None:
    """Return as soon as an address answers; fail when the service ends or the limit passes."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if service.poll() is not None:
            raise RuntimeError(f"the service ended with {service.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(address)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    measured: dict[str, list[float]] = {
        "`slmkg load` into an empty folder": [],
        "`slmkg load` again, nothing changed": [],
        "`slmkg validate`, whole graph": [],
        "`make serve`, first start (set-up done, data to load)": [],
        "`make serve`, later start": [],
    }
    load, again, check, first, later = measured.values()
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "graph"
            load.append(seconds(lambda: command(data, "load")))  # noqa: B023 - called at once
            again.append(seconds(lambda: command(data, "load")))  # noqa: B023 - called at once
            check.append(seconds(lambda: command(data, "validate")))  # noqa: B023 - called at once
            first.append(start(Path(folder) / "fresh"))
            later.append(start(Path(folder) / "fresh"))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {runs} runs\n")
    print("| what | median, s | lowest | highest |\n| --- | --- | --- | --- |")
    for name, times in measured.items():
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
