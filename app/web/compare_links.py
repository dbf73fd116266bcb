"""Addresses that differ from a comparison in one thing: another sort, one filter less, one model more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from app.compare import spec as grammar
from app.compare.spec import Column, ComparisonSpec, Filter, InUnit, Missing, OneOf, Range, SortKey
from app.errors import BadParameter

PAGE = "/compare"
TRAY = "tray"
"""The page's own parameter: models that were laid aside to be compared."""
_KNOWN = (*grammar.PARAMETERS, TRAY, "facet", "columns", "column", "metric", "add")
_OF_FACETS = ("any:", "from:", "to:", "state:")
_SAFE = ",:;()=!<>|.~-_/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader stands: the comparison, what lies in the tray, and `/r/N` when the address began so."""

    spec: ComparisonSpec
    tray: tuple[str, ...] = ()
    root: str = ""

    def here(self) -> str:
        """The address of this page."""
        return self.to(self.spec)

    def to(self, spec: ComparisonSpec, tray: tuple[str, ...] | None = None) -> str:
        """The address of another comparison, with the tray."""
        kept = self.tray if tray is None else tray
        lying = ",".join(quote(one, safe=_SAFE) for one in kept)
        query = "&".join(part for part in (spec.address(), f"{TRAY}={lying}" if kept else "") if part)
        return f"{self.root}{PAGE}?{query}" if query else f"{self.root}{PAGE}"

    def with_(self, **changes: object) -> str:
        """The address of the comparison with these changes, from its first page on."""
        return self.to(replace(self.spec, after="", **changes))  # type: ignore[arg-type]  # names of the spec's fields

    def sorted_by(self, column: Column, *, numeric: bool) -> str:
        """Sorted by a column: the largest number or the first name first; the other way round when it is so already."""
        now = self.direction(column)
        down = numeric if now is None else now == "ascending"
        return self.with_(sort=(SortKey(column, down),))

    def direction(self, column: Column) -> str | None:
        """How the page is sorted by a column, if that is its first key."""
        if not self.spec.sort or self.spec.sort[0].column != column:
            return None
        return "descending" if self.spec.sort[0].descending else "ascending"

    def without_filter(self, place: int) -> str:
        """Without the filter at this place."""
        return self.with_(where=tuple(one for n, one in enumerate(self.spec.where) if n != place))

    def at_most(self, column: Column, most: str) -> str:
        """With a column's values up to one, as people type it, in place of the column's other filters."""
        others = tuple(one for one in self.spec.where if one.column != column)
        return self.with_(where=(*others, Filter(column, Range(None, most))))

    def without_column(self, column: Column, shown: Sequence[Column]) -> str:
        """Without a column, and without what concerns it alone."""
        units = tuple(one for one in self.spec.units if one.column != column)
        return self.with_(properties=tuple(one for one in shown if one != column), units=units)

    def in_unit(self, column: Column, symbol: str | None) -> str:
        """With a column in another unit, or in its own for None."""
        others = tuple(one for one in self.spec.units if one.column != column)
        return self.with_(units=others if symbol is None else (*others, InUnit(column, symbol)))

    def without_model(self, slug: str) -> str:
        """Without one of the models that are named."""
        return self.with_(models=tuple(one for one in self.spec.models if one != slug))

    def with_tray(self, slug: str) -> str:
        """With a model laid into the tray, or taken out of it."""
        others = tuple(one for one in self.tray if one != slug)
        return self.to(self.spec, others if slug in self.tray else (*self.tray, slug))

    def only_tray(self) -> str:
        """The models of the tray side by side."""
        shown = replace(self.spec, models=self.tray, where=(), search="", after="", group=None)
        return self.to(shown)

    def empty_tray(self) -> str:
        """With nothing in the tray."""
        return self.to(self.spec, ())


def changed(fields: Sequence[tuple[str, str]], usual: Sequence[Column]) -> tuple[ComparisonSpec, tuple[str, ...]]:
    """The comparison and the tray that a form of the page asks for.

    A form carries the comparison as it was, in fields with the names of parameters, and what to change: `facet` (a
    column whose filter the form holds, with `any:`, `from:`, `to:` and `state:` before the column), `columns` (yes:
    the form lists all columns, those that are wanted as `column`), `metric` (a column to add), `add` (a model for the
    tray). `usual` are the columns that are shown when none are named.
    """
    for name, _ in fields:
        if name not in _KNOWN and not name.startswith(_OF_FACETS):
            raise BadParameter(name, "there is no such field in the form", advice=grammar.nearest(name, _KNOWN))
    last = {name: value for name, value in fields if name in grammar.PARAMETERS and name != "after"}
    given = {name: value for name, value in last.items() if value}
    told = grammar.parse(given)
    several: dict[str, list[str]] = {}
    for name, value in fields:
        several.setdefault(name, []).append(value.strip())
    tray = tray_of(dict(fields))
    added = [one for one in several.get("add", []) if one]
    tray = tuple(dict.fromkeys((*tray, *added)))
    told = replace(told, where=_filters(told, several), properties=_columns(told, several, usual))
    return told, tray


def tray_of(given: Mapping[str, str]) -> tuple[str, ...]:
    """The slugs in the tray of an address."""
    return tuple(dict.fromkeys(grammar.split(given.get(TRAY, ""), ",", TRAY)))


def simple(where: Sequence[Filter], column: Column) -> Filter | None:
    """The filter of a column, if a form can show it: one, not negated (but `known`), with its ends included."""
    found = [one for one in where if one.column == column]
    if len(found) != 1:
        return None
    (one,) = found
    if isinstance(one.test, Range) and one.test.strict:
        return None
    return one if isinstance(one.test, Missing) or not one.negated else None


def _filters(told: ComparisonSpec, several: Mapping[str, Sequence[str]]) -> tuple[Filter, ...]:
    held = {column: _filter(column, several) for text in several.get("facet", ()) for column in _column(text, "facet")}
    kept = [one for one in told.where if one.column not in held]
    return (*kept, *(one for one in held.values() if one is not None))


def _filter(column: Column, several: Mapping[str, Sequence[str]]) -> Filter | None:
    state = _last(several, f"state:{column}")
    if state in {"known", "missing"}:
        return Filter(column, Missing(), negated=state == "known")
    low, high = _last(several, f"from:{column}"), _last(several, f"to:{column}")
    if low or high:
        return Filter(column, Range(low or None, high or None))
    chosen = tuple(dict.fromkeys(one for one in several.get(f"any:{column}", ()) if one))
    return Filter(column, OneOf(chosen)) if chosen else None


def _columns(told: ComparisonSpec, several: Mapping[str, Sequence[str]], usual: Sequence[Column]) -> tuple[Column, ...]:
    shown = told.properties
    if several.get("columns"):
        wanted = [column for text in several.get("column", ()) for column in _column(text, "column")]
        before = shown or tuple(usual)
        shown = tuple(dict.fromkeys((*(one for one in before if one in wanted), *wanted)))
    added = [column for text in several.get("metric", ()) for column in grammar.columns(text, "properties")]
    if added:
        shown = tuple(dict.fromkeys((*(shown or usual), *added)))
    return () if shown == tuple(usual) else shown


def _column(text: str, parameter: str) -> tuple[Column, ...]:
    found = grammar.columns(text, parameter)
    if len(found) > 1:
        raise BadParameter(parameter, "give one column", pointer=f"/{parameter}")
    return found


def _last(several: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(several.get(name, ())), "")
