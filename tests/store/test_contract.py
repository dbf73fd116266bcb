"""Both adapters keep the contract; what only the one on disk can show comes after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.store.embedded import EmbeddedStore
from app.store.memory import MemoryStore
from app.store.port import GraphStore
from tests.store.contract import GraphStoreContract


class TestMemoryStore(GraphStoreContract):
    @pytest.fixture
    def store(self) -> GraphStore:
        return MemoryStore()


class TestEmbeddedStore(GraphStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> GraphStore:
        return EmbeddedStore(tmp_path / "store")

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[GraphStore], GraphStore]:
        def again(store: GraphStore) -> GraphStore:
            store.close()
            return EmbeddedStore(tmp_path / "store")

        return again
