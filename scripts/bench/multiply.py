"""Makes graphs of any size that keep to the schema: the loaded seed with copies of its models, or a part of it.

What is copied are models with their architectures, claims, cases, sources, runs, observations and derived values, each
with its graphs. What all of them share stays as it is: ontology, vocabularies, benchmarks, metrics, devices, makers,
licences, families. A copy says the same as the first, so that copies tie with one another: what only depends on numbers
being different (ranks, compression on disk) is not measured well with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app import vocab
from app.model.rdf import IRI, Literal, Quad

COPIED = (
    *("architecture", "artifact", "cell", "claim", "config", "cost-model", "derivation", "disagreement", "ingestion"),
    *("layer-group", "model", "observation", "resolution", "run", "source", "value"),
)
_MARK = "\ue000"
"""A character for private use, which the seed does not have."""
_OURS = re.compile(rf"<({re.escape(vocab.BASE)}(?:resource/(?:{'|'.join(COPIED)})|graph/source)/[^/>]+)((?:/[^>]*)?)>")
_NAMES = frozenset({vocab.rdfs.label, vocab.skos.altLabel, vocab.dct.identifier})
_MODEL = f"{vocab.BASE}resource/model/"


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph as text: `once` stands in it one time, `each` once for every copy with its number put in."""

    once: str
    each: str
    quads_once: int
    quads_each: int

    @classmethod
    def of(cls, quads: Iterable[Quad]) -> Graph:
        """The parts of the seed's quads."""
        once: list[str] = []
        each: list[str] = []
        for quad in quads:
            line = f"{_named(quad)} ."
            marked = _OURS.sub(rf"<\1{_MARK}\2>", line)
            (once if marked == line else each).append(marked)
        return cls("\n".join(once) + "\n", "\n".join(each) + "\n", len(once), len(each))

    def copies_for(self, quads: int) -> int:
        """How many times the models have to be there for about so many quads, the first time included."""
        return max(1, round((quads - self.quads_once) / self.quads_each))

    def n_quads(self, copies: int) -> Iterator[str]:
        """The whole graph as N-Quads, in large pieces."""
        yield self.once
        for number in range(copies):
            yield self.each.replace(_MARK, f"-copy-{number}" if number else "")


def write(quads: Iterable[Quad], wanted: int, path: Path) -> int:
    """Write a graph of about so many quads as N-Quads; gives how many it has."""
    graph = Graph.of(quads)
    copies = graph.copies_for(wanted)
    with path.open("w", encoding="utf-8") as output:
        output.writelines(graph.n_quads(copies))
    return graph.quads_once + copies * graph.quads_each


def part_of(quads: Iterable[Quad], wanted: int) -> list[Quad]:
    """A part of the seed of about so many quads: measurement runs are left out, the largest first.

    Their records (source, ingestion, graph) go with them, so that nothing points to what is not there.
    """
    everything = list(quads)
    sizes = Counter(quad.graph_name.value for quad in everything if isinstance(quad.graph_name, IRI))
    claims = {
        getattr(quad.graph_name, "value", "")
        for quad in everything
        if getattr(quad.object, "value", None) == vocab.slm.Claim
    }
    left_out: set[str] = set()
    left = len(everything)
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        if name.startswith(f"{vocab.BASE}graph/source/") and name not in claims and left - size >= wanted * 0.95:
            left_out.add(name)
            left -= size
    return [
        quad for quad in everything if not isinstance(quad.graph_name, IRI) or quad.graph_name.value not in left_out
    ]


def _named(quad: Quad) -> str:
    """A quad as a line, with the copy's number in what a model is called."""
    if (
        quad.predicate.value in _NAMES
        and isinstance(quad.object, Literal)
        and isinstance(quad.subject, IRI)
        and quad.subject.value.startswith(_MODEL)
    ):
        language = quad.object.language
        text = quad.object.value + _MARK
        marked = Literal(text, language=language) if language else Literal(text)
        return str(Quad(quad.subject, quad.predicate, marked, quad.graph_name))
    return str(quad)
