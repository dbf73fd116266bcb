"""The files of webhooks: who may read them, what they keep, what happens to dead letters; and signatures."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadParameter, NotFound, StoreDamaged
from app.webhooks import signature
from app.webhooks.delivery import Policy
from app.webhooks.hooks import Hooks, State

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URL = "https://example.org/hook"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path / "webhooks")


def test_nothing_is_made_before_the_first_hook(hooks: Hooks, tmp_path: Path) -> None:
    assert hooks.ids() == ()
    assert hooks.list() == ()
    assert not [*tmp_path.iterdir()]


def test_only_the_owner_may_read(hooks: Hooks, tmp_path: Path) -> None:
    hook = hooks.add(URL, cursor=3, now=NOW)
    place = tmp_path / "webhooks" / hook.id
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    hooks.change(hook.id, lambda state: state.delivered(4))
    for path in (place / "hook.json", place / "state.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.name for path in place.iterdir()} == {"hook.json", "state.json", "LOCK"}


def test_another_process_sees_the_same(hooks: Hooks, tmp_path: Path) -> None:
    one = hooks.add(URL, cursor=3, now=NOW)
    two = hooks.add(URL + "/2", cursor=0, now=NOW.replace(hour=13), secret=SECRET)
    again = Hooks(tmp_path / "webhooks")
    assert again.list() == (one, two)
    assert again.state(one.id) == State(3)
    assert again.get(two.id).secret == SECRET
    assert one.secret not in repr(one)
    again.remove(one.id)
    assert hooks.list() == (two,)
    assert [path.name for path in (tmp_path / "webhooks").iterdir()] == [two.id]


@pytest.mark.parametrize("identity", ["", "00000000", "../keys", "..", "x" * 8, "0" * 9])
def test_a_hook_that_is_not_there(hooks: Hooks, identity: str) -> None:
    hooks.add(URL, cursor=0, now=NOW)
    for use in (hooks.get, hooks.state, hooks.remove, hooks.retry):
        with pytest.raises(NotFound):
            use(identity)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cursor": 1, "dead": [1]}', '{"dead": [], "again": [], "x": 1}'])
def test_a_spoilt_state_is_damage(hooks: Hooks, tmp_path: Path, content: str) -> None:
    hook = hooks.add(URL, cursor=0, now=NOW)
    (tmp_path / "webhooks" / hook.id / "state.json").write_text(content)
    with pytest.raises(StoreDamaged):
        hooks.state(hook.id)


def test_only_one_process_delivers(hooks: Hooks, tmp_path: Path) -> None:
    other = Hooks(tmp_path / "webhooks")
    with hooks.delivering() as ours, other.delivering() as theirs:
        assert (ours, theirs) == (True, False)
    with other.delivering() as theirs:
        assert theirs


# --- states ------------------------------------------------------------------------------------------------------


def fail(state: State, revision: int, tries: int = 3) -> State:
    return state.failed(revision, "status 500", next_at=1.0, at=NOW, tries=tries)


def test_revisions_are_due_in_order() -> None:
    state = State(3)
    assert state.due(3) is None
    assert state.due(5) == 4
    assert state.delivered(4).due(5) == 5
    assert state.due(0) is None


def test_a_failure_is_tried_again_and_then_given_up() -> None:
    state = State(3)
    for tries in (1, 2):
        state = fail(state, 4)
        assert (state.cursor, state.trying, state.tries, state.due(9)) == (3, 4, tries, 4)
    state = fail(state, 4)
    assert (state.cursor, state.trying, state.tries, state.due(9)) == (4, None, 0, 5)
    assert [(one.revision, one.tries, one.error) for one in state.dead] == [(4, 3, "status 500")]


def test_dead_letters_go_first_when_they_are_tried_again() -> None:
    state = State(0)
    for revision in (1, 2, 3):
        state = fail(state, revision, tries=1)
    assert state.due(3) is None
    state = state.revived(2)
    assert ([one.revision for one in state.dead], state.due(4)) == ([1, 3], 2)
    state = state.revived(None)
    assert (state.dead, state.again) == ((), (1, 2, 3))
    state = state.delivered(1)
    assert (state.cursor, state.due(4)) == (3, 2)
    state = fail(state, 2, tries=1)
    assert ([one.revision for one in state.dead], state.again, state.cursor) == ([2], (3,), 3)
    assert state.delivered(3).due(4) == 4


@given(st.lists(st.sampled_from(["deliver", "fail", "retry", "commit"]), max_size=40))
def test_no_revision_is_ever_lost(course: list[str]) -> None:
    state, head, delivered = State(0), 0, set[int]()
    for step in course:
        due = state.due(head)
        if step == "commit":
            head += 1
        elif step == "retry":
            state = state.revived(None)
        elif due is not None and step == "deliver":
            state, delivered = state.delivered(due), delivered | {due}
        elif due is not None:
            state = fail(state, due, tries=2)
        given_up = {one.revision for one in state.dead}
        waiting = {*state.again, *range(state.cursor + 1, head + 1)}
        assert delivered | given_up | waiting == set(range(1, head + 1))
        assert not delivered & (given_up | waiting)


def test_dead_letters_are_retried_by_name(hooks: Hooks) -> None:
    hook = hooks.add(URL, cursor=0, now=NOW)
    for revision in (1, 2, 3):
        hooks.change(hook.id, lambda state, revision=revision: fail(state, revision, tries=1))  # type: ignore[misc]
    with pytest.raises(BadParameter):
        hooks.retry(hook.id, 4)
    assert hooks.retry(hook.id, 2) == 1
    assert hooks.retry(hook.id) == 2
    assert hooks.state(hook.id).again == (1, 2, 3)


def test_dead_letters_are_bounded() -> None:
    state = State(0)
    for revision in range(1, 1_011):
        state = fail(state, revision, tries=1)
    assert len(state.dead) == 1_000
    assert state.dead[0].revision == 11


def test_pauses_grow_to_an_hour() -> None:
    policy = Policy(first_pause=5)
    for tries, longest in ((1, 5), (2, 10), (5, 80), (12, 3600), (99, 3600)):
        pauses = [policy.pause(tries) for _ in range(50)]
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(set(pauses)) > 1


# --- signatures --------------------------------------------------------------------------------------------------


def test_the_signature_of_a_known_message() -> None:
    """The example that the specification of Standard Webhooks gives."""
    headers = signature.headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets() -> None:
    made = {signature.new_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in (*made, SECRET):
        assert signature.checked_secret(secret) == secret


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", "whsec_!!!!", SECRET.removeprefix("whsec_"), "whsec_" + "A" * 100]
)
def test_bad_secrets_are_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadParameter) as found:
        signature.checked_secret(secret)
    if len(secret) > len("whsec_"):
        assert secret.removeprefix("whsec_") not in f"{found.value.message} {found.value.advice}"


def test_the_secret_is_in_no_other_file(hooks: Hooks, tmp_path: Path) -> None:
    hook = hooks.add(URL, cursor=0, now=NOW)
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and hook.secret in path.read_text()]
    assert [path.name for path in holding] == ["hook.json"]
    assert json.loads(holding[0].read_text())["secret"] == hook.secret
