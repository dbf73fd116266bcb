"""What request bodies may hold. ORKG rejects unknown keys, and names the field that is missing or of a wrong type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.orkg_double.messages import Problem, Request
from tests.orkg_double.state import Json


@dataclass(frozen=True, slots=True)
class Plain:
    """A JSON value of some Python types."""

    types: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of some shape."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object with any keys."""

    to: Shape


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with known keys."""

    needed: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """A statement's object within a contribution: an id, and what is said about it in turn."""


Shape = Plain | Listed | Mapped | Fields | Tree

TEXT, WHOLE, TRUTH = Plain((str,)), Plain((int,)), Plain((bool,))
TEXTS = Listed(TEXT)
IDENTIFIERS = Mapped(TEXTS)
AUTHORS = Listed(Fields({"name": TEXT}, {"id": TEXT, "identifiers": IDENTIFIERS, "homepage": TEXT}))
PUBLICATION = Fields({}, {"published_month": WHOLE, "published_year": WHOLE, "published_in": TEXT, "url": TEXT})
METHOD = {"extraction_method": TEXT}
SOURCES = Listed(Fields({"id": TEXT, "type": TEXT}))
PROTOCOL = Fields(
    {},
    {
        "inclusion_criteria": TEXT,
        "exclusion_criteria": TEXT,
        "search_engines": TEXTS,
        "search_strings": TEXTS,
        "research_questions": TEXTS,
        "number_of_studies_originally_returned": WHOLE,
        "number_of_studies_retained": WHOLE,
    },
)
THINGS: dict[str, Shape] = {
    "resources": Mapped(Fields({"label": TEXT}, {"classes": TEXTS})),
    "literals": Mapped(Fields({"label": TEXT}, {"data_type": TEXT})),
    "predicates": Mapped(Fields({"label": TEXT}, {"description": TEXT})),
    "lists": Mapped(Fields({"label": TEXT}, {"elements": TEXTS})),
}
CONTRIBUTION = Fields({"label": TEXT, "statements": Mapped(Listed(Tree()))}, {"classes": TEXTS})

CREATE_PAPER = Fields(
    {
        "title": TEXT,
        "research_fields": TEXTS,
        "authors": AUTHORS,
        "observatories": TEXTS,
        "organizations": TEXTS,
    },
    {
        "identifiers": IDENTIFIERS,
        "publication_info": PUBLICATION,
        "sdgs": TEXTS,
        "mentionings": TEXTS,
        "contents": Fields({"contributions": Listed(CONTRIBUTION)}, THINGS),
        **METHOD,
    },
)
CREATE_CONTRIBUTION = Fields({"contribution": CONTRIBUTION}, {**THINGS, **METHOD})
_COMPARISON_OPTIONAL: dict[str, Shape] = {
    "type": TEXT,
    "search_protocol": PROTOCOL,
    "sdgs": TEXTS,
    "visualizations": TEXTS,
    "related_figures": TEXTS,
    "related_resources": TEXTS,
    **METHOD,
}
_COMPARISON_NEEDED: dict[str, Shape] = {
    "title": TEXT,
    "description": TEXT,
    "research_fields": TEXTS,
    "authors": AUTHORS,
    "sources": SOURCES,
    "references": TEXTS,
    "observatories": TEXTS,
    "organizations": TEXTS,
    "is_anonymized": TRUTH,
}
CREATE_COMPARISON = Fields(_COMPARISON_NEEDED, _COMPARISON_OPTIONAL)
UPDATE_COMPARISON = Fields({}, {**_COMPARISON_NEEDED, **_COMPARISON_OPTIONAL, "visibility": TEXT})
PUBLISH = Fields({"subject": TEXT, "description": TEXT, "authors": AUTHORS, "assign_doi": TRUTH})
CREATE_RESOURCE = Fields({"label": TEXT}, {"classes": TEXTS, "uri": TEXT, **METHOD})
UPDATE_RESOURCE = Fields(
    {}, {"label": TEXT, "classes": TEXTS, "uri": TEXT, "observatory_id": TEXT, "organization_id": TEXT, **METHOD}
)
CREATE_PREDICATE = Fields({"label": TEXT}, {"uri": TEXT, **METHOD})
UPDATE_PREDICATE = Fields({}, {"label": TEXT, "uri": TEXT, **METHOD})
CREATE_LITERAL = Fields({"label": TEXT}, {"datatype": TEXT, **METHOD})
UPDATE_LITERAL = Fields({}, {"label": TEXT, "datatype": TEXT, **METHOD})
CREATE_STATEMENT = Fields({"subject_id": TEXT, "predicate_id": TEXT, "object_id": TEXT}, METHOD)
UPDATE_STATEMENT = Fields({}, {"subject_id": TEXT, "predicate_id": TEXT, "object_id": TEXT, **METHOD})


def parse(request: Request, shape: Shape) -> Json:
    """The body of a request. Raises Problem (400) when it is no JSON or has another shape."""
    try:
        value = json.loads(request.body)
    except ValueError:
        raise Problem(400, "message_not_readable", "The request body is not readable.") from None
    _check(value, shape, "$", "#")
    return value


def paths(request: Request) -> Json:
    """The body of a request that sets the selected paths: trees of id, type and children, nothing else."""
    value = parse(request, Fields({"selected_paths": Listed(Plain((dict,)))}))
    for number, one in enumerate(value["selected_paths"]):
        _check_path(one, f"$.selected_paths[{number}]", f"#/selected_paths/{number}")
    return value["selected_paths"]


def _check_path(value: Json, place: str, pointer: str) -> None:
    _check(value, Fields({"id": TEXT, "type": TEXT, "children": Listed(Plain((dict,)))}), place, pointer)
    for number, one in enumerate(value["children"]):
        _check_path(one, f"{place}.children[{number}]", f"{pointer}/children/{number}")


def _check(value: Json, shape: Shape, place: str, pointer: str) -> None:
    match shape:
        case Plain(types):
            _need(isinstance(value, types) and not (isinstance(value, bool) and bool not in types), place, pointer)
        case Listed(of):
            _need(isinstance(value, list), place, pointer)
            for number, one in enumerate(value):
                _check(one, of, f"{place}[{number}]", f"{pointer}/{number}")
        case Mapped(to):
            _need(isinstance(value, dict), place, pointer)
            for key, one in value.items():
                _check(one, to, f"{place}.{key}", f"{pointer}/{key}")
        case Tree():
            _check_fields(value, Fields({"id": TEXT}, {"statements": Mapped(Listed(Tree()))}), place, pointer)
        case Fields():
            _check_fields(value, shape, place, pointer)


def _check_fields(value: Json, shape: Fields, place: str, pointer: str) -> None:
    _need(isinstance(value, dict), place, pointer)
    for key in value:
        if key not in shape.needed and key not in shape.optional:
            raise Problem(400, "unknown_json_field", f'Unknown field "{place}.{key}".', pointer=f"{pointer}/{key}")
    for key, one in shape.needed.items():
        _check(value.get(key), one, f"{place}.{key}", f"{pointer}/{key}")
    for key, one in shape.optional.items():
        if value.get(key) is not None:
            _check(value[key], one, f"{place}.{key}", f"{pointer}/{key}")


def _need(holds: bool, place: str, pointer: str) -> None:
    if not holds:
        raise _mismatched(place, pointer)


def _mismatched(place: str, pointer: str) -> Problem:
    detail = f'Field "{place}" is either missing, "null", of invalid type, or contains "null" values.'
    return Problem(400, "mismatched_json_input", detail, pointer=pointer)
