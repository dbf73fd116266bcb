"""Answers kept for the next one who asks the same: by revision, query, graphs and format, bounded by their bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_SHARE = 8
"""One answer may take one eighth of the room, so that a large one does not drive out all others."""


class AnswerCache:
    """Least recently used answers go first. For one event loop; revisions never change, so nothing grows stale."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()
        self.hits = 0

    def get(self, key: Hashable) -> bytes | None:
        """The answer kept under a key."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
            self.hits += 1
        return found

    def put(self, key: Hashable, answer: bytes) -> None:
        """Keep an answer, if it is not too large, and let the oldest go."""
        if len(answer) * _SHARE > self._room or key in self._answers:
            return
        self._answers[key] = answer
        self._used += len(answer)
        while self._used > self._room:
            _, gone = self._answers.popitem(last=False)
            self._used -= len(gone)
