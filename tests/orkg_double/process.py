"""Starts the double as a process of its own on the loopback and stops it by its id."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.orkg_double.steering import Steering

ROOT = Path(__file__).parents[2]


@contextmanager
def running(world: str = "synthetic", **options: Any) -> Iterator[Steering]:
    """A double in a process of its own. Gives what steers it; its address is `steering.address`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.orkg_double", "--port", "0"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the double did not start"
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            steering = Steering(client)
            steering.reset(world, **options)
            yield steering
    finally:
        process.terminate()
        process.communicate(timeout=20)
