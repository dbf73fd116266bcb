"""One double for the tests of a module, and a client that does not make them wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.orkg.client import Orkg
from tests.orkg.clients import client
from tests.orkg_double.fixtures import orkg, orkg_process
from tests.orkg_double.steering import Steering

__all__ = ["orkg", "orkg_process"]


@pytest.fixture
def reader(orkg: Steering) -> Iterator[Orkg]:
    """A client of the double without an account."""
    with client(orkg) as made:
        yield made


@pytest.fixture
def writer(orkg: Steering) -> Iterator[Orkg]:
    """A client of the double with our account."""
    with client(orkg, signed=True) as made:
        yield made
