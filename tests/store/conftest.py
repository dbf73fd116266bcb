"""Lets pytest explain failed asserts of the contract, which is no test file by name."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.store.contract")
