"""Real answers for the OpenAPI document, kept as files beside this module. A test compares them with the seed data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = "models=opt-125m,openelm-1-1b&properties=numLayers,numKeyValueHeads,parameterCount"

REQUESTS = {
    "listModels": "/api/v1/models?family=openelm&limit=2",
    "showModel": "/api/v1/models/opt-125m",
    "predictModel": "/api/v1/models/qwen2.5-0.5b/predictions?prompt=256",
    "compare": f"/api/v1/compare?{_TABLE}",
    "compareAs": f"/api/v1/compare.csv?{_TABLE}",
    "observations": "/api/v1/observations?where=metric:accuracy,benchmark:mmlu,shots:5&sort=-value&limit=1",
    "leaderboard": "/api/v1/leaderboards/winogrande?with=shots:5&where=parameters:..150M",
    "pareto": "/api/v1/pareto?x=parameters&y=accuracy(benchmark=mmlu;shots=5)&search=opt",
    "trends": "/api/v1/trends?property=attentionType&where=releasedIn:2024",
    "facets": "/api/v1/facets?properties=license&where=parameters:..500M",
    "fit": "/api/v1/fit?memory=2GB&context=2k&where=permissive:yes&best=accuracy(benchmark=mmlu;shots=5)&limit=1",
    "listInsights": "/api/v1/insights",
    "showInsight": "/api/v1/insights/memory",
    "listProperties": "/api/v1/properties",
    "listQueries": "/api/v1/queries",
    "diff": "/api/v1/diff?from=0&to=1&model=opt-125m&property=numLayers",
    "blame": "/api/v1/blame?model=opt-125m&property=numLayers",
    "audit": "/api/v1/audit?limit=1",
    "auditAsCsv": "/api/v1/audit.csv?limit=1",
    "changes": "/api/v1/changes.json?limit=1",
    "changesAtom": "/api/v1/changes.atom?limit=1",
    "showRevision": "/api/v1/revisions/1",
    "listClaims": "/api/v1/claims?model=phi-2&property=vocabularySize",
    "listDisagreements": "/api/v1/disagreements?state=open&limit=2",
    "showDecision": "/api/v1/cases/gpt-neo-1.3b/activation/decision",
    "listProposals": "/api/v1/proposals?state=open",
}
"""The request behind each example that needs nothing but the seed, by operation."""


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changes something: a POST with a body, and the scope that it needs."""

    address: str
    media_type: str
    body: str
    scope: str


WRITES = {
    "importTable": Write(
        "/api/v1/proposals/import?source=survey-v3&name=mine.csv",
        "text/csv",
        "model,number of layers,parameters [B]\r\nphi-2,33,2.9\r\n",
        "propose",
    ),
    "makeRelease": Write("/api/v1/releases", "application/json", '{"name": "2026.11", "revision": 1}', "admin"),
}
"""The requests behind examples that change something, in their order."""
AFTERWARDS = {"listReleases": "/api/v1/releases", "showRelease": "/api/v1/releases/2026.11"}
"""The requests behind examples that need what those made."""
FIRST_MEMBERS = {"properties": 2, "queries": 1, "models": 3, "files": 2, "statements": 2, "rows": 3}
"""Long lists are cut to their first members in examples."""
_WHOLE = frozenset({"compare"})
_WITHIN = frozenset({"releases", "table"})
"""Members whose own lists are cut too."""


def example(operation: str) -> Any:
    """The example answer of an operation, or None."""
    return _examples().get(operation)


def shortened(operation: str, answer: Any) -> Any:
    """An answer with its long lists cut, as it stands in the file of examples."""
    return _cut(answer) if operation not in _WHOLE else answer


def _cut(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_cut(one) for one in answer]
    if not isinstance(answer, Mapping):
        return answer
    return {
        key: value[: FIRST_MEMBERS[key]] if key in FIRST_MEMBERS and isinstance(value, list) else value
        for key, value in ((key, _cut(value) if key in _WITHIN else value) for key, value in answer.items())
    }


@cache
def _examples() -> dict[str, Any]:
    path = Path(__file__).parent / "answers.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
