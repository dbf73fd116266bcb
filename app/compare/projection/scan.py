"""Reads a snapshot predicate by predicate into columns of text. Never interprets what it reads, never writes.

A whole graph is read by one scan per predicate, which costs a microsecond or two a triple and no Python object. A part
of a graph (a few models) is fetched node by node and then answers the same questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from app import vocab
from app.compare.reader import stored_queries
from app.model.rdf import IRI, Literal
from app.store.port import Query, Snapshot

_TSV = "text/tab-separated-values"
_PAIR = {"s": pl.String, "o": pl.String}
_TRIPLE = {"s": pl.String, "p": pl.String, "o": pl.String}
_BACKSLASH = "\ue000"
_BLOCK = 2_000
"""Nodes asked about at a time."""


class Scan(Protocol):
    """A graph, or the part of it that belongs to some models, by columns. Terms are in the syntax of Turtle."""

    def column(self, predicate: str) -> pl.DataFrame:
        """Subjects `s` and objects `o` of one predicate."""

    def kinds(self) -> pl.DataFrame:
        """Models `s` with their class `o`."""

    def curated(self) -> pl.DataFrame:
        """Accepted facts: subject `s`, property `p`, value `o`."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole graph."""

    snapshot: Snapshot

    def column(self, predicate: str) -> pl.DataFrame:
        """Subjects and objects of one predicate, by one scan."""
        return _asked(self.snapshot, "pairs", _PAIR, p=[IRI(predicate)])

    def kinds(self) -> pl.DataFrame:
        """All models with their class."""
        return _asked(self.snapshot, "model-kinds", _PAIR)

    def curated(self) -> pl.DataFrame:
        """All accepted facts."""
        return _asked(self.snapshot, "curated-facts", _TRIPLE)


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs to some models: everything that formulas of the projection reach from them."""

    triples: pl.DataFrame
    accepted: pl.DataFrame

    @classmethod
    def of(cls, snapshot: Snapshot, models: Iterable[str]) -> Part:
        """Fetch what belongs to these models."""
        own = _about(snapshot, models)
        shapes = _objects(own, vocab.slm.hasArchitecture)
        own = pl.concat([own, _about(snapshot, shapes)])
        subjects = [*models, *shapes]
        statements = _about(snapshot, _pointing_at(snapshot, subjects))
        inputs = _about(snapshot, set(_objects(statements, vocab.slm.usedClaim)) - set(statements["s"]))
        parts = [own, statements, inputs]
        known = set(pl.concat(parts)["s"])
        for _ in range(2):  # a source's type, an artifact's quantisation: two steps away from a statement
            further = {one for one in _iris(parts[-1] if _ else pl.concat(parts)) if one not in known}
            known |= further
            parts.append(_about(snapshot, further))
        accepted = fetched(snapshot, "curated-facts", subjects)
        return cls(pl.concat(parts).unique(), accepted)

    def column(self, predicate: str) -> pl.DataFrame:
        """Subjects and objects of one predicate."""
        return self.triples.filter(pl.col("p") == f"<{predicate}>").select("s", "o")

    def kinds(self) -> pl.DataFrame:
        """The models with their class, and those that they point at."""
        classes = [f"<{vocab.slm.LanguageModel}>", f"<{vocab.slm.BaselineModel}>"]
        return self.column(vocab.rdf.type).filter(pl.col("o").is_in(classes))

    def curated(self) -> pl.DataFrame:
        """Accepted facts of the models and their architectures."""
        return self.accepted


def name(column: str = "o") -> pl.Expr:
    """The text of IRIs; null for other terms."""
    one = pl.col(column)
    return pl.when(one.str.starts_with("<")).then(one.str.strip_prefix("<").str.strip_suffix(">")).alias(column)


def kind(column: str = "o") -> pl.Expr:
    """What a term is: `r` a thing, `i` a whole number, `d` any other number, `b` a truth value, `s` a text."""
    one = pl.col(column)
    return (
        pl.when(one.str.starts_with("<") | one.str.starts_with("_:"))
        .then(pl.lit("r"))
        .when(one.str.starts_with('"'))
        .then(
            pl.when(one.str.ends_with("#integer>"))
            .then(pl.lit("i"))
            .when(one.str.contains(r"#(?:decimal|double|float)>$"))
            .then(pl.lit("d"))
            .when(one.str.ends_with("#boolean>"))
            .then(pl.lit("b"))
            .otherwise(pl.lit("s"))
        )
        .when(one.is_in(["true", "false"]))
        .then(pl.lit("b"))
        .when(one.str.contains(r"^[+-]?[0-9]+$"))
        .then(pl.lit("i"))
        .otherwise(pl.lit("d"))
    )


def text(column: str = "o") -> pl.Expr:
    """The characters of a term: an IRI without brackets, a literal without quotes, language and datatype."""
    one = pl.col(column)
    inner = one.str.extract(r'(?s)^"(.*)"[^"]*$', 1)
    for written, meant in (("\\\\", _BACKSLASH), ('\\"', '"'), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")):
        inner = inner.str.replace_all(written, meant, literal=True)
    inner = inner.str.replace_all(_BACKSLASH, "\\", literal=True)
    return pl.when(one.str.starts_with('"')).then(inner).otherwise(pl.coalesce(name(column), one)).alias(column)


def local(column: str = "o") -> pl.Expr:
    """The last part of an IRI, after its last slash or hash sign."""
    return pl.col(column).str.extract(r"([^/#]*)$", 1).alias(column)


def _about(snapshot: Snapshot, nodes: Iterable[str]) -> pl.DataFrame:
    return fetched(snapshot, "triples", nodes)


def _pointing_at(snapshot: Snapshot, nodes: Iterable[str]) -> list[str]:
    """Claims, derivations and observations about these things."""
    found: list[str] = []
    for block in _in_blocks(nodes):
        rows = _asked(snapshot, "statements-about", {"s": pl.String}, about=block)
        found += rows.select(name("s"))["s"].drop_nulls().to_list()
    return found


def fetched(snapshot: Snapshot, query: str, nodes: Iterable[str]) -> pl.DataFrame:
    """What a stored query gives for these things, asked in blocks."""
    frames = [_asked(snapshot, query, _TRIPLE, s=block) for block in _in_blocks(nodes)]
    return pl.concat(frames) if frames else pl.DataFrame(schema=_TRIPLE)


def _in_blocks(nodes: Iterable[str]) -> Iterable[list[IRI]]:
    wanted = [IRI(node) for node in sorted(set(nodes))]
    return (wanted[start : start + _BLOCK] for start in range(0, len(wanted), _BLOCK))


def _asked(snapshot: Snapshot, query: str, schema: dict[str, type[pl.String]], **values: list[IRI]) -> pl.DataFrame:
    given: dict[str, list[IRI | Literal]] = {key: [*terms] for key, terms in values.items()}
    answer = snapshot.query(Query(stored_queries()[query].text, values=given)).serialize(_TSV)
    frame = pl.read_csv(answer, separator="\t", quote_char=None, has_header=True, infer_schema=False, encoding="utf8")
    return frame.rename(lambda column: column.removeprefix("?")).select(list(schema)).cast(pl.String).drop_nulls()


def _objects(triples: pl.DataFrame, predicate: str) -> list[str]:
    chosen = triples.filter(pl.col("p") == f"<{predicate}>").select(name("o"))
    return chosen["o"].drop_nulls().unique().sort().to_list()


def _iris(triples: pl.DataFrame) -> list[str]:
    return triples.select(name("o"))["o"].drop_nulls().unique().to_list()
