"""The OpenAPI document: FastAPI's, with every error as problem details and nothing about errors that cannot happen."""

from __future__ import annotations

from typing import Any

from app.web import curation_schemas, jobs_schemas
from app.web.examples import example
from app.web.problems import Problem

DESCRIPTION = """Small language models as a knowledge graph: a source behind every value.

* Every answer names the graph's revision (`X-Revision`) and has a strong `ETag`; send it back as `If-None-Match`.
* Every error is `application/problem+json` (RFC 9457) with a stable `code`.
* An unknown query parameter is an error, not ignored (but for `/sparql`). Those of a comparison have
  at most 6,000 bytes together.
* `HEAD` works wherever `GET` does. Anybody may read, from any web page (CORS).
"""
_KEY = "key"
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `slmkg keys create` makes, with the scope that the operation needs.",
}
_REVISION: dict[str, Any] = {
    "description": "Revision to ask, by its number or as the name of a release; the newest one when left out.",
    "schema": {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 10**9},
            {"type": "string", "pattern": r"^[0-9]{4}\.(0[1-9]|1[0-2])(\.[0-9]{1,3})?(-[a-z][a-z0-9]{0,15})?$"},
        ]
    },
}
_REF = "#/components/schemas/{model}"


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's document with our errors in place of its own, and with real examples.

    The examples are put in here because FastAPI would drop their nulls.
    """
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for body in (*curation_schemas.BODIES, *jobs_schemas.BODIES):
        shape = body.model_json_schema(ref_template=_REF)
        schemas |= shape.pop("$defs", {})
        schemas[body.__name__] = shape
    schemas["Problem"] = Problem.model_json_schema(ref_template=_REF)
    document["components"]["securitySchemes"] = {_KEY: _BEARER}
    for path in document["paths"].values():
        for operation in path.values():
            if "401" in operation["responses"]:
                operation["security"] = [{_KEY: []}]
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
            for parameter in operation.get("parameters", ()):
                if (parameter["name"], parameter["in"]) == ("revision", "query"):
                    parameter["description"], parameter["schema"] = _REVISION["description"], _REVISION["schema"]
            operation["responses"] = dict(sorted(operation["responses"].items()))
            if (answer := example(operation["operationId"])) is not None:
                status = next(one for one in ("201", "202", "200") if one in operation["responses"])
                contents = operation["responses"][status]["content"]
                media = "text/csv" if isinstance(answer, str) else "application/json"
                contents[media if media in contents else next(iter(contents))]["example"] = answer
    return document
