"""What a comparison asks for, as a value and as the query string of an address. Each can be made from the other.

The grammar, which people can type:

    list      = member *( "," member )
    column    = name [ "(" condition *( ";" condition ) ")" ]          parameterCount, accuracy(benchmark=mmlu;shots=5)
    condition = name "=" test
    filter    = column ":" test
    test      = [ "!" ] ( "missing" / "known" / range / set )
    range     = [ value ] ".." [ value ] / "<" value / "<=" value / ">" value / ">=" value
    set       = value *( "|" value )
    value     = plain text, or text in double quotes in which a double quote is written twice
    key       = [ "-" ] column                                          a hyphen sorts the largest first

A value needs quotes when it is empty, when it holds one of `, | " ( ) ; : ! < > =` or `..`, when it begins or ends with
a blank, and when it is the word `missing` or `known`. Here names are not looked up: `app.compare.choice` does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TypeAlias
from urllib.parse import quote

from app.errors import BadParameter

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_SPECIAL = re.compile(r'[,|"();:!<>=]|\.\.')
_WORDS = frozenset({"missing", "known"})
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The value lies between two ends, which belong to it unless `strict`. An end is a number with or without unit."""

    low: str | None = None
    high: str | None = None
    strict: bool = False


Test: TypeAlias = Missing | OneOf | Range


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one field of an observation."""

    name: str
    test: Test
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A property, or a metric under conditions."""

    name: str
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        """The column as one types it."""
        inside = ";".join(f"{one.name}={_test_text(one.test, one.negated)}" for one in self.conditions)
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True, slots=True)
class Filter:
    """A test of one column. A model without a value fits neither a test nor its negation, but for `missing`."""

    column: Column
    test: Test
    negated: bool = False

    def __str__(self) -> str:
        """The filter as one types it."""
        return f"{self.column}:{_test_text(self.test, self.negated)}"


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by; models without a value come last either way."""

    column: Column
    descending: bool = False

    def __str__(self) -> str:
        """The key as one types it."""
        return f"{'-' if self.descending else ''}{self.column}"


@dataclass(frozen=True, slots=True)
class InUnit:
    """A column to be shown in another unit, by the unit's symbol."""

    column: Column
    unit: str

    def __str__(self) -> str:
        """The choice as one types it."""
        return f"{self.column}:{_quoted(self.unit)}"


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """A comparison: which models, which columns, and how to show them.

    Without `models` all models that fit are meant, larger baselines only with `baselines`. Without `properties` the
    usual ones are shown. `after` is the cursor of a page, `limit` the number of models on one. `extra` names
    what is told besides the cells.
    """

    models: tuple[str, ...] = ()
    properties: tuple[Column, ...] = ()
    where: tuple[Filter, ...] = ()
    search: str = ""
    baselines: bool = False
    sort: tuple[SortKey, ...] = ()
    group: Column | None = None
    units: tuple[InUnit, ...] = ()
    transpose: bool = False
    different: bool = False
    limit: int | None = None
    after: str = ""
    revision: int | None = None
    extra: tuple[str, ...] = ()

    def address(self) -> str:
        """The query string of this comparison, without a question mark; parameters that say nothing are left out."""
        parts: list[tuple[str, str]] = [
            ("models", ",".join(map(_quoted, self.models))),
            ("properties", ",".join(map(str, self.properties))),
            ("where", ",".join(map(str, self.where))),
            ("search", self.search),
            ("baselines", "yes" if self.baselines else ""),
            ("sort", ",".join(map(str, self.sort))),
            ("group", str(self.group or "")),
            ("units", ",".join(map(str, self.units))),
            ("transpose", "yes" if self.transpose else ""),
            ("different", "yes" if self.different else ""),
            ("limit", "" if self.limit is None else str(self.limit)),
            ("after", self.after),
            ("revision", "" if self.revision is None else str(self.revision)),
            ("_extra", ",".join(self.extra)),
        ]
        return "&".join(f"{name}={quote(value, safe=_READABLE)}" for name, value in parts if value)


_READABLE = ",:;()=!<>|.~-_/"
"""Characters that may stand in a query string as they are, so that addresses stay readable."""
PARAMETERS = tuple("_extra" if one.name == "extra" else one.name for one in fields(ComparisonSpec))
EXTRAS = ("evidence", "history")
"""What can be told besides: what claims say, and how cells came to what they say."""


def parse(given: Mapping[str, str]) -> ComparisonSpec:
    """The comparison that these parameters ask for; BadParameter points to what does not read or contradicts itself."""
    for name in given:
        if name not in PARAMETERS:
            raise BadParameter(name, "there is no such parameter here", advice=nearest(name, PARAMETERS))
    spec = ComparisonSpec(
        models=_members(given, "models"),
        properties=columns(given.get("properties", ""), "properties"),
        where=filters(given.get("where", ""), "where"),
        search=given.get("search", ""),
        baselines=flag(given, "baselines"),
        sort=_sort_keys(given.get("sort", "")),
        group=_one(columns(given.get("group", ""), "group"), "group"),
        units=_units(given.get("units", "")),
        transpose=flag(given, "transpose"),
        different=flag(given, "different"),
        limit=whole(given, "limit"),
        after=given.get("after", ""),
        revision=whole(given, "revision"),
        extra=_extras(given),
    )
    _refuse_contradictions(spec)
    return spec


