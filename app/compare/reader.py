"""Runs the stored queries of the read side on one snapshot and turns terms into plain values. Never writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from app import vocab
from app.compare.values import Thing, Value
from app.model.rdf import IRI, Literal, Term, python_value
from app.store.port import Query, Row, Snapshot
from app.store.rq import QueryFile, read_queries

Record = Mapping[str, tuple[Term, ...]]
"""What the graph says of one thing: values by property IRI, in a stable order."""

_LABELS = (vocab.skos.prefLabel, vocab.rdfs.label, vocab.dct.title)


@cache
def stored_queries() -> Mapping[str, QueryFile]:
    """The query files beside this module, by name."""
    return read_queries(Path(__file__).parent / "queries")


def local_name(iri: str) -> str:
    """The last part of an IRI, after its last slash or hash sign."""
    return iri.replace("#", "/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Reader:
    """One snapshot with the stored queries. Each call is one query, for however many things it is asked about."""

    snapshot: Snapshot
    _things: dict[str, Thing] = field(default_factory=dict)

    def rows(self, name: str, **values: Iterable[Term]) -> list[Row]:
        """Rows of a stored query; a keyword names the variable that the given terms are joined to."""
        chosen = {
            variable: [term for term in dict.fromkeys(terms) if isinstance(term, IRI | Literal)]
            for variable, terms in values.items()
        }
        if any(not terms for terms in chosen.values()):
            return []
        return list(self.snapshot.query(Query(stored_queries()[name].text, values=chosen)).rows())

    def records(self, nodes: Iterable[Term]) -> dict[str, Record]:
        """What the graph says of each of these things, by IRI."""
        found: dict[str, dict[str, list[Term]]] = {}
        for row in self.rows("records", node=nodes):
            properties = found.setdefault(row["node"].value, {})
            properties.setdefault(row["property"].value, []).append(row["value"])
        return {
            node: {name: tuple(sorted(terms, key=lambda term: term.value)) for name, terms in properties.items()}
            for node, properties in found.items()
        }

    def learn(self, terms: Iterable[Term]) -> None:
        """Look up the names of these things, those not yet known, in one query."""
        unknown = [term for term in terms if isinstance(term, IRI) and term.value not in self._things]
        records = self.records(unknown)
        self._things.update({iri: _thing(iri, record) for iri, record in records.items()})

    def thing(self, term: Term) -> Thing:
        """A thing with its names; call `learn` first, or it bears only the name in its IRI."""
        return self._things.get(term.value) or _thing(term.value, {})

    def value(self, term: Term) -> Value:
        """A term as a plain value. An IRI of which the graph says nothing, such as a paper's address, is text."""
        if isinstance(term, Literal):
            return Value(python_value(term))
        known = self._things.get(term.value)
        return Value(term.value) if known is None else Value(known.name, known)


def _thing(iri: str, record: Record) -> Thing:
    notation = record.get(vocab.skos.notation)
    name = notation[0].value if notation else local_name(iri)
    label = next((record[one][0].value for one in _LABELS if one in record), name)
    return Thing(iri, name, label)


def text(record: Record, name: str) -> str | None:
    """The first value of a property as text."""
    return record[name][0].value if name in record else None


def texts(record: Record, name: str) -> tuple[str, ...]:
    """All values of a property as text."""
    return tuple(term.value for term in record.get(name, ()))
