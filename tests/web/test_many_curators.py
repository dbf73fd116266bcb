"""Twenty clients propose, review and commit at once: nothing is lost, and each accepted value is in one revision."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from app import vocab
from app.curate.cases import read_cases, settle_cases
from app.model.claims import resource
from app.model.rdf import IRI, Literal
from app.services import Services
from app.store.embedded import EmbeddedStore
from app.web.curation_schemas import EXAMPLE
from tests.web.test_curation import Office

CLIENTS = 20
EACH = 3
"""Proposals of one client; each takes three commits."""
POSTS = 42
"""Triples that one client adds to its graph, one by one: with the proposals, all together make 1,020 commits."""
SAYS = "https://example.org/says"
KEY = (resource("architecture", "phi-2"), vocab.slm.vocabularySize)


async def _curate(office: Office, client: httpx.AsyncClient, who: int) -> list[str]:
    """Take values through all steps; return the claims that were acknowledged."""
    ada, bob = ({"Authorization": f"Bearer {office.keys[name]}"} for name in ("ada", "bob"))
    recorded: list[str] = []
    for number in range(EACH):
        item: dict[str, Any] = {
            **EXAMPLE["items"][0],
            "source": {"title": f"Paper {who}-{number}", "type": "TechnicalReport", "dated": "2024-01"},
        }
        made = await _sent(client, "POST", "/api/v1/proposals", ada, {"title": f"{who}-{number}", "items": [item]})
        path, tag = made.headers["location"], made.headers["etag"]
        body = {"rest": {"verdict": "accept"}}
        judged = await _sent(client, "POST", f"{path}/review", {**bob, "If-Match": tag}, body)
        headers = {**bob, "If-Match": judged.headers["etag"]}
        done = await _sent(client, "POST", f"{path}/commit", headers, None)
        recorded.append(done.json()["items"][0]["recorded_as"])
    return recorded


async def _add(office: Office, client: httpx.AsyncClient, who: int) -> list[int]:
    """Add triples to a graph of one's own; return the revisions that were acknowledged."""
    headers = {"Authorization": f"Bearer {office.keys['eve']}", "Content-Type": "text/turtle"}
    answers = [
        await _sent(client, "POST", f"/graphs?graph={graph(who)}", headers, f"<{graph(who)}> <{SAYS}> {number} .")
        for number in range(POSTS)
    ]
    return [int(answer.headers["x-revision"]) for answer in answers]


def graph(who: int) -> str:
    return f"{vocab.BASE}graph/notes/{who}"


async def _sent(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], body: Any
) -> httpx.Response:
    given = {"content": body} if isinstance(body, str) else {"json": body}
    while True:
        answer = await client.request(method, path, headers=headers, **given)
        if answer.status_code != 503:
            assert answer.status_code < 300, answer.text
            return answer
        await asyncio.sleep(0.1)


@pytest.mark.heavy
def test_concurrent_curators_lose_nothing(own_services: Services) -> None:
    assert isinstance(own_services.store, EmbeddedStore)
    own_services.store._listeners.clear()  # nobody compares here; columns are made when somebody asks
    office = Office(own_services)

    async def all_together() -> tuple[list[list[str]], list[list[int]]]:
        transport = httpx.ASGITransport(app=office.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://slmkg.test", timeout=600) as client:
            curating = asyncio.gather(*(_curate(office, client, who) for who in range(CLIENTS)))
            adding = asyncio.gather(*(_add(office, client, who) for who in range(CLIENTS)))
            return await curating, await adding

    curated, added = asyncio.run(all_together())
    recorded = [claim for of_client in curated for claim in of_client]
    assert len(set(recorded)) == len(recorded) == CLIENTS * EACH
    head = own_services.store.head().number
    assert head == 1 + CLIENTS * (3 * EACH + POSTS) > 1000
    assert len({revision for of_client in added for revision in of_client}) == CLIENTS * POSTS
    for who, of_client in enumerate(added):
        for number, revision in enumerate(of_client):
            triple = [quad for quad in own_services.store.changes(revision).add if quad.graph_name == IRI(graph(who))]
            assert [quad.object.value for quad in triple if isinstance(quad.object, Literal)] == [str(number)]
        assert len(list(own_services.store.at().quads(IRI(graph(who))))) == POSTS
    snapshot = own_services.store.at()
    assert {claim.iri.value for claim in read_cases(snapshot, [KEY])[KEY].claims} >= set(recorded)
    revisions: Counter[int] = Counter()
    for page in range(1, 3):
        for one in office.client.json(f"/api/v1/proposals?limit=200&page={page}")["items"]:
            assert one["committed"] == 1
            item = office.client.json(f"/api/v1/proposals/{one['number']}")["items"][0]
            revisions[item["revision"]] += 1
    assert len(revisions) == CLIENTS * EACH
    assert set(revisions.values()) == {1}
    assert settle_cases(snapshot, [KEY]).is_empty
    assert own_services.validate().conforms
