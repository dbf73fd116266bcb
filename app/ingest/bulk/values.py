"""The value of a property from a cell, and back: what `written` writes, `read` reads as the same value."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app import vocab
from app.ingest.bulk import quantities
from app.ingest.bulk.fields import Field, Kind
from app.ingest.bulk.names import Names
from app.ingest.bulk.quantities import Amount
from app.ingest.bulk.sheets import Cell, Made
from app.ingest.bulk.verdicts import Refused
from app.ingest.cells import is_placeholder
from app.model.claims import Interval
from app.model.rdf import IRI, Literal, Term, date, iri, literal

NUMERIC = frozenset({Kind.INTEGER, Kind.CONTEXT, Kind.DECIMAL, Kind.SHARE})
_MARKS = {"slm:variesByLayer": vocab.slm.variesByLayer, "slm:notReported": vocab.slm.notReported}
_VARIES = frozenset({"per layer", "per-layer", "varies", "varies by layer"})
_MAX_TEXT = 5_000
SEPARATOR = "; "
"""Stands between the values of a property that has several."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value as read. `shown` says it to people, with unit and interval."""

    term: Term
    shown: str
    interval: Interval | None = None


def checked(cell: Cell, kind: Kind | None = None) -> str:
    """A cell's characters, when a spreadsheet has not made something else of them; Refused."""
    if cell.made is Made.FORMULA:
        raise Refused("formula", "the cell holds a formula", "Paste its value instead.")
    if cell.made is Made.DATE and kind is not Kind.MONTH:
        raise Refused(
            "spreadsheet-date",
            f"the spreadsheet holds the date {cell.text}",
            "Format the column as text before you type, and write the value again.",
        )
    return quantities.plain(cell.text)


def read(field: Field, cell: Cell, unit: str, names: Names) -> list[Value]:
    """The values in a cell, one unless the property may have several; Refused."""
    text = checked(cell, field.kind)
    if len(text) > _MAX_TEXT:
        raise Refused("too-long", f"it has more than {_MAX_TEXT} characters", "Shorten it to what the source says.")
    mark = _MARKS.get(text.strip())
    if mark is None and field.of == "architecture" and field.kind in NUMERIC and text.strip().lower() in _VARIES:
        mark = vocab.slm.variesByLayer
    if mark is not None and field.kind is not Kind.TEXT:
        return [Value(iri(mark), vocab.shrink(mark))]
    if field.many and field.kind in {Kind.THING, Kind.CONCEPT, Kind.ADDRESS}:
        return [_one(field, part.strip(), unit, names) for part in text.split(";") if part.strip()]
    return [_one(field, text, unit, names)]


def written(field: Field, value: Term, names: Names) -> str:
    """A value as a cell that `read` reads as the same value."""
    if isinstance(value, Literal):
        return value.value
    assert isinstance(value, IRI)  # noqa: S101 - claims speak of things and values, never of blank nodes
    for name, mark in _MARKS.items():
        if value.value == mark:
            return name
    if field.kind in {Kind.THING, Kind.CONCEPT}:
        name = value.value.replace("#", "/").rsplit("/", 1)[-1]
        try:
            if ";" not in name and not is_placeholder(name) and _thing(field, name, names) == value:
                return name
        except Refused:
            return value.value
    return value.value


def _one(field: Field, text: str, unit: str, names: Names) -> Value:  # noqa: PLR0911 - one for each kind
    match field.kind:
        case Kind.INTEGER | Kind.CONTEXT:
            return _integer(quantities.amount(text, whole=True, context=field.kind is Kind.CONTEXT, unit=unit))
        case Kind.DECIMAL:
            return _decimal(quantities.amount(text, whole=False, unit=unit))
        case Kind.SHARE:
            return _share(quantities.amount(text, whole=False), unit)
        case Kind.TRUTH:
            truth = quantities.truth(text)
            return Value(literal(truth), "true" if truth else "false")
        case Kind.MONTH:
            month = quantities.month(text)
            return Value(date(month), month)
        case Kind.SIZE:
            size = quantities.size(text)
            return Value(literal(size), size)
        case Kind.ADDRESS:
            address = quantities.address(text)
            return Value(iri(address), address)
        case Kind.TEXT:
            return Value(literal(text), repr(text))
        case Kind.CONCEPT | Kind.THING:
            thing = _thing(field, text, names)
            return Value(thing, vocab.shrink(thing.value))


def _thing(field: Field, name: str, names: Names) -> IRI:
    if field.kind is Kind.CONCEPT:
        return names.concept(field.among, name)
    return names.model(name).iri if field.among == "model" else names.thing(field.among, name)


def _integer(read: Amount) -> Value:
    if read.percent:
        raise Refused("unknown-unit", "a count is no percentage", "Write the number.")
    return Value(literal(int(read.value)), _told(read), read.interval)


def _decimal(read: Amount) -> Value:
    if read.percent:
        raise Refused("unknown-unit", "a percentage does not fit the column", "Write the number.")
    return Value(literal(read.value), _told(read), read.interval)


def _share(read: Amount, unit: str) -> Value:
    percent = read.percent or unit == "percent"
    value = read.value / 100 if percent else read.value
    if not percent and 1 < value <= 100:
        raise Refused("percent-or-fraction", f"{value} is no share; percent?", "Write it as 25% or as 0.25.")
    if not 0 <= value <= 1:
        raise Refused("out-of-range", f"{value} is no share", "A share lies between 0 and 1.")
    return Value(literal(value), f"{plain_number(value)}{' (from percent)' if percent else ''}")


def _told(read: Amount) -> str:
    parts = [plain_number(read.value)]
    if read.interval is not None:
        parts.append(f"({plain_number(read.interval.lower)} to {plain_number(read.interval.upper)})")
    return " ".join([*parts, *(f"[{note}]" for note in read.notes)])


def plain_number(number: Decimal) -> str:
    """A number without exponent and without noughts at its end."""
    return literal(number).value
