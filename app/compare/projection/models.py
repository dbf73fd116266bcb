"""The models of a revision, one row each: names, architecture, family. Pure."""

from __future__ import annotations

import polars as pl

from app import vocab
from app.compare.projection.scan import Scan, local, name, text

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "slug": pl.String,
    "iri": pl.String,
    "label": pl.String,
    "architecture": pl.String,
    "baseline": pl.Boolean,
    "identifier": pl.String,
    "aliases": pl.List(pl.String),
    "family": pl.String,
    "familyLabel": pl.String,
}


def models(scan: Scan, chosen: list[str] | None = None) -> pl.DataFrame:
    """The models by slug; with `chosen` only those of these IRIs that there are."""
    baseline = pl.col("o") == f"<{vocab.slm.BaselineModel}>"
    found = scan.kinds().select(name("s").alias("iri"), baseline.alias("baseline"))
    if chosen is not None:
        found = found.filter(pl.col("iri").is_in(chosen))
    family = _of(scan, vocab.slm.inFamily, name("o").alias("familyIri"), found)
    labels = _of(
        scan, vocab.rdfs.label, text("o").alias("familyLabel"), family.select(pl.col("familyIri").alias("iri"))
    )
    return (
        found.group_by("iri")
        .agg(pl.col("baseline").max())
        .join(_of(scan, vocab.rdfs.label, text("o").alias("label"), found), on="iri")
        .join(_of(scan, vocab.slm.hasArchitecture, name("o").alias("architecture"), found), on="iri")
        .join(_of(scan, vocab.dct.identifier, text("o").alias("identifier"), found), on="iri", how="left")
        .join(_all(scan, vocab.skos.altLabel, "aliases", found), on="iri", how="left")
        .join(family, on="iri", how="left")
        .join(labels.rename({"iri": "familyIri"}), on="familyIri", how="left")
        .with_columns(local("iri").alias("slug"), local("familyIri").alias("family"), pl.col("aliases").fill_null([]))
        .select(pl.col(column).cast(dtype) for column, dtype in SCHEMA.items())
        .sort("slug")
    )


def subjects(table: pl.DataFrame) -> pl.DataFrame:
    """The things that claims about models speak of: models and architectures (`subject`, `of`, `model`)."""
    own = table.select(pl.col("iri").alias("subject"), pl.lit("model").alias("of"), pl.col("slug").alias("model"))
    shape = table.select(
        pl.col("architecture").alias("subject"), pl.lit("architecture").alias("of"), pl.col("slug").alias("model")
    )
    return pl.concat([own, shape])


def _of(scan: Scan, predicate: str, read: pl.Expr, things: pl.DataFrame) -> pl.DataFrame:
    rows = scan.column(predicate).select(name("s").alias("iri"), read).drop_nulls()
    column = rows.columns[1]
    return rows.join(things.select("iri").unique(), on="iri", how="semi").group_by("iri").agg(pl.col(column).min())


def _all(scan: Scan, predicate: str, column: str, things: pl.DataFrame) -> pl.DataFrame:
    rows = scan.column(predicate).select(name("s").alias("iri"), text("o").alias(column)).drop_nulls()
    chosen = rows.join(things.select("iri").unique(), on="iri", how="semi")
    return chosen.group_by("iri").agg(pl.col(column).unique().sort())
