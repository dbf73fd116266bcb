"""What a request asks in SPARQL: one query with its dataset, at one revision. Reads parameters; answers nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

from app.errors import BadParameter, QueryRefused
from app.model.rdf import iri
from app.store.port import Query
from app.web.revisions import revision_in

DATASET = ("default-graph-uri", "named-graph-uri")
"""Parameters that name the graphs of a query's dataset."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one request asks: a query with its dataset, and the revision to ask, if it names one."""

    query: Query
    revision: int | None = None


def operation(scope: Scope, fields: Iterable[tuple[str, str]]) -> Operation:
    """The query, its dataset and its revision; BadParameter unless there is exactly one query."""
    by_name: dict[str, list[str]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    if "update" in by_name:
        raise QueryRefused("updates are not served here", advice="Only queries are answered here.")
    queries = by_name.get("query", [])
    if len(queries) != 1:
        found = "there are several" if queries else "there is none"
        raise BadParameter("query", f"exactly one query is needed, {found}", advice="Send one parameter `query`.")
    default, named = (_graphs(name, by_name) for name in DATASET)
    query = Query(queries[0], default_graphs=default, named_graphs=named)
    return Operation(query, revision_in(scope, by_name.get("revision", ())))


def _graphs(name: str, fields: dict[str, list[str]]) -> tuple[str, ...]:
    graphs = tuple(fields.get(name, ()))
    for graph in graphs:
        try:
            iri(graph)
        except ValueError as error:
            raise BadParameter(name, "is not an absolute IRI") from error
    return graphs
