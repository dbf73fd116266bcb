"""What the API does for those who write papers, contributions and comparisons."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.orkg_double import bodies, literals, table
from tests.orkg_double.call import COMPARISON, CONTRIBUTION, PAPER, Call, Route
from tests.orkg_double.messages import JSON_TYPE, Answer, Problem, invalid, not_found, not_valid
from tests.orkg_double.reading import comparison_of
from tests.orkg_double.state import SOURCE_PREDICATES, Comparison, Json, Paper
from tests.orkg_double.writing import changed_method, check_classes, method_of

_DOI = re.compile(r"10\.\d{4,9}/\S+")


# papers


def _create_paper(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_PAPER)
    literals.check_label(body["title"], "#/title")
    if len(body["research_fields"]) != 1:
        raise _one_field()
    _check_fields(call, body["research_fields"])
    _check_people(call, body)
    for one in (*(body.get("sdgs") or ()), *(body.get("mentionings") or ())):
        call.thing(one)
    identifiers = body.get("identifiers") or {}
    _check_new(call, body["title"], identifiers)
    method = method_of(body)
    paper = call.state.resource(body["title"], by=call.by, method=method, classes=("Paper",))
    record = Paper(
        paper.id,
        tuple(body["research_fields"]),
        identifiers,
        _publication(call, body.get("publication_info") or {}, method),
        _authors(call, body["authors"], method),
        tuple(body.get("sdgs") or ()),
        tuple(body.get("mentionings") or ()),
    )
    call.state.papers[paper.id] = record
    describe_paper(call, record, method)
    contents = body.get("contents")
    if contents is not None:
        maker = _Maker(call, contents, method)
        for number, contribution in enumerate(contents["contributions"]):
            maker.contribution(paper.id, contribution, f"#/contents/contributions/{number}")
    return call.created(f"/api/papers/{paper.id}")


def _publication(call: Call, info: Json, method: str) -> Json:
    """The journal is sent as a name and becomes a thing."""
    if not info.get("published_in"):
        return info
    venue = call.state.resource(info["published_in"], by=call.by, method=method, classes=("Venue",))
    return {**info, "published_in": {"id": venue.id, "label": venue.label}}


def describe_paper(call: Call, paper: Paper, method: str) -> None:
    """The statements that say of a paper what its record says; ORKG keeps only these."""
    said = [("P30", one) for one in paper.research_fields]
    about = [("P26", one) for one in paper.identifiers.get("doi", ())]
    about += [
        (predicate, str(value))
        for predicate, key in (("P28", "published_month"), ("P29", "published_year"), ("url", "url"))
        if (value := paper.publication_info.get(key)) is not None
    ]
    said += [(predicate, call.state.literal(label, by=call.by, method=method).id) for predicate, label in about]
    venue = paper.publication_info.get("published_in")
    if venue:
        said.append(("HAS_VENUE", venue["id"]))
    for predicate, object_ in said:
        call.state.say(paper.id, predicate, object_, by=call.by, method=method)


def _check_new(call: Call, title: str, identifiers: Json) -> None:
    """Refuse a paper that is there: by DOI in any case, then by title."""
    known = call.state.papers.values()
    for doi in identifiers.get("doi", ()):
        if not _DOI.fullmatch(doi):
            raise invalid(f'"{doi}" is not a valid DOI.', "#/identifiers/doi", "invalid_identifier")
        if any(doi.casefold() == one.casefold() for paper in known for one in paper.identifiers.get("doi", ())):
            detail = f'Paper with identifier "{doi}" already exists.'
            raise Problem(400, "paper_already_exists", detail, paper_identifier=doi)
    if any(call.state.things[paper.id].label.casefold() == title.casefold() for paper in known):
        raise Problem(400, "paper_already_exists", f'Paper with title "{title}" already exists.', paper_title=title)


def _create_contribution(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_CONTRIBUTION)
    if call.id not in call.state.papers:
        raise not_found("paper", "Paper", call.id)
    made = _Maker(call, body, method_of(body)).contribution(call.id, body["contribution"], "#/contribution")
    return call.created(f"/api/contributions/{made}")


class _Maker:
    """Makes the things that a body defines under temporary ids, each once, and contributions that name them."""

    def __init__(self, call: Call, definitions: Json, method: str) -> None:
        self.call, self.method, self.by = call, method, call.by
        self.known: dict[str, str] = {}
        for temporary, one in (definitions.get("resources") or {}).items():
            literals.check_label(one["label"])
            check_classes(call, one.get("classes") or [])
            classes = tuple(one.get("classes") or ())
            self._make(temporary, call.state.resource(one["label"], by=self.by, method=method, classes=classes).id)
        for temporary, one in (definitions.get("literals") or {}).items():
            datatype = one.get("data_type") or "xsd:string"
            literals.check(one["label"], datatype, key="data_type")
            self._make(temporary, call.state.literal(one["label"], datatype, by=self.by, method=method).id)
        for temporary, one in (definitions.get("predicates") or {}).items():
            literals.check_label(one["label"])
            made = call.state.predicate(one["label"], by=self.by, method=method)
            self._make(temporary, made.id)
            if one.get("description"):
                text = call.state.literal(one["description"], by=self.by, method=method)
                call.state.say(made.id, "description", text.id, by=self.by, method=method)
        for temporary, one in (definitions.get("lists") or {}).items():
            made = call.state.resource(one["label"], by=self.by, method=method, classes=("List",))
            self._make(temporary, made.id)
            for index, element in enumerate(one.get("elements") or ()):
                object_ = self._resolve(element)
                call.state.say(made.id, "hasListElement", object_, by=self.by, method=method, index=index)

    def contribution(self, paper: str, body: Json, pointer: str) -> str:
        """Make a contribution of a paper and return its id."""
        literals.check_label(body["label"], f"{pointer}/label")
        if not any(body["statements"].values()):
            raise Problem(400, "empty_contribution", "Contribution does not contain any statements.", pointer=pointer)
        classes = body.get("classes") or []
        check_classes(self.call, classes)
        made = self.call.state.resource(
            body["label"], by=self.by, method=self.method, classes=tuple(dict.fromkeys(("Contribution", *classes)))
        )
        self.call.state.say(paper, "P31", made.id, by=self.by, method=self.method)
        self._say(made.id, body["statements"])
        return made.id

    def _say(self, subject: str, statements: Json) -> None:
        for predicate, objects in statements.items():
            known = self._resolve(predicate, "predicate")
            for one in objects:
                object_ = self._resolve(one["id"])
                if self.call.state.find(subject, known, object_) is None:
                    self.call.state.say(subject, known, object_, by=self.by, method=self.method)
                self._say(object_, one.get("statements") or {})

    def _make(self, temporary: str, identity: str) -> None:
        if not temporary.startswith("#") or len(temporary) < 2:
            raise Problem(
                400, "invalid_temp_id", f'Invalid temp id "{temporary}". Requires "#" as prefix.', temp_id=temporary
            )
        if temporary in self.known:
            twice = {temporary: 2}
            raise Problem(400, "duplicate_temp_ids", f"Duplicate temp ids: {temporary}=2.", duplicate_temp_ids=twice)
        self.known[temporary] = identity

    def _resolve(self, identity: str, kind: str = "thing") -> str:
        if not identity.startswith("#"):
            return self.call.thing(identity, kind).id
        if identity not in self.known:
            raise Problem(400, "thing_not_defined", f'Thing "{identity}" not defined.', thing_id=identity)
        return self.call.thing(self.known[identity], kind).id


# comparisons


def _create_comparison(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_COMPARISON)
    if not body["title"].strip():
        raise not_valid("must not be blank", "title")
    literals.check_label(body["title"], "#/title")
    if len(body["research_fields"]) > 1:
        raise _one_field()
    method = method_of(body)
    changes = _checked(call, body, method)
    made = call.state.resource(body["title"], by=call.by, method=method, classes=("Comparison",))
    record = Comparison(made.id, made.id, **changes)
    call.state.comparisons[made.id] = record
    _set_sources(call, made.id, body["sources"], method)
    found = [one["id"] for one in body["sources"]]
    call.state.write(record, selected_paths=table.paths(call.state, found, at_least=2, ids_only=True))
    return call.created(f"/api/comparisons/{made.id}")


def _update_comparison(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.UPDATE_COMPARISON)
    record = comparison_of(call)
    if record.published:
        raise _closed("comparison_not_modifiable", f'Comparison "{call.id}" is not modifiable.', call.id)
    if body.get("research_fields") is not None and len(body["research_fields"]) != 1:
        raise _one_field()
    resource = call.state.things[call.id]
    if body.get("visibility") is not None:
        call.own(resource)
    if body.get("title") is not None:
        literals.check_label(body["title"], "#/title")
    method = changed_method(body, resource.method, label_changed=False)
    call.state.put(replace(resource, label=body.get("title") or resource.label, method=method))
    call.state.write(record, **_checked(call, body, method))
    if body.get("sources") is not None:
        _set_sources(call, call.id, body["sources"], method_of(body))
    return call.changed(f"/api/comparisons/{call.id}")


def _checked(call: Call, body: Json, method: str) -> dict[str, Any]:
    """The parts of a comparison that a body sets, checked."""
    _check_people(call, body)
    if body.get("research_fields") is not None:
        _check_fields(call, body["research_fields"])
    for key in ("visualizations", "related_figures", "related_resources", "sdgs"):
        for one in body.get(key) or ():
            call.thing(one)
    _check_sources(call, body.get("sources") or ())
    if body.get("description") is not None:
        literals.check_description(body["description"])
    for one in body.get("references") or ():
        literals.check_label(one, "#/references")
    kept = ("type", "description", "search_protocol", "is_anonymized", "visibility")
    lists = ("research_fields", "sdgs", "visualizations", "related_figures", "related_resources", "references")
    changes = {key: body[key] for key in kept if body.get(key) is not None}
    changes |= {key: tuple(body[key]) for key in lists if body.get(key) is not None}
    if body.get("authors") is not None:
        changes["authors"] = _authors(call, body["authors"], method)
    return changes


def _check_sources(call: Call, sources: Json) -> None:
    """Refuse sources of no known type, that are no resources, or that come twice."""
    for number, one in enumerate(sources):
        if one.get("type") not in SOURCE_PREDICATES or "id" not in one:
            place = f"$.sources[{number}]"
            detail = f'Field "{place}" is either missing, "null", of invalid type, or contains "null" values.'
            raise Problem(400, "mismatched_json_input", detail, pointer=f"#/sources/{number}")
    named = [f"(id={one['id']},type={one['type']})" for one in sources]
    twice = {one: named.count(one) for one in named if named.count(one) > 1}
    if twice:
        detail = f"Duplicate data sources: {', '.join(f'{one}={count}' for one, count in twice.items())}."
        raise Problem(400, "duplicate_data_sources", detail, duplicate_data_sources=twice)
    for one in sources:
        call.thing(one["id"], "resource")


def _set_sources(call: Call, comparison: str, wanted: Json, method: str) -> None:
    """Replace the list of sources. Old statements are kept as far as they come in the order that is wanted.

    Whatever stands before a statement that is kept, and is not wanted there, goes; so a new source in front of the
    others makes all of their statements anew.
    """
    old = iter(call.state.sources(comparison))
    gone: list[str] = []
    for source, predicate in [(one["id"], SOURCE_PREDICATES[one["type"]]) for one in wanted]:
        for statement in old:
            if (statement.object, statement.predicate) == (source, predicate):
                break
            gone.append(statement.id)
        else:
            call.state.say(comparison, predicate, source, by=call.by, method=method)
    for one in [*gone, *(statement.id for statement in old)]:
        call.state.remove_statement(one)


def _update_contents(call: Call) -> Answer:
    selected = bodies.paths(call.request)
    record = comparison_of(call)
    if record.published:
        raise _closed("comparison_already_published", f'Comparison "{call.id}" is already published.', call.id)
    _check_paths(call, selected, ())
    call.state.write(record, selected_paths=tuple(selected))
    return call.changed(f"/api/comparisons/{call.id}/contents")


def _check_paths(call: Call, selected: Json, above: tuple[str, ...]) -> None:
    for one in selected:
        path = (*above, one["id"])
        if one["type"] not in ("PREDICATE", "ROSETTA_STONE_STATEMENT", "ROSETTA_STONE_STATEMENT_VALUE"):
            raise Problem(400, "mismatched_json_input", f'"{one["type"]}" is no type of a path.', pointer="#/type")
        if one["children"] and len(path) == table.DEEPEST:
            detail = f"The comparison path exceeds the maximum depth of {table.DEEPEST}."
            raise Problem(400, "invalid_comparison_path", detail, comparison_path=path)
        thing = call.state.things.get(one["id"])
        if thing is None or (one["type"] == "PREDICATE" and thing.kind != "predicate"):
            detail = f'Comparison path "{" > ".join(path)}" not found.'
            raise Problem(404, "comparison_path_not_found", detail, comparison_path=path)
        _check_paths(call, one["children"], path)


def _publish(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.PUBLISH)
    record, state = comparison_of(call), call.state
    if record.published:
        raise _closed("comparison_already_published", f'Comparison "{call.id}" is already published.', call.id)
    if not body["authors"]:
        raise not_valid("must not be empty", "authors")
    sources = state.sources(call.id)
    if len({one.object for one in sources}) < 2:
        raise Problem(400, "requires_at_least_two_sources", "At least two sources are required.")
    head = state.things[call.id]
    for old in state.versions(call.id):
        thing = state.things[old]
        state.put(replace(thing, classes=tuple(one for one in thing.classes if one != "LatestVersion")))
    version = state.resource(
        head.label, by=call.by, method=head.method, classes=("ComparisonPublished", "LatestVersion")
    )
    state.tables[version.id] = table.contents(state, call.id)
    for one in sources:
        state.say(version.id, one.predicate, one.object, by=call.by, method=one.method)
    year, month = int(version.created_at[:4]), int(version.created_at[5:7])
    defect = call.habits.publication_date == "defect"
    # the month is written with the predicate of the year; which of the two is read depends on the database
    when = {"published_year": month} if defect else {"published_month": month, "published_year": year}
    state.comparisons[version.id] = replace(record, id=version.id, publication_info=when)
    for predicate, date in (("P29", year), ("P29" if defect else "P28", month)):
        literal = state.literal(str(date), "xsd:int", by=call.by, method=head.method)
        state.say(version.id, predicate, literal.id, by=call.by, method=head.method)
    state.say(call.id, "hasPublishedVersion", version.id, by=call.by)
    if body["assign_doi"]:
        if call.habits.doi_service == "down":
            raise Problem(503, "service_unavailable", "Service unavailable.")
        identifiers = {**record.identifiers, "doi": [f"10.99999/{version.id}"]}
        state.write(state.comparisons[version.id], identifiers=identifiers)
    return call.created(f"/api/comparisons/{version.id}")


def _delete_comparison(call: Call) -> Answer:
    record = call.state.comparisons.get(call.id)
    if record is None:
        return Answer(204)
    if record.published or call.state.versions(call.id):
        raise _closed("comparison_already_published", f'Comparison "{call.id}" is already published.', call.id)
    if call.state.by_object.get(call.id):
        detail = f'Unable to delete comparison "{call.id}" because it is used in at least one statement.'
        raise _closed("comparison_in_use", detail, call.id)
    call.own(call.state.things[call.id])
    call.state.remove_thing(call.id)
    return Answer(204)


def _closed(kind: str, detail: str, identity: str) -> Problem:
    return Problem(403, kind, detail, comparison_id=identity)


# both


def _one_field() -> Problem:
    return Problem(400, "only_one_research_field_allowed", "Ony one research field is allowed.")


def _check_fields(call: Call, fields: list[str]) -> None:
    for one in fields:
        thing = call.state.things.get(one)
        if thing is None or "ResearchField" not in thing.classes:
            raise not_found("research_field", "Research field", one)


def _check_people(call: Call, body: Json) -> None:
    """Nothing here has an observatory or organization: the zero id that is read must not be sent back."""
    for key, kind in (("observatories", "observatory"), ("organizations", "organization")):
        for one in body.get(key) or ():
            raise not_found(kind, kind.capitalize(), one)


def _authors(call: Call, authors: Json, method: str) -> tuple[Json, ...]:
    """Authors with identifiers become things of their own; the others stay names."""
    found = []
    for one in authors:
        known = dict(one)
        if one.get("identifiers") and not one.get("id"):
            known["id"] = call.state.resource(one["name"], by=call.by, method=method, classes=("Author",)).id
        found.append(known)
    return tuple(found)


ROUTES = [
    # what is not said to give a type of its own gives the type of the other calls beside it
    Route("POST", "/api/papers", _create_paper, (PAPER,), PAPER, login=True),
    Route("POST", "/api/papers/{}/contributions", _create_contribution, (CONTRIBUTION,), CONTRIBUTION, login=True),
    Route("POST", "/api/comparisons", _create_comparison, (COMPARISON,), COMPARISON, login=True),
    Route("PUT", "/api/comparisons/{}", _update_comparison, (COMPARISON,), COMPARISON, login=True),
    Route("PUT", "/api/comparisons/{}/contents", _update_contents, (COMPARISON,), COMPARISON, login=True),
    Route("POST", "/api/comparisons/{}/publish", _publish, (JSON_TYPE,), JSON_TYPE, login=True),
    Route("DELETE", "/api/comparisons/{}", _delete_comparison, (JSON_TYPE,), COMPARISON, login=True),
]
