"""One way through the whole service on Virtuoso: load, curate, measure, compare, release. Nothing lies in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import vocab
from app.access import KeyRing, Scope
from app.measure.records import run_text
from app.model.claims import resource
from app.model.graphs import CURATED, REGISTRY
from app.model.rdf import IRI
from app.services import Services
from app.store.remote_http import Address
from app.web.curation_schemas import EXAMPLE
from tests.curate.test_measured import result, run
from tests.release import small
from tests.web.scratch import NOW
from tests.web.test_engines import Running, served

MODEL = "examplelm-135m"
VALUE = 49152
ITEM = {**EXAMPLE["items"][0], "model": MODEL, "value": VALUE, "reported": str(VALUE)}


@pytest.fixture(scope="module")
def running(
    virtuoso_server: Address, seed_services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The example graph, with the metrics of the seed, in an engine that many share. It is small, to be quick."""
    metric = resource("metric", "").value
    registry = seed_services.store.at(1).quads(REGISTRY)
    metrics = [quad for quad in registry if isinstance(quad.subject, IRI) and quad.subject.value.startswith(metric)]
    quads = small.quads() | frozenset(metrics)
    with served(virtuoso_server, quads, tmp_path_factory.mktemp("path")) as service:
        yield service


def send(running: Running, key: str, method: str, path: str, status: int, **options: Any) -> Any:
    answer = running.service.send(method, path, key=key, **options)
    assert answer.status_code == status, answer.text
    return answer


def test_from_a_claim_to_a_release(running: Running, seed_services: Services, tmp_path: Path) -> None:
    ring = KeyRing(running.service.data / "keys.json")
    ada = ring.create("Ada", (Scope.PROPOSE,), NOW)[1]
    bob = ring.create("Bob", (Scope.REVIEW, Scope.COMMIT), NOW)[1]

    made = send(running, ada, "POST", "/api/v1/proposals", 201, json={**EXAMPLE, "items": [ITEM]})
    path, tag = made.headers["location"], made.headers["etag"]
    verdict = {"rest": {"verdict": "accept", "reason": "it is so"}}
    judged = send(running, bob, "POST", f"{path}/review", 200, json=verdict, headers={"If-Match": tag})
    done = send(running, bob, "POST", f"{path}/commit", 200, headers={"If-Match": judged.headers["etag"]})
    recorded = done.json()["items"][0]["recorded_as"]
    case = running.service.send("GET", f"/api/v1/claims?model={MODEL}&property=vocabularySize", key=None).json()
    assert recorded in {claim["iri"] for claim in case["claims"] if claim["status"] == "Accepted"}
    found = running.ask(f"SELECT ?v {{ GRAPH <{CURATED.value}> {{ ?a <{vocab.slm.vocabularySize}> ?v }} }} LIMIT 1")
    assert found.text.split()[0] == "v"

    like = result(seed_services)
    told = replace(like, cell=replace(like.cell, subject=replace(like.cell.subject, slug=MODEL)))
    file = tmp_path / "run.jsonl"
    file.write_text(run_text(run(told)), encoding="utf-8")
    added = running.slmkg("measure", "add", str(file), "--as", "ada", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["new"] is True
    again = running.slmkg("measure", "add", str(file), "--as", "ada", "--json")
    assert json.loads(again.stdout)["new"] is False

    where = f"model:{MODEL},metric:decode-throughput,weights:Random"
    shown = running.service.send("GET", "/api/v1/observations", key=None, params={"where": where})
    assert shown.status_code == 200, shown.text
    assert shown.json()["total"] >= 1
    table = running.service.send(
        "GET", f"/api/v1/compare?models={MODEL},examplelm-300m-layered&properties=vocabularySize,numLayers", key=None
    )
    assert table.json()["rows"][0]["cells"]["vocabularySize"]["value"] == VALUE

    released = running.slmkg("release", "2026.11", "--json")
    assert released.returncode == 0, released.stderr
    manifest = json.loads(released.stdout)
    assert manifest["revision"] == json.loads(added.stdout)["revision"]
    verified = running.slmkg("release", "verify", "2026.11", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert running.service.send("GET", "/releases/2026.11", key=None).status_code == 200
