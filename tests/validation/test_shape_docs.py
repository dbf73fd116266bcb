"""The page of constraints is generated, current, and names every rule."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.validation.shapes import Shapes

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "build_shape_docs.py"
PAGE = ROOT / "docs" / "reference" / "shapes.md"


def test_the_page_is_current() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_rule_has_one_row(shapes: Shapes) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    rules = [constraint.id for constraint in shapes.constraints] + [check.id for check in shapes.checks]
    assert sorted(row for row in rows if row not in {"id", "---"}) == sorted(rules)


def test_an_old_page_is_noticed(tmp_path: Path) -> None:
    for name in ("scripts", "shapes"):
        (tmp_path / name).mkdir()
    copy = tmp_path / "scripts" / SCRIPT.name
    copy.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    for path in (ROOT / "shapes").glob("*.ttl"):
        (tmp_path / "shapes" / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, str(copy)]
    missing = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert missing.returncode == 1
    assert "run python scripts/build_shape_docs.py" in missing.stderr
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
    assert subprocess.run([*command, "--check"], check=False, cwd=ROOT).returncode == 0
    page = tmp_path / "docs" / "reference" / "shapes.md"
    page.write_text(page.read_text(encoding="utf-8").replace("C01", "C99"), encoding="utf-8")
    assert subprocess.run([*command, "--check"], capture_output=True, check=False, cwd=ROOT).returncode == 1
