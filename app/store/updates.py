"""Reads an update before it runs: what it may not do is refused, and the protocol's dataset is written into it.

LOAD would fetch from other machines, so it is refused; LOAD SILENT may stay, since it runs where there is no network
and then does nothing. The text is not parsed here: the engine does that, in a process that can reach nothing, and
tells the place of a mistake. A grammar in Python reads 60,000 characters a second, and updates may be long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.errors import BadParameter, QueryRefused
from app.model.rdf import iri
from app.store.engine import without_strings_and_comments
from app.store.guard import calls_service, readings_of

_WORD = re.compile(r"[A-Za-z_]\w*")
_LOAD = re.compile(r"(?<![?$:\w-])LOAD(?![\w:-])(?P<silent>\s+SILENT\b)?", re.IGNORECASE)
_DATASET = re.compile(r"(?<![?$:\w-])(USING|WITH)(?![\w:-])", re.IGNORECASE)


def guarded_update(text: str, *, using: tuple[str, ...] = (), using_named: tuple[str, ...] = (), limit: int) -> str:
    """The update that may run, with the protocol's `using-graph-uri` and `using-named-graph-uri` written into it.

    Raises QueryRefused for LOAD and SERVICE, and BadParameter when the request and the update both choose a dataset.
    """
    if len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit:
        raise QueryRefused(f"the update is longer than {limit} bytes", advice="Send it in parts.")
    readings = readings_of(text)
    if any(found["silent"] is None for reading in readings for found in _loads(reading)):
        raise QueryRefused("LOAD is not allowed", advice="Fetch the data yourself and send it.")
    if calls_service(readings):
        raise QueryRefused("SERVICE is not allowed", advice="Ask the other endpoint yourself and send the data.")
    if not using and not using_named:
        return text
    if _DATASET.search(without_strings_and_comments(text)):
        raise BadParameter(
            "using-graph-uri", "the update chooses a dataset itself", advice="Use the parameters, or USING and WITH."
        )
    clause = "".join([f" USING <{iri(graph).value}>" for graph in using])
    clause += "".join([f" USING NAMED <{iri(graph).value}>" for graph in using_named])
    return _insert(text, clause)


def _loads(reading: str) -> Iterator[re.Match[str]]:
    """Every LOAD. Most updates do not have these letters at all, and need not be taken apart."""
    return _LOAD.finditer(without_strings_and_comments(reading) if "load" in reading.casefold() else "")


def _insert(text: str, clause: str) -> str:
    """Write a clause before the WHERE of each operation that has templates."""
    parts: list[str] = []
    done = 0
    for position in _wheres(text):
        parts += [text[done:position], clause, " "]
        done = position
    return "".join([*parts, text[done:]])


def _wheres(text: str) -> Iterator[int]:
    """Where the WHERE of an operation with templates begins: outside braces, after a closing one."""
    depth = 0
    after_template = False
    position = 0
    blanked = without_strings_and_comments(text)
    while position < len(blanked):
        character = blanked[position]
        word = _WORD.match(blanked, position)
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            after_template = depth == 0
        elif word is not None:
            if depth == 0 and word.group().upper() == "WHERE" and after_template:
                yield position
            position = word.end()
            continue
        elif character == ";":
            after_template = False
        position += 1
