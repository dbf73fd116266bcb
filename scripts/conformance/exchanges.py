"""Judges the tests that are about HTTP: the SPARQL protocol and the graph store protocol.

The manifests describe whole requests; they are sent byte for byte, with only the address put in place. What the
comments of the manifests ask beside the status is checked too: media types, truth values, graphs, `Location`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from .answers import UnreadableAnswer, difference, read_answer
from .manifest import Request, RequestsAction, Suite
from .targets import Reply, Service, prepare, with_query

RESULTS: Final = frozenset({"application/sparql-results+xml", "application/sparql-results+json"})
KINDS: Final = {
    "boolean": RESULTS,
    "tabular": RESULTS | {"text/csv", "text/tab-separated-values"},
    "RDF": frozenset({f"application/{name}" for name in ("n-triples", "n-quads", "trig", "rdf+xml", "ld+json")})
    | {"text/turtle", "text/n3"},
}
UPDATE_PARAMETERS: Final = ("update=", "using-graph-uri=", "using-named-graph-uri=")


def judge_requests(suite: Suite, name: str, action: RequestsAction, service: Service) -> str | None:
    """Send the requests of one test; returns why it failed, or None."""
    prepare(service, action.before)
    known: dict[str, str] = {}
    for number, request in enumerate(action.requests, start=1):
        url = _address(suite, name, request, service, known)
        reply = service.send(request.method, url, dict(request.headers), _filled(request.body, known))
        problem = _problem(request, reply, url, known)
        if problem:
            return f"request {number} of {len(action.requests)} ({request.method}): {problem}"
        if request.method == "HEAD":  # a body after HEAD would be read as the next answer of the connection
            service.query("ASK {}", "application/sparql-results+json")
    return None


def _address(suite: Suite, name: str, request: Request, service: Service, known: Mapping[str, str]) -> str:
    path, _, query = request.target.partition("?")
    for variable, value in known.items():
        path, query = path.replace(variable, urlsplit(value).path), query.replace(variable, quote(value, safe=":/"))
    if suite is Suite.GRAPH_STORE:
        return with_query(service.graph_store_url.rstrip("/") + path.removeprefix("/gsp"), query)
    return with_query(service.update_url if is_update(name, request) else service.query_url, query)


def is_update(name: str, request: Request) -> bool:
    """Whether a request is for the update address: by its media type, its parameters, or what the test is about."""
    if dict(request.headers).get("content-type", "").startswith("application/sparql-"):
        return dict(request.headers)["content-type"].startswith("application/sparql-update")
    form = (request.body or b"").decode(errors="replace")
    parts = [*request.target.partition("?")[2].split("&"), *form.split("&")]
    return any(part.startswith(UPDATE_PARAMETERS) for part in parts) or "#bad_update" in name


def _filled(body: bytes | None, known: Mapping[str, str]) -> bytes | None:
    for variable, value in known.items():
        body = None if body is None else body.replace(variable.encode(), value.encode())
    return body


def _problem(request: Request, reply: Reply, url: str, known: dict[str, str]) -> str | None:
    if reply.status not in request.statuses:
        return f"expected {_ranges(request.statuses)}, got {reply.shown()}"
    if request.location_name is not None:
        if "location" not in reply.headers:
            return "the answer has no Location"
        known[request.location_name] = urljoin(url, reply.headers["location"])
    if not reply.ok:
        return None
    if request.answer_kind is not None and reply.media_type not in KINDS[request.answer_kind]:
        return f"{reply.media_type or 'no media type'} is no format for this answer ({request.answer_kind})"
    if request.answer_type is not None:
        wanted = request.answer_type.partition(";")[0]
        charset = reply.headers.get("content-type", "").lower().partition("charset=")[2].strip(' "')
        if reply.media_type != wanted or charset not in {"", "utf-8"}:
            return f"expected {request.answer_type}, got {reply.headers.get('content-type', 'no media type')}"
    return _content_problem(request, reply, url)


def _content_problem(request: Request, reply: Reply, url: str) -> str | None:
    try:
        if request.truth is not None:
            return difference(request.truth, read_answer(reply.body, reply.media_type, url))
        if request.answer_body is not None and request.answer_type is not None:
            expected = read_answer(request.answer_body.encode(), request.answer_type, url)
            return difference(expected, read_answer(reply.body, reply.media_type, url))
    except UnreadableAnswer as error:
        return str(error)
    return None


def _ranges(statuses: frozenset[int]) -> str:
    """Statuses as people write them: 201 or 204, 4xx."""
    hundreds = {status // 100 for status in statuses if len(statuses) > 50}
    return " or ".join([f"{h}xx" for h in sorted(hundreds)] or [str(status) for status in sorted(statuses)])
