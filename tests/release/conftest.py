"""A small data folder with two releases, made once for a test run; tests that change it take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.release.small import services_in


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Releases 2026.11 of revision 1 and 2026.12 of revision 2. Read-only."""
    services = services_in(tmp_path_factory.mktemp("released") / "var")
    services.releases.make("2026.11", 1)
    services.releases.make("2026.12")
    return services


@pytest.fixture
def own(released: Services, tmp_path: Path) -> Services:
    """The same in a folder of the test's own."""
    shutil.copytree(released.settings.data_dir, tmp_path / "var")
    return build(Settings(data_dir=tmp_path / "var"))
