"""Nothing in the repository knows the machine on which it was written, or where packages are fetched from."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.project.checkout import ROOT, files

# put together here, so that this file does not hold what it looks for
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian"))
]
MACHINE_PATHS = re.compile(
    r"(?<![\w.>…/-])/(?:" + "|".join(("work", "root", "tmp", "home", "opt/pypi", "opt/wheels")) + r")/"
)
SECRETS = re.compile(r"BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY|ghp_[A-Za-z0-9]{30}|hf_[A-Za-z0-9]{30}|AKIA[A-Z0-9]{16}")


def findings(path: Path) -> list[str]:
    """What a file should not say, with its line."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        named = [host for host in REGISTRIES if host in line]
        found += [f"{path}:{number}: {what}" for what in named]
        found += [f"{path}:{number}: {pattern.pattern}" for pattern in (MACHINE_PATHS, SECRETS) if pattern.search(line)]
    return found


def test_no_file_names_a_registry_a_machine_path_or_a_secret() -> None:
    assert [finding for path in files() for finding in findings(path)] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://" + ".".join(("files", "pythonhosted", "org")),
        "see " + "/".join(("", "work", "main")),
        "cd " + "/".join(("", "tmp", "x")),
        "AKIA" + "A" * 16,
    ],
)
def test_such_a_line_is_noticed(tmp_path: Path, line: str) -> None:
    (tmp_path / "page.md").write_text(f"first\n{line}\n", encoding="utf-8")
    assert [finding.split(":")[1] for finding in findings(tmp_path / "page.md")] == ["2"]


def test_text_files_end_with_one_line_break_and_hold_no_carriage_return() -> None:
    wrong = []
    for path in files(".py", ".md", ".toml", ".yml", ".ttl", ".rq", ".csv", ".tsv", ".sh", ".json"):
        raw = path.read_bytes()
        if b"\r" in raw or (raw and not raw.endswith(b"\n")):
            wrong.append(path.relative_to(ROOT))
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(ROOT)
        for path in files(".py", under="app")
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
