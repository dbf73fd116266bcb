"""Turns what people call a revision into its number: a number, `head`, a date, a moment, or the name of a release."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from app.errors import BadParameter, NotFound
from app.store.port import GraphStore
from app.store.span import existing

HEAD = "head"
Named = Callable[[str], int | None]
"""Finds the revision of a release by the release's name; None where there is no such release."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ADVICE = "Give a number, head, a day (2026-11-21), a moment with its zone (2026-11-21T12:00:00Z), or a release."


def no_releases(_: str) -> int | None:
    """There are no releases."""
    return None


def revision_of(store: GraphStore, text: str, *, parameter: str, named: Named = no_releases) -> int:
    """The number of the revision that a text means; 0 is the graph before the first.

    A day means the graph at its end, and a moment the graph then (both UTC, unless the moment names another zone).
    BadParameter when the text means nothing, NotFound when there is no such revision.
    """
    newest = store.head().number
    if text == HEAD:
        return newest
    if _NUMBER.fullmatch(text):
        return existing(store, int(text))
    if (found := named(text)) is not None:
        return existing(store, found)
    end = _moment(text, parameter)
    return max((one.number for one in store.revisions() if one.made_at < end), default=0)


def is_fixed(text: str) -> bool:
    """Whether a text means the same revision for ever."""
    return _NUMBER.fullmatch(text) is not None


def _moment(text: str, parameter: str) -> datetime:
    """The moment before which a revision was made, if it was there at the time that the text names."""
    try:
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise BadParameter(parameter, f"{text!r} names no time zone", advice=_ADVICE)
        return moment.astimezone(UTC) + timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        if re.match(r"\d{4}-\d{2}-\d{2}", text):
            raise BadParameter(parameter, f"{text!r} is no date", advice=_ADVICE) from error
        raise NotFound("revision or release", text[:100], advice=_ADVICE) from error
