"""The double in a process of its own, and a client of it that knows nothing of ORKG."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.orkg_double.fixtures import orkg, orkg_process
from tests.orkg_double.state import ADA
from tests.orkg_double.steering import Steering

__all__ = ["orkg", "orkg_process"]


@pytest.fixture
def http(orkg: Steering) -> Iterator[httpx.Client]:
    """A stranger."""
    with httpx.Client(base_url=orkg.address, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def ada(orkg: Steering) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    headers = {"Authorization": f"Bearer {orkg.token(ADA)}"}
    with httpx.Client(base_url=orkg.address, trust_env=False, timeout=10, headers=headers) as client:
        yield client
