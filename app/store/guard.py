"""Reads a stranger's query before the engine does, and refuses what could reach out or write. Fails closed.

SERVICE makes the engine call other machines, and an update would write; neither is for the query endpoint.

A query is read in three ways that share nothing, and each of them can refuse:

1. Without the letters of SERVICE anywhere, code point escapes resolved, no grammar can call another machine. The
   first word after the prologue says what the query is, and no word of an update may be among its words. Nearly all
   queries end here, in microseconds.
2. With these letters, whatever could be a call is refused wherever it stands, also in strings and comments; and so is
   the word itself outside of strings, IRIs, names and comments.
3. What is left, the word in a string, a comment or a name, must be short and parse by rdflib's SPARQL 1.1 grammar, and
   its tree must hold no SERVICE. What cannot be parsed is refused.

The guard's own time is bounded: rdflib reads only a few bytes in a millisecond, so it never sees a long query, and
brackets within brackets are counted before anything recurses into them.
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

MOST_NESTED = 200
"""Brackets within brackets. Real queries stay below twenty; the stack of a parser ends somewhere."""
LONGEST_PARSED = 5_000
"""Characters of a query that rdflib is asked about; the worst of that size takes it about a second."""
_SHORT = 1_000
"""Bytes that are within every limit that can be set for queries."""
_PASSES = 2
"""Escapes are resolved once by the standard; once more, in case that an engine does it again inside strings."""
_UPDATES = {"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"}
_UPDATE = re.compile(rf"\b(?:{'|'.join(sorted(_UPDATES))})\b")
_CALL = "SERVICE"
_GAPS = (r"(?>\s|#[^\n\r]*+)*+", r"(?>\s|#[^\n]*+)*+")
"""Blanks and comments. Parsers differ in whether a carriage return ends a comment: both readings count."""
_TARGET = r"(?:<[^<>]*>|[?$]\w+|[^\s{}<>\"'#?$:]*:(?:\\.|[^\s{}<>\"'#\\])*)"
_VARIABLE = re.compile(r"[?$]\w+")
_CALLS = tuple(re.compile(rf"SERVICE{gap}(?:SILENT{gap})?{_TARGET}{gap}\{{", re.IGNORECASE) for gap in _GAPS)
_WORD = re.compile(
    r"[?$]\w+"  # a variable
    r"|@[a-z]+(?:-[a-z0-9]+)*"  # the language of a string
    r"|(?:[^\W\d_][\w.\-]*|_)?:(?:[\w:.\-%]|\\.)*"  # a prefixed name, or a blank node's label
    r"|\d+"
    r"|(?P<word>[^\W\d]\w*)",
    re.IGNORECASE,
)
_BLANK = r"(?>[ \t\r\n]|#[^\r\n]*+)"
_PROLOGUE = re.compile(
    rf"{_BLANK}*+(?:(?:BASE{_BLANK}*+|PREFIX{_BLANK}++[^\s:<>\"'{{}}()]*+:{_BLANK}*+)<[^<>]*+>{_BLANK}*+"
    rf"|VERSION{_BLANK}*+(?:\"[^\"\n\r]*+\"|'[^'\n\r]*+'){_BLANK}*+)*+",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"[A-Za-z]+")
_BRACKET = re.compile(r"[\[\](){}]")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


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


_TREES = {
    "SelectQuery": Form.SELECT,
    "AskQuery": Form.ASK,
    "ConstructQuery": Form.CONSTRUCT,
    "DescribeQuery": Form.DESCRIBE,
}
_KNOWN: dict[str, Form] = {}
_KEPT = 2048
"""Queries with the word whose form is remembered; they are short."""


def guard(text: str, *, limit: int) -> Form:
    """Return the form of a query that may run; BadQuery when it does not parse, QueryRefused when it may not run."""
    if len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit:
        raise QueryRefused(f"the query is longer than {limit} bytes", advice="Send a shorter query.")
    known = _KNOWN.get(text)
    if known is not None:
        return known
    readings = readings_of(text)
    if not _shallow(text):
        _check_nesting(text)
    form = _form(readings[-1])
    letters = "\n".join(readings).upper()
    if _may_write(letters):
        _check_writes(readings)
    if _CALL in letters:
        form = _parsed(text, readings)
        while len(_KNOWN) >= _KEPT:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[text] = form
    return form


def known_form(text: str, *, limit: int = _SHORT) -> Form | None:
    """The form of a query that may run, where that takes no time; None where it does, or where it may not run."""
    known = _KNOWN.get(text)
    if known is None and len(text) <= limit and text.isascii() and "\\" not in text:
        letters = text.upper()
        if _CALL not in letters and not _may_write(letters) and _shallow(text):
            return _form(text)
    return known


def readings_of(text: str) -> tuple[str, ...]:
    """A text as it stands, and with its code point escapes resolved."""
    readings = [text]
    for _ in range(_PASSES):
        if "\\" in readings[-1]:
            readings.append(_ESCAPE.sub(_character, readings[-1]))
    return tuple(readings)


def words_of(text: str) -> Iterator[str]:
    """The bare words of a text in capitals: neither in strings, IRIs and comments, nor variables or prefixed names."""
    for found in _WORD.finditer(without_strings_and_comments(text)):
        if found["word"] is not None:
            yield found["word"].upper()


def calls_service(readings: tuple[str, ...]) -> bool:
    """Whether a text, in any of its readings, could call another endpoint. May be wrong only by saying yes."""
    return any(
        any(call.search(_VARIABLE.sub("?v", reading)) for call in _CALLS)
        or any("SERVICE" in word for word in words_of(reading))
        for reading in readings
        if _CALL in reading.upper()
    )


def _character(escape: re.Match[str]) -> str:
    point = int(escape.group(1) or escape.group(2), 16)
    return chr(point) if point <= 0x10FFFF else ""


def _form(text: str) -> Form:
    """The form by the first word after the prologue."""
    prologue = _PROLOGUE.match(text)
    start = prologue.end() if prologue is not None else 0
    found = _KEYWORD.match(text, start)
    word = found.group().upper() if found is not None else ""
    if word in _UPDATES:
        raise QueryRefused("this is an update, not a query", advice="Only queries are answered here.")
    if word not in Form.__members__:
        line = text.count("\n", 0, start) + 1
        raise BadQuery(
            "SELECT, ASK, CONSTRUCT or DESCRIBE is expected", line=line, column=start - text.rfind("\n", 0, start)
        )
    return Form[word]


def _may_write(letters: str) -> bool:
    """Whether a word of updates stands anywhere in a text in capitals, be it in a string."""
    return any(word in letters for word in _UPDATES) and _UPDATE.search(letters) is not None


def _check_writes(readings: tuple[str, ...]) -> None:
    """No word of an update is a word of a query, wherever it stands."""
    if any(not _UPDATES.isdisjoint(words_of(reading)) for reading in readings):
        raise QueryRefused("this writes, and a query does not", advice="Only queries are answered here.")


def _shallow(text: str) -> bool:
    """Whether there are too few brackets for any nesting that matters."""
    return sum(map(text.count, "({[")) <= MOST_NESTED


def _check_nesting(text: str) -> None:
    depth = 0
    for found in _BRACKET.finditer(without_strings_and_comments(text)):
        depth += 1 if found.group() in "({[" else -1
        if depth > MOST_NESTED:
            raise QueryRefused(f"brackets are nested more than {MOST_NESTED} deep", advice="Ask in a flatter way.")


def _parsed(text: str, readings: tuple[str, ...]) -> Form:
    """The form of a query in which the letters of SERVICE stand somewhere."""
    if calls_service(readings):
        raise QueryRefused(
            "SERVICE is not allowed",
            advice="Ask the other endpoint yourself and join the answers at home. A call in a comment counts too.",
        )
    if len(text) > LONGEST_PARSED:
        raise QueryRefused(
            f"a query that holds the word SERVICE may be no longer than {LONGEST_PARSED} characters",
            advice="Leave the word out: shorten the comment, or search for a part of the string.",
        )
    try:
        tree = parseQuery(text)
    except ParseException as error:
        raise BadQuery(str(error.msg), line=error.lineno, column=error.column) from error
    except (RecursionError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadQuery("the query cannot be read") from error
    if "ServiceGraphPattern" in set(_names(tree)):
        raise QueryRefused("SERVICE is not allowed", advice="Ask the other endpoint yourself and join the answers.")
    form = _TREES.get(tree[-1].name)
    if form is None:
        raise BadQuery("this is no SELECT, ASK, CONSTRUCT or DESCRIBE query")
    return form


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
