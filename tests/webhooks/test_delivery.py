"""Deliveries to a real receiver on the loopback: order, failures, slowness, redirects, restarts."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.webhooks.delivery import Deliverer, Policy, send_test
from app.webhooks.hooks import Hook, Hooks
from tests.webhooks.receiver import Delivery, Receiver, receiving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUICK = Policy(seconds=5, tries=3, first_pause=0.01, poll=0.01)
PATIENCE = 30.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path / "webhooks", private=True)


def body(revision: int) -> bytes:
    return json.dumps({"data": {"revision": revision}, "text": "Größe ❤"}, ensure_ascii=False).encode()


class World:
    """A head that a test moves, and a deliverer that runs until a condition holds."""

    def __init__(self, hooks: Hooks, policy: Policy = QUICK) -> None:
        self.hooks, self.policy, self.head = hooks, policy, 0

    def run(self, until: Callable[[], bool], during: Callable[[], None] = lambda: None) -> None:
        async def work() -> None:
            task = asyncio.create_task(Deliverer(self.hooks, lambda: self.head, body, self.policy).run())
            try:
                deadline = time.monotonic() + PATIENCE
                during()
                while not until():
                    assert not task.done(), task.exception()
                    assert time.monotonic() < deadline, "it did not happen"
                    await asyncio.sleep(0.01)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        asyncio.run(work())


def add(hooks: Hooks, receiver: Receiver, cursor: int = 0, path: str = "") -> Hook:
    return hooks.add(receiver.url + path, cursor=cursor, now=NOW)


def test_each_revision_is_delivered_once_in_order_and_signed(hooks: Hooks, receiver: Receiver) -> None:
    hook = add(hooks, receiver, cursor=2)
    world = World(hooks)
    world.head = 9
    world.run(lambda: hooks.state(hook.id).cursor == 9)
    assert receiver.revisions() == [3, 4, 5, 6, 7, 8, 9]
    first = receiver.got[0]
    assert first.id == f"msg_{hook.id}_3"
    assert first.body == body(3)
    assert first.headers["content-type"] == "application/json"
    assert first.headers["host"] in receiver.url
    assert all(one.is_signed_with(hook.secret) for one in receiver.got)
    other = add(hooks, receiver)
    assert not any(one.is_signed_with(other.secret) for one in receiver.got)


def test_a_spoilt_body_does_not_pass_the_check(hooks: Hooks, receiver: Receiver) -> None:
    hook = add(hooks, receiver)
    world = World(hooks)
    world.head = 1
    world.run(lambda: len(receiver.got) == 1)
    (one,) = receiver.got
    assert not Delivery(one.path, one.headers, one.body + b" ").is_signed_with(hook.secret)
    for name in ("webhook-id", "webhook-timestamp"):
        assert not Delivery(one.path, {**one.headers, name: "7"}, one.body).is_signed_with(hook.secret)


def test_nothing_is_delivered_before_there_is_something(hooks: Hooks, receiver: Receiver) -> None:
    hook = add(hooks, receiver)
    world = World(hooks)

    def commit() -> None:
        world.head = 1

    world.run(lambda: hooks.state(hook.id).cursor == 1, during=commit)
    assert receiver.revisions() == [1]


def test_hooks_may_come_and_go_while_it_runs(hooks: Hooks, receiver: Receiver) -> None:
    world = World(hooks)
    world.head = 2
    made: list[Hook] = []
    world.run(
        lambda: bool(made) and hooks.state(made[0].id).cursor == 2, during=lambda: made.append(add(hooks, receiver))
    )
    hooks.remove(made[0].id)
    world.head = 3
    later = add(hooks, receiver, cursor=3)
    world.head = 4
    world.run(lambda: hooks.state(later.id).cursor == 4)
    assert receiver.revisions() == [1, 2, 4]


def test_failures_are_tried_again_with_the_same_id_and_order_is_kept(hooks: Hooks, receiver: Receiver) -> None:
    answers = iter([500, 404, 204, 204])
    receiver.answer = lambda _: next(answers)
    hook = add(hooks, receiver)
    world = World(hooks)
    world.head = 2
    world.run(lambda: hooks.state(hook.id).cursor == 2)
    assert receiver.revisions() == [1, 1, 1, 2]
    assert len({one.id for one in receiver.got}) == 2
    assert hooks.state(hook.id).error is None


def test_what_always_fails_is_given_up_and_may_be_retried(hooks: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda one: 503 if one.revision == 1 else 204
    hook = add(hooks, receiver)
    world = World(hooks)
    world.head = 2
    world.run(lambda: hooks.state(hook.id).cursor == 2)
    assert receiver.revisions() == [1, 1, 1, 2]
    (dead,) = hooks.state(hook.id).dead
    assert (dead.revision, dead.tries, dead.error) == (1, 3, "status 503")
    receiver.answer = lambda _: 204
    assert hooks.retry(hook.id) == 1
    world.run(lambda: not hooks.state(hook.id).again)
    assert receiver.revisions() == [1, 1, 1, 2, 1]
    assert receiver.got[-1].id == receiver.got[0].id
    assert hooks.state(hook.id).dead == ()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(hooks: Hooks, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: (status, {"Location": receiver.url.replace("/hook", "/elsewhere")})
    hook = add(hooks, receiver)
    world = World(hooks, Policy(5, 1, 0.01, 0.01))
    world.head = 1
    world.run(lambda: bool(hooks.state(hook.id).dead))
    assert {one.path for one in receiver.got} == {"/hook"}
    assert hooks.state(hook.id).dead[0].error == f"status {status}: redirects are not followed"


def test_a_slow_receiver_is_left_and_delays_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    def slow(one: Delivery) -> int:
        if one.path.endswith("/slow"):
            time.sleep(1.5)
        return 204

    receiver.answer = slow
    late = add(hooks, receiver, path="/slow")
    quick = add(hooks, receiver)
    world = World(hooks, Policy(seconds=0.3, tries=2, first_pause=0.01, poll=0.01))
    world.head = 3
    world.run(lambda: hooks.state(quick.id).cursor == 3)
    assert not hooks.state(late.id).dead
    world.run(lambda: bool(hooks.state(late.id).dead))
    assert hooks.state(late.id).dead[0].error == "no answer within 0.3 s"


def test_nobody_there_is_a_failure(hooks: Hooks) -> None:
    with receiving() as gone:
        hook = add(hooks, gone)
    world = World(hooks, Policy(5, 1, 0.01, 0.01))
    world.head = 1
    world.run(lambda: bool(hooks.state(hook.id).dead))
    assert hooks.state(hook.id).dead[0].error == "no answer: ConnectError"


def test_private_addresses_are_not_connected_to_unless_allowed(tmp_path: Path, receiver: Receiver) -> None:
    """A name that was public when the hook was made, and leads to the loopback now."""
    hooks = Hooks(tmp_path / "webhooks")
    port = receiver.url.rsplit(":", 1)[1]
    hook = hooks.add(f"http://localhost:{port}", cursor=0, now=NOW)
    world = World(hooks, Policy(5, 1, 0.01, 0.01))
    world.head = 1
    world.run(lambda: bool(hooks.state(hook.id).dead))
    assert receiver.got == []
    assert "no public address" in hooks.state(hook.id).dead[0].error


def test_a_stopped_deliverer_goes_on_where_it_was(hooks: Hooks, receiver: Receiver) -> None:
    hook = add(hooks, receiver)
    world = World(hooks)
    world.head = 30
    world.run(lambda: len(receiver.got) >= 5)
    world.run(lambda: hooks.state(hook.id).cursor == 30)
    revisions = receiver.revisions()
    assert sorted(set(revisions)) == list(range(1, 31))
    assert revisions == sorted(revisions)
    assert len(revisions) <= 31, "at most the one under way came twice"
    assert len({one.id for one in receiver.got}) == 30


def test_tries_outlive_the_process(hooks: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    hook = add(hooks, receiver)
    world = World(hooks, Policy(5, 3, 60, 0.01))
    world.head = 1
    world.run(lambda: hooks.state(hook.id).tries == 1)
    assert len(receiver.got) == 1
    assert hooks.state(hook.id).next_at > time.time() + 20
    world.run(lambda: True)
    assert len(receiver.got) == 1, "the pause holds"


def test_a_test_is_sent_at_once_and_changes_no_cursor(hooks: Hooks, receiver: Receiver) -> None:
    hook = add(hooks, receiver, cursor=5)
    assert asyncio.run(send_test(hooks, hook.id, body(5), QUICK)) is None
    (one,) = receiver.got
    assert one.id.startswith("test_")
    assert one.is_signed_with(hook.secret)
    assert hooks.state(hook.id).cursor == 5
    receiver.answer = lambda _: 401
    assert asyncio.run(send_test(hooks, hook.id, body(5), QUICK)) == "status 401"


def test_secrets_and_bodies_are_not_logged(hooks: Hooks, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = lambda _: 500
    hook = add(hooks, receiver)
    world = World(hooks)
    world.head = 1
    world.run(lambda: "given up" in caplog.text)
    for hidden in (hook.secret, hook.secret.removeprefix("whsec_"), "Größe"):
        assert hidden not in caplog.text
