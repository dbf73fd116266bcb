"""Cells of models by properties: value, status, raw text, sources for and against, why a value is missing. Pure.

The rules are those of `app.compare.evidence`, which works one cell at a time; here they run over whole columns.
`app.compare.projection.verify` holds the two against each other. A question of which the graph says nothing has no row:
its cell is missing and not looked for.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from app import vocab
from app.compare.projection.scan import Scan, kind, local, name, text
from app.compare.projection.things import Things
from app.compare.values import Property, Reason, Status

KEY = ["subject", "property"]
_AGREEING = ["Accepted", "Compatible"]
_NO_PART = ["Proposed", "Superseded"]
_ABSENCES = {
    vocab.slm.notReported: Reason.NOT_REPORTED,
    vocab.slm.notApplicable: Reason.NOT_APPLICABLE,
    vocab.slm.notLookedFor: Reason.NOT_LOOKED_FOR,
    vocab.slm.withheld: Reason.WITHHELD,
    vocab.slm.variesByLayer: Reason.VARIES_BY_LAYER,
}
_THING = pl.Struct({"iri": pl.String, "name": pl.String, "label": pl.String})
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "property": pl.String,
    "status": pl.String,
    "kind": pl.String,
    "number": pl.Float64,
    "values": pl.List(pl.String),
    "things": pl.List(_THING),
    "reported": pl.String,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "source": pl.String,
    "badge": pl.String,
    "reason": pl.String,
    "candidates": pl.List(pl.String),
    "candidate_kind": pl.String,
    "agreeing": pl.Int32,
    "disagreeing": pl.Int32,
    "claims": pl.List(pl.String),
    "formula": pl.String,
}
"""Columns of the table of cells. `property` is a local name, `values` are characters, `kind` tells how to read them."""


def cells(
    scan: Scan,
    claims: pl.DataFrame,
    facts: pl.DataFrame,
    subjects: pl.DataFrame,
    properties: Iterable[Property],
    things: Things,
) -> pl.DataFrame:
    """All cells of which the graph says anything. `claims` are those of `claims_of`, `facts` the accepted ones.

    `subjects` has the columns `subject` (IRI of a model or an architecture), `of` (which of the two) and `model`.
    """
    known = list(properties)
    wanted = pl.DataFrame(
        [(one.iri, one.name, one.of, one.kind) for one in known],
        schema=dict.fromkeys(("property", "local", "of", "made"), pl.String),
        orient="row",
    )
    asked = subjects.join(wanted, on="of")
    claimed = _claimed(scan, claims, facts, asked.filter(pl.col("made") == "claimed"), things)
    derived = _derived(scan, asked.filter(pl.col("made") == "derived"))
    found = pl.concat([claimed, derived], how="diagonal_relaxed")
    owned = found.join(asked.select(*KEY, "model", "local"), on=KEY).drop("property").rename({"local": "property"})
    absent = [pl.lit(None).cast(dtype).alias(column) for column, dtype in SCHEMA.items() if column not in owned.columns]
    return (
        owned.with_columns(absent)
        .select(pl.col(column).cast(dtype) for column, dtype in SCHEMA.items())
        .sort("property", "model")
    )


def claims_of(scan: Scan, subjects: pl.DataFrame) -> pl.DataFrame:
    """Claims about these subjects: subject, property, claim, value (a term), status, source."""
    return (
        _named(scan, vocab.rdf.subject, "subject")
        .join(subjects.select("subject").unique(), on="subject")
        .join(_named(scan, vocab.rdf.predicate, "property"), on="claim")
        .join(_claim_column(scan, vocab.rdf.object, "value"), on="claim")
        .join(_claim_column(scan, vocab.slm.status).select("claim", _notation("o").alias("status")), on="claim")
        .join(_named(scan, vocab.prov.wasDerivedFrom, "source"), on="claim")
    )


def _claimed(
    scan: Scan, claims: pl.DataFrame, facts: pl.DataFrame, asked: pl.DataFrame, things: Things
) -> pl.DataFrame:
    claims = claims.join(asked.select(KEY).unique(), on=KEY, how="semi")
    agrees, stays_out = pl.col("status").is_in(_AGREEING), pl.col("status").is_in(_NO_PART)
    by_source = claims.group_by(*KEY, "source").agg(
        agrees.any().alias("for"),
        (~agrees & ~stays_out).any().alias("against"),
        (pl.col("status") == "Proposed").any().alias("proposes"),
    )
    sources = by_source.group_by(KEY).agg(
        (pl.col("for") & ~pl.col("against")).sum().alias("agreeing"),
        pl.col("against").sum().alias("disagreeing"),
        pl.col("proposes").sum().alias("proposing"),
        pl.col("for").any().alias("supported"),
    )
    whole = claims.group_by(KEY).agg(
        pl.col("claim").unique().sort().alias("claims"),
        (pl.col("status") == "Open").any().alias("open"),
        (pl.col("status") == "Proposed").any().alias("proposed"),
    )
    accepted = facts.select(name("s").alias("subject"), name("p").alias("property"), pl.col("o").alias("value"))
    accepted = accepted.join(asked.select(KEY).unique(), on=KEY, how="semi")
    values = _values(accepted, things, "")
    rivals = _values(claims.filter(pl.col("status") == "Open"), things, "open_")
    proposals = _values(claims.filter(pl.col("status") == "Proposed"), things, "proposed_")
    questions = pl.concat(
        [whole.select(KEY), values.select(KEY), (absent := _absences(scan, asked)).select(KEY)]
    ).unique()
    everything = questions
    for part in (whole, sources, values, rivals, proposals, absent, _evidence(scan, claims, accepted)):
        everything = everything.join(part, on=KEY, how="left")
    is_open, is_proposed = pl.col("open").fill_null(False), pl.col("proposed").fill_null(False)
    status = (
        pl.when(pl.col("values").is_not_null())
        .then(pl.lit(Status.ACCEPTED.value))
        .when(is_open)
        .then(pl.lit(Status.DISPUTED.value))
        .when(is_proposed & ~pl.col("supported").fill_null(False))
        .then(pl.lit(Status.PROPOSED.value))
        .otherwise(pl.lit(Status.MISSING.value))
    )
    told = everything.with_columns(status.alias("status"), pl.col("claims").fill_null([]))
    proposed, disputed = pl.col("status") == Status.PROPOSED.value, pl.col("status") == Status.DISPUTED.value
    missing, settled = pl.col("status") == Status.MISSING.value, pl.col("status") == Status.ACCEPTED.value

    def chosen(column: str) -> pl.Expr:
        return pl.when(proposed).then(pl.col(f"proposed_{column}")).otherwise(pl.col(column)).alias(column)

    return told.with_columns(
        *(chosen(column) for column in ("values", "things", "kind", "number")),
        pl.when(disputed).then(pl.col("open_values")).alias("candidates"),
        pl.when(disputed).then(pl.col("open_kind")).alias("candidate_kind"),
        pl.when(proposed).then(pl.col("proposing")).otherwise(pl.col("agreeing")).fill_null(0).alias("agreeing"),
        pl.when(proposed).then(0).otherwise(pl.col("disagreeing")).fill_null(0).alias("disagreeing"),
        pl.when(missing).then(pl.col("reason").fill_null(Reason.NOT_LOOKED_FOR.value)).alias("reason"),
        pl.when(settled)
        .then(pl.when(pl.col("measured").fill_null(False)).then(pl.lit("measured")).otherwise(pl.lit("reported")))
        .otherwise(pl.col("status"))
        .alias("badge"),
    )


def _derived(scan: Scan, asked: pl.DataFrame) -> pl.DataFrame:
    subject = scan.column(vocab.slm.aboutSubject).select(name("s").alias("node"), name("o").alias("subject"))
    prop = scan.column(vocab.slm.aboutProperty).select(name("s").alias("node"), name("o").alias("property"))
    value = scan.column(vocab.slm.derivedValue).select(
        name("s").alias("node"), text("o").alias("text"), kind("o").alias("kind")
    )
    formula = scan.column(vocab.slm.formula).select(name("s").alias("node"), text("o").alias("formula"))
    proposed = scan.column(vocab.slm.restsOnProposed).select(
        name("s").alias("node"), (text("o") == "true").alias("proposed")
    )
    used = scan.column(vocab.slm.usedClaim).select(name("s").alias("node"), name("o").alias("claim"))
    nodes = subject.join(prop, on="node").join(asked.select(KEY).unique(), on=KEY, how="semi")
    used = used.join(nodes, on="node", how="semi")
    inputs = (
        used.join(_named(scan, vocab.prov.wasDerivedFrom, "source"), on="claim", how="left")
        .group_by("node")
        .agg(
            pl.col("claim").unique().sort().alias("claims"), pl.col("source").drop_nulls().n_unique().alias("agreeing")
        )
    )
    rests = pl.when(pl.col("proposed").fill_null(False))
    return (
        nodes.join(value, on="node")
        .join(formula, on="node", how="left")
        .join(proposed, on="node", how="left")
        .join(inputs, on="node", how="left")
        .with_columns(
            rests.then(pl.lit(Status.PROPOSED.value)).otherwise(pl.lit(Status.DERIVED.value)).alias("status"),
            rests.then(pl.lit("proposed")).otherwise(pl.lit("derived")).alias("badge"),
            pl.col("text").cast(pl.Float64, strict=False).alias("number"),
            pl.concat_list("text").alias("values"),
            pl.lit([], dtype=pl.List(_THING)).alias("things"),
            pl.col("claims").fill_null([]),
            pl.col("agreeing").fill_null(0).cast(pl.Int32),
            pl.lit(0).cast(pl.Int32).alias("disagreeing"),
        )
        .drop("node", "text", "proposed")
    )


def _values(found: pl.DataFrame, things: Things, prefix: str) -> pl.DataFrame:
    """Distinct values by subject and property in a stable order; the value as a number where there is just one."""
    rows = (
        found.select(*KEY, "value")
        .unique()
        .with_columns(kind("value").alias("kind"), text("value").alias("text"))
        .join(things.names, left_on="text", right_on="iri", how="left")
        .with_columns(
            pl.when(pl.col("kind") == "r").then(pl.coalesce("name", "text")).otherwise(pl.col("text")).alias("shown"),
            pl.when(pl.col("kind").is_in(["i", "d"]))
            .then(pl.col("text").cast(pl.Float64, strict=False))
            .alias("number"),
            pl.when(pl.col("name").is_not_null() & (pl.col("kind") == "r"))
            .then(pl.struct(pl.col("text").alias("iri"), "name", "label"))
            .alias("thing"),
        )
        .sort("number", "shown", "text", nulls_last=True)
    )
    return rows.group_by(KEY, maintain_order=True).agg(
        pl.col("shown").alias(f"{prefix}values"),
        pl.col("thing").drop_nulls().alias(f"{prefix}things"),
        pl.when(pl.col("kind").n_unique() == 1)
        .then(pl.col("kind").first())
        .otherwise(pl.lit("s"))
        .alias(f"{prefix}kind"),
        pl.when(pl.len() == 1).then(pl.col("number").first()).alias(f"{prefix}number"),
    )


def _absences(scan: Scan, asked: pl.DataFrame) -> pl.DataFrame:
    """Why there is no value; the first reason in the order of `_ABSENCES` where several are given."""
    rows = [
        scan.column(predicate).select(
            name("s").alias("subject"),
            name("o").alias("property"),
            pl.lit(rank).alias("rank"),
            pl.lit(reason.value).alias("reason"),
        )
        for rank, (predicate, reason) in enumerate(_ABSENCES.items())
    ]
    chosen = pl.concat(rows).join(asked.select(KEY).unique(), on=KEY, how="semi")
    return chosen.group_by(KEY).agg(pl.col("reason").sort_by("rank").first())


def _evidence(scan: Scan, claims: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """Raw text, interval and source of the best claim behind a single accepted value: trust rank, then address."""
    single = accepted.group_by(KEY).agg(pl.col("value").first(), pl.len().alias("count")).filter(pl.col("count") == 1)
    behind = claims.filter(pl.col("status") == "Accepted").join(single.select(*KEY, "value"), on=[*KEY, "value"])
    types = scan.column(vocab.slm.sourceType).select(name("s").alias("source"), name("o").alias("type"))
    ranks = scan.column(vocab.slm.trustRank).select(
        name("s").alias("type"), text("o").cast(pl.Int32, strict=False).alias("rank")
    )
    best = (
        behind.join(types.join(ranks, on="type", how="left").unique("source"), on="source", how="left")
        .sort("rank", "claim", nulls_last=True)
        .group_by(KEY, maintain_order=True)
        .agg(pl.col("claim").first(), pl.col("source").first(), (local("type") == "RunLog").first().alias("measured"))
    )
    for column, predicate in (("reported", vocab.slm.valueAsReported), *_BOUNDS):
        found = _claim_column(scan, predicate).select("claim", text("o").alias(column)).unique("claim", keep="any")
        best = best.join(found, on="claim", how="left")
    return best.with_columns(pl.col("lower", "upper").cast(pl.Float64, strict=False)).drop("claim")


_BOUNDS = (("lower", vocab.slm.lowerBound), ("upper", vocab.slm.upperBound))


def _claim_column(scan: Scan, predicate: str, column: str = "o") -> pl.DataFrame:
    return scan.column(predicate).select(name("s").alias("claim"), pl.col("o").alias(column))


def _named(scan: Scan, predicate: str, column: str) -> pl.DataFrame:
    return scan.column(predicate).select(name("s").alias("claim"), name("o").alias(column)).drop_nulls()


def _notation(column: str) -> pl.Expr:
    """The notation of a concept in the syntax of Turtle: the last part of its IRI."""
    return pl.col(column).str.extract(r"([^/#]*)>$", 1)
