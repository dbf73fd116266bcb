"""A synchronous client of the application, without a network, and a browser."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from app.services import Services
from app.settings import Settings
from app.store.memory import MemoryStore
from app.web.application import create_app
from app.wiring import build


@dataclass(frozen=True)
class Client:
    """Sends one request to the application and waits for the answer. Exceptions that escape it fail the test."""

    app: FastAPI

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://slmkg.test") as client:
                return await client.request(method, url, **options)

        return asyncio.run(send())

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def json(self, url: str, **options: Any) -> Any:
        response = self.get(url, **options)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="session")
def client(seed_services: Services) -> Client:
    return Client(create_app(seed_services))


@pytest.fixture
def empty_client(tmp_path: Path) -> Client:
    """The application before anything was loaded."""
    return Client(create_app(build(Settings(data_dir=tmp_path), MemoryStore())))


def problem_of(response: httpx.Response) -> Any:
    """The problem details of an error response."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"https://w3id.org/slmkg/problems/{problem['code']}"
    return problem


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once for the tests of a file."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("this test needs Chromium (apt-get install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=flags)
        yield launched
        launched.close()
