"""The worlds that a double can hold. Each is built once for each choice of options and copied from then on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

from tests.orkg_double import hostile, r753434, synthetic
from tests.orkg_double.state import State

WORLDS: dict[str, Callable[..., State]] = {
    "synthetic": synthetic.world,
    "r753434": r753434.world,
    "hostile": hostile.world,
}


def build(name: str, **options: object) -> State:
    """A world of some name. Raises KeyError for an unknown name, TypeError for an unknown option."""
    return _built(name, json.dumps(options, sort_keys=True)).copy()


@cache
def _built(name: str, options: str) -> State:
    return WORLDS[name](**json.loads(options))
