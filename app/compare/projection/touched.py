"""Which models a change touches, so that only their rows are made anew. Never writes.

What a change says of the record of revisions, of proposals, of agents and of readings touches no table. What it says of
terms, concepts, organisations and other shared things may touch every row: then the answer is None.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from app import vocab
from app.compare.projection.build import Projection
from app.compare.reader import Reader
from app.model.graphs import HISTORY
from app.model.rdf import IRI, Quad
from app.store.port import Snapshot

MOST = 200
"""Touched models up to which it pays to make their rows alone."""
_SUBJECTS = 20_000
_ABOUT = ("touched", "touched-claims", "touched-observations")
_RESOURCE = vocab.BASE + "resource/"
_GRAPH = vocab.BASE + "graph/"
_WITHOUT_ROWS = frozenset(
    {"disagreement", "resolution", "ingestion", "agent", "revision", "proposal", "comment", "verdict", "layer-group"}
)
_WITH_ROWS = frozenset(
    {"model", "architecture", "claim", "derivation", "observation", "value", "artifact", "run", "config", "protocol"}
    | {"source"}
)


def touched(
    before: Projection, old: Snapshot, new: Snapshot, changed: Iterable[Quad], *, ignored: frozenset[IRI] = frozenset()
) -> frozenset[str] | None:
    """IRIs of the models whose rows may differ between two snapshots; None when that cannot be told or is too much."""
    nodes: set[IRI] = set()
    for quad in changed:
        subject = quad.subject
        if quad.graph_name == HISTORY or quad.graph_name in ignored:
            continue
        if not isinstance(subject, IRI):
            return None
        if subject.value.startswith(_GRAPH):
            continue
        kind = subject.value.removeprefix(_RESOURCE).partition("/")[0] if subject.value.startswith(_RESOURCE) else ""
        if kind in _WITHOUT_ROWS:
            continue
        if kind not in _WITH_ROWS:
            return None
        nodes.add(subject)
    if len(nodes) > _SUBJECTS:
        return None
    found = _named_in_values(before, [node.value for node in nodes])
    for snapshot in (old, new):
        found |= _owners(Reader(snapshot), nodes)
        if len(found) > MOST:
            return None
    return frozenset(found)


def _owners(reader: Reader, nodes: set[IRI]) -> set[str]:
    """The models that these things belong to."""
    about = {row["about"] for query in _ABOUT for row in reader.rows(query, s=nodes)} | nodes
    return {row["model"].value for row in reader.rows("models-of", thing=about)}


def _named_in_values(before: Projection, nodes: list[str]) -> set[str]:
    """Models in whose cells one of these things stands as a value."""
    wanted = pl.Series("wanted", nodes, dtype=pl.String)
    holds = (
        pl.col("things").list.eval(pl.element().struct.field("iri").is_in(wanted.implode())).list.any()
        | pl.col("values").list.eval(pl.element().is_in(wanted.implode())).list.any()
        | pl.col("candidates").list.eval(pl.element().is_in(wanted.implode())).list.any()
    )
    slugs = before.cells.filter(holds)["model"].unique()
    return set(before.models.filter(pl.col("slug").is_in(slugs.implode()))["iri"])
