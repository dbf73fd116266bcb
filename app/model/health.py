"""What a look at the state of a part found: values for `slmkg doctor`. Looks at nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How things are: good, worth a note, or bad, so that somebody has to do something."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at: its name, how it is, in words, and what to do about it."""

    about: str
    state: State
    says: str
    advice: str = ""


def good(about: str, says: str) -> Sign:
    """All is well."""
    return Sign(about, State.GOOD, says)


def note(about: str, says: str, advice: str = "") -> Sign:
    """Nothing is wrong, and somebody may want to know."""
    return Sign(about, State.NOTE, says, advice)


def bad(about: str, says: str, advice: str) -> Sign:
    """Something is wrong."""
    return Sign(about, State.BAD, says, advice)
