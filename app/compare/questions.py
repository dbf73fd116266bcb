"""The example questions that come with the service: SPARQL files with a header. Only lists them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from app.store.rq import QueryFile, read_queries


@cache
def questions() -> tuple[QueryFile, ...]:
    """All example questions, by name."""
    return tuple(read_queries(Path(__file__).parent / "questions").values())
