"""Measures two column engines on the same projection: Polars, which slmkg uses, and DuckDB, which it could have used.

    python scripts/bench/columns.py FOLDER        a data folder whose newest revision has a projection

Both read the same Parquet files and answer the same six questions from memory; milliseconds, medians of many rounds.
DuckDB must be installed for this script only.
"""

# ruff: noqa: E402 - the path is put right before anything else
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import polars as pl

from scripts.bench import servers

ROUNDS = 40


def main() -> int:
    """Measure and print a table."""
    place = sorted((Path(sys.argv[1]) / "projections").glob("[0-9]*"))[-1]
    cells = pl.read_parquet(place / "cells.parquet")
    observed = pl.read_parquet(place / "observations.parquet")
    duck = import_module("duckdb").connect()
    for name in ("cells", "observations", "models"):
        duck.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{place / name}.parquet')")
    wide = _wide(cells)
    numeric = wide.select(
        "model", "vocabularySize", "numLayers", "computedParameterCount", "attentionType", "normalisation"
    )
    _give(duck, "wide", numeric)
    names = cells["property"].unique().sort().to_list()[:20]
    models = wide["model"].to_list()
    print(f"# {servers.machine()}; {len(models)} models, {cells.height} cells, {observed.height} observations\n")
    print("| question | Polars, p50 ms | DuckDB, p50 ms |\n| --- | ---: | ---: |")
    for kind, (ours, theirs) in _questions(cells, observed, numeric, models, names, duck).items():
        print(f"| {kind} | {_median(ours):.2f} | {_median(theirs):.2f} |", flush=True)
    return 0


def _wide(cells: pl.DataFrame) -> pl.DataFrame:
    text = cells.with_columns(shown=pl.coalesce(pl.col("number").cast(pl.String), pl.col("values").list.first()))
    wide = text.pivot("property", index="model", values="shown", aggregate_function="first")
    return wide.with_columns(
        pl.col("vocabularySize", "numLayers", "computedParameterCount").cast(pl.Float64, strict=False)
    )


def _questions(
    cells: pl.DataFrame, observed: pl.DataFrame, wide: pl.DataFrame, models: list[str], names: list[str], duck: Any
) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    chance = random.Random(7)

    def asked(text: str, *values: object) -> object:
        return duck.execute(text, values).fetchall()

    def some() -> list[str]:
        return chance.sample(models, 50)

    by_property = cells.partition_by("property", as_dict=True)
    parts = {str(key[0]): part.select("model", "values") for key, part in by_property.items()}
    score = observed.filter(
        (pl.col("metric") == "accuracy") & (pl.col("benchmark") == "mmlu") & (pl.col("shots") == 5)
    ).unique("model", keep="first", maintain_order=True)
    _give(duck, "score", score.select("model", "value"))

    def matrix() -> object:
        chosen = pl.Series("model", some())
        return [
            parts[name].filter(pl.col("model").is_in(chosen.implode())).to_dicts() for name in names if name in parts
        ]

    def pareto() -> object:
        both = wide.select("model", "computedParameterCount").join(score, on="model").sort("computedParameterCount")
        return both.filter(pl.col("value") > pl.col("value").cum_max().shift(1).fill_null(-1)).rows()

    scored = (pl.col("metric") == "accuracy") & (pl.col("benchmark") == "mmlu") & (pl.col("shots") == 5)
    return {
        "matrix of 50 x 20 cells": (
            matrix,
            lambda: asked(
                "SELECT model, property, values FROM cells WHERE list_contains(?, model) AND "
                "list_contains(?, property)",
                some(),
                names,
            ),
        ),
        "filter": (
            lambda: (
                wide.filter(
                    (pl.col("attentionType") == "GQA")
                    & (pl.col("normalisation") == "RMSNorm")
                    & (pl.col("vocabularySize") >= chance.randrange(30_000, 60_000))
                )
                .head(50)
                .rows()
            ),
            lambda: asked(
                "SELECT * FROM wide WHERE attentionType = 'GQA' AND normalisation = 'RMSNorm' AND "
                "vocabularySize >= ? ORDER BY model LIMIT 50",
                chance.randrange(30_000, 60_000),
            ),
        ),
        "top-k": (
            lambda: observed.filter(scored).sort("value", descending=True).head(10).select("model", "value").rows(),
            lambda: asked(
                "SELECT model, value FROM observations WHERE metric = 'accuracy' AND benchmark = 'mmlu' AND "
                "shots = 5 ORDER BY value DESC LIMIT 10"
            ),
        ),
        "aggregate per attention type": (
            lambda: (
                wide.join(score, on="model")
                .group_by("attentionType")
                .agg(
                    pl.col("value").count().alias("n"),
                    pl.col("value").mean().alias("mean"),
                    pl.col("value").max().alias("most"),
                )
                .rows()
            ),
            lambda: asked(
                "SELECT attentionType, count(value), avg(value), max(value) FROM wide JOIN score USING (model) "
                "GROUP BY attentionType"
            ),
        ),
        "Pareto front": (
            pareto,
            lambda: asked(
                "SELECT model FROM (SELECT model, value, max(value) OVER (ORDER BY computedParameterCount ROWS "
                "BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM wide JOIN score USING (model)) "
                "WHERE before IS NULL OR value > before"
            ),
        ),
        "two facets": (
            lambda: [wide[name].value_counts().rows() for name in ("attentionType", "normalisation")],
            lambda: [
                asked(f"SELECT {name}, count(*) FROM wide GROUP BY {name}")
                for name in ("attentionType", "normalisation")
            ],
        ),
    }


def _give(duck: Any, name: str, table: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table.write_parquet(f"{folder}/{name}.parquet")
        duck.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{folder}/{name}.parquet')")


def _median(run: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times[5:])


if __name__ == "__main__":
    sys.exit(main())
