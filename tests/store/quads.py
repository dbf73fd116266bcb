"""Small quads, changes and queries for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from app.model.changes import ChangeSet
from app.model.rdf import IRI, XSD, Literal, Quad, Term
from app.store.port import GraphStore, Query

BASE = "https://example.org/"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def name(local: str) -> IRI:
    return IRI(BASE + local)


def typed(characters: str, kind: str) -> Literal:
    return Literal(characters, datatype=IRI(XSD + kind))


def quad(subject: str, value: Term | str | int, graph: str = "g", predicate: str = "p") -> Quad:
    term = Literal(value) if isinstance(value, str | int) else value
    return Quad(name(subject), name(predicate), term, name(graph))


def change(add: Iterable[Quad] = (), remove: Iterable[Quad] = (), reason: str = "test") -> ChangeSet:
    return ChangeSet(frozenset(add), frozenset(remove), reason, BASE + "me", NOON)


def content(store: GraphStore, number: int | None = None) -> set[Quad]:
    return set(store.at(number).quads())


def column(store: GraphStore, query: Query | str, number: int | None = None) -> list[Term]:
    """The only column of a SELECT query."""
    answer = store.at(number).query(Query(query) if isinstance(query, str) else query)
    (only,) = answer.variables
    return [row[only] for row in answer.rows()]
