"""Strangers' queries have one way to the engine: past the guard, into a reader. The web front has no other."""

from __future__ import annotations

import ast
from pathlib import Path

import app.web
from app.store import threaded

WAY = "evaluation.py"
ASKING = {"ask", "query", "query_quads", "update"}
"""Methods of stores, snapshots, services and readers that run SPARQL."""
WRITING = {("services", "update"), ("hasher", "update")}
"""Updates have a way of their own, with a key: `Services.update` guards them and runs them in a reader."""


def calls(path: Path) -> list[tuple[str, str, int]]:
    """Object, method and line of each call of such a method."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            found.append((ast.unparse(node.func.value), node.func.attr, node.lineno))
    return found


def test_one_module_of_the_front_asks_the_engine() -> None:
    folder = Path(app.web.__file__).parent
    others = [
        f"{path.name}:{line}: {owner}.{method}(...)"
        for path in sorted(folder.glob("*.py"))
        if path.name != WAY
        for owner, method, line in calls(path)
        if (owner, method) not in WRITING
    ]
    assert others == []


def test_it_asks_readers_and_in_threads_only_without_them() -> None:
    found = calls(Path(app.web.__file__).parent / WAY)
    assert sorted((owner, method) for owner, method, _ in found) == [("public", "ask")]
    found = calls(Path(threaded.__file__))
    assert sorted((owner, method) for owner, method, _ in found) == [("snapshot()", "query")]
