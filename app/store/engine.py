"""Asks one pyoxigraph store: what the embedded and the memory adapter share. Never writes, knows no revisions."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import IO, cast

import pyoxigraph as ox

from app import vocab
from app.errors import BadParameter, BadQuery, QueryRefused
from app.model.rdf import IRI, Quad, Term, Triple
from app.store import reader
from app.store.port import Query, Row

_GRAPHS = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
    "application/n-quads": ox.RdfFormat.N_QUADS,
    "application/trig": ox.RdfFormat.TRIG,
}
_PLACE = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)
_FROM = re.compile(r"(?<![?$:.\w-])FROM(?![\w:-])", re.IGNORECASE)
_STRING_OR_COMMENT_OR_IRI = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*\'\'\''
    r'|"(?:[^"\\\n\r]|\\.)*"|\'(?:[^\'\\\n\r]|\\.)*\'|<[^<>"{}|^`\\\x00-\x20]*>|#[^\n\r]*'
)


class _Bounded(io.BytesIO):
    """A buffer that refuses to grow past a limit."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the engine only ever writes bytes
        if self._limit is not None and self.tell() + len(data) > self._limit:
            raise too_large(f"the answer is longer than {self._limit} bytes")
        return super().write(data)


class EngineAnswer:
    """What pyoxigraph gave for one query (see `port.Answer`)."""

    def __init__(self, result: ox.QuerySolutions | ox.QueryTriples | ox.QueryBoolean) -> None:
        self._given = result
        self._thread = threading.get_ident()

    @property
    def _result(self) -> ox.QuerySolutions | ox.QueryTriples | ox.QueryBoolean:
        """The engine's own answer. Touching it from another thread would abort the whole process."""
        if threading.get_ident() != self._thread:
            raise RuntimeError("an answer belongs to the thread that asked")
        return self._given

    @property
    def kind(self) -> str:
        """`select`, `ask` or `graph`."""
        if isinstance(self._result, ox.QuerySolutions):
            return "select"
        return "ask" if isinstance(self._result, ox.QueryBoolean) else "graph"

    @property
    def truth(self) -> bool:
        """The value of an ASK query."""
        return bool(self._result)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of a SELECT query's columns."""
        return tuple(v.value for v in self._result.variables) if isinstance(self._result, ox.QuerySolutions) else ()

    def rows(self) -> Iterator[Row]:
        """Rows of a SELECT query."""
        if not isinstance(self._result, ox.QuerySolutions):
            return
        names = self.variables
        for solution in self._result:
            row: dict[str, Term] = {}
            for name, term in zip(names, solution, strict=True):
                if isinstance(term, ox.NamedNode | ox.BlankNode | ox.Literal):
                    row[name] = term
            yield row

    def triples(self) -> Iterator[Triple]:
        """Triples of a graph query, each once: the engine itself may repeat them."""
        if isinstance(self._result, ox.QueryTriples):
            yield from dict.fromkeys(self._result)

    def serialize(self, media_type: str, *, limit: int | None = None, most: int | None = None) -> bytes:
        """The answer in a standard format."""
        rows = sys.maxsize if most is None else most
        if isinstance(self._result, ox.QueryTriples):
            try:
                return written(reader.each_once(self._result, rows), media_type, limit=limit)
            except reader.TooLargeError as error:
                raise too_large(str(error)) from error
        known = reader.RESULTS.get(media_type)
        if known is None:
            raise BadParameter("format", f"{media_type} is not a format of query results")
        output = reader.Output(sys.maxsize if limit is None else limit, rows, known)
        try:
            self._result.serialize(output=cast(IO[bytes], output), format=known.format)
            output.check()
        except reader.TooLargeError as error:
            raise too_large(str(error)) from error
        return b"".join(output.parts)

    def beginning(self, media_type: str, count: int, *, limit: int) -> bytes:
        """The first rows or triples; the engine works no further."""
        if isinstance(self._result, ox.QueryTriples):
            return written(islice(reader.new(self._result), count), media_type, limit=limit)
        output = reader.First(limit, count + 1)
        try:
            self._result.serialize(output=cast(IO[bytes], output), format=reader.RESULTS[media_type].format)
        except reader.EnoughError:
            pass
        except reader.TooLargeError as error:
            raise too_large(str(error)) from error
        return b"".join(output.parts)


