"""What every address that changes the graph needs: who writes, on what condition, and the body, read to a limit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import Request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import ETags
from werkzeug.http import parse_etags, parse_options_header

from app.access import Scope
from app.curate.write import Author, Written
from app.errors import (
    BadParameter,
    BadQuery,
    BadValue,
    ConditionFailed,
    PreconditionNeeded,
    QueryRefused,
    UnsupportedMedia,
)
from app.model.rdf import IRI, iri
from app.web.clients import Client

UPDATE = "application/sparql-update"
JSON = "application/json"
Shape = TypeVar("Shape", bound=BaseModel)
_REVISION = re.compile(r"(\d{1,12})(?:-.*)?", re.ASCII)


def author_of(client: Client, scope: Scope = Scope.UPDATE) -> Author:
    """The client as an author; Unauthorized, Forbidden. Called before anything of the request is read."""
    key = client.needs(scope)
    return Author(key.agent, client.name, client.limits, client.share)


def media_type_of(request: Request) -> tuple[str, Mapping[str, str]]:
    """The body's media type and its options; UnsupportedMedia for text that is not UTF-8."""
    return read_media_type(request.headers.get("content-type"))


def read_media_type(header: str | None) -> tuple[str, Mapping[str, str]]:
    """A media type and its options."""
    media_type, options = parse_options_header(header)
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMedia("only UTF-8 is read here", advice="Send the body as UTF-8.")
    return media_type.lower(), options


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body, read no further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise QueryRefused(f"the body is longer than {limit} bytes", advice="Send it in parts.")
    return bytes(body)


def text_of(body: bytes) -> str:
    """An update as text; BadQuery with the place that is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise BadQuery("the update is not UTF-8", line=line, column=column) from error


async def json_of(request: Request, shape: type[Shape], *, limit: int = 100_000) -> Shape:
    """The request's JSON body in a shape; BadValue with a pointer to the first mistake, UnsupportedMedia."""
    media_type, _ = media_type_of(request)
    if media_type != JSON:
        raise UnsupportedMedia(f"{media_type or 'a body without a type'} is not read here", advice=f"Send {JSON}.")
    body = await body_of(request, limit)
    try:
        return await to_thread.run_sync(lambda: shape.model_validate_json(body, strict=True))
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise BadValue("", error.errors()[0]["msg"], advice="Send one JSON document.") from None
        raise _bad_value(error, json.loads(body)) from None


def shaped(shape: type[Shape], values: Mapping[str, Any]) -> Shape:
    """What a form says, in the shape of the same request as JSON; BadValue with a pointer to the first mistake."""
    try:
        return shape.model_validate(values, strict=True)
    except ValidationError as error:
        raise _bad_value(error, values) from None


def _bad_value(error: ValidationError, inside: Any) -> BadValue:
    """The first mistake, without the value that was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path: list[str] = []
    for part in first["loc"]:
        if isinstance(inside, dict) and part in inside:
            inside = inside[part]
        elif isinstance(inside, list) and isinstance(part, int):
            inside = inside[part] if part < len(inside) else None
        elif first["type"] != "missing":
            break
        path.append("/" + str(part).replace("~", "~0").replace("/", "~1"))
    return BadValue("".join(path), first["msg"], advice="See /openapi.json for the shape of the body.")


def needed_revision(request: Request) -> int | None:
    """The revision that `If-Match` names, None for any; PreconditionNeeded without the header."""
    if tags(request, "if-match") is None:
        raise PreconditionNeeded
    return expected_revision(request)


def graph_iri(parameter: str, name: str) -> IRI:
    """A graph's name as a term; BadParameter."""
    try:
        return iri(name)
    except ValueError as error:
        raise BadParameter(parameter, "is not an absolute IRI", advice="Give the graph's whole IRI.") from error


def tags(request: Request, header: str) -> ETags | None:
    """The entity tags of a conditional header; None without it."""
    value = ", ".join(request.headers.getlist(header))
    if not value:
        return None
    found = parse_etags(value)
    return ETags(strong_etags=[tag for tag in found.as_set() if tag], star_tag=found.star_tag)


def expected_revision(request: Request) -> int | None:
    """The revision that `If-Match` names: its number, or any tag that was given with an answer at that revision."""
    found = tags(request, "if-match")
    if found is None or found.star_tag:
        return None
    numbers = {int(match[1]) for tag in found.as_set() if (match := _REVISION.fullmatch(tag))}
    if len(numbers) != 1:
        raise ConditionFailed("If-Match names no revision", advice='Send the X-Revision that you saw, as "7".')
    return numbers.pop()


def revision_of_tag(tag: str) -> int | None:
    """The number of the revision that an entity tag was made at."""
    match = _REVISION.fullmatch(tag)
    return int(match[1]) if match else None


def result_headers(written: Written) -> dict[str, str]:
    """Headers of the answer to a write."""
    return {"X-Revision": str(written.revision), "Cache-Control": "no-store"}
