"""Forms of JSON, and where a value is not of its form. `app.orkg.contract` has the forms of the ORKG's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value of some form, or null."""

    of: Form


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one form."""

    of: Form


@dataclass(frozen=True, slots=True)
class Keyed:
    """An object whose keys are data, such as identifiers."""

    of: Form


@dataclass(frozen=True, slots=True)
class ByClass:
    """An object that says in `_class` which members it has."""

    forms: Mapping[str, Mapping[str, Form]]


@dataclass(frozen=True, slots=True)
class Nested:
    """An object with these members and one more, `member`, which holds objects of its own form: a list, or lists."""

    members: Mapping[str, Form]
    member: str
    keyed: bool = False
    """Whether `member` has a list for each of several keys, and not just one list."""


Plain: TypeAlias = Literal["text", "number", "truth"]
Form: TypeAlias = "Plain | Maybe | Many | Keyed | ByClass | Nested | Mapping[str, Form]"
"""A mapping is an object with these members; one whose name ends in `?` may be missing."""

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {"text": (str,), "number": (int, float), "truth": (bool,)}


def differences(form: Form, value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where a value is not of a form: places (JSON pointers, `*` for any index or key) and what is the matter there."""
    match form:
        case str():
            if not isinstance(value, _TYPES[form]) or (form == "number" and isinstance(value, bool)):
                yield place, f"{_told(value)} instead of a {form}"
        case Maybe(of):
            if value is not None:
                yield from differences(of, value, place)
        case Many(of):
            if not isinstance(value, list):
                yield place, f"{_told(value)} instead of a list"
                return
            for one in value:
                yield from differences(of, one, f"{place}/*")
        case Keyed() | ByClass() | Nested() | Mapping():
            if not isinstance(value, dict):
                yield place, f"{_told(value)} instead of an object"
                return
            yield from _in_object(form, value, place)


def _in_object(
    form: Keyed | ByClass | Nested | Mapping[str, Form], value: dict[str, Any], place: str
) -> Iterator[tuple[str, str]]:
    match form:
        case Keyed(of):
            for one in value.values():
                yield from differences(of, one, f"{place}/*")
        case ByClass(forms):
            members = forms.get(str(value.get("_class")))
            if members is None:
                yield f"{place}/_class", f"{value.get('_class')!r} is none of {', '.join(forms)}"
            else:
                yield from _members({**members, "_class": "text"}, value, place)
        case Nested(members, member, keyed):
            below: Form = Keyed(Many(form)) if keyed else Many(form)
            yield from _members({**members, member: below}, value, place)
        case _:
            yield from _members(form, value, place)


def _members(form: Mapping[str, Form], value: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    known = {name.removesuffix("?"): one for name, one in form.items()}
    for name, one in known.items():
        if name in value:
            yield from differences(one, value[name], f"{place}/{name}")
        elif f"{name}?" not in form:
            yield f"{place}/{name}", "is missing"
    for name in value:
        if name not in known:
            yield f"{place}/{name}", "is new"


def _told(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth"}
    return names.get(type(value), "a number")
