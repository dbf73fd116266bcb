"""Fixtures for tests that need the double. Import both names in a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orkg_double.process import running
from tests.orkg_double.steering import Steering


@pytest.fixture(scope="module")
def orkg_process() -> Iterator[Steering]:
    """One double in a process of its own for the tests of a module."""
    with running() as steering:
        yield steering


@pytest.fixture
def orkg(orkg_process: Steering) -> Steering:
    """The double with the synthetic world, as new."""
    orkg_process.reset()
    return orkg_process
