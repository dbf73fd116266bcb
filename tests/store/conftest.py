"""Lets pytest explain failed asserts of the contract, which is no test file by name; fixtures of real engines."""

from __future__ import annotations

import pytest

from tests.store.servers import oxigraph_server, virtuoso_server

__all__ = ["oxigraph_server", "virtuoso_server"]

pytest.register_assert_rewrite("tests.store.contract")
