"""Errors on the wire: RFC 9457 problem details, from the one table in `app.outcomes`. Never shows internal text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Mount

from app import vocab
from app.disk import refusal
from app.errors import (
    AppError,
    BadFile,
    BadParameter,
    BadQuery,
    BadTable,
    BadValue,
    ConditionFailed,
    Conflict,
    InvalidGraph,
    NotFound,
    QueryTimeout,
    RevertConflict,
    StoreBusy,
    TooBusy,
    TooManyRequests,
    Unauthorized,
)
from app.outcomes import EXIT_USAGE, OUTCOMES, Outcome, outcome
from app.web.negotiation import HTML, accept_of, preferred

MEDIA_TYPE = "application/problem+json"
_FOR_PROGRAMS = (
    "/api/",
    "/sparql",
    "/update",
    "/graphs",
    "/dcat",
    "/.well-known/",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
)
"""Addresses that answer problem details whatever the client likes best."""
_FINDINGS = 100
"""Findings that an answer tells of; the number of all is in its detail."""
_A_WRITE = 2
"""Seconds after which somebody else's write has ended, most likely; nothing was changed meanwhile."""
TYPES = f"{vocab.BASE}problems/"

WEB_OUTCOMES: Mapping[str, Outcome] = {
    "method-not-allowed": Outcome(405, EXIT_USAGE, "The method is not allowed here"),
    "range-not-satisfiable": Outcome(416, EXIT_USAGE, "The part asked for is outside of the file"),
}
"""Outcomes that only HTTP knows."""


class Problem(BaseModel):
    """An error as RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="Address that names the kind of error; ends in the code.")
    title: str = Field(description="Short summary of the kind of error; always the same for a code.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What went wrong this time.")
    code: str = Field(description="Stable code of the kind of error.")
    advice: str | None = Field(None, description="What to do next.")
    parameter: str | None = Field(None, description="The request parameter that does not fit.")
    pointer: str | None = Field(
        None, description="JSON pointer to the part of the body, or of a compound parameter, that does not fit."
    )
    line: int | None = Field(None, description="Line of the query or body, from 1.")
    column: int | None = Field(None, description="Column of the query or body, from 1.")
    changes: list[str] | None = Field(None, description="What changed since the client looked.")
    findings: list[str] | None = Field(
        None, description="What breaks constraints, or what cells ask, at most the first hundred."
    )
    conflicts: list[str] | None = Field(None, description="What others changed meanwhile, at most the first hundred.")
    request: str | None = Field(None, description="Id of the request, to be quoted in a report of an internal error.")


def problem(error: AppError, *, headers: Mapping[str, str] | None = None) -> Response:
    """The response for one of our errors."""
    place: dict[str, Any] = {}
    if isinstance(error, BadParameter):
        place |= {"parameter": error.name, "pointer": error.pointer}
    if isinstance(error, InvalidGraph | BadTable):
        place["findings"] = list(error.findings[:_FINDINGS])
    if isinstance(error, BadQuery | BadFile | BadTable):
        place |= {"line": error.line, "column": error.column}
    if isinstance(error, BadValue | Conflict):
        place["pointer"] = error.pointer
    if isinstance(error, ConditionFailed) and error.changes:
        place["changes"] = list(error.changes[:_FINDINGS])
    if isinstance(error, RevertConflict):
        place["conflicts"] = list(error.conflicts[:_FINDINGS])
    every = {**headers_of(error), **(headers or {})}
    return problem_response(error.code, error.message, advice=error.advice, headers=every, **place)


def headers_of(error: AppError) -> dict[str, str]:
    """What the headers of an answer say about an error, in whatever form it is told."""
    if isinstance(error, TooManyRequests | TooBusy | QueryTimeout) and error.retry_after is not None:
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, StoreBusy):
        return {"Retry-After": str(_A_WRITE)}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": 'Bearer realm="slmkg"'}
    return {}


def problem_response(
    code: str, detail: str, *, advice: str = "", headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """A problem response; members that are None are left out."""
    known = WEB_OUTCOMES.get(code) or outcome(code)
    body = Problem(
        type=TYPES + code,
        title=known.title,
        status=known.status,
        detail=detail,
        code=code,
        advice=advice or None,
        **members,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=known.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for these error codes and for those that can always happen."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, "store-empty", "engine-unavailable", "internal"):
        known = OUTCOMES[code]
        entry = by_status.setdefault(
            known.status,
            {
                "description": HTTPStatus(known.status).phrase,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["content"][MEDIA_TYPE]["examples"][code] = {
            "summary": known.title,
            "value": {"type": TYPES + code, "title": known.title, "status": known.status, "code": code, "detail": "…"},
        }
    return by_status


def install(app: FastAPI, page: Callable[[AppError], Response]) -> None:
    """Answer every error of the application with problem details, or with a page where a person reads pages."""
    app.state.error_page = page
    app.add_exception_handler(AppError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(OSError, _of_system)


def answered(request: Request, error: AppError) -> Response:
    """An error as the client wants it: whoever likes HTML best gets a page, but not from the interfaces of programs."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if path.startswith(_FOR_PROGRAMS):
        return problem(error)
    wanted = preferred(accept_of(request), (MEDIA_TYPE, "application/json", HTML))
    answer: Response = request.app.state.error_page(error) if wanted == HTML else problem(error)
    answer.headers["Vary"] = "Accept"
    return answer


def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - registered for this class only
    return answered(request, error)


def _of_validation(request: Request, error: Exception) -> Response:
    """The first thing that FastAPI found wrong with the parameters, without the value that was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    first = error.errors()[0]
    where, *path = (str(part) for part in first["loc"])
    name = path[0] if path else where
    if where == "body":
        return problem_response("bad-input", first["msg"], pointer="/" + "/".join(path))
    missing = first["type"] == "missing"
    return answered(request, BadParameter(name, "is required" if missing else first["msg"]))


def _of_system(request: Request, error: Exception) -> Response:
    """A disk that is full or cannot be written, wherever it was met; any other failure is as unexpected as before."""
    reads = request.method in {"GET", "HEAD"}
    refused = refusal(error) if isinstance(error, OSError) and not reads else None
    if refused is None:
        raise error
    return answered(request, refused)


def _of_http(request: Request, error: Exception) -> Response:
    """What the router refuses: an unknown address, a method that is not served."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        return problem_response(
            "method-not-allowed",
            f"{request.method} is not served at this address",
            advice=f"Use one of: {allowed}.",
            headers={"Allow": allowed},
        )
    if error.status_code == HTTPStatus.NOT_FOUND:
        missing = NotFound("page", request.url.path, advice="GET /openapi.json lists what is served.")
        return answered(request, missing)
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem_response("bad-input", HTTPStatus(error.status_code).phrase)
    return problem_response("internal", "the request could not be answered")


def _methods(request: Request) -> Iterable[str]:
    """Methods that any route serves at the request's address, as it was before a mount cut it."""
    scope = {**request.scope, "root_path": request.scope.get("app_root_path", request.scope.get("root_path", ""))}
    found: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            found |= {"GET"} if isinstance(route, Mount) else set(getattr(route, "methods", None) or ())
    found.add("OPTIONS")
    if "GET" in found:
        found.add("HEAD")
    return sorted(found)
