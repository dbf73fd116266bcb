"""The metrics of several workers: one sum, whichever of them is asked, also when one has died."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import httpx

from tests.cli.workers import Service, stopped, two_workers, until
from tests.web.test_watching import value

FOLDERS = "slmkg-metrics-*"


def models(service: Service) -> float:
    """Requests for models that the service has counted."""
    text = httpx.get(f"{service.base}metrics", timeout=30).text
    return value(text, "slmkg_requests_total", method="GET", route="/api/v1/models", status="200")


def test_counts_of_workers_are_summed(tmp_path: Path) -> None:
    left = Path(tempfile.gettempdir()) / "slmkg-metrics-of-one-that-was-killed"
    left.mkdir(exist_ok=True)
    (left / "LOCK").touch()
    before = set(Path(tempfile.gettempdir()).glob(FOLDERS))
    with two_workers(tmp_path) as service:
        assert not left.exists()
        (folder,) = set(Path(tempfile.gettempdir()).glob(FOLDERS)) - before
        first, second = service.workers()
        for idle, times in ((first, 3), (second, 2)):
            with stopped(idle):
                for _ in range(times):
                    assert httpx.get(f"{service.base}api/v1/models", timeout=30).status_code == 200
        for idle in (first, second):
            with stopped(idle):
                assert models(service) == 5
                text = httpx.get(f"{service.base}metrics", timeout=30).text
                assert value(text, "slmkg_workers") == 2
                count = value(text, "slmkg_request_seconds_count", method="GET", route="/api/v1/models")
                assert count == value(
                    text, "slmkg_request_seconds_bucket", method="GET", route="/api/v1/models", le="+Inf"
                )
                assert count == 5
        os.kill(first, signal.SIGKILL)
        until(lambda: len(set(service.workers()) - {first, second}) == 1)
        assert models(service) == 5, "what it counted stays"
        assert value(httpx.get(f"{service.base}metrics").text, "slmkg_requests_in_progress") == 1, (
            "its own is forgotten"
        )
        service.process.send_signal(signal.SIGTERM)
        service.process.communicate(timeout=30)
        assert not folder.exists()
