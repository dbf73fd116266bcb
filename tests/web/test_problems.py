"""Errors as problem details, headers of every response, HEAD, CORS, and the last net."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from app.errors import AppError, QueryTimeout, StoreBusy
from app.logs import formatter
from app.outcomes import OUTCOMES
from app.services import Services
from app.settings import Settings
from app.web import problems
from app.web.application import create_app
from tests.web.conftest import Client, problem_of

PAGES = ["/", "/docs", "/livez", "/readyz", "/openapi.json", "/static/site.css"]
PARTS = ("store", "revision", "projection", "shapes", "queue")
ANSWERS = ["/api/v1/models", "/api/v1/models/opt-125m", "/api/v1/compare?models=opt-125m", "/api/v1/properties"]


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/static/nope.css", "/api/v1/models/", "/static/../x"])
def test_an_unknown_address_is_not_found(client: Client, path: str) -> None:
    assert problem_of(client.get(path))["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/sparql", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/sparql", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/api/v1/models", "GET, HEAD, OPTIONS"),
        ("POST", "/static/site.css", "GET, HEAD, OPTIONS"),
        ("PATCH", "/", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_names_the_right_ones(client: Client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert problem_of(response)["status"] == 405
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", [*PAGES, *ANSWERS, "/nope", "/sparql", "/api/v1/models?limit=x"])
def test_head_has_the_headers_of_get_and_no_body(client: Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    got = client.get(path, headers=plain)
    head = client.request("HEAD", path, headers=plain)
    assert head.status_code == got.status_code
    assert head.content == b""
    varying = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in got.headers.items() if k not in varying
    }
    assert int(head.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize("path", [*PAGES, *ANSWERS, "/metrics", "/nope", "/sparql"])
def test_every_response_carries_the_safety_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "strict-transport-security" not in headers, "the request did not come by TLS"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-request-id"]
    assert headers["cache-control"]
    assert "access-control-allow-credentials" not in headers


def test_a_browser_s_question_before_a_request_is_answered(client: Client) -> None:
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    response = client.request("OPTIONS", "/sparql", headers=asked)
    assert (response.status_code, response.content) == (204, b"")
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "Content-Type" in response.headers["access-control-allow-headers"]
    assert response.headers["access-control-allow-origin"] == "*"


class _Broken:
    """Stands in for the services; whatever is asked of it fails with a secret."""

    settings = Settings()

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"secret-internal-text about {name}")


@pytest.mark.parametrize("path", ["/api/v1/models", "/readyz", "/sparql?query=ASK%20%7B%7D", "/"])
def test_an_unexpected_exception_tells_nothing_and_is_logged(path: str, caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = _Broken()
    client = Client(create_app(broken, new_id=lambda: "request-7"))
    with caplog.at_level(logging.ERROR, logger="app.web.middleware"):
        response = client.get(path)
    problem = problem_of(response)
    assert (problem["status"], problem["code"], problem["request"]) == (500, "internal", "request-7")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] == "request-7"
    assert response.headers["x-content-type-options"] == "nosniff"
    (line,) = (formatter().format(record) for record in caplog.records)
    told = json.loads(line)
    assert (told["request"], told["method"], told["event"]) == ("request-7", "GET", "the request failed")
    assert told["error"].startswith("builtins.RuntimeError")
    assert "test_problems.py:" in told["error"], "the place is told, the words are not"
    assert "secret" not in line
    assert "ASK" not in line


def _subclasses(error: type[AppError]) -> set[type[AppError]]:
    return {error}.union(*(_subclasses(one) for one in error.__subclasses__()))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (StoreBusy("somebody writes", advice="Wait."), "2"),
        (QueryTimeout("the machine was busy", retry_after=10), "10"),
        (QueryTimeout("it asks too much"), None),
    ],
)
def test_who_comes_at_a_bad_time_is_told_when_to_come_back(error: AppError, seconds: str | None) -> None:
    answer = problems.problem(error)
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, seconds)


def test_every_error_of_the_tree_has_a_response(seed_services: Services) -> None:
    for error in _subclasses(AppError):
        made = error.__new__(error)
        made.message, made.advice = "what happened", "what to do"
        for name in ("name", "problem", "pointer", "line", "column"):
            setattr(made, name, None)
        vars(made).update(retry_after=1, findings=(), conflicts=(), changes=(), pointer=None)
        response = problems.problem(made)
        assert response.status_code == OUTCOMES[error.code].status
        assert response.media_type == "application/problem+json"


def test_before_the_first_load_the_service_lives_and_is_not_ready(empty_client: Client) -> None:
    assert empty_client.json("/livez") == {"status": "alive", "revision": None}
    assert problem_of(empty_client.get("/readyz"))["code"] == "store-empty"
    assert problem_of(empty_client.get("/api/v1/models"))["status"] == 503
    assert "slmkg load" in empty_client.get("/").text


def test_the_loaded_service_is_ready(client: Client) -> None:
    ready = client.json("/readyz")
    assert (ready["status"], ready["revision"]) == ("ready", 1)
    assert {part["about"]: part["state"] for part in ready["parts"]} == dict.fromkeys(PARTS, "good")
