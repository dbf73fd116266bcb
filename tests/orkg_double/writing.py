"""What the API does for those who write: resources, literals, predicates, statements. Each call needs a login."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tests.orkg_double import bodies, literals
from tests.orkg_double.call import Call, Route
from tests.orkg_double.messages import JSON_TYPE, Answer, Problem, invalid
from tests.orkg_double.state import METHODS, Json, Statement, Thing

RESERVED = ("Literal", "Class", "Predicate", "Resource", "List", "RosettaStoneStatement", "Thing")
AI = "AI_GENERATED"
AI_REVIEWED = "AI_GENERATED_WITH_MANUAL_REVIEW"


def method_of(body: Json, otherwise: str = "UNKNOWN") -> str:
    """How the caller says that it got the values."""
    method: str = body.get("extraction_method") or otherwise
    if method not in METHODS:
        detail = 'Field "$.extraction_method" is either missing, "null", of invalid type, or contains "null" values.'
        raise Problem(400, "mismatched_json_input", detail, pointer="#/extraction_method")
    return method


def changed_method(body: Json, old: str, *, label_changed: bool) -> str:
    """The method after a change: machine values may only become reviewed ones, and a new label is a person's work."""
    named = body.get("extraction_method")
    if named is None:
        return "MANUAL" if label_changed else old
    method = method_of(body)
    if not label_changed and old in (AI, AI_REVIEWED) and method not in (AI, AI_REVIEWED):
        detail = f'Extraction method "{old}" cannot be changed to "{method}".'
        methods: dict[str, Any] = {"source_extraction_method": old, "target_extraction_method": method}
        raise Problem(403, "invalid_extraction_method_change", detail, **methods)
    return method


def check_classes(call: Call, classes: list[str]) -> None:
    """Refuse classes that are not there, and those that are ORKG's own."""
    for one in classes:
        if one in RESERVED:
            raise Problem(400, "reserved_class_id", f'Class id "{one}" is reserved.', class_id=one)
    missing = [one for one in classes if (thing := call.state.things.get(one)) is None or thing.kind != "class"]
    if missing:
        detail = f'The collection of classes "[{", ".join(classes)}]" contains one or more invalid classes.'
        raise Problem(400, "invalid_class_collection", detail, class_ids=classes)


def _create_resource(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_RESOURCE)
    literals.check_label(body["label"])
    classes = body.get("classes") or []
    check_classes(call, classes)
    # a `uri` in the body is checked for nothing and lost
    made = call.state.resource(body["label"], by=call.by, method=method_of(body), classes=tuple(classes))
    return call.created(f"/api/resources/{made.id}")


def _update_resource(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.UPDATE_RESOURCE)
    old = call.thing(call.id, "resource")
    changes: dict[str, Any] = {"method": changed_method(body, old.method, label_changed=_relabels(body, old))}
    if body.get("label") is not None:
        literals.check_label(body["label"])
        changes["label"] = body["label"]
    if body.get("classes") is not None:
        check_classes(call, body["classes"])
        changes["classes"] = tuple(body["classes"])
    changes |= _new_uri(call, body, old)
    call.state.put(replace(old, **changes))
    return call.changed(f"/api/resources/{old.id}")


def _delete_resource(call: Call) -> Answer:
    old = call.thing(call.id, "resource")
    if call.state.by_object.get(old.id):
        detail = f'Unable to delete resource "{old.id}" because it is used in at least one statement.'
        raise Problem(403, "resource_in_use", detail, resource_id=old.id)
    call.own(old)
    call.state.remove_thing(old.id)
    return Answer(204)


def _relabels(body: Json, old: Thing) -> bool:
    return body.get("label") is not None and body["label"] != old.label


def _new_uri(call: Call, body: Json, old: Thing) -> dict[str, Any]:
    """An IRI can be set once, must be absolute, and no other thing may have it."""
    uri = body.get("uri")
    if uri is None or uri == old.uri:
        return {}
    if old.uri is not None:
        detail = f'The thing "{old.id}" already has a URI. It is not allowed to change URIs.'
        raise invalid(detail, "#/uri", "cannot_reset_uri", status=403)
    if not urlsplit(uri).scheme:
        raise invalid(f"The URI <{uri}> is not absolute.", "#/uri", "uri_not_absolute")
    taken = next((one for one in call.state.things.values() if one.uri == uri), None)
    if taken is not None:
        detail = f'The URI <{uri}> is already assigned to thing with ID "{taken.id}".'
        raise invalid(detail, "#/uri", "uri_already_in_use")
    return {"uri": uri}


