"""Webhooks over HTTP: who may, what is shown, what is refused; and a real service that delivers and is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access import Scope
from app.curate.commit import begin
from app.model.quads import LOADER
from app.services import Services
from app.settings import Settings
from app.store.memory import MemoryStore
from app.web.application import create_app
from app.webhooks.hooks import Hooks
from app.wiring import build
from tests import edits
from tests.cli.workers import two_workers, until
from tests.ports import free_port
from tests.store.quads import change, quad
from tests.web.conftest import Client, problem_of
from tests.webhooks.receiver import Receiver, receiving

URL = "https://example.org/hooks/slmkg"
HOOKS = "/api/v1/webhooks"


class Office:
    """A service in memory, with keys of every scope."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.services: Services = build(Settings(data_dir=folder, scratch=True, **settings), MemoryStore())
        begin(self.services.store, author=LOADER, now=edits.NOON)
        self.client = Client(create_app(self.services))
        self.keys = {scope: self.services.keys.create("x", (scope,), edits.NOON)[1] for scope in Scope}

    def ask(self, method: str, path: str, body: Any = None, *, scope: Scope | None = Scope.ADMIN) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if scope is not None:
            headers["Authorization"] = f"Bearer {self.keys[scope]}"
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        return self.client.request(method, path, headers=headers, content=content)

    def add(self, url: str = URL, **more: Any) -> Any:
        answer = self.ask("POST", HOOKS, {"url": url, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_a_hook_is_made_and_its_secret_shown_once(office: Office) -> None:
    answer = office.ask("POST", HOOKS, {"url": URL})
    made = answer.json()
    assert answer.headers["location"] == f"{HOOKS}/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "url": URL,
        "created": made["created"],
        "cursor": 1,
        "trying": None,
        "tries": 0,
        "error": None,
        "again": [],
        "dead": 0,
    }
    listed, shown = office.ask("GET", HOOKS), office.ask("GET", answer.headers["location"])
    assert listed.json() == {"items": [made]}
    assert shown.json() == made
    assert secret not in listed.text + shown.text
    assert office.ask("DELETE", answer.headers["location"]).status_code == 204
    assert problem_of(office.ask("GET", answer.headers["location"]))["status"] == 404
    assert office.ask("GET", HOOKS).json() == {"items": []}


def test_where_it_begins(office: Office) -> None:
    assert office.add(after=0)["cursor"] == 0
    assert office.add(after=99)["cursor"] == 1
    secret = "whsec_" + "QUJDRA" * 6
    assert office.add(secret=secret)["secret"] == secret


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", HOOKS),
        ("POST", HOOKS),
        ("GET", f"{HOOKS}/00000000"),
        ("DELETE", f"{HOOKS}/00000000"),
        ("POST", f"{HOOKS}/00000000/test"),
        ("GET", f"{HOOKS}/00000000/dead"),
        ("POST", f"{HOOKS}/00000000/retry"),
    ],
)
def test_only_administrators(office: Office, method: str, path: str) -> None:
    assert problem_of(office.ask(method, path, {"url": URL} if method == "POST" else None, scope=None))["status"] == 401
    for scope in Scope:
        if scope is not Scope.ADMIN:
            assert problem_of(office.ask(method, path, scope=scope))["status"] == 403
    assert office.services.hooks.ids() == ()


@pytest.mark.parametrize(
    ("body", "pointer", "parameter"),
    [
        (b"", "", None),
        (b"{", "", None),
        ([], "", None),
        ({}, "/url", None),
        ({"url": 7}, "/url", None),
        ({"url": URL, "after": -1}, "/after", None),
        ({"url": URL, "after": "1"}, "/after", None),
        ({"url": URL, "colour": 1}, "/colour", None),
        ({"url": "ftp://example.org"}, None, "url"),
        ({"url": "https://user:pass@example.org/"}, None, "url"),
        ({"url": "http://127.0.0.1/"}, None, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, None, "url"),
        ({"url": URL, "secret": "swordfish"}, None, "secret"),
    ],
)
def test_bad_hooks_are_refused(office: Office, body: Any, pointer: str | None, parameter: str | None) -> None:
    problem = problem_of(office.ask("POST", HOOKS, body))
    assert (problem["status"], problem.get("pointer"), problem.get("parameter")) == (400, pointer, parameter)
    assert problem["advice"]
    assert "swordfish" not in json.dumps(problem)
    assert office.services.hooks.ids() == ()


