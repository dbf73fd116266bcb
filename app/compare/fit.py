"""Which models fit into a given memory: weights, key-value cache and working memory by formula, each shown. Pure.

    weights  parameters x bits / 8
    cache    (full x T + windowed x min(T, window)) x cache bits / 16     T: tokens of context
    buffers  4 x b x max(V + H, A x T + 5 x H)                            b: tokens processed at once

`full` and `windowed` are the bytes by which the cache grows per token in layers without and with a window, from the
derivations `kv-cache-per-token/1` and `kv-cache-per-token-beyond-window/1` (`app.model.architecture` has the papers).
V is the vocabulary, H the hidden size, A the number of attention heads: the larger of the output layer's numbers and of
one layer's attention scores, in 32-bit floats, without flash attention. This formula is this project's own: it was
fitted to compute buffers that llama.cpp reports, which are in the graph as observations of `compute-buffer-memory`, and
a test holds it against them. A model that lacks an input of a formula is not guessed: it is listed as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from app import vocab
from app.compare.analyses import column_of
from app.compare.choice import Looked, look_up, mask
from app.compare.grid import Answer, Grid, GridColumn
from app.compare.projection.view import PARAMETERS, View
from app.compare.spec import Column, Filter

WEIGHTS_FORMULA = "weights/1"
CACHE_FORMULA = "kv-cache-total/1"
BUFFERS_FORMULA = "compute-buffer/1"
FORMULAS = (
    {"part": "weights", "name": WEIGHTS_FORMULA, "text": "parameters x bits / 8", "source": "size of the tensors"},
    {
        "part": "cache",
        "name": CACHE_FORMULA,
        "text": "(full x T + windowed x min(T, window)) x cache_bits / 16",
        "source": "arXiv:1911.02150, arXiv:2305.13245, arXiv:2405.04434, arXiv:2310.06825",
    },
    {
        "part": "buffers",
        "name": BUFFERS_FORMULA,
        "text": "4 x b x max(V + H, A x T + 5 x H)",
        "source": "this project, fitted to compute buffers reported by llama.cpp (observations in this graph)",
    },
)
_INPUTS = {
    "parameters": PARAMETERS,
    "growth": "kvCacheBytesPerToken",
    "beyond": "kvCacheBytesPerTokenBeyondWindow",
    "window": "slidingWindowSize",
    "vocabulary": "vocabularySize",
    "hidden": "hiddenSize",
    "heads": "numAttentionHeads",
}


def memory(view: View, *, bits: float, context: int, cache_bits: float, batch: int) -> pl.DataFrame:
    """Bytes of `weights`, `cache`, `buffers` and their sum `total` for each model; null where an input is missing."""
    columns = []
    for short, name in _INPUTS.items():
        numbers = view.values(name).numbers if name in view.properties else None
        columns.append(
            (numbers if numbers is not None else pl.repeat(None, len(view.slugs), dtype=pl.Float64, eager=True)).alias(
                short
            )
        )
    windowed = pl.col("growth") - pl.col("beyond")
    filled = pl.min_horizontal(pl.col("window"), pl.lit(float(context)))
    in_windows = pl.when(windowed == 0).then(0.0).otherwise(windowed * filled)
    cache = (pl.col("beyond") * context + in_windows) * (cache_bits / 16)
    output = pl.col("vocabulary") + pl.col("hidden")
    scores = pl.col("heads") * context + 5 * pl.col("hidden")
    parts = pl.DataFrame(columns).select(
        weights=pl.col("parameters") * (bits / 8),
        cache=cache,
        buffers=4.0 * batch * pl.when(scores > output).then(scores).otherwise(output + 0 * scores),
    )
    return parts.with_columns(total=pl.col("weights") + pl.col("cache") + pl.col("buffers")).with_row_index("place")


def fit(
    view: View,
    *,
    budget: float,
    context: int,
    bits: float,
    cache_bits: float,
    batch: int,
    best: Column | None,
    where: Sequence[Filter],
    search: str,
    limit: int,
) -> Answer:
    """The models that fit into `budget` bytes, the best first (the largest, without `best`), and how many are unknown.

    A context longer than a model was made for leaves the model out.
    """
    looked = look_up(view, best, parameter="best", pointer="/best", fields=False) if best else None
    fits = mask(view, where, search=search)
    needs = memory(view, bits=bits, context=context, cache_bits=cache_bits, batch=batch)
    longest = view.values("maxContextLength").numbers if "maxContextLength" in view.properties else None
    enough = (longest >= context).fill_null(True) if longest is not None else fits | True
    score = looked.values.numbers if looked else view.values(PARAMETERS).numbers
    frame = needs.with_columns(
        (score if score is not None else pl.repeat(None, needs.height, dtype=pl.Float64, eager=True)).alias("score")
    )
    chosen = frame.filter(fits & enough)
    inside = chosen.filter(pl.col("total") <= budget)
    lower = looked is not None and looked.measure is not None and looked.measure.higher_is_better is False
    ranked = inside.sort(["score", "total", "place"], descending=[not lower, False, False], nulls_last=True)
    unknown = chosen.filter(pl.col("total").is_null())
    rows = [_row(view, row, budget) for row in ranked.head(limit).iter_rows(named=True)]
    if looked:
        cells = looked.shown(view, [view.index[row["model"]] for row in rows])
        rows = [row | {"best": cell} for row, cell in zip(rows, cells, strict=True)]
    body = {
        "revision": view.revision,
        "memory": budget,
        "context": context,
        "bits": bits,
        "cache_bits": cache_bits,
        "batch": batch,
        "best": looked.name if looked else PARAMETERS,
        "formulas": list(FORMULAS),
        "total": inside.height,
        "too_large": int((chosen["total"] > budget).sum()),
        "context_too_short": int((fits & ~enough).sum()),
        "unknown": [view.slugs[place] for place in unknown["place"].to_list()],
        "models": rows,
        "notes": _notes(looked),
    }
    return Answer(body, _grid(rows, looked))


def _row(view: View, row: dict[str, Any], budget: float) -> dict[str, Any]:
    place = row["place"]
    return {
        "model": view.slugs[place],
        "label": view.models["label"][place],
        "weights": row["weights"],
        "cache": row["cache"],
        "buffers": row["buffers"],
        "total": row["total"],
        "share": row["total"] / budget,
        "parameters": view.shown(PARAMETERS)[place],
        "best": None,
    }


def _notes(looked: Looked | None) -> list[str]:
    found = ["Memory is worked out by formula and not measured; engines keep some more for themselves."]
    if looked and looked.measure and looked.measure.settings > 1:
        found.append(f"{looked.name}: values come from {looked.measure.settings} different settings; add conditions")
    return found


def _grid(rows: Sequence[dict[str, Any]], looked: Looked | None) -> Grid:
    byte = "http://qudt.org/vocab/unit/BYTE"
    columns = [
        GridColumn("model", "model", vocab.slm.ofModel, "dimension", "model"),
        *(
            GridColumn(name, name, vocab.rdf.value, "measure", "number", byte, "B")
            for name in ("weights", "cache", "buffers", "total")
        ),
    ]
    cells = [[row[name] for name in ("model", "weights", "cache", "buffers", "total")] for row in rows]
    if looked:
        columns.append(column_of(looked))
        cells = [[*line, row["best"]["value"]] for line, row in zip(cells, rows, strict=True)]
    return Grid("models that fit", tuple(columns), cells)
