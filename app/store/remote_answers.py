"""Turns what an external engine sent into answers of the port. A cut-off or malformed answer is an error, never data.

Engines differ in how they print what is the same value: Virtuoso writes true as 1 and 1000 as 1000.0. Here every value
gets the form that the embedded engine gives it. Blank nodes live in the engine as IRIs below `SKOLEM` (RDF 1.1,
section 3.5), so that they keep their identity between requests; here they become blank nodes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import pyoxigraph as ox

from app import vocab
from app.errors import BadQuery, EngineUnavailable, QueryRefused, QueryTimeout
from app.model.rdf import IRI, XSD, Blank, Quad, Term, Triple
from app.store.engine import EngineAnswer, as_stored, bad_query, without_strings_and_comments

SKOLEM = vocab.BASE + ".well-known/genid/"
_ASKED = "__ASK_RETVAL"
"""Virtuoso answers ASK with a table of one cell of this name."""
_ODD = b"typed-literal"
"""Marks the JSON of engines that keep the first draft's word for literals with a datatype; Virtuoso is one."""
_SAFE_DIGITS = 15
_VALUES = re.compile(r"\bVALUES\b", re.IGNORECASE)
_ADVICE = "Nothing was read. See the engine's log; try again."


def stored_term(term: Term) -> Term:
    """A term as it is kept in the engine: blank nodes as IRIs."""
    return IRI(SKOLEM + quote(term.value, safe="")) if isinstance(term, Blank) else term


def own_term(term: Any) -> Any:
    """The reverse of `stored_term`."""
    if isinstance(term, IRI) and term.value.startswith(SKOLEM):
        return Blank(unquote(term.value.removeprefix(SKOLEM)))
    return term


def stored_triples(quads: Iterable[Quad]) -> Iterator[Triple]:
    """The triples of quads, as they are kept in the engine."""
    for quad in quads:
        yield Triple(stored_term(quad.subject), quad.predicate, stored_term(quad.object))  # type: ignore[arg-type]


def rounded(quad: Quad, places: int) -> Quad:
    """A quad whose decimal has at most so many places."""
    value = quad.object
    if not isinstance(value, ox.Literal) or value.datatype.value != XSD + "decimal":
        return quad
    whole, point, fraction = value.value.partition(".")
    if not point or len(fraction) <= places or not (whole.lstrip("-") + fraction).isdecimal():
        return quad
    with localcontext(prec=100, rounding=ROUND_HALF_UP):
        shown = format(Decimal(value.value).quantize(Decimal(1).scaleb(-places)), "f")
    return Quad(quad.subject, quad.predicate, ox.Literal(shown, datatype=value.datatype), quad.graph_name)


def is_long_number(term: Any) -> bool:
    """Whether a term is a number with more digits than a double has: some engines round those."""
    return (
        isinstance(term, ox.Literal)
        and len(term.value) > _SAFE_DIGITS
        and term.datatype.value in {XSD + kind for kind in ("integer", "decimal", "double")}
    )


def rows(body: bytes, hidden: frozenset[str] = frozenset()) -> EngineAnswer:
    """The answer to a SELECT query. `hidden` variables are left out."""
    if _ODD in body or SKOLEM.encode() in body or any(name.encode() in body for name in hidden):
        body = _rewritten(body, hidden)
    try:
        for _ in _solutions(body):
            pass  # to the end, so that no cut is found after the first rows have left
        return EngineAnswer(_solutions(body))
    except (SyntaxError, ValueError) as error:
        raise malformed(body) from error


def _solutions(body: bytes) -> ox.QuerySolutions:
    parsed = ox.parse_query_results(body, format=ox.QueryResultsFormat.JSON)
    if not isinstance(parsed, ox.QuerySolutions):
        raise malformed(body)
    return parsed


def truth(body: bytes) -> EngineAnswer:
    """The answer to an ASK query."""
    document = _document(body)
    try:
        if "boolean" in document:
            value = document["boolean"]
        else:
            if document["head"]["vars"] != [_ASKED]:
                raise malformed(body)
            value = [row[_ASKED]["value"] for row in document["results"]["bindings"]] == ["1"]
    except (KeyError, ValueError, TypeError) as error:
        raise malformed(body) from error
    if not isinstance(value, bool):
        raise malformed(body)
    parsed = ox.parse_query_results(json.dumps({"head": {}, "boolean": value}), format=ox.QueryResultsFormat.JSON)
    assert isinstance(parsed, ox.QueryBoolean)  # noqa: S101 - we wrote it ourselves
    return EngineAnswer(parsed)


