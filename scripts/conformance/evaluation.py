"""Judges the tests that are about the language: syntax, query evaluation, update evaluation, result formats.

Every text gets a BASE line with the address of its file, because the suite's relative addresses mean that. A judge
returns why a test failed, or None.
"""

from __future__ import annotations

import json
import re
from typing import Final

from pyoxigraph import Dataset, DefaultGraph, Quad, QueryResultsFormat, RdfFormat

from .answers import (
    NOT_SYNTAX,
    Table,
    UnreadableAnswer,
    difference,
    expected_type,
    is_ordered,
    read_answer,
    read_expected,
    read_graphs,
)
from .manifest import Graphs, QueryAction, Source, SyntaxAction, UpdateAction
from .targets import ALL_QUADS, Reply, Target, prepare

JSON: Final = QueryResultsFormat.JSON.media_type
# what an engine may read and still not carry out: it needs the network, a graph that is there, or a function of ours
MAY_FAIL_WHEN_RUN: Final = re.compile(r"\b(?:SERVICE|LOAD|CREATE|CLEAR|DROP|COPY|MOVE|ADD)\b|:\w+\s*\(", re.IGNORECASE)
SAYS_NOT_READ: Final = frozenset({400, 401, 405, 406, 413, 414, 415})


def judge(action: SyntaxAction | QueryAction | UpdateAction, target: Target, *, strict: bool) -> str | None:
    """Run one test on a target."""
    try:
        match action:
            case SyntaxAction():
                return _judge_syntax(action, target)
            case QueryAction():
                return _judge_query(action, target, strict)
            case UpdateAction():
                return _judge_update(action, target, strict)
    except UnreadableAnswer as error:
        return str(error)


def _with_base(source: Source) -> str:
    return f"BASE <{source.iri}>\n{source.text()}"


def _judge_syntax(action: SyntaxAction, target: Target) -> str | None:
    prepare(target, Graphs())
    text = _with_base(action.text)
    reply = target.update(text) if action.update else target.query(text, JSON, RdfFormat.N_TRIPLES.media_type)
    if not action.good:
        return None if reply.status == 400 else f"a malformed text must be answered with 400, got {reply.shown()}"
    return None if reply.ok or _was_read(text, reply) else f"a correct text was refused: {reply.shown()}"


def _was_read(text: str, reply: Reply) -> bool:
    """Whether a text was read and understood, and only could not be, or may not be, carried out."""
    if not MAY_FAIL_WHEN_RUN.search(NOT_SYNTAX.sub(" ", text)):
        return False
    return reply.status not in SAYS_NOT_READ or _problem_type(reply).endswith("query-refused")


def _problem_type(reply: Reply) -> str:
    """The type of an RFC 9457 problem, or nothing."""
    if reply.media_type != "application/problem+json":
        return ""
    problem = json.loads(reply.body)
    return str(problem.get("type", "")) if isinstance(problem, dict) else ""


def _judge_query(action: QueryAction, target: Target, strict: bool) -> str | None:
    prepare(target, action.before)
    accept = expected_type(action.answer)
    reply = target.query(_with_base(action.query), accept)
    if not reply.ok:
        return reply.shown()
    if reply.media_type != accept:
        return f"asked for {accept}, got {reply.media_type or 'no media type'}"
    actual = read_answer(reply.body, accept, action.query.iri)
    expected = read_expected(action.answer)
    return difference(expected, actual, ordered=is_ordered(action.query.text()), strict=strict)


def _judge_update(action: UpdateAction, target: Target, strict: bool) -> str | None:
    prepare(target, action.before)
    reply = target.update(_with_base(action.request))
    if not reply.ok:
        return reply.shown()
    found = target.query(ALL_QUADS, JSON)
    if not found.ok:
        return f"the store cannot be read after the update: {found.shown()}"
    actual = read_answer(found.body, JSON, action.request.iri)
    if not isinstance(actual, Table):
        return "the store cannot be read after the update"
    return difference(read_graphs(action.after), _dataset(actual), strict=strict)


def _dataset(table: Table) -> Dataset:
    """The dataset that the rows of ALL_QUADS spell out."""
    dataset = Dataset()
    for row in table.rows:
        terms = dict(row)
        dataset.add(Quad(terms["s"], terms["p"], terms["o"], terms.get("g", DefaultGraph())))  # type: ignore[arg-type]
    return dataset
