"""Cursors: where the next page begins, bound to one revision and one question. Pure.

A revision never changes, so a place in its order never moves: a walk through pages sees each thing once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import replace

from app.compare.spec import ComparisonSpec
from app.errors import BadParameter

_CURSOR = re.compile(r"([1-9][0-9]{0,8})\.([0-9]{1,9})\.([0-9a-f]{16})")


def cursor(spec: ComparisonSpec, revision: int, start: int) -> str:
    """The cursor of the page of a comparison that begins at a place."""
    return written(question_of(spec), revision, start)


def start(spec: ComparisonSpec, revision: int) -> int:
    """Where the page of a comparison begins; BadParameter when its cursor was made for another one."""
    return read(spec.after, question_of(spec), revision)


def question_of(spec: ComparisonSpec) -> str:
    """What a comparison asks, whatever page of it and of whatever size."""
    return replace(spec, after="", limit=None, revision=None, extra=()).address()


def written(question: str, revision: int, start: int) -> str:
    """A cursor for any question."""
    return base64.urlsafe_b64encode(f"{revision}.{start}.{_digest(question)}".encode()).decode().rstrip("=")


def read(text: str, question: str, revision: int) -> int:
    """Where a page begins."""
    made_at, start, digest = _parts(text)
    if made_at != revision or digest != _digest(question):
        raise BadParameter(
            "after",
            "the cursor belongs to another question or revision",
            advice="Take it from the page before, with the same parameters.",
            pointer="/after",
        )
    return start


def revision_of(text: str) -> int:
    """The revision to which a cursor is bound."""
    return _parts(text)[0]


def _parts(text: str) -> tuple[int, int, str]:
    try:
        plain = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = _CURSOR.fullmatch(plain.decode("ascii"))
    except (ValueError, UnicodeError, binascii.Error):
        found = None
    if found is None:
        raise BadParameter(
            "after", "this is no cursor of ours", advice="Take it from the page before.", pointer="/after"
        )
    return int(found[1]), int(found[2]), found[3]


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:16]
