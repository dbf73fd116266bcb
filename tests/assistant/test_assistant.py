"""`slmkg mcp` as a process of its own, driven by the official client over standard input and output."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ListToolsResult, TextContent

from tests.cli.run import RUN, slmkg
from tests.web.serving import serving

SCORE = "accuracy(benchmark=winogrande;shots=5)"
TOOLS = {"search", "describe", "compare", "sparql", "schema"}


@pytest.fixture(scope="module")
def service(seed_folder: Path) -> Iterator[str]:
    with serving(seed_folder) as address:
        yield address


class Assistant:
    """Starts the server, calls tools one after the other, and ends it."""

    def __init__(self, url: str, *options: str) -> None:
        self.parameters = StdioServerParameters(command=sys.executable, args=["-c", RUN, "mcp", "--url", url, *options])

    def calls(self, *calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
        async def run() -> list[CallToolResult]:
            async with Client(self.parameters) as client:
                return [await client.call_tool(name, arguments) for name, arguments in calls]

        return asyncio.run(run())

    def tell(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The answer of one call, which must be the same as text and as data."""
        (result,) = self.calls((tool, arguments))
        text = said(result)
        assert not result.is_error, text
        told: dict[str, Any] = json.loads(text)
        assert told == result.structured_content
        return told

    def refusal(self, tool: str, /, **arguments: Any) -> str:
        (result,) = self.calls((tool, arguments))
        assert result.is_error
        return said(result)


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.fixture
def assistant(service: str) -> Assistant:
    return Assistant(service)


def test_the_tools_say_what_they_do_and_that_they_change_nothing(assistant: Assistant) -> None:
    async def listed() -> tuple[ListToolsResult, str]:
        async with Client(assistant.parameters) as client:
            return await client.list_tools(), client.instructions or ""

    found, instructions = asyncio.run(listed())
    assert {tool.name for tool in found.tools} == TOOLS
    for tool in found.tools:
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert all(one.get("description") for one in tool.input_schema["properties"].values()), tool.name
    assert "never instructions" in instructions


def test_every_answer_has_revision_address_and_sources(assistant: Assistant) -> None:
    query = "SELECT ?c ?s WHERE { ?c <http://www.w3.org/ns/prov#wasDerivedFrom> ?s } LIMIT 2"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("search", {"words": "phi"}),
        ("describe", {"name": "phi-2"}),
        ("describe", {"name": "phi-2", "property": "trainingTokens"}),
        ("describe", {"name": "numLayers"}),
        ("compare", {"models": "phi-2,opt-125m", "properties": f"license,{SCORE}"}),
        ("sparql", {"query": query}),
        ("schema", {}),
    ]
    for (name, _), result in zip(calls, assistant.calls(*calls), strict=True):
        assert not result.is_error, said(result)
        told = result.structured_content or {}
        assert told["revision"] == 1, name
        assert told["sources"], name
        assert httpx.get(told["address"]).status_code == 200, name
        assert "/r/1/" in told["address"]


def test_search_finds_names_of_every_kind(assistant: Assistant) -> None:
    models, properties, benchmarks, nothing = (
        result.structured_content or {}
        for result in assistant.calls(
            ("search", {"words": "phi 2"}),
            ("search", {"words": "attention heads"}),
            ("search", {"words": "winogrande"}),
            ("search", {"words": "zzz"}),
        )
    )
    assert {"kind": "model", "name": "phi-2"}.items() <= models["results"][0].items()
    assert "numAttentionHeads" in {one["name"] for one in properties["results"] if one["kind"] == "property"}
    assert {"benchmark"} <= {one["kind"] for one in benchmarks["results"]}
    assert (nothing["total"], nothing["results"]) == (0, [])


def test_a_model_is_described_with_sources(assistant: Assistant) -> None:
    told = assistant.tell("describe", name="phi-2")
    facts = {one["property"]: one for one in told["facts"]}
    tokens = facts["trainingTokens"]
    assert (tokens["value"], tokens["status"], tokens["reported"]) == (1400000000000, "accepted", "1400000000000")
    assert told["sources"][tokens["source"]] == "Reading of the configuration sources of phi-2"
    assert "innovation" in told["missing"]["not-reported"]
    assert "trainingTokens" in told["sources_differ_on"]


def test_a_cell_is_described_with_all_claims(assistant: Assistant) -> None:
    told = assistant.tell("describe", name="phi-2", property="trainingTokens")
    assert [one["status"] for one in told["claims"]] == ["Accepted", "Accepted", "Rejected"]
    assert told["disagreement"]["resolution"]["rule"] == "trust-rank"


def test_a_comparison_tells_the_claims_behind_its_cells(assistant: Assistant) -> None:
    told = assistant.tell(
        "compare",
        where="parameters:..1B,license:Apache-2.0",
        properties=f"parameters,license,{SCORE}",
        sort=f"-{SCORE}",
        limit=1,
    )
    (row,) = told["rows"]
    cell = row[SCORE]
    source = told["sources"][cell["claims"][0]]
    assert float(source["reported"]) == cell["value"]
    assert source["title"]
    assert told["left_out"] == told["total"] - 1


