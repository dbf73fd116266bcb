"""A throw-away service with a key, and the few requests that tests of writing send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.access import KeyRing, Scope
from app.curate.commit import begin
from app.model.quads import LOADER
from app.settings import Settings
from app.wiring import build
from tests.web.serving import serving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TURTLE = "text/turtle"


@dataclass(frozen=True)
class Service:
    """A running service. Requests bear the key with the scope `update` unless they bring another header."""

    base: str
    data: Path
    token: str

    def send(self, method: str, path: str, *, key: str | None = "", **options: Any) -> httpx.Response:
        """Send a request; `key=None` leaves the key out."""
        headers = {k.lower(): v for k, v in options.pop("headers", {}).items()}
        if key is not None:
            headers.setdefault("authorization", f"Bearer {key or self.token}")
        url = path if path.startswith("http") else self.base + path
        # without certificates, which take longer to read than most answers
        return httpx.request(method, url, headers=headers, timeout=300, verify=False, **options)

    def update(self, text: str | bytes, *, query: str = "", **options: Any) -> httpx.Response:
        """Send an update as the whole body."""
        headers = {"Content-Type": "application/sparql-update", **options.pop("headers", {})}
        return self.send("POST", f"/update{query}", content=text, headers=headers, **options)

    def write(self, method: str, name: str, body: str | bytes, kind: str = TURTLE, **options: Any) -> httpx.Response:
        """Send a graph; a name that begins with a slash is an address."""
        headers = {"Content-Type": kind, **options.pop("headers", {})}
        return self.send(method, at(name), content=body, headers=headers, **options)

    def triples(self, name: str) -> set[str]:
        """The triples of a graph as lines of N-Triples."""
        answer = self.send("GET", at(name), headers={"Accept": "application/n-triples"}, key=None)
        assert answer.status_code in {200, 404}, answer.text
        return set(answer.text.splitlines()) if answer.status_code == 200 else set()

    def revision(self) -> int:
        """The newest revision, as the service tells."""
        number: int = self.send("GET", "/readyz").json()["revision"]
        return number


def at(name: str) -> str:
    """Where a graph is read and written."""
    return name if name.startswith(("/", "http://127")) else f"/graphs?graph={quote(name, safe='')}"


def begun(folder: Path) -> None:
    """Make a folder for a throw-away service, with a first revision that holds nothing."""
    services = build(Settings(data_dir=folder, scratch=True))
    begin(services.store, author=LOADER, now=NOW)
    services.store.close()


@contextmanager
def scratch(folder: Path) -> Iterator[Service]:
    """A throw-away service in a folder."""
    begun(folder)
    with keyed(folder, scratch="true") as service:
        yield service


@contextmanager
def keyed(folder: Path, **settings: str) -> Iterator[Service]:
    """A service on a folder that holds a store, with a key of scope `update`."""
    _, token = KeyRing(folder / "keys.json").create("a test", (Scope.UPDATE,), NOW)
    with serving(folder, log=None, **settings) as base:
        yield Service(base, folder, token)
