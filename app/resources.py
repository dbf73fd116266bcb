"""Finds the folders that ship with slmkg: `ontology`, `shapes` and `data`.

In a checkout they are at the top level; in an installed wheel they lie in `app/_resources`. Never writes.
"""

from __future__ import annotations

from pathlib import Path

_PACKED = Path(__file__).parent / "_resources"
_CHECKOUT = Path(__file__).parent.parent


def folder(name: str) -> Path:
    """Return the folder `ontology`, `shapes` or `data`; raises FileNotFoundError where it is missing."""
    for base in (_PACKED, _CHECKOUT):
        found = base / name
        if found.is_dir():
            return found
    raise FileNotFoundError(f"the folder {name!r} is missing from this installation of slmkg")
