"""Names of the things that values point at, looked up in blocks. Never writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from app import vocab
from app.compare.projection.scan import fetched, local, name, text
from app.store.port import Snapshot

_LABELS = (vocab.skos.prefLabel, vocab.rdfs.label, vocab.dct.title)


@dataclass(frozen=True, slots=True)
class Things:
    """Short name and label by IRI: a notation, else the last part of the IRI. Undescribed things are left out."""

    names: pl.DataFrame

    @classmethod
    def of(cls, snapshot: Snapshot, iris: Iterable[str]) -> Things:
        """Look up these things."""
        said = fetched(snapshot, "triples", iris).select(name("s").alias("iri"), name("p").alias("p"), "o")
        known = said.select("iri").unique()
        notation = _first(said, vocab.skos.notation, "notation")
        found = known.join(notation, on="iri", how="left")
        for rank, label in enumerate(_LABELS):
            found = found.join(_first(said, label, f"label{rank}"), on="iri", how="left")
        short = pl.coalesce("notation", local("iri")).alias("name")
        labels = [f"label{rank}" for rank in range(len(_LABELS))]
        return cls(
            found.with_columns(short).select("iri", "name", pl.coalesce(*labels, "name").alias("label")).sort("iri")
        )


def _first(said: pl.DataFrame, predicate: str, column: str) -> pl.DataFrame:
    chosen = said.filter(pl.col("p") == predicate).select("iri", text("o").alias(column))
    return chosen.group_by("iri").agg(pl.col(column).min())
