from __future__ import annotations

import pytest

from app.services import Services
from tests.ingest.bulk.tables import Desk


@pytest.fixture(scope="session")
def desk(seed_services: Services) -> Desk:
    return Desk(seed_services)
