"""The double itself: one request in, one outcome out. It knows nothing of sockets; `asgi` and `inside` carry it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.orkg_double import clock, control, dump, faults, publishing, reading, sign_in, worlds, writing
from tests.orkg_double.call import COMPARISON, COMPARISON_V2, Call, Habits, Route
from tests.orkg_double.faults import Bend, Schedule
from tests.orkg_double.messages import JSON_TYPE, Answer, Outcome, Problem, Request, as_json
from tests.orkg_double.state import Json, State

_SEPARATOR = re.compile(r"\s*;\s*")


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as the double saw it. `user` is who was signed in; a password or token is never kept."""

    number: int
    seconds: float
    method: str
    path: str
    query: str
    status: int | None
    user: str | None
    accept: str | None
    content_type: str | None
    user_agent: str | None
    body: Json
    fault: str | None


@dataclass(slots=True)
class _Place:
    """All routes of one address."""

    pattern: re.Pattern[str]
    by_method: dict[str, Route] = field(default_factory=dict)


class Double:
    """A world and everything that answers about it. Not for several threads."""

    def __init__(self, world: str = "synthetic", **options: Any) -> None:
        self.state: State
        self.habits: Habits
        self.signed_in: sign_in.SignIn
        self.endpoint: dump.Endpoint
        self._places = _places([*reading.ROUTES, *writing.ROUTES, *publishing.ROUTES])
        self._kept: dict[str, State] = {}
        self.reset(world, **options)

    def reset(self, world: str = "synthetic", **options: Any) -> None:
        """Start anew with a world: no tokens, faults, bends or log, the usual habits, the clock at its start."""
        self.state = worlds.build(world, **options)
        self.habits = Habits()
        self.signed_in = sign_in.SignIn()
        self.schedule = Schedule()
        self.bends: list[Bend] = []
        self.log: list[Logged] = []
        self.endpoint = dump.Endpoint(self.state)
        self._began = time.monotonic()

    def save(self, name: str) -> None:
        """Keep the world of now under a name."""
        self._kept[name] = self.state.copy()

    def restore(self, name: str) -> None:
        """Go back to a kept world; nothing else changes."""
        self.state = self._kept[name].copy()

    # requests

    def outcome(self, request: Request) -> Outcome:
        """What happens to a request: control, faults, the answer, bends, the log."""
        if request.path.startswith(control.PATH):
            return Outcome(control.answer(self, request))
        fault = self.schedule.next(request)
        if fault is not None and fault.what == "expired":
            self.signed_in.expire()
        answer: Answer | None = None
        user = self._name(request)
        if fault is None or fault.what not in faults.BEFORE:
            answer = self.answer(request)
            for bend in self.bends:
                if bend.fits(request, answer):
                    answer = bend.apply(request, answer)
        delay, what = 0.0, fault.what if fault else None
        if fault is not None:
            if fault.what in faults.CUTS:
                answer = None
            elif fault.what[0].isdigit():
                answer = faults.proxy_answer(fault.what, fault.seconds)
            elif fault.what == "slow":
                delay = fault.seconds
        self._note(request, answer, user, what)
        return Outcome(answer, delay, crash=what in ("crash", "crash-after"))

    def answer(self, request: Request) -> Answer:
        """The answer that ORKG gives when nothing goes wrong on the way."""
        try:
            return self._answer(request)
        except Problem as problem:
            return problem.answer(request, clock.written(self.state.now))

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/api/") and path.endswith("/"):
            query = f"?{urlencode(request.query)}" if request.query else ""
            return Answer(308, (("Location", path.rstrip("/") + query),))
        if not path.startswith("/api"):
            return self._outside_api(request)
        user = self.signed_in.user(request, self.state.now)
        if path == "/api":
            return as_json(self._described())
        if path == "/api/rdf/dump":
            return Answer(301, (("Location", dump.FILE),))
        route, ids = self._route(request)
        media = self._media(request, route)
        if route.login and (user is None or (not user.writes and route.method != "GET")):
            raise Problem(403, "access_denied", "Access Denied")
        if route.method in ("GET", "HEAD"):
            found = route.answers(Call(self.state, request, self.habits, ids, user, media))
            return Answer(found.status, found.headers) if request.method == "HEAD" else found
        return self._write(route, Call(self.state.copy(), request, self.habits, ids, user, media))

    def _write(self, route: Route, call: Call) -> Answer:
        """A write is carried out whole or not at all, but for the version whose DOI was refused."""
        try:
            found = route.answers(call)
        except Problem as problem:
            if problem.status == 503:
                self.state = call.state
            raise
        self.state = call.state
        return found

    def _outside_api(self, request: Request) -> Answer:
        """What stands beside the API: signing in, SPARQL, the dump, the retired store of tables."""
        base = f"http://{request.headers.get('host', 'localhost')}"
        answers: dict[tuple[str, str], Callable[[], Answer]] = {
            ("POST", sign_in.TOKEN_PATH): lambda: self.signed_in.answer(request, self.state.now),
            ("GET", sign_in.DISCOVERY_PATH): lambda: sign_in.discovery(base),
            ("GET", dump.PATH): lambda: self.endpoint.answer(request),
            ("POST", dump.PATH): lambda: self.endpoint.answer(request),
            ("GET", "/triplestore"): lambda: Answer(301, (("Location", base + dump.PATH),)),
            ("POST", "/triplestore"): lambda: Answer(301, (("Location", base + dump.PATH),)),
            ("GET", dump.FILE): lambda: dump.as_file(self.state),
            ("GET", "/simcomp/thing/"): lambda: self._retired(request),
        }
        answer = answers.get((request.method, request.path))
        return answer() if answer else Answer(404, (("Content-Type", "text/html"),), b"<html>404 Not Found</html>")

    def _retired(self, request: Request) -> Answer:
        found = self.state.documents.get(f"/simcomp/thing/{request.one('thing_key')}")
        return as_json(found) if found else as_json({"detail": "Not Found"}, status=404)

    def _route(self, request: Request) -> tuple[Route, tuple[str, ...]]:
        for place in self._places:
            found = place.pattern.fullmatch(request.path)
            if found is None:
                continue
            route = place.by_method.get(request.method) or (
                place.by_method.get("GET") if request.method == "HEAD" else None
            )
            if route is None:
                allowed = (("Allow", ",".join(place.by_method)),)
                detail = f"Method '{request.method}' is not supported."
                raise Problem(405, "http_request_method_not_supported", detail, headers=allowed)
            return route, found.groups()
        raise Problem(404, None, f"No static resource {request.path.lstrip('/')}.")

    def _media(self, request: Request, route: Route) -> str:
        """The type of the answer. Raises Problem (406, 415) where the request does not name the right ones exactly."""
        accept = request.headers.get("accept")
        if COMPARISON in (route.produces or ()) and accept and COMPARISON_V2 in accept:
            raise _NoBody(406)
        given = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        detail = "Please check the 'Accept' header for a list of supported media types."
        if route.consumes is not None and given != self._called(route.consumes):
            raise Problem(415, "http_media_type_not_supported", f"Unsupported request media type. {detail}")
        if route.produces is None:
            return JSON_TYPE
        produced = [self._called(one) for one in route.produces]
        media = _acceptable(accept, produced, wild=not request.path.startswith("/api/comparisons"))
        if media is None:
            raise Problem(
                406,
                "http_media_type_not_acceptable",
                f"Unsupported response media type. {detail}",
                headers=(("Accept", ", ".join(produced)),),
            )
        return media

    def _called(self, media: str) -> str:
        return self.habits.comparison_media if media == COMPARISON else media

    def _described(self) -> Json:
        """The OpenAPI description, as far as the double has it: which addresses and methods there are."""
        described: dict[str, dict[str, Json]] = {}
        for place in self._places:
            for method, route in place.by_method.items():
                operation: Json = {"responses": {}}
                if route.produces:
                    content: Json = {self._called(one): {} for one in route.produces}
                    operation["responses"]["200"] = {"description": "OK", "content": content}
                if route.consumes:
                    operation["requestBody"] = {"content": {self._called(route.consumes): {}}}
                described.setdefault(route.path.replace("{}", "{id}"), {})[method.lower()] = operation
        info = {"title": "Open Research Knowledge Graph (ORKG) REST API", "version": self.habits.backend}
        return {"openapi": "3.1.0", "info": info, "paths": described}

    def _name(self, request: Request) -> str | None:
        try:
            user = self.signed_in.user(request, self.state.now)
        except Problem:
            return "?"
        return user.id if user else None

    def _note(self, request: Request, answer: Answer | None, user: str | None, fault: str | None) -> None:
        self.log.append(
            Logged(
                len(self.log) + 1,
                round(time.monotonic() - self._began, 6),
                request.method,
                request.path,
                urlencode(request.query),
                answer.status if answer else None,
                user,
                request.headers.get("accept"),
                request.headers.get("content-type"),
                request.headers.get("user-agent"),
                _kept_body(request),
                fault,
            )
        )


