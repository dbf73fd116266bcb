"""Where webhooks may go: URLs, and the addresses behind names."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from app.errors import BadParameter
from app.webhooks.address import ForbiddenAddress, checked_url, is_public, target_of

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "::7f00:1",
    "64:ff9b:1::7f00:1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_closed_nets_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook",
        "http://example.org",
        "https://example.org:8443/a?b=c&d=%20",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:444/x",
    ],
)
def test_good_urls(url: str) -> None:
    assert checked_url(url, private=False) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https://example.org/#",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:port/",
        "https://exa mple.org/",
        "https://example.org/a\r\nHost: other",
        "https://example.org/\x00",
        "https://bücher.example/",
        "https://[::1/",
        f"https://example.org/{'a' * 2000}",
        "https://127.0.0.1/",
        "http://[::1]:8000/",
        "https://[::ffff:169.254.169.254]/latest",
        "javascript:alert(1)",
    ],
)
def test_bad_urls_are_refused(url: str) -> None:
    with pytest.raises(BadParameter) as found:
        checked_url(url, private=False)
    assert found.value.name == "url"
    assert found.value.advice


def test_a_setting_allows_closed_nets() -> None:
    assert checked_url("http://127.0.0.1:9/x", private=True)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name lead to these addresses."""

    def found(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "8.8.8.8", "2606:4700:4700::1111")
    target = asyncio.run(target_of("https://hooks.example:8443/a/b?c=d", private=False))
    assert (target.url, target.host, target.name) == (
        "https://8.8.8.8:8443/a/b?c=d",
        "hooks.example:8443",
        "hooks.example",
    )
    resolving(monkeypatch, "2606:4700:4700::1111")
    assert asyncio.run(target_of("http://hooks.example", private=False)).url == "http://[2606:4700:4700::1111]:80/"


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1", "8.8.8.8"), ("fe80::1%eth0",), ()]
)
def test_one_forbidden_address_forbids_the_name(monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]) -> None:
    resolving(monkeypatch, *addresses)
    with pytest.raises(ForbiddenAddress):
        asyncio.run(target_of("https://hooks.example/", private=False))


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://localhost/"])
def test_other_spellings_of_the_loopback_are_forbidden(url: str) -> None:
    with pytest.raises((ForbiddenAddress, BadParameter)):
        asyncio.run(target_of(checked_url(url, private=False), private=False))
