"""Reads a stranger's query before the engine does, and refuses what could reach out or write. Fails closed.

SERVICE and LOAD make the engine call other machines, and an update would write; none of them is for the query
endpoint. The query is parsed by rdflib's SPARQL 1.1 grammar, and its keywords are looked for a second time as plain
text, with escapes decoded, so that one parser's mistake is not enough. What the guard cannot parse is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from pyparsing import ParseException
from rdflib.plugins.sparql.parser import parseQuery

from app.errors import BadQuery, QueryRefused
from app.store.engine import without_strings_and_comments

_UPDATES = re.compile(
    r"^\s*(?:(?:PREFIX\s+\S*\s*|BASE\s*)\s*)*(INSERT|DELETE|LOAD|CLEAR|CREATE|DROP|COPY|MOVE|ADD|WITH)\b",
    re.IGNORECASE,
)
_SERVICE = re.compile(r"(?<![?$:\w-])SERVICE(?![\w:-])", re.IGNORECASE)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_FORMS = {
    "SelectQuery": "select",
    "AskQuery": "ask",
    "ConstructQuery": "construct",
    "DescribeQuery": "describe",
}


class Form(StrEnum):
    """The four forms of a SPARQL query."""

    SELECT = "select"
    ASK = "ask"
    CONSTRUCT = "construct"
    DESCRIBE = "describe"

    @property
    def gives_graph(self) -> bool:
        """Whether the answer is triples rather than rows or a truth value."""
        return self in {Form.CONSTRUCT, Form.DESCRIBE}


_KNOWN: dict[str, Form] = {}
_KEPT = 2048
"""Queries whose form is remembered; dashboards send the same ones again and again."""


def guard(text: str, *, limit: int) -> Form:
    """Return the form of a query that may run; BadQuery when it does not parse, QueryRefused when it may not run."""
    if len(text.encode("utf-8", "surrogatepass")) > limit:
        raise QueryRefused(f"the query is longer than {limit} bytes", advice="Send a shorter query.")
    form = _KNOWN.get(text)
    if form is None:
        form = _checked(text)
        while len(_KNOWN) >= _KEPT:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[text] = form
    return form


def known_form(text: str) -> Form | None:
    """The form of a query that has passed the guard lately, without reading it again."""
    return _KNOWN.get(text)


def _checked(text: str) -> Form:
    decoded = _decoded(text)
    for reading in (text, decoded):
        bare = without_strings_and_comments(reading)
        if _UPDATES.match(bare):
            raise QueryRefused("this is an update, not a query", advice="Only queries are answered here.")
        if _SERVICE.search(bare):
            raise QueryRefused(
                "SERVICE is not allowed",
                advice="Ask the other endpoint yourself and join the answers at home.",
            )
    try:
        tree = parseQuery(text)
    except ParseException as error:
        raise BadQuery(str(error.msg), line=error.lineno, column=error.column) from error
    except (RecursionError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadQuery("the query cannot be read") from error
    names = set(_names(tree))
    if "ServiceGraphPattern" in names:
        raise QueryRefused("SERVICE is not allowed", advice="Ask the other endpoint yourself and join the answers.")
    found = names & _FORMS.keys()
    outer = tree[-1].name
    if outer not in found:
        raise BadQuery("this is no SELECT, ASK, CONSTRUCT or DESCRIBE query")
    return Form(_FORMS[outer])


def _decoded(text: str) -> str:
    """The text with its code point escapes resolved, as the engine reads it."""

    def character(match: re.Match[str]) -> str:
        point = int(match.group(1) or match.group(2), 16)
        return chr(point) if point <= 0x10FFFF else ""

    return _ESCAPE.sub(character, text)


def _names(node: Any) -> Iterator[str]:
    """Names of all parts of a parse tree."""
    stack = [node]
    while stack:
        part = stack.pop()
        name = getattr(part, "name", None)
        if isinstance(name, str):
            yield name
        if isinstance(part, dict):
            stack.extend(part.values())
        elif isinstance(part, list | tuple) or hasattr(part, "asList"):
            stack.extend(part)
