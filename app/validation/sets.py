"""Validates the whole graph in the engine: runs the compiled queries and the graph checks.

The engine is a callable, so any SPARQL 1.1 engine will do. It must answer with the union of all named graphs
as default graph. Never reads shapes and never writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias

from app import vocab
from app.model.rdf import IRI, XSD, Blank, Literal, Term
from app.validation.compiler import CompiledQuery, compile_shapes
from app.validation.findings import Finding, Report, fill, number_text
from app.validation.shapes import Check, Shapes

Row: TypeAlias = Mapping[str, Term]
Run: TypeAlias = Callable[[str], Iterable[Row]]

_LOOKING_BACK = re.compile(r"([\w-]+:[\w-]+)\s+[?$]this\b")
_SELECTS_THIS = re.compile(r"SELECT[^{}]*[?$]this\b[^{}]*WHERE\s*\{")
_PREFIX = re.compile(r"PREFIX\s+([\w-]+):\s*<([^<>\s]*)>")
_IRI = re.compile(r"<([a-z]+:[^<>\s]*)>")
_NAME = re.compile(r"\b([\w-]+):([\w.-]*\w)")
_FRACTIONS = frozenset(XSD + name for name in ("decimal", "double", "float"))


class SetValidator:
    """The shapes of one folder, compiled once. Safe to use from several threads."""

    def __init__(self, shapes: Shapes) -> None:
        self._queries = compile_shapes(shapes)
        self._checks = shapes.checks

    @property
    def queries(self) -> tuple[CompiledQuery, ...]:
        """The compiled queries, in the order of the constraints."""
        return self._queries

    def steps(self) -> int:
        """Return how many queries a full validation runs, for progress bars."""
        return len(self._queries) + len(self._checks)

    def validate(self, run: Run, *, on_step: Callable[[], None] = lambda: None) -> Report:
        """Run everything and return the report; `on_step` is called after each query."""
        return self.constraints(run, on_step=on_step) + self.checks(run, on_step=on_step)

    @cached_property
    def looked_back(self) -> frozenset[str]:
        """The predicates by which some constraint looks from a node to what points at it."""
        found: set[str] = set()
        for query in self._queries:
            found |= {vocab.expand(name) for name in _LOOKING_BACK.findall(query.text)}
            found |= set(re.findall(r"<([^<>]+)> \?this\b", query.targets))
            found |= set(re.findall(r"\^<([^<>]+)>", query.path or ""))
        return frozenset(found)

    @cached_property
    def named(self) -> frozenset[IRI]:
        """Every IRI that a constraint or a check names: its predicates and classes are among them, and few others."""
        texts = {text for query in self._queries for text in (query.text, query.targets)}
        texts |= {check.query for check in self._checks}
        found: set[IRI] = set()
        for text in texts:
            prefixes = dict(_PREFIX.findall(text))
            found |= {IRI(name) for name in _IRI.findall(text)}
            found |= {IRI(prefixes[prefix] + name) for prefix, name in _NAME.findall(text) if prefix in prefixes}
        return frozenset(found)

    def at(self, run: Run, focus: Iterable[IRI | Literal]) -> Report:
        """Run the compiled shapes (C…) and the graph checks (G…), and return the findings at these nodes only.

        Each query is bound to the nodes, so that an engine with indexes need not look at the whole graph.
        """
        nodes = list(focus)
        if not nodes:
            return Report()
        findings: list[Finding] = []
        targeted: dict[str, list[Term]] = {}
        for query in self._queries:
            if query.targets not in targeted:
                targeted[query.targets] = [row["this"] for row in run(_bound(query.targets, nodes))]
            chosen = targeted[query.targets]
            if chosen:
                findings += _findings(query, run(_bound(query.text, chosen)))
        for check in self._checks:
            findings += _rows_of_check(check, run(_bound(check.query, nodes)))
        return Report.of(findings)

    def constraints(self, run: Run, *, on_step: Callable[[], None] = lambda: None) -> Report:
        """Run the compiled shapes (C…) only."""
        findings: list[Finding] = []
        for query in self._queries:
            findings += _findings(query, run(query.text))
            on_step()
        return Report.of(findings)

    def checks(self, run: Run, *, on_step: Callable[[], None] = lambda: None) -> Report:
        """Run the graph checks (G…) only. They see named graphs, so they need the whole dataset."""
        findings: list[Finding] = []
        for check in self._checks:
            findings += _rows_of_check(check, run(check.query))
            on_step()
        return Report.of(findings)


def _bound(text: str, nodes: Iterable[Term]) -> str:
    """A query with ?this bound in each select that gives it. Terms print themselves escaped."""
    values = f" VALUES ?this {{ {' '.join(map(str, nodes))} }} "
    return _SELECTS_THIS.sub(lambda found: found.group() + values, text)


def text_of(term: Term) -> str:
    """Return an IRI or the characters of a literal; a blank node as _:label."""
    return f"_:{term.value}" if isinstance(term, Blank) else term.value


def _words_for(term: Term) -> str:
    if isinstance(term, Literal) and term.datatype.value in _FRACTIONS:
        return number_text(term.value)
    return text_of(term)


def _findings(query: CompiledQuery, rows: Iterable[Row]) -> Iterator[Finding]:
    for row in rows:
        words = {name: _words_for(term) for name, term in row.items()}
        yield Finding(
            query.constraint,
            query.severity,
            text_of(row["this"]),
            fill(query.message, words, words.get("value")),
            query.path,
            text_of(row["value"]) if "value" in row else None,
        )


def _rows_of_check(check: Check, rows: Iterable[Row]) -> Iterator[Finding]:
    for row in rows:
        value = text_of(row["value"]) if "value" in row else None
        yield Finding(check.id, check.severity, text_of(row["this"]), text_of(row["message"]), None, value)
