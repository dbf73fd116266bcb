"""The page of measurable architectures is generated, current, and names every class of the data once."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from app.measure.gguf.architectures import MEASURABLE, NOT_MEASURABLE

ROOT = Path(__file__).parent.parent.parent.parent
SCRIPT = ROOT / "scripts" / "build_measurable.py"
PAGE = ROOT / "docs" / "reference" / "measurable-architectures.md"
CLAIMS = ROOT / "data" / "claims" / "configurations.csv"


def _classes(heading: str) -> list[str]:
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")][2:]


def test_the_page_is_current() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_class_of_the_data_has_one_row() -> None:
    with CLAIMS.open(encoding="utf-8", newline="") as file:
        classes = {row["architecture_class"] for row in csv.DictReader(file)} - {""}
    runs, refused = _classes("Classes that llama.cpp runs"), _classes("Classes that it does not run")
    assert sorted([*runs, *refused]) == sorted(classes)
    assert set(runs) <= set(MEASURABLE)
    assert set(refused) <= set(NOT_MEASURABLE)
    assert _classes("What is assumed") == runs


def test_an_old_page_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "scripts" / SCRIPT.name
    for path, source in ((copy, SCRIPT), (tmp_path / CLAIMS.relative_to(ROOT), CLAIMS)):
        path.parent.mkdir(parents=True)
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / PAGE.relative_to(ROOT)).parent.mkdir(parents=True)
    command = [sys.executable, str(copy)]
    missing = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert missing.returncode == 1
    assert "run python scripts/build_measurable.py" in missing.stderr
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
    assert subprocess.run([*command, "--check"], check=False, cwd=ROOT).returncode == 0