class _NoBody(Problem):
    """A refusal without a body."""

    def __init__(self, status: int) -> None:
        super().__init__(status, None, "")

    def answer(self, request: Request, timestamp: str) -> Answer:
        return Answer(self.status)


def _places(routes: Iterable[Route]) -> list[_Place]:
    """Routes by address; an address without ids comes before one with."""
    found: dict[str, _Place] = {}
    for route in sorted(routes, key=lambda one: one.path.count("{}")):
        pattern = re.escape(route.path).replace(r"\{\}", "([^/]+)")
        found.setdefault(route.path, _Place(re.compile(pattern))).by_method[route.method] = route
    return list(found.values())


def _acceptable(accept: str | None, produced: list[str], *, wild: bool) -> str | None:
    """The first type that the request accepts. Wildcards reach only plain JSON, and where `wild` the other types."""
    wanted = [_parts(one) for one in accept.split(",")] if accept else [("*/*", frozenset[str]())]
    for name, parameters in wanted:
        for media in produced:
            own, needed = _parts(media)
            any_type = name in ("*/*", "application/*") and (wild or own == JSON_TYPE)
            if (name == own or any_type) and needed <= parameters:
                return media
    return None


def _parts(media: str) -> tuple[str, frozenset[str]]:
    name, *parameters = _SEPARATOR.split(media.strip().lower())
    return name, frozenset(parameters)


def _kept_body(request: Request) -> Json:
    """The body for the log: JSON as it is, of a form only what is no secret."""
    if not request.body:
        return None
    kind = (request.headers.get("content-type") or "").partition(";")[0]
    if kind == "application/x-www-form-urlencoded":
        form = {key: values[0] for key, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        return {key: form[key] for key in ("grant_type", "client_id", "username", "query") if key in form}
    try:
        return json.loads(request.body)
    except ValueError:
        return {"base64": base64.b64encode(request.body[:1000]).decode()}
