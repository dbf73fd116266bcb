"""Keeps graphs that were read whole from an external engine: physical graphs never change, so that is never stale.

Every write over HTTP reads the whole graph, and so does every check of a candidate where the engine gets checks wrong.
With what is kept, only the graphs are read that are new since. They are kept as text, about 150 bytes a triple.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import pyoxigraph as ox

from app.model.rdf import Triple


class KeptGraphs:
    """Graphs by their physical names, up to so many bytes; those that nobody wanted for the longest time give way."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._size = 0
        self._graphs: OrderedDict[str, bytes] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, name: str) -> list[Triple] | None:
        """The triples of a graph, if they are kept."""
        with self._guard:
            text = self._graphs.get(name)
            if text is None:
                return None
            self._graphs.move_to_end(name)
        return [
            Triple(quad.subject, quad.predicate, quad.object) for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES)
        ]

    def put(self, name: str, triples: list[Triple]) -> None:
        """Keep a graph."""
        text = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""
        with self._guard:
            self._size += len(text) - len(self._graphs.pop(name, b""))
            self._graphs[name] = text
            while self._size > self._most:
                self._size -= len(self._graphs.popitem(last=False)[1])
