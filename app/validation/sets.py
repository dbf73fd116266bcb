"""Validates the whole graph in the engine: runs the compiled queries and the graph checks, and collects findings.

The engine is a callable, so any SPARQL 1.1 engine will do. It must answer with the union of all named graphs as
default graph. Never reads shapes and never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from app.model.rdf import Blank, Term
from app.validation.compiler import CompiledQuery, compile_shapes
from app.validation.findings import Finding, Report, fill
from app.validation.shapes import Check, Shapes

Row: TypeAlias = Mapping[str, Term]
Run: TypeAlias = Callable[[str], Iterable[Row]]


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
        """Run the graph checks (G…) only. They see named graphs, so they need the dataset and not its union."""
        findings: list[Finding] = []
        for check in self._checks:
            findings += _rows_of_check(check, run(check.query))
            on_step()
        return Report.of(findings)


def text_of(term: Term) -> str:
    """Return an IRI or the characters of a literal; a blank node as _:label."""
    return f"_:{term.value}" if isinstance(term, Blank) else term.value


def _findings(query: CompiledQuery, rows: Iterable[Row]) -> Iterator[Finding]:
    for row in rows:
        texts = {name: text_of(term) for name, term in row.items()}
        value = texts.get("value")
        yield Finding(
            query.constraint,
            query.severity,
            texts["this"],
            fill(query.message, texts, value),
            query.path,
            value,
        )


def _rows_of_check(check: Check, rows: Iterable[Row]) -> Iterator[Finding]:
    for row in rows:
        texts = {name: text_of(term) for name, term in row.items()}
        yield Finding(check.id, check.severity, texts["this"], texts["message"], None, texts.get("value"))
