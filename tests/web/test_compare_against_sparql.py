"""Every cell of the comparison of all models in all properties, against what SPARQL says of it.

The check asks by HTTP only, with queries of its own, and works out each cell anew.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from tests.web.conftest import Client

PREFIXES = """
PREFIX slm: <https://w3id.org/slmkg/ontology#>
PREFIX graph: <https://w3id.org/slmkg/graph/>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX prov: <http://www.w3.org/ns/prov#>
"""
TERMS = "https://w3id.org/slmkg/ontology#"
NUMBERS = {f"http://www.w3.org/2001/XMLSchema#{name}" for name in ("integer", "decimal")}
REASONS = {
    "notReported": "not-reported",
    "notApplicable": "not-applicable",
    "notLookedFor": "not-looked-for",
    "withheld": "withheld",
    "variesByLayer": "varies-by-layer",
}

Rows = dict[tuple[str, str], list[dict[str, Any]]]


def asked(client: Client, query: str) -> Rows:
    """Rows of a query by subject and local name of the property."""
    answer = client.get("/sparql", params={"query": PREFIXES + query})
    assert answer.status_code == 200, answer.text
    rows: Rows = defaultdict(list)
    for row in answer.json()["results"]["bindings"]:
        rows[row["s"]["value"], row["p"]["value"].removeprefix(TERMS)].append(row)
    return rows


@pytest.fixture(scope="module")
def table(client: Client) -> Any:
    models = [item["slug"] for item in client.json("/api/v1/models?limit=200&include_baselines=true")["items"]]
    properties = [one["name"] for one in client.json("/api/v1/properties")["properties"]]
    return client.json(f"/api/v1/compare?models={','.join(models)}&properties={','.join(properties)}")


@pytest.fixture(scope="module")
def graph(client: Client) -> dict[str, Rows]:
    return {
        "curated": asked(client, "SELECT * WHERE { GRAPH graph:curated { ?s ?p ?v } }"),
        "claims": asked(
            client,
            """SELECT ?s ?p ?v ?c ?status ?source WHERE {
              ?c a slm:Claim ; rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?v ; prov:wasDerivedFrom ?source .
              GRAPH graph:decisions { ?c slm:status ?concept } ?concept skos:notation ?status }""",
        ),
        "absent": asked(
            client,
            "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n"
            "SELECT * WHERE { ?why rdfs:subPropertyOf slm:hasNoValueFor . ?s ?why ?p }",
        ),
        "derived": asked(
            client,
            """SELECT ?s ?p ?v ?proposed (COUNT(?c) AS ?inputs) (COUNT(DISTINCT ?source) AS ?sources) WHERE {
              ?d a slm:Derivation ; slm:aboutSubject ?s ; slm:aboutProperty ?p ; slm:derivedValue ?v ;
                 slm:restsOnProposed ?proposed ; slm:usedClaim ?c . ?c prov:wasDerivedFrom ?source
            } GROUP BY ?s ?p ?v ?proposed""",
        ),
    }


def plain(term: dict[str, Any]) -> set[object]:
    """What a cell may show for a term: the number, the truth value, the text, or the short name of a thing."""
    text = term["value"]
    if term.get("datatype") in NUMBERS:
        return {float(Decimal(text))}
    if term.get("datatype", "").endswith("boolean"):
        return {text == "true"}
    return {text, text.replace("#", "/").rsplit("/", 1)[-1]} if term["type"] == "uri" else {text}


def fits(cell: Any, terms: list[dict[str, Any]], member: str = "value") -> bool:
    """Whether a cell shows these terms, each once, and nothing else."""
    shown = cell[member] if isinstance(cell[member], list) else [cell[member]]
    distinct = {(term["value"], term.get("datatype")): term for term in terms}
    values = [float(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in shown]
    return len(values) == len(distinct) and all(any(v in plain(t) for v in values) for t in distinct.values())


def expected_status(claims: list[dict[str, Any]], curated: list[Any], absent: list[Any]) -> tuple[str, str | None]:
    statuses = {row["status"]["value"] for row in claims}
    if curated:
        return "accepted", None
    if "Open" in statuses:
        return "disputed", None
    if "Proposed" in statuses and not statuses & {"Accepted", "Compatible"}:
        return "proposed", None
    return "missing", REASONS[absent[0]["why"]["value"].removeprefix(TERMS)] if absent else "not-looked-for"


def check_claimed(cell: Any, key: tuple[str, str], graph: dict[str, Rows]) -> None:
    claims, curated = graph["claims"].get(key, []), graph["curated"].get(key, [])
    status, reason = expected_status(claims, curated, graph["absent"].get(key, []))
    assert (cell["status"], cell["reason"]) == (status, reason), key
    assert set(cell["claims"]) == {row["c"]["value"] for row in claims}, key
    if status == "accepted":
        assert fits(cell, [row["v"] for row in curated]), (key, cell)
    elif status == "disputed":
        assert cell["value"] is None
        assert fits(cell, [row["v"] for row in claims if row["status"]["value"] == "Open"], "candidates"), (key, cell)
    elif status == "proposed":
        assert fits(cell, [row["v"] for row in claims if row["status"]["value"] == "Proposed"]), (key, cell)
        return
    else:
        assert cell["value"] is None
    opposed = {row["source"]["value"] for row in claims if row["status"]["value"] in {"Rejected", "Open"}}
    agreeing = {row["source"]["value"] for row in claims if row["status"]["value"] in {"Accepted", "Compatible"}}
    assert cell["sources"] == {"agreeing": len(agreeing - opposed), "disagreeing": len(opposed)}, key


def check_derived(cell: Any, key: tuple[str, str], graph: dict[str, Rows]) -> None:
    rows = graph["derived"].get(key, [])
    if not rows:
        assert (cell["status"], cell["reason"], cell["value"]) == ("missing", "not-derivable", None), key
        return
    (row,) = rows
    assert cell["status"] == ("proposed" if row["proposed"]["value"] == "true" else "derived"), key
    assert fits(cell, [row["v"]]), (key, cell)
    assert len(cell["claims"]) == int(row["inputs"]["value"]), key
    assert cell["sources"] == {"agreeing": int(row["sources"]["value"]), "disagreeing": 0}, key


def test_every_cell_is_what_the_graph_says(table: Any, graph: dict[str, Rows]) -> None:
    counted = 0
    for row in table["rows"]:
        for prop in table["properties"]:
            subject = f"https://w3id.org/slmkg/resource/{prop['of']}/{row['model']}"
            check = check_derived if prop["kind"] == "derived" else check_claimed
            check(row["cells"][prop["name"]], (subject, prop["name"]), graph)
            counted += 1
    assert counted == len(table["models"]) * len(table["properties"]) > 8_000


def test_every_status_and_usual_reason_is_among_them(table: Any) -> None:
    cells = [cell for row in table["rows"] for cell in row["cells"].values()]
    assert {cell["status"] for cell in cells} == {"accepted", "disputed", "proposed", "derived", "missing"}
    assert {cell["reason"] for cell in cells} >= {None, "not-reported", "not-applicable", "varies-by-layer"}


def test_no_curated_value_is_left_out(table: Any, graph: dict[str, Rows]) -> None:
    shown = {
        (f"https://w3id.org/slmkg/resource/{prop['of']}/{row['model']}", prop["name"])
        for row in table["rows"]
        for prop in table["properties"]
    }
    absences = set(REASONS)
    missing = {
        key
        for key in graph["curated"]
        if key not in shown and key[1] not in absences and "/layer-group/" not in key[0] and "/dataset/" not in key[0]
    }
    assert missing == set()


def test_numbers_keep_every_digit(graph: dict[str, Rows]) -> None:
    """JSON numbers are binary: a decimal with more digits than that would be changed."""
    decimals = [
        row["v"]["value"]
        for rows in (graph["curated"], graph["derived"])
        for of_key in rows.values()
        for row in of_key
        if row["v"].get("datatype") in NUMBERS
    ]
    assert len(decimals) > 1_000
    assert [text for text in decimals if Decimal(repr(float(text))) != Decimal(text)] == []
