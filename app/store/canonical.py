"""RDF Dataset Canonicalization (RDFC-1.0): one text, and so one hash, for all datasets that mean the same.

Blank nodes get names by their place in the graph; the lines of the canonical N-Quads are in code point order. Without
blank nodes this is a matter of sorting. With them the standard's algorithm runs in a process of its own that is killed
at its limits, since a few dozen blank nodes can be made to keep it busy for years. That process is
`python -m app.store.canonical`: N-Quads in, canonical N-Quads out. Never touches a store.
"""

from __future__ import annotations

import hashlib
import io
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyoxigraph as ox

from app import vocab
from app.errors import InputError
from app.model.rdf import Blank, Quad

SECONDS = 60.0
"""Longest time for the blank nodes of one dataset."""
_MEGABYTES = 4_096


@dataclass(frozen=True, slots=True)
class Canonical:
    """A dataset in canonical form: each quad once, in the order of its line."""

    lines: tuple[str, ...]

    def text(self) -> bytes:
        """The canonical N-Quads, in UTF-8."""
        return "".join(self.lines).encode("utf-8")

    def sha256(self) -> str:
        """The hash of the dataset: SHA-256 of the canonical N-Quads, in hexadecimal digits."""
        digest = hashlib.sha256()
        for line in self.lines:
            digest.update(line.encode("utf-8"))
        return digest.hexdigest()

    def trig(self) -> bytes:
        """The same quads as TriG: graph by graph, each in the order of its lines."""
        quads = list(ox.parse("".join(self.lines), format=ox.RdfFormat.N_QUADS))
        quads.sort(key=lambda quad: str(quad.graph_name))
        return _serialized(quads, ox.RdfFormat.TRIG, prefixes=dict(vocab.PREFIXES))


def canonical(quads: Iterable[Quad], *, seconds: float = SECONDS) -> Canonical:
    """The canonical form of a dataset; InputError when its blank nodes take more time or memory than they may."""
    found = frozenset(quads)
    if not any(_has_blank(quad) for quad in found):
        return Canonical(tuple(sorted(map(_line, found))))
    return Canonical(tuple(_lines(_in_a_process(_serialized(found, ox.RdfFormat.N_QUADS), seconds))))


def _in_a_process(nquads: bytes, seconds: float) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.store.canonical"],
            input=nquads,
            capture_output=True,
            timeout=seconds,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise InputError(
            "the graph's blank nodes cannot be told apart within the limits of time and memory",
            advice="Give the things that blank nodes stand for an IRI.",
        ) from error
    return done.stdout


def _lines(text: bytes) -> Iterator[str]:
    """The lines of canonical N-Quads with their ends; only a line feed ends a line."""
    return (line + "\n" for line in text.decode("utf-8").split("\n")[:-1])


def _line(quad: Quad) -> str:
    return _serialized((quad,), ox.RdfFormat.N_QUADS).decode("utf-8")


def _serialized(quads: Iterable[Quad], form: ox.RdfFormat, *, prefixes: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    ox.serialize(quads, output=out, format=form, prefixes=prefixes)
    return out.getvalue()


def _has_blank(quad: Quad) -> bool:
    return any(isinstance(term, Blank) for term in (quad.subject, quad.object, quad.graph_name))


def _main() -> None:
    """Canonicalize standard input."""
    limit = _MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    dataset = ox.Dataset(ox.parse(sys.stdin.buffer.read(), format=ox.RdfFormat.N_QUADS))
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    for line in sorted(map(_line, dataset)):
        sys.stdout.buffer.write(line.encode("utf-8"))


if __name__ == "__main__":
    _main()