class EngineSnapshot:
    """One pyoxigraph store as an unchanging graph (see `port.Snapshot`)."""

    def __init__(self, store: ox.Store) -> None:
        self._store = store

    def query(self, query: Query) -> EngineAnswer:
        """Answer a SPARQL query over the chosen dataset."""
        chosen = bool(query.default_graphs or query.named_graphs)
        text = query.text + _values_block(query)
        try:
            if chosen:
                result = self._store.query(
                    text,
                    base_iri=vocab.BASE,
                    default_graph=[*_graphs("default-graph-uri", query.default_graphs)],
                    named_graphs=[*_graphs("named-graph-uri", query.named_graphs)],
                )
            else:
                union = not names_a_dataset(query.text)
                result = self._store.query(text, base_iri=vocab.BASE, use_default_graph_as_union=union)
        except SyntaxError as error:
            raise bad_query(error) from error
        return EngineAnswer(result)

    def quads(self, graph: IRI | None = None) -> Iterator[Quad]:
        """All quads, or those of one named graph."""
        return iter(self._store.quads_for_pattern(None, None, None, graph))


def nothing() -> EngineSnapshot:
    """The empty graph: what there was before the first revision."""
    return EngineSnapshot(ox.Store())


def written(triples: Iterable[Triple], media_type: str, *, limit: int | None = None) -> bytes:
    """Triples in one of the graph formats; QueryRefused when that is longer than `limit` bytes."""
    if media_type not in _GRAPHS:
        raise BadParameter("format", f"{media_type} is not a graph format")
    buffer = _Bounded(limit)
    ox.serialize(triples, output=buffer, format=_GRAPHS[media_type], prefixes=dict(vocab.PREFIXES))
    return buffer.getvalue()


def too_large(problem: str = "the answer is larger than allowed") -> QueryRefused:
    """The error for an answer beyond its limit of bytes or rows."""
    return QueryRefused(problem, advice="Ask for less: add LIMIT, or select fewer columns.")


def rows_of(results: bytes) -> list[Row]:
    """The rows of a SELECT query's answer in JSON, as the engine wrote it."""
    parsed = ox.parse_query_results(results, format=ox.QueryResultsFormat.JSON)
    return [] if isinstance(parsed, ox.QueryBoolean) else list(EngineAnswer(parsed).rows())


def table_of(results: bytes) -> tuple[tuple[str, ...], list[Row]]:
    """Names of columns and rows of a SELECT query's answer in tab-separated values, as the engine wrote it."""
    parsed = ox.parse_query_results(results, format=ox.QueryResultsFormat.TSV)
    if isinstance(parsed, ox.QueryBoolean):
        return (), []
    answer = EngineAnswer(parsed)
    return answer.variables, list(answer.rows())


def triples_of(lines: bytes) -> list[Triple]:
    """The triples of a graph query's answer in N-Triples."""
    return [quad.triple for quad in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES)]


def as_stored(quads: Iterable[Quad]) -> frozenset[Quad]:
    """Return quads as the engine gives them back: numbers in canonical form (0.30 becomes 0.3).

    Compare and subtract sets of quads only in this form, or one triple in two spellings counts as two.
    """
    engine = ox.Store()
    engine.bulk_extend(quads)
    return frozenset(engine)


def bad_query(error: SyntaxError) -> BadQuery:
    """Turn the engine's syntax error into ours, with the place it names."""
    found = _PLACE.search(str(error))
    if found is not None and "Prefix not found" in found.group(3):
        problem = "a prefix is not declared; add a PREFIX line for it"
        return BadQuery(problem, line=int(found.group(1)), column=int(found.group(2)))
    if found is None:
        return BadQuery(str(error))
    return BadQuery(found.group(3).strip(), line=int(found.group(1)), column=int(found.group(2)))


def without_strings_and_comments(query: str) -> str:
    """Return SPARQL text with strings, IRIs and comments blanked, so that keywords can be looked for."""
    return _STRING_OR_COMMENT_OR_IRI.sub(lambda found: " " * len(found.group()), query)


def _graphs(parameter: str, names: Iterable[str]) -> list[IRI]:
    """Graph names as terms; BadParameter for one that is no absolute IRI."""
    try:
        return [IRI(name) for name in names]
    except ValueError as error:
        raise BadParameter(parameter, str(error), advice="Give an absolute IRI.") from error


@lru_cache(maxsize=512)
def names_a_dataset(query: str) -> bool:
    """Whether the query has FROM clauses: the union switch would silently override them."""
    return "FROM" in query.upper() and _FROM.search(without_strings_and_comments(query)) is not None


def _values_block(query: Query) -> str:
    """A VALUES clause for each constant; terms print themselves escaped, so no text of a user is pasted."""
    if not query.values:
        return ""
    if len(query.values) > 1:
        raise ValueError("a trailing VALUES clause binds one variable; join further ones in the query itself")
    ((name, terms),) = query.values.items()
    return f"\nVALUES ?{name} {{ {' '.join(map(str, terms))} }}\n"
