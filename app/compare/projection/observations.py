"""Observations with all their conditions, one row each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from app import vocab
from app.compare.projection.scan import Scan, name, text

_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("metric", (vocab.sosa.observedProperty,)),
    ("origin", (vocab.slm.origin,)),
    ("statistic", (vocab.slm.statistic,)),
    ("reading", (vocab.slm.reading,)),
    ("artifact", (vocab.sosa.hasFeatureOfInterest,)),
    ("quantisation", (vocab.sosa.hasFeatureOfInterest, vocab.slm.quantisation)),
    ("weights", (vocab.sosa.hasFeatureOfInterest, vocab.slm.weightsOrigin)),
    ("protocol", (vocab.sosa.usedProcedure,)),
    ("benchmark", (vocab.sosa.usedProcedure, vocab.slm.onBenchmark)),
    ("harness", (vocab.sosa.usedProcedure, vocab.slm.usesHarness)),
    ("configuration", (vocab.slm.underConfiguration,)),
    ("run", (vocab.slm.inRun,)),
    ("device", (vocab.slm.inRun, vocab.slm.onDevice)),
    ("engine", (vocab.slm.inRun, vocab.slm.withEngine)),
    ("unit", (vocab.sosa.hasResult, vocab.qudt.hasUnit)),
)
"""Where the things stand that an observation is about."""
_LITERALS: tuple[tuple[str, tuple[str, ...], type[pl.DataType]], ...] = (
    ("value", (vocab.sosa.hasSimpleResult,), pl.Float64),
    ("reported", (vocab.sosa.hasResult, vocab.slm.valueAsReported), pl.String),
    ("sampleSize", (vocab.slm.sampleSize,), pl.Int64),
    ("standardError", (vocab.slm.standardError,), pl.Float64),
    ("standardDeviation", (vocab.slm.standardDeviation,), pl.Float64),
    ("cleanSamples", (vocab.slm.cleanSamples,), pl.Int64),
    ("confidenceLower", (vocab.slm.confidenceLower,), pl.Float64),
    ("confidenceUpper", (vocab.slm.confidenceUpper,), pl.Float64),
    ("contended", (vocab.slm.contended,), pl.Boolean),
    ("shots", (vocab.sosa.usedProcedure, vocab.slm.numShots), pl.Int64),
    ("baselineShots", (vocab.sosa.usedProcedure, vocab.slm.baselineShots), pl.Int64),
    ("scoring", (vocab.sosa.usedProcedure, vocab.slm.answerScoring), pl.String),
    ("split", (vocab.sosa.usedProcedure, vocab.slm.split), pl.String),
    ("promptTokens", (vocab.slm.underConfiguration, vocab.slm.promptTokens), pl.Int64),
    ("generatedTokens", (vocab.slm.underConfiguration, vocab.slm.generatedTokens), pl.Int64),
    ("batchSize", (vocab.slm.underConfiguration, vocab.slm.batchSize), pl.Int64),
    ("contextTokens", (vocab.slm.underConfiguration, vocab.slm.contextTokens), pl.Int64),
    ("tokenPosition", (vocab.slm.underConfiguration, vocab.slm.tokenPosition), pl.Int64),
    ("threads", (vocab.slm.underConfiguration, vocab.slm.threads), pl.Int64),
    ("cacheDepth", (vocab.slm.underConfiguration, vocab.slm.cacheDepth), pl.Int64),
    ("locator", (vocab.slm.locator,), pl.String),
    ("note", (vocab.rdfs.comment,), pl.String),
)
_SHARED = frozenset(path[0] for _, path in _PATHS if path[1:]) | frozenset(
    path[0] for _, path, _ in _LITERALS if path[1:]
)
"""Predicates with which several paths begin."""
NAMES = (
    *("metric", "origin", "statistic", "reading", "quantisation", "weights"),
    *("benchmark", "harness", "device", "engine"),
)
"""Columns that hold short names of things."""
ADDRESSES = ("observation", "source", "artifact", "protocol", "configuration", "run", "unit")
"""Columns that hold IRIs."""
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "observation": pl.String,
    "model": pl.String,
    "source": pl.String,
    **{column: pl.String for column, _ in _PATHS},
    **{column: dtype for column, _, dtype in _LITERALS},
}


def observations(scan: Scan, models: pl.DataFrame) -> pl.DataFrame:
    """All observations of these models (columns `iri` and `slug`), by metric, benchmark, model and address.

    `value` is in the metric's canonical unit, `reported` holds the source's characters, in the unit `unit`.
    """
    owner = scan.column(vocab.slm.ofModel).select(name("s").alias("observation"), name("o").alias("iri"))
    hops = _Hops(scan, {})
    found = owner.join(models.select("iri", pl.col("slug").alias("model")), on="iri").drop("iri")
    source = hops.column(vocab.dct.source).select(name("s").alias("observation"), name("o").alias("source"))
    found = found.join(source.unique("observation", keep="first"), on="observation", how="left")
    for column, path in _PATHS:
        read = _last("o") if column in NAMES else name("o")
        found = found.join(hops.follow(path, read.alias(column)), on="observation", how="left")
    for column, path, dtype in _LITERALS:
        read = (text("o") == "true" if dtype is pl.Boolean else text("o").cast(dtype, strict=False)).alias(column)
        found = found.join(hops.follow(path, read), on="observation", how="left")
    return (
        found.filter(pl.col("value").is_not_null() & pl.col("metric").is_not_null())
        .select(pl.col(column).cast(dtype) for column, dtype in SCHEMA.items())
        .unique("observation", keep="first")
        .sort("metric", "benchmark", "model", "observation", nulls_last=True)
    )


@dataclass(frozen=True, slots=True)
class _Hops:
    """Follows predicates from observations; what several paths share is kept, the rest is let go at once."""

    scan: Scan
    _read: dict[str, pl.DataFrame]

    def column(self, predicate: str) -> pl.DataFrame:
        if predicate in self._read:
            return self._read[predicate]
        found = self.scan.column(predicate)
        if found["s"].n_unique() < found.height:
            found = found.sort("s", "o")
        if predicate in _SHARED:
            self._read[predicate] = found
        return found

    def follow(self, path: tuple[str, ...], read: pl.Expr) -> pl.DataFrame:
        """Two columns, `observation` and what is read at the end of the path; the first where there are several."""
        reached = self.column(path[0])
        for predicate in path[1:]:
            further = self.column(predicate).rename({"s": "o", "o": "next"})
            reached = reached.join(further, on="o").select("s", pl.col("next").alias("o"))
        return reached.select(name("s").alias("observation"), read).drop_nulls().unique("observation", keep="first")


def _last(column: str) -> pl.Expr:
    """The last part of an IRI in the syntax of Turtle."""
    return pl.col(column).str.extract(r"([^/#]*)>$", 1)
