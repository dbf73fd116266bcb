"""How things, statements, papers and comparisons look as JSON: the fields and their order are those of ORKG 0.102."""

from __future__ import annotations

from tests.orkg_double.state import NOBODY, SOURCE_PREDICATES, Comparison, Json, Paper, State, Statement, Thing
from tests.orkg_double.table import reference

NO_PROTOCOL: Json = {
    "inclusion_criteria": None,
    "exclusion_criteria": None,
    "search_engines": [],
    "search_strings": [],
    "research_questions": [],
    "number_of_studies_originally_returned": None,
    "number_of_studies_retained": None,
}
NO_PUBLICATION: Json = {"published_month": None, "published_year": None, "published_in": None, "url": None}


def thing(state: State, one: Thing, *, formatted: bool = False) -> Json:
    """A thing in full. A formatted label is only said to those who ask for it."""
    made = {"created_at": one.created_at, "created_by": one.created_by}
    how = {"extraction_method": one.method, "modifiable": one.modifiable}
    if one.kind == "literal":
        return {"id": one.id, "label": one.label, "datatype": one.datatype, **made, **how, "_class": "literal"}
    if one.kind == "predicate":
        described = {"description": state.description(one.id), "uri": one.uri}
        return {"id": one.id, "label": one.label, **described, **made, **how, "_class": "predicate"}
    if one.kind == "class":
        described = {"uri": one.uri, "description": state.description(one.id)}
        return {"id": one.id, "label": one.label, **described, **made, **how, "_class": "class"}
    return {
        "id": one.id,
        "label": one.label,
        "classes": list(one.classes),
        "uri": one.uri,
        "shared": len(state.by_object.get(one.id, ())),
        "featured": False,
        "unlisted": False,
        "visibility": "DEFAULT",
        "verified": False,
        "formatted_label": one.formatted_label if formatted else None,
        "extraction_method": one.method,
        "_class": "resource",
        "modifiable": one.modifiable,
        "observatory_id": NOBODY,
        "organization_id": NOBODY,
        **made,
    }


def statement(state: State, one: Statement, *, formatted: bool = False) -> Json:
    """A statement with its three things in full."""
    subject, predicate, object_ = (state.things[part] for part in (one.subject, one.predicate, one.object))
    return {
        "id": one.id,
        "subject": thing(state, subject, formatted=formatted),
        "predicate": thing(state, predicate),
        "object": thing(state, object_, formatted=formatted),
        "created_at": one.created_at,
        "created_by": one.created_by,
        "extraction_method": one.method,
        "modifiable": True,
        **({} if one.index is None else {"index": one.index}),
    }


def listed(state: State, one: Thing) -> Json:
    """A list with the ids of its elements."""
    elements = sorted(state.about(one.id, "hasListElement"), key=lambda each: each.index or 0)
    return {
        "id": one.id,
        "label": one.label,
        "uri": one.uri,
        "elements": [each.object for each in elements],
        "created_at": one.created_at,
        "created_by": one.created_by,
        "extraction_method": one.method,
        "modifiable": one.modifiable,
        "_class": "list",
    }


def author(one: Json) -> Json:
    """An author; only those with identifiers are things of their own."""
    return {
        "id": one.get("id"),
        "name": one["name"],
        "identifiers": one.get("identifiers") or {},
        "homepage": one.get("homepage"),
    }


def _named(state: State, ids: tuple[str, ...]) -> Json:
    return [{"id": one, "label": state.things[one].label} for one in ids]


def _head(one: Thing) -> Json:
    return {"id": one.id, "label": one.label, "created_at": one.created_at, "created_by": one.created_by}


def paper(state: State, one: Paper) -> Json:
    """A paper with the ids of its contributions."""
    resource = state.things[one.id]
    contributions = [state.things[each.object] for each in state.about(one.id, "P31")]
    return {
        "id": one.id,
        "title": resource.label,
        "research_fields": _named(state, one.research_fields),
        "identifiers": one.identifiers,
        "publication_info": {**NO_PUBLICATION, **one.publication_info},
        "authors": [author(each) for each in one.authors],
        "versions": {"head": _head(resource), "published": []},
        "contributions": [{"id": each.id, "label": each.label} for each in contributions],
        "sdgs": _named(state, one.sdgs),
        "mentionings": [reference(state.things[each]) for each in one.mentionings],
        "observatories": [NOBODY],
        "organizations": [NOBODY],
        "extraction_method": resource.method,
        "created_at": resource.created_at,
        "created_by": resource.created_by,
        "verified": False,
        "visibility": "DEFAULT",
        "modifiable": resource.modifiable,
        "published": False,
        "_class": "paper",
    }


def contribution(state: State, one: Thing) -> Json:
    """A contribution: its first level, objects as bare ids."""
    properties: dict[str, list[str]] = {}
    for each in state.about(one.id):
        properties.setdefault(each.predicate, []).append(each.object)
    return {
        "id": one.id,
        "label": one.label,
        "classes": list(one.classes),
        "properties": properties,
        "extraction_method": one.method,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "visibility": "DEFAULT",
    }


def comparison(state: State, one: Comparison) -> Json:
    """A comparison. A head lists its versions newest first; a version lists them in no order to rely on."""
    resource = state.things[one.id]
    kinds = {predicate: kind for kind, predicate in SOURCE_PREDICATES.items()}
    versions = [
        _head(state.things[each]) | {"changelog": state.comparisons[each].description}
        for each in state.versions(one.head)
    ]
    if one.published:
        versions.sort(key=lambda each: each["id"][::-1])
    return {
        "id": one.id,
        "type": one.type,
        "title": resource.label,
        "description": one.description,
        "research_fields": _named(state, one.research_fields),
        "identifiers": one.identifiers,
        "publication_info": {**NO_PUBLICATION, **one.publication_info},
        "authors": [author(each) for each in one.authors],
        "search_protocol": {**NO_PROTOCOL, **{key: each for key, each in one.search_protocol.items() if each}},
        "sdgs": _named(state, one.sdgs),
        "sources": [{"id": each.object, "type": kinds[each.predicate]} for each in state.sources(one.id)],
        "visualizations": _named(state, one.visualizations),
        "related_figures": _named(state, one.related_figures),
        "related_resources": _named(state, one.related_resources),
        "references": list(one.references),
        "observatories": [NOBODY],
        "organizations": [NOBODY],
        "extraction_method": resource.method,
        "created_at": resource.created_at,
        "created_by": resource.created_by,
        "versions": {"head": _head(state.things[one.head]), "published": versions},
        "is_anonymized": one.is_anonymized,
        "visibility": one.visibility,
        **({"unlisted_by": resource.created_by} if one.visibility == "UNLISTED" else {}),
        "published": one.published,
        "_class": "comparison",
    }
