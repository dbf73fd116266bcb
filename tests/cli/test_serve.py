"""`slmkg serve`, run as a command."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.durable import locked
from app.folder import IN_USE
from app.model.rdf import IRI, Literal
from app.settings import Settings
from app.wiring import build
from tests.cli.run import RUN, slmkg
from tests.cli.workers import family, ready, running, stopped, two_workers, until


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


# --- several workers ------------------------------------------------------------------------------------------------


def test_two_workers_write_and_read_the_same_graph_and_leave_nothing_running(tmp_path: Path) -> None:
    with two_workers(tmp_path) as service:
        assert int(service.base.rsplit(":", 1)[1].strip("/")) > 0
        first, second = service.workers()
        revisions = []
        for number, idle in enumerate((first, second, first, second)):
            with stopped(idle):
                revisions.append(service.insert(number))
        assert revisions == [2, 3, 4, 5], "each writes on what the other one wrote"
        for idle in (first, second):
            with stopped(idle):
                until(lambda: service.values() == {"0", "1", "2", "3"})
        everybody = family(service.process.pid)
        assert len(everybody) > 5
        service.process.send_signal(signal.SIGTERM)
        assert "Traceback" not in service.process.communicate(timeout=30)[1]
        until(lambda: running(everybody) == set(), seconds=10)
    assert build(Settings(data_dir=tmp_path)).store.head().number == 5


def test_a_worker_that_is_killed_is_replaced_and_the_folder_stays_in_use(tmp_path: Path) -> None:
    data, backup = tmp_path / "var", tmp_path / "b.tar"
    with two_workers(data) as service:
        assert slmkg(data, "backup", str(backup)).returncode == 0
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        refused = slmkg(data, "restore", str(backup), "--force")
        assert (refused.returncode, "somebody works on" in refused.stderr) == (1, True)
        assert "Traceback" not in refused.stderr
        until(lambda: len(set(service.workers()) - set(before)) == 1)
        with stopped(before[1]):
            until(lambda: ready(service.base))
            assert service.insert(1) == 2
        service.process.send_signal(signal.SIGTERM)
        service.process.communicate(timeout=30)
    done = slmkg(data, "restore", str(backup), "--force")
    assert done.returncode == 0, done.stderr
    assert build(Settings(data_dir=data)).store.head().number == 1


@pytest.mark.heavy
def test_backups_of_a_running_service_under_writes(tmp_path: Path) -> None:
    """Each is one revision, whole: the first so many writes, and at least those that were done before it began."""
    data = tmp_path / "var"
    least, backups = [], [tmp_path / f"{number}.tar" for number in range(3)]
    with two_workers(data) as service, ThreadPoolExecutor() as pool:
        done = 0
        stop = threading.Event()

        def write() -> None:
            nonlocal done
            while not stop.is_set():
                service.insert(done + 1)
                done += 1

        writing = pool.submit(write)
        try:
            for backup in backups:
                until(lambda before=done: done > before)  # type: ignore[misc]
                least.append(done)
                made = slmkg(data, "backup", str(backup), "--json")
                assert made.returncode == 0, made.stderr
        finally:
            stop.set()
        writing.result()
    assert done > least[-1]
    for backup, known in zip(backups, least, strict=True):
        back = tmp_path / f"back-{backup.stem}"
        restored = slmkg(data, "restore", str(backup), "--into", str(back))
        assert restored.returncode == 0, restored.stderr
        store = build(Settings(data_dir=back)).store
        head = store.head().number
        assert known + 1 <= head <= done + 1
        values = {
            int(one.object.value)
            for one in store.at().quads()
            if isinstance(one.object, Literal) and one.subject == IRI("https://example.org/s")
        }
        assert values == set(range(1, head))


def test_workers_end_with_a_main_process_that_is_killed(tmp_path: Path) -> None:
    with two_workers(tmp_path) as service:
        everybody = family(service.process.pid)
        service.process.kill()
        service.process.wait()
        until(lambda: running(everybody) == set())


def test_nothing_is_served_from_a_folder_that_is_being_replaced(tmp_path: Path) -> None:
    with locked(tmp_path / IN_USE):
        done = slmkg(tmp_path, "serve", port="0", workers="2")
    assert (done.returncode, "is being replaced" in done.stderr) == (1, True)
    assert "serving on" not in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {IN_USE}
