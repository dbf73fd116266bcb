"""The store on real external engines: Oxigraph's own server and Virtuoso 7."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.store.port import GraphStore
from app.store.remote import RemoteStore
from app.store.remote_http import Address
from tests.store.contract import GraphStoreContract
from tests.store.servers import oxigraph, virtuoso

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def oxigraph_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as address:
        yield address


@pytest.fixture(scope="module")
def virtuoso_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with virtuoso(tmp_path_factory.mktemp("virtuoso")) as address:
        yield address


@pytest.fixture
def name() -> str:
    """A store of its own for each test, on the server that all of them share."""
    return f"test-{next(_numbers)}"


class TestOnOxigraph(GraphStoreContract):
    @pytest.fixture
    def store(self, oxigraph_server: Address, name: str) -> Iterator[GraphStore]:
        store = RemoteStore(oxigraph_server, name)
        yield store
        store.close()

    @pytest.fixture
    def reopened(self, oxigraph_server: Address, name: str) -> Callable[[GraphStore], GraphStore]:
        def again(_: GraphStore) -> GraphStore:
            return RemoteStore(oxigraph_server, name)

        return again


class TestOnVirtuoso(GraphStoreContract):
    @pytest.fixture
    def store(self, virtuoso_server: Address, name: str) -> Iterator[GraphStore]:
        store = RemoteStore(virtuoso_server, name)
        yield store
        store.close()

    @pytest.fixture
    def reopened(self, virtuoso_server: Address, name: str) -> Callable[[GraphStore], GraphStore]:
        def again(_: GraphStore) -> GraphStore:
            return RemoteStore(virtuoso_server, name)

        return again
