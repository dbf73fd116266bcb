"""Builds the projection of a revision: from the whole graph, or from the one before it and what a change touched.

Both give the same tables, row by row. Never writes files and never changes a graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from app.compare.projection.cells import cells, claims_of
from app.compare.projection.models import models, subjects
from app.compare.projection.observations import observations
from app.compare.projection.scan import Part, Scan, Whole, name
from app.compare.projection.terms import Terms, terms
from app.compare.projection.things import Things
from app.store.port import Snapshot


@dataclass(frozen=True, slots=True)
class Projection:
    """One revision as tables: `models` by slug, `cells` by property and model, `observations` by metric and benchmark.

    The columns are those of the three `SCHEMA`s beside this module.
    """

    revision: int
    models: pl.DataFrame
    cells: pl.DataFrame
    observations: pl.DataFrame
    terms: Terms

    def same(self, other: Projection) -> bool:
        """Whether two projections hold the same, whatever their revision's number."""
        return (
            self.models.equals(other.models)
            and self.cells.equals(other.cells)
            and self.observations.equals(other.observations)
            and self.terms == other.terms
        )


def build(snapshot: Snapshot, revision: int) -> Projection:
    """The projection of a whole graph."""
    known = terms(snapshot)
    scan = Whole(snapshot)
    table = models(scan)
    return _tables(snapshot, scan, table, known, revision)


def update(before: Projection, snapshot: Snapshot, revision: int, touched: Iterable[str]) -> Projection:
    """The projection of a graph that differs from an earlier one in these models only.

    Where the vocabulary differs too, everything is built anew.
    """
    known = terms(snapshot)
    if known != before.terms:
        return build(snapshot, revision)
    chosen = sorted(set(touched))
    if not chosen:
        return Projection(revision, before.models, before.cells, before.observations, known)
    scan = Part.of(snapshot, chosen)
    table = models(scan, chosen)
    fresh = _tables(snapshot, scan, table, known, revision)
    gone = before.models.filter(pl.col("iri").is_in(chosen))["slug"]
    return Projection(
        revision,
        _merged(before.models, fresh.models, pl.col("slug").is_in(gone.to_list()), ["slug"]),
        _merged(before.cells, fresh.cells, pl.col("model").is_in(gone.to_list()), ["property", "model"]),
        _merged(
            before.observations,
            fresh.observations,
            pl.col("model").is_in(gone.to_list()),
            ["metric", "benchmark", "model", "observation"],
        ),
        known,
    )


def _tables(snapshot: Snapshot, scan: Scan, table: pl.DataFrame, known: Terms, revision: int) -> Projection:
    chosen = subjects(table)
    claims = claims_of(scan, chosen)
    facts = scan.curated()
    things = Things.of(snapshot, _pointed_at(facts, claims, chosen))
    return Projection(
        revision,
        table,
        cells(scan, claims, facts, chosen, known.properties.values(), things),
        observations(scan, table),
        known,
    )


def _pointed_at(facts: pl.DataFrame, claims: pl.DataFrame, chosen: pl.DataFrame) -> list[str]:
    """The things that are values of claims and facts about these subjects."""
    facts = facts.join(chosen.select(pl.format("<{}>", "subject").alias("s")).unique(), on="s", how="semi")
    values = pl.concat([facts.select(name("o")), claims.select(name("value").alias("o"))])
    return values["o"].drop_nulls().unique().to_list()


def _merged(before: pl.DataFrame, fresh: pl.DataFrame, gone: pl.Expr, order: list[str]) -> pl.DataFrame:
    return pl.concat([before.filter(~gone), fresh]).sort(order, nulls_last=True)
