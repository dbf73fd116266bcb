"""Every operation of the OpenAPI document keeps its word, whatever it is asked: schemathesis makes the requests.

What is written goes, with a key of all scopes, into a small graph that is thrown away.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from app.access import KeyRing, Scope
from app.settings import Settings
from app.store.documents import FORMATS
from app.store.memory import MemoryStore
from app.web.application import create_app
from app.web.problems import MEDIA_TYPE, Problem
from app.wiring import build
from tests.release.small import services_in
from tests.web.scratch import NOW
from tests.web.serving import serving

TEXTS = ("application/sparql-query", "application/sparql-update", *(one for one in FORMATS if one[-4:] != "json"))
PATIENCE = 120
"""Seconds, so that a busy machine fails no test."""
LONGEST_ADDRESS = 60_000
"""Bytes. The server itself refuses what is longer than 64 KiB, before the application hears of it."""
roomy = partial(
    serving, query_seconds="60", seconds_per_minute="100000", key_seconds_per_minute="100000", jobs_worker="false"
)
"""A service that answers as much as it is asked."""


@dataclass(frozen=True)
class Small:
    """A service on a small graph that anything may be written into."""

    base: str
    token: str


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("small") / "var"
    services_in(folder)
    _, token = KeyRing(folder / "keys.json").create("Ada", tuple(Scope), NOW)
    with roomy(folder) as base:
        yield Small(base, token)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory, seed_folder: Path) -> Iterator[str]:
    """The address of a service on the seed, which is only read."""
    with roomy(Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("seed") / "var"))) as base:
        yield base


@schemathesis.serializer(*TEXTS)
def as_text(_: Any, value: Any) -> bytes:
    """The body of a media type that is plain text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="surrogatepass")


def document(*, thorough: bool) -> BaseSchema:
    """The application's own document, to be tested at every border of every parameter or only here and there."""
    config = SchemathesisConfig.from_dict(
        {
            "checks": {
                # 503 has a check of its own, below
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 503]},
                "missing_required_header": {"expected-statuses": [428]},
                "negative_data_rejection": {"expected-statuses": ["4xx", 503]},
                # a value of the right form may still name nothing
                "positive_data_acceptance": {"enabled": False},
            },
            "phases": {"coverage": {"enabled": thorough}},
        }
    )
    app = create_app(build(Settings(data_dir=Path("nowhere")), MemoryStore()))
    found = schemathesis.openapi.from_dict(app.openapi(), config=config)

    @found.hook
    def filter_case(_: Any, case: Any) -> bool:
        """Leave out what cannot be sent: a body of text that is no text, an address without end."""
        sendable = case.media_type not in TEXTS or isinstance(case.body, str)
        return sendable and len(urlencode(case.query or {}, doseq=True)) < LONGEST_ADDRESS

    return found


def one_shape(_: Any, response: Any, case: Any) -> None:
    """Errors are problem details of one shape with a documented code; of the 500s only that it can be tried later."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [MEDIA_TYPE]
    problem = Problem.model_validate_json(response.content, strict=True)
    assert problem.status == response.status_code
    if problem.status == 405:
        assert "allow" in response.headers
        return
    documented = case.operation.definition.raw["responses"][str(problem.status)]["content"][MEDIA_TYPE]["examples"]
    assert problem.code in documented, problem
    assert problem.status < 500 or (problem.status, "retry-after" in response.headers) == (503, True), problem


@document(thorough=False).parametrize()
@settings(max_examples=2, derandomize=True)
def test_every_operation_keeps_its_word(case: Any, small: Small) -> None:
    case.call_and_validate(small.base, headers=_key(small), additional_checks=[one_shape], timeout=PATIENCE)


@pytest.mark.heavy
@document(thorough=True).parametrize()
@settings(max_examples=3, derandomize=True)
def test_every_operation_keeps_its_word_at_every_border(case: Any, small: Small, seed: str) -> None:
    reads = case.operation.method == "get" and "security" not in case.operation.definition.raw
    case.call_and_validate(
        seed if reads else small.base,
        headers={} if reads else _key(small),
        additional_checks=[one_shape],
        timeout=PATIENCE,
    )


def _key(small: Small) -> dict[str, str]:
    return {"Authorization": f"Bearer {small.token}"}
