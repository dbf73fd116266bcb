"""Rules that imports alone cannot show: who commits, and that the import rules hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.project.checkout import ROOT, files

COMMITTER = ROOT / "app" / "curate" / "commit.py"
STORE = ROOT / "app" / "store"


def callers_of_apply(path: Path) -> list[int]:
    """Lines on which a module calls a method named `apply`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "apply"
    ]


def test_only_one_module_commits() -> None:
    others = [path for path in files(".py", under="app") if path != COMMITTER and not path.is_relative_to(STORE)]
    assert {path.relative_to(ROOT): lines for path in others if (lines := callers_of_apply(path))} == {}
    assert callers_of_apply(COMMITTER)


def test_a_second_committer_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "sly.py"
    module.write_text("def f(services):\n    services.store.apply(None, expect=1)\n", encoding="utf-8")
    assert callers_of_apply(module) == [2]


def test_the_import_rules_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_query_is_put_together_from_values() -> None:
    """SPARQL stands in .rq files; values enter by bindings."""
    guilty = []
    for path in files(".py", under="app"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                fixed = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)).upper()
                if "SELECT " in fixed and "WHERE" in fixed:
                    guilty.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    allowed = ("app/validation/compiler.py",)  # builds queries from shapes, which are ours
    assert [place for place in guilty if not place.startswith(allowed)] == []
