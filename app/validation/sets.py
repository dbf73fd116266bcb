"""Validates the whole graph in the engine: runs the compiled queries and the graph checks.

The engine is a callable, so any SPARQL 1.1 engine will do. It must answer with the union of all named graphs
as default graph. Never reads shapes and never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from app.model.rdf import XSD, Blank, Literal, Term
from app.validation.compiler import CompiledQuery, compile_shapes
from app.validation.findings import Finding, Report, fill, number_text
from app.validation.shapes import Check, Shapes

Row: TypeAlias = Mapping[str, Term]
Run: TypeAlias = Callable[[str], Iterable[Row]]

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
