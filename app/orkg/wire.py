"""What is sent to the ORKG's API, in its own words. It refuses members that it does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.orkg.values import (
    Author,
    Leaf,
    Method,
    NewComparison,
    NewContribution,
    NewLiteral,
    NewPaper,
    NewParts,
    Path,
    SourceRef,
)


def sources(given: Iterable[SourceRef]) -> list[dict[str, str]]:
    """The columns of a comparison."""
    return [{"id": one.id, "type": one.type.value} for one in given]


def paths(given: Iterable[Path]) -> list[dict[str, Any]]:
    """The rows of a comparison: identifier, type and children, and nothing else."""
    return [{"id": one.id, "type": one.type.value, "children": paths(one.children)} for one in given]


def authors(given: Iterable[Author]) -> list[dict[str, Any]]:
    """People: by identifier where they are resources, by name and what identifies them otherwise."""
    return [_author(one) for one in given]


def _author(one: Author) -> dict[str, Any]:
    record: dict[str, Any] = {"name": one.name}
    if one.id is not None:
        record["id"] = one.id
    if one.identifiers:
        record["identifiers"] = {kind: list(values) for kind, values in one.identifiers.items()}
    if one.homepage is not None:
        record["homepage"] = one.homepage
    return record


def comparison(given: NewComparison, method: Method) -> dict[str, Any]:
    """A new comparison. Observatories and organisations of none are empty lists here, not lists of nobody."""
    return {
        "title": given.title,
        "type": given.type,
        "description": given.description,
        "research_fields": list(given.research_fields),
        "authors": authors(given.authors),
        "search_protocol": {},
        "sdgs": [],
        "sources": sources(given.sources),
        "visualizations": [],
        "references": list(given.references),
        "observatories": [],
        "organizations": [],
        "is_anonymized": given.is_anonymized,
        "extraction_method": method.value,
    }


def contribution(given: NewContribution, parts: NewParts, method: Method) -> dict[str, Any]:
    """A new contribution with the new things that it names."""
    return {**_parts(parts), "contribution": _contribution(given), "extraction_method": method.value}


def paper(given: NewPaper, method: Method) -> dict[str, Any]:
    """A new paper, with contributions where it has any."""
    record: dict[str, Any] = {
        "title": given.title,
        "research_fields": [given.research_field],
        "identifiers": {} if given.doi is None else {"doi": [given.doi]},
        "publication_info": {
            "published_month": given.published_month,
            "published_year": given.published_year,
            "published_in": given.published_in,
            "url": given.url,
        },
        "authors": authors(given.authors),
        "sdgs": [],
        "mentionings": [],
        "observatories": [],
        "organizations": [],
        "extraction_method": method.value,
    }
    if given.contributions:
        record["contents"] = {
            **_parts(given.parts),
            "contributions": [_contribution(one) for one in given.contributions],
        }
    return record


def literal(given: NewLiteral, method: Method) -> dict[str, Any]:
    """A literal on its own: the key is `datatype` here, `data_type` inside papers and contributions."""
    return {"label": given.label, "datatype": given.datatype, "extraction_method": method.value}


def _contribution(given: NewContribution) -> dict[str, Any]:
    return {"label": given.label, "classes": list(given.classes), "statements": _statements(given.statements)}


def _statements(given: Mapping[str, tuple[Leaf, ...]]) -> dict[str, Any]:
    return {
        predicate: [
            {"id": one.id, "statements": _statements(one.statements)} if one.statements else {"id": one.id}
            for one in objects
        ]
        for predicate, objects in given.items()
    }


def _parts(given: NewParts) -> dict[str, Any]:
    return {
        "resources": {
            name: {"label": one.label, "classes": list(one.classes)} for name, one in given.resources.items()
        },
        "literals": {name: {"label": one.label, "data_type": one.datatype} for name, one in given.literals.items()},
        "predicates": {
            name: {"label": one.label, "description": one.description} for name, one in given.predicates.items()
        },
        "lists": {},
    }
