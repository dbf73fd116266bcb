"""The OpenAPI document: complete, true to what is answered, and the page made from it current."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from app.access import Scope
from app.services import Services
from app.web import audit, examples, history_schemas, insight_schemas, problems, releases, schemas
from app.web import comparison_schemas as shapes
from app.web.application import create_app
from app.web.tables import FORMATS
from scripts import build_api
from tests.release.conftest import released
from tests.web.conftest import Client

__all__ = ["released"]

OPERATIONS: dict[str, type[BaseModel]] = {
    "listModels": schemas.Models,
    "showModel": schemas.Model,
    "compare": shapes.Comparison,
    "observations": shapes.Observations,
    "leaderboard": shapes.Leaderboard,
    "pareto": shapes.Pareto,
    "trends": shapes.Trends,
    "facets": shapes.Facets,
    "fit": shapes.Fit,
    "listProperties": schemas.Properties,
    "listQueries": schemas.ExampleQueries,
    "diff": history_schemas.Diff,
    "blame": history_schemas.Blame,
    "audit": audit.Audit,
    "changes": history_schemas.Changes,
    "showRevision": history_schemas.RevisionChange,
    "listInsights": insight_schemas.Insights,
    "showInsight": insight_schemas.Insight,
}
COMPARISONS = ("compare", "observations", "leaderboards/{benchmark}", "pareto", "trends", "facets", "fit")
GRAPHS = ("/graphs", "/graphs/{path}")


@pytest.fixture(scope="module")
def document(client: Client) -> Any:
    return client.json("/openapi.json")


def _operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_address_of_the_api_is_described(document: Any) -> None:
    assert {(method, path) for path, method, _ in _operations(document)} == {
        ("get", "/sparql"),
        ("post", "/sparql"),
        ("post", "/update"),
        *((method, path) for method in ("get", "put", "post", "delete", "patch") for path in GRAPHS),
        ("get", "/api/v1/models"),
        ("get", "/api/v1/models/{slug}"),
        ("get", "/api/v1/models/{slug}/predictions"),
        *(("get", f"/api/v1/{name}{ending}") for name in COMPARISONS for ending in ("", ".{ending}")),
        ("get", "/api/v1/properties"),
        ("get", "/api/v1/insights"),
        *(("get", f"/api/v1/insights/{{slug}}{ending}") for ending in ("", ".vl.json", ".svg")),
        ("post", "/api/v1/proposals/import"),
        ("get", "/api/v1/queries"),
        ("get", "/api/v1/releases"),
        ("post", "/api/v1/releases"),
        ("get", "/api/v1/releases/{name}"),
        ("get", "/api/v1/diff"),
        ("get", "/api/v1/diff.rdfp"),
        ("get", "/api/v1/blame"),
        ("get", "/api/v1/audit"),
        ("get", "/api/v1/audit.csv"),
        ("get", "/api/v1/changes.json"),
        ("get", "/api/v1/changes.atom"),
        ("get", "/api/v1/revisions/{number}"),
        ("post", "/api/v1/revisions/{number}/revert"),
        *((method, "/api/v1/webhooks") for method in ("get", "post")),
        *((method, "/api/v1/webhooks/{id}") for method in ("get", "delete")),
        ("post", "/api/v1/webhooks/{id}/test"),
        ("get", "/api/v1/webhooks/{id}/dead"),
        ("post", "/api/v1/webhooks/{id}/retry"),
        *((method, f"/api/v1/{what}") for method in ("get", "post") for what in ("jobs", "schedules")),
        *(("get", f"/api/v1/jobs/{{id}}{part}") for part in ("", "/run.jsonl", "/events")),
        ("post", "/api/v1/jobs/{id}/cancel"),
        *((method, "/api/v1/schedules/{id}") for method in ("get", "delete")),
        *(("post", f"/api/v1/worker/{step}") for step in ("claim", "heartbeat", "result", "release")),
        *((method, "/api/v1/proposals") for method in ("get", "post")),
        ("get", "/api/v1/proposals/{number}"),
        *(("post", f"/api/v1/proposals/{{number}}/{step}") for step in ("comments", "review", "withdraw", "commit")),
        ("get", "/api/v1/orkg"),
        ("get", "/api/v1/orkg/{host}/{comparison}"),
        ("get", "/api/v1/claims"),
        ("get", "/api/v1/disagreements"),
        *((method, "/api/v1/cases/{model}/{property}/decision") for method in ("get", "put", "delete")),
        ("get", "/.well-known/void"),
        ("get", "/dcat"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


def test_every_operation_has_words_and_every_parameter_a_description(document: Any) -> None:
    for path, _, operation in _operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["in"] == "path", (path, parameter["name"])


def test_every_json_answer_has_a_schema(document: Any) -> None:
    for path, _, operation in _operations(document):
        if path in GRAPHS or not {"200", "201"} & set(operation["responses"]):
            continue
        content = next(operation["responses"][code] for code in ("200", "201") if code in operation["responses"])[
            "content"
        ]
        if path == "/update":
            assert content["application/json"]["schema"]["$ref"] == "#/components/schemas/Change"
        other = (".rdfp", ".atom", ".csv", ".vl.json", ".svg", ".jsonl", "/events")
        if path.startswith("/api/") and not path.endswith(other):
            is_table = any(path in {f"/api/v1/{name}", f"/api/v1/{name}.{{ending}}"} for name in COMPARISONS)
            assert list(content) == (list(FORMATS.values()) if is_table else ["application/json"]), path
            assert content["application/json"]["schema"]["$ref"].startswith("#/components/schemas/"), path


def test_errors_are_problem_details_and_nothing_else(document: Any) -> None:
    for path, _, operation in _operations(document):
        assert ("422" in operation["responses"]) is ("invalid-graph" in str(operation["responses"])), path
        assert "500" in operation["responses"], path
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == [problems.MEDIA_TYPE], (path, status)
                assert response["content"][problems.MEDIA_TYPE]["examples"], (path, status)
    assert set(document["components"]["schemas"]) >= {"Problem", "ShownCell", "Claim", "Source", "Resolution"}
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_every_reference_leads_somewhere(document: Any) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            found = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return found + [one for value in node.values() for one in references(value)]
        return [one for value in node for one in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_fit_their_schema(client: Client, operation: str) -> None:
    from app.web.examples import REQUESTS

    answer = client.get(REQUESTS[operation]).content
    OPERATIONS[operation].model_validate_json(answer)


def test_the_example_of_an_import_is_real(own_services: Services) -> None:
    write = examples.WRITES["importTable"]
    _, key = own_services.keys.create("Ada", (Scope(write.scope),), own_services.now())
    answer = Client(create_app(own_services)).post(
        write.address,
        content=write.body,
        headers={"Content-Type": write.media_type, "Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json() == examples.example("importTable"), "run: python scripts/build_api.py --examples"


def test_the_examples_of_releases_are_as_answers_are(released: Services) -> None:
    """Those of the seed take a minute to make; a small release has the same members, and its numbers in their form."""
    web = Client(create_app(released))
    begun = examples.example("makeRelease")
    assert releases.Release.model_validate(begun).model_dump() == begun
    assert (begun["state"], begun["name"]) == ("making", "2026.11")
    for operation, address in examples.AFTERWARDS.items():
        kept, real = examples.example(operation), examples.shortened(operation, web.json(address))
        assert "releases" in kept or releases.Release.model_validate(kept).model_dump() == kept
        assert _form(kept) == _form(real | _only_first(real)), operation
    assert examples.example("listReleases")["releases"] == [examples.example("showRelease")]


def _only_first(answer: Any) -> Any:
    return {"releases": answer["releases"][:1]} if "releases" in answer else {}


def _form(answer: Any) -> Any:
    """An answer with kinds in place of values; of counts the names do not matter."""
    if isinstance(answer, dict):
        return {key: _form(value) for key, value in answer.items() if key != "findings"}
    if isinstance(answer, list):
        return [_form(one) for one in answer]
    return type(answer).__name__


def test_the_reference_page_is_current() -> None:
    assert build_api.PAGE.read_text(encoding="utf-8") == build_api.page(), "run: python scripts/build_api.py"