@pytest.mark.parametrize("identity", ["00000000", "x", "..%2Fkeys"])
def test_hooks_that_are_not_there(office: Office, identity: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/dead"), ("POST", "/retry")):
        answer = office.ask(method, f"{HOOKS}/{identity}{path}", {} if path == "/retry" else None)
        assert problem_of(answer)["status"] in {400, 404}


def test_a_test_delivery_tells_how_it_went(tmp_path: Path, receiver: Receiver) -> None:
    office = Office(tmp_path, webhook_private=True)
    made = office.add(receiver.url)
    path = f"{HOOKS}/{made['id']}/test"
    assert office.ask("POST", path).json() == {"delivered": True, "error": None}
    (one,) = receiver.got
    assert one.is_signed_with(made["secret"])
    assert json.loads(one.body)["type"] == "test"
    receiver.answer = lambda _: 500
    assert office.ask("POST", path).json() == {"delivered": False, "error": "status 500"}


def test_dead_letters_are_listed_and_retried(office: Office) -> None:
    made = office.add(after=0)
    path = f"{HOOKS}/{made['id']}"
    office.services.hooks.change(
        made["id"], lambda state: state.failed(1, "status 500", next_at=0, at=edits.NOON, tries=1)
    )
    assert office.ask("GET", f"{path}/dead").json() == {
        "items": [{"revision": 1, "tries": 1, "error": "status 500", "at": "2026-11-22T12:00:00+00:00"}]
    }
    assert problem_of(office.ask("POST", f"{path}/retry", {"revision": 2}))["parameter"] == "revision"
    assert office.ask("POST", f"{path}/retry", {}).json() == {"retried": 1}
    assert office.ask("GET", path).json()["again"] == [1]


# --- a real service ------------------------------------------------------------------------------------------------


SERVICE = {
    "SLMKG_SCRATCH": "true",
    "SLMKG_WEBHOOK_PRIVATE": "true",
    "SLMKG_WEBHOOK_FIRST_PAUSE": "0.05",
    "SLMKG_READERS": "1",
}


class Running:
    """A service of its own process, started again as often as a test wants."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        more = {"SLMKG_DATA_DIR": str(self.data), **SERVICE}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.asgi:app", "--port", str(self.port), "--log-level", "warning"],
            env={**os.environ, **more},
        )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_a_killed_service_loses_no_delivery(tmp_path: Path, receiver: Receiver) -> None:
    services = build(Settings(data_dir=tmp_path, scratch=True, webhook_private=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    hook = services.hooks.add(receiver.url, cursor=1, now=edits.NOON)
    last = 41
    for number in range(1, last):
        services.store.apply(change([quad("s", number)]), expect=number)
    running = Running(tmp_path)
    for got in (4, 21):
        running.start()
        until(lambda got=got: len(receiver.got) >= got)  # type: ignore[misc]
        running.kill()
    running.start()
    try:
        until(lambda: services.hooks.state(hook.id).cursor == last)
    finally:
        running.kill()
    revisions = receiver.revisions()
    assert sorted(set(revisions)) == list(range(2, last + 1))
    assert revisions == sorted(revisions), "in order"
    assert len(revisions) <= last - 1 + 2, "one more for each kill at the most"
    assert len({one.id for one in receiver.got}) == last - 1
    assert all(one.is_signed_with(hook.secret) for one in receiver.got)
    told = json.loads(receiver.got[-1].body)
    assert (told["type"], told["data"]["revision"], told["data"]["added"]) == ("revision.committed", last, 1)


def test_a_running_service_notices_hooks_and_commits_of_other_processes(tmp_path: Path, receiver: Receiver) -> None:
    services = build(Settings(data_dir=tmp_path, scratch=True, webhook_private=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    running = Running(tmp_path)
    running.start()
    try:
        until(lambda: _ready(running.port))
        services.hooks.add(receiver.url, cursor=1, now=edits.NOON)
        services.store.apply(change([quad("s", 1)]), expect=1)
        until(lambda: receiver.revisions() == [2])
    finally:
        running.kill()


def test_of_several_services_on_one_folder_one_delivers_and_another_takes_over(
    tmp_path: Path, receiver: Receiver
) -> None:
    services = build(Settings(data_dir=tmp_path, scratch=True, webhook_private=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    hook = services.hooks.add(receiver.url, cursor=1, now=edits.NOON)
    lock = tmp_path / "webhooks" / "LOCK"
    running = [Running(tmp_path), Running(tmp_path)]
    for one in running:
        one.start()
    try:
        until(lambda: all(_ready(one.port) for one in running) and bool(_holders(lock)))
        for number in range(1, 11):
            services.store.apply(change([quad("s", number)]), expect=number)
        until(lambda: services.hooks.state(hook.id).cursor == 11)
        assert receiver.revisions() == list(range(2, 12)), "each once, and in order"
        (holder,) = _holders(lock)
        first, second = sorted(running, key=lambda one: one.pid != holder)
        assert (first.pid, second.pid != holder) == (holder, True)
        first.kill()
        services.store.apply(change([quad("s", 11)]), expect=11)
        until(lambda: services.hooks.state(hook.id).cursor == 12)
        assert _holders(lock) == [second.pid]
        first.start()
        until(lambda: _ready(first.port))
        services.store.apply(change([quad("s", 12)]), expect=12)
        until(lambda: services.hooks.state(hook.id).cursor == 13)
        assert _holders(lock) == [second.pid], "it is not taken from who holds it"
        assert receiver.revisions() == list(range(2, 14))
    finally:
        for one in running:
            one.kill()


def test_of_several_workers_of_one_service_one_delivers_and_another_takes_over(
    tmp_path: Path, receiver: Receiver
) -> None:
    hooks = Hooks(tmp_path / "webhooks", private=True)
    hook = hooks.add(receiver.url, cursor=1, now=edits.NOON)
    with two_workers(tmp_path, **SERVICE) as service:
        until(lambda: bool(_holders(tmp_path / "webhooks" / "LOCK")))
        for number in range(1, 6):
            assert service.insert(number) == number + 1
        until(lambda: hooks.state(hook.id).cursor == 6)
        assert receiver.revisions() == [2, 3, 4, 5, 6]
        (holder,) = _holders(tmp_path / "webhooks" / "LOCK")
        assert holder in service.workers()
        os.kill(holder, signal.SIGKILL)
        until(lambda: len(set(service.workers()) - {holder}) == 2)
        until(lambda: _ready(int(service.base.rsplit(":", 1)[1].strip("/"))))
        assert service.insert(6) == 7
        until(lambda: hooks.state(hook.id).cursor == 7)
        assert receiver.revisions() == [2, 3, 4, 5, 6, 7]
        (heir,) = _holders(tmp_path / "webhooks" / "LOCK")
        assert heir in service.workers()


def _holders(path: Path) -> list[int]:
    """The processes that hold a lock on a file, as the system lists them."""
    inode = str(path.stat().st_ino) if path.exists() else ""
    lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return [int(one[4]) for one in lines if one[1] == "FLOCK" and one[5].split(":")[2] == inode]


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False