def graph(body: bytes) -> EngineAnswer:
    """The answer to a CONSTRUCT or DESCRIBE query. The embedded engine carries it, so values take its form."""
    carrier = ox.Store()
    try:
        carrier.bulk_extend(
            Quad(own_term(triple.subject), triple.predicate, own_term(triple.object))
            for triple in ox.parse(body, format=ox.RdfFormat.N_TRIPLES)
        )
    except (SyntaxError, ValueError) as error:
        raise malformed(body) from error
    found = carrier.query("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
    assert isinstance(found, ox.QueryTriples)  # noqa: S101 - it is a CONSTRUCT query
    return EngineAnswer(found)


def cells(body: bytes) -> list[dict[str, str]]:
    """The rows of one of our own small queries, as plain text by variable."""
    try:
        return [{name: cell["value"] for name, cell in row.items()} for row in _document(body)["results"]["bindings"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(body) from error


def malformed(body: bytes) -> EngineUnavailable | QueryTimeout:
    """The error for an answer that cannot be read: Oxigraph's server says at a cut that it stopped the query."""
    end = body[-200:].decode(errors="replace")
    if "cancelled" in end:
        return QueryTimeout("the engine stopped the query and sent a part of the answer")
    return EngineUnavailable(f"the engine's answer is cut off or malformed; it ends with {end[-60:]!r}", advice=_ADVICE)


def diagnosis(text: str, words: str) -> BadQuery | QueryRefused:
    """Why an engine could not read a query, with the place if our own parser finds a mistake; else with its words.

    QueryRefused where our own parser finds none: then it is the engine that cannot do what others can.

    Nothing is evaluated, since a stranger's query could take for ever even over nothing: the query is first joined
    with an empty table, which the parser's optimiser sees. Only where that does not parse, and not for a table that
    the query has itself, is it read as it stands.
    """
    try:
        ox.Store().query(text + "\nVALUES ?none {}", base_iri=vocab.BASE)
    except SyntaxError as error:
        place = bad_query(error)
        if place.line is not None and place.line <= text.count("\n") + 1:
            return place
        if _VALUES.search(without_strings_and_comments(text)) is None:
            with suppress(ValueError, OSError, RuntimeError):
                return _place(text) or BadQuery(words)
    except (ValueError, OSError, RuntimeError):
        pass
    else:
        return QueryRefused(f"the engine cannot answer this: {words}", advice="Ask in other words.")
    return BadQuery(words)


def _place(text: str) -> BadQuery | None:
    """The place of the mistake in a text that is known not to parse."""
    try:
        ox.Store().query(text, base_iri=vocab.BASE)
    except SyntaxError as error:
        return bad_query(error)
    return None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body, strict=False)
    except ValueError as error:
        raise malformed(body) from error
    if not isinstance(document, dict):
        raise malformed(body)
    return document


def _rewritten(body: bytes, hidden: frozenset[str]) -> bytes:
    """The same rows with hidden variables left out, blank nodes restored and values in the embedded engine's form."""
    document = _document(body)
    try:
        names = [name for name in document["head"]["vars"] if name not in hidden]
        found = [
            {name: _cell(cell) for name, cell in row.items() if name not in hidden}
            for row in document["results"]["bindings"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(body) from error
    return json.dumps({"head": {"vars": names}, "results": {"bindings": found}}).encode()


def _cell(cell: dict[str, str]) -> dict[str, str]:
    """One value in the standard's words."""
    kind, value = cell["type"], cell["value"]
    if kind == "uri":
        if value.startswith(SKOLEM):
            return {"type": "bnode", "value": unquote(value.removeprefix(SKOLEM))}
        return cell
    if kind == "bnode":
        return {"type": "bnode", "value": value.removeprefix("nodeID://")}
    if "datatype" not in cell:
        return cell
    stored = _canonical(value, cell["datatype"])
    return {"type": "literal", "value": stored.value, "datatype": stored.datatype.value}


@lru_cache(maxsize=50_000)
def _canonical(value: str, datatype: str) -> ox.Literal:
    """A literal in the form that the embedded engine gives it."""
    anything = IRI("x:x")
    (quad,) = as_stored([Quad(anything, anything, ox.Literal(value, datatype=IRI(datatype)), anything)])
    assert isinstance(quad.object, ox.Literal)  # noqa: S101 - a literal went in
    return quad.object