def _create_predicate(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_PREDICATE)
    literals.check_label(body["label"])
    made = call.state.predicate(body["label"], by=call.by, method=method_of(body))
    return call.created(f"/api/predicates/{made.id}")


def _update_predicate(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.UPDATE_PREDICATE)
    old = call.thing(call.id, "predicate")
    changes: dict[str, Any] = {"method": changed_method(body, old.method, label_changed=_relabels(body, old))}
    if body.get("label") is not None:
        literals.check_label(body["label"])
        changes["label"] = body["label"]
    changes |= _new_uri(call, body, old)
    call.state.put(replace(old, **changes))
    return call.changed(f"/api/predicates/{old.id}")


def _create_literal(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_LITERAL)
    datatype = body.get("datatype") or "xsd:string"
    literals.check(body["label"], datatype)
    made = call.state.literal(body["label"], datatype, by=call.by, method=method_of(body))
    return call.created(f"/api/literals/{made.id}")


def _update_literal(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.UPDATE_LITERAL)
    old = call.thing(call.id, "literal")
    label, datatype = body.get("label", old.label), body.get("datatype", old.datatype)
    literals.check(label, datatype)
    method = changed_method(body, old.method, label_changed=_relabels(body, old))
    call.state.put(replace(old, label=label, datatype=datatype, method=method))
    return call.changed(f"/api/literals/{old.id}")


def _create_statement(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.CREATE_STATEMENT)
    subject, predicate, object_ = body["subject_id"], body["predicate_id"], body["object_id"]
    _check_triple(call, subject, predicate, object_)
    made = call.state.find(subject, predicate, object_)
    if made is None:
        made = call.state.say(subject, predicate, object_, by=call.by, method=method_of(body))
    return call.created(f"/api/statements/{made.id}")


def _check_triple(call: Call, subject: str, predicate: str, object_: str) -> None:
    things = call.state.things
    for name, one in (("subject", subject), ("predicate", predicate), ("object", object_)):
        if one not in things or (name == "predicate" and things[one].kind != "predicate"):
            detail = f'{name.capitalize()} "{one}" not found.'
            raise Problem(400, f"statement_{name}_not_found", detail, **{f"{name}_id": one})  # type: ignore[arg-type]
    if things[subject].kind == "literal":
        raise Problem(400, "invalid_statement", "Subject must not be a literal.")
    if predicate == "hasListElement" and "List" in things[subject].classes:
        raise Problem(400, "invalid_statement", "A list element statement cannot be managed here.")


def _update_statement(call: Call) -> Answer:
    body = bodies.parse(call.request, bodies.UPDATE_STATEMENT)
    old = _statement(call)
    new = replace(
        old,
        subject=body.get("subject_id") or old.subject,
        predicate=body.get("predicate_id") or old.predicate,
        object=body.get("object_id") or old.object,
        method=changed_method(body, old.method, label_changed=False),
    )
    _check_triple(call, new.subject, new.predicate, new.object)
    call.state.put_statement(new)
    if new.object != old.object:
        call.state.forget_unused(old.object)
    return call.changed(f"/api/statements/{old.id}")


def _delete_statement(call: Call) -> Answer:
    # any login may delete any statement; one that is not there is no error
    if call.id in call.state.statements:
        if call.state.statements[call.id].index is not None:
            raise Problem(400, "statement_in_use", "A statement cannot be deleted when it is used in a list.")
        call.state.remove_statement(call.id)
    return Answer(204)


def _statement(call: Call) -> Statement:
    found = call.state.statements.get(call.id)
    if found is None:
        raise Problem(404, "statement_not_found", f'Statement "{call.id}" not found.', statement_id=call.id)
    return found


def _writes(method: str, path: str, answers: Any) -> Route:
    return Route(method, path, answers, (JSON_TYPE,), None if method == "DELETE" else JSON_TYPE, login=True)


ROUTES = [
    _writes("POST", "/api/resources", _create_resource),
    _writes("PUT", "/api/resources/{}", _update_resource),
    _writes("DELETE", "/api/resources/{}", _delete_resource),
    _writes("POST", "/api/predicates", _create_predicate),
    _writes("PUT", "/api/predicates/{}", _update_predicate),
    _writes("POST", "/api/literals", _create_literal),
    _writes("PUT", "/api/literals/{}", _update_literal),
    _writes("POST", "/api/statements", _create_statement),
    _writes("PUT", "/api/statements/{}", _update_statement),
    _writes("DELETE", "/api/statements/{}", _delete_statement),
]
