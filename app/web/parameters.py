"""Reads request parameters strictly: an unknown name or one given twice is an error, never silently dropped."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.params import Depends, Query

from app.compare.properties import advice
from app.errors import BadParameter

MAX_FIELDS = 200


async def strict(request: Request) -> None:
    """Refuse parameters that the address does not know; a dependency of every JSON answer."""
    known = _known(request.scope["endpoint"])
    seen: set[str] = set()
    for name, _ in pairs(request.scope["query_string"]):
        if name not in known:
            raise BadParameter(name, "there is no such parameter here", advice=advice(name, known))
        if name in seen:
            raise BadParameter(name, "is given twice", advice="Give it once; lists have commas between their members.")
        seen.add(name)


def pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string or form; BadParameter when it is not percent-encoded UTF-8."""
    try:
        return parse_qsl(encoded.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise BadParameter("parameters", "they are not UTF-8", advice="Encode them as UTF-8.") from error
    except ValueError as error:
        raise BadParameter("parameters", "they cannot be read", advice=f"Give at most {MAX_FIELDS}.") from error


def members(value: str | None) -> list[str]:
    """The members of a list with commas between them; blanks around a member do not count."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


@cache
def _known(endpoint: Callable[..., Any]) -> frozenset[str]:
    """Names of the query parameters of an endpoint and of what it depends on."""
    hints = get_type_hints(endpoint, include_extras=True)
    found: set[str] = set()
    for name in inspect.signature(endpoint).parameters:
        for part in getattr(hints.get(name), "__metadata__", ()):
            if isinstance(part, Query):
                found.add(part.alias or name)
            elif isinstance(part, Depends) and part.dependency is not None:
                found |= _known(part.dependency)
    return frozenset(found)
