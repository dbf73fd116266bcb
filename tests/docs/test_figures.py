"""The figures on the pages of data and method are those of the shipped graph and of the page of the run."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from app.model.rdf import python_value
from app.services import Services
from app.store.port import Query
from tests.project.checkout import text
from tests.web.conftest import Client, client

__all__ = ["client"]

PREFIXES = """
PREFIX slm: <https://w3id.org/slmkg/ontology#> PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX dct: <http://purl.org/dc/terms/>
"""
OF_KIND = "?s slm:sourceType ?t . ?t skos:prefLabel ?kind ; slm:trustRank ?rank"


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without marks."""
    lines = text(page).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {head}")) + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().replace("`", "").replace(",", "") for cell in line.strip("|").split("|")])
    return found


def asked(services: Services, query: str) -> list[dict[str, object]]:
    _, answer = services.ask(Query(PREFIXES + query))
    return [{name: python_value(value) for name, value in row.items()} for row in answer.rows()]


def test_the_sources_are_counted(seed_services: Services) -> None:
    documents: dict[tuple[str, str], set[str]] = {}
    said: Counter[tuple[str, str, str]] = Counter()
    for what, pattern in (
        ("claims", "?c a slm:Claim ; prov:wasDerivedFrom ?s"),
        ("results", "?c slm:inRun ?run ; dct:source ?s"),
    ):
        query = f"SELECT ?kind ?rank ?s (COUNT(?c) AS ?n) {{ {pattern} . {OF_KIND} }} GROUP BY ?kind ?rank ?s"
        for row in asked(seed_services, query):
            kind, rank = str(row["kind"]), str(row["rank"])
            documents.setdefault((kind, rank), set()).add(str(row["s"]))
            said[kind, rank, what] += int(str(row["n"]))
    found = [
        [kind, rank, str(len(of_kind)), str(said[kind, rank, "claims"]), str(said[kind, rank, "results"])]
        for (kind, rank), of_kind in documents.items()
    ]
    assert sorted(found) == sorted(rows("docs/data.md", "kind of source"))


def test_what_became_of_the_claims_is_counted(seed_services: Services) -> None:
    query = "SELECT ?status (COUNT(?c) AS ?n) { ?c a slm:Claim ; slm:status/skos:notation ?status } GROUP BY ?status"
    found = {str(row["status"]).lower(): str(row["n"]) for row in asked(seed_services, query)}
    page = {cell.split(":")[0]: number for cell, number in rows("docs/data.md", "what became of the claims")}
    assert page == found


def test_how_cases_were_settled_is_counted(seed_services: Services) -> None:
    words = {"trust-rank": "by trust rank", "manual": "by a person", "agreement": "they agree after all", "": "open"}
    query = "SELECT ?d ?rule { ?d a slm:Disagreement . OPTIONAL { ?d slm:settledBy/slm:decisionRule ?rule } }"
    found = Counter(words[str(row.get("rule") or "")] for row in asked(seed_services, query))
    head = f"how the {found.total()} cases of disagreement were settled"
    assert {cell: int(number) for cell, number in rows("docs/data.md", head)} == found


def test_the_gaps_are_counted(client: Client) -> None:
    gaps = rows("docs/data.md", "property | accepted")
    names = [row[0].split()[0] for row in gaps]
    table = client.json(f"/api/v1/compare?properties={','.join(names)}&limit=200")
    assert f"Of {table['total']} models in scope" in text("docs/data.md")
    for name, row in zip(names, gaps, strict=True):
        found = Counter(one["cells"][name]["status"] for one in table["rows"])
        known = found["accepted"] + found["derived"]
        assert row[1:] == [str(known), *(str(found[one]) for one in ("proposed", "disputed", "missing"))], name


def test_how_many_models_have_results(seed_services: Services) -> None:
    (row,) = asked(
        seed_services, "SELECT (COUNT(DISTINCT ?m) AS ?n) { ?o slm:ofModel ?m ; slm:inRun ?r . ?m a slm:LanguageModel }"
    )
    assert f"- {row['n']} of the 104 models have any result" in text("docs/data.md")


@pytest.mark.parametrize("row", rows("docs/method.md", "variant | phase"), ids="-".join)
def test_the_errors_of_the_cost_model_are_those_of_the_run(row: list[str]) -> None:
    variant, phase, median, largest = row
    run = text("docs/measurements/2026-11-21-sixteen-models.md")
    told = re.search(rf"^\| {variant} \| {phase} \| 16 \| ([\d.]+ %) \| ([\d.]+ %)", run, re.MULTILINE)
    assert told is not None
    assert (median, largest) == (told[1], told[2])
