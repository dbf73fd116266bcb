"""Where a webhook may go: the form of its URL, and the addresses behind its name. Never opens a connection.

A URL is what a stranger chose, and the service stands in a net that the stranger does not see. So the name is resolved
here, every address behind it must be a public one, and the connection goes to an address that was checked: a name that
means another address the next moment gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.errors import BadParameter

_LONGEST = 2_000
_DEFAULT = {"http": 80, "https": 443}
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(Exception):
    """A name leads to an address that webhooks must not go to, or to none at all."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place to connect to: the URL by address, and the name for the Host header and for TLS."""

    url: str
    host: str
    name: str


def checked_url(text: str, *, private: bool) -> str:
    """The URL of a hook; BadParameter when it is none, or names a forbidden address outright."""
    advice = "Give https://host/path, without user, password and fragment."
    if len(text) > _LONGEST or not text.isascii() or any(not one.isprintable() or one in ' <>"{}|^`\\' for one in text):
        raise BadParameter("url", "is too long, or has characters that no URL has", advice=advice)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadParameter("url", f"is no URL: {error}", advice=advice) from error
    if parts.scheme not in _DEFAULT or not parts.hostname or port == 0:
        raise BadParameter("url", "is no http or https URL with a host", advice=advice)
    if "@" in parts.netloc or "#" in text:
        raise BadParameter("url", "has a user, a password or a fragment", advice=advice)
    literal = _literal(parts.hostname)
    if not private and literal is not None and not is_public(literal):
        raise BadParameter(
            "url",
            f"{literal} is no public address",
            advice="SLMKG_WEBHOOK_PRIVATE=true allows addresses of a closed net.",
        )
    return text


async def target_of(url: str, *, private: bool) -> Target:
    """A place to connect to for a URL; ForbiddenAddress unless every address behind the name may be used."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _DEFAULT[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ForbiddenAddress(f"{host} has no address") from error
    addresses = [ipaddress.ip_address(one[4][0].partition("%")[0]) for one in found if isinstance(one[4][0], str)]
    if not addresses:
        raise ForbiddenAddress(f"{host} has no address")
    if not private:
        for address in addresses:
            if not is_public(address):
                raise ForbiddenAddress(f"{host} leads to {address}, which is no public address")
    first = addresses[0]
    shown = f"[{first}]" if first.version == 6 else str(first)
    rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(f"{parts.scheme}://{shown}:{port}{rest}", parts.netloc, host)


def is_public(address: IP) -> bool:
    """Whether an address is one of the open internet; those that carry an IPv4 address count as that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None or address.is_site_local:
            return False
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    )


def _literal(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
