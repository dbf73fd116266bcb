"""What the doctor says of versions and of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import __version__, machine
from app.model.health import State

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("newest", "now", "kept", "state"),
    [
        (None, NOW, True, State.GOOD),
        (NOW - timedelta(days=400), NOW, None, State.GOOD),
        (NOW + timedelta(minutes=4), NOW, True, State.GOOD),
        (NOW + timedelta(minutes=6), NOW, True, State.BAD),
        (None, datetime(1970, 1, 1, tzinfo=UTC), True, State.BAD),
        (None, NOW, False, State.NOTE),
        (NOW + timedelta(days=1), NOW, False, State.BAD),
    ],
)
def test_the_clock(newest: datetime | None, now: datetime, kept: bool | None, state: State) -> None:
    sign = machine.clock(newest, now, kept=kept)
    assert (sign.about, sign.state) == ("clock", state)
    assert bool(sign.advice) is (state is not State.GOOD)


def test_versions() -> None:
    (sign,) = machine.versions()
    assert sign.state is State.GOOD, sign.says
    assert f"slmkg {__version__}" in sign.says


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("httpx>=99", "does not meet >=99"),
        ("no-such-package-of-anybody>=1", "no-such-package-of-anybody is missing"),
    ],
)
def test_packages_that_do_not_fit(wanted: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "requires", lambda _: ["httpx>=0.1", 'nothing>=1; extra == "more"', wanted])
    (sign,) = machine.versions()
    assert sign.state is State.BAD
    assert words in sign.says
    assert "nothing" not in sign.says, "it is of an extra"
    assert sign.advice


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_OLDEST", (99, 0))
    (sign,) = machine.versions()
    assert (sign.state, "too old" in sign.says) == (State.BAD, True)


def test_the_folder_beside_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [sign.state for sign in machine.folder(tmp_path / "none")] == [State.NOTE]
    assert {sign.about: sign.state for sign in machine.folder(tmp_path)} == {"disk": State.GOOD, "rights": State.GOOD}
    monkeypatch.setattr(machine, "_ROOM", 10**18)
    monkeypatch.setattr("app.machine.os.access", lambda *_: False)
    found = list(machine.folder(tmp_path))
    assert {sign.about: sign.state for sign in found} == {"disk": State.BAD, "rights": State.BAD}
    assert all(sign.advice for sign in found)


def test_this_machine() -> None:
    """Whatever the kernel says of its clock, both are told."""
    signs = list(machine.examine(None, datetime.now(UTC)))
    assert [sign.about for sign in signs] == ["versions", "clock"]
