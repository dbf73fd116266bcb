"""Who asks: a key's owner or an address, and what each may use. A key is never logged and never part of an answer."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request

from app.access import Key, Scope
from app.errors import Forbidden, Unauthorized
from app.services import Services
from app.store.readers import Limits, Share
from app.web.caching import services_of
from app.web.logs import seen

_SCHEME = "bearer"
_HOST_BITS = 64
"""Bits of an IPv6 address that its network hands out as it likes."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client: `name` tells clients apart in accounts, `limits` are for one query, `share` for a minute."""

    name: str
    limits: Limits
    share: Share
    key: Key | None = None

    def needs(self, *scopes: Scope) -> Key:
        """The client's key, if it allows one of these; Unauthorized without a key, Forbidden without the scope."""
        if self.key is None:
            raise Unauthorized(f"this needs a key with the scope {scopes[0].value!r}")
        if not any(self.key.allows(scope) for scope in scopes):
            raise Forbidden(scopes[0].value)
        return self.key


async def client_of(request: Request, services: Annotated[Services, Depends(services_of)]) -> Client:
    """The client of a request; Unauthorized when it brings a key that is not known."""
    header = request.headers.get("authorization")
    settings = services.settings
    if header is None:
        return Client(
            f"address {account_of(request.client.host if request.client else 'unknown')}",
            Limits(settings.query_seconds, settings.max_result_bytes, settings.max_result_rows),
            Share(settings.queries_at_once, settings.seconds_per_minute),
        )
    scheme, _, token = header.partition(" ")
    key = services.keys.find(token.strip()) if scheme.lower() == _SCHEME else None
    if key is None:
        raise Unauthorized("the key is not known, or was revoked")
    seen(request.scope).actor = f"key {key.id}"
    return Client(
        f"key {key.id}",
        Limits(settings.key_query_seconds, settings.max_result_bytes * 10, settings.max_result_rows * 10),
        Share(settings.key_queries_at_once, settings.key_seconds_per_minute),
        key,
    )


def client_headers(services: Services, client: Client) -> dict[str, str]:
    """What the client may still use, where that is counted."""
    if services.public is None or not services.public.running:
        return {}
    left, reset = services.public.budget(client.name, client.share)
    return {
        "RateLimit-Policy": f'"seconds";q={client.share.seconds_per_minute:g};w=60',
        "RateLimit": f'"seconds";r={int(left)};t={reset}',
    }


@lru_cache(maxsize=4096)
def account_of(address: str) -> str:
    """The address as accounts know it: of IPv6 the network, as one client has a whole network to choose from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(parsed) >> _HOST_BITS << _HOST_BITS, 128 - _HOST_BITS)))


Asking = Annotated[Client, Depends(client_of)]
