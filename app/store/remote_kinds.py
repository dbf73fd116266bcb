"""Completes the address of an engine: what its kind needs, and what its maker calls the other addresses.

An engine says at its query address who it is (`Server`). Virtuoso needs other addresses for writing, keeps 15 decimal
places, cannot read long statements, and gets some constraint queries wrong. Everything that was said stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import httpx

from app.errors import EngineUnavailable
from app.store.remote_http import Address

_PROBE_SECONDS = 10.0
_QUERY = "/query"
_SPARQL = "/sparql"
_VIRTUOSO_PLACES = 15
_SHORT_STATEMENT = 200
_STATEMENT = 2_000


class Kind(StrEnum):
    """Which engine it is: `auto` asks it."""

    AUTO = "auto"
    STANDARD = "standard"
    OXIGRAPH = "oxigraph"
    VIRTUOSO = "virtuoso"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was said about an engine; None is for the engine's kind to say. See `remote_http.Address`."""

    query: str
    update: str | None = None
    graphs: str | None = None
    kind: Kind = Kind.AUTO
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    scheme: Literal["basic", "digest"] | None = None
    seconds: float = 60.0
    write_seconds: float = 900.0
    max_bytes: int = 1_000_000_000
    decimal_places: int | None = None
    checks_here: bool | None = None

    def complete(self) -> Address:
        """The whole address; asks the engine who it is where that was not said. EngineUnavailable."""
        kind = _asked(self.query) if self.kind is Kind.AUTO else self.kind
        virtuoso = kind is Kind.VIRTUOSO
        checks_here, places = self.checks_here, self.decimal_places
        return Address(
            query=self.query,
            update=self.update or _update(self.query, kind),
            graphs=self.graphs or _graphs(self.query, kind),
            user=self.user,
            password=self.password,
            scheme=self.scheme or ("digest" if virtuoso else "basic"),
            seconds=self.seconds,
            write_seconds=self.write_seconds,
            max_bytes=self.max_bytes,
            decimal_places=_VIRTUOSO_PLACES if places is None and virtuoso else places,
            checks_here=virtuoso if checks_here is None else checks_here,
            statement=_SHORT_STATEMENT if virtuoso else _STATEMENT,
            tells_seconds=virtuoso,
            kind=kind.value,
        )


def _asked(query: str) -> Kind:
    """Who answers at an address: the name that the server gives itself."""
    try:
        response = httpx.get(
            query,
            params={"query": "ASK{}"},
            headers={"Accept": "application/sparql-results+json"},
            timeout=httpx.Timeout(_PROBE_SECONDS, connect=5.0),
        )
    except httpx.HTTPError as error:
        raise EngineUnavailable(
            f"the engine cannot be reached or broke off: {error or type(error).__name__}",
            advice="Check that the engine runs and that SLMKG_STORE_URL is right.",
        ) from error
    name = response.headers.get("Server", "").casefold()
    return next((kind for kind in (Kind.VIRTUOSO, Kind.OXIGRAPH) if name.startswith(kind.value)), Kind.STANDARD)


def _update(query: str, kind: Kind) -> str:
    """Where updates go: `…/query` and `…/update` are a custom of several makers; else one address serves both."""
    if kind is Kind.VIRTUOSO and query.endswith(_SPARQL):
        return f"{query}-auth"
    return f"{query.removesuffix(_QUERY)}/update" if query.endswith(_QUERY) else query


def _graphs(query: str, kind: Kind) -> str | None:
    """Where whole graphs go, for the kinds whose address is known; elsewhere writes go as INSERT DATA."""
    if kind is Kind.VIRTUOSO and query.endswith(_SPARQL):
        return f"{query}-graph-crud-auth"
    if kind is Kind.OXIGRAPH and query.endswith(_QUERY):
        return f"{query.removesuffix(_QUERY)}/store"
    return None
