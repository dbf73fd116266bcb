"""The real service on a free port of the loopback, a machine before it, and a client of that machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client import Client
from tests.client.front import Front, before
from tests.web.serving import serving


@pytest.fixture(scope="module")
def service(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service on a copy of the seed."""
    folder = tmp_path_factory.mktemp("service") / "var"
    shutil.copytree(seed_folder, folder)
    with serving(folder) as address:
        yield address


@pytest.fixture
def front(service: str) -> Iterator[Front]:
    with before(service) as found:
        yield found


@pytest.fixture
def slmkg(front: Front) -> Iterator[Client]:
    with Client(front.address) as client:
        yield client
