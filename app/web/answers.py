"""Answers kept for the next one who asks the same: by revision, query, graphs and format, bounded by their bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

_SHARE = 8
"""One answer may take one eighth of the room, so that a large one does not drive out all others."""

_OVERHEAD = 500
"""Bytes that an entry takes besides its texts, about."""


class AnswerCache:
    """Least recently used answers go first. For one event loop; revisions never change, so nothing grows stale."""

    def __init__(self, room: int, on_look: Callable[[bool], None] = lambda _: None) -> None:
        self._room = room
        self._on_look = on_look
        self._used = 0
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()
        self.hits = 0

    def get(self, key: Hashable) -> bytes | None:
        """The answer kept under a key."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
            self.hits += 1
        self._on_look(found is not None)
        return found

    def put(self, key: Hashable, answer: bytes) -> None:
        """Keep an answer, if it is not too large, and let the oldest go."""
        size = _size(key, answer)
        if size * _SHARE > self._room or key in self._answers:
            return
        self._answers[key] = answer
        self._used += size
        while self._used > self._room:
            self._used -= _size(*self._answers.popitem(last=False))


def _size(key: Hashable, answer: bytes) -> int:
    """Bytes that an entry takes. Keys count too: a long query may have a short answer."""
    return _OVERHEAD + len(answer) + _length(key)


def _length(part: object) -> int:
    if isinstance(part, str):
        return len(part)
    return sum(map(_length, part)) if isinstance(part, tuple) else 0