def test_what_is_missing_or_disputed_is_said(assistant: Assistant) -> None:
    told = assistant.tell("compare", models="opt-125m,phi-2", properties="parameterCount")
    disputed, missing = (row["parameterCount"] for row in told["rows"])
    assert (disputed["value"], disputed["candidates"]) == (None, [125237760, 125239296])
    assert (missing["value"], missing["reason"]) == (None, "not-looked-for")


def test_sparql_has_rows_and_the_claims_that_they_name(assistant: Assistant) -> None:
    query = """
        PREFIX slm: <https://w3id.org/slmkg/ontology#> PREFIX prov: <http://www.w3.org/ns/prov#>
        SELECT ?claim ?source WHERE { ?claim a slm:Claim ; prov:wasDerivedFrom ?source } LIMIT 300
    """
    told = assistant.tell("sparql", query=query)
    assert (told["total"], len(told["rows"]), told["left_out"]) == (300, 100, 200)
    assert set(told["sources"]) == {value for row in told["rows"] for value in row.values()}
    assert assistant.tell("sparql", query="ASK { ?s ?p ?o }")["truth"] is True
    graph = assistant.tell("sparql", query="DESCRIBE <https://w3id.org/slmkg/resource/model/phi-2>")
    assert any("phi-2" in line for line in graph["lines"])


def test_the_schema_has_queries_that_run(assistant: Assistant) -> None:
    told = assistant.tell("schema")
    assert "accuracy" in told["metrics"]
    assert "winogrande" in told["benchmarks"]
    answer = assistant.tell("sparql", query=told["queries"][0]["text"])
    assert answer["rows"]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("compare", {"where": "licence:MIT"}, ("bad-parameter", "Did you mean 'license'?", "/where/0")),
        ("describe", {"name": "phi-3"}, ("not-found", "phi-2")),
        ("describe", {"name": "phi-2", "property": "nope"}, ("no property named 'nope'",)),
        ("sparql", {"query": "SELECT"}, ("bad-query",)),
        ("sparql", {"query": "INSERT DATA { <x:a> <x:b> <x:c> }"}, ("query-refused",)),
        ("sparql", {"query": "SELECT * { SERVICE <http://x.test/> { ?s ?p ?o } }"}, ("query-refused",)),
        ("search", {"words": "x" * 300}, ("words",)),
        ("compare", {"limit": 10_000}, ("limit",)),
        ("schema", {"revision": 77}, ("not-found", "newest is 1")),
    ],
)
def test_a_refusal_says_what_to_do(
    assistant: Assistant, tool: str, arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    refused = assistant.refusal(tool, **arguments)
    assert all(word in refused for word in words), refused
    assert "Traceback" not in refused


@pytest.mark.parametrize(
    ("tool", "arguments", "part"),
    [
        ("compare", {"limit": 100}, "rows"),
        ("sparql", {"query": "SELECT * { ?s ?p ?o } LIMIT 900"}, "rows"),
        ("sparql", {"query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 900"}, "lines"),
        ("describe", {"name": "phi-2"}, "facts"),
        ("search", {"words": "a"}, "results"),
    ],
)
def test_answers_keep_to_their_bounds(service: str, tool: str, arguments: dict[str, Any], part: str) -> None:
    small = Assistant(service, "--rows", "40", "--bytes", "6000")
    told = small.tell(tool, **arguments)
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= 6000
    assert 0 < len(told[part]) <= 40
    assert told["left_out"] > 0


@contextmanager
def limited(seed_folder: Path) -> Iterator[Assistant]:
    with serving(seed_folder, query_seconds="1") as address:
        yield Assistant(address)


def test_a_query_that_takes_too_long_is_stopped_by_the_service(seed_folder: Path) -> None:
    with limited(seed_folder) as assistant:
        refused = assistant.refusal(
            "sparql", query="SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?a != ?d && ?f != ?i) }"
        )
    assert "query-timeout" in refused


def test_no_service_is_an_error_that_says_so() -> None:
    refused = Assistant("http://127.0.0.1:1").refusal("schema")
    assert "http://127.0.0.1:1 cannot be reached" in refused


def test_what_is_wrong_at_the_start_ends_with_two(seed_folder: Path) -> None:
    done = slmkg(seed_folder, "mcp", "--url", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --url: ")
    without = RUN.replace("import sys;", "import sys; sys.modules['mcp'] = None;", 1)
    other = subprocess.run([sys.executable, "-c", without, "mcp"], capture_output=True, text=True, check=False)
    assert (other.returncode, other.stdout) == (2, "")
    assert "pip install 'slmkg[mcp]'" in other.stderr
