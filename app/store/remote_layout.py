"""Which physical graphs make up a revision in an external engine. Pure values and decisions; never speaks to an engine.

Physical graphs are written once and never changed, so whoever reads a revision reads the same for ever. A commit
writes the graphs that it changes anew and keeps the others. An engine asks one default graph much faster than many
(measured: `docs/reference/engines.md`), so unions of graphs are kept too, as segments: one of the graphs that change
now and then, and up to two of those that last. A segment with a member that was replaced is not used any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app import vocab

_LASTING = (vocab.graph.NS + "source/", vocab.graph.NS + "run/")
"""Graphs below these names never change once they are written."""
_MOST_LASTING = 2


@dataclass(frozen=True, slots=True)
class Physical:
    """A graph in the engine and the number of its triples."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A graph in the engine that holds the union of others; `covers` are their physical names."""

    name: str
    size: int
    covers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """The graphs of one revision, by logical name, and the segments. `blanks`: some triple has a blank node."""

    graphs: Mapping[str, Physical] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    blanks: bool = False

    @property
    def quads(self) -> int:
        """Size of the whole revision."""
        return sum(graph.size for graph in self.graphs.values())

    def physical_names(self) -> dict[str, str]:
        """Physical names by logical names."""
        return {logical: graph.name for logical, graph in self.graphs.items()}

    def everything(self) -> tuple[str, ...]:
        """The physical graphs whose union is the whole revision: as few as there are."""
        covered = frozenset[str]().union(*(segment.covers for segment in self.segments))
        alone = [graph.name for graph in self.graphs.values() if graph.name not in covered]
        return (*(segment.name for segment in self.segments), *alone)

    def all_names(self) -> frozenset[str]:
        """Every physical graph that this revision rests on."""
        return frozenset(graph.name for graph in self.graphs.values()) | {segment.name for segment in self.segments}

    def to_json(self) -> str:
        """The layout as text."""
        return json.dumps(
            {
                "graphs": {logical: [graph.name, graph.size] for logical, graph in self.graphs.items()},
                "segments": [[part.name, part.size, sorted(part.covers)] for part in self.segments],
                "blanks": self.blanks,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read `to_json`; ValueError, KeyError or TypeError for anything else."""
        data = json.loads(text)
        return cls(
            {logical: Physical(name, size) for logical, (name, size) in data["graphs"].items()},
            tuple(Segment(name, size, frozenset(covers)) for name, size, covers in data["segments"]),
            data["blanks"],
        )


def changed(old: Layout, sizes: Mapping[str, int], *, stem: str, blanks: bool) -> Layout:
    """The layout after graphs were written anew, with their new sizes by logical name; 0 removes a graph.

    New physical names begin with `stem`. Segments that still hold are kept, new ones are named and not yet filled:
    they are those that the old layout did not have.
    """
    graphs = {logical: graph for logical, graph in old.graphs.items() if logical not in sizes}
    for count, (logical, size) in enumerate(sorted(sizes.items())):
        if size:
            graphs[logical] = Physical(f"{stem}/{count}", size)
    lasting = [graph for logical, graph in graphs.items() if logical.startswith(_LASTING)]
    passing = [graph for logical, graph in graphs.items() if not logical.startswith(_LASTING)]
    segments = (
        *_segments(lasting, old.segments, f"{stem}/lasting", at_most=_MOST_LASTING),
        *_segments(passing, old.segments, f"{stem}/passing", at_most=1),
    )
    return replace(old, graphs=graphs, segments=segments, blanks=blanks)


def _segments(graphs: Sequence[Physical], old: Iterable[Segment], name: str, *, at_most: int) -> tuple[Segment, ...]:
    """Segments that leave at most so many graphs to ask."""
    sizes = {graph.name: graph.size for graph in graphs}
    valid = [segment for segment in old if segment.covers <= sizes.keys()]
    covered = frozenset[str]().union(*(segment.covers for segment in valid))
    alone = [Segment(graph.name, graph.size, frozenset({graph.name})) for graph in graphs if graph.name not in covered]
    parts = sorted([*valid, *alone], key=lambda part: (-part.size, part.name))
    if len(parts) <= at_most:
        return tuple(valid)
    kept = parts[: at_most - 1] if at_most > 1 and parts[0].size >= sum(part.size for part in parts[1:]) else []
    merged = parts[len(kept) :]
    members = frozenset[str]().union(*(part.covers for part in merged))
    built = Segment(name, sum(sizes[member] for member in members), members)
    return (*(part for part in kept if part in valid), built)
