"""Keys: what is kept of them, what opens, and what another process sees at once."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access import KeyRing, Scope
from app.errors import BadParameter, NotFound, StoreDamaged

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing(path)


def test_a_key_opens_and_only_its_token_does(ring: KeyRing) -> None:
    key, token = ring.create("one", (Scope.UPDATE,), NOW)
    other, other_token = ring.create("two", (Scope.PROPOSE,), NOW)
    assert ring.find(token) == key
    assert ring.find(other_token) == other
    prefix, identity, secret = token.split("_", 2)
    assert (prefix, identity) == ("slmkg", key.id)
    for wrong in (
        "",
        "slmkg",
        token[:-1],
        token + "x",
        token.upper(),
        f"slmkg_{other.id}_{secret}",
        f"other_{key.id}_{secret}",
        f"slmkg_{key.id}_",
        f"slmkg_00000000_{secret}",
        key.digest,
        f"slmkg_{key.id}_{key.digest}",
    ):
        assert ring.find(wrong) is None, wrong


@given(st.text(max_size=80))
def test_no_text_opens_by_chance(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    ring = KeyRing(tmp_path_factory.getbasetemp() / "chance.json")
    if not ring.list():
        ring.create("one", (Scope.ADMIN,), NOW)
    assert ring.find(text) is None


def test_the_secret_has_256_bits_and_is_never_the_same(ring: KeyRing) -> None:
    tokens = {ring.create("one", (Scope.UPDATE,), NOW)[1] for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token.split("_", 2)[2]) for token in tokens} == {43}


def test_the_file_holds_no_secret_and_only_its_owner_reads_it(ring: KeyRing, path: Path) -> None:
    key, token = ring.create("one", (Scope.UPDATE,), NOW)
    content = path.read_text(encoding="utf-8")
    assert token not in content
    assert token.split("_", 2)[2] not in content
    assert json.loads(content)[0]["digest"] == key.digest
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in repr(key)


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(ring: KeyRing) -> None:
    key, token = ring.create("one", (Scope.UPDATE,), NOW)
    revoked = ring.revoke(key.id, LATER)
    assert revoked.revoked == LATER.isoformat()
    assert not revoked.allows(Scope.UPDATE)
    assert ring.find(token) is None
    assert ring.list() == (revoked,)
    assert ring.revoke(key.id, NOW) == revoked, "the first time counts"


def test_another_process_s_changes_are_seen_at_once(ring: KeyRing, path: Path) -> None:
    assert ring.list() == ()
    other = KeyRing(path)
    key, token = other.create("one", (Scope.UPDATE,), NOW)
    assert ring.find(token) == key
    ring.revoke(key.id, LATER)
    assert other.find(token) is None


def test_scopes(ring: KeyRing) -> None:
    key, _ = ring.create("one", (Scope.UPDATE, Scope.PROPOSE, Scope.UPDATE), NOW)
    assert key.scopes == (Scope.PROPOSE, Scope.UPDATE)
    assert [scope for scope in Scope if key.allows(scope)] == [Scope.PROPOSE, Scope.UPDATE]
    admin, _ = ring.create("two", (Scope.ADMIN,), NOW)
    assert all(admin.allows(scope) for scope in Scope)


def test_keys_are_listed_oldest_first(ring: KeyRing) -> None:
    ring.create("later", (Scope.UPDATE,), LATER)
    ring.create("earlier", (Scope.UPDATE,), NOW)
    assert [key.name for key in ring.list()] == ["earlier", "later"]


def test_what_cannot_be_made_or_revoked(ring: KeyRing) -> None:
    with pytest.raises(BadParameter, match="name"):
        ring.create("  ", (Scope.UPDATE,), NOW)
    with pytest.raises(BadParameter, match="scopes"):
        ring.create("one", (), NOW)
    with pytest.raises(NotFound):
        ring.revoke("00000000", NOW)
    assert ring.list() == ()


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"id": "x"}]', '{"a": 1}'])
def test_a_damaged_file_opens_nothing(ring: KeyRing, path: Path, content: str) -> None:
    _, token = ring.create("one", (Scope.UPDATE,), NOW)
    path.unlink()
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreDamaged):
        ring.find(token)
