"""RDF terms and quads, and the only place that turns Python values into them.

Terms are pyoxigraph's immutable, hashable types under the names that RDF uses. Remember that the engine keeps
the value of a number and not its characters (0.30 becomes 0.3): what a source printed is kept as a string beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

import pyoxigraph as ox

from app import vocab

IRI: TypeAlias = ox.NamedNode
Blank: TypeAlias = ox.BlankNode
Literal: TypeAlias = ox.Literal
Quad: TypeAlias = ox.Quad
Triple: TypeAlias = ox.Triple
Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal
Value: TypeAlias = str | int | bool | float | Decimal

TYPE = IRI(vocab.rdf.type)
XSD = "http://www.w3.org/2001/XMLSchema#"
_DATE = IRI(XSD + "date")
_MONTH = IRI(XSD + "gYearMonth")
_MOMENT = IRI(XSD + "dateTime")
_DECIMAL = IRI(XSD + "decimal")

_MONTH_LENGTH = len("2024-07")


def iri(text: str) -> IRI:
    """Return the IRI with this text; ValueError when it is not absolute."""
    return IRI(text)


def literal(value: Value) -> Literal:
    """Return a Python value as a literal: str, bool, integer, decimal (also for float).

    A decimal has no exponent and no noughts at its end, as the engine gives it back: what is read is what was written.
    """
    if isinstance(value, bool | int | str):
        return Literal(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    digits = format(number, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return Literal(digits if digits not in {"-0", ""} else "0", datatype=_DECIMAL)


def text(value: str, language: str = "en") -> Literal:
    """Return human text with its language tag."""
    return Literal(value, language=language)


def date(value: str) -> Literal:
    """Return an ISO date (2024-07-16) or month (2024-07) as xsd:date or xsd:gYearMonth: no day is invented."""
    return Literal(value, datatype=_MONTH if len(value) == _MONTH_LENGTH else _DATE)


def moment(value: str) -> Literal:
    """Return an ISO date and time with time zone as xsd:dateTime."""
    return Literal(value, datatype=_MOMENT)


def describe(
    graph: IRI, subject: IRI, properties: Iterable[tuple[str, Term | None]], *, kind: str | None = None
) -> list[Quad]:
    """Return the quads that say these things of a subject in one graph; a property whose value is None is left out.

    `kind` is the IRI of the subject's class.
    """
    quads = [Quad(subject, IRI(predicate), value, graph) for predicate, value in properties if value is not None]
    if kind is not None:
        quads.append(Quad(subject, TYPE, IRI(kind), graph))
    return quads


def python_value(term: Term) -> Value:
    """Return a term as JSON can hold it: numbers as int or Decimal, booleans as bool, everything else as text."""
    if not isinstance(term, ox.Literal):
        return term.value
    kind = term.datatype.value.removeprefix(XSD)
    if kind == "integer":
        return int(term.value)
    if kind in {"decimal", "double", "float"}:
        return Decimal(term.value)
    if kind == "boolean":
        return term.value == "true"
    return term.value