def columns(text: str, parameter: str) -> tuple[Column, ...]:
    """The columns of a list, each once."""
    found = (_column(part, parameter, f"/{parameter}/{n}") for n, part in enumerate(split(text, ",", parameter)))
    return tuple(dict.fromkeys(found))


def filters(text: str, parameter: str) -> tuple[Filter, ...]:
    """The filters of a list."""
    found = tuple(_filter(part, parameter, f"/{parameter}/{n}") for n, part in enumerate(split(text, ",", parameter)))
    for number, one in enumerate(found):
        absent = isinstance(one.test, Missing) and not one.negated
        others = [other for other in found if other.column == one.column and other is not one]
        if absent and any(not isinstance(other.test, Missing) or other.negated for other in others):
            raise BadParameter(
                parameter,
                f"{one.column} cannot be missing and fit another test",
                advice="Leave one of the two out.",
                pointer=f"/{parameter}/{number}",
            )
    return found


def flag(given: Mapping[str, str], name: str) -> bool:
    """A parameter that is yes or no."""
    value = given.get(name, "no").lower()
    if value not in _YES:
        raise BadParameter(name, f"{value!r} is neither yes nor no", advice="Write yes or no.", pointer=f"/{name}")
    return _YES[value]


def whole(given: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number from 1."""
    text = given.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text) > 0):
        raise BadParameter(name, f"{text!r} is not a number from 1 on", pointer=f"/{name}")
    return int(text)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown name."""
    names = list(known)
    by_lower = {one.lower(): one for one in names}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {by_lower[close[0]]!r}?"
    return f"Known are: {', '.join(sorted(names))}." if len(names) <= 40 else ""


def split(text: str, separator: str, parameter: str) -> list[str]:
    """The parts of a text between separators that stand outside quotes and parentheses."""
    parts: list[str] = []
    current: list[str] = []
    depth, quoted = 0, False
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == separator and depth == 0:
                parts.append("".join(current))
                current = []
                continue
        if depth < 0:
            break
        current.append(letter)
    if quoted or depth:
        problem = "a quotation mark is not closed" if quoted else "parentheses do not match"
        raise BadParameter(parameter, problem, pointer=f"/{parameter}")
    parts.append("".join(current))
    stripped = [part.strip() for part in parts]
    return [part for part in stripped if part]


def _members(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = split(given.get(name, ""), ",", name)
    return tuple(dict.fromkeys(_value(part, name, f"/{name}/{number}") for number, part in enumerate(parts)))


def _extras(given: Mapping[str, str]) -> tuple[str, ...]:
    """What is to be told besides, each once, in the order of the grammar."""
    found = [part.strip() for part in given.get("_extra", "").split(",") if part.strip()]
    for place, one in enumerate(found):
        if one not in EXTRAS:
            raise BadParameter(
                "_extra", f"there is no {one!r}", advice=nearest(one, EXTRAS), pointer=f"/_extra/{place}"
            )
    return tuple(one for one in EXTRAS if one in found)


def _column(text: str, parameter: str, pointer: str) -> Column:
    name, bracket, rest = text.partition("(")
    name = name.strip()
    if not _NAME.match(name) or (bracket and not rest.rstrip().endswith(")")):
        raise BadParameter(
            parameter,
            f"{text!r} is not a column",
            advice="Write a name, or a metric with conditions: accuracy(benchmark=mmlu;shots=5).",
            pointer=pointer,
        )
    inside = rest.rstrip()[:-1] if bracket else ""
    conditions = tuple(_condition(part, parameter, pointer) for part in split(inside, ";", parameter))
    _refuse_repeats((one.name for one in conditions), parameter)
    return Column(name, tuple(sorted(conditions, key=lambda one: one.name)))


def _condition(text: str, parameter: str, pointer: str) -> Condition:
    name, sign, test = text.partition("=")
    name = name.strip()
    if not sign or not _NAME.match(name):
        raise BadParameter(
            parameter, f"{text!r} is not a condition", advice="Write name=value, as in shots=5.", pointer=pointer
        )
    return Condition(name, *_test(test, parameter, pointer))


def _filter(text: str, parameter: str, pointer: str) -> Filter:
    parts = split(text, ":", parameter)
    if len(parts) < 2:
        raise BadParameter(
            parameter,
            f"{text!r} is not a filter",
            advice="Write column:test, as in parameterCount:..1B or license:MIT|Apache-2.0.",
            pointer=pointer,
        )
    test = text[text.index(parts[0]) + len(parts[0]) :].lstrip()[1:]
    return Filter(_column(parts[0], parameter, pointer), *_test(test, parameter, pointer))


def _test(text: str, parameter: str, pointer: str) -> tuple[Test, bool]:
    """A test, and whether it is negated."""
    rest = text.strip()
    negated = rest.startswith("!")
    rest = rest[1:].strip() if negated else rest
    if rest in _WORDS:
        return Missing(), negated != (rest == "known")
    if rest.startswith(("<", ">")):
        return _one_sided(rest, parameter, pointer), negated
    low, dots, high = _at_dots(rest)
    if dots:
        ends = [_value(end, parameter, pointer) if end.strip() else None for end in (low, high)]
        if ends == [None, None]:
            raise BadParameter(parameter, "a range needs an end", advice="Write 1B.., ..3B or 1B..3B.", pointer=pointer)
        return Range(ends[0], ends[1]), negated
    values = tuple(dict.fromkeys(_value(part, parameter, pointer) for part in split(rest, "|", parameter)))
    if not values:
        raise BadParameter(
            parameter, "a test is empty", advice="Write a value, a range, missing or known.", pointer=pointer
        )
    return OneOf(values), negated


def _one_sided(text: str, parameter: str, pointer: str) -> Range:
    strict = not text[1:].startswith("=")
    end = _value(text[1 if strict else 2 :], parameter, pointer)
    return Range(None, end, strict) if text[0] == "<" else Range(end, None, strict)


def _at_dots(text: str) -> tuple[str, str, str]:
    """A text cut at the first two dots outside quotes."""
    quoted = False
    for place, letter in enumerate(text):
        quoted ^= letter == '"'
        if not quoted and text.startswith("..", place):
            return text[:place], "..", text[place + 2 :]
    return text, "", ""


def _value(text: str, parameter: str, pointer: str) -> str:
    """A value without its quotes."""
    bare = text.strip()
    if bare.startswith('"') and bare.endswith('"') and len(bare) > 1 and '"' not in bare[1:-1].replace('""', ""):
        return bare[1:-1].replace('""', '"')
    if not bare or _SPECIAL.search(bare):
        raise BadParameter(
            parameter,
            f"{bare!r} is not a value" if bare else "a value is missing",
            advice="Put quotation marks around a value with special characters.",
            pointer=pointer,
        )
    return bare


def _quoted(value: str) -> str:
    """A value with quotes where it needs them."""
    if not value or value != value.strip() or value in _WORDS or _SPECIAL.search(value) or value[:1] in ".":
        return '"' + value.replace('"', '""') + '"'
    return f'"{value}"' if value.endswith(".") else value


def _test_text(test: Test, negated: bool) -> str:
    if isinstance(test, Missing):
        return "known" if negated else "missing"
    sign = "!" if negated else ""
    if isinstance(test, OneOf):
        return sign + "|".join(map(_quoted, test.values))
    low, high = ("" if end is None else _quoted(end) for end in (test.low, test.high))
    if test.strict:
        return f"{sign}<{high}" if high else f"{sign}>{low}"
    return f"{sign}{low}..{high}"


def _sort_keys(text: str) -> tuple[SortKey, ...]:
    found = []
    for number, part in enumerate(split(text, ",", "sort")):
        descending = part.startswith("-")
        found.append(SortKey(_column(part[descending:], "sort", f"/sort/{number}"), descending))
    _refuse_repeats((str(one.column) for one in found), "sort")
    return tuple(found)


def _units(text: str) -> tuple[InUnit, ...]:
    found = []
    for number, part in enumerate(split(text, ",", "units")):
        pointer = f"/units/{number}"
        column, *rest = split(part, ":", "units")
        if len(rest) != 1:
            raise BadParameter("units", f"{part!r} is not column:unit", advice="Write memory:GB.", pointer=pointer)
        found.append(InUnit(_column(column, "units", pointer), _value(rest[0], "units", pointer)))
    _refuse_repeats((str(one.column) for one in found), "units")
    return tuple(found)


def _one(found: tuple[Column, ...], parameter: str) -> Column | None:
    if len(found) > 1:
        raise BadParameter(parameter, "give one column", pointer=f"/{parameter}/1")
    return found[0] if found else None


def _refuse_repeats(names: Iterable[str], parameter: str) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            raise BadParameter(
                parameter, f"{name} is given twice", advice="Give it once.", pointer=f"/{parameter}/{number}"
            )
        seen.add(name)


def _refuse_contradictions(spec: ComparisonSpec) -> None:
    if spec.transpose and spec.group is not None:
        raise BadParameter(
            "transpose",
            "groups stand in rows, so a grouped table cannot be turned",
            advice="Leave one out.",
            pointer="/transpose",
        )
    if spec.models and spec.search:
        raise BadParameter(
            "search", "models are named already", advice="Name models or search for them.", pointer="/search"
        )
