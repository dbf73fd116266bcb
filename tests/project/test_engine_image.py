"""The files of the Virtuoso image, run here as its container would: first start, questions, kill, start again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.run import slmkg
from tests.ports import free_port
from tests.project.checkout import ROOT

PASSWORD = "a-long.password_7"


@contextmanager
def started(files: Path, data: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`start.sh` in the data folder until it is healthy; killed at the end, as by a machine that goes down."""
    with (data.parent / "log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", str(files / "start.sh")],
            cwd=data,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 120
        while subprocess.run(["bash", str(files / "healthy.sh")], capture_output=True, check=False).returncode != 0:
            assert process.poll() is None, (data.parent / "log").read_text()
            assert time.monotonic() < deadline, (data.parent / "log").read_text()
            time.sleep(0.3)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.heavy
def test_the_engine_starts_takes_our_writes_and_starts_again_after_a_kill(tmp_path: Path) -> None:
    files = Path(shutil.copytree(ROOT / "docs" / "deploy" / "virtuoso", tmp_path / "files"))
    sql, web = str(free_port()), str(free_port())
    for name in ("virtuoso.ini", "start.sh", "healthy.sh"):
        told = (files / name).read_text()
        told = told.replace("127.0.0.1:1111", f"127.0.0.1:{sql}").replace("127.0.0.1/8890", f"127.0.0.1/{web}")
        told = told.replace("ServerPort = 8890", f"ServerPort = 127.0.0.1:{web}")
        # with its full memory it starts slowly on a small machine
        (files / name).write_text(told.replace("340000", "20000").replace("250000", "15000"))
    data = tmp_path / "data"
    data.mkdir()
    settings = {"store_url": f"http://127.0.0.1:{web}/sparql", "store_user": "slmkg", "store_password": PASSWORD}
    given = {"SLMKG_STORE_USER": "slmkg", "SLMKG_STORE_PASSWORD": PASSWORD}
    with started(files, data, **given):
        looked = slmkg(tmp_path / "graph", "doctor", **settings)
        assert looked.returncode == 0, looked.stdout + looked.stderr
        assert "good  updates" in looked.stdout
        assert "good  graph store" in looked.stdout
    assert (data / "dba-password").stat().st_mode & 0o077 == 0
    assert sorted(data.glob("first.*")) == [], "nothing with a password in it stays but the file for the owner"
    with started(files, data):
        assert slmkg(tmp_path / "graph", "doctor", **settings).returncode == 0


@pytest.mark.heavy
def test_the_engine_does_not_start_without_a_password(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "docs" / "deploy" / "virtuoso" / "start.sh")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "set it in slmkg.env" in done.stderr
    assert list(tmp_path.iterdir()) == []
