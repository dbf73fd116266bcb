"""Loads quads into an empty store on disk and reads them back: what a graph is after a store had it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import pyoxigraph as ox

from app.model.rdf import Quad


def reloaded(quads: Iterable[Quad]) -> frozenset[Quad]:
    """The quads as a new store on disk gives them back."""
    with tempfile.TemporaryDirectory(prefix="slmkg-reload-") as folder:
        store = ox.Store(folder)
        store.bulk_extend(quads)
        store.flush()
        found = frozenset(store)
        del store
        return found
